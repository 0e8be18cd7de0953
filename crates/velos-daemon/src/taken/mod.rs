//! Processes that somebody else started: they are watched from now on, and what they print is read from the descriptors
//! of whoever read it before (see [`passage`]).

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::What;
use velos_core::instance::{InstanceId, ProcessIdentity, Token};
use velos_core::protocol::{AdoptParams, AdoptProcess, HeldDescriptor};
use velos_supervisor::{Command, Input, Running};

use crate::control::Control;
use crate::link::Packet;
use crate::processes;

mod passage;

use passage::Passage;

/// Tags from here on are passages.
pub(crate) const FIRST_TAG: u32 = 1 << 28;
/// A FIFO that is full, or not there yet, is tried again after this, ns.
const AGAIN_NS: u64 = 2_000_000;

/// Descriptors that came with an `adopt` and wait for the supervisor's word, by process; and the passages in use.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    waiting: BTreeMap<i32, Descriptors>,
    passages: BTreeMap<u32, Passage>,
    /// Kept open so that nobody reads the end of its input.
    inputs: BTreeMap<Token, OwnedFd>,
    newest: u32,
}

#[derive(Debug, Default)]
struct Descriptors {
    input: Option<OwnedFd>,
    out: Option<OwnedFd>,
    err: Option<OwnedFd>,
    channel: Option<OwnedFd>,
}

impl Taken {
    pub(crate) fn deadline(&self) -> Option<u64> {
        let waits = |passage: &Passage| passage.has_pending();
        self.passages.values().any(waits).then(|| velos_ffi::now_ns() + AGAIN_NS)
    }
}

impl Control {
    /// Take all descriptors first: an app is taken over whole or not at all.
    pub(crate) fn begin_adopt(
        &mut self,
        client: u64,
        id: u32,
        params: AdoptParams,
    ) -> Result<(), ErrorReply> {
        let name = params.app.name.as_str().to_owned();
        if params.processes.is_empty() || params.app.instances as usize != params.processes.len() {
            let text = format!(
                "app \"{name}\" has {} instances, and {} processes are given",
                params.app.instances,
                params.processes.len()
            );
            return Err(ErrorReply::new(ErrorCode::Usage, text));
        }
        let mut running = Vec::new();
        let mut taken = BTreeMap::new();
        for process in &params.processes {
            running.push(look_at(process.pid)?);
            taken.insert(process.pid, descriptors_of(process)?);
        }
        self.taken.waiting.extend(taken);
        self.command(client, id, Command::TakeOver { app: Box::new(params.app), processes: running });
        Ok(())
    }

    /// The supervisor wants it.
    pub(crate) fn adopt_running(&mut self, token: Token, id: InstanceId) {
        let Some(identity) = self.supervisor.instance(id).and_then(|one| one.identity) else { return };
        let taken = self.taken.waiting.remove(&identity.pid).unwrap_or_default();
        self.open_capture(id, Vec::new());
        let capture = self.captures.get(&id).map(|capture| capture.token);
        if let Err(errno) = self.reactor.adopt(token.0, identity.pid, identity.start_ticks, capture) {
            self.note(
                Some(id),
                What::Note { text: format!("process {} cannot be watched: {errno}", identity.pid) },
            );
            let exit = velos_core::instance::Exit::Unknown;
            return self.inputs.push(Input::Exited { token, exit, leftovers: false, used: None });
        }
        for (stream, fd) in [("out", taken.out), ("err", taken.err)] {
            if let Some(fd) = fd {
                self.tell_guardian(&Packet::Hold(vec![passage::name(token, stream)]), &[fd.as_raw_fd()]);
                self.open_passage(token, id, stream, fd);
            }
        }
        if let Some(fd) = taken.input {
            self.tell_guardian(&Packet::Hold(vec![passage::name(token, "in")]), &[fd.as_raw_fd()]);
            self.taken.inputs.insert(token, fd);
        }
        if let Some(fd) = taken.channel {
            self.keep_channel(token, UnixStream::from(fd));
        }
    }

    /// Of a run that was taken over from a former daemon: what the guardian kept.
    pub(crate) fn open_passages_again(&mut self, id: InstanceId, token: Token) {
        if let Some(fd) = self.handover.fifos.remove(&passage::name(token, "in")) {
            self.taken.inputs.insert(token, fd);
        }
        for stream in ["out", "err"] {
            if let Some(fd) = self.handover.fifos.remove(&passage::name(token, stream)) {
                self.open_passage(token, id, stream, fd);
            }
        }
    }

