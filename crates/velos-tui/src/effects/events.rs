//! Follows what the daemon tells: events for the screen, readings for who keeps the list. It goes on with the daemon that
//! follows one that went away, behind the last event it has.

use std::ops::ControlFlow;
use std::sync::mpsc::{SendError, Sender};
use std::time::Duration;

use velos_client::{Client, ErrorCode, ErrorReply, Home};
use velos_core::event::{Cause, Event, What};
use velos_core::instance::{Exit, Phase};
use velos_core::protocol::{EventsParams, EventsReply, method};
use velos_stream::{Item, Wanted};

use crate::Words;
use crate::model::EVENTS_MAX;
use crate::msg::{EventLine, Msg};

use super::NAME;
use super::daemon::Ask;

/// Between two readings, milliseconds: what a sparkline shows.
const SAMPLES_MS: u32 = 1_000;
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

impl<T> From<SendError<T>> for Stop {
    fn from(_: SendError<T>) -> Self {
        Self::Over
    }
}

pub(super) fn spawn(home: &Home, words: Words, send: &Sender<Msg>, ask: &Sender<Ask>) {
    let mut teller = Teller { words, send: send.clone(), ask: ask.clone(), last: None };
    let home = home.clone();
    std::thread::spawn(move || {
        loop {
            match teller.follow(&home) {
                Err(Stop::Over) => return,
                Ok(()) | Err(Stop::Lost) => std::thread::sleep(PAUSE),
            }
        }
    });
}

struct Teller {
    words: Words,
    send: Sender<Msg>,
    ask: Sender<Ask>,
    /// Sequence number of the last event.
    last: Option<u64>,
}

impl Teller {
    fn follow(&mut self, home: &Home) -> Result<(), Stop> {
        let Some(mut client) = Client::connect_within(home, NAME, PATIENCE)? else { return Ok(()) };
        let limit = u32::try_from(EVENTS_MAX).unwrap_or(0);
        let params = EventsParams { since: self.last, targets: Vec::new(), limit };
        let past: EventsReply = client.call(method::EVENTS, &params)?;
        drop(client);
        let words = self.words;
        self.send.send(Msg::Events(past.events.iter().map(|event| line(words, event)).collect()))?;
        self.last = Some(past.newest);
        match self.stream(home, Some(SAMPLES_MS)) {
            // One that knows no readings still tells what happens; the list is asked for as it always was.
            Err(error) if error.code == ErrorCode::Version => Ok(self.stream(home, None)?),
            other => Ok(other?),
        }
    }

    /// Until nobody listens, or there was no daemon to begin with.
    fn stream(&mut self, home: &Home, samples_ms: Option<u32>) -> Result<(), ErrorReply> {
        let wanted = Wanted { since: self.last, samples_ms, ..Wanted::default() };
        velos_stream::for_each(home, NAME, wanted, |item| match self.take(item) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(Ok(())),
        })
    }

    fn take(&mut self, item: Item) -> Result<(), Stop> {
        match item {
            Item::Event(event) => {
                self.last = Some(event.sequence);
                self.send.send(Msg::Events(vec![line(self.words, &event)]))?;
                self.ask.send(Ask::Changed)?;
            }
            Item::Samples(samples) => self.ask.send(Ask::Samples(samples))?,
            Item::Lost(missed) if missed.events > 0 => {
                self.send.send(Msg::EventsLost(missed.events))?;
                self.ask.send(Ask::Changed)?;
            }
            Item::Here(_) | Item::Away(_) => self.ask.send(Ask::Now)?,
            Item::Lost(_) | Item::Line(_) | Item::Unreadable(_) => {}
        }
        Ok(())
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
