//! Reads logs straight from disk: no daemon needed, nothing written.
//!
//! A log is a live file `x-out.log` and closed segments `x-out.<n>.log`, each with an index `.vix` that tells when which
//! bytes were written, and by which stream when two share the file. A missing or torn index costs the times, never the
//! lines.

pub mod anomaly;
pub mod ansi;
mod content;
pub mod errors;
mod follow;
pub mod health;
mod index;
mod json;
pub mod level;
mod line;
mod merge;
mod pack;
pub mod query;
pub mod redact;
mod segments;
mod split;
pub mod summary;
mod tail;
pub mod template;
mod watch;
mod zstd;

pub use content::SegmentBytes;
pub use follow::Follower;
pub use index::{Index, Record, flag};
pub use level::{Level, Verdict};
pub use line::{Line, Stream, neutralise};
pub use merge::merge;
pub use pack::{Packed, pack};
pub use segments::closed_segments;
pub use tail::tail;
pub use watch::{Watcher, Woken};

/// The lines of a block of text, without their newlines; a last one without a newline counts.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..end)?;
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(line)
    })
}
