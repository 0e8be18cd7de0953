//! Whole lines of one log, and what is known of each.

use crate::index::Index;
use crate::line::{Line, Stream};

/// A line without its newline, where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRef<'a> {
    /// When it was written, microseconds since 1970, as far as that is known.
    pub time_us: Option<u64>,
    /// Where from.
    pub stream: Stream,
    /// As written.
    pub bytes: &'a [u8],
}

impl LineRef<'_> {
    /// A copy to keep.
    pub fn to_line(&self) -> Line {
        Line { time_us: self.time_us, stream: self.stream, bytes: self.bytes.to_vec() }
    }
}

/// Where a line of a shared log ends in the block, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) end: usize,
    pub(super) time_us: Option<u64>,
    pub(super) stream: Stream,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Known<'a> {
    /// The index tells; the block begins at this offset.
    Indexed { index: &'a Index, base: u64, stream: Stream },
    /// Each line by itself.
    Listed(&'a [Mark]),
}

/// Whole lines, one after the other; only the last one of a log may have no newline.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) known: Known<'a>,
}

impl<'a> Block<'a> {
    /// All bytes, newlines included: for searches over the whole block.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its lines in order.
    pub fn lines(&self) -> Lines<'a> {
        Lines { block: *self, at: 0, mark: 0, span_end: 0, time_us: None, stream: Stream::Out }
    }

    /// The line that begins at a byte, and where it ends in the block, its newline included. What is known of the lines
    /// around it is kept in `span`.
    pub(super) fn line_from(&self, start: usize, span: &mut Span) -> Option<(LineRef<'a>, usize)> {
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let Known::Indexed { index, base, stream } = self.known else { return self.line_at(start) };
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let offset = base + start as u64;
        if !(span.from..span.to).contains(&offset) {
            let (time_us, told, to) = at_offset(index, offset);
            *span = Span { from: offset, to, time_us, stream: told.unwrap_or(stream) };
        }
        let line = LineRef { time_us: span.time_us, stream: span.stream, bytes: rest.get(..length)? };
        Some((line, (start + length + 1).min(self.bytes.len())))
    }

    /// The line around a byte, or that ends there, and where it ends in the block, its newline included.
    pub fn line_at(&self, at: usize) -> Option<(LineRef<'a>, usize)> {
        let before = self.bytes.get(..at)?;
        let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (time_us, stream) = match self.known {
            Known::Indexed { index, base, stream } => {
                let (time_us, told, _) = at_offset(index, base + start as u64);
                (time_us, told.unwrap_or(stream))
            }
            Known::Listed(marks) => {
                let mark = marks.get(marks.partition_point(|mark| mark.end <= start))?;
                (mark.time_us, mark.stream)
            }
        };
        let line = LineRef { time_us, stream, bytes: rest.get(..length)? };
        Some((line, (start + length + 1).min(self.bytes.len())))
    }
}

/// Bytes of a log that were written at one time, by offsets of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    from: u64,
    to: u64,
    time_us: Option<u64>,
    stream: Stream,
}

impl Span {
    pub(super) const NONE: Self = Self { from: 0, to: 0, time_us: None, stream: Stream::Out };
}

/// Time and stream of the byte at an offset of the log, and up to which offset they hold.
fn at_offset(index: &Index, offset: u64) -> (Option<u64>, Option<Stream>, u64) {
    match index.at(offset) {
        Ok(record) => {
            let stream = match record.stream {
                1 => Some(Stream::Out),
                2 => Some(Stream::Err),
                _ => None,
            };
            (Some(record.time_us), stream, record.end())
        }
        Err(u64::MAX) => (index.newest_us(), None, u64::MAX),
        Err(distance) => (None, None, offset.saturating_add(distance)),
    }
}

/// The lines of a block.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    block: Block<'a>,
    at: usize,
    mark: usize,
    /// Offset of the log up to which the time and the stream hold.
    span_end: u64,
    time_us: Option<u64>,
    stream: Stream,
}

impl<'a> Iterator for Lines<'a> {
    type Item = LineRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<LineRef<'a>> {
        let rest = self.block.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        match self.block.known {
            Known::Indexed { index, base, stream } => {
                let offset = base + self.at as u64;
                if offset >= self.span_end {
                    let (time_us, told, end) = at_offset(index, offset);
                    (self.time_us, self.stream, self.span_end) = (time_us, told.unwrap_or(stream), end);
                }
            }
            Known::Listed(marks) => {
                let mark = marks.get(self.mark)?;
                (self.time_us, self.stream) = (mark.time_us, mark.stream);
                self.mark += 1;
            }
        }
        self.at += length + 1;
        Some(LineRef { time_us: self.time_us, stream: self.stream, bytes: rest.get(..length)? })
    }
}
