//! The project's own files: neither what was built nor what was installed.

use std::path::Path;

/// Folders without files of ours.
const FOREIGN: [&str; 7] =
    ["target", "node_modules", ".git", ".tools", ".zig-cache", "zig-out", "__pycache__"];
/// What is read; everything else is only known by its name.
const TEXT: [&str; 12] = ["rs", "zig", "h", "toml", "md", "py", "c", "js", "sh", "json", "txt", "zon"];

/// A file with its text.
#[derive(Debug)]
pub(crate) struct File {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    /// Empty when it is no text.
    pub(crate) text: String,
}

impl File {
    pub(crate) fn extension(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    pub(crate) fn is_code(&self) -> bool {
        matches!(self.extension(), "rs" | "zig")
    }
}

/// All files, by path.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let place = root.join(&folder);
            let failed = |error: std::io::Error| format!("{}: {error}", place.display());
            for entry in std::fs::read_dir(&place).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() && !FOREIGN.contains(&name.as_str()) {
                    folders.push(path);
                } else if kind.is_file() {
                    let mut file = File { path, text: String::new() };
                    if TEXT.contains(&file.extension()) {
                        file.text = std::fs::read_to_string(entry.path()).map_err(failed)?;
                    }
                    files.push(file);
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    pub(crate) fn text_of(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Whether there is such a file, or a folder with files.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }
}
