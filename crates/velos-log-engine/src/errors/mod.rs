//! Errors as events: the lines of a stack trace belong together, and equal errors are counted, not repeated.
//!
//! Two errors are equal when their exceptions, causes included, and their five innermost frames of the program itself
//! are; line numbers and libraries do not count, so that an error stays the same over releases. Without such frames the
//! type and the message with its values masked decide.

mod collector;
mod dialects;
mod frame;
mod head;
mod said;
mod structured;
mod trace;

use serde::Serialize;

pub use collector::{Errors, Looked};
pub use said::message;

/// Whether a line is how Ruby tells an exception that nobody caught.
pub(crate) fn is_ruby(line: &[u8]) -> bool {
    head::of_ruby(line).is_some()
}

/// Whether a line, without escape sequences, is one that only stands in a trace, behind its first line.
pub(crate) fn is_part(line: &[u8]) -> bool {
    frame::part(line).is_some() || line.starts_with(b"  what():") || trace::is_traceback(line)
}

/// Whether it is the first line of a trace.
pub(crate) fn begins(line: &[u8]) -> bool {
    trace::begins(line.trim_ascii())
}

/// Whether the exception follows below the frames, as in Python.
pub(crate) fn is_traceback(line: &[u8]) -> bool {
    trace::is_traceback(line.trim_ascii())
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
