//! A connection that says hello.
//!
//! The first call goes out right behind the hello, so that both are answered in one turn of the daemon; a daemon that
//! cannot say hello to us refuses the call too.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::Event;
use velos_core::frame::{self, FRAME_BYTES_MAX, FrameError, Message};
use velos_core::protocol::{
    EventsParams, Hello, HelloReply, Lost, PROTOCOL_OLDEST, PROTOCOL_VERSION, method,
};

use crate::Home;

/// How long the daemon may take to say hello.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to answer a question. Commands take as long as the apps take.
const QUESTION_PATIENCE: Duration = Duration::from_secs(30);
/// Calls that change nothing, and so may be made again when the daemon dies over one.
const QUESTIONS: [&str; 5] = [method::PING, method::LIST, method::INFO, method::WHY, method::EVENTS];

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    home: Home,
    name: String,
    stream: UnixStream,
    next_id: u32,
    patience: Option<Duration>,
    /// The message that said hello, while its answer is not read.
    greeting: Option<u32>,
    hello: HelloReply,
}

/// What a subscription brings.
#[derive(Debug)]
pub enum Notice {
    /// Something happened.
    Event(Event),
    /// So many events were missed.
    Lost(u64),
}

/// Why there is no connection, or no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody listens.
    NoDaemon,
    /// The daemon hung up: it died, or is leaving.
    HungUp,
    /// Anything else.
    Other(ErrorReply),
}

impl From<FrameError> for Failure {
    fn from(error: FrameError) -> Self {
        Self::Other(unreadable(error))
    }
}

impl From<ErrorReply> for Failure {
    fn from(error: ErrorReply) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for ErrorReply {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Other(error) => error,
            Failure::NoDaemon => ErrorReply::new(ErrorCode::NoDaemon, "no daemon runs"),
            Failure::HungUp => ErrorReply::new(ErrorCode::Failed, "the daemon went away before it answered")
                .hint(
                    "if it crashed it is back already; see what was done with `velos list`, then try again",
                ),
        }
    }
}

impl Client {
    /// Connect to a running daemon. `Ok(None)`: none runs.
    pub fn connect(home: &Home, name: &str) -> Result<Option<Self>, ErrorReply> {
        Self::connect_within(home, name, HELLO_PATIENCE)
    }

    /// The same, with a limit on how long the daemon may take to say hello.
    pub fn connect_within(home: &Home, name: &str, patience: Duration) -> Result<Option<Self>, ErrorReply> {
        match Self::greet(home, name, patience) {
            // One that was just leaving took nobody in any more.
            Err(Failure::HungUp) => match Self::greet(home, name, patience) {
                Err(Failure::NoDaemon | Failure::HungUp) => Ok(None),
                other => other.map(Some).map_err(ErrorReply::from),
            },
            Err(Failure::NoDaemon) => Ok(None),
            other => other.map(Some).map_err(ErrorReply::from),
        }
    }

    /// One attempt, with the daemon's hello.
    pub(crate) fn greet(home: &Home, name: &str, patience: Duration) -> Result<Self, Failure> {
        let mut client = Self::open(home, name)?;
        client.limit(Some(patience));
        client.hear_hello()?;
        Ok(client)
    }

    /// One attempt that does not wait for the daemon's hello: it is read with the answer to the first call.
    pub(crate) fn open(home: &Home, name: &str) -> Result<Self, Failure> {
        let stream = UnixStream::connect(home.socket()).map_err(|error| cannot_connect(home, &error))?;
        let hello = HelloReply {
            version: 0,
            product: String::new(),
            core_abi: 0,
            pid: 0,
            guardian_pid: 0,
            uptime_ms: 0,
            rss_bytes: 0,
            executable: Default::default(),
        };
        let (home, name) = (home.clone(), name.to_owned());
        let params = Hello { version: PROTOCOL_VERSION, oldest: PROTOCOL_OLDEST, client: name.clone() };
        let mut client = Self { home, name, stream, next_id: 0, patience: None, greeting: None, hello };
        client.greeting = Some(client.ask(method::HELLO, &params)?);
        Ok(client)
    }

    /// Read the answer to our hello, if that is still to be done.
    fn hear_hello(&mut self) -> Result<(), Failure> {
        let Some(id) = self.greeting else { return Ok(()) };
        self.hello = self.answer_to(id).map_err(|failure| match failure {
            Failure::Other(error) if error.code == ErrorCode::Busy => Failure::Other(silent(&self.home)),
            other => other,
        })?;
        self.greeting = None;
        Ok(())
    }

    /// What the daemon said of itself; empty before the first call of a client from [`start::connect_ahead`].
    ///
    /// [`start::connect_ahead`]: crate::start::connect_ahead
    pub fn hello(&self) -> &HelloReply {
        &self.hello
    }

    /// Give up on a silent daemon after this long, whatever is asked; `None`: only questions are limited.
    pub fn set_patience(&mut self, patience: Option<Duration>) {
        self.patience = patience;
    }

