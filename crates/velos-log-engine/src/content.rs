//! The bytes of one segment, plain or compressed, by offset. Never mapped: a truncation would kill the reader.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use crate::segments::Identity;
use crate::zstd::Packed;

/// An open segment.
#[derive(Debug)]
pub(crate) enum Content {
    Plain(File),
    Packed(Packed),
}

impl Content {
    /// A file that may be missing.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let Some(file) = crate::segments::open(path)? else { return Ok(None) };
        if path.extension().is_some_and(|end| end == "zst") {
            return Packed::open(file).map(Self::Packed).map(Some);
        }
        Ok(Some(Self::Plain(file)))
    }

    fn file(&self) -> &File {
        match self {
            Self::Plain(file) => file,
            Self::Packed(packed) => packed.file(),
        }
    }

    /// A second way into the same file.
    pub(crate) fn again(&self) -> io::Result<Self> {
        match self {
            Self::Plain(file) => file.try_clone().map(Self::Plain),
            Self::Packed(packed) => packed.file().try_clone().and_then(Packed::open).map(Self::Packed),
        }
    }

    pub(crate) fn identity(&self) -> io::Result<Identity> {
        Identity::of(self.file())
    }

    /// When it was written last.
    pub(crate) fn modified(&self) -> Option<SystemTime> {
        self.file().metadata().and_then(|meta| meta.modified()).ok()
    }

    /// Bytes, decompressed.
    pub(crate) fn size(&self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.metadata().map(|meta| meta.len()),
            Self::Packed(packed) => Ok(packed.size()),
        }
    }

    /// As many bytes as there are, up to the end of `out`.
    pub(crate) fn read_at(&mut self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut got = 0;
        while let Some(rest) = out.get_mut(got..).filter(|rest| !rest.is_empty()) {
            let at = offset + got as u64;
            let length = match self {
                Self::Plain(file) => match file.read_at(rest, at) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => read?,
                },
                Self::Packed(packed) => packed.read_at(rest, at)?,
            };
            if length == 0 {
                break;
            }
            got += length;
        }
        Ok(got)
    }
}

/// A segment for readers elsewhere: its bytes by offset, whatever became of the file.
#[derive(Debug)]
pub struct SegmentBytes(Content);

impl SegmentBytes {
    /// A plain or compressed segment, or the live log; nothing if it is not there. One that was compressed since its
    /// plain name was seen is found under the other.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let found = Content::open(path)?;
        if found.is_some() || path.extension().is_some_and(|end| end == "zst") {
            return Ok(found.map(Self));
        }
        let mut packed = path.as_os_str().to_owned();
        packed.push(".zst");
        Ok(Content::open(Path::new(&packed))?.map(Self))
    }

    /// Bytes, decompressed.
    ///
    /// # Errors
    /// The file tells nothing of itself.
    pub fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    /// When it was written last.
    pub fn modified(&self) -> Option<SystemTime> {
        self.0.modified()
    }

    /// Device and inode.
    ///
    /// # Errors
    /// The file tells nothing of itself.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        use std::os::unix::fs::MetadataExt;
        self.0.file().metadata().map(|meta| (meta.dev(), meta.ino()))
    }

    /// As many bytes as there are from `offset` on, up to the length of `out`.
    ///
    /// # Errors
    /// It cannot be read, or is no zstd.
    pub fn read_at(&mut self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(out, offset)
    }
}
