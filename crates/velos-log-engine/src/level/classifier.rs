//! The levels of a whole source: it learns where the level stands, and lets lines inherit that continue others.

use super::column::Column;
use super::{Level, Verdict, header, inferred, marked};
use crate::errors::{Excerpt, Next};

/// Lines with a level in their header before a place is trusted.
const LEARN_LINES: u32 = 64;
/// Lines of other shapes until the shortcut is that of another shape.
const STRANGERS_MAX: u32 = 16;
/// Places that are told apart; headers are short.
const PLACES: usize = 24;

/// Gives the lines of one source, in order, their levels.
#[derive(Clone, Debug)]
pub struct Classifier {
    places: [u32; PLACES],
    seen: u32,
    learned: Option<usize>,
    missed: u32,
    last: Option<Verdict>,
    column: Option<Column>,
    /// Lines of the learned place that the column did not know.
    strangers: u32,
    trace: Trace,
    /// What stood before the exception that a trace began with: who prints it says so before each line.
    before: Vec<u8>,
    /// Code before an exception.
    excerpt: Option<Excerpt>,
    /// The last error named a place in Go: functions may follow.
    is_go: bool,
    /// A compiler quotes code.
    is_quoting: bool,
}

/// What the lines before say of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trace {
    #[default]
    None,
    /// The line before was one of a trace: gaps in it belong to it.
    Inside,
    /// Python's: the exception follows the frames.
    AwaitsException,
}

impl Default for Classifier {
    fn default() -> Self {
        Self {
            places: [0; PLACES],
            seen: 0,
            learned: None,
            missed: 0,
            last: None,
            column: None,
            strangers: 0,
            trace: Trace::None,
            before: Vec::new(),
            excerpt: None,
            is_go: false,
            is_quoting: false,
        }
    }
}

impl Classifier {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The level of the next line.
    #[inline]
    pub fn next(&mut self, line: &[u8]) -> Verdict {
        match self.column.as_ref().and_then(|column| column.level(line)) {
            Some(level) => {
                self.missed = self.missed.saturating_sub(1);
                self.trace = Trace::None;
                self.note_go(line, level);
                self.keep(Verdict::said(level))
            }
            None => self.next_slowly(line),
        }
    }

    fn next_slowly(&mut self, line: &[u8]) -> Verdict {
        let line = crate::ansi::strip(line);
        if let Some(verdict) = self.of_quote(&line).or_else(|| self.of_excerpt(&line)) {
            return verdict;
        }
        if let Some((level, start, word)) = self.learned.and_then(|place| header::at(&line, place)) {
            self.missed = self.missed.saturating_sub(1);
            self.note_stranger(&line, level, start, word);
            self.trace = Trace::None;
            self.note_go(&line, level);
            return self.keep(Verdict::said(level));
        }
        let is_after_error = self.last.is_some_and(|last| last.level >= Level::Error);
        // `#0 /srv/a.php(3)` is a frame of an error, `#12 DONE 1.2s` a step of a build.
        if is_continuation(&line)
            && (line.first() != Some(&b'#') || is_after_error && crate::errors::is_part(&line))
            && inferred::of_symbol(line.trim_ascii_start()).is_none()
            && let Some(last) = self.last
        {
            if is_after_error && self.trace == Trace::None && crate::errors::is_part(&line) {
                self.trace = Trace::Inside;
            }
            return Verdict { inferred: true, ..last };
        }
        self.note_miss();
        if let Some(level) = marked::of(&line) {
            self.trace = trace_of(&line, level);
            return self.keep(Verdict::said(level));
        }
        match header::of(&line) {
            Some((level, place)) => {
                self.trace = trace_of(&line, level);
                self.note_go(&line, level);
                self.learn(place);
                self.keep(Verdict::said(level))
            }
            None => {
                if let Some(last) = self.last.filter(|last| self.goes_on(&line, *last)) {
                    return Verdict { inferred: true, ..last };
                }
                self.seen = self.seen.saturating_add(1);
                // What is indented below the gap still belongs to the error above it.
                if line.trim_ascii().is_empty() && self.last.is_some_and(|last| last.level >= Level::Error) {
                    return Verdict::default();
                }
                let verdict = match marked::of_embedded(&line).map(Verdict::said) {
                    Some(said) => said,
                    None => self.guess(&line),
                };
                self.keep(verdict)
            }
        }
    }

