//! Version managers that put the folder of one version into PATH: where the version of one's choice is now.

use std::path::{Path, PathBuf};

use super::Place;
use super::choice::{FOLDERS_UP, line_of, newest, of_project, word, word_of_project};

/// Aliases that name aliases; more is a circle.
const ALIASES_MAX: usize = 8;

/// For a folder of one version of a version manager: that of the version to use now.
pub(super) fn current_version(folder: &Path, place: &Place<'_>) -> Option<PathBuf> {
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
