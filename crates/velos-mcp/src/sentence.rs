//! Events and exits in few words.

use velos_core::event::{Cause, DaemonStart, Event, What};
use velos_core::instance::{Exit, Phase};
use velos_core::protocol::InstanceSummary;
use velos_core::units::short_bytes;

use crate::clock;

/// One word, for filtering and for JSON.
pub(crate) fn kind(event: &Event) -> &'static str {
    match &event.what {
        What::Transition { to: Phase::Online, .. } => "online",
        What::Transition { to: Phase::Stopped, .. } => "stopped",
        What::Transition { to: Phase::Errored, .. } => "errored",
        What::Transition { cause: Cause::Exited { .. }, .. } => "exit",
        What::Transition { to: Phase::Backoff, .. } => "backoff",
        What::Transition { to: Phase::Waiting, .. } => "waiting",
        What::Transition { to: Phase::Stopping, .. } => "stopping",
        What::Transition { .. } => "starting",
        What::Added => "added",
        What::Deleted => "deleted",
        What::Killed { .. } => "killed",
        What::CaptureFailed { .. } | What::CaptureRecovered { .. } => "capture",
        What::DaemonStarted { .. } | What::UpgradeFailed { .. } => "daemon",
        What::Health { healthy: true, .. } => "healthy",
        What::Health { healthy: false, .. } => "unhealthy",
        What::Note { .. } => "note",
    }
}

/// What happened, without its time and app.
pub(crate) fn what(event: &Event) -> String {
    match &event.what {
        What::Transition { from, to, cause: Cause::Adopted, .. } if from == to => {
            "taken over by a new daemon".into()
        }
        What::Transition { to, cause, next_try_ms, .. } => {
            let next = next_try_ms.map_or(String::new(), |at| format!(", next try {}", clock::moment(at)));
            format!("{}: {}{next}", to.status(), reason(cause))
        }
        What::Added => "added".to_owned(),
        What::Deleted => "deleted".to_owned(),
        What::Killed { rounds: 1 } => "did not stop in time: SIGKILL".to_owned(),
        What::Killed { rounds } => format!("still there after SIGKILL number {rounds}"),
        What::CaptureFailed { errno } => {
            format!("output cannot be written: {}", std::io::Error::from_raw_os_error(*errno))
        }
        What::CaptureRecovered { dropped_lines } => {
            format!("output is written again; {dropped_lines} lines lost")
        }
        What::DaemonStarted { how, adopted } => {
            let how = match how {
                DaemonStart::Cold => "daemon started",
                DaemonStart::Crash => "daemon started again after a crash",
                DaemonStart::Upgrade => "daemon runs a new binary",
            };
            format!("{how}, {adopted} processes taken over")
        }
        What::Health { healthy: true, .. } => "healthy".to_owned(),
        What::Health { reason, .. } => {
            format!("unhealthy: {}", reason.as_deref().unwrap_or("no reason is known"))
        }
        What::UpgradeFailed { reason } => format!("daemon upgrade failed: {reason}"),
        What::Note { text } => text.clone(),
    }
}

/// Why a phase changed.
pub(crate) fn reason(cause: &Cause) -> String {
    match cause {
        Cause::Command { verb, by } => format!("{verb} asked by {by}"),
        Cause::Spawned => "it runs".to_owned(),
        Cause::SpawnFailed { failure } => failure.to_string(),
        Cause::Ready => "it says it is ready".to_owned(),
        Cause::ListenTimeout => "not ready in time".to_owned(),
        Cause::Exited { exit, uptime_ms } => format!("{} after {}", ended(exit), clock::short(*uptime_ms)),
        Cause::TreeEmpty => "nothing of it is left".to_owned(),
        Cause::BackoffOver => "pause over".to_owned(),
        Cause::MemoryLimit { bytes, limit } => {
            format!("used {} memory, limit {}", short_bytes(*bytes), short_bytes(*limit))
        }
        Cause::DependenciesMissing { first } => format!("waits for {first}"),
        Cause::DependenciesMet => "its dependencies are there".to_owned(),
        Cause::Unhealthy { reason } => format!("health check failed: {reason}"),
        Cause::Schedule => "its schedule".to_owned(),
        Cause::Reloaded => "a new process took over".to_owned(),
        Cause::Adopted => "a new daemon goes on with it".to_owned(),
        Cause::Rebooted => "the machine was restarted".to_owned(),
    }
}

/// `exit code 1`, `SIGKILL (killed; out of memory?)`.
pub(crate) fn ended(exit: &Exit) -> String {
    match exit {
        Exit::Signal(9) => "killed by SIGKILL (out of memory, or by hand)".to_owned(),
        Exit::Code(126) => "exit code 126 (not executable)".to_owned(),
        Exit::Code(127) => "exit code 127 (command not found)".to_owned(),
        Exit::Code(137) => "exit code 137 (a child was killed by SIGKILL)".to_owned(),
        other => other.to_string(),
    }
}

/// Why it is not running well, if it is not.
pub(crate) fn complaint(one: &InstanceSummary) -> Option<String> {
    let why = match (&one.spawn_failure, &one.exit) {
        (Some(failure), _) => failure.to_string(),
        (None, Some(exit)) => ended(exit),
        (None, None) => "no reason is known".to_owned(),
    };
    match one.phase {
        Phase::Errored => Some(format!("errored: {why}")),
        Phase::Backoff => Some(format!("crashing, waits for its next restart: {why}")),
        Phase::Online if one.healthy == Some(false) => Some("unhealthy".to_owned()),
        _ => None,
    }
}