    /// Whether a line without a level belongs to the error before it, or is drawn as a part of the line before.
    fn goes_on(&mut self, line: &[u8], last: Verdict) -> bool {
        const DRAWN: [&str; 4] = ["│", "└", "├", "╵"];
        if let Some(inner) = DRAWN.iter().find_map(|bar| line.strip_prefix(bar.as_bytes())) {
            return super::classify(inner.trim_ascii_start()).level <= last.level.max(Level::Info);
        }
        if last.level < Level::Error {
            return false;
        }
        let line = match crate::errors::behind(&self.before, line) {
            Some(rest) if rest.starts_with(b"  ") || rest.starts_with(b"\t") => return true,
            Some(rest) => rest,
            None => line,
        };
        if line.trim_ascii().is_empty() {
            return self.trace != Trace::None;
        }
        if self.is_go && crate::errors::is_go_function(line) {
            self.trace = Trace::Inside;
            return true;
        }
        if self.trace == Trace::AwaitsException && !line.starts_with(b" ") {
            self.trace = Trace::Inside;
            return true;
        }
        let is_part = crate::errors::is_part(line);
        if is_part {
            let awaits = crate::errors::awaits_exception(line)
                || self.trace == Trace::AwaitsException && line.starts_with(b" ");
            self.trace = if awaits { Trace::AwaitsException } else { Trace::Inside };
        }
        is_part
    }

    /// Of code that stands before an exception, and of the exception.
    fn of_excerpt(&mut self, line: &[u8]) -> Option<Verdict> {
        if let Some(mut excerpt) = self.excerpt.take() {
            let bare = match self.before.is_empty() {
                true => Some(line),
                false => crate::errors::behind(&self.before, line),
            };
            match bare.map_or(Next::Other, |bare| excerpt.take(bare)) {
                Next::Code => self.excerpt = Some(excerpt),
                Next::Exception => self.trace = Trace::Inside,
                Next::Other => self.trace = Trace::None,
            }
            if self.excerpt.is_some() || self.trace == Trace::Inside {
                return Some(self.keep(Verdict::guessed(Level::Error)));
            }
            self.before.clear();
        }
        let (excerpt, at) = Excerpt::begin(line)?;
        if excerpt.is_python() && self.trace != Trace::None {
            return None;
        }
        self.before.clear();
        self.before.extend_from_slice(line.get(..at).unwrap_or_default());
        (self.excerpt, self.trace) = (Some(excerpt), Trace::None);
        Some(self.keep(Verdict::guessed(Level::Error)))
    }

    /// Of code that a compiler quotes below what it says: it is as bad as that.
    fn of_quote(&mut self, line: &[u8]) -> Option<Verdict> {
        self.is_quoting =
            line.first().is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'.'))
                && crate::errors::is_quoted(line)
                && (self.is_quoting || line.trim_ascii_start().starts_with(b"--> "));
        let last = self.last.filter(|_| self.is_quoting)?;
        Some(Verdict { inferred: true, ..last })
    }

    fn note_go(&mut self, line: &[u8], level: Level) {
        self.is_go = level >= Level::Error && memchr::memmem::find(line, b".go:").is_some();
    }

    /// Of a line that says nothing of its level.
    fn guess(&mut self, line: &[u8]) -> Verdict {
        const DRAWN: &[u8] = "│".as_bytes();
        let verdict = match line.strip_prefix(DRAWN) {
            Some(inner) => Verdict::guessed(super::classify(inner.trim_ascii_start()).level),
            None => inferred(line),
        };
        self.trace = trace_of(line, verdict.level);
        self.before.clear();
        if self.trace != Trace::None
            && let Some(at) = crate::errors::begins_at(line)
        {
            self.before.extend_from_slice(line.get(..at).unwrap_or_default());
        }
        // A source that always says its level goes on with what it said in a line without; but words can be worse.
        match self.last {
            Some(last)
                if self.learned.is_some() && last.level < Level::Error && verdict.level <= Level::Info =>
            {
                Verdict { inferred: true, ..last }
            }
            _ => verdict,
        }
    }

    fn keep(&mut self, verdict: Verdict) -> Verdict {
        self.last = Some(verdict);
        verdict
    }

    fn learn(&mut self, place: usize) {
        self.seen = self.seen.saturating_add(1);
        if let Some(count) = self.places.get_mut(place) {
            *count += 1;
            if *count >= LEARN_LINES && u64::from(*count) * 10 >= u64::from(self.seen) * 9 {
                self.learned = Some(place);
            }
        }
    }

    /// A header that the column does not know: another word, or another shape, which then comes more often.
    fn note_stranger(&mut self, line: &[u8], level: Level, start: usize, word: &[u8]) {
        let end = start + word.len();
        let is_plain = Level::from_word(header::trim(word)) == Some(level);
        let Some(word) = line.get(start..=end).filter(|_| is_plain) else { return };
        let is_new_word = self.column.as_ref().is_some_and(|column| column.may_learn(start, word));
        if !is_new_word {
            self.strangers += 1;
            if self.column.is_some() && self.strangers < STRANGERS_MAX {
                return;
            }
            (self.column, self.strangers) = (Column::of(line, start), 0);
        }
        if let Some(column) = &mut self.column {
            column.learn(word, level);
        }
    }

    /// Too many lines that do not have it there: the source changed, learn again.
    fn note_miss(&mut self) {
        if self.learned.is_some() {
            self.missed += 2;
            if self.missed > LEARN_LINES {
                *self = Self { last: self.last, ..Self::default() };
            }
        }
    }

    /// The place of the level, once it is learned: number of the word, from 0.
    pub fn learned_place(&self) -> Option<usize> {
        self.learned
    }
}

