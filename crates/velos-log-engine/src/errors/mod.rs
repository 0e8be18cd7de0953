//! Errors as events: the lines of a stack trace belong together, and equal errors are counted, not repeated.
//!
//! Two errors are equal when their exceptions, causes included, and their five innermost frames of the program itself
//! are; line numbers and libraries do not count, so that an error stays the same over releases. Without such frames the
//! type and the message with its values masked decide.

mod collector;
mod dialects;
mod excerpt;
mod frame;
mod head;
mod said;
mod structured;
mod tools;
mod trace;

use serde::Serialize;

pub use collector::{Errors, Looked};
pub use said::message;

pub(crate) use excerpt::{Excerpt, Next};

/// Whether a line is how Ruby tells an exception that nobody caught.
pub(crate) fn is_ruby(line: &[u8]) -> bool {
    head::of_ruby(line).is_some()
}

/// Whether a line, without escape sequences, is one that only stands in a trace, behind its first line.
pub(crate) fn is_part(line: &[u8]) -> bool {
    frame::part(line).is_some()
        || trace::is_cause(line.trim_ascii())
        || line.starts_with(b"  what():")
        || trace::is_traceback(line)
}

/// Whether it is the first line of a trace.
pub(crate) fn begins(line: &[u8]) -> bool {
    trace::begins(line.trim_ascii())
}

/// Where in a line the first line of a trace begins, behind what its printer puts before each line.
pub(crate) fn begins_at(line: &[u8]) -> Option<usize> {
    trace::begins_at(line)
}

/// The rest of a line that begins with the same text but for its digits, which tell times and processes.
pub(crate) fn behind<'a>(before: &[u8], line: &'a [u8]) -> Option<&'a [u8]> {
    // Of a blank line its own blanks may be gone.
    let before = if line.len() < before.len() { before.trim_ascii_end() } else { before };
    let (start, rest) = line.split_at_checked(before.len())?;
    let is_same = |(a, b): (&u8, &u8)| a == b || a.is_ascii_digit() && b.is_ascii_digit();
    (!before.is_empty() && start.iter().zip(before).all(is_same)).then_some(rest)
}

/// Whether the exception follows below the frames, as in Python, or the message on the next line, as in Rust; groups are drawn,
/// and have no end to wait for.
pub(crate) fn awaits_exception(line: &[u8]) -> bool {
    let has = |text: &[u8]| memchr::memmem::find(line, text).is_some();
    has(b"Traceback (most recent call last)") && !has(b"Exception Group")
        || line.starts_with(b"thread '") && line.ends_with(b":") && has(b" panicked at ")
}

/// Whether a line quotes code as compilers do.
pub(crate) fn is_quoted(line: &[u8]) -> bool {
    tools::is_quoted(line)
}

/// Whether a whole line is a function as Go's zap prints them: `main.work`, `shop/db.(*Pool).get`.
pub(crate) fn is_go_function(line: &[u8]) -> bool {
    tools::is_go_function(line)
}

/// Errors that are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorGroup {
    /// The same for the same error, over time and runs.
    pub fingerprint: String,
    /// The types of the exceptions, the first one first: `OrderError < TypeError`. Empty for a plain line.
    pub kind: String,
    /// Of the first exception, with its values masked.
    pub message: String,
    /// The latest message as it was, with its type.
    pub last_message: String,
    /// How often.
    pub count: u64,
    /// When first, microseconds since 1970, as far as that is known.
    pub first_us: Option<u64>,
    /// When last.
    pub last_us: Option<u64>,
    /// Number of the first line of the first one, from 1, in the order they were read.
    pub first_line: u64,
    /// Number of the first line of the last one.
    pub last_line: u64,
    /// The latest one as it was printed, cut to 4 KiB.
    pub sample: String,
}
