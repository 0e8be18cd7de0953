//! One error while its lines come in.

use super::excerpt::{Excerpt, Next};
use super::frame::{Frame, Part, joined, part};
use super::head::{Head, head, named_head};
use super::tools::{is_go_function, is_npm, is_quoted};

/// More lines than this are no trace any more.
const LINES_MAX: usize = 2_000;
const SAMPLE_BYTES_MAX: usize = 4_096;
const MESSAGE_CHARS_MAX: usize = 500;
const FRAMES_MAX: usize = 256;
/// Frames that tell errors apart.
const FRAMES_TOLD: usize = 5;

/// Whether a line went on with the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// It is over; the line is another's.
    No,
}

/// An error, so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    /// The exceptions as they were printed.
    heads: Vec<Head>,
    /// What a plain line said before them.
    intro: Option<Vec<u8>>,
    frames: Vec<Frame>,
    /// Frames that came since the last head, outermost first.
    section: Vec<Frame>,
    function: Option<String>,
    /// After Python's `Traceback` the exception comes last.
    awaits_head: bool,
    /// After "During handling of ..." another traceback belongs to this error.
    is_chained: bool,
    is_group: bool,
    /// Go prints all goroutines; the first one failed.
    goroutines: usize,
    awaits_message: bool,
    /// What its printer put before the first line, and may put before each.
    before: Vec<u8>,
    /// Erlang says on the first line only that it will report.
    awaits_report: bool,
    /// The logger names the place of the line in Go, and prints functions bare.
    is_go: bool,
    /// Code before the exception, as long as that is awaited.
    excerpt: Option<Excerpt>,
    /// What is quoted is code, with its numbers.
    is_quoting: bool,
    /// `npm ERR!` stands before each line of what it says.
    is_npm: bool,
    blanks: usize,
    lines: usize,
    pub(super) sample: Vec<u8>,
    pub(super) time_us: Option<u64>,
    pub(super) number: u64,
}

impl Trace {
    /// Begins with this line, if errors begin so. `is_error` is what the level says.
    pub(super) fn begin(line: &[u8], is_error: bool) -> Option<Self> {
        let mut trace = Self::default();
        let text = line.trim_ascii();
        if let Some((excerpt, at)) = Excerpt::begin(line).filter(|_| is_error) {
            trace.excerpt = Some(excerpt);
            trace.before = line.get(..at).unwrap_or_default().to_vec();
            trace.intro = Some(line.get(at..).unwrap_or_default().trim_ascii().to_vec());
            trace.keep(line);
            return Some(trace);
        }
        let traceback = memchr::memmem::find(line, b"Traceback (most recent call last)").filter(|at| {
            at.checked_sub(1).is_some_and(|before| line.get(before) == Some(&b' ')) && !is_traceback(text)
        });
        if let Some(at) = traceback {
            trace.note_traceback(line.get(at..).unwrap_or_default());
        } else if is_traceback(text) {
            trace.note_traceback(text);
        } else if let Some(head) = head(text).or_else(|| head_within(text)) {
            trace.put_head(head, line);
        } else if is_error && !text.is_empty() {
            trace.intro = Some(super::said::message(text).into_owned());
            trace.awaits_report = is_report(text);
            trace.is_npm = is_npm(text);
            trace.is_go = memchr::memmem::find(text, b".go:").is_some();
        } else {
            return None;
        }
        if let Some(at) = begins_at(line) {
            trace.before = line.get(..at).unwrap_or_default().to_vec();
        }
        trace.keep(line);
        Some(trace)
    }

    /// The next line of the same stream. `is_error` as for [`Self::begin`].
    pub(super) fn take(&mut self, line: &[u8], is_error: bool) -> Taken {
        // The same lines behind what stands before each; but another exception there is another error.
        match super::behind(&self.before, line) {
            Some(rest)
                if self.awaits_head
                    || self.excerpt.is_some()
                    || rest.is_empty()
                    || rest.starts_with(b"  ")
                    || part(rest).is_some()
                    || is_cause(rest.trim_ascii()) =>
            {
                self.take_bare(rest, false)
            }
            _ => self.take_bare(line, is_error),
        }
    }

