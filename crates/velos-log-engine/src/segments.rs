//! The files of a log: closed segments `x-out.<n>.log`, compressed ones `x-out.<n>.log.zst`, and the live `x-out.log`.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::content::Content;
use crate::index::Index;

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
            let file = file.strip_suffix(".zst").unwrap_or(file);
            file.strip_prefix(stem)?.strip_prefix('.')?.strip_suffix(".log")?.parse::<u64>().ok()
        });
        if let Some(number) = number {
            found.push(Segment { number, path: entry.path() });
        }
    }
    // While one is being compressed both are there: the plain one, which sorts first, is whole.
    found.sort();
    found.dedup_by_key(|segment| segment.number);
    Ok(found)
}

/// The closed segments of a log by number, oldest first; compressed ones too.
///
/// # Errors
/// The folder cannot be read.
pub fn closed_segments(log: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    Ok(closed(log)?.into_iter().map(|segment| (segment.number, segment.path)).collect())
}

impl Segment {
    /// Its content, by the other name if it was compressed since it was listed.
    pub(crate) fn open(&self) -> io::Result<Option<Content>> {
        let found = Content::open(&self.path)?;
        if found.is_some() || self.path.extension().is_some_and(|end| end == "zst") {
            return Ok(found);
        }
        let mut packed = self.path.clone().into_os_string();
        packed.push(".zst");
        Content::open(Path::new(&packed))
    }

    /// Which file it is, if it is still there.
    pub(crate) fn identity(&self) -> Option<Identity> {
        Identity::at(&self.path)
    }

    /// Its index has the name of the plain segment.
    pub(crate) fn index(&self) -> Index {
        if self.path.extension().is_some_and(|end| end == "zst") {
            Index::of(&self.path.with_extension(""))
        } else {
            Index::of(&self.path)
        }
    }
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
