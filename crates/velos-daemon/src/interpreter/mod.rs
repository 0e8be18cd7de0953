//! The interpreter of an app is looked for again at each start, so that an upgrade is seen without declaring it anew.
//!
//! nvm, fnm and mise put the folder of one version into PATH; such an entry stands for "the version of my choice", so it
//! is led to the version that the project or the manager names now. volta, asdf, pyenv and mise's shims have paths that
//! stay the same and choose by themselves, in the app's folder. The virtual environment near a Python script may come,
//! go and be made anew.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

mod choice;
mod managers;

use managers::current_version;

/// How far up from a script its virtual environment is looked for, as when it is declared.
const VENV_FOLDERS_UP: usize = 3;

/// What to execute, and the PATH that fits it when that is another than before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) program: PathBuf,
    pub(crate) search: Option<String>,
}

/// What a start is made from.
pub(crate) struct Place<'a> {
    pub(crate) cwd: &'a Path,
    /// A variable of the app.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
}

/// The Python of the virtual environment near a script, else that of PATH.
pub(crate) fn python(script: &Path, place: &Place<'_>) -> Option<Found> {
    let folders = script.parent()?.ancestors().take(VENV_FOLDERS_UP);
    let local = folders.map(|folder| folder.join(".venv/bin/python")).find(|python| is_executable(python));
    match local {
        Some(program) => Some(Found { program, search: None }),
        None => find("python3", place).or_else(|| find("python", place)),
    }
}