    fn take_bare(&mut self, line: &[u8], is_error: bool) -> Taken {
        let taken = if self.lines < LINES_MAX { self.goes_on(line, is_error) } else { Taken::No };
        if taken == Taken::Yes {
            self.keep(line);
        }
        taken
    }

    fn goes_on(&mut self, line: &[u8], is_error: bool) -> Taken {
        let text = line.trim_ascii();
        if let Some(mut excerpt) = self.excerpt.take() {
            match excerpt.take(line) {
                Next::Code => self.excerpt = Some(excerpt),
                Next::Exception => self.note_exception(text, line),
                Next::Other => return Taken::No,
            }
            return Taken::Yes;
        }
        if text.is_empty() {
            self.blanks += 1;
            return if self.blanks <= 2 { Taken::Yes } else { Taken::No };
        }
        let after_blank = std::mem::take(&mut self.blanks) > 0;
        let is_indented = matches!(line.first(), Some(b' ' | b'\t')) || self.is_group && is_drawn(text);
        if is_traceback(text) {
            let is_ours = self.heads.is_empty() && self.frames.is_empty() || self.is_chained || self.is_group;
            if is_ours {
                self.note_traceback(text);
                return Taken::Yes;
            }
            return Taken::No;
        }
        if self.is_awaited(text) {
            return Taken::Yes;
        }
        if let Some(cause) = self.cause(text, is_indented) {
            self.put_head(cause, line);
            return Taken::Yes;
        }
        if self.is_said_by_its_tool(text) {
            return Taken::Yes;
        }
        match part(line) {
            Some(Part::Frame(frame)) => self.put_frame(frame),
            Some(Part::Function(function)) if self.goroutines <= 1 => self.function = Some(function),
            Some(Part::File(file)) => {
                if let Some(function) = self.function.take() {
                    self.put_frame(joined(&function, &file));
                }
            }
            Some(Part::Function(_)) => {}
            Some(Part::Filler) => self.note_filler(text),
            // Code, properties, what a message says on further lines.
            // .NET says on the first line only who speaks.
            None if is_indented && self.intro.as_deref().is_some_and(is_category) && !self.has_trace() => {
                self.intro = Some(text.to_vec());
            }
            None if is_indented
                && (!after_blank || !self.has_trace() || self.is_ruby())
                && (self.has_trace() || !is_error) => {}
            // zap: `main.work`, then a tab and the place.
            None if self.is_go && is_go_function(text) => {
                self.function = Some(String::from_utf8_lossy(text).into_owned());
            }
            None => return Taken::No,
        }
        Taken::Yes
    }

    /// Whether the line says what the lines before announced.
    fn is_awaited(&mut self, text: &[u8]) -> bool {
        if self.awaits_report {
            self.awaits_report = false;
            self.intro = Some(text.to_vec());
            return true;
        }
        if let Some(message) = text.strip_prefix(b"what():")
            && let Some(last) = self.heads.last_mut().filter(|last| last.message.is_empty())
        {
            last.message = message.trim_ascii().to_vec();
            return true;
        }
        if self.awaits_message && !text.starts_with(b"stack backtrace") {
            self.awaits_message = false;
            if let Some(last) = self.heads.last_mut() {
                last.message = text.to_vec();
                return true;
            }
        }
        false
    }

    /// What follows the code.
    fn note_exception(&mut self, text: &[u8], line: &[u8]) {
        // Node prints what is no exception as an object.
        let bare = text.strip_prefix(b"[").map_or(text, |rest| {
            let rest = rest.strip_suffix(b" {").unwrap_or(rest);
            rest.strip_suffix(b"]").unwrap_or(rest)
        });
        match head(bare).or_else(|| named_head(bare).filter(|head| !head.message.is_empty())) {
            Some(mut head) => {
                // Bun's name of the class that others derive from.
                if head.kind == "error" {
                    head.kind = "Error".to_owned();
                }
                self.put_head(head, line);
            }
            None => self.intro = Some(text.to_vec()),
        }
    }

    /// Lines that go on in a way of the tool that printed the first: compilers quote code, npm repeats its name,
    /// PostgreSQL tells more.
    fn is_said_by_its_tool(&mut self, text: &[u8]) -> bool {
        self.is_quoting |= text.starts_with(b"--> ");
        self.is_quoting && is_quoted(text) || self.is_npm && is_npm(text)
    }

