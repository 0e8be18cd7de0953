//! Everything that happens, as one stream: events, readings, and lines of logs.
//!
//! Theory of operation. The daemon tells how far logs have grown and never what stands in them, so this crate joins the
//! two halves: [`velos_client::live::Updates`] brings what the daemon tells, and for each log a follower of
//! [`velos_log_engine`] reads on where it stopped, at most [`STEP_BYTES`] at a time, so that one log that never rests
//! does not hold up the others. A follower knows the file it reads, not only its name: neither rotation nor a crash of
//! the daemon makes it lose or repeat a line. Lines are in order within a log, not between logs.
//!
//! The queue before the reader is bounded by [`Wanted::capacity`]. Who is too slow loses the oldest and is told how many
//! ([`Item::Lost`]).

mod blocking;
mod live;
mod logs;

#[cfg(test)]
mod tests;

pub use blocking::for_each;
pub use live::{Item, Live, LogLine, Wanted};
pub use velos_client::live::Missed;

/// Most bytes of one log that are read before others have their turn.
pub const STEP_BYTES: u64 = 1024 * 1024;
