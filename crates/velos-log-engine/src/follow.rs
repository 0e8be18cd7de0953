//! Follow a log as it grows, over rotation, truncation and deletion.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::index::read_index;
use crate::line::{Line, Stream};
use crate::tail::split;

/// Most bytes of one look.
const BLOCK_BYTES: usize = 256 * 1024;

/// Where a reader stands in a live log.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    stream: Stream,
    file: Option<File>,
    offset: u64,
    partial: Vec<u8>,
}

impl Follower {
    /// From the end of the log as it is now.
    pub fn at_end(path: &Path, stream: Stream) -> Self {
        let file = File::open(path).ok();
        let offset = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |meta| meta.len());
        Self { path: path.to_path_buf(), stream, file, offset, partial: Vec::new() }
    }

    /// Lines that were completed since the last look.
    pub fn look(&mut self) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        self.read_on(&mut lines)?;
        // Only once the old file is read to its end may the new one begin.
        if self.was_replaced() {
            self.read_on(&mut lines)?;
            self.file = File::open(&self.path).ok();
            self.offset = 0;
            self.read_on(&mut lines)?;
        }
        Ok(lines)
    }

    fn read_on(&mut self, lines: &mut Vec<Line>) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if file.metadata()?.len() < self.offset {
            self.offset = 0;
            self.partial.clear();
        }
        let index = read_index(&self.path);
        loop {
            let mut block = vec![0u8; BLOCK_BYTES];
            let length = file.read_at(&mut block, self.offset)?;
            if length == 0 {
                return Ok(());
            }
            block.truncate(length);
            let begin = self.offset - self.partial.len() as u64;
            self.offset += length as u64;
            let mut bytes = std::mem::take(&mut self.partial);
            bytes.append(&mut block);
            let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            self.partial = bytes.split_off(complete);
            lines.extend(split(&bytes, begin, self.stream, &index));
        }
    }

    fn was_replaced(&self) -> bool {
        let Ok(now) = std::fs::metadata(&self.path) else { return false };
        match self.file.as_ref().map(File::metadata) {
            Some(Ok(ours)) => ours.ino() != now.ino() || ours.dev() != now.dev(),
            Some(Err(_)) | None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn follows_over_rotation_and_truncation() {
        let folder = std::env::temp_dir().join(format!("velos-follow-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let log = folder.join("x-out.log");
        std::fs::write(&log, "old\n").unwrap();
        let mut follower = Follower::at_end(&log, Stream::Out);
        let append = |text: &str| {
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&log).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let mut texts = || -> Vec<String> {
            let lines = follower.look().unwrap();
            lines.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()).collect()
        };
        assert!(texts().is_empty());
        append("one\ntw");
        assert_eq!(texts(), ["one"]);
        append("o\n");
        assert_eq!(texts(), ["two"]);
        append("last\n");
        std::fs::rename(&log, folder.join("x-out.1.log")).unwrap();
        append("new\n");
        assert_eq!(texts(), ["last", "new"]);
        std::fs::write(&log, "").unwrap();
        append("x\n");
        assert_eq!(texts(), ["x"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