    /// Whether it is over before it said what it is about.
    pub(super) fn is_nothing(&self) -> bool {
        self.heads.is_empty() && self.intro.as_deref().is_some_and(|intro| Excerpt::begin(intro).is_some())
    }

    /// An exception that belongs to this error.
    fn cause(&mut self, text: &[u8], is_indented: bool) -> Option<Head> {
        let mark = MARKS.iter().find_map(|mark| text.strip_prefix(*mark));
        if let Some(rest) = mark {
            return head(rest).or_else(|| named_head(rest));
        }
        if self.awaits_head && (!is_indented || is_drawn(text)) {
            self.awaits_head = false;
            return head(text).or_else(|| named_head(text));
        }
        // A logger's own words, then the exception on a line of its own: Java and .NET do that, and who ends with a colon.
        let is_first = self.heads.is_empty() && self.frames.is_empty() && self.section.is_empty();
        let is_announced = self.intro.as_ref().is_some_and(|intro| intro.ends_with(b":"));
        if is_first {
            let says_it_again = |head: &Head| {
                let intro = self.intro.as_deref().unwrap_or_default();
                head.message.len() > 3 && memchr::memmem::find(intro, &head.message).is_some()
            };
            return head(text).filter(|head| {
                is_announced
                    || is_indented
                    || text.starts_with(b"** (")
                    || head.kind.contains('.')
                    || says_it_again(head)
            });
        }
        if is_indented && self.is_group { head(text) } else { None }
    }

    fn put_head(&mut self, head: Head, line: &[u8]) {
        self.close_section();
        self.is_chained = false;
        self.awaits_message = head.kind == "panic" && head.message.is_empty();
        self.heads.push(head);
        // Ruby names the innermost frame where it names the exception.
        if let Some(Part::Frame(frame)) = part(line).filter(|_| memchr::memmem::find(line, b".rb:").is_some())
        {
            self.put_frame(frame);
        }
    }

    fn put_frame(&mut self, frame: Frame) {
        let is_again = self.section.last() == Some(&frame);
        if !is_again && self.section.len() < FRAMES_MAX && self.goroutines <= 1 {
            self.section.push(frame);
        }
    }

    fn note_traceback(&mut self, text: &[u8]) {
        self.close_section();
        self.awaits_head = true;
        self.is_chained = false;
        self.is_group |= is_drawn(text) || memchr::memmem::find(text, b"Exception Group").is_some();
    }

    fn note_filler(&mut self, text: &[u8]) {
        if text.starts_with(b"goroutine ") {
            self.goroutines += 1;
        }
        if text.starts_with(b"During handling of") || text.starts_with(b"The above exception was") {
            self.is_chained = true;
        }
    }

    /// The innermost frame first.
    fn close_section(&mut self) {
        if self.section.first().is_some_and(|frame| frame.is_outer_first) {
            self.section.reverse();
        }
        self.frames.append(&mut self.section);
    }

    /// A line that its program puts its own header before.
    pub(super) fn note_detail(&mut self, line: &[u8]) {
        self.keep(line);
    }

    fn keep(&mut self, line: &[u8]) {
        self.lines += 1;
        if self.sample.len() < SAMPLE_BYTES_MAX {
            if !self.sample.is_empty() {
                self.sample.push(b'\n');
            }
            let room = SAMPLE_BYTES_MAX - self.sample.len().min(SAMPLE_BYTES_MAX);
            self.sample.extend_from_slice(line.get(..line.len().min(room)).unwrap_or_default());
        }
    }

    /// Ruby quotes the code below a gap.
    fn is_ruby(&self) -> bool {
        self.section.last().is_some_and(|frame| frame.file.ends_with(".rb"))
    }

    fn has_trace(&self) -> bool {
        !self.heads.is_empty() || !self.section.is_empty() || !self.frames.is_empty() || self.awaits_head
    }

    /// What went wrong, in one line: type and message, or what the line said.
    pub(super) fn message(&self) -> String {
        let text = match self.heads.first() {
            Some(head) if head.message.is_empty() => head.kind.clone(),
            Some(head) => format!("{}: {}", head.kind, String::from_utf8_lossy(&head.message)),
            None => String::from_utf8_lossy(self.intro.as_deref().unwrap_or_default()).into_owned(),
        };
        text.chars().take(MESSAGE_CHARS_MAX).collect()
    }

