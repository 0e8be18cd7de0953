//! One log from its oldest segment to its end, in blocks of whole lines.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::block::{Block, Known, Mark};
use super::own_time::own_time;
use super::window::Window;
use crate::content::Content;
use crate::follow::Follower;
use crate::index::Index;
use crate::line::{LINE_BYTES_MAX, Stream};
use crate::segments::{self, Segment};
use crate::split::Splitter;

/// How much is read at once.
pub(super) const BLOCK_BYTES: usize = 256 * 1024;
const CACHE_LINE_BYTES: usize = 64;

/// Reads one log forward.
#[derive(Debug)]
pub struct Reader {
    stream: Stream,
    window: Window,
    /// The last line may be one that has no newline yet.
    with_unfinished: bool,
    closed: VecDeque<Segment>,
    live: Option<Part>,
    part: Option<Part>,
    /// What was read: the block, then the begin of a line that goes on behind it.
    buffer: Vec<u8>,
    /// Where it begins in the buffer, and ends.
    begin: usize,
    filled: usize,
    ready: Range<usize>,
    /// Offset in the log of the byte at `begin`.
    base: u64,
    /// Whether the buffer belongs to the first range of the part.
    is_inside: bool,
    /// A line that began before the range is passed over.
    is_skipping: bool,
    /// A block that was put together line by line.
    made: Vec<u8>,
    marks: Vec<Mark>,
    is_made: bool,
    last_was_in: Option<bool>,
}

/// An open segment, and what is left to read of it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) content: Content,
    pub(super) index: Index,
    pub(super) ranges: VecDeque<Range<u64>>,
    pub(super) size: u64,
    /// Of two streams: lines come from here.
    splitter: Option<Splitter>,
    /// Without an index only the lines themselves tell their times.
    pub(super) has_times: bool,
}

impl Part {
    pub(super) fn new(
        content: Content,
        mut index: Index,
        window: &Window,
        stream: Stream,
        size: u64,
    ) -> Self {
        index.set_newest(content.modified());
        let mut ranges: VecDeque<_> = window.ranges(&index, size).into();
        // Two streams in one file: lines may be in pieces that lie apart, so it is read in one go.
        let splitter = index.is_shared().then(|| Splitter::new(stream));
        if splitter.is_some() && !ranges.is_empty() {
            let from = ranges.front().map_or(0, |range| range.start);
            let to = ranges.back().map_or(size, |range| range.end);
            ranges = std::iter::once(from..to).collect();
        }
        let has_times = !index.records().is_empty();
        Self { content, index, ranges, size, splitter, has_times }
    }

    pub(super) fn is_shared(&self) -> bool {
        self.splitter.is_some()
    }
}

impl Reader {
    /// Of the log as it is now; what is written later is not read. A log that does not exist has no lines.
    pub fn open(log: &Path, stream: Stream, window: Window) -> io::Result<Self> {
        // Opened before the segments are listed: if it is rotated meanwhile it is found in both places and read once.
        let live = match Content::open(log)? {
            Some(content) => {
                let size = content.size()?;
                Some(Part::new(content, Index::of(log), &window, stream, size))
            }
            None => None,
        };
        Self::with(log, live, stream, window, true)
    }

    /// Up to where a follower stands: together they give every line once.
    pub fn before(follower: &Follower, stream: Stream, window: Window) -> io::Result<Self> {
        let log = follower.path();
        let live = follower.position()?;
        let live = live.map(|(content, size)| Part::new(content, Index::of(log), &window, stream, size));
        Self::with(log, live, stream, window, false)
    }

    fn with(
        log: &Path,
        live: Option<Part>,
        stream: Stream,
        window: Window,
        with_unfinished: bool,
    ) -> io::Result<Self> {
        let ours = live.as_ref().and_then(|part| part.content.identity().ok());
        let mut closed: VecDeque<Segment> = segments::closed(log)?.into();
        closed.retain(|segment| ours.is_none() || segment.identity() != ours);
        // A file that was written last before the window holds nothing of it.
        if let Some(since_us) = window.since_us {
            closed.retain(|segment| written_us(&segment.path).is_none_or(|time_us| time_us >= since_us));
        }
        Ok(Self { closed, live, ..Self::empty(stream, window, with_unfinished) })
    }

    fn empty(stream: Stream, window: Window, with_unfinished: bool) -> Self {
        Self {
            stream,
            window,
            with_unfinished,
            closed: VecDeque::new(),
            live: None,
            part: None,
            buffer: Vec::new(),
            begin: 0,
            filled: 0,
            ready: 0..0,
            base: 0,
            is_inside: false,
            is_skipping: false,
            made: Vec::new(),
            marks: Vec::new(),
            is_made: false,
            last_was_in: None,
        }
    }

