//! Counts the errors of a source.

use std::borrow::Cow;
use std::collections::HashMap;

use super::structured;
use super::trace::{Taken, Trace};
use super::{ErrorGroup, said};
use crate::level::{Level, Verdict};
use crate::line::Stream;

/// Different errors that are told apart; of what comes beyond only the number is kept.
const GROUPS_MAX: usize = 1_000;

/// What a line is to the errors of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// Nothing.
    No,
    /// The first line of one.
    Begins,
    /// It belongs to the one before.
    GoesOn,
}

/// Finds errors in the lines of one source, its streams each in order.
#[derive(Debug, Default)]
pub struct Errors {
    open: [Option<Trace>; 2],
    groups: Vec<ErrorGroup>,
    places: HashMap<u64, usize>,
    count: u64,
    untold: u64,
    last: Option<(Option<u64>, usize)>,
    number: u64,
}

impl Errors {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next line and what is thought of it.
    pub fn add(&mut self, line: &[u8], verdict: Verdict, time_us: Option<u64>, stream: Stream) -> Looked {
        self.add_stripped(&crate::ansi::strip(line), verdict, time_us, stream)
    }

    /// The same, of a line without escape sequences.
    #[inline]
    pub fn add_stripped(
        &mut self,
        line: &[u8],
        verdict: Verdict,
        time_us: Option<u64>,
        stream: Stream,
    ) -> Looked {
        self.number += 1;
        let slot = usize::from(stream == Stream::Err);
        let is_open = self.open.get(slot).is_some_and(Option::is_some);
        if verdict.level >= Level::Error || is_open {
            self.look(line, verdict, time_us, slot)
        } else {
            Looked::No
        }
    }

    fn look(&mut self, line: &[u8], verdict: Verdict, time_us: Option<u64>, slot: usize) -> Looked {
        let is_error = verdict.level >= Level::Error && is_own(line, verdict);
        let Some(open) = self.open.get_mut(slot) else { return Looked::No };
        if let Some(trace) = open {
            // What the program itself calls harmless ends an error, whatever it looks like.
            let is_detail = crate::level::is_detail(line);
            if is_detail && !verdict.inferred {
                trace.note_detail(line);
                return Looked::GoesOn;
            }
            let is_other = !verdict.inferred && verdict.level < Level::Error && is_said(line);
            // Some loggers put their header before each line of a trace.
            let bare = if is_error && !verdict.inferred { said::message(line) } else { Cow::Borrowed(line) };
            let is_frame = bare.len() < line.len() && super::frame::is_place(&bare);
            let text = if is_frame || said::is_blank(&bare) { &*bare } else { line };
            let is_blank = text.is_empty() || text.len() < line.len() && !is_frame;
            if !is_other && (trace.take(if is_blank { b"" } else { text }, is_error) == Taken::Yes) {
                return Looked::GoesOn;
            }
            let over = open.take();
            self.put(over);
        }
        if !is_error || said::is_blank(&said::message(line)) {
            return Looked::No;
        }
        let begun = match structured::stack(line) {
            Some(stack) => Some(whole(&stack)),
            None => Trace::begin(line, is_error),
        };
        let Some(mut trace) = begun else { return Looked::No };
        (trace.time_us, trace.number) = (time_us, self.number);
        if let Some(open) = self.open.get_mut(slot) {
            *open = Some(trace);
        }
        self.count += 1;
        Looked::Begins
    }

    /// No more lines.
    pub fn finish(&mut self) {
        for slot in 0..self.open.len() {
            let over = self.open.get_mut(slot).and_then(Option::take);
            self.put(over);
        }
    }

    fn put(&mut self, trace: Option<Trace>) {
        let Some(mut trace) = trace else { return };
        if trace.is_nothing() {
            self.count = self.count.saturating_sub(1);
            return;
        }
        let (kind, message, fingerprint) = trace.told();
        let last_message = trace.message();
        let place = match self.places.get(&fingerprint) {
            Some(place) => *place,
            None if self.groups.len() >= GROUPS_MAX => {
                self.untold += 1;
                return;
            }
            None => {
                self.places.insert(fingerprint, self.groups.len());
                self.groups.push(ErrorGroup {
                    fingerprint: format!("{fingerprint:016x}"),
                    kind,
                    message,
                    last_message: String::new(),
                    count: 0,
                    first_us: trace.time_us,
                    last_us: None,
                    first_line: trace.number,
                    last_line: 0,
                    sample: String::new(),
                });
                self.groups.len() - 1
            }
        };
        let Some(group) = self.groups.get_mut(place) else { return };
        group.count += 1;
        group.first_us = match (group.first_us, trace.time_us) {
            (Some(first), Some(now)) => Some(first.min(now)),
            (first, now) => first.or(now),
        };
        // The newest lines have no time before their index is written.
        let is_later = |known: Option<u64>| trace.time_us.is_none() || trace.time_us >= known;
        if is_later(group.last_us) {
            group.last_us = trace.time_us.or(group.last_us);
            group.last_line = trace.number;
            let text = String::from_utf8_lossy(&trace.sample);
            group.sample = text.trim_end().to_owned();
            group.last_message = last_message;
        }
        if self.last.is_none_or(|(time_us, _)| is_later(time_us)) {
            let known = self.last.and_then(|(time_us, _)| time_us);
            self.last = Some((trace.time_us.or(known), place));
        }
    }

    /// How many errors there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Errors beyond those that are told apart.
    pub fn untold(&self) -> u64 {
        self.untold
    }

    /// The latest error.
    pub fn last(&self) -> Option<&ErrorGroup> {
        self.last.and_then(|(_, place)| self.groups.get(place))
    }

    /// In order of appearance.
    pub fn groups(&self) -> &[ErrorGroup] {
        &self.groups
    }

    /// The most frequent first; of equal ones the latest.
    pub fn into_sorted(mut self) -> Vec<ErrorGroup> {
        self.finish();
        self.groups.sort_by_key(|group| (std::cmp::Reverse(group.count), std::cmp::Reverse(group.last_us)));
        self.groups
    }
}

/// Whether a line itself says or looks like an error, and did not just inherit that.
fn is_own(line: &[u8], verdict: Verdict) -> bool {
    !verdict.inferred
        || super::trace::begins(line.trim_ascii())
        || super::Excerpt::begin(line).is_some()
        || !crate::level::is_continuation(line) && crate::level::inferred(line).level >= Level::Error
}

/// A stack that came in one field.
fn whole(stack: &[u8]) -> Trace {
    let mut lines = crate::lines(stack);
    let first = lines.next().unwrap_or_default();
    let mut trace = Trace::begin(first, true).unwrap_or_default();
    for line in lines {
        trace.take(line, false);
    }
    trace
}

/// Whether a level stands in the line itself; verdicts of lines that go on are inherited, and Rust says `note:`.
fn is_said(line: &[u8]) -> bool {
    crate::level::said(line).is_some() && super::frame::part(line).is_none()
}

#[cfg(test)]
mod tests;
