//! The last lines of a log, over its segments, read backwards in blocks.

use std::io;
use std::path::Path;

use crate::content::Content;
use crate::follow::Follower;
use crate::index::Index;
use crate::line::{Line, Stream};
use crate::segments::{self, Identity};
use crate::split::Splitter;

/// How much is read at once.
const BLOCK_BYTES: u64 = 64 * 1024;
/// Lines that are longer than this altogether are fewer than was asked for.
const BACK_BYTES_MAX: u64 = 64 << 20;

/// The last `count` lines of a log, oldest first; also a line that has not ended. A log that does not exist has none.
pub fn tail(log: &Path, stream: Stream, count: usize) -> io::Result<Vec<Line>> {
    let (mut lines, mut follower) = Follower::after_tail(log, stream, count)?;
    follower.finish(&mut lines);
    let surplus = lines.len().saturating_sub(count);
    lines.drain(..surplus);
    Ok(lines)
}

/// The last lines of the closed segments but for `live`, which may have been closed since it was opened.
pub(crate) fn of_closed(
    log: &Path,
    live: Option<Identity>,
    stream: Stream,
    count: usize,
) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut segments = segments::closed(log)?;
    while lines.len() < count
        && let Some(segment) = segments.pop()
    {
        // Rotation may have removed the oldest meanwhile.
        let Some(mut content) = segment.open()? else { continue };
        if live == Some(content.identity()?) {
            continue;
        }
        let size = content.size()?;
        let mut splitter = Splitter::new(stream);
        let wanted = count - lines.len();
        let mut older = of_file(&mut content, size, &segment.index(), &mut splitter, wanted)?;
        splitter.finish(&mut older);
        older.append(&mut lines);
        lines = older;
    }
    Ok(lines)
}

/// The last complete lines before `end`; what follows them stays in the splitter.
pub(crate) fn of_file(
    content: &mut Content,
    end: u64,
    index: &Index,
    splitter: &mut Splitter,
    count: usize,
) -> io::Result<Vec<Line>> {
    let (start, blocks) = back(content, end, count)?;
    let mut lines = Vec::new();
    let mut at = start;
    for block in blocks.iter().rev() {
        splitter.feed(block, at, index, &mut lines);
        at += block.len() as u64;
    }
    // The first one may have begun before the block.
    let surplus = lines.len().saturating_sub(count);
    lines.drain(..surplus);
    Ok(lines)
}

/// Blocks from the end until they hold more newlines than lines are wanted, or as many bytes as one look may take; newest
/// first, and where they start.
fn back(content: &mut Content, end: u64, count: usize) -> io::Result<(u64, Vec<Vec<u8>>)> {
    let mut start = end;
    let mut blocks = Vec::new();
    let mut newlines = 0;
    while start > 0 && newlines <= count && end - start < BACK_BYTES_MAX {
        let length = BLOCK_BYTES.min(start);
        start -= length;
        let mut block = vec![0u8; usize::try_from(length).unwrap_or(0)];
        if content.read_at(&mut block, start)? < block.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        newlines += memchr::memchr_iter(b'\n', &block).count();
        blocks.push(block);
    }
    Ok((start, blocks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::made;

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()).collect()
    }

    #[test]
    fn the_last_lines_reach_back_into_closed_segments() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x-out.log");
        std::fs::write(folder.path().join("x-out.2.log"), "one\ntwo\n").unwrap();
        std::fs::write(folder.path().join("x-out.10.log"), "three\n").unwrap();
        std::fs::write(folder.path().join("x-out.old.log"), "not ours\n").unwrap();
        std::fs::write(&log, "four\nfi").unwrap();
        let tail = |count| texts(tail(&log, Stream::Out, count).unwrap());
        assert!(tail(0).is_empty());
        assert_eq!(tail(1), ["fi"]);
        assert_eq!(tail(4), ["two", "three", "four", "fi"]);
        assert_eq!(tail(99), ["one", "two", "three", "four", "fi"]);
        assert!(super::tail(&folder.path().join("none.log"), Stream::Out, 5).unwrap().is_empty());
        assert!(super::tail(Path::new("/nonexistent/x.log"), Stream::Out, 5).unwrap().is_empty());
    }

    #[test]
    fn lines_longer_than_a_block_and_many_short_ones() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let long = "y".repeat(3 * BLOCK_BYTES as usize + 17);
        let many: String = (0..50_000).map(|n| format!("{n}\n")).collect();
        std::fs::write(&log, format!("first\n{many}{long}\nlast\n")).unwrap();
        let lines = texts(tail(&log, Stream::Out, 3).unwrap());
        assert_eq!((lines[0].as_str(), lines[1].len(), lines[2].as_str()), ("49999", long.len(), "last"));
        assert_eq!(texts(tail(&log, Stream::Out, 60_000).unwrap()).len(), 50_003);
    }

    #[test]
    fn times_come_from_the_index_as_far_as_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        made::log(&log, &[("a\nb\n", 7, 1), ("c\n", 9, 1)]);
        let mut text = std::fs::read(&log).unwrap();
        text.extend(b"d\n");
        std::fs::write(&log, text).unwrap();
        let modified = std::fs::metadata(&log).unwrap().modified().unwrap();
        let modified = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as u64;
        let times = || -> Vec<_> {
            tail(&log, Stream::Err, 9).unwrap().into_iter().map(|line| (line.time_us, line.stream)).collect()
        };
        let known = [(Some(7), Stream::Out), (Some(7), Stream::Out), (Some(9), Stream::Out)];
        assert_eq!(times()[..3], known);
        assert_eq!(
            times()[3],
            (Some(modified), Stream::Err),
            "not in the index yet: when the file was written"
        );
        std::fs::remove_file(folder.path().join("x.log.vix")).unwrap();
        assert_eq!(times(), [(None, Stream::Err); 4], "no index, no times");
    }
}
