//! Calls, many at once on one connection.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use velos_core::error::ErrorReply;
use velos_core::frame::{self, Message};
use velos_core::protocol::HelloReply;

use super::wire;
use crate::Home;
use crate::client::{Failure, unreadable};

/// Requests that wait to be written; then calls wait.
const REQUESTS_MAX: usize = 64;

/// A connection that many may call on at the same time. A clone is the same connection; it ends with the last one.
#[derive(Clone, Debug)]
pub struct AsyncClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hello: HelloReply,
    requests: mpsc::Sender<Vec<u8>>,
    waiting: Arc<Mutex<Waiting>>,
    next_id: AtomicU32,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Shared {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

type Answer = Result<Vec<u8>, ErrorReply>;

/// Calls without an answer so far; `None` once the daemon hung up.
#[derive(Debug)]
struct Waiting(Option<HashMap<u32, oneshot::Sender<Answer>>>);

impl AsyncClient {
    /// Connect to a running daemon.
    ///
    /// # Errors
    /// None runs (`no_daemon`), it does not answer, or it refuses us.
    pub async fn connect(home: &Home, name: &str) -> Result<Self, ErrorReply> {
        let (link, hello) = wire::greet(home, name).await?;
        let (from, to) = link.into_split();
        let (requests, written) = mpsc::channel(REQUESTS_MAX);
        let waiting = Arc::new(Mutex::new(Waiting(Some(HashMap::new()))));
        let tasks = [
            tokio::spawn(write_all(to, written, Arc::clone(&waiting))),
            tokio::spawn(read_all(from, Arc::clone(&waiting))),
        ];
        let next_id = AtomicU32::new(wire::FIRST_ID + 1);
        Ok(Self { shared: Arc::new(Shared { hello, requests, waiting, next_id, tasks }) })
    }

    /// What the daemon said of itself.
    pub fn hello(&self) -> &HelloReply {
        &self.shared.hello
    }

    /// One call and its answer. Without a limit of time, as commands take as long as the apps take: put one around it.
    /// Dropped, it is done all the same, and nobody hears the answer.
    ///
    /// # Errors
    /// What the daemon said, or that it hung up: then this connection is of no more use.
    pub async fn call<P, R>(&self, method: &str, params: &P) -> Result<R, ErrorReply>
    where
        P: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let request = frame::encode_request(id, method, params).map_err(unreadable)?;
        let request = wire::framed(&request)?;
        let (tell, told) = oneshot::channel();
        match &mut locked(&self.shared.waiting).0 {
            Some(waiting) => {
                // Who was dropped since waits no more.
                waiting.retain(|_, tell| !tell.is_closed());
                waiting.insert(id, tell);
            }
            None => return Err(Failure::HungUp.into()),
        }
        self.shared.requests.send(request).await.map_err(|_| Failure::HungUp)?;
        let answer = told.await.map_err(|_| Failure::HungUp)?;
        frame::params(&answer?).map_err(unreadable)
    }
}

fn locked(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A task of its own, so that a dropped call never leaves half a frame behind.
async fn write_all(
    mut to: OwnedWriteHalf,
    mut requests: mpsc::Receiver<Vec<u8>>,
    waiting: Arc<Mutex<Waiting>>,
) {
    use tokio::io::AsyncWriteExt;
    while let Some(request) = requests.recv().await {
        if to.write_all(&request).await.is_err() {
            break;
        }
    }
    locked(&waiting).0 = None;
}

async fn read_all(mut from: OwnedReadHalf, waiting: Arc<Mutex<Waiting>>) {
    while let Ok(message) = wire::read(&mut from).await {
        let Message::Reply { id, result } = message else { continue };
        let tell = locked(&waiting).0.as_mut().and_then(|waiting| waiting.remove(&id));
        if let Some(tell) = tell {
            // Who asked may be gone.
            let _ = tell.send(result);
        }
    }
    // All that still wait hear that it hung up.
    locked(&waiting).0 = None;
}