    /// Of one segment, otherwise like `other`.
    pub(super) fn of_part(part: Part, other: &Self) -> Self {
        Self { live: Some(part), ..Self::empty(other.stream, other.window, other.with_unfinished) }
    }

    /// Segments that are not read yet, newest last, for readers that begin at the end.
    pub(super) fn take_parts(&mut self) -> (VecDeque<Segment>, Option<Part>) {
        (std::mem::take(&mut self.closed), self.live.take())
    }

    pub(super) fn open_segment(
        segment: &Segment,
        window: &Window,
        stream: Stream,
    ) -> io::Result<Option<Part>> {
        // Rotation may have removed the oldest since it was listed.
        let Some(content) = segment.open()? else { return Ok(None) };
        let size = content.size()?;
        Ok(Some(Part::new(content, segment.index(), window, stream, size)))
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    pub(super) fn window(&self) -> Window {
        self.window
    }

    pub(super) fn with_unfinished(&self) -> bool {
        self.with_unfinished
    }

    /// The next block, or nothing at the end. A log that shrinks while it is read ends early.
    pub fn next_block(&mut self) -> io::Result<Option<Block<'_>>> {
        if self.advance()? { Ok(Some(self.block())) } else { Ok(None) }
    }

    /// The block that is ready.
    pub(super) fn block(&self) -> Block<'_> {
        match &self.part {
            Some(part) if !self.is_made => Block {
                bytes: self.buffer.get(self.ready.clone()).unwrap_or_default(),
                known: Known::Indexed {
                    index: &part.index,
                    base: self.base + (self.ready.start - self.begin) as u64,
                    stream: self.stream,
                },
            },
            _ => Block { bytes: &self.made, known: Known::Listed(&self.marks) },
        }
    }

    /// Make the next block ready.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        loop {
            let is_ready = match &self.part {
                None => {
                    if !self.open_next()? {
                        return Ok(false);
                    }
                    false
                }
                Some(part) if part.ranges.is_empty() => {
                    self.part = None;
                    false
                }
                Some(part) if part.is_shared() => self.advance_shared()?,
                Some(part) => {
                    let needs_own_times = !part.has_times && !self.window.is_all();
                    self.advance_plain()? && (!needs_own_times || self.keep_by_own_times())
                }
            };
            if is_ready {
                return Ok(true);
            }
        }
    }

    fn open_next(&mut self) -> io::Result<bool> {
        (self.is_inside, self.is_made, self.last_was_in) = (false, false, None);
        while let Some(segment) = self.closed.pop_front() {
            self.part = Self::open_segment(&segment, &self.window, self.stream)?;
            if self.part.is_some() {
                return Ok(true);
            }
        }
        self.part = self.live.take();
        Ok(self.part.is_some())
    }

    /// More whole lines of a log of one stream; `false` when nothing came of this step.
    fn advance_plain(&mut self) -> io::Result<bool> {
        let Some(part) = &mut self.part else { return Ok(false) };
        let Some(range) = part.ranges.front().cloned() else { return Ok(false) };
        self.is_made = false;
        if self.is_inside {
            let held = self.ready.end..self.filled;
            self.base += (held.start - self.begin) as u64;
            // What is read next goes to the begin of a cache line: the kernel copies faster to there.
            let begin = self
                .buffer
                .as_ptr()
                .wrapping_add(held.len())
                .align_offset(CACHE_LINE_BYTES)
                .min(CACHE_LINE_BYTES);
            self.begin = if begin + held.len() <= self.buffer.len() { begin } else { 0 };
            self.filled = self.begin + held.len();
            self.buffer.copy_within(held, self.begin);
        } else {
            // The byte before a range tells whether it begins with a line.
            self.base = range.start.saturating_sub(1);
            (self.is_skipping, self.is_inside) = (range.start > 0, true);
            (self.begin, self.filled) = (0, 0);
        }
        self.ready = self.begin..self.begin;
        let at = self.base + (self.filled - self.begin) as u64;
        let room = usize::try_from(part.size.saturating_sub(at)).unwrap_or(usize::MAX).min(BLOCK_BYTES);
        if self.buffer.len() < self.filled + room {
            self.buffer.resize(self.filled + room, 0);
        }
        let into = self.buffer.get_mut(self.filled..self.filled + room).unwrap_or_default();
        let got = part.content.read_at(into, at)?;
        self.filled += got;
        // A file that shrank ends here too.
        let is_end = got < room || at + got as u64 >= part.size;
        let bytes = self.buffer.get(self.begin..self.filled).unwrap_or_default();
        let (ready, is_over) = self.cut(bytes, &range, is_end);
        if let Some(part) = self.part.as_mut().filter(|_| is_over) {
            part.ranges.pop_front();
            self.is_inside = false;
        }
        self.is_skipping &= ready.end == 0;
        if self.is_skipping {
            self.ready = self.filled..self.filled;
            return Ok(false);
        }
        self.ready = self.begin + ready.start..self.begin + ready.end;
        Ok(!self.ready.is_empty())
    }

    /// The whole lines of the buffer that begin in the range, and whether they are its last ones. An end of 0 means that
    /// the line that is passed over goes on.
    fn cut(&self, bytes: &[u8], range: &Range<u64>, is_end: bool) -> (Range<usize>, bool) {
        let start = if self.is_skipping {
            match memchr::memchr(b'\n', bytes) {
                Some(newline) => newline + 1,
                None => return (0..0, is_end),
            }
        } else {
            0
        };
        let behind = usize::try_from(range.end.saturating_sub(self.base)).unwrap_or(usize::MAX);
        if behind <= start {
            return (start..start, true);
        }
        let lines = bytes.get(start..).unwrap_or_default();
        let mut end = memchr::memrchr(b'\n', lines).map_or(start, |newline| start + newline + 1);
        // The line that begins last in the range ends it, be it as long as it may.
        let over = bytes.get(behind - 1..end).and_then(|rest| memchr::memchr(b'\n', rest));
        if let Some(newline) = over {
            return (start..behind + newline, true);
        }
        if is_end && self.with_unfinished || end == start && lines.len() >= LINE_BYTES_MAX {
            end = bytes.len();
        }
        (start..end, is_end)
    }

    /// Without an index the times in the lines decide; a line that tells none goes with the one before it.
    fn keep_by_own_times(&mut self) -> bool {
        let Some(part) = &self.part else { return false };
        let written_us = part.content.modified().and_then(micros);
        self.made.clear();
        self.marks.clear();
        self.is_made = true;
        let mut last_us = None;
        for line in
            self.buffer.get(self.ready.clone()).unwrap_or_default().split_inclusive(|byte| *byte == b'\n')
        {
            let own_us = own_time(line);
            last_us = own_us.or(last_us);
            let is_in = match own_us {
                Some(time_us) => self.window.contains(time_us),
                None => self.last_was_in.unwrap_or(written_us.is_none_or(|us| self.window.contains(us))),
            };
            self.last_was_in = Some(is_in);
            if is_in {
                self.made.extend_from_slice(line);
                self.marks.push(Mark { end: self.made.len(), time_us: last_us, stream: self.stream });
            }
        }
        !self.made.is_empty()
    }

    /// The lines of the next bytes of a log that both streams write to.
    fn advance_shared(&mut self) -> io::Result<bool> {
        let Some(part) = &mut self.part else { return Ok(false) };
        let (Some(range), Some(splitter)) = (part.ranges.front_mut(), &mut part.splitter) else {
            return Ok(false);
        };
        if self.buffer.len() < BLOCK_BYTES {
            self.buffer.resize(BLOCK_BYTES, 0);
        }
        let room = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(BLOCK_BYTES);
        let into = self.buffer.get_mut(..room).unwrap_or_default();
        let got = part.content.read_at(into, range.start)?;
        let mut lines = Vec::new();
        splitter.feed(self.buffer.get(..got).unwrap_or_default(), range.start, &part.index, &mut lines);
        range.start += got as u64;
        if got < room || range.start >= range.end {
            let mut unfinished = Vec::new();
            splitter.finish(&mut unfinished);
            if self.with_unfinished {
                lines.append(&mut unfinished);
            }
            part.ranges.pop_front();
        }
        self.made.clear();
        self.marks.clear();
        self.is_made = true;
        for line in lines {
            if line.time_us.is_none_or(|time_us| self.window.contains(time_us)) {
                self.made.extend_from_slice(&line.bytes);
                self.made.push(b'\n');
                self.marks.push(Mark { end: self.made.len(), time_us: line.time_us, stream: line.stream });
            }
        }
        Ok(!self.made.is_empty())
    }
}

fn micros(time: SystemTime) -> Option<u64> {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| u64::try_from(since.as_micros()).ok())
}

fn written_us(path: &Path) -> Option<u64> {
    path.metadata().ok()?.modified().ok().and_then(micros)
}
