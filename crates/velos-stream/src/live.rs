//! The stream and the task behind it.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::JoinHandle;
use velos_client::live::{Missed, Queued, Ring, Update, Updates};
use velos_client::{ErrorReply, Home};
use velos_core::event::{Event, What};
use velos_core::instance::InstanceId;
use velos_core::live::{Kind, LogStream, Samples, SubscribeParams};
use velos_core::protocol::HelloReply;

use crate::logs::{Logs, Read};

/// A line of this many bytes takes two places in the queue.
const BYTES_PER_PLACE: usize = 256;
/// Places in the queue.
const CAPACITY: usize = 32 * 1024;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Only these; empty: all.
    pub targets: Vec<String>,
    /// What happens.
    pub events: bool,
    /// Events behind this sequence number; `None`: new ones.
    pub since: Option<u64>,
    /// Readings, with so many milliseconds between them.
    pub samples_ms: Option<u32>,
    /// Lines of logs.
    pub lines: bool,
    /// So many lines of each log that are there already.
    pub tail: usize,
    /// How much may wait for the reader: a place for each item, and one more for each 256 bytes of a line.
    pub capacity: usize,
}

impl Default for Wanted {
    /// Events.
    fn default() -> Self {
        let (targets, capacity) = (Vec::new(), CAPACITY);
        Self { targets, events: true, since: None, samples_ms: None, lines: false, tail: 0, capacity }
    }
}

impl Wanted {
    fn params(&self) -> SubscribeParams {
        let mut kinds = Vec::new();
        // Events tell which logs nobody writes to any more.
        if self.events || self.lines {
            kinds.push(Kind::Events);
        }
        if self.samples_ms.is_some() {
            kinds.push(Kind::Samples);
        }
        if self.lines {
            kinds.push(Kind::Logs);
        }
        let targets = self.targets.clone();
        SubscribeParams { since: self.since, targets, kinds, interval_ms: self.samples_ms }
    }
}

/// What the stream brings.
#[derive(Clone, Debug)]
pub enum Item {
    /// Connected; always the first, and again after each [`Item::Away`].
    Here(Box<HelloReply>),
    /// Something happened.
    Event(Box<Event>),
    /// A reading of all that is subscribed to.
    Samples(Samples),
    /// A line of a log.
    Line(LogLine),
    /// So much was missed.
    Lost(Missed),
    /// The daemon cannot be reached, and why; it is tried again until it can.
    Away(ErrorReply),
    /// A log cannot be read, and why; the others go on.
    Unreadable(ErrorReply),
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Of which instance; in a file that several write to, one of them.
    pub id: InstanceId,
    /// App.
    pub name: String,
    /// Number within the app.
    pub slot: u32,
    /// Which of its outputs.
    pub stream: LogStream,
    /// When it was written, microseconds since 1970, as far as that is known.
    pub time_us: Option<u64>,
    /// Without its newline.
    pub bytes: Vec<u8>,
}

impl Queued for Item {
    fn weight(&self) -> usize {
        match self {
            Item::Line(line) => 1 + line.bytes.len() / BYTES_PER_PLACE,
            _ => 1,
        }
    }

    fn leave_out(&self, missed: &mut Missed) -> bool {
        match self {
            Item::Event(_) => missed.events += 1,
            Item::Samples(_) => missed.samples += 1,
            Item::Line(_) => missed.lines += 1,
            Item::Lost(more) => missed.add(*more),
            // The newest of these stays.
            Item::Here(_) | Item::Away(_) | Item::Unreadable(_) => {}
        }
        true
    }

    fn missed(missed: Missed) -> Self {
        Item::Lost(missed)
    }
}

/// A stream of [`Item`]s. It belongs to the tokio runtime it was made in, and ends with it or when it is dropped.
#[derive(Debug)]
pub struct Live {
    ring: Ring<Item>,
    task: JoinHandle<()>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Live {
    /// Subscribe at a daemon that runs.
    ///
    /// # Errors
    /// None runs, or it refuses: an unknown target, an interval that is out of bounds.
    pub async fn subscribe(home: &Home, name: &str, wanted: Wanted) -> Result<Self, ErrorReply> {
        let updates = Updates::subscribe(home, name, wanted.params()).await?;
        Ok(Self::over(updates, wanted))
    }

    /// Subscribe whenever there is a daemon; until then it is [`Item::Away`].
    pub fn subscribe_when_here(home: &Home, name: &str, wanted: Wanted) -> Self {
        Self::over(Updates::subscribe_when_here(home, name, wanted.params()), wanted)
    }

    fn over(updates: Updates, wanted: Wanted) -> Self {
        let ring = Ring::new(wanted.capacity);
        let worker = Worker { ring: ring.clone(), logs: Logs::new(wanted.tail), wanted };
        Self { ring, task: tokio::spawn(worker.run(updates)) }
    }

    /// The next one. Cancel-safe.
    pub async fn next(&mut self) -> Option<Item> {
        self.ring.next().await
    }
}

impl futures_core::Stream for Live {
    type Item = Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        self.ring.poll(context)
    }
}

struct Worker {
    ring: Ring<Item>,
    logs: Logs,
    wanted: Wanted,
}

impl Worker {
    async fn run(mut self, mut updates: Updates) {
        loop {
            // What the daemon tells goes first: it is short, and its queue is bounded.
            let told = match self.logs.has_more() {
                true => waiting(&mut updates).await,
                false => Some(updates.next().await),
            };
            match told {
                Some(Some(update)) => self.take(update),
                Some(None) => break,
                None => {
                    for read in self.logs.read_next().await {
                        self.ring.push(match read {
                            Read::Line(line) => Item::Line(line),
                            Read::Failed(error) => Item::Unreadable(error),
                        });
                    }
                }
            }
        }
        self.ring.end();
    }

    fn take(&mut self, update: Update) {
        match update {
            Update::Here(here) => {
                self.logs.here(here.subscribed.logs);
                self.ring.push(Item::Here(Box::new(here.hello)));
            }
            Update::Event(event) => {
                if let (What::Deleted, Some(id)) = (&event.what, event.instance) {
                    self.logs.deleted(id);
                }
                if self.wanted.events {
                    self.ring.push(Item::Event(event));
                }
            }
            Update::Samples(samples) => self.ring.push(Item::Samples(samples)),
            Update::Logs(logs) => self.logs.grown(logs.logs),
            Update::Lost(missed) => {
                let events = if self.wanted.events { missed.events } else { 0 };
                self.ring.push_missed(Missed { events, ..missed });
            }
            Update::Away(error) => self.ring.push(Item::Away(error)),
        }
    }
}

/// What has come already; `None`: nothing.
async fn waiting(updates: &mut Updates) -> Option<Option<Update>> {
    std::future::poll_fn(|context| {
        let told = futures_core::Stream::poll_next(Pin::new(&mut *updates), context);
        Poll::Ready(match told {
            Poll::Ready(told) => Some(told),
            Poll::Pending => None,
        })
    })
    .await
}
