//! What a project or a manager says about versions in its short files, and which installed version that is.

use std::path::{Path, PathBuf};

/// How far up a project's file is looked for.
pub(super) const FOLDERS_UP: usize = 5;

/// The version behind a name: `node = "22"`, `node = { version = "22" }`, `node = ["22", "20"]`, `node 22.1.0`.
pub(super) fn line_of(file: &Path, name: &str) -> Option<String> {
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
pub(super) fn of_project(cwd: &Path) -> Option<String> {
    word_of_project(cwd).filter(|word| is_version(word))
}

pub(super) fn word_of_project(cwd: &Path) -> Option<String> {
    let files = cwd
        .ancestors()
        .take(FOLDERS_UP)
        .flat_map(|folder| [folder.join(".nvmrc"), folder.join(".node-version")]);
    files.filter_map(|file| word(&file)).next()
}

fn is_version(word: &str) -> bool {
    word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
}

/// The first word of a small file.
pub(super) fn word(file: &Path) -> Option<String> {
    const BYTES_MAX: u64 = 256;
    if std::fs::metadata(file).ok()?.len() > BYTES_MAX {
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    // Only a name below the folder of aliases.
    text.split_whitespace().next().filter(|word| !word.contains("..")).map(str::to_owned)
}

/// The newest installed version that begins so.
pub(super) fn newest(installed: &Path, wanted: &str) -> Option<PathBuf> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_with_dots() {
        assert_eq!(numbers("v22.18.0"), [22, 18, 0]);
        assert_eq!(numbers("22"), [22]);
        assert!(numbers("latest").is_empty() && numbers("22.x").is_empty());
        assert!(is_version("v22") && is_version("3") && !is_version("lts/jod"));
    }
}