    fn open_passage(&mut self, token: Token, id: InstanceId, stream: &'static str, fd: OwnedFd) {
        let Ok(mut passage) = Passage::new(token, id, stream, fd) else { return };
        self.taken.newest = self.taken.newest.wrapping_add(1) & 0x00ff_ffff;
        let tag = FIRST_TAG + self.taken.newest;
        passage.is_watched = self.reactor.fd_watch(passage.fd(), tag).is_ok();
        self.taken.passages.insert(tag, passage);
    }

    /// There is something to pass on.
    pub(crate) fn pass_on(&mut self, tag: u32) {
        let missing = self.taken.passages.get(&tag).filter(|passage| passage.wants_fifo());
        let fifo = missing.map(|passage| (passage.instance, passage.stream));
        let fifo = fifo.and_then(|(instance, stream)| self.fifo_path(instance, stream));
        let Some(passage) = self.taken.passages.get_mut(&tag) else { return };
        passage.lead_to(fifo);
        passage.work();
        let wants_watch = passage.is_open && !passage.has_pending();
        let fd = passage.fd();
        if passage.is_watched && !wants_watch {
            passage.is_watched = false;
            self.reactor.fd_forget(fd);
        } else if !passage.is_watched && wants_watch {
            passage.is_watched = self.reactor.fd_watch(fd, tag).is_ok();
        }
        if !passage.is_open && !passage.has_pending() {
            self.close_passage(tag);
        }
    }

    /// Go on where a FIFO was full.
    pub(crate) fn pass_on_all(&mut self) {
        let waits = |passage: &&u32| self.taken.passages.get(passage).is_some_and(|one| one.has_pending());
        let tags: Vec<u32> = self.taken.passages.keys().filter(waits).copied().collect();
        for tag in tags {
            self.pass_on(tag);
        }
    }

    /// The run is over: its last words, then nothing more. What it left behind may write on.
    pub(crate) fn close_passages(&mut self, token: Token) {
        let ours = |(_, passage): &(&u32, &Passage)| passage.token == token;
        let tags: Vec<u32> = self.taken.passages.iter().filter(ours).map(|(tag, _)| *tag).collect();
        for tag in tags {
            self.pass_on(tag);
        }
        if self.taken.inputs.remove(&token).is_some() {
            self.tell_guardian(&Packet::Release(vec![passage::name(token, "in")]), &[]);
        }
    }

    fn close_passage(&mut self, tag: u32) {
        let Some(passage) = self.taken.passages.remove(&tag) else { return };
        if passage.is_watched {
            self.reactor.fd_forget(passage.fd());
        }
        self.tell_guardian(&Packet::Release(vec![passage.name()]), &[]);
    }

    /// By name, for an executed successor.
    pub(crate) fn all_passages(&self) -> Vec<(String, RawFd)> {
        let passages = self.taken.passages.values();
        let passages = passages.map(|one| (one.name(), one.fd()));
        let inputs =
            self.taken.inputs.iter().map(|(token, fd)| (passage::name(*token, "in"), fd.as_raw_fd()));
        passages.chain(inputs).collect()
    }
}

fn look_at(pid: i32) -> Result<Running, ErrorReply> {
    let gone = || ErrorReply::new(ErrorCode::NotFound, format!("there is no process {pid}"));
    if pid == std::process::id() as i32 || pid <= 1 {
        return Err(ErrorReply::new(ErrorCode::Usage, format!("process {pid} cannot be taken over")));
    }
    let start_ticks = processes::start_ticks(pid).ok_or_else(gone)?;
    // Since boot, which CLOCK_MONOTONIC counts too while the machine does not sleep.
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    let per_tick = 1_000_000_000 / u64::try_from(per_second).unwrap_or(100).max(1);
    let started_mono_ns = start_ticks.saturating_mul(per_tick).min(velos_ffi::now_ns());
    Ok(Running { identity: ProcessIdentity { pid, start_ticks }, started_mono_ns })
}

fn descriptors_of(process: &AdoptProcess) -> Result<Descriptors, ErrorReply> {
    let take = |held: Option<HeldDescriptor>| {
        let Some(held) = held else { return Ok(None) };
        velos_ffi::process::descriptor_of(held.pid, held.fd).map(Some).map_err(|error| {
            let text = format!("descriptor {} of process {} cannot be had: {error}", held.fd, held.pid);
            ErrorReply::new(ErrorCode::Refused, text)
                .hint("the daemon must be of the same user, and the kernel must allow tracing (kernel.yama.ptrace_scope)")
        })
    };
    Ok(Descriptors {
        input: take(process.input)?,
        out: take(process.out)?,
        err: take(process.err)?,
        channel: take(process.channel)?,
    })
}
