//! Which log files a selection means: the daemon's list when one runs, else the files' names.

use std::path::PathBuf;
use std::time::Duration;

use velos_client::logs::{self, LeftBehind};
use velos_client::{Client, Home};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{Cause, Event, What};
use velos_core::instance::{Exit, Phase};
use velos_core::protocol::{EventsParams, EventsReply, InstanceSummary, ListReply, Targets, method};
use velos_core::selector;

/// A daemon that hangs must not keep anybody from the logs.
const PATIENCE: Duration = Duration::from_secs(2);

/// The two streams of an instance.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) out: PathBuf,
    pub(crate) err: PathBuf,
}

/// Logs of these, or of all; those of apps that are gone too, when they are named.
pub(crate) fn find(home: &Home, targets: &[String]) -> Result<Vec<Source>, ErrorReply> {
    let known = known(home);
    let candidates: Vec<_> = known.iter().map(super::candidate).collect();
    let all = ["all".to_owned()];
    let mut sources: Vec<Source> = Vec::new();
    for target in if targets.is_empty() { &all[..] } else { targets } {
        let found: Vec<Source> = match selector::resolve(std::slice::from_ref(target), &candidates) {
            Ok(ids) => known.iter().filter(|one| ids.contains(&one.id)).map(source).collect(),
            Err(error) if error.code != ErrorCode::NotFound => return Err(error),
            Err(error) => {
                let left: Vec<Source> =
                    logs::left_behind(&home.logs(), target).into_iter().map(gone).collect();
                if left.is_empty() && !targets.is_empty() && target != "all" {
                    return Err(error);
                }
                left
            }
        };
        for source in found {
            // Instances that share their files are shown once.
            if !sources.iter().any(|seen| seen.out == source.out && seen.err == source.err) {
                sources.push(source);
            }
        }
    }
    Ok(sources)
}

/// What a running daemon knows; nothing when there is none, or when it does not answer.
fn known(home: &Home) -> Vec<InstanceSummary> {
    let list = Client::connect_within(home, "cli", PATIENCE).ok().flatten().and_then(|mut client| {
        client.set_patience(Some(PATIENCE));
        client.call::<_, ListReply>(method::LIST, &Targets::default()).ok()
    });
    list.unwrap_or_default().instances
}

/// How often the processes of an app ended by themselves since a moment, as far as a running daemon remembers.
pub(crate) fn crashes(app: &str, from_us: u64) -> u64 {
    let Ok(home) = Home::from_environment() else { return 0 };
    let reply = Client::connect_within(&home, "cli", PATIENCE).ok().flatten().and_then(|mut client| {
        client.set_patience(Some(PATIENCE));
        let params = EventsParams { since: None, targets: vec![app.to_owned()], limit: 0 };
        client.call::<_, EventsReply>(method::EVENTS, &params).ok()
    });
    let is_crash = |event: &&Event| {
        let is_recent = u64::try_from(event.at_ms).is_ok_and(|at_ms| at_ms.saturating_mul(1_000) >= from_us);
        is_recent
            && matches!(&event.what, What::Transition { from, cause: Cause::Exited { exit, .. }, .. }
                if *from != Phase::Stopping && *exit != Exit::Code(0))
    };
    reply.map_or(0, |reply| reply.events.iter().filter(is_crash).count() as u64)
}

fn gone(left: LeftBehind) -> Source {
    Source { name: super::shown_name(&left.stem, left.slot), out: left.out, err: left.err }
}

fn source(one: &InstanceSummary) -> Source {
    Source {
        name: super::shown_name(&one.name, one.slot),
        out: one.out_log.as_path().to_path_buf(),
        err: one.err_log.as_path().to_path_buf(),
    }
}
