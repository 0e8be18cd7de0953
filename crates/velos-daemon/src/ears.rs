//! What instances say to the daemon besides their output: over the Node channel, and over `NOTIFY_SOCKET`.
//!
//! The Node channel is the stream of JSON lines that `child_process.fork` gives a child; `NOTIFY_SOCKET` is the datagram
//! protocol of sd_notify(3). Of both we take the word that the app is ready; over the first we can ask it to end.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;

use velos_core::app::AppSpec;
use velos_core::event::What;
use velos_core::instance::{InstanceId, Token};
use velos_supervisor::Input;

use crate::control::Control;
use crate::link::Packet;

/// Tags from here on are ears.
pub(crate) const FIRST_TAG: u32 = 16;
/// A longer message is none of ours; the channel of who sends it is closed.
const LINE_MAX: usize = 1 << 20;
/// Reads from one ear before others have their turn.
const TURNS: usize = 4;
/// A message that did not fit is tried again after this, ns.
const SAY_AGAIN_NS: u64 = 5_000_000;
/// Longest path of a Unix socket, bytes.
const SOCKET_PATH_MAX: usize = 107;

/// All of them, by tag.
#[derive(Debug, Default)]
pub(crate) struct Ears {
    all: BTreeMap<u32, Ear>,
    newest: u32,
}

#[derive(Debug)]
struct Ear {
    token: Token,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Channel {
        stream: UnixStream,
        heard: Vec<u8>,
        /// The rest of a message that did not fit.
        unsent: Vec<u8>,
    },
    Notify {
        socket: UnixDatagram,
        path: PathBuf,
        /// How long it may be silent, ns, and when that is over.
        watchdog: Option<(u64, u64)>,
    },
}

impl Ears {
    /// When to go on with a message that did not fit.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let waits = |ear: &Ear| matches!(&ear.kind, Kind::Channel { unsent, .. } if !unsent.is_empty());
        let again = self.all.values().any(waits).then(|| velos_ffi::now_ns() + SAY_AGAIN_NS);
        again.into_iter().chain(self.all.values().filter_map(Ear::watchdog_at)).min()
    }
}

impl Ear {
    fn watchdog_at(&self) -> Option<u64> {
        match &self.kind {
            Kind::Notify { watchdog, .. } => watchdog.map(|(_, at)| at),
            Kind::Channel { .. } => None,
        }
    }

    fn fd(&self) -> RawFd {
        match &self.kind {
            Kind::Channel { stream, .. } => stream.as_raw_fd(),
            Kind::Notify { socket, .. } => socket.as_raw_fd(),
        }
    }
}

/// What a child gets of it.
#[derive(Debug, Default)]
pub(crate) struct Mouth {
    /// Becomes descriptor 3 of the child.
    pub(crate) channel: Option<OwnedFd>,
    /// More environment.
    pub(crate) env: Vec<Vec<u8>>,
}

impl Control {
    /// Prepare to hear a run that is about to be started.
    pub(crate) fn open_ears(&mut self, id: InstanceId, token: Token) -> Mouth {
        let mut mouth = Mouth::default();
        let Some(app) = self.supervisor.app_of(id) else { return mouth };
        let (wants_channel, wants_notify) = (speaks_node(&app.spec), app.spec.readiness.sd_notify);
        if wants_channel && let Ok((ours, theirs)) = UnixStream::pair() {
            // The guardian keeps it open while there is no daemon, or the app would hear a hang-up.
            self.tell_guardian(&Packet::Hold(vec![channel_name(token)]), &[ours.as_raw_fd()]);
            if self.listen_to(token, ours) {
                mouth.channel = Some(theirs.into());
                mouth.env.push(b"NODE_CHANNEL_FD=3".to_vec());
                mouth.env.push(b"NODE_CHANNEL_SERIALIZATION_MODE=json".to_vec());
            }
        }
        if wants_notify {
            match self.open_notify(id, token) {
                Ok(path) => {
                    use std::os::unix::ffi::OsStrExt;
                    mouth.env.push([b"NOTIFY_SOCKET=", path.as_os_str().as_bytes()].concat());
                    let app = self.supervisor.app_of(id);
                    if let Some(ms) = app.and_then(|app| app.spec.readiness.watchdog_ms) {
                        mouth.env.push(format!("WATCHDOG_USEC={}", ms.saturating_mul(1_000)).into_bytes());
                    }
                }
                Err(error) => {
                    let text = format!("it cannot tell that it is ready: no NOTIFY_SOCKET: {error}");
                    self.note(Some(id), velos_core::event::What::Note { text });
                }
            }
        }
        mouth
    }

    /// Of a run that was taken over: the channel that the guardian kept, and a new socket at the old path.
    pub(crate) fn open_ears_again(&mut self, id: InstanceId, token: Token) {
        if let Some(fd) = self.handover.fifos.remove(&channel_name(token)) {
            self.listen_to(token, UnixStream::from(fd));
        }
        if self.supervisor.app_of(id).is_some_and(|app| app.spec.readiness.sd_notify) {
            // Without it the app is online all the same, only later than it says.
            let _ = self.open_notify(id, token);
        }
    }

