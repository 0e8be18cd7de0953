//! A subscription that outlives the daemon it began with.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::Event;
use velos_core::frame::{self, Message};
use velos_core::live::{Kind, Logs, Samples, SubscribeParams, Subscribed};
use velos_core::protocol::{HelloReply, Lost, method};

use super::ring::{Missed, Queued, Ring};
use super::wire::{self, FIRST_ID};
use crate::Home;
use crate::client::Failure;

/// Updates that wait for their reader.
const CAPACITY: usize = 1_024;
/// Before it is tried again to reach a daemon that went away; it doubles.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What a subscription brings.
#[derive(Clone, Debug)]
pub enum Update {
    /// Connected; always the first, and again after each [`Update::Away`].
    Here(Box<Here>),
    /// Something happened.
    Event(Box<Event>),
    /// A reading of all that is subscribed to.
    Samples(Samples),
    /// Logs have grown.
    Logs(Logs),
    /// So much was missed, because this reader, or this machine, was too slow.
    Lost(Missed),
    /// The daemon cannot be reached, and why; it is tried again until it can.
    Away(ErrorReply),
}

/// A daemon that answers.
#[derive(Clone, Debug)]
pub struct Here {
    /// What it said of itself.
    pub hello: HelloReply,
    /// What it will tell, and where the logs stand.
    pub subscribed: Subscribed,
}

impl Queued for Update {
    fn leave_out(&self, missed: &mut Missed) -> bool {
        match self {
            Update::Event(_) => missed.events += 1,
            Update::Samples(_) => missed.samples += 1,
            Update::Lost(more) => missed.add(*more),
            // Whoever follows a log needs all of it. There is one of them at most.
            Update::Logs(_) => return false,
            // The newest of these stays.
            Update::Here(_) | Update::Away(_) => {}
        }
        true
    }

    fn can_join(&self) -> bool {
        matches!(self, Update::Logs(_))
    }

    fn join(&mut self, newer: Self) -> Result<(), Self> {
        match (self, newer) {
            (Update::Logs(waiting), Update::Logs(newer)) => {
                waiting.at_ms = newer.at_ms;
                for position in newer.logs {
                    let same = |known: &&mut velos_core::live::LogPosition| {
                        known.id == position.id && known.stream == position.stream
                    };
                    match waiting.logs.iter_mut().find(same) {
                        Some(known) => known.join(position),
                        None => waiting.logs.push(position),
                    }
                }
                Ok(())
            }
            (_, newer) => Err(newer),
        }
    }

    fn missed(missed: Missed) -> Self {
        Update::Lost(missed)
    }
}

/// A stream of [`Update`]s. It ends only with the runtime.
#[derive(Debug)]
pub struct Updates {
    ring: Ring<Update>,
    task: JoinHandle<()>,
}

impl Drop for Updates {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Updates {
    /// Subscribe at a daemon that runs.
    ///
    /// # Errors
    /// None runs, or it refuses: an unknown target, an interval that is out of bounds.
    pub async fn subscribe(home: &Home, name: &str, params: SubscribeParams) -> Result<Self, ErrorReply> {
        let mut follower = Follower::new(home, name, params);
        let link = follower.begin().await?;
        Ok(follower.spawn(Some(link)))
    }

    /// Subscribe whenever there is a daemon; until then it is [`Update::Away`], as it is while it refuses.
    pub fn subscribe_when_here(home: &Home, name: &str, params: SubscribeParams) -> Self {
        Follower::new(home, name, params).spawn(None)
    }

    /// The next one. Cancel-safe.
    pub async fn next(&mut self) -> Option<Update> {
        self.ring.next().await
    }
}

impl futures_core::Stream for Updates {
    type Item = Update;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Update>> {
        self.ring.poll(context)
    }
}

/// A notification: its method and params.
type Early = (String, Vec<u8>);

struct Follower {
    home: Home,
    name: String,
    params: SubscribeParams,
    ring: Ring<Update>,
}

impl Follower {
    fn new(home: &Home, name: &str, params: SubscribeParams) -> Self {
        Self { home: home.clone(), name: name.to_owned(), params, ring: Ring::new(CAPACITY) }
    }