    /// One call and its answer. A question is asked again, once, when the daemon dies over it: the next one answers.
    pub fn call<P, R>(&mut self, method: &str, params: &P) -> Result<R, ErrorReply>
    where
        P: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let is_question = QUESTIONS.contains(&method);
        let patience = self.patience.or(is_question.then_some(QUESTION_PATIENCE));
        let was_greeted = self.greeting.is_none();
        match self.exchange(method, params, patience) {
            // One that was leaving when we came, and so did nothing.
            Err(Failure::HungUp) if !was_greeted && self.greeting.is_some() => {
                *self = Self {
                    patience: self.patience,
                    ..crate::start::connect_or_start(&self.home, &self.name)?
                };
                Ok(self.exchange(method, params, patience)?)
            }
            Err(Failure::HungUp) if is_question => {
                let again = Self::greet(&self.home, &self.name, HELLO_PATIENCE)?;
                *self = Self { patience: self.patience, ..again };
                Ok(self.exchange(method, params, patience)?)
            }
            other => Ok(other?),
        }
    }

    fn limit(&self, patience: Option<Duration>) {
        // Fails only for a duration of zero, which nobody asks for; then there is no limit.
        let _ = self.stream.set_read_timeout(patience);
    }

    fn exchange<P, R>(&mut self, method: &str, params: &P, patience: Option<Duration>) -> Result<R, Failure>
    where
        P: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let id = self.ask(method, params)?;
        if self.greeting.is_some() {
            self.limit(Some(self.patience.unwrap_or(HELLO_PATIENCE)));
            self.hear_hello()?;
        }
        self.limit(patience);
        self.answer_to(id)
    }

    fn ask<P: Serialize + ?Sized>(&mut self, method: &str, params: &P) -> Result<u32, Failure> {
        self.next_id += 1;
        let request = frame::encode_request(self.next_id, method, params)?;
        self.send(&request)?;
        Ok(self.next_id)
    }

    fn answer_to<R: DeserializeOwned>(&mut self, id: u32) -> Result<R, Failure> {
        loop {
            if let Message::Reply { id: answered, result } = self.receive()?
                && answered == id
            {
                return Ok(frame::params(&result?)?);
            }
        }
    }

    /// Follow events; call [`Client::next_notice`] from then on.
    pub fn subscribe(&mut self, params: &EventsParams) -> Result<(), ErrorReply> {
        self.limit(self.patience);
        self.hear_hello()?;
        self.ask(method::SUBSCRIBE, params)?;
        Ok(())
    }

    /// Wait for the next notice of a subscription.
    pub fn next_notice(&mut self) -> Result<Notice, ErrorReply> {
        self.limit(self.patience);
        loop {
            match self.receive()? {
                Message::Notification { method, params } if method == method::NOTIFY_EVENT => {
                    return frame::params(&params).map(Notice::Event).map_err(unreadable);
                }
                Message::Notification { method, params } if method == method::NOTIFY_LOST => {
                    let lost: Lost = frame::params(&params).map_err(unreadable)?;
                    return Ok(Notice::Lost(lost.count));
                }
                Message::Reply { result: Err(error), .. } => return Err(error),
                Message::Notification { .. } | Message::Reply { .. } | Message::Request { .. } => {}
            }
        }
    }

    /// Wait until the daemon hangs up, because it ends or becomes another.
    pub fn wait_for_end(mut self) {
        self.limit(None);
        while self.receive().is_ok() {}
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let length = u32::try_from(payload.len()).ok().filter(|length| *length as usize <= FRAME_BYTES_MAX);
        let length = length.ok_or_else(|| too_large(payload.len()))?;
        let mut bytes = Vec::with_capacity(payload.len() + 4);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.stream.write_all(&bytes).map_err(|error| broken(&error))
    }

    fn receive(&mut self) -> Result<Message, Failure> {
        let mut length = [0u8; 4];
        self.stream.read_exact(&mut length).map_err(|error| broken(&error))?;
        let length = u32::from_be_bytes(length) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(Failure::Other(unreadable(format!("a frame of {length} bytes"))));
        }
        let mut payload = vec![0u8; length];
        self.stream.read_exact(&mut payload).map_err(|error| broken(&error))?;
        Ok(frame::decode(&payload)?)
    }
}

pub(crate) fn too_large(bytes: usize) -> Failure {
    let message = format!("a request of {bytes} bytes; at most {FRAME_BYTES_MAX} are possible");
    ErrorReply::new(ErrorCode::Usage, message).hint("start fewer apps in one command").into()
}

pub(crate) fn cannot_connect(home: &Home, error: &std::io::Error) -> Failure {
    let message = format!("cannot connect to {}: {error}", home.socket().display());
    match error.kind() {
        // A folder that cannot be made is for the daemon to tell.
        ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => Failure::NoDaemon,
        ErrorKind::PermissionDenied => Failure::Other(
            ErrorReply::new(ErrorCode::Refused, message)
                .hint("is it the daemon of another user? set VELOS_HOME to a folder of yours"),
        ),
        _ => Failure::Other(ErrorReply::new(ErrorCode::NoDaemon, message)),
    }
}

/// It listens, but does not even say hello.
pub(crate) fn silent(home: &Home) -> ErrorReply {
    let message = format!("the daemon on {} does not answer", home.path().display());
    ErrorReply::new(ErrorCode::NoDaemon, message).hint(format!("see {}", home.daemon_log().display()))
}

pub(crate) fn unreadable(error: impl std::fmt::Display) -> ErrorReply {
    ErrorReply::new(ErrorCode::Internal, format!("the daemon's answer cannot be read: {error}")).hint(
        "is it of another version? see `velos ping`; `velos upgrade` swaps it without stopping anything",
    )
}

pub(crate) fn broken(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Failure::HungUp,
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Failure::Other(
            ErrorReply::new(ErrorCode::Busy, "the daemon does not answer")
                .hint("see daemon.log in VELOS_HOME (~/.velos), then try again"),
        ),
        _ => Failure::Other(ErrorReply::new(
            ErrorCode::Failed,
            format!("the connection to the daemon failed: {error}"),
        )),
    }
}
