//! The Node channel: the stream of JSON lines that `child_process.fork` gives a child.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

use velos_core::app::AppSpec;
use velos_core::instance::Token;

use super::TURNS;

/// A longer message is none of ours; the channel of who sends it is closed.
const LINE_MAX: usize = 1 << 20;

/// Our end of it.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    /// The beginning of a line whose end has not come.
    heard: Vec<u8>,
    /// The rest of a message that did not fit.
    unsent: Vec<u8>,
}

impl Channel {
    pub(super) fn new(stream: UnixStream) -> std::io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, heard: Vec::new(), unsent: Vec::new() })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Whether a message is half said.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether it said that it is ready, and whether the other end is still there.
    pub(super) fn hear(&mut self) -> (bool, bool) {
        let mut is_ready = false;
        let mut buffer = [0u8; 4096];
        for _ in 0..TURNS {
            match self.stream.read(&mut buffer) {
                Ok(0) => return (is_ready, false),
                Ok(n) => self.heard.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return (is_ready, false),
            }
            while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                is_ready |= line.trim_ascii() == b"\"ready\"";
            }
            if self.heard.len() > LINE_MAX {
                return (is_ready, false);
            }
        }
        (is_ready, true)
    }

    /// Say a line; what does not fit follows when the program has read.
    pub(super) fn say(&mut self, line: &[u8]) -> Result<(), String> {
        if self.has_unsent() {
            return Err("it does not read its channel".to_owned());
        }
        self.unsent.extend_from_slice(line);
        self.write_out().map_err(|error| format!("its channel failed: {error}"))?;
        if self.unsent.len() == line.len() {
            self.unsent.clear();
            return Err("it does not read its channel".to_owned());
        }
        Ok(())
    }

    /// Go on with a message that did not fit.
    pub(super) fn say_on(&mut self) {
        if self.has_unsent() && self.write_out().is_err() {
            // A hang-up is heard.
            self.unsent.clear();
        }
    }

    /// Write as much as fits now.
    fn write_out(&mut self) -> std::io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(n) => drop(self.unsent.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What the guardian keeps it as while there is no daemon.
pub(super) fn name(token: Token) -> String {
    format!("channel-{}", token.0)
}

/// Whether an app is run by node, and so understands it.
pub(super) fn is_understood_by(spec: &AppSpec) -> bool {
    spec.interpreter.as_deref().is_some_and(|name| name.rsplit('/').next() == Some("node"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Channel, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Channel::new(ours).unwrap(), theirs)
    }

    #[test]
    fn a_long_message_goes_out_in_pieces() {
        let (mut channel, mut theirs) = pair();
        let message: Vec<u8> = (0..1_000_000u32).map(|n| b'a' + (n % 26) as u8).collect();
        channel.say(&message).unwrap();
        assert!(channel.has_unsent());
        assert_eq!(channel.say(b"1\n").unwrap_err(), "it does not read its channel");
        let mut read = Vec::new();
        while read.len() < message.len() {
            let mut buffer = [0; 65_536];
            let n = theirs.read(&mut buffer).unwrap();
            read.extend_from_slice(&buffer[..n]);
            channel.say_on();
        }
        assert!(read == message && !channel.has_unsent());
    }

    #[test]
    fn ready_among_other_messages() {
        let (mut channel, mut theirs) = pair();
        theirs.write_all(b"{\"cmd\":\"NODE_HANDLE\"}\n\"re").unwrap();
        assert_eq!(channel.hear(), (false, true));
        theirs.write_all(b"ady\"\n").unwrap();
        assert_eq!(channel.hear(), (true, true));
        drop(theirs);
        assert_eq!(channel.hear(), (false, false));
        assert!(channel.say(b"1\n").unwrap_err().starts_with("its channel failed"));
    }
}
