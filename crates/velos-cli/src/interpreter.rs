//! Who runs a script: what its first line says, else what its extension means, else nobody, because it is a program.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use velos_core::error::{ErrorCode, ErrorReply};

/// An interpreter, found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// As people call it.
    pub(crate) name: String,
    /// Absolute path.
    pub(crate) program: PathBuf,
    /// Its own flags, before the script.
    pub(crate) flags: Vec<String>,
}

/// Interpreters by extension, in order of preference.
const BY_EXTENSION: &[(&str, &[&str])] = &[
    ("js", &["node"]),
    ("mjs", &["node"]),
    ("cjs", &["node"]),
    ("py", &["python3", "python"]),
    ("sh", &["bash", "sh"]),
    ("rb", &["ruby"]),
    ("pl", &["perl"]),
    ("php", &["php"]),
    ("ts", &["node", "tsx", "bun", "ts-node"]),
    ("mts", &["node", "tsx", "bun", "ts-node"]),
    ("cts", &["node", "tsx", "bun", "ts-node"]),
    ("tsx", &["tsx", "bun", "ts-node"]),
];
/// The first node that runs TypeScript without a flag.
const NODE_WITH_TYPES: (u32, u32) = (22, 18);
/// How far up from a script its virtual environment is looked for.
const FOLDERS_UP: usize = 3;
/// More of a first line is not read, as the kernel does (BINPRM_BUF_SIZE).
const HEAD_BYTES: usize = 256;

/// The interpreter of a file; `None`: it is executed itself.
pub(crate) fn guess(path: &Path, search: &str) -> Result<Option<Choice>, ErrorReply> {
    let head = head(path);
    let extension =
        path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
    let names = BY_EXTENSION.iter().find(|(known, _)| *known == extension).map(|(_, names)| *names);
    if let Some(line) = first_line(&head) {
        let is_general = line.is_env && line.name.starts_with("python");
        let local = if is_general { virtual_environment(path) } else { None };
        return match (local, line.find(search), names) {
            (Some(python), ..) => Ok(Some(python)),
            (None, Some(choice), _) => Ok(Some(choice)),
            (None, None, Some(names)) => by_extension(path, &extension, names, search).map(Some),
            // The kernel has the last word.
            (None, None, None) if is_executable(path) => Ok(None),
            (None, None, None) => {
                Err(failed(format!("cannot execute {}: {}", path.display(), line.missing()))
                    .hint("install it, or give another with --interpreter"))
            }
        };
    }
    if let Some(names) = names {
        return by_extension(path, &extension, names, search).map(Some);
    }
    // The kernel refuses a text without such a line; every shell runs it all the same.
    let is_text =
        !head.is_empty() && !head.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace());
    if is_text && is_executable(path) {
        return named("sh", search).map(Some);
    }
    Ok(None)
}

/// What is wrong with the `#!` line of a file that the kernel will not execute.
pub(crate) fn fault(path: &Path, search: &str) -> Option<String> {
    let line = first_line(&head(path))?;
    line.find(search).is_none().then(|| line.missing())
}

/// Whether a script says no more than "some Python".
pub(crate) fn is_general_python(path: &Path, chosen: &str) -> bool {
    chosen.starts_with("python") && first_line(&head(path)).is_none_or(|line| line.is_env)
}

fn by_extension(path: &Path, extension: &str, names: &[&str], search: &str) -> Result<Choice, ErrorReply> {
    if extension == "py"
        && let Some(python) = virtual_environment(path)
    {
        return Ok(python);
    }
    let needs_types = extension.contains("ts");
    let found = names.iter().find_map(|name| {
        let program =
            find(name, search).filter(|program| !needs_types || *name != "node" || knows_types(program))?;
        Some(Choice { name: (*name).to_owned(), program, flags: Vec::new() })
    });
    found.ok_or_else(|| {
        let (major, minor) = NODE_WITH_TYPES;
        let wanted = if needs_types { format!(" (of node at least {major}.{minor})") } else { String::new() };
        let names = names.join(", ");
        failed(format!(
            "cannot start {}: its interpreter is not in PATH; tried {names}{wanted}",
            path.display()
        ))
        .hint("install one of them, or give another with --interpreter")
    })
}

