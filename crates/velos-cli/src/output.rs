//! Text and JSON on their way out: one write each.

use std::io::{ErrorKind, IsTerminal, Write};

use serde::Serialize;
use velos_core::error::{ErrorCode, ErrorReply};

/// What became of something printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Printed {
    /// It went out.
    Read,
    /// The reader went away (`velos list | head`), which is no failure, but a reason to stop.
    NobodyReads,
}

/// Write data.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<Printed, ErrorReply> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(Printed::Read),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Printed::NobodyReads),
        Err(error) => {
            Err(ErrorReply::new(ErrorCode::Failed, format!("cannot write to standard output: {error}")))
        }
    }
}

/// Write text.
pub(crate) fn print(text: &str) -> Result<Printed, ErrorReply> {
    print_bytes(text.as_bytes())
}

/// One JSON document.
pub(crate) fn print_json<T: Serialize>(value: &T) -> Result<Printed, ErrorReply> {
    let cannot = |error| ErrorReply::new(ErrorCode::Internal, format!("cannot make JSON: {error}"));
    let mut text = if crate::ai::is_wanted() {
        crate::ai::compact(serde_json::to_value(value).map_err(cannot)?).to_string()
    } else {
        serde_json::to_string(value).map_err(cannot)?
    };
    text.push('\n');
    print(&text)
}

/// Columns of the terminal; `COLUMNS` wins, no limit elsewhere.
pub(crate) fn width() -> usize {
    if let Some(columns) = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|n| *n > 0)
    {
        return columns;
    }
    if std::io::stdout().is_terminal() { terminal_columns().unwrap_or(80) } else { usize::MAX }
}

fn terminal_columns() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}
