//! Reads logs straight from disk: no daemon needed, nothing written.
//!
//! A log is a live file `x-out.log` and closed segments `x-out.<n>.log`, each with an index `.vix` that tells when which
//! bytes were written, and by which stream when two share the file. A missing or torn index costs the times, never the
//! lines.

mod follow;
mod index;
mod line;
mod merge;
mod segments;
mod split;
mod tail;
mod watch;

pub use follow::Follower;
pub use index::{Index, Record, flag};
pub use line::{Line, Stream, neutralise};
pub use merge::merge;
pub use tail::tail;
pub use watch::{Watcher, Woken};
