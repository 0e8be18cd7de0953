//! Reading logs from disk, with places that survive rotation and restarts of the daemon.

mod cursor;
mod deleted;
mod file;
mod gather;
mod source;

pub(crate) use cursor::Cursor;
pub(crate) use deleted::{Chosen, chosen};
pub(crate) use file::{Log, LogLine, Place};
pub(crate) use gather::{Row, Selected, after, last};
pub(crate) use source::{Source, sources};
