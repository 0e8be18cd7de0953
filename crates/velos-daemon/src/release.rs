//! Which version of an app runs: from the `package.json`, `pyproject.toml` or `Cargo.toml` nearest to its script, read when
//! a process is started, so that the list shows what runs and not what was unpacked since.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use velos_core::app::AppSpec;
use velos_core::instance::{InstanceId, Token};

use crate::control::Control;

/// Folders that are looked into: that of the script and three above.
const FOLDERS: usize = 4;
/// A manifest is smaller.
const MANIFEST_BYTES_MAX: u64 = 256 << 10;
/// What is longer is no version.
const VERSION_BYTES_MAX: usize = 40;
/// Programs whose own place says nothing of the app.
const RUNNERS: [&str; 9] = ["npm", "npx", "pnpm", "yarn", "bun", "deno", "cargo", "uv", "poetry"];

const NODE: &[&str] = &["package.json"];
const PYTHON: &[&str] = &["pyproject.toml", "package.json"];
const BINARY: &[&str] = &["Cargo.toml", "package.json"];
const ANY: &[&str] = &["package.json", "pyproject.toml", "Cargo.toml"];

/// What was read at each start.
#[derive(Debug, Default)]
pub(crate) struct Releases {
    of_runs: BTreeMap<Token, String>,
    /// For those that do not run.
    last: BTreeMap<InstanceId, String>,
    /// Just started, and not looked for yet.
    wanted: Vec<(Token, InstanceId)>,
}

impl Control {
    /// A process has just been started. Who asked for it is answered before we look.
    pub(crate) fn want_release(&mut self, token: Token, id: InstanceId) {
        self.releases.wanted.push((token, id));
    }

    pub(crate) fn note_releases(&mut self) {
        for (token, id) in std::mem::take(&mut self.releases.wanted) {
            let Some(app) = self.supervisor.app_of(id) else { continue };
            let version = version_of(&app.spec, None);
            self.keep_release(token, id, version);
        }
    }

    /// A process of an earlier daemon: what was changed since it began says nothing about it.
    pub(crate) fn note_adopted_release(&mut self, token: Token, id: InstanceId) {
        let Some((instance, app)) = self.supervisor.instance(id).zip(self.supervisor.app_of(id)) else {
            return;
        };
        let Some(began_ms) = instance.runs.iter().map(|run| run.started_ms).max() else { return };
        let version = version_of(&app.spec, Some(began_ms));
        self.keep_release(token, id, version);
    }

    fn keep_release(&mut self, token: Token, id: InstanceId, version: Option<String>) {
        // During a reload there are twice as many; beyond that they are of runs that have ended.
        if self.releases.of_runs.len() > 64 + 2 * self.supervisor.instances().count() {
            let supervisor = &self.supervisor;
            self.releases.of_runs.retain(|token, _| supervisor.instance_by_token(*token).is_some());
            self.releases.last.retain(|id, _| supervisor.instance(*id).is_some());
        }
        let id = self.supervisor.writes_as(id);
        match version {
            Some(version) => {
                self.releases.of_runs.insert(token, version.clone());
                self.releases.last.insert(id, version);
            }
            None => {
                self.releases.last.remove(&id);
            }
        }
    }

    /// For the list.
    pub(crate) fn release(&self, id: InstanceId) -> Option<String> {
        match self.supervisor.instance(id)?.token {
            Some(token) => self.releases.of_runs.get(&token),
            None => self.releases.last.get(&id),
        }
        .cloned()
    }
}

/// `unchanged_since_ms`: of manifests that were not written later.
fn version_of(spec: &AppSpec, unchanged_since_ms: Option<i64>) -> Option<String> {
    let script = spec.script.as_path();
    let name = script.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (folder, manifests) = match spec.interpreter.as_deref() {
        // A command line, or a program that runs what is in the folder.
        _ if !script.is_absolute() || RUNNERS.contains(&name) => (spec.cwd.as_path(), ANY),
        Some(interpreter) if interpreter.contains("python") => (script.parent()?, PYTHON),
        Some(_) => (script.parent()?, NODE),
        None => (script.parent()?, BINARY),
    };
    let home = spec.env.iter().find(|(key, _)| key.as_bytes() == b"HOME").map(|(_, home)| home.as_path());
    // What lies at home, or above all, belongs to no app further down.
    let is_of_app = |above: &Path| Some(above) != home && above.parent().is_some();
    folder
        .ancestors()
        .take(FOLDERS)
        .take_while(|above| *above == folder || is_of_app(above))
        .flat_map(|folder| manifests.iter().map(move |name| (folder.join(name), *name)))
        .find_map(|(path, name)| {
            let text = read(&path, unchanged_since_ms)?;
            let version = if name == "package.json" { of_json(&text) } else { of_toml(&text) };
            version.filter(|version| is_version(version))
        })
}