    fn spawn(self, link: Option<UnixStream>) -> Updates {
        let ring = self.ring.clone();
        Updates { ring, task: tokio::spawn(self.run(link)) }
    }

    async fn run(mut self, mut link: Option<UnixStream>) {
        let mut pause = PAUSE_FIRST;
        let mut is_away = false;
        loop {
            let result = match link.take() {
                Some(link) => Ok(link),
                None => self.begin().await,
            };
            let failure = match result {
                Ok(link) => {
                    (pause, is_away) = (PAUSE_FIRST, false);
                    self.follow(link).await
                }
                Err(failure) => failure,
            };
            if !is_away {
                is_away = true;
                self.ring.push(Update::Away(failure.into()));
            }
            tokio::time::sleep(pause).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// Connect, and go on behind the last event.
    async fn begin(&mut self) -> Result<UnixStream, Failure> {
        let (mut link, hello) = wire::greet(&self.home, &self.name).await?;
        let (mut subscribed, mut early) = self.subscribe(&mut link, FIRST_ID + 1).await?;
        if let (Some(last), Some(newest)) = (self.params.since, subscribed.newest)
            && newest < last
        {
            // Another table, whose events are counted from the beginning.
            self.params.since = Some(0);
            (subscribed, early) = self.subscribe(&mut link, FIRST_ID + 2).await?;
        }
        if subscribed.kinds.is_empty() && self.params.kinds.iter().any(|kind| *kind != Kind::Events) {
            return Err(too_old(&hello).into());
        }
        self.params.since = self.params.since.or(subscribed.newest);
        self.ring.push(Update::Here(Box::new(Here { hello, subscribed })));
        for (method, params) in early {
            self.take(&method, &params)?;
        }
        Ok(link)
    }

    /// The answer, and what came before it: past events do.
    async fn subscribe(&self, link: &mut UnixStream, id: u32) -> Result<(Subscribed, Vec<Early>), Failure> {
        wire::within(async {
            wire::write(link, &frame::encode_request(id, method::SUBSCRIBE, &self.params)?).await?;
            let mut early = Vec::new();
            loop {
                match wire::read(link).await? {
                    Message::Reply { id: answered, result } if answered == id => {
                        return Ok((frame::params(&result?)?, early));
                    }
                    Message::Notification { method, params } => early.push((method, params)),
                    Message::Reply { .. } | Message::Request { .. } => {}
                }
            }
        })
        .await
    }

    /// Until the daemon goes away.
    async fn follow(&mut self, mut link: UnixStream) -> Failure {
        loop {
            let told = match wire::read(&mut link).await {
                Ok(Message::Notification { method, params }) => self.take(&method, &params),
                Ok(Message::Reply { .. } | Message::Request { .. }) => Ok(()),
                Err(failure) => Err(failure),
            };
            if let Err(failure) = told {
                return failure;
            }
        }
    }

    fn take(&mut self, method: &str, params: &[u8]) -> Result<(), Failure> {
        let update = match method {
            method::NOTIFY_EVENT => {
                let event: Event = frame::params(params)?;
                if self.params.since.is_some_and(|last| event.sequence <= last) {
                    return Ok(());
                }
                self.params.since = Some(event.sequence);
                Update::Event(Box::new(event))
            }
            method::NOTIFY_SAMPLES => Update::Samples(frame::params(params)?),
            method::NOTIFY_LOGS => Update::Logs(frame::params(params)?),
            method::NOTIFY_LOST => {
                let lost: Lost = frame::params(params)?;
                self.ring.push_missed(Missed { events: lost.count, samples: lost.samples, lines: 0 });
                return Ok(());
            }
            // Of a newer daemon.
            _ => return Ok(()),
        };
        self.ring.push(update);
        Ok(())
    }
}

/// It took our kinds for something of the future, and would send events alone.
fn too_old(hello: &HelloReply) -> ErrorReply {
    let message = format!("the daemon ({}) knows subscriptions to events alone", hello.product);
    ErrorReply::new(ErrorCode::Version, message)
        .hint("swap the daemon's binary with `velos upgrade`; nothing stops")
}
