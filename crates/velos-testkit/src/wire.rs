//! A client on the socket that can do what a well-behaved one does not: send any bytes, not read, hang up half way.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use velos_core::error::ErrorReply;
use velos_core::event::Event;
use velos_core::frame::{self, Message};
use velos_core::protocol::{Hello, HelloReply, PROTOCOL_OLDEST, PROTOCOL_VERSION, method};

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection.
#[derive(Debug)]
pub struct Wire {
    /// The connection itself.
    pub stream: UnixStream,
    /// What the daemon said to our hello.
    pub hello: HelloReply,
    next_id: u32,
}

impl Wire {
    /// Connect without a word.
    #[track_caller]
    pub fn silent(home: &Path) -> UnixStream {
        UnixStream::connect(home.join("velos.sock")).expect("connect to the daemon")
    }

    /// Connect and say hello.
    #[track_caller]
    pub fn greeted(home: &Path) -> Self {
        Self::try_greeted(home).expect("a daemon that answers hello")
    }

    /// As [`Wire::greeted`]; `None` when no daemon answers now.
    pub fn try_greeted(home: &Path) -> Option<Self> {
        let stream = UnixStream::connect(home.join("velos.sock")).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let nobody = HelloReply {
            version: 0,
            product: String::new(),
            core_abi: 0,
            pid: 0,
            guardian_pid: 0,
            uptime_ms: 0,
            rss_bytes: 0,
            executable: Default::default(),
        };
        let mut wire = Self { stream, hello: nobody, next_id: 0 };
        let hello = Hello { version: PROTOCOL_VERSION, oldest: PROTOCOL_OLDEST, client: "test".to_owned() };
        let id = wire.try_send(method::HELLO, &hello).ok()?;
        wire.hello = wire.try_reply(id)?.ok().and_then(|bytes| frame::params(&bytes).ok())?;
        Some(wire)
    }

    /// One call and its answer.
    pub fn call<P: Serialize + ?Sized, R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &P,
    ) -> Result<R, ErrorReply> {
        let id = self.send(method, params);
        self.reply(id)
    }

    /// Send a request and do not wait. Returns its number.
    #[track_caller]
    pub fn send<P: Serialize + ?Sized>(&mut self, method: &str, params: &P) -> u32 {
        self.try_send(method, params).expect("send a request")
    }

    fn try_send<P: Serialize + ?Sized>(&mut self, method: &str, params: &P) -> std::io::Result<u32> {
        self.next_id += 1;
        let request = frame::encode_request(self.next_id, method, params).expect("encode a request");
        self.stream.write_all(&framed(&request))?;
        Ok(self.next_id)
    }

    /// The answer to request `id`; events in between are skipped.
    pub fn reply<R: DeserializeOwned>(&mut self, id: u32) -> Result<R, ErrorReply> {
        let result = self.try_reply(id).expect("an answer");
        result.map(|bytes| frame::params(&bytes).expect("an answer of the right type"))
    }

    fn try_reply(&mut self, wanted: u32) -> Option<Result<Vec<u8>, ErrorReply>> {
        loop {
            if let Message::Reply { id, result } = self.message()?
                && id == wanted
            {
                return Some(result);
            }
        }
    }

    /// The next message; `None` when the daemon hung up.
    pub fn message(&mut self) -> Option<Message> {
        let mut length = [0u8; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut payload = vec![0u8; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut payload).ok()?;
        Some(frame::decode(&payload).expect("a message"))
    }

    /// The next event of a subscription.
    #[track_caller]
    pub fn event(&mut self) -> Event {
        loop {
            if let Message::Notification { method, params } = self.message().expect("an event")
                && method == method::NOTIFY_EVENT
            {
                return frame::params(&params).expect("an event");
            }
        }
    }
}

/// A payload with its length in front.
pub fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a payload below 4 GiB");
    [&length.to_be_bytes(), payload].concat()
}

/// Wait until the other side hangs up, reading away what it says. Whether it did within `timeout`.
pub fn is_hung_up(stream: &mut UnixStream, timeout: Duration) -> bool {
    stream.set_read_timeout(Some(timeout)).expect("set a time limit");
    let mut bytes = [0u8; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            // With a time limit also a process without handlers is interrupted, signal(7).
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}
