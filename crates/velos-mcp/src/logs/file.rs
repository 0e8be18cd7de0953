//! One log: its closed segments and the live one, read forward from a place or backward in blocks.
//!
//! A place is the number of a segment and an offset in it. The daemon gives a segment its number when it is begun (it
//! stands in the header of the index) and closes it under that number, so a place means the same bytes before and after.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use velos_log_engine::{Index, SegmentBytes, Stream, closed_segments};

/// What is read at once, and how long a line may be before it is cut.
const BLOCK_BYTES: u64 = 256 * 1024;
/// A record is written when it has so many bytes, at the latest.
const RECORD_BYTES_MAX: u64 = 64 * 1024;
/// The kernel stamps files with the time of its last tick, at most so long ago.
const TICK_US: u64 = 10_000;
const LONG_BYTES: u64 = 4 * 1024 * 1024;

/// A byte of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

/// A line and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    pub(crate) start: Place,
    pub(crate) end: Place,
    /// Microseconds since 1970, if the index tells.
    pub(crate) time_us: Option<u64>,
    pub(crate) stream: Stream,
    pub(crate) bytes: Vec<u8>,
    /// Its newline is there.
    pub(crate) is_whole: bool,
}

/// The files of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    pub(crate) stream: Stream,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: RefCell<SegmentBytes>,
    size: u64,
    index: Index,
    written_us: Option<u64>,
    is_live: bool,
}

impl Segment {
    fn open(number: u64, path: &Path, bytes: SegmentBytes, is_live: bool) -> io::Result<Self> {
        let written = bytes.modified().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        // The index keeps the name of the plain segment.
        let plain = if path.extension().is_some_and(|end| end == "zst") {
            path.with_extension("")
        } else {
            path.into()
        };
        Ok(Self {
            number,
            size: bytes.size()?,
            bytes: RefCell::new(bytes),
            index: Index::of(&plain),
            written_us: written
                .and_then(|since| u64::try_from(since.as_micros()).ok())
                .map(|us| us + TICK_US),
            is_live,
        })
    }

    /// When and on which stream a byte was written.
    fn about(&self, offset: u64) -> (Option<u64>, Option<Stream>) {
        let records = self.index.records();
        let after = records.partition_point(|record| record.offset <= offset);
        match after.checked_sub(1).and_then(|at| records.get(at)) {
            Some(record) if offset < record.end() => {
                let stream = match record.stream {
                    1 => Some(Stream::Out),
                    2 => Some(Stream::Err),
                    _ => None,
                };
                (Some(record.time_us), stream)
            }
            // Written a moment ago, its record is not there yet; the first of all may be so too.
            _ if !records.is_empty() && after == records.len() => (self.written_us, None),
            _ if records.is_empty() && self.is_live && self.size < RECORD_BYTES_MAX => {
                (self.written_us, None)
            }
            _ => (None, None),
        }
    }

    fn read(&self, start: u64, end: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0u8; usize::try_from(end.saturating_sub(start)).unwrap_or(0)];
        // Fewer when it was emptied meanwhile.
        let filled = self.bytes.borrow_mut().read_at(&mut bytes, start)?;
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn lines(&self, bytes: &[u8], start: u64, standard: Stream) -> Vec<LogLine> {
        let mut at = start;
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let end = at + piece.len() as u64;
            let (time_us, stream) = self.about(at);
            let text = piece.strip_suffix(b"\n");
            lines.push(LogLine {
                start: Place { segment: self.number, offset: at },
                end: Place { segment: self.number, offset: end },
                time_us,
                stream: stream.unwrap_or(standard),
                bytes: text.unwrap_or(piece).to_vec(),
                is_whole: text.is_some() || !self.is_live,
            });
            at = end;
        }
        lines
    }
}

