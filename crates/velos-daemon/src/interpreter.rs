//! The interpreter of an app is looked for again at each start, so that an upgrade is seen without declaring it anew.
//!
//! nvm, fnm and mise put the folder of one version into PATH; such an entry stands for "the version of my choice", so it
//! is led to the version that the project or the manager names now. volta, asdf, pyenv and mise's shims have paths that
//! stay the same and choose by themselves, in the app's folder. The virtual environment near a Python script may come,
//! go and be made anew.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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

/// For a folder of one version of a version manager: that of the version to use now.
fn current_version(folder: &Path, place: &Place<'_>) -> Option<PathBuf> {
    let text = folder.to_str()?;
    let installation = |version: PathBuf| version.join("installation/bin");
    if text.contains("/fnm_multishells/") {
        // A link for each shell, gone with the shell's session.
        let home = fnm_home(folder, place)?;
        let versions = home.join("node-versions");
        let chosen = fnm_choice(&home, &versions, place).map(installation);
        return chosen.or_else(|| Some(home.join("aliases/default/bin")));
    }
    if let Some((home, _)) =
        text.split_once("/node-versions/").filter(|_| text.ends_with("/installation/bin"))
    {
        // Where such a link led.
        let home = Path::new(home);
        let versions = home.join("node-versions");
        let chosen = fnm_choice(home, &versions, place).map(installation);
        return chosen.or_else(|| Some(home.join("aliases/default/bin")).filter(|folder| folder.is_dir()));
    }
    if let Some((root, _)) = text.split_once("/versions/node/").filter(|_| text.ends_with("/bin")) {
        let root = Path::new(root);
        let wanted = of_project(place.cwd).or_else(|| nvm_default(root, "default", 0))?;
        return newest(&root.join("versions/node"), &wanted).map(|version| version.join("bin"));
    }
    if let Some((root, _)) = text.split_once("/mise/installs/node/").filter(|_| text.ends_with("/bin")) {
        let installs = Path::new(root).join("mise/installs/node");
        // It reads the files of others only when told to, so they come last.
        let wanted = mise_choice(place).or_else(|| of_project(place.cwd));
        return newest(&installs, &wanted.unwrap_or_default()).map(|version| version.join("bin"));
    }
    None
}

/// What the project asks of fnm: a version, or one of the aliases.
fn fnm_choice(home: &Path, versions: &Path, place: &Place<'_>) -> Option<PathBuf> {
    if let Some(wanted) = of_project(place.cwd) {
        return newest(versions, &wanted);
    }
    let alias = word_of_project(place.cwd)?;
    // A link to an installation; only a name, never a way elsewhere.
    let link = home.join("aliases").join(alias.replace('/', "-"));
    std::fs::canonicalize(link).ok().and_then(|path| path.parent().map(Path::to_path_buf))
}

/// Of fnm: where the link leads while it is there, else what the app's environment says, else the places it uses by itself.
fn fnm_home(link: &Path, place: &Place<'_>) -> Option<PathBuf> {
    let named = |variable: &str| (place.variable)(variable).map(PathBuf::from);
    let home = named("HOME");
    let candidates = [
        // <home>/node-versions/<version>/installation/bin
        std::fs::canonicalize(link).ok().and_then(|path| path.ancestors().nth(4).map(Path::to_path_buf)),
        named("FNM_DIR"),
        named("XDG_DATA_HOME").map(|data| data.join("fnm")),
        home.as_ref().map(|home| home.join(".local/share/fnm")),
        home.as_ref().map(|home| home.join(".fnm")),
        home.as_ref().map(|home| home.join("Library/Application Support/fnm")),
    ];
    candidates.into_iter().flatten().find(|home| home.join("node-versions").is_dir())
}

/// `node = "22"` of a mise.toml, or `node 22` of a .tool-versions, of the folder or one above it; else what holds everywhere.
fn mise_choice(place: &Place<'_>) -> Option<String> {
    let named = |variable: &str| (place.variable)(variable).map(PathBuf::from);
    let everywhere = [
        named("MISE_GLOBAL_CONFIG_FILE"),
        named("MISE_CONFIG_DIR").map(|folder| folder.join("config.toml")),
        named("XDG_CONFIG_HOME").map(|folder| folder.join("mise/config.toml")),
        named("HOME").map(|home| home.join(".config/mise/config.toml")),
        named("HOME").map(|home| home.join(".tool-versions")),
    ];
    let of_folders = place.cwd.ancestors().take(FOLDERS_UP).find_map(|folder| {
        let toml =
            ["mise.toml", ".mise.toml"].into_iter().find_map(|name| line_of(&folder.join(name), "node"));
        toml.or_else(|| line_of(&folder.join(".tool-versions"), "node"))
    });
    of_folders.or_else(|| everywhere.into_iter().flatten().find_map(|file| line_of(&file, "node")))
}

/// The version behind a name: `node = "22"`, `node = { version = "22" }`, `node = ["22", "20"]`, `node 22.1.0`.
fn line_of(file: &Path, name: &str) -> Option<String> {
    const BYTES_MAX: u64 = 64 * 1024;
    if std::fs::metadata(file).ok()?.len() > BYTES_MAX {
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix(name)?;
        let rest = rest.strip_prefix(|c: char| c.is_whitespace() || c == '=')?;
        Some(rest.trim_start_matches(|c: char| c.is_whitespace() || c == '=').trim_matches(['"', '\'']))
    })?;
    let value = match value.strip_prefix('{') {
        Some(table) => table.split_once("version")?.1.trim_start_matches([' ', '=']),
        None => value,
    };
    let value = value.trim_start_matches(['[', ' ', '"', '\'']);
    let word = value.split([' ', '"', '\'', ',']).next()?;
    is_version(word).then(|| word.to_owned())
}

/// `.nvmrc` or `.node-version` of the folder or one above it, when it names a version.
fn of_project(cwd: &Path) -> Option<String> {
    word_of_project(cwd).filter(|word| is_version(word))
}

fn word_of_project(cwd: &Path) -> Option<String> {
    let files = cwd
        .ancestors()
        .take(FOLDERS_UP)
        .flat_map(|folder| [folder.join(".nvmrc"), folder.join(".node-version")]);
    files.filter_map(|file| word(&file)).next()
}

fn is_version(word: &str) -> bool {
    word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
}

/// How far up from a script its virtual environment is looked for, as when it is declared.
const VENV_FOLDERS_UP: usize = 3;
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
