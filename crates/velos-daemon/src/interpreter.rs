//! The interpreter of an app is looked for again at each start, so that an upgrade is seen without declaring it anew.
//!
//! nvm, fnm and mise put the folder of one version into PATH; such an entry stands for "the version of my choice", so it
//! is led to the version that the project or the manager names now. volta, asdf and virtual environments have paths that
//! stay the same.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What to execute, and the PATH that fits it when that is another than before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) program: PathBuf,
    pub(crate) search: Option<String>,
}

/// Look for `name` in `search` (a PATH). `None`: it is not there, so what was found before is tried.
pub(crate) fn find(name: &str, search: &str, cwd: &Path) -> Option<Found> {
    for folder in search.split(':').filter(|folder| folder.starts_with('/')) {
        if let Some(now) = current_version(Path::new(folder), cwd) {
            let program = now.join(name);
            if is_executable(&program) {
                let shown = now.to_string_lossy();
                let changed = *shown != *folder;
                let replaced = || {
                    search
                        .split(':')
                        .map(|one| if one == folder { &shown } else { one })
                        .collect::<Vec<_>>()
                        .join(":")
                };
                return Some(Found { program, search: changed.then(replaced) });
            }
        }
        let program = Path::new(folder).join(name);
        if is_executable(&program) {
            return Some(Found { program, search: None });
        }
    }
    None
}

/// For a folder of one version of a version manager: that of the version to use now.
fn current_version(folder: &Path, cwd: &Path) -> Option<PathBuf> {
    let text = folder.to_str()?;
    if let Some((root, _)) = text.split_once("/versions/node/").filter(|_| text.ends_with("/bin")) {
        let root = Path::new(root);
        let wanted = of_project(cwd).or_else(|| nvm_default(root, "default", 0))?;
        return newest(&root.join("versions/node"), &wanted).map(|version| version.join("bin"));
    }
    // fnm: a link for each shell, gone with the shell's session.
    if text.contains("/fnm_multishells/") {
        let home = fnm_home(folder)?;
        let of_project = of_project(cwd)
            .and_then(|wanted| newest(&home.join("node-versions"), &wanted))
            .map(|version| version.join("installation/bin"));
        return of_project.or_else(|| Some(home.join("aliases/default/bin")));
    }
    if let Some((root, _)) = text.split_once("/mise/installs/node/").filter(|_| text.ends_with("/bin")) {
        let installs = Path::new(root).join("mise/installs/node");
        let wanted = of_project(cwd).unwrap_or_default();
        return newest(&installs, &wanted).map(|version| version.join("bin"));
    }
    None
}

/// Of fnm: `FNM_DIR` is not ours to know, so the places it uses by itself.
fn fnm_home(link: &Path) -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let candidates = [
        home.as_ref().map(|home| home.join(".local/share/fnm")),
        home.as_ref().map(|home| home.join(".fnm")),
        // Where the link leads, while it is there: <home>/node-versions/<version>/installation/bin
        std::fs::canonicalize(link).ok().and_then(|path| path.ancestors().nth(4).map(Path::to_path_buf)),
    ];
    candidates.into_iter().flatten().find(|home| home.join("aliases").is_dir())
}

/// `.nvmrc` or `.node-version` of the folder or one above it.
fn of_project(cwd: &Path) -> Option<String> {
    let files = cwd
        .ancestors()
        .take(FOLDERS_UP)
        .flat_map(|folder| [folder.join(".nvmrc"), folder.join(".node-version")]);
    files
        .filter_map(|file| word(&file))
        .find(|word| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()))
}

/// How far up a project's file is looked for.
const FOLDERS_UP: usize = 5;
/// Aliases that name aliases; more is a circle.
const ALIASES_MAX: usize = 8;

/// What an alias of nvm stands for: a version, or the beginning of one; "" for the newest.
fn nvm_default(root: &Path, alias: &str, depth: usize) -> Option<String> {
    if depth > ALIASES_MAX {
        return None;
    }
    let text = word(&root.join("alias").join(alias))?;
    match text.as_str() {
        "node" | "stable" => Some(String::new()),
        _ if text.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()) => Some(text),
        other => nvm_default(root, other, depth + 1),
    }
}

