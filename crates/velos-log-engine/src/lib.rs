//! Reads logs straight from disk: no daemon needed, nothing written.
//!
//! A log is a live file `x-out.log` and closed segments `x-out.<n>.log`, each with an index `.vix` that tells when which
//! bytes were written. A missing or torn index costs the times, never the lines.

mod follow;
mod index;
mod line;
mod tail;

pub use follow::Follower;
pub use index::{Record, read_index};
pub use line::{Line, Stream, neutralise};
pub use tail::{merge, tail};
