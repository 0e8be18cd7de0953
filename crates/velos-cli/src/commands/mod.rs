//! The commands, and what they share.

pub(crate) mod daemon;
pub(crate) mod events;
pub(crate) mod flush;
pub(crate) mod info;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod ping;
pub(crate) mod select;
pub(crate) mod start;
pub(crate) mod upgrade;
pub(crate) mod version;
pub(crate) mod why;

use std::io::IsTerminal;

use velos_client::{Client, Home};
use velos_core::error::{ErrorCode, ErrorReply};

use crate::args::{Arguments, Color};

/// Exit code, or a failure for `error.rs`.
pub(crate) type Result = std::result::Result<u8, ErrorReply>;

/// What the flags said.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) machine: bool,
    pub(crate) quiet: bool,
    pub(crate) colour: bool,
    pub(crate) stderr_colour: bool,
}

impl Context {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = |terminal: bool| match arguments.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        Self {
            machine: arguments.machine,
            quiet: arguments.quiet,
            colour: !arguments.machine && colour(std::io::stdout().is_terminal()),
            stderr_colour: colour(std::io::stderr().is_terminal()),
        }
    }

    /// A daemon, started if there is none.
    pub(crate) fn daemon(&self) -> std::result::Result<Client, ErrorReply> {
        velos_client::start::connect_or_start(&Home::from_environment()?, "cli")
    }

    /// A running daemon; it is not started.
    pub(crate) fn running_daemon(&self) -> std::result::Result<Option<Client>, ErrorReply> {
        Client::connect(&Home::from_environment()?, "cli")
    }

    /// Text for people, unless they asked for silence.
    pub(crate) fn say(&self, text: &str) -> std::result::Result<(), ErrorReply> {
        if self.quiet { Ok(()) } else { crate::output::print(text) }
    }
}

/// A failure without a special code.
pub(crate) fn failed(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, message)
}