/// The first word of a small file.
fn word(file: &Path) -> Option<String> {
    const BYTES_MAX: u64 = 256;
    if std::fs::metadata(file).ok()?.len() > BYTES_MAX {
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    // Only a name below the folder of aliases.
    text.split_whitespace().next().filter(|word| !word.contains("..")).map(str::to_owned)
}

/// The newest installed version that begins so.
fn newest(installed: &Path, wanted: &str) -> Option<PathBuf> {
    let wanted = numbers(wanted);
    let fits = |version: &Vec<u64>| !version.is_empty() && version.starts_with(&wanted);
    let versions = std::fs::read_dir(installed).ok()?.flatten().filter_map(|entry| {
        let version = numbers(entry.file_name().to_str()?);
        // Links such as `latest` are names for what is there as well.
        fits(&version).then(|| (version, entry.path()))
    });
    versions.max().map(|(_, path)| path)
}

/// `v22.18.0` -> [22, 18, 0]; what is no version has none.
fn numbers(version: &str) -> Vec<u64> {
    let parts = version.trim_start_matches('v').split('.').map(|part| part.parse().ok());
    parts.collect::<Option<Vec<u64>>>().unwrap_or_default()
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    struct World(PathBuf);

    impl World {
        fn new(name: &str) -> Self {
            let folder =
                std::env::temp_dir().join(format!("velos-interpreter-{name}-{}", std::process::id()));
            std::fs::create_dir_all(folder.join("app/src")).unwrap();
            Self(folder)
        }

        fn write(&self, file: &str, text: &str) {
            let path = self.0.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        /// What `node` is, with this folder first in PATH.
        fn node(&self, folder: &str) -> Option<String> {
            let search = format!("{}:{}", self.0.join(folder).display(), self.0.join("bin").display());
            let found = find("node", &search, &self.0.join("app/src"))?;
            Some(found.program.strip_prefix(&self.0).unwrap().to_string_lossy().into_owned())
        }
    }

    impl Drop for World {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn nvm_follows_its_default_and_the_project() {
        let world = World::new("nvm");
        for version in ["v18.20.4", "v22.9.0", "v22.18.0", "v24.1.0"] {
            program(&world.0.join(format!(".nvm/versions/node/{version}/bin/node")));
        }
        let at = |version: &str| Some(format!(".nvm/versions/node/{version}/bin/node"));
        let old = ".nvm/versions/node/v18.20.4/bin";
        assert_eq!(world.node(old), at("v18.20.4"), "nothing says otherwise");
        world.write(".nvm/alias/default", "22\n");
        assert_eq!(world.node(old), at("v22.18.0"), "the newest of 22");
        world.write(".nvm/alias/default", "lts/*");
        world.write(".nvm/alias/lts/*", "lts/jod");
        world.write(".nvm/alias/lts/jod", "v22.9.0");
        assert_eq!(world.node(old), at("v22.9.0"), "through names");
        world.write(".nvm/alias/lts/jod", "lts/jod");
        assert_eq!(world.node(old), at("v18.20.4"), "a circle says nothing");
        world.write("app/.nvmrc", "v24");
        assert_eq!(world.node(old), at("v24.1.0"), "the project is nearer");
        world.write("app/.nvmrc", "v99");
        assert_eq!(world.node(old), at("v18.20.4"), "what is not installed cannot run");
        // What was uninstalled is not missed while another is there.
        std::fs::remove_dir_all(world.0.join(old)).unwrap();
        program(&world.0.join("bin/node"));
        assert_eq!(world.node(old).as_deref(), Some("bin/node"));
    }

    #[test]
    fn the_path_fits_what_is_executed() {
        let world = World::new("path");
        for version in ["18.1.0", "20.2.0"] {
            program(&world.0.join(format!("mise/installs/node/{version}/bin/node")));
        }
        let folder =
            |version: &str| world.0.join(format!("mise/installs/node/{version}/bin")).display().to_string();
        let search = format!("{}:/bin", folder("18.1.0"));
        let found = find("node", &search, &world.0).unwrap();
        assert_eq!(found.search, Some(format!("{}:/bin", folder("20.2.0"))));
        assert_eq!(find("node", "/nonexistent:relative", &world.0), None);
    }
}