fn read(path: &Path, unchanged_since_ms: Option<i64>) -> Option<String> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    // A FIFO of that name must not stop us.
    let file = File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).ok()?;
    let meta = file.metadata().ok()?;
    let is_later = unchanged_since_ms.is_some_and(|since| meta.ctime().saturating_mul(1_000) > since);
    if !meta.is_file() || meta.len() > MANIFEST_BYTES_MAX || is_later {
        return None;
    }
    let mut text = String::new();
    file.take(MANIFEST_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

fn is_version(text: &str) -> bool {
    !text.is_empty() && text.len() <= VERSION_BYTES_MAX && text.chars().all(|c| c.is_ascii_graphic())
}

/// The text under the key `version` of the outermost object. Not all of JSON is checked: npm does that.
fn of_json(text: &str) -> Option<String> {
    let mut depth = 0;
    // The text before a colon, and whether the colon is behind us.
    let (mut key, mut is_value) = ("", false);
    let mut rest = text;
    while let Some(at) = rest.find(['"', '{', '}', '[', ']', ':', ',']) {
        let (sign, after) = (rest.as_bytes().get(at)?, rest.get(at + 1..)?);
        rest = after;
        match sign {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b':' => is_value = true,
            b',' => is_value = false,
            _ => {
                let word = rest.get(..end_of_text(rest)?)?;
                rest = rest.get(word.len() + 1..)?;
                match (depth, is_value) {
                    (1, true) if key == "version" => {
                        return (!word.contains('\\')).then(|| word.to_owned());
                    }
                    (1, false) => key = word,
                    _ => {}
                }
            }
        }
    }
    None
}

/// Where the quote is that ends a text.
fn end_of_text(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

/// `version = "1.2.3"` of the tables that have one. Not all of TOML: the line is always written so.
fn of_toml(text: &str) -> Option<String> {
    const TABLES: [&str; 4] = ["project", "tool.poetry", "package", "workspace.package"];
    let mut is_wanted = false;
    for line in text.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            is_wanted = table.split_once(']').is_some_and(|(name, _)| TABLES.contains(&name.trim()));
        } else if is_wanted
            && let Some((key, value)) = line.split_once('=')
            && key.trim() == "version"
        {
            let value = value.trim();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            return value.get(1..)?.split_once(quote).map(|(version, _)| version.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::name::AppName;

    fn app(script: &Path, interpreter: Option<&str>) -> AppSpec {
        let mut app = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        app.script = script.to_path_buf().into();
        app.interpreter = interpreter.map(str::to_owned);
        app
    }

    #[test]
    fn the_nearest_manifest_of_the_language_with_a_version() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a/b/c/d")).unwrap();
        std::fs::write(root.join("a/package.json"), r#"{"name": "x", "version": "1.2.3"}"#).unwrap();
        std::fs::write(root.join("a/b/package.json"), r#"{"type": "module"}"#).unwrap();
        std::fs::write(
            root.join("a/b/pyproject.toml"),
            "[tool.x]\nversion = '9'\n[project]\nversion='0.4'\n",
        )
        .unwrap();
        std::fs::write(root.join("a/Cargo.toml"), "[package]\nversion.workspace = true\n").unwrap();
        std::fs::write(root.join("Cargo.toml"), "[workspace.package]\nversion = \"7.0.0-rc.1\" # soon\n")
            .unwrap();
        let of = |path: &str, interpreter| version_of(&app(&root.join(path), interpreter), None);
        assert_eq!(of("a/b/x.js", Some("node")).as_deref(), Some("1.2.3"));
        assert_eq!(of("a/b/c/d/x.js", Some("node")).as_deref(), Some("1.2.3"));
        assert_eq!(of("a/b/c/d/e/x.js", Some("node")), None, "too far away");
        assert_eq!(of("a/b/x.py", Some("python3")).as_deref(), Some("0.4"));
        assert_eq!(of("a/x.py", Some("python3")).as_deref(), Some("1.2.3"));
        assert_eq!(of("a/x", None).as_deref(), Some("1.2.3"));
        assert_eq!(of("x", None).as_deref(), Some("7.0.0-rc.1"));
        // What runs what is in the folder.
        let runner = AppSpec { cwd: root.join("a").into(), ..app(Path::new("/usr/bin/npm"), None) };
        assert_eq!(version_of(&runner, None).as_deref(), Some("1.2.3"));
        assert_eq!(version_of(&runner, Some(0)), None, "written later");
        // Somebody's home is no app.
        let mut below = app(&root.join("a/b/x.js"), Some("node"));
        below.env.insert("HOME".into(), root.join("a").into());
        assert_eq!(version_of(&below, None), None);
        below.script = root.join("a/x.js").into();
        assert_eq!(version_of(&below, None).as_deref(), Some("1.2.3"));
    }

    #[test]
    fn what_is_no_version_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("package.json");
        let of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            version_of(&app(&folder.path().join("x.js"), Some("node")), None)
        };
        assert_eq!(of(r#"{"version": "2.0.0"}"#).as_deref(), Some("2.0.0"));
        let nested = r#"{"scripts": {"version": "x", "a": ["version", {"version": "y"}]}, "d\"{": "}", "version" : "3.1.0"}"#;
        assert_eq!(of(nested).as_deref(), Some("3.1.0"));
        let long = "1".repeat(41);
        for bad in [
            "",
            "{",
            "{}",
            r#"{"version": 3}"#,
            r#"{"version": "\u001b[31m1"}"#,
            &format!(r#"{{"version": "{long}"}}"#),
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(of(&format!(r#"{{"version": "1", "x": "{}"}}"#, " ".repeat(300_000))), None);
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(version_of(&app(&folder.path().join("x.js"), Some("node")), None), None);
    }
}
