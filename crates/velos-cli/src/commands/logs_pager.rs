//! Long text on a terminal goes to a pager: $VELOS_PAGER, $PAGER, or less.

use std::io::{IsTerminal, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use nix::sys::signal::{SigSet, Signal};
use velos_core::error::ErrorReply;

use crate::output::{Printed, print_bytes};

/// What is written to.
pub(crate) enum Sink {
    /// Until it is clear whether it fits on the screen.
    Waiting {
        text: Vec<u8>,
        rows: usize,
    },
    Pager {
        child: Child,
        input: Option<ChildStdin>,
    },
    Direct,
}

impl Sink {
    /// `may_page` is whether people read it and it has an end.
    pub(crate) fn new(may_page: bool) -> Self {
        if may_page && std::io::stdout().is_terminal() {
            let rows = terminal_size::terminal_size().map_or(24, |(_, rows)| usize::from(rows.0));
            Self::Waiting { text: Vec::new(), rows }
        } else {
            Self::Direct
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<Printed, ErrorReply> {
        match self {
            Self::Direct => print_bytes(bytes),
            Self::Pager { input, .. } => Ok(feed(input, bytes)),
            Self::Waiting { text, rows } => {
                text.extend_from_slice(bytes);
                if text.iter().filter(|byte| **byte == b'\n').count() < *rows {
                    return Ok(Printed::Read);
                }
                let text = std::mem::take(text);
                *self = pager().unwrap_or(Self::Direct);
                self.write(&text)
            }
        }
    }

    /// Everything was written. The pager may stay for long.
    pub(crate) fn finish(self) -> Result<(), ErrorReply> {
        match self {
            Self::Direct => {}
            Self::Waiting { text, .. } => {
                print_bytes(&text)?;
            }
            Self::Pager { mut child, input } => {
                drop(input);
                child.wait().map_err(|error| super::failed(format!("the pager was lost: {error}")))?;
            }
        }
        Ok(())
    }
}

fn feed(input: &mut Option<ChildStdin>, bytes: &[u8]) -> Printed {
    // Who quits the pager has read enough.
    match input.as_mut().map(|input| input.write_all(bytes)) {
        Some(Ok(())) => Printed::Read,
        _ => Printed::NobodyReads,
    }
}

/// Nothing when none is wanted, or it cannot be started: then the terminal scrolls.
fn pager() -> Option<Sink> {
    let named = ["VELOS_PAGER", "PAGER"].iter().find_map(|name| std::env::var(name).ok());
    let command = named.unwrap_or_else(|| "less -FRX".to_owned());
    if command.trim().is_empty() || command.trim() == "cat" {
        return None;
    }
    let mut child = Command::new("sh");
    child.arg("-c").arg(&command).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        child.env("LESS", "FRX");
    }
    let mut child = child.spawn().ok()?;
    let input = child.stdin.take();
    // Ctrl-C is for the pager; when it ends, so do we.
    let mut interrupt = SigSet::empty();
    interrupt.add(Signal::SIGINT);
    interrupt.thread_block().ok()?;
    Some(Sink::Pager { child, input })
}
