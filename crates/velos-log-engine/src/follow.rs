//! Follow a log as it grows, over rotation, truncation, renaming and deletion.

use std::io;
use std::path::{Path, PathBuf};

use crate::content::Content;
use crate::index::Index;
use crate::line::{Line, Stream};
use crate::segments::{self, Identity, Segment};
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
    /// Of the segment, as far as it is known.
    number: Option<u64>,
}

impl Live {
    fn new(content: Content, index: Index) -> io::Result<Self> {
        let number = index.segment();
        Ok(Self { identity: content.identity()?, content, offset: 0, index, number })
    }

    /// A closed segment, unless it was removed meanwhile.
    fn closed(segment: &Segment) -> io::Result<Option<Self>> {
        let Some(content) = segment.open()? else { return Ok(None) };
        let live = Self::new(content, segment.index())?;
        Ok(Some(Self { number: Some(segment.number), ..live }))
    }

    /// Read on to the end of the file as it is now, or until so many bytes were read.
    fn read(&mut self, splitter: &mut Splitter, lines: &mut Vec<Line>, budget: &mut u64) -> io::Result<()> {
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
        while *budget > 0 {
            let length = self.content.read_at(&mut block, self.offset)?;
            let Some(bytes) = block.get(..length).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            splitter.feed(bytes, self.offset, &self.index, lines);
            self.offset += length as u64;
            *budget = budget.saturating_sub(length as u64);
        }
        Ok(())
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

    /// A reader that begins at a byte of a segment: of the live file, or of the closed one of that number. Beyond the end
    /// it begins at the end.
    ///
    /// # Errors
    /// The log is there and cannot be read.
    pub fn at(path: &Path, stream: Stream, segment: u64, offset: u64) -> io::Result<Self> {
        let mut follower = Self { path: path.to_path_buf(), live: None, splitter: Splitter::new(stream) };
        // Opened first: when it is closed meanwhile it is found below, as the same file.
        let live = Content::open(path)?;
        let closed = segments::closed(path)?.into_iter().find(|closed| closed.number == segment);
        let found = match (closed, live) {
            (Some(closed), _) => Live::closed(&closed)?,
            (None, Some(live)) => Some(Live::new(live, Index::of(path))?),
            (None, None) => None,
        };
        if let Some(mut live) = found {
            live.offset = offset.min(live.content.size()?);
            follower.live = Some(live);
        }
        Ok(follower)
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
        self.look_at(u64::MAX).map(|(lines, _)| lines)
    }

    /// The same, but no more than about so many bytes; and whether there may be more.
    pub fn look_at(&mut self, bytes: u64) -> io::Result<(Vec<Line>, bool)> {
        let mut lines = Vec::new();
        let mut budget = bytes;
        loop {
            if let Some(live) = &mut self.live {
                live.read(&mut self.splitter, &mut lines, &mut budget)?;
            }
            if budget == 0 {
                return Ok((lines, true));
            }
            let now = Identity::at(&self.path);
            let ours = self.live.as_ref().map(|live| live.identity);
            if now.is_none() || now == ours || !self.change_file(&mut lines, &mut budget)? {
                return Ok((lines, false));
            }
        }
    }

    /// Another file has our name: finish the old one, then go on with the one that follows it. Whether there is one.
    fn change_file(&mut self, lines: &mut Vec<Line>, budget: &mut u64) -> io::Result<bool> {
        // Opened first: what is rotated from here on is seen at the next look.
        let Some(content) = Content::open(&self.path)? else { return Ok(false) };
        let new = Live::new(content, Index::of(&self.path))?;
        let Some(mut old) = self.live.take() else {
            self.live = Some(new);
            return Ok(true);
        };
        let read = old.read(&mut self.splitter, lines, budget);
        if read.is_err() || *budget == 0 {
            self.live = Some(old);
            return read.map(|()| true);
        }
        self.splitter.finish(lines);
        let next = self.closed_after(&old, &new)?;
        self.live = Some(next.unwrap_or(new));
        Ok(true)
    }

    /// The segment that was closed next after `old`, unless that is `new` already.
    fn closed_after(&self, old: &Live, new: &Live) -> io::Result<Option<Live>> {
        let segments = segments::closed(&self.path)?;
        let place = segments.iter().position(|segment| segment.identity() == Some(old.identity));
        // Compressed since, it is another file under the same number.
        let number = place.and_then(|place| segments.get(place)).map(|segment| segment.number).or(old.number);
        let Some(number) = number else { return Ok(None) };
        for segment in segments.iter().filter(|segment| segment.number > number) {
            if let Some(closed) = Live::closed(segment)? {
                return Ok((closed.identity != new.identity).then_some(closed));
            }
        }
        Ok(None)
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
    fn a_bounded_look_goes_on_where_it_stopped_also_over_files() {
        let mut log = Log::with(Some(""));
        let mut expected = Vec::new();
        for number in 1..=4 {
            let text: String = (0..60_000).map(|line| format!("{number} {line:06}\n")).collect();
            expected.extend(text.lines().map(str::to_owned));
            log.append(&text);
            if number < 4 {
                log.rotate(number);
            }
        }
        let (mut seen, mut looks) = (Vec::new(), 0);
        loop {
            let (lines, is_more) = log.follower.look_at(100_000).unwrap();
            looks += 1;
            assert!(lines.len() <= 2 * BLOCK_BYTES / 9, "{} lines", lines.len());
            seen.extend(lines.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()));
            if !is_more {
                break;
            }
        }
        assert!(looks > 4, "{looks} looks");
        assert!(seen == expected, "{} of {} lines", seen.len(), expected.len());
    }

    #[test]
    fn a_segment_that_was_compressed_is_followed_by_the_next() {
        let mut log = Log::with(None);
        let index = |number: u64| {
            let mut header = crate::index::made::header(number);
            header[8..16].copy_from_slice(&number.to_le_bytes());
            header
        };
        std::fs::write(log.folder.path().join("x-out.log.vix"), index(7)).unwrap();
        log.append("seven\n");
        log.expect(&["seven"]);
        log.append("end of seven\n");
        log.rotate(7);
        // Another file of the same number: what compressing leaves.
        let closed = log.folder.path().join("x-out.7.log");
        std::fs::rename(&closed, log.folder.path().join("gone")).unwrap();
        std::fs::write(&closed, "seven\nend of seven\n").unwrap();
        log.append("eight\n");
        log.rotate(8);
        log.append("nine\n");
        log.expect(&["end of seven", "eight", "nine"]);
    }

    #[test]
    fn a_reader_may_begin_at_any_byte_of_any_segment() {
        let log = Log::with(Some("one\ntwo\n"));
        log.rotate(3);
        log.append("three\nfour\n");
        let begins = |segment, offset| {
            let mut follower = Follower::at(&log.path, Stream::Out, segment, offset).unwrap();
            let lines = follower.look().unwrap();
            lines.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(begins(3, 4), ["two", "three", "four"]);
        assert_eq!(begins(4, 6), ["four"]);
        assert!(begins(4, 99).is_empty(), "beyond the end is the end");
        let mut later = Follower::at(&log.folder.path().join("none.log"), Stream::Out, 1, 0).unwrap();
        assert!(later.look().unwrap().is_empty());
    }

    #[test]
    fn a_log_may_come_later() {
        let mut log = Log::with(None);
        log.expect(&[]);
        log.append("first\n");
        log.expect(&["first"]);
    }
}