impl Log {
    /// Oldest first; the live one is the last, if it is there.
    fn segments(&self) -> io::Result<Vec<Segment>> {
        for _ in 0..3 {
            // Opened before the others are listed: if it is closed meanwhile, it is among them, and we look again.
            let live = open(&self.path)?;
            let inode = live.as_ref().and_then(|file| file.identity().ok());
            let mut segments = Vec::new();
            let mut is_twice = false;
            for (number, path) in closed_segments(&self.path)? {
                // Rotation may have removed the oldest.
                let Some(file) = open(&path)? else { continue };
                is_twice |= inode == file.identity().ok();
                segments.push(Segment::open(number, &path, file, false)?);
            }
            if is_twice {
                continue;
            }
            if let Some(file) = live {
                let after = segments.last().map_or(1, |last| last.number + 1);
                let number = self.number_in_header().unwrap_or(after).max(after);
                segments.push(Segment::open(number, &self.path, file, true)?);
            }
            return Ok(segments);
        }
        Err(io::Error::other(format!("{} is rotated faster than it can be read", self.path.display())))
    }

    /// The daemon writes the number of the live segment into its index.
    fn number_in_header(&self) -> Option<u64> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".vix");
        let mut header = [0u8; 16];
        File::open(name).ok()?.read_exact_at(&mut header, 0).ok()?;
        let number = header.strip_prefix(b"VLIX0001")?;
        number.try_into().ok().map(u64::from_le_bytes)
    }

    /// Where the next line will begin. A line that is being written counts as not there yet.
    pub(crate) fn end(&self) -> io::Result<Place> {
        let Some(live) = self.segments()?.pop() else { return Ok(Place::default()) };
        let mut end = live.size;
        while end > 0 {
            let start = end.saturating_sub(BLOCK_BYTES);
            let bytes = live.read(start, end)?;
            if let Some(at) = bytes.iter().rposition(|byte| *byte == b'\n') {
                return Ok(Place { segment: live.number, offset: start + at as u64 + 1 });
            }
            end = start;
        }
        Ok(Place { segment: live.number, offset: 0 })
    }

    /// Bytes on disk, and which file is live: changes when the log does.
    pub(crate) fn stamp(&self) -> (u64, u64) {
        self.path.metadata().map_or((0, 0), |meta| (meta.ino(), meta.len()))
    }

    /// Lines from `from` on, oldest first, as long as `each` wants more; a last one without a newline too.
    pub(crate) fn forward(&self, from: Place, mut each: impl FnMut(LogLine) -> bool) -> io::Result<()> {
        let segments = self.segments()?;
        let newest = segments.last().map_or(0, |last| last.number);
        for segment in &segments {
            let mut at = match segment.number.cmp(&from.segment) {
                std::cmp::Ordering::Less if from.segment <= newest => continue,
                std::cmp::Ordering::Equal if from.offset <= segment.size => from.offset,
                // It was emptied since, and begins anew.
                _ => 0,
            };
            let mut block = BLOCK_BYTES;
            while at < segment.size {
                let end = segment.size.min(at + block);
                let bytes = segment.read(at, end)?;
                let last = bytes.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
                let take = match last {
                    Some(length) if end < segment.size => length,
                    None if end < segment.size && block < LONG_BYTES => {
                        block *= 2;
                        continue;
                    }
                    _ => bytes.len(),
                };
                let Some(bytes) = bytes.get(..take).filter(|bytes| !bytes.is_empty()) else { break };
                for line in segment.lines(bytes, at, self.stream) {
                    if !each(line) {
                        return Ok(());
                    }
                }
                at += take as u64;
                block = BLOCK_BYTES;
            }
        }
        Ok(())
    }

    /// Blocks of lines before `before` (or the end), the newest block first, each in order, as long as `each` wants more.
    pub(crate) fn backward(
        &self,
        before: Option<Place>,
        mut each: impl FnMut(Vec<LogLine>) -> bool,
    ) -> io::Result<()> {
        for segment in self.segments()?.iter().rev() {
            let mut end = match before {
                Some(place) if place.segment < segment.number => continue,
                Some(place) if place.segment == segment.number => place.offset.min(segment.size),
                _ => segment.size,
            };
            let mut block = BLOCK_BYTES;
            while end > 0 {
                let start = end.saturating_sub(block);
                let bytes = segment.read(start, end)?;
                // The first line of the block may have begun before it.
                let first = match bytes.iter().position(|byte| *byte == b'\n') {
                    _ if start == 0 => 0,
                    Some(at) if at + 1 < bytes.len() => at + 1,
                    _ if block < LONG_BYTES => {
                        block *= 2;
                        continue;
                    }
                    _ => 0,
                };
                let start = start + first as u64;
                if !each(segment.lines(bytes.get(first..).unwrap_or_default(), start, self.stream)) {
                    return Ok(());
                }
                end = start;
                block = BLOCK_BYTES;
            }
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<Option<SegmentBytes>> {
    match SegmentBytes::open(path) {
        Ok(file) => Ok(file),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> (tempfile::TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x-out.log");
        (folder, Log { path, stream: Stream::Out })
    }

    fn forward(log: &Log, from: Place) -> Vec<(String, Place)> {
        let mut lines = Vec::new();
        log.forward(from, |line| {
            lines.push((String::from_utf8(line.bytes).unwrap(), line.end));
            true
        })
        .unwrap();
        lines
    }

    fn place(segment: u64, offset: u64) -> Place {
        Place { segment, offset }
    }

    #[test]
    fn a_place_means_the_same_line_after_compression() {
        let (folder, log) = world();
        for n in 1..=3 {
            let text: String = (0..100).map(|line| format!("segment {n} line {line}\n")).collect();
            std::fs::write(folder.path().join(format!("x-out.{n}.log")), text).unwrap();
        }
        std::fs::write(&log.path, "live\n").unwrap();
        let before = forward(&log, Place::default());
        assert_eq!(before.len(), 301);
        velos_log_engine::pack(&log.path, 3).unwrap();
        assert_eq!(forward(&log, Place::default()), before);
        assert_eq!(forward(&log, before[149].1), before[150..]);
        let mut newest = Vec::new();
        log.backward(None, |block| {
            newest.splice(0..0, block.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()));
            true
        })
        .unwrap();
        assert!(newest.iter().eq(before.iter().map(|(text, _)| text)));
    }

    #[test]
    fn a_place_means_the_same_line_after_rotation() {
        let (folder, log) = world();
        std::fs::write(&log.path, "one\ntwo\n").unwrap();
        let seen = forward(&log, Place::default());
        assert_eq!(seen, [("one".to_owned(), place(1, 4)), ("two".to_owned(), place(1, 8))]);
        std::fs::rename(&log.path, folder.path().join("x-out.1.log")).unwrap();
        std::fs::write(&log.path, "three\n").unwrap();
        assert_eq!(
            forward(&log, place(1, 4)),
            [("two".to_owned(), place(1, 8)), ("three".to_owned(), place(2, 6))]
        );
        assert_eq!(log.end().unwrap(), place(2, 6));
        std::fs::remove_file(folder.path().join("x-out.1.log")).unwrap();
        std::fs::write(&log.path, "new\n").unwrap();
        assert_eq!(forward(&log, place(2, 6)).len(), 1, "emptied: begins anew");
    }

    #[test]
    fn the_number_of_the_live_segment_stands_in_its_index() {
        let (_folder, log) = world();
        std::fs::write(&log.path, "a\n").unwrap();
        let mut header = b"VLIX0001".to_vec();
        header.extend(7u64.to_le_bytes());
        std::fs::write(format!("{}.vix", log.path.display()), header).unwrap();
        assert_eq!(log.end().unwrap(), place(7, 2));
    }

    #[test]
    fn backward_gives_all_lines_once_however_long() {
        let (folder, log) = world();
        let long = "y".repeat(BLOCK_BYTES as usize * 2 + 5);
        let many: String = (0..60_000).map(|n| format!("{n}\n")).collect();
        std::fs::write(folder.path().join("x-out.1.log"), format!("{many}{long}\n")).unwrap();
        std::fs::write(&log.path, "last\nopen").unwrap();
        let mut lines: Vec<LogLine> = Vec::new();
        log.backward(None, |block| {
            lines.splice(0..0, block);
            true
        })
        .unwrap();
        assert_eq!(lines.len(), 60_003);
        assert!(lines.windows(2).all(|two| two[0].end <= two[1].start));
        assert_eq!(lines[60_000].bytes.len(), long.len());
        assert_eq!(lines.iter().filter(|line| !line.is_whole).count(), 1);
        assert_eq!(log.end().unwrap(), place(2, 5));
        let mut some = Vec::new();
        log.backward(Some(place(1, 4)), |block| {
            some.extend(block);
            true
        })
        .unwrap();
        assert_eq!(some.len(), 2, "lines 0 and 1");
    }
}
