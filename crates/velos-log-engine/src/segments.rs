//! The files of a log: closed segments `x-out.<n>.log` and the live `x-out.log`.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A closed segment.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
}

/// Closed segments of a log, oldest first.
pub(crate) fn closed(log: &Path) -> io::Result<Vec<Segment>> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let stem = name.strip_suffix(".log").unwrap_or(name);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|file| {
            file.strip_prefix(stem)?.strip_prefix('.')?.strip_suffix(".log")?.parse::<u64>().ok()
        });
        if let Some(number) = number {
            found.push(Segment { number, path: entry.path() });
        }
    }
    found.sort();
    Ok(found)
}

/// A file, by what a rename does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|meta| Self { device: meta.dev(), inode: meta.ino() })
    }

    pub(crate) fn at(path: &Path) -> Option<Self> {
        path.metadata().ok().map(|meta| Self { device: meta.dev(), inode: meta.ino() })
    }
}

/// Open a file that may be missing.
pub(crate) fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