/// What a line that begins something says of those behind it.
fn trace_of(line: &[u8], level: Level) -> Trace {
    if level < Level::Error {
        Trace::None
    } else if crate::errors::awaits_exception(line) {
        Trace::AwaitsException
    } else if crate::errors::begins(line) {
        Trace::Inside
    } else {
        Trace::None
    }
}

/// Whether a line goes on with what the line before began: frames, causes, and what is indented.
pub(crate) fn is_continuation(line: &[u8]) -> bool {
    match line.first() {
        Some(b'\t') => true,
        Some(b' ') => {
            line.starts_with(b"  ")
                && line.trim_ascii_start().first().is_some_and(|byte| !matches!(byte, b'{' | b'['))
                && !begins_with_date(line.trim_ascii_start())
                && !line.starts_with(b"  + Exception Group")
        }
        Some(b'C') => line.starts_with(b"Caused by: "),
        Some(b'}' | b')') => line.len() <= 2,
        Some(b'S') => line.starts_with(b"Stack trace:"),
        Some(b'#') => {
            line.get(1).is_some_and(u8::is_ascii_digit)
                && line.get(2..4).is_some_and(|two| two.contains(&b' '))
        }
        _ => false,
    }
}

/// `2024-05-14`, `2024/05/14`, `10:23:45`: some loggers indent whole lines.
fn begins_with_date(text: &[u8]) -> bool {
    let is = |shape: &[u8]| {
        text.len() > shape.len()
            && shape.iter().zip(text).all(|(want, byte)| match want {
                b'0' => byte.is_ascii_digit(),
                b'-' => matches!(byte, b'-' | b'/' | b'.'),
                want => want == byte,
            })
    };
    is(b"0000-00-00") || is(b"00:00:00")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::{Level, classify};

    #[test]
    fn a_learned_place_beats_words_elsewhere() {
        let mut classifier = Classifier::new();
        for n in 0..100 {
            let line = format!("2024-01-01 00:00:{:02} worker info fine", n % 60);
            classifier.next(line.as_bytes());
        }
        for _ in 0..100 {
            assert_eq!(classifier.next(b"2024-01-01 00:00:00 INFO worker ok").level, Level::Info);
        }
        let mut classifier = Classifier::new();
        for _ in 0..100 {
            classifier.next(b"12:00:00 [web] INFO ok");
        }
        assert_eq!(classifier.learned_place(), Some(2));
        let verdict = classifier.next(b"12:00:00 [web] INFO ERROR FATAL are words here");
        assert_eq!(verdict, Verdict::said(Level::Info));
    }

    #[test]
    fn frames_inherit() {
        let mut classifier = Classifier::new();
        assert_eq!(classifier.next(b"TypeError: x is not a function").level, Level::Error);
        assert_eq!(classifier.next(b"    at ok (/srv/app.js:1:2)").level, Level::Error);
        assert_eq!(classifier.next(b"listening on 3000").level, Level::Info);
    }

    #[test]
    fn words_are_guesses_and_marks_are_not() {
        assert_eq!(classify(b"connection failed"), Verdict::guessed(Level::Error));
        assert_eq!(classify(b"level=info msg=\"connection failed\""), Verdict::said(Level::Info));
        assert!(!classify(b"hello").inferred);
    }
}
