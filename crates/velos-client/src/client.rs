//! A connection that has said hello.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::Event;
use velos_core::frame::{self, FRAME_BYTES_MAX, Message};
use velos_core::protocol::{
    EventsParams, Hello, HelloReply, Lost, PROTOCOL_OLDEST, PROTOCOL_VERSION, method,
};

use crate::Home;

/// How long the daemon may take to say hello.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    next_id: u32,
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

impl Client {
    /// Connect to a running daemon. `Ok(None)`: none runs.
    pub fn connect(home: &Home, name: &str) -> Result<Option<Self>, ErrorReply> {
        let socket = home.socket();
        let stream = match UnixStream::connect(&socket) {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let message = format!("cannot connect to {}: {error}", socket.display());
                return Err(ErrorReply::new(ErrorCode::Refused, message)
                    .hint("the daemon of another user? set VELOS_HOME to a folder of yours"));
            }
            Err(error) => {
                let message = format!("cannot connect to {}: {error}", socket.display());
                return Err(ErrorReply::new(ErrorCode::NoDaemon, message));
            }
        };
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
        let mut client = Self { stream, next_id: 0, hello };
        client.set_patience(Some(HELLO_PATIENCE));
        let params = Hello { version: PROTOCOL_VERSION, oldest: PROTOCOL_OLDEST, client: name.to_owned() };
        client.hello = client.call(method::HELLO, &params)?;
        client.set_patience(None);
        Ok(Some(client))
    }

    /// What the daemon said of itself.
    pub fn hello(&self) -> &HelloReply {
        &self.hello
    }

    /// Give up on a silent daemon after this long; `None`: wait for ever.
    pub fn set_patience(&mut self, patience: Option<Duration>) {
        // Fails only for a duration of zero.
        let _ = self.stream.set_read_timeout(patience);
    }

    /// One call and its answer.
    pub fn call<P: Serialize + ?Sized, R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &P,
    ) -> Result<R, ErrorReply> {
        self.next_id += 1;
        let id = self.next_id;
        let request = frame::encode_request(id, method, params).map_err(internal)?;
        self.send(&request)?;
        loop {
            if let Message::Reply { id: answered, result } = self.receive()?
                && answered == id
            {
                return frame::params(&result?).map_err(internal);
            }
        }
    }

    /// Follow events; call [`Client::next_notice`] from then on.
    pub fn subscribe(&mut self, params: &EventsParams) -> Result<(), ErrorReply> {
        self.next_id += 1;
        let request = frame::encode_request(self.next_id, method::SUBSCRIBE, params).map_err(internal)?;
        self.send(&request)
    }

    /// Wait for the next notice of a subscription.
    pub fn next_notice(&mut self) -> Result<Notice, ErrorReply> {
        loop {
            match self.receive()? {
                Message::Notification { method, params } if method == method::NOTIFY_EVENT => {
                    return frame::params(&params).map(Notice::Event).map_err(internal);
                }
                Message::Notification { method, params } if method == method::NOTIFY_LOST => {
                    let lost: Lost = frame::params(&params).map_err(internal)?;
                    return Ok(Notice::Lost(lost.count));
                }
                Message::Reply { result: Err(error), .. } => return Err(error),
                Message::Notification { .. } | Message::Reply { .. } | Message::Request { .. } => {}
            }
        }
    }

    fn send(&mut self, payload: &[u8]) -> Result<(), ErrorReply> {
        let length = u32::try_from(payload.len()).ok().filter(|length| *length as usize <= FRAME_BYTES_MAX);
        let Some(length) = length else {
            let message =
                format!("a request of {} bytes; at most {FRAME_BYTES_MAX} are possible", payload.len());
            return Err(ErrorReply::new(ErrorCode::Usage, message).hint("start fewer apps in one command"));
        };
        let mut bytes = Vec::with_capacity(payload.len() + 4);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.stream.write_all(&bytes).map_err(broken)
    }

    fn receive(&mut self) -> Result<Message, ErrorReply> {
        let mut length = [0u8; 4];
        self.stream.read_exact(&mut length).map_err(broken)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(internal(format!("a frame of {length} bytes")));
        }
        let mut payload = vec![0u8; length];
        self.stream.read_exact(&mut payload).map_err(broken)?;
        frame::decode(&payload).map_err(internal)
    }
}

fn internal(error: impl std::fmt::Display) -> ErrorReply {
    ErrorReply::new(ErrorCode::Internal, format!("the daemon's answer cannot be read: {error}")).hint(
        "is it of another version? see `velos ping`; `velos upgrade` swaps it without stopping anything",
    )
}

fn broken(error: std::io::Error) -> ErrorReply {
    let message = match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "the daemon does not answer".to_owned(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            "the daemon went away before it answered".to_owned()
        }
        _ => format!("the connection to the daemon failed: {error}"),
    };
    ErrorReply::new(ErrorCode::Failed, message)
        .hint("it is back within a second when it crashed; look with `velos list`, then try again")
}
