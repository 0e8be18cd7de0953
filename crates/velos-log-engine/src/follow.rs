//! Follow a log as it grows, over rotation, truncation, renaming and deletion.

use std::io;
use std::path::{Path, PathBuf};

use crate::content::Content;
use crate::index::Index;
use crate::line::{Line, Stream};
use crate::segments::{self, Identity};
use crate::split::Splitter;
use crate::tail;

/// Most bytes of one read.
const BLOCK_BYTES: usize = 256 * 1024;

/// Where a reader stands in a live log.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    live: Option<Live>,
    splitter: Splitter,
}

#[derive(Debug)]
struct Live {
    content: Content,
    identity: Identity,
    offset: u64,
    index: Index,
}

impl Live {
    fn new(content: Content, index: Index) -> io::Result<Self> {
        Ok(Self { identity: content.identity()?, content, offset: 0, index })
    }

    /// Read on to the end of the file as it is now.
    fn read(&mut self, splitter: &mut Splitter, lines: &mut Vec<Line>) -> io::Result<()> {
        let size = self.content.size()?;
        if size < self.offset {
            // Emptied by somebody; what stood of a line went with it.
            self.offset = 0;
            splitter.finish(&mut Vec::new());
        }
        if size == self.offset {
            return Ok(());
        }
        self.index.refresh();
        self.index.set_newest(self.content.modified());
        let mut block = vec![0u8; BLOCK_BYTES];
        loop {
            let length = self.content.read_at(&mut block, self.offset)?;
            let Some(bytes) = block.get(..length).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            splitter.feed(bytes, self.offset, &self.index, lines);
            self.offset += length as u64;
        }
    }
}

impl Follower {
    /// The last `count` complete lines of a log, and a reader that goes on exactly behind them.
    pub fn after_tail(path: &Path, stream: Stream, count: usize) -> io::Result<(Vec<Line>, Self)> {
        let mut follower = Self { path: path.to_path_buf(), live: None, splitter: Splitter::new(stream) };
        let mut lines = Vec::new();
        // Opened before the segments are listed: if it is rotated meanwhile, it is found in both places and read once.
        if let Some(content) = Content::open(path)? {
            let mut live = Live::new(content, Index::of(path))?;
            let size = live.content.size()?;
            live.index.set_newest(live.content.modified());
            lines = tail::of_file(&mut live.content, size, &live.index, &mut follower.splitter, count)?;
            follower.live = Some(Live { offset: size, ..live });
        }
        if lines.len() < count {
            let identity = follower.live.as_ref().map(|live| live.identity);
            let mut older = tail::of_closed(path, identity, stream, count - lines.len())?;
            older.append(&mut lines);
            lines = older;
        }
        Ok((lines, follower))
    }

    /// The log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The live file and how far it was read, for who reads the past.
    pub(crate) fn position(&self) -> io::Result<Option<(Content, u64)>> {
        let Some(live) = &self.live else { return Ok(None) };
        Ok(Some((live.content.again()?, live.offset)))
    }

    /// Lines that were completed since the last look.
    pub fn look(&mut self) -> io::Result<Vec<Line>> {
        let mut lines = Vec::new();
        if let Some(live) = &mut self.live {
            live.read(&mut self.splitter, &mut lines)?;
        }
        let now = Identity::at(&self.path);
        let ours = self.live.as_ref().map(|live| live.identity);
        if now.is_some() && now != ours {
            self.change_file(&mut lines)?;
        }
        Ok(lines)
    }

    /// Another file has our name: finish the old one, then those that were closed since, then the new one.
    fn change_file(&mut self, lines: &mut Vec<Line>) -> io::Result<()> {
        // Opened first: what is rotated from here on is seen at the next look.
        let Some(content) = Content::open(&self.path)? else { return Ok(()) };
        let new = Live::new(content, Index::of(&self.path))?;
        if let Some(mut old) = self.live.take() {
            old.read(&mut self.splitter, lines)?;
            self.splitter.finish(lines);
            self.read_closed_since(&old, &new, lines)?;
        }
        let mut live = new;
        live.read(&mut self.splitter, lines)?;
        self.live = Some(live);
        Ok(())
    }

    fn read_closed_since(&mut self, old: &Live, new: &Live, lines: &mut Vec<Line>) -> io::Result<()> {
        let segments = segments::closed(&self.path)?;
        let Some(place) =
            segments.iter().position(|segment| Identity::at(&segment.path) == Some(old.identity))
        else {
            return Ok(());
        };
        for segment in segments.iter().skip(place + 1) {
            let Some(content) = segment.open()? else { continue };
            let mut closed = Live::new(content, segment.index())?;
            if closed.identity == new.identity {
                continue;
            }
            closed.read(&mut self.splitter, lines)?;
            self.splitter.finish(lines);
        }
        Ok(())
    }

    /// A line that has not ended is given out too.
    pub fn finish(&mut self, lines: &mut Vec<Line>) {
        self.splitter.finish(lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    struct Log {
        folder: tempfile::TempDir,
        path: PathBuf,
        follower: Follower,
    }

    impl Log {
        fn with(text: Option<&str>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x-out.log");
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            let (_, follower) = Follower::after_tail(&path, Stream::Out, 0).unwrap();
            Self { folder, path, follower }
        }

        fn append(&self, text: &str) {
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&self.path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn rotate(&self, number: u32) {
            std::fs::rename(&self.path, self.folder.path().join(format!("x-out.{number}.log"))).unwrap();
        }

        #[track_caller]
        fn expect(&mut self, expected: &[&str]) {
            let lines = self.follower.look().unwrap();
            let texts: Vec<String> =
                lines.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()).collect();
            assert_eq!(texts, expected);
        }
    }

    #[test]
    fn a_line_is_given_out_once_it_is_complete() {
        let mut log = Log::with(Some("old\nbeg"));
        log.expect(&[]);
        log.append("un\none\ntw");
        log.expect(&["begun", "one"]);
        log.append("o\n");
        log.expect(&["two"]);
    }

    #[test]
    fn rotation_loses_nothing_also_when_it_comes_twice_between_two_looks() {
        let mut log = Log::with(Some("old\n"));
        log.append("last of 1\n");
        log.rotate(1);
        log.append("new\n");
        log.expect(&["last of 1", "new"]);
        log.append("end of 2\n");
        log.rotate(2);
        log.append("all of 3\n");
        log.rotate(3);
        log.append("live\n");
        log.expect(&["end of 2", "all of 3", "live"]);
    }

    #[test]
    fn truncation_deletion_and_renaming() {
        let mut log = Log::with(Some("old\nhal"));
        std::fs::write(&log.path, "").unwrap();
        log.append("x\n");
        log.expect(&["x"]);
        log.append("last\n");
        std::fs::remove_file(&log.path).unwrap();
        log.expect(&["last"]);
        log.append("again\n");
        log.expect(&["again"]);
        std::fs::rename(&log.path, log.folder.path().join("elsewhere")).unwrap();
        log.append("new\n");
        log.expect(&["new"]);
    }

    #[test]
    fn a_log_may_come_later() {
        let mut log = Log::with(None);
        log.expect(&[]);
        log.append("first\n");
        log.expect(&["first"]);
    }
}
