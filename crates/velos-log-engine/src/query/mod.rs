//! Reads the lines of an app in order, block by block, over all its segments, as much as a window of time asks for.
//!
//! A [`Reader`] gives the whole lines of one log in blocks of about 256 KiB; where the index is good, a binary search
//! finds where the window begins. A [`Merged`] puts the lines of several logs in the order of their times. Memory is the
//! blocks and the index of one segment per log, however long the log is.

mod block;
mod finder;
mod fragments;
mod history;
mod last;
mod levels;
mod merged;
mod own_time;
mod pattern;
mod reader;
mod when;
mod window;

pub use block::{Block, LineRef};
pub use history::history_start;
pub use last::{last, last_matching};
pub use levels::Levels;
pub use merged::Merged;
pub use own_time::own_time;
pub use pattern::{Pattern, PatternError};
pub use reader::Reader;
pub use when::{WhenError, parse as parse_when};
pub use window::Window;
