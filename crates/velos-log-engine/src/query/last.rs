//! The last lines that somebody wants, read backwards: as much of a log as that takes, however long it is.

use std::io;
use std::ops::Range;

use super::block::{Block, Known, LineRef};
use super::pattern::Pattern;
use super::reader::{BLOCK_BYTES, Part, Reader};
use crate::line::{LINE_BYTES_MAX, Line};

/// Bytes of the first step backwards; each further one doubles.
const FIRST_BYTES: usize = 32 * 1024;

/// The last `count` lines of a log that `wants` accepts, oldest first.
pub fn last(reader: Reader, count: usize, wants: impl FnMut(&LineRef<'_>) -> bool) -> io::Result<Vec<Line>> {
    last_matching(reader, count, None, wants)
}

/// The same of the lines that a pattern wants, which is looked for in whole blocks.
pub fn last_matching(
    mut reader: Reader,
    count: usize,
    pattern: Option<&Pattern>,
    wants: impl FnMut(&LineRef<'_>) -> bool,
) -> io::Result<Vec<Line>> {
    let mut wanted = Wanted { pattern, wants };
    let (mut closed, live) = reader.take_parts();
    let mut runs: Vec<Vec<Line>> = Vec::new();
    let mut missing = count;
    let mut next = live;
    while missing > 0 {
        let part = match next.take() {
            Some(part) => part,
            None => {
                let Some(segment) = closed.pop_back() else { break };
                let Some(part) = Reader::open_segment(&segment, &reader.window(), reader.stream())? else {
                    continue;
                };
                part
            }
        };
        let lines = if part.is_shared() || !part.has_times && !reader.window().is_all() {
            forward(part, &reader, missing, &mut wanted)?
        } else {
            backward(part, &reader, missing, &mut wanted)?
        };
        missing -= lines.len();
        runs.push(lines);
    }
    Ok(runs.into_iter().rev().flatten().collect())
}

struct Wanted<'a, F> {
    pattern: Option<&'a Pattern>,
    wants: F,
}

impl<F: FnMut(&LineRef<'_>) -> bool> Wanted<'_, F> {
    /// The lines of a block that the pattern wants, in order.
    fn candidates<'b>(&self, block: &Block<'b>) -> Vec<LineRef<'b>> {
        let Some(pattern) = self.pattern else { return block.lines().collect() };
        let (mut lines, mut at) = (Vec::new(), 0);
        let may_search = pattern.may_search(block);
        while let Some((line, end)) = pattern.next_in(block, at, may_search) {
            lines.push(line);
            at = end;
        }
        lines
    }
}

/// Lines whose pieces or times are known to who reads from the start only.
fn forward(
    part: Part,
    reader: &Reader,
    count: usize,
    wanted: &mut Wanted<'_, impl FnMut(&LineRef<'_>) -> bool>,
) -> io::Result<Vec<Line>> {
    let mut reader = Reader::of_part(part, reader);
    let mut kept = std::collections::VecDeque::new();
    while let Some(block) = reader.next_block()? {
        for line in wanted.candidates(&block).iter().filter(|line| (wanted.wants)(line)) {
            if kept.len() == count {
                kept.pop_front();
            }
            kept.push_back(line.to_line());
        }
    }
    Ok(kept.into())
}

fn backward(
    mut part: Part,
    reader: &Reader,
    count: usize,
    wanted: &mut Wanted<'_, impl FnMut(&LineRef<'_>) -> bool>,
) -> io::Result<Vec<Line>> {
    let mut found: Vec<Line> = Vec::new();
    let mut step = FIRST_BYTES;
    let mut buffer = Vec::new();
    let ranges = std::mem::take(&mut part.ranges);
    for range in ranges.iter().rev() {
        let mut end = end_of_last_line(&mut part, range, reader.with_unfinished())?;
        while found.len() < count && end > range.start {
            let (start, from) = lines_before(&mut part, range.start, end, step, &mut buffer)?;
            let bytes = buffer.get(from..).unwrap_or_default();
            let known = Known::Indexed { index: &part.index, base: start, stream: reader.stream() };
            let block = Block { bytes, known };
            for line in wanted.candidates(&block).iter().rev() {
                if found.len() < count && (wanted.wants)(line) {
                    found.push(line.to_line());
                }
            }
            end = start;
            step = (step * 2).min(BLOCK_BYTES);
        }
    }
    found.reverse();
    Ok(found)
}

/// The line that begins last in a range is read to its end.
fn end_of_last_line(part: &mut Part, range: &Range<u64>, with_unfinished: bool) -> io::Result<u64> {
    let mut block = vec![0; FIRST_BYTES];
    let mut at = range.end.max(1) - 1;
    loop {
        let got = part.content.read_at(&mut block, at)?;
        let bytes = block.get(..got).unwrap_or_default();
        match memchr::memchr(b'\n', bytes) {
            Some(newline) => return Ok((at + newline as u64 + 1).min(part.size.max(range.end))),
            None if got < block.len() => break,
            None => at += got as u64,
        }
    }
    if with_unfinished {
        return Ok(part.size.min(at + block.len() as u64));
    }
    // The last line is not whole: it ends where the one before it does.
    let mut end = range.end;
    while end > range.start {
        let start = end.saturating_sub(FIRST_BYTES as u64).max(range.start);
        read(part, start, end, &mut block)?;
        if let Some(newline) = memchr::memrchr(b'\n', &block) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(range.start)
}

/// Whole lines up to `end`, of at least `step` bytes if there are so many behind `from`: where they begin in the log, and in
/// the buffer.
fn lines_before(
    part: &mut Part,
    from: u64,
    end: u64,
    step: usize,
    buffer: &mut Vec<u8>,
) -> io::Result<(u64, usize)> {
    let mut step = step as u64;
    loop {
        let start = end.saturating_sub(step).max(from);
        let before = start.saturating_sub(1);
        read(part, before, end, buffer)?;
        if start == 0 {
            return Ok((0, 0));
        }
        match memchr::memchr(b'\n', buffer) {
            Some(newline) if newline + 1 < buffer.len() => {
                return Ok((before + newline as u64 + 1, newline + 1));
            }
            // Nothing begins behind the start of the range.
            _ if start == from => return Ok((from, buffer.len())),
            // The end of a line that is too long to be held.
            _ if end - start >= LINE_BYTES_MAX as u64 => return Ok((start, 1)),
            _ => step *= 2,
        }
    }
}

fn read(part: &mut Part, start: u64, end: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.resize(usize::try_from(end - start).unwrap_or(0), 0);
    let got = part.content.read_at(buffer, start)?;
    buffer.truncate(got);
    Ok(())
}
