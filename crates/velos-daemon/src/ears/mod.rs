//! What instances say to the daemon besides their output: over the Node channel, and over `NOTIFY_SOCKET`.
//!
//! Of both we take the word that the app is ready; over the first we can ask it to end, over the second it can tell that
//! it still works. Here is who has which ear, and what follows from what it hears.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use velos_core::event::What;
use velos_core::instance::{InstanceId, Token};
use velos_supervisor::Input;

use crate::control::Control;
use crate::link::Packet;

mod channel;
mod notify;

use channel::Channel;
use notify::{Notify, Watchdog};

/// Tags from here on are ears.
pub(crate) const FIRST_TAG: u32 = 16;
/// Reads from one ear before others have their turn.
const TURNS: usize = 4;
/// A message that did not fit is tried again after this, ns.
const SAY_AGAIN_NS: u64 = 5_000_000;

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
    Channel(Channel),
    Notify(Notify),
}

impl Ear {
    fn fd(&self) -> RawFd {
        match &self.kind {
            Kind::Channel(channel) => channel.fd(),
            Kind::Notify(notify) => notify.fd(),
        }
    }

    fn has_unsent(&self) -> bool {
        matches!(&self.kind, Kind::Channel(channel) if channel.has_unsent())
    }

    fn watchdog(&self) -> Option<&Watchdog> {
        match &self.kind {
            Kind::Notify(notify) => notify.watchdog.as_ref(),
            Kind::Channel(_) => None,
        }
    }
}

impl Ears {
    /// When to go on with a message that did not fit, or to complain of who is silent.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let again = self.all.values().any(Ear::has_unsent).then(|| velos_ffi::now_ns() + SAY_AGAIN_NS);
        let silent = self.all.values().filter_map(Ear::watchdog).map(|watchdog| watchdog.at_ns);
        again.into_iter().chain(silent).min()
    }

    /// The channels, with the runs they belong to.
    fn channels(&self) -> impl Iterator<Item = (Token, &Channel)> {
        self.all.values().filter_map(|ear| match &ear.kind {
            Kind::Channel(channel) => Some((ear.token, channel)),
            Kind::Notify(_) => None,
        })
    }

    fn channels_mut(&mut self) -> impl Iterator<Item = (Token, &mut Channel)> {
        self.all.values_mut().filter_map(|ear| match &mut ear.kind {
            Kind::Channel(channel) => Some((ear.token, channel)),
            Kind::Notify(_) => None,
        })
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
        let wants_channel = channel::is_understood_by(&app.spec);
        let (wants_notify, watchdog_ms) = (app.spec.readiness.sd_notify, app.spec.readiness.watchdog_ms);
        if wants_channel
            && let Ok((ours, theirs)) = UnixStream::pair()
            && self.keep_channel(token, ours)
        {
            mouth.channel = Some(theirs.into());
            mouth.env.push(b"NODE_CHANNEL_FD=3".to_vec());
            mouth.env.push(b"NODE_CHANNEL_SERIALIZATION_MODE=json".to_vec());
        }
        if wants_notify {
            match self.open_notify(id, token) {
                Ok(path) => {
                    mouth.env.push([b"NOTIFY_SOCKET=", path.as_os_str().as_bytes()].concat());
                    if let Some(ms) = watchdog_ms {
                        mouth.env.push(format!("WATCHDOG_USEC={}", ms.saturating_mul(1_000)).into_bytes());
                    }
                }
                Err(error) => {
                    let text = format!("it cannot tell that it is ready: no NOTIFY_SOCKET: {error}");
                    self.note(Some(id), What::Note { text });
                }
            }
        }
        mouth
    }

    /// Of a run that was taken over: the channel that the guardian kept, and a new socket at the old path.
    pub(crate) fn open_ears_again(&mut self, id: InstanceId, token: Token) {
        if let Some(fd) = self.handover.fifos.remove(&channel::name(token)) {
            self.listen_to(token, UnixStream::from(fd));
        }
        if self.supervisor.app_of(id).is_some_and(|app| app.spec.readiness.sd_notify) {
            // Without it the app is online all the same, only later than it says.
            let _ = self.open_notify(id, token);
        }
    }

    /// Listen to a new channel. The guardian keeps it open while there is no daemon, or the app would hear a hang-up.
    pub(crate) fn keep_channel(&mut self, token: Token, stream: UnixStream) -> bool {
        self.tell_guardian(&Packet::Hold(vec![channel::name(token)]), &[stream.as_raw_fd()]);
        self.listen_to(token, stream)
    }

    fn listen_to(&mut self, token: Token, stream: UnixStream) -> bool {
        Channel::new(stream).is_ok_and(|channel| self.add_ear(token, Kind::Channel(channel)))
    }

    fn open_notify(&mut self, id: InstanceId, token: Token) -> std::io::Result<PathBuf> {
        let path = self.home.run().join(format!("{}.notify", id.0));
        let patience_ms = self.supervisor.app_of(id).and_then(|app| app.spec.readiness.watchdog_ms);
        let watchdog = patience_ms.map(|ms| Watchdog::new(ms, velos_ffi::now_ns()));
        let notify = Notify::bind(&path, watchdog)?;
        if self.add_ear(token, Kind::Notify(notify)) {
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
            Kind::Channel(channel) => channel.hear(),
            Kind::Notify(notify) => {
                let said = notify.hear(velos_ffi::now_ns());
                if said.is_stopping {
                    let text = "it says that it is stopping".to_owned();
                    self.note(self.supervisor.instance_by_token(token), What::Note { text });
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
            Kind::Channel(_) => self.tell_guardian(&Packet::Release(vec![channel::name(ear.token)]), &[]),
            Kind::Notify(notify) => notify.remove(),
        }
    }

    /// Who has been silent for too long is restarted; who is not online yet has other bounds.
    pub(crate) fn watch_dogs(&mut self) {
        let now_ns = velos_ffi::now_ns();
        for ear in self.ears.all.values_mut() {
            let Kind::Notify(Notify { watchdog: Some(watchdog), .. }) = &mut ear.kind else { continue };
            if let Some(reason) = watchdog.complaint(now_ns) {
                self.inputs.push(Input::Unhealthy { token: ear.token, reason });
            }
        }
    }

    /// Ask a run to end over its channel. False when that cannot be said.
    pub(crate) fn say_shutdown(&mut self, token: Token) -> bool {
        // A full channel belongs to an app that does not listen: the signal says it then.
        self.say(token, b"\"shutdown\"\n").is_ok()
    }

    /// Whether a run has an open channel.
    pub(crate) fn has_channel(&self, token: Token) -> bool {
        self.ears.channels().any(|(whose, _)| whose == token)
    }

    /// Write a line into the channel of a run; what does not fit follows when the program has read.
    pub(crate) fn say(&mut self, token: Token, line: &[u8]) -> Result<(), String> {
        let channel = self.ears.channels_mut().find(|(whose, _)| *whose == token);
        channel.map_or(Err("its channel is closed".to_owned()), |(_, channel)| channel.say(line))
    }

    /// Go on with messages that did not fit.
    pub(crate) fn say_on(&mut self) {
        self.ears.channels_mut().for_each(|(_, channel)| channel.say_on());
    }

    /// The channels by name, for an executed successor.
    pub(crate) fn all_channels(&self) -> Vec<(String, RawFd)> {
        self.ears.channels().map(|(token, channel)| (channel::name(token), channel.fd())).collect()
    }
}