    /// The types, joined; the first message with its values masked; and what tells this error from others.
    pub(super) fn told(&mut self) -> (String, String, u64) {
        self.close_section();
        let kinds: Vec<&str> = self.heads.iter().map(|head| head.kind.as_str()).collect();
        let kind = kinds.join(" < ");
        let text = self.heads.first().map(|head| &head.message).or(self.intro.as_ref());
        let mut masked = Vec::new();
        let message = text.map_or(&[][..], Vec::as_slice);
        crate::template::mask(message.get(..message.len().min(1_024)).unwrap_or_default(), &mut masked);
        let mut told = kind.clone().into_bytes();
        let ours: Vec<&Frame> = self.frames.iter().filter(|frame| frame.is_ours).take(FRAMES_TOLD).collect();
        if ours.is_empty() {
            told.push(b'\n');
            told.extend_from_slice(&masked);
        }
        for frame in ours {
            told.extend_from_slice(format!("\n{}:{}", frame.file, frame.function).as_bytes());
        }
        (kind, crate::template::render(&masked), crate::template::hash(&told))
    }
}

/// `Microsoft.AspNetCore.Server.Kestrel[13]`
fn is_category(intro: &[u8]) -> bool {
    let number = intro.strip_suffix(b"]").and_then(|rest| rest.rsplit(|byte| *byte == b'[').next());
    !intro.contains(&b' ') && number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
}

/// `=CRASH REPORT==== 14-May-2024::10:23:45 ===`
fn is_report(text: &[u8]) -> bool {
    text.starts_with(b"=") && memchr::memmem::find(text, b" REPORT====").is_some()
}

/// Exception groups draw their tree with bars.
fn is_drawn(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'|' | b'+'))
}

pub(super) fn is_traceback(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let start = text.iter().position(|byte| !matches!(byte, b'|' | b'+' | b'-' | b' ')).unwrap_or(0);
    let text = text.get(start..).unwrap_or_default();
    text.starts_with(b"Traceback (most recent call last)") || text.starts_with(b"Exception Group Traceback")
}

/// What stands before an exception that caused another.
const MARKS: [&[u8]; 8] = [
    b"Caused by: ",
    b"Suppressed: ",
    b"[cause]: ",
    b"---> ",
    b"Next ",
    b"Wrapped by: ",
    b"caused by: ",
    b"[errors]: ",
];

/// Whether a line names an exception that caused another.
pub(super) fn is_cause(text: &[u8]) -> bool {
    MARKS.iter().any(|mark| text.strip_prefix(*mark).is_some_and(|rest| head(rest).is_some()))
}

/// Whether a line is the first of a trace.
pub(super) fn begins(text: &[u8]) -> bool {
    is_traceback(text) || head(text).or_else(|| head_within(text)).is_some()
}

/// Where it does, in the line.
pub(super) fn begins_at(line: &[u8]) -> Option<usize> {
    if let Some(at) = memchr::memmem::find(line, b"Traceback (most recent call last)") {
        return Some(at);
    }
    if head(line.trim_ascii()).is_some() {
        return Some(line.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(0));
    }
    within(line).map(|(at, _)| at)
}

/// An exception behind what a logger wrote: `2026-03-01 10:00:00 ERROR api: TypeError: x is undefined`.
fn head_within(text: &[u8]) -> Option<Head> {
    within(text).map(|(_, head)| head)
}

fn within(text: &[u8]) -> Option<(usize, Head)> {
    let zone = text.get(..text.len().min(200))?;
    let starts = memchr::memchr_iter(b' ', zone).map(|space| space + 1);
    starts
        .filter(|start| {
            let before = zone.get(..start - 1).unwrap_or_default();
            if matches!(zone.get(*start), Some(b' ' | b'|' | b'+' | b'-')) {
                return false;
            }
            matches!(before.last(), Some(b':' | b']' | b'-' | b')' | b'|' | b'0'..=b'9' | b'Z' | b'>'))
                || before.ends_with(b"ERROR")
                || before.ends_with(b"FATAL")
                || before.ends_with(b"Unhandled")
                || before.ends_with(b"Uncaught")
        })
        .find_map(|start| head(text.get(start..)?).map(|head| (start, head)))
}