    /// The channel of a process that somebody else started.
    pub(crate) fn keep_channel(&mut self, token: Token, stream: UnixStream) {
        self.tell_guardian(&Packet::Hold(vec![channel_name(token)]), &[stream.as_raw_fd()]);
        self.listen_to(token, stream);
    }

    fn listen_to(&mut self, token: Token, stream: UnixStream) -> bool {
        stream.set_nonblocking(true).is_ok()
            && self.add_ear(token, Kind::Channel { stream, heard: Vec::new(), unsent: Vec::new() })
    }

    fn open_notify(&mut self, id: InstanceId, token: Token) -> std::io::Result<PathBuf> {
        let path = self.home.run().join(format!("{}.notify", id.0));
        if path.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(std::io::Error::other(format!("{} is too long for a socket", path.display())));
        }
        // The one of the run before.
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path)?;
        socket.set_nonblocking(true)?;
        let app = self.supervisor.app_of(id);
        let patience_ns =
            app.and_then(|app| app.spec.readiness.watchdog_ms).map(|ms| ms.saturating_mul(1_000_000));
        let watchdog = patience_ns.map(|ns| (ns, velos_ffi::now_ns().saturating_add(ns)));
        if self.add_ear(token, Kind::Notify { socket, path: path.clone(), watchdog }) {
            Ok(path)
        } else {
            Err(std::io::Error::other("it cannot be watched"))
        }
    }

    fn add_ear(&mut self, token: Token, kind: Kind) -> bool {
        let ear = Ear { token, kind };
        self.ears.newest = self.ears.newest.wrapping_add(1) & 0x00ff_ffff;
        let tag = FIRST_TAG + self.ears.newest;
        if self.ears.all.contains_key(&tag) || self.reactor.fd_watch(ear.fd(), tag).is_err() {
            return false;
        }
        self.ears.all.insert(tag, ear);
        true
    }

    /// Something was said, or somebody hung up.
    pub(crate) fn heard(&mut self, tag: u32) {
        let Some(ear) = self.ears.all.get_mut(&tag) else { return };
        let token = ear.token;
        let (is_ready, is_open) = match &mut ear.kind {
            Kind::Channel { stream, heard, .. } => hear_channel(stream, heard),
            Kind::Notify { socket, watchdog, .. } => {
                let said = hear_notify(socket);
                if let Some((patience_ns, at)) = watchdog
                    && (said.is_alive || said.is_ready)
                {
                    *at = velos_ffi::now_ns().saturating_add(*patience_ns);
                }
                if said.is_stopping {
                    let what = What::Note { text: "it says that it is stopping".to_owned() };
                    let instance = self.supervisor.instance_by_token(token);
                    self.inputs.push(Input::Note { instance, what });
                }
                (said.is_ready, true)
            }
        };
        if is_ready {
            self.inputs.push(Input::Ready { token });
        }
        if !is_open {
            self.close_ear(tag);
        }
    }

    /// The run is over.
    pub(crate) fn close_ears(&mut self, token: Token) {
        let tags: Vec<u32> =
            self.ears.all.iter().filter(|(_, ear)| ear.token == token).map(|(tag, _)| *tag).collect();
        for tag in tags {
            self.close_ear(tag);
        }
    }

    fn close_ear(&mut self, tag: u32) {
        let Some(ear) = self.ears.all.remove(&tag) else { return };
        self.reactor.fd_forget(ear.fd());
        match ear.kind {
            Kind::Channel { .. } => self.tell_guardian(&Packet::Release(vec![channel_name(ear.token)]), &[]),
            Kind::Notify { path, .. } => {
                // The next run binds its own.
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// Who has been silent for too long is restarted; who is not online yet has other bounds.
    pub(crate) fn watch_dogs(&mut self) {
        let now_ns = velos_ffi::now_ns();
        for ear in self.ears.all.values_mut() {
            let Kind::Notify { watchdog: Some((patience_ns, at)), .. } = &mut ear.kind else { continue };
            if *at > now_ns {
                continue;
            }
            let reason = format!("it did not say WATCHDOG=1 for {} ms", *patience_ns / 1_000_000);
            *at = now_ns.saturating_add(*patience_ns);
            self.inputs.push(Input::Unhealthy { token: ear.token, reason });
        }
    }

    /// Ask a run to end over its channel. False when that cannot be said.
    pub(crate) fn say_shutdown(&mut self, token: Token) -> bool {
        // A full channel belongs to an app that does not listen: the signal says it then.
        self.say(token, b"\"shutdown\"\n").is_ok()
    }

    /// Whether a run has an open channel.
    pub(crate) fn has_channel(&self, token: Token) -> bool {
        self.ears.all.values().any(|ear| ear.token == token && matches!(ear.kind, Kind::Channel { .. }))
    }

    /// Write a line into the channel of a run; what does not fit follows when the program has read.
    pub(crate) fn say(&mut self, token: Token, line: &[u8]) -> Result<(), String> {
        let ear =
            self.ears.all.values_mut().filter(|ear| ear.token == token).find_map(|ear| match &mut ear.kind {
                Kind::Channel { stream, unsent, .. } => Some((stream, unsent)),
                Kind::Notify { .. } => None,
            });
        let Some((stream, unsent)) = ear else { return Err("its channel is closed".to_owned()) };
        if !unsent.is_empty() {
            return Err("it does not read its channel".to_owned());
        }
        unsent.extend_from_slice(line);
        write_out(stream, unsent).map_err(|error| format!("its channel failed: {error}"))?;
        if unsent.len() == line.len() {
            unsent.clear();
            return Err("it does not read its channel".to_owned());
        }
        Ok(())
    }

    /// Go on with messages that did not fit.
    pub(crate) fn say_on(&mut self) {
        for ear in self.ears.all.values_mut() {
            if let Kind::Channel { stream, unsent, .. } = &mut ear.kind
                && !unsent.is_empty()
                && write_out(stream, unsent).is_err()
            {
                // A hang-up is heard.
                unsent.clear();
            }
        }
    }

    /// The channels by name, for an executed successor.
    pub(crate) fn all_channels(&self) -> Vec<(String, RawFd)> {
        let ears = self.ears.all.values().filter(|ear| matches!(ear.kind, Kind::Channel { .. }));
        ears.map(|ear| (channel_name(ear.token), ear.fd())).collect()
    }
}

fn channel_name(token: Token) -> String {
    format!("channel-{}", token.0)
}

/// Write as much as fits now.
fn write_out(stream: &mut UnixStream, unsent: &mut Vec<u8>) -> std::io::Result<()> {
    while !unsent.is_empty() {
        match stream.write(unsent) {
            Ok(n) => drop(unsent.drain(..n)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn speaks_node(spec: &AppSpec) -> bool {
    spec.interpreter.as_deref().is_some_and(|name| name.rsplit('/').next() == Some("node"))
}

/// Whether it said that it is ready, and whether the other end is still there.
fn hear_channel(stream: &mut UnixStream, heard: &mut Vec<u8>) -> (bool, bool) {
    let mut is_ready = false;
    let mut buffer = [0u8; 4096];
    for _ in 0..TURNS {
        match stream.read(&mut buffer) {
            Ok(0) => return (is_ready, false),
            Ok(n) => heard.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return (is_ready, false),
        }
        while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = heard.drain(..=end).collect();
            is_ready |= line.trim_ascii() == b"\"ready\"";
        }
        if heard.len() > LINE_MAX {
            return (is_ready, false);
        }
    }
    (is_ready, true)
}

/// What datagrams say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    is_ready: bool,
    is_alive: bool,
    is_stopping: bool,
}

/// `READY=1`, `WATCHDOG=1`, `STOPPING=1`; all else is not for us.
fn hear_notify(socket: &UnixDatagram) -> Said {
    let mut said = Said::default();
    let mut buffer = [0u8; 4096];
    for _ in 0..TURNS {
        let Ok(n) = socket.recv(&mut buffer) else { break };
        let text = buffer.get(..n).unwrap_or_default();
        let has = |word: &[u8]| text.split(|byte| *byte == b'\n').any(|line| line == word);
        said.is_ready |= has(b"READY=1");
        said.is_alive |= has(b"WATCHDOG=1");
        said.is_stopping |= has(b"STOPPING=1");
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_goes_out_in_pieces() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let message: Vec<u8> = (0..1_000_000u32).map(|n| b'a' + (n % 26) as u8).collect();
        let mut unsent = message.clone();
        let mut read = Vec::new();
        while read.len() < message.len() {
            write_out(&mut ours, &mut unsent).unwrap();
            let mut buffer = [0; 65_536];
            let n = theirs.read(&mut buffer).unwrap();
            read.extend_from_slice(&buffer[..n]);
        }
        assert!(read == message && unsent.is_empty());
    }

    #[test]
    fn ready_among_other_messages() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut heard = Vec::new();
        theirs.write_all(b"{\"cmd\":\"NODE_HANDLE\"}\n\"re").unwrap();
        assert_eq!(hear_channel(&mut ours, &mut heard), (false, true));
        theirs.write_all(b"ady\"\n").unwrap();
        assert_eq!(hear_channel(&mut ours, &mut heard), (true, true));
        drop(theirs);
        assert_eq!(hear_channel(&mut ours, &mut heard), (false, false));
    }

    #[test]
    fn notifications() {
        let folder = std::env::temp_dir().join(format!("velos-ears-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let socket = UnixDatagram::bind(folder.join("s")).unwrap();
        socket.set_nonblocking(true).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.send_to(b"STATUS=READY=1 soon", folder.join("s")).unwrap();
        assert_eq!(hear_notify(&socket), Said::default());
        client.send_to(b"STATUS=up\nREADY=1\n", folder.join("s")).unwrap();
        client.send_to(b"WATCHDOG=1", folder.join("s")).unwrap();
        assert_eq!(hear_notify(&socket), Said { is_ready: true, is_alive: true, is_stopping: false });
        client.send_to(b"STOPPING=1\n", folder.join("s")).unwrap();
        assert!(hear_notify(&socket).is_stopping);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
