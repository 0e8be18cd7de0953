//! Follows the daemon's events; after a pause it goes on behind the last one it has.

use std::sync::mpsc::{SendError, Sender};
use std::time::Duration;

use velos_client::{Client, ErrorReply, Home, Notice};
use velos_core::event::{Cause, Event, What};
use velos_core::instance::{Exit, Phase};
use velos_core::protocol::{EventsParams, EventsReply, method};

use crate::Words;
use crate::model::EVENTS_MAX;
use crate::msg::{EventLine, Msg};

use super::NAME;

/// Before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the daemon may take to answer the first question.
const PATIENCE: Duration = Duration::from_secs(5);

enum Stop {
    /// Try again.
    Lost,
    /// Nobody listens.
    Over,
}

impl From<ErrorReply> for Stop {
    fn from(_: ErrorReply) -> Self {
        // Whether the daemon is away is told by who asks for the list.
        Self::Lost
    }
}

impl From<SendError<Msg>> for Stop {
    fn from(_: SendError<Msg>) -> Self {
        Self::Over
    }
}

pub(super) fn spawn(home: &Home, words: Words, send: &Sender<Msg>) {
    let (home, send) = (home.clone(), send.clone());
    std::thread::spawn(move || {
        let mut last = None;
        loop {
            match follow(&home, words, &send, &mut last) {
                Err(Stop::Over) => return,
                Ok(()) | Err(Stop::Lost) => std::thread::sleep(PAUSE),
            }
        }
    });
}

fn follow(home: &Home, words: Words, send: &Sender<Msg>, last: &mut Option<u64>) -> Result<(), Stop> {
    let Some(mut client) = Client::connect_within(home, NAME, PATIENCE)? else { return Ok(()) };
    let limit = u32::try_from(EVENTS_MAX).unwrap_or(0);
    let params = EventsParams { since: *last, targets: Vec::new(), limit };
    let past: EventsReply = client.call(method::EVENTS, &params)?;
    send.send(Msg::Events(past.events.iter().map(|event| line(words, event)).collect()))?;
    *last = Some(past.newest);
    client.subscribe(&EventsParams { since: *last, ..EventsParams::default() })?;
    loop {
        match client.next_notice()? {
            Notice::Event(event) => {
                *last = Some(event.sequence);
                send.send(Msg::Events(vec![line(words, &event)]))?;
            }
            Notice::Lost(count) => send.send(Msg::EventsLost(count))?,
        }
    }
}

fn line(words: Words, event: &Event) -> EventLine {
    let is_crash = is_crash(&event.what);
    let phase = match &event.what {
        What::Transition { to, pid, .. } => Some((*to, *pid)),
        _ => None,
    };
    EventLine {
        sequence: event.sequence,
        at_ms: event.at_ms,
        instance: event.instance,
        text: (words.sentence)(event),
        phase,
        is_bad: is_bad(&event.what),
        is_crash,
    }
}

/// The same that counts for the score of `velos health`.
fn is_crash(what: &What) -> bool {
    matches!(what, What::Transition { from, cause: Cause::Exited { exit, .. }, .. }
        if *from != Phase::Stopping && *exit != Exit::Code(0))
}

fn is_bad(what: &What) -> bool {
    match what {
        What::Transition { to: Phase::Errored, .. } => true,
        What::Transition { cause, .. } => match cause {
            Cause::Exited { .. } => is_crash(what),
            Cause::SpawnFailed { .. }
            | Cause::ListenTimeout
            | Cause::MemoryLimit { .. }
            | Cause::Unhealthy { .. } => true,
            Cause::Command { .. }
            | Cause::Spawned
            | Cause::Ready
            | Cause::TreeEmpty
            | Cause::BackoffOver
            | Cause::DependenciesMissing { .. }
            | Cause::DependenciesMet
            | Cause::Schedule
            | Cause::Reloaded
            | Cause::Adopted
            | Cause::Rebooted => false,
        },
        What::Killed { .. } | What::CaptureFailed { .. } | What::UpgradeFailed { .. } => true,
        What::CaptureRecovered { dropped_lines } => *dropped_lines > 0,
        What::Health { healthy, .. } => !healthy,
        What::DaemonStarted { how, .. } => *how == velos_core::event::DaemonStart::Crash,
        What::Added | What::Deleted | What::Note { .. } => false,
    }
}
