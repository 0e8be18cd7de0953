//! Log files of apps that nobody knows any more.

use std::path::{Path, PathBuf};

use velos_core::name::AppName;

/// The two streams of an instance that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftBehind {
    /// The app's name, as it stands in file names.
    pub stem: String,
    /// Number of the instance.
    pub slot: u32,
    /// Of its output; it need not exist.
    pub out: PathBuf,
    /// Of its errors; it need not exist.
    pub err: PathBuf,
}

/// What the folder of the logs holds of an app, or with "all" of all, by names and numbers. Apps that are known have files
/// there too.
pub fn left_behind(folder: &Path, target: &str) -> Vec<LeftBehind> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let wanted = AppName::new(target).map(|name| name.file_stem()).ok();
    let mut found: Vec<LeftBehind> = Vec::new();
    for entry in entries.flatten() {
        let Some((stem, slot)) = entry.file_name().to_str().and_then(parse) else { continue };
        let (number, slot) = (slot.map_or(String::new(), |slot| format!("-{slot}")), slot.unwrap_or(0));
        let is_wanted = target == "all" || wanted.as_ref() == Some(&stem);
        if !is_wanted || found.iter().any(|other| other.stem == stem && other.slot == slot) {
            continue;
        }
        let file = |kind: &str| folder.join(format!("{stem}-{kind}{number}.log"));
        found.push(LeftBehind { out: file("out"), err: file("error"), stem, slot });
    }
    found.sort_by(|one, other| (&one.stem, one.slot).cmp(&(&other.stem, other.slot)));
    found
}

/// `api-out.log`, `api-error-2.log`: the app's name as it stands in file names, and its slot.
fn parse(file: &str) -> Option<(String, Option<u32>)> {
    let name = file.strip_suffix(".log")?;
    for kind in ["-out", "-error"] {
        if let Some(stem) = name.strip_suffix(kind) {
            return Some((stem.to_owned(), None));
        }
        let numbered = name
            .rsplit_once('-')
            .and_then(|(rest, slot)| Some((rest.strip_suffix(kind)?, slot.parse().ok()?)));
        if let Some((stem, slot)) = numbered {
            return Some((stem.to_owned(), Some(slot)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_apps_that_are_gone_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "api-out.log",
            "api-out.3.log",
            "api-error.log",
            "api-out.log.vix",
            "only-err-error.log",
            "w-out-0.log",
            "w-out-1.log",
            "my-app-1-out.log",
            "other.txt",
        ];
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let names = |target: &str| -> Vec<String> {
            left_behind(folder.path(), target)
                .iter()
                .map(|one| format!("{}:{}", one.stem, one.slot))
                .collect()
        };
        assert_eq!(names("all"), ["api:0", "my-app-1:0", "only-err:0", "w:0", "w:1"]);
        assert_eq!(names("w"), ["w:0", "w:1"]);
        assert_eq!(names("my app_1"), ["my-app-1:0"]);
        assert!(names("../api").is_empty());
        assert!(left_behind(Path::new("/nonexistent"), "all").is_empty());
    }
}
