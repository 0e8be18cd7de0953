//! Several logs as one, by time.

use std::io;

use super::block::{Block, LineRef, Span};
use super::pattern::Pattern;
use super::reader::Reader;
use crate::line::Stream;

/// Lines of several logs in the order of their times. A line without a time stays behind the one before it of its log.
#[derive(Debug)]
pub struct Merged {
    cursors: Vec<Cursor>,
    pattern: Option<Pattern>,
    current: Option<usize>,
}

#[derive(Debug)]
struct Cursor {
    reader: Reader,
    /// Where the line in front begins, and where it ends.
    position: usize,
    next: usize,
    /// The order of the line in front; nothing at the end.
    time_us: Option<u64>,
    is_begun: bool,
    /// Whether the block can be searched as a whole.
    may_search: bool,
    /// Where lines without a match are wanted: the next one with it.
    hit: Hit,
    span: Span,
    known: (Option<u64>, Stream),
}

/// The next line of a block that has a match.
#[derive(Clone, Copy, Debug)]
enum Hit {
    Unknown,
    /// Where it begins and ends.
    At(usize, usize),
    Nowhere,
}

impl Hit {
    /// The next line without a match, and where it ends: what lies between two matches needs no search.
    fn next_without<'a>(
        &mut self,
        block: &Block<'a>,
        pattern: &Pattern,
        from: usize,
        span: &mut Span,
    ) -> Option<(LineRef<'a>, usize)> {
        let mut at = from;
        loop {
            if matches!(self, Self::Unknown) || matches!(self, Self::At(_, end) if *end <= at) {
                *self = match pattern.next_match(block, at, true) {
                    Some((line, end)) => {
                        let newline = usize::from(block.bytes().get(end - 1) == Some(&b'\n'));
                        Self::At(end - line.bytes.len() - newline, end)
                    }
                    None => Self::Nowhere,
                };
            }
            match self {
                Self::At(start, end) if *start == at => at = *end,
                _ => return block.line_from(at, span),
            }
        }
    }
}

impl Cursor {
    fn step(&mut self, pattern: Option<&Pattern>) -> io::Result<()> {
        let last_us = self.time_us.unwrap_or(0);
        loop {
            if self.is_begun {
                let block = self.reader.block();
                let found = match pattern {
                    Some(pattern) if pattern.is_inverted() && self.may_search => {
                        self.hit.next_without(&block, pattern, self.next, &mut self.span)
                    }
                    Some(pattern) => pattern.next_in(&block, self.next, self.may_search),
                    None => block.line_from(self.next, &mut self.span),
                };
                if let Some((line, end)) = found {
                    self.time_us = Some(line.time_us.unwrap_or(last_us).max(last_us));
                    self.position =
                        end - line.bytes.len() - usize::from(block.bytes().get(end - 1) == Some(&b'\n'));
                    self.known = (line.time_us, line.stream);
                    self.next = end;
                    return Ok(());
                }
            }
            self.is_begun = true;
            self.next = 0;
            // Offsets of the next block may be of another segment.
            self.span = Span::NONE;
            self.hit = Hit::Unknown;
            if !self.reader.advance()? {
                self.time_us = None;
                return Ok(());
            }
            self.may_search = pattern.is_some_and(|pattern| pattern.may_search(&self.reader.block()));
        }
    }

    fn line(&self) -> Option<LineRef<'_>> {
        let bytes = self.reader.block().bytes().get(self.position..self.next)?;
        let (time_us, stream) = self.known;
        Some(LineRef { time_us, stream, bytes: bytes.strip_suffix(b"\n").unwrap_or(bytes) })
    }
}

impl Merged {
    /// Lines keep the number of their log in this order. With a pattern only the lines that it wants are there.
    pub fn new(readers: Vec<Reader>, pattern: Option<Pattern>) -> io::Result<Self> {
        let begun = readers.into_iter().map(|reader| {
            let mut cursor = Cursor {
                reader,
                position: 0,
                next: 0,
                time_us: None,
                is_begun: false,
                may_search: false,
                hit: Hit::Unknown,
                span: Span::NONE,
                known: (None, Stream::Out),
            };
            cursor.step(pattern.as_ref())?;
            Ok(cursor)
        });
        Ok(Self { cursors: begun.collect::<io::Result<_>>()?, pattern, current: None })
    }

    /// The next line, and the number of its log.
    pub fn next_line(&mut self) -> io::Result<Option<(usize, LineRef<'_>)>> {
        if let Some(cursor) = self.current.take().and_then(|number| self.cursors.get_mut(number)) {
            cursor.step(self.pattern.as_ref())?;
        }
        let first = self
            .cursors
            .iter()
            .enumerate()
            .filter_map(|(number, cursor)| Some((cursor.time_us?, number)))
            .min();
        let Some((_, number)) = first else { return Ok(None) };
        self.current = Some(number);
        let line = self.cursors.get(number).and_then(Cursor::line);
        Ok(line.map(|line| (number, line)))
    }
}
