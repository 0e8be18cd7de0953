//! The last lines of a log, over its segments, and the merge of two streams by time.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::index::{Record, read_index};
use crate::line::{Line, Stream};

/// How much is read at once.
const BLOCK_BYTES: u64 = 64 * 1024;

/// The last `count` lines of a log, oldest first. A log that does not exist has none.
pub fn tail(log: &Path, stream: Stream, count: usize) -> io::Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut segments = segments(log)?;
    while lines.len() < count
        && let Some(path) = segments.pop()
    {
        let mut older = tail_of_file(&path, stream, count - lines.len())?;
        older.append(&mut lines);
        lines = older;
    }
    Ok(lines)
}

/// Files of a log that exist, oldest first: `x-out.<n>.log` by number, then `x-out.log`.
fn segments(log: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(folder), Some(name)) = (log.parent(), log.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let stem = name.strip_suffix(".log").unwrap_or(name);
    let mut numbered = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|file| {
            file.strip_prefix(stem)?.strip_prefix('.')?.strip_suffix(".log")?.parse::<u64>().ok()
        });
        if let Some(number) = number {
            numbered.push((number, entry.path()));
        }
    }
    numbered.sort();
    let mut paths: Vec<PathBuf> = numbered.into_iter().map(|(_, path)| path).collect();
    if log.exists() {
        paths.push(log.to_path_buf());
    }
    Ok(paths)
}

/// Read backwards in blocks until enough newlines were seen.
fn tail_of_file(path: &Path, stream: Stream, count: usize) -> io::Result<Vec<Line>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut start = size;
    let mut bytes: Vec<u8> = Vec::new();
    let mut newlines = 0;
    while start > 0 && newlines <= count {
        let length = BLOCK_BYTES.min(start);
        start -= length;
        let mut block = vec![0u8; length as usize];
        file.read_exact_at(&mut block, start)?;
        newlines += block.iter().filter(|byte| **byte == b'\n').count();
        block.append(&mut bytes);
        bytes = block;
    }
    let index = read_index(path);
    let mut lines = split(&bytes, start, stream, &index);
    // A record is closed a moment after its bytes are written: until then the file's own time is as good.
    let written_us = file.metadata()?.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let written_us = written_us.and_then(|since| u64::try_from(since.as_micros()).ok());
    for line in lines.iter_mut().rev().take_while(|line| line.time_us.is_none()) {
        line.time_us = written_us;
    }
    // The first one may have begun before the block.
    let surplus = lines.len().saturating_sub(count);
    lines.drain(..surplus);
    Ok(lines)
}

pub(crate) fn split(bytes: &[u8], offset: u64, stream: Stream, index: &[Record]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut at = offset;
    for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = piece.strip_suffix(b"\n").unwrap_or(piece);
        lines.push(Line { time_us: time_at(index, at), stream, bytes: text.to_vec() });
        at += piece.len() as u64;
    }
    lines
}

fn time_at(index: &[Record], offset: u64) -> Option<u64> {
    let after = index.partition_point(|record| record.offset <= offset);
    let record = index.get(after.checked_sub(1)?)?;
    (offset < record.offset + u64::from(record.len)).then_some(record.time_us)
}

/// Merge two runs of lines, each in order, by time; a line without a time stays behind the one before it.
pub fn merge(out: Vec<Line>, err: Vec<Line>) -> Vec<Line> {
    let mut keyed: Vec<(u64, Line)> = Vec::with_capacity(out.len() + err.len());
    for lines in [out, err] {
        let mut last = 0;
        for line in lines {
            last = line.time_us.unwrap_or(last).max(last);
            keyed.push((last, line));
        }
    }
    keyed.sort_by_key(|(time_us, _)| *time_us);
    keyed.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_reach_back_into_closed_segments() {
        let folder = std::env::temp_dir().join(format!("velos-tail-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let log = folder.join("x-out.log");
        std::fs::write(folder.join("x-out.2.log"), "one\ntwo\n").unwrap();
        std::fs::write(folder.join("x-out.10.log"), "three\n").unwrap();
        std::fs::write(&log, "four\nfi").unwrap();
        let texts = |count| -> Vec<String> {
            let lines = tail(&log, Stream::Out, count).unwrap();
            lines.into_iter().map(|line| String::from_utf8(line.bytes).unwrap()).collect()
        };
        assert_eq!(texts(1), ["fi"]);
        assert_eq!(texts(4), ["two", "three", "four", "fi"]);
        assert_eq!(texts(99), ["one", "two", "three", "four", "fi"]);
        assert!(tail(&folder.join("none.log"), Stream::Out, 5).unwrap().is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn streams_merge_by_time() {
        let line = |time_us, text: &str, stream| Line { time_us, stream, bytes: text.as_bytes().to_vec() };
        let out = vec![
            line(Some(1), "a", Stream::Out),
            line(Some(5), "b", Stream::Out),
            line(None, "c", Stream::Out),
        ];
        let err = vec![line(Some(3), "x", Stream::Err), line(Some(9), "y", Stream::Err)];
        let merged: Vec<u8> = merge(out, err).into_iter().flat_map(|line| line.bytes).collect();
        assert_eq!(merged, b"axbcy");
    }
}
