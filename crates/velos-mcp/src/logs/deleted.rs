//! Logs of apps by name, also of those that were deleted: their files stay.

use velos_client::logs::{LeftBehind, left_behind};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::protocol::{InstanceSummary, ListReply, Targets, method};
use velos_log_engine::{Index, Stream, flag};

use super::{Log, Source, sources};
use crate::toolbox::Toolbox;

/// Ids of this kind are made from names; the daemon counts its own from 0.
const MADE: u32 = 1 << 31;

/// Logs to read.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) sources: Vec<Source>,
    /// A line for the reader, when they are of apps that are gone.
    pub(crate) note: String,
}

/// Of a name, or of all that may be seen.
///
/// # Errors
/// When neither an app nor files are called so.
pub(crate) fn chosen(toolbox: &Toolbox, name: Option<&str>) -> Result<Chosen, ErrorReply> {
    let found = match toolbox.chosen(name) {
        Ok(instances) if !instances.is_empty() => {
            return Ok(Chosen { sources: sources(&instances), note: String::new() });
        }
        Ok(_) => Ok(()),
        Err(error) if error.code == ErrorCode::NotFound => Err(error),
        Err(error) => return Err(error),
    };
    let left = gone(toolbox, name.unwrap_or("all"))?;
    if left.is_empty() {
        return found.map(|()| Chosen { sources: Vec::new(), note: String::new() });
    }
    let note = match name {
        Some(name) => format!("note: {name} was deleted; its log files are still there\n"),
        None => "note: no app is there; these are logs of deleted ones\n".to_owned(),
    };
    Ok(Chosen { sources: left.into_iter().map(source).collect(), note })
}

/// Files that may be seen and belong to no app that is there, hidden ones included.
fn gone(toolbox: &Toolbox, target: &str) -> Result<Vec<LeftBehind>, ErrorReply> {
    let is_permitted = |name: &str| toolbox.allow.permits(name);
    if target != "all" && !is_permitted(target) {
        return Ok(Vec::new());
    }
    let known: Vec<InstanceSummary> = match toolbox.running()? {
        Some(mut client) => client.call::<_, ListReply>(method::LIST, &Targets::default())?.instances,
        None => Vec::new(),
    };
    let is_known = |left: &LeftBehind| {
        known.iter().any(|one| one.out_log.as_path() == left.out || one.err_log.as_path() == left.err)
    };
    let mut left = left_behind(&toolbox.home.logs(), target);
    left.retain(|left| is_permitted(&left.stem) && !is_known(left));
    Ok(left)
}

fn source(left: LeftBehind) -> Source {
    let LeftBehind { stem, slot, out, err } = left;
    let name = if slot > 0 { format!("{stem}:{slot}") } else { stem.clone() };
    // The same for the same name, so that cursors hold.
    let id = MADE | (crc32c::crc32c(name.as_bytes()) >> 1);
    let logs = vec![Log { path: out, stream: Stream::Out }, Log { path: err, stream: Stream::Err }];
    let started = logs.iter().filter_map(|log| {
        let index = Index::of(&log.path);
        index
            .records()
            .iter()
            .rev()
            .find(|record| record.flags & flag::STARTED != 0)
            .map(|record| record.time_us)
    });
    let started_us = started.max();
    Source { name, app: stem, id, logs, started_us }
}