/// The interpreter that a name or a path means.
pub(crate) fn named(name: &str, search: &str) -> Result<Choice, ErrorReply> {
    let found = if name.contains('/') {
        let path = std::path::absolute(name).unwrap_or_else(|_| PathBuf::from(name));
        Some(path).filter(|path| is_executable(path))
    } else {
        find(name, search)
    };
    let Some(program) = found else {
        let place = if name.contains('/') { "is no executable file" } else { "is not in PATH" };
        return Err(failed(format!("cannot start it: the interpreter {name:?} {place}"))
            .hint("install it, or give another with --interpreter"));
    };
    Ok(Choice { name: base_name(name), program, flags: Vec::new() })
}

fn head(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A file that cannot be read may still be executed.
    if let Ok(file) = File::open(path) {
        let _ = file.take(HEAD_BYTES as u64).read_to_end(&mut bytes);
    }
    bytes
}

/// What `#!` says.
#[derive(Debug, PartialEq, Eq)]
struct FirstLine {
    /// A path, or a name for PATH.
    name: String,
    flags: Vec<String>,
    /// Through `env`, so that PATH decides.
    is_env: bool,
}

impl FirstLine {
    fn missing(&self) -> String {
        format!("its first line names {:?}, which is not there", self.name)
    }

    fn find(&self, search: &str) -> Option<Choice> {
        let choice = named(&self.name, search).ok()?;
        Some(Choice { flags: self.flags.clone(), ..choice })
    }
}

fn first_line(head: &[u8]) -> Option<FirstLine> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let (program, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    if program.is_empty() {
        return None;
    }
    let rest = rest.trim();
    if base_name(program) == "env" {
        let mut words = rest.split_whitespace().skip_while(|word| word.starts_with('-')).map(str::to_owned);
        // With variables it is for `env` to set them.
        if let Some(name) = words.next().filter(|name| !name.contains('=')) {
            return Some(FirstLine { name, flags: words.collect(), is_env: true });
        }
        let flags = rest.split_whitespace().map(str::to_owned).collect();
        return Some(FirstLine { name: program.to_owned(), flags, is_env: false });
    }
    // All behind the program is one word, as for the kernel.
    let flags = if rest.is_empty() { Vec::new() } else { vec![rest.to_owned()] };
    Some(FirstLine { name: program.to_owned(), flags, is_env: false })
}

fn virtual_environment(script: &Path) -> Option<Choice> {
    let folders = script.parent()?.ancestors().take(FOLDERS_UP);
    let program =
        folders.map(|folder| folder.join(".venv/bin/python")).find(|python| is_executable(python))?;
    Some(Choice { name: "python".to_owned(), program, flags: Vec::new() })
}

/// Whether this node runs TypeScript as it is.
fn knows_types(node: &Path) -> bool {
    let output = Command::new(node).arg("--version").output();
    output.is_ok_and(|output| version(&String::from_utf8_lossy(&output.stdout)) >= Some(NODE_WITH_TYPES))
}

