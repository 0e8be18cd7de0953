//! `velos monit`: a full-screen view of a running daemon.
//!
//! A pure [`model::Model`], changed by [`update::update`] alone, drawn by [`view::view`] alone. What reaches the world, and
//! what comes from it, is in [`effects`]: threads that turn the terminal, the daemon, the logs and the host into
//! [`msg::Msg`], and that carry out [`msg::Effect`]. Nothing here prints but the terminal's own thread, and log content
//! comes from disk, never through the daemon.

mod clock;
pub mod digest;
pub mod effects;
pub mod filter;
mod layout;
pub mod logs;
pub mod model;
pub mod msg;
pub mod palette;
pub mod table;
pub mod update;
pub mod view;

#[cfg(test)]
mod sample;

pub use clock::Clock;
pub use effects::run;
pub use model::{Ending, Look};

use velos_core::event::{Cause, Event};

/// How the command line says things, so that they read the same here.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// One event as a sentence; `None`: a detail that is not told.
    pub sentence: fn(&Event) -> Option<String>,
    /// Why something happened.
    pub reason: fn(&Cause) -> String,
    /// Whether a variable's value is hidden.
    pub is_secret: fn(&str) -> bool,
}