/// Look for `name` in PATH. `None`: it is not there, so what was found before is tried.
pub(crate) fn find(name: &str, place: &Place<'_>) -> Option<Found> {
    let search = (place.variable)("PATH")?;
    for folder in search.split(':').filter(|folder| folder.starts_with('/')) {
        if let Some(now) = current_version(Path::new(folder), place) {
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
            let found = self.find("node", &search)?;
            Some(found.program.strip_prefix(&self.0).unwrap().to_string_lossy().into_owned())
        }

        /// With a home in it and nothing of ours.
        fn find(&self, name: &str, search: &str) -> Option<Found> {
            let variable = |key: &str| match key {
                "PATH" => Some(search.to_owned()),
                "HOME" => Some(self.0.join("home").display().to_string()),
                _ => std::fs::read_to_string(self.0.join("env").join(key)).ok(),
            };
            find(name, &Place { cwd: &self.0.join("app/src"), variable: &variable })
        }

        fn link(&self, from: &str, to: &str) {
            let from = self.0.join(from);
            std::fs::create_dir_all(from.parent().unwrap()).unwrap();
            let _ = std::fs::remove_file(&from);
            std::os::unix::fs::symlink(self.0.join(to), from).unwrap();
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
        let found = world.find("node", &search).unwrap();
        assert_eq!(found.search, Some(format!("{}:/bin", folder("20.2.0"))));
        assert_eq!(world.find("node", "/nonexistent:relative"), None);
        world.write("app/.tool-versions", "python 3.12\nnode 18 20\n");
        assert_eq!(world.find("node", &search).unwrap().search, None, "18 is in PATH already");
        world.write("app/mise.toml", "[tools]\npython = \"3.12\"\nnode = \"20\"\n");
        assert_eq!(world.find("node", &search).unwrap().search, found.search, "its own file is nearer");
        for line in ["node = { version = '18' }", "node = [ \"18\", \"20\" ]", "node=\"18\""] {
            world.write("app/mise.toml", &format!("[tools]\n{line}\n"));
            assert_eq!(world.find("node", &search).unwrap().search, None, "{line}");
        }
        std::fs::remove_file(world.0.join("app/mise.toml")).unwrap();
        std::fs::remove_file(world.0.join("app/.tool-versions")).unwrap();
        world.write("home/.config/mise/config.toml", "[tools]\nnode = \"18\"\n");
        world.write("app/.nvmrc", "20");
        assert_eq!(world.find("node", &search).unwrap().search, None, "what holds everywhere");
    }

    /// As fnm 1.38 lays things out: one folder for a version, links for aliases, a link for each shell.
    #[test]
    fn fnm_follows_its_default_and_the_project() {
        let world = World::new("fnm");
        let data = "home/.local/share/fnm";
        for version in ["v18.20.4", "v20.9.0", "v22.1.0"] {
            program(&world.0.join(format!("{data}/node-versions/{version}/installation/bin/node")));
        }
        let default = |version: &str| {
            let to = format!("{data}/node-versions/{version}/installation");
            world.link(&format!("{data}/aliases/default"), &to);
        };
        let at = |version: &str| Some(format!("{data}/node-versions/{version}/installation/bin/node"));
        let resolved = |folder: &str| {
            let found = world.node(folder)?;
            let path = std::fs::canonicalize(world.0.join(found)).unwrap();
            Some(path.strip_prefix(&world.0).unwrap().to_string_lossy().into_owned())
        };
        let shell = "run/fnm_multishells/4711_1700000000";
        default("v18.20.4");
        world.link(shell, &format!("{data}/aliases/default"));
        let folder = format!("{shell}/bin");
        assert_eq!(resolved(&folder), at("v18.20.4"));
        default("v22.1.0");
        assert_eq!(resolved(&folder), at("v22.1.0"), "`fnm default` is followed");
        std::fs::remove_file(world.0.join(shell)).unwrap();
        assert_eq!(resolved(&folder), at("v22.1.0"), "also when the shell is gone with its link");
        world.write("app/.node-version", "20");
        assert_eq!(resolved(&folder), at("v20.9.0"), "the project is nearer");
        world.link(
            &format!("{data}/aliases/lts-hydrogen"),
            &format!("{data}/node-versions/v18.20.4/installation"),
        );
        world.write("app/.node-version", "lts/hydrogen\n");
        assert_eq!(resolved(&folder), at("v18.20.4"), "an alias of fnm");
        world.write("app/.node-version", "../../../etc\n");
        assert_eq!(resolved(&folder), at("v22.1.0"), "a way elsewhere is none");
        std::fs::remove_file(world.0.join("app/.node-version")).unwrap();
        let direct = format!("{data}/node-versions/v18.20.4/installation/bin");
        assert_eq!(resolved(&direct), at("v22.1.0"), "what a link led to means the default as well");

        // Another place for it all, known from the app's environment.
        std::fs::rename(world.0.join(data), world.0.join("elsewhere")).unwrap();
        assert_eq!(world.node(&folder), None);
        world.write("env/FNM_DIR", &world.0.join("elsewhere").display().to_string());
        assert_eq!(world.node(&folder), None, "its default leads nowhere");
        world.link("elsewhere/aliases/default", "elsewhere/node-versions/v20.9.0/installation");
        assert_eq!(world.node(&folder).as_deref(), Some("elsewhere/aliases/default/bin/node"));
    }

    /// Shims choose by themselves, so they are executed as they are.
    #[test]
    fn shims_stay_what_they_are() {
        let world = World::new("shims");
        for shim in ["home/.volta/bin/node", "home/.asdf/shims/node", "mise/shims/node"] {
            program(&world.0.join(shim));
            world.write("app/.node-version", "18");
            let folder = shim.strip_suffix("/node").unwrap();
            assert_eq!(world.node(folder).as_deref(), Some(shim));
        }
    }

    #[test]
    fn the_virtual_environment_comes_and_goes() {
        let world = World::new("venv");
        program(&world.0.join("bin/python3"));
        let script = world.0.join("app/src/main.py");
        let search = world.0.join("bin").display().to_string();
        let variable = |key: &str| (key == "PATH").then(|| search.clone());
        let place = Place { cwd: &world.0, variable: &variable };
        let now = || python(&script, &place).unwrap().program;
        assert_eq!(now(), world.0.join("bin/python3"));
        program(&world.0.join("app/.venv/bin/python"));
        assert_eq!(now(), world.0.join("app/.venv/bin/python"));
        std::fs::remove_dir_all(world.0.join("app/.venv")).unwrap();
        assert_eq!(now(), world.0.join("bin/python3"));
    }
}