/// `v22.18.0` -> (22, 18)
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// An executable file of this name in the folders of a PATH.
pub(crate) fn find(name: &str, search: &str) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    let folders = search.split(':').filter(|folder| folder.starts_with('/'));
    folders.map(|folder| Path::new(folder).join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn base_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

fn failed(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, message)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn file(path: &Path, text: &str, mode: u32) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A folder that can be a PATH, with these programs in it.
    pub(crate) fn folder_with(programs: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in programs {
            file(&folder.path().join(name), "", 0o755);
        }
        folder
    }

    /// Who runs a file of this name, text and mode, when these programs are there.
    #[track_caller]
    fn check(programs: &[&str], name: &str, text: &str, mode: u32, expected: &str) {
        let folder = folder_with(programs);
        let path = folder.path().join("work").join(name);
        file(&path, text, mode);
        let seen = match guess(&path, &folder.path().to_string_lossy()) {
            Ok(None) => "itself".to_owned(),
            Ok(Some(choice)) => [vec![choice.name], choice.flags].concat().join(" "),
            Err(error) => error.message.replace(&*folder.path().to_string_lossy(), ""),
        };
        assert_eq!(seen, expected, "{name} {text:?} {mode:o} with {programs:?}");
    }

    #[test]
    fn by_extension() {
        for (name, interpreter) in [
            ("a.js", "node"),
            ("a.mjs", "node"),
            ("a.CJS", "node"),
            ("a.py", "python3"),
            ("a.sh", "bash"),
            ("a.rb", "ruby"),
            ("a.pl", "perl"),
            ("a.php", "php"),
            ("a.tsx", "tsx"),
        ] {
            check(
                &["node", "python", "python3", "sh", "bash", "ruby", "perl", "php", "tsx"],
                name,
                "",
                0o644,
                interpreter,
            );
        }
        check(&["sh"], "a.sh", "", 0o644, "sh");
        check(&["python"], "a.py", "", 0o644, "python");
        check(
            &[],
            "a.py",
            "",
            0o644,
            "cannot start /work/a.py: its interpreter is not in PATH; tried python3, python",
        );
        check(&["node"], "a.bin", "\x7fELF\0", 0o755, "itself");
        check(&["node"], "a.bin", "\x7fELF\0", 0o644, "itself");
    }

    #[test]
    fn by_the_first_line() {
        let here = ["node", "python3", "bash", "sh", "deno"];
        check(&here, "tool", "#!/usr/bin/env node\n", 0o644, "node");
        check(&here, "tool", "#!/usr/bin/env -S node --flag -x\n", 0o755, "node --flag -x");
        check(&here, "tool", "#! /bin/sh -e -u \nexit", 0o755, "sh -e -u");
        check(&here, "tool", "#!/bin/sh", 0o755, "sh");
        check(&here, "tool.js", "#!/usr/bin/env -S deno run\n", 0o644, "deno run");
        check(&here, "tool.js", "#!/nonexistent/node\n", 0o644, "node");
        check(&here, "tool", "#!/usr/bin/env A=1 node\n", 0o755, "env A=1 node");
        check(&here, "tool", "#!\n", 0o755, "sh");
        let expected = "cannot execute /work/tool: its first line names \"lua\", which is not there";
        check(&here, "tool", "#!/usr/bin/env lua\n", 0o644, expected);
        check(&here, "tool", "#!/usr/bin/env lua\n", 0o755, "itself");
        check(&here, "run", "\u{1}\u{2}no text", 0o755, "itself");
        check(&here, "run", "echo a text that is executable\n", 0o755, "sh");
        check(&here, "run", "echo a text that is not\n", 0o644, "itself");
    }

    #[test]
    fn the_virtual_environment_near_the_script_wins() {
        let folder = folder_with(&["python3"]);
        let search = folder.path().to_string_lossy().into_owned();
        let script = folder.path().join("app/src/main.py");
        file(&script, "", 0o644);
        let program = |path: &Path| guess(path, &search).unwrap().unwrap().program;
        assert_eq!(program(&script), folder.path().join("python3"));
        let local = folder.path().join("app/.venv/bin/python");
        file(&local, "", 0o755);
        assert_eq!(program(&script), local);
        file(&script, "#!/usr/bin/env python3\n", 0o644);
        assert_eq!(program(&script), local, "what PATH decides, the environment decides");
        file(&script, "#!/bin/sh\n", 0o644);
        assert_eq!(program(&script), Path::new("/bin/sh"), "what the script says, it says");
    }

    #[test]
    fn typescript_takes_what_is_installed() {
        let folder = folder_with(&["ts-node", "bun"]);
        let search = folder.path().to_string_lossy().into_owned();
        let script = folder.path().join("app.ts");
        file(&script, "", 0o644);
        let name = || guess(&script, &search).unwrap().unwrap().name;
        assert_eq!(name(), "bun");
        file(&folder.path().join("node"), "#!/bin/sh\necho v20.11.1\n", 0o755);
        assert_eq!(name(), "bun", "this node cannot");
        file(&folder.path().join("node"), "#!/bin/sh\necho v22.18.0\n", 0o755);
        assert_eq!(name(), "node");
        assert_eq!(version("v24.0.1\n"), Some((24, 0)));
        assert_eq!(version("nonsense"), None);
    }
}
