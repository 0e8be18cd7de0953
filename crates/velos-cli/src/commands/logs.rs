//! `velos logs`: straight from disk, so it works without a daemon and after an app is gone.

use std::io::IsTerminal;
use std::os::fd::BorrowedFd;
use std::path::Path;

use velos_client::Home;
use velos_core::error::{ErrorCode, ErrorReply};

use super::log_sources::find;
use super::logs_views::View;
use super::logs_wanted::Wanted;
use crate::args::Logs;

pub(crate) fn run(context: &super::Context, logs: &Logs) -> super::Result {
    run_until(context, logs, None)
}

/// The same; where lines are followed, until the other end of this pipe is closed.
pub(crate) fn run_until(
    context: &super::Context,
    logs: &Logs,
    until: Option<BorrowedFd<'_>>,
) -> super::Result {
    let home = Home::from_environment()?;
    let view = View::of(logs);
    // A window that is asked for has an end.
    let has_end = logs.nostream || logs.run.is_some() || logs.until.is_some() || view.is_some();
    let streams = logs.follow
        || !has_end && logs.since.is_none() && !context.machine && std::io::stdout().is_terminal();
    if logs.follow && logs.until.is_some() {
        return Err(super::usage("--follow has no end, so --until has no place beside it"));
    }
    let of_run;
    let logs = match logs.run {
        Some(number) => {
            of_run = super::runs::window(context, logs, number)?;
            &of_run
        }
        None => logs,
    };
    let wanted = Wanted::of(logs, context.machine, streams)?;
    let sources = find(&home, &logs.targets)?;
    match view {
        Some(view) => super::logs_views::show(context, logs, view, &wanted, &sources),
        None => super::logs_lines::show(context, &home, logs, &wanted, sources, streams, until),
    }
}

pub(crate) fn cannot_read(path: &Path, error: &std::io::Error) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, format!("cannot read {}: {error}", path.display()))
}
