//! The guardian: parent of the daemon, awake only when something ended.
//!
//! It is a child subreaper, so processes whose daemon died become its children. It keeps duplicates of the listening
//! socket, of the lock and of every FIFO, so that nothing that an app writes or a client asks is lost while there is
//! no daemon; it forks a new daemon when the old one ended without saying so, with a backoff when that happens at once.
//! It knows nothing of apps.

mod succession;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use velos_core::event::DaemonStart;
use velos_core::instance::Exit;
use velos_ffi::process::{Fork, fork};

use crate::boot::{EXIT_CANNOT_BEGIN, Starter, complain, leave};
use crate::handover::Handover;
use crate::home::Home;
use crate::link::{self, Packet, Reaped, Received};
use crate::{control, processes};

pub(crate) use succession::{resume, try_out};

/// Exits that are kept for a daemon that does not listen right now.
const REAPED_MAX: usize = 4096;
/// A daemon that lived shorter than this failed at its start.
const SHORT_LIFE: Duration = Duration::from_secs(1);
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Orphans of our descendants become our children. Fails only on kernels without it, where they go to init.
pub(crate) fn become_subreaper() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

struct Guardian<'a> {
    home: &'a Home,
    listener: OwnedFd,
    lock: OwnedFd,
    link: Option<OwnedFd>,
    daemon: Option<Pid>,
    born: Instant,
    orderly: bool,
    failures: u32,
    retry_at: Option<Instant>,
    fifos: BTreeMap<String, OwnedFd>,
    /// Kept after they were told: the daemon that heard of them may be killed before it acted on it.
    reaped: Vec<Reaped>,
    told: usize,
    started_ns: u64,
    /// After an upgrade of the daemon, until we run the same binary.
    succession: Option<succession::Succession>,
}

/// Guard until the daemon ends in an orderly way. Returns its exit code.
pub(crate) fn run(home: &Home, listener: OwnedFd, lock: OwnedFd, link: OwnedFd, daemon: i32) -> i32 {
    let guardian = Guardian {
        home,
        listener,
        lock,
        link: Some(link),
        daemon: Some(Pid::from_raw(daemon)),
        born: Instant::now(),
        orderly: false,
        failures: 0,
        retry_at: None,
        fifos: BTreeMap::new(),
        reaped: Vec::new(),
        told: 0,
        started_ns: velos_ffi::now_ns(),
        succession: None,
    };
    guardian.guard()
}

/// Signals that end us by way of the daemon.
const FORWARDED: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT];

/// All that come to us, read one by one.
fn inbox() -> Result<(SigSet, SignalFd), Errno> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGHUP].iter().chain(&FORWARDED) {
        signals.add(*signal);
    }
    signals.thread_block()?;
    let inbox = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    Ok((signals, inbox))
}

impl Guardian<'_> {
    fn guard(self) -> i32 {
        let home = self.home;
        match self.watch() {
            Ok(code) => code,
            Err(errno) => {
                complain(home, &format!("guardian: {errno}; the daemon goes on without one"));
                1
            }
        }
    }

    fn watch(mut self) -> Result<i32, Errno> {
        let (signals, inbox) = inbox()?;
        velos_ffi::give_back_memory();
        loop {
            // Children that ended before the signals were blocked are found by the first round.
            if let Some(code) = self.reap()? {
                return Ok(code);
            }
            self.flush_reaped();
            if self.retry_at.is_some_and(|at| at <= Instant::now()) {
                self.start_daemon(&signals);
            }
            self.succeed_if_due();
            self.wait(&inbox)?;
            while let Some(info) = inbox.read_signal()? {
                let signal = Signal::try_from(info.ssi_signo as i32);
                let Some(signal) = signal.ok().filter(|signal| FORWARDED.contains(signal)) else { continue };
                self.orderly = true;
                match self.daemon {
                    // It may have ended this instant; reaping tells.
                    Some(daemon) => drop(kill(daemon, signal)),
                    None => {
                        let text = "guardian: asked to end while no daemon runs; the apps run on, the next command adopts them";
                        complain(self.home, text);
                        return Ok(0);
                    }
                }
            }
            self.read_link();
        }
    }

    fn wait(&self, inbox: &SignalFd) -> Result<(), Errno> {
        let until = self.succession.as_ref().map(succession::Succession::until);
        let timeout = match self.retry_at.into_iter().chain(until).min() {
            None => PollTimeout::NONE,
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now()).as_millis() + 1;
                PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
            }
        };
        let mut fds = vec![PollFd::new(inbox.as_fd(), PollFlags::POLLIN)];
        if let Some(link) = &self.link {
            fds.push(PollFd::new(link.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn read_link(&mut self) {
        while let Some(link) = &self.link {
            match link::receive(link) {
                Ok(Received::Packet(Packet::Hold(names), fds)) => {
                    self.fifos.extend(names.into_iter().zip(fds));
                }
                Ok(Received::Packet(Packet::Release(names), _)) => {
                    for name in names {
                        self.fifos.remove(&name);
                    }
                }
                Ok(Received::Packet(Packet::Orderly, _)) => self.orderly = true,
                Ok(Received::Packet(Packet::Executes(path), _)) => self.announced(&path),
                Ok(Received::Packet(Packet::Reaped(_), _) | Received::Unknown) => {}
                Ok(Received::Empty) => return,
                Ok(Received::Closed) | Err(_) => self.link = None,
            }
        }
    }

    /// Collect who ended. The exit code to leave with, when the daemon ended for good.
    fn reap(&mut self) -> Result<Option<i32>, Errno> {
        loop {
            let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
            let pid = match waitid(Id::All, peek) {
                Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _)) => pid,
                Ok(_) | Err(Errno::ECHILD) => return Ok(None),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno),
            };
            let start_ticks = processes::start_ticks(pid.as_raw()).unwrap_or(0);
            let exit = match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => Exit::Code(code),
                Ok(WaitStatus::Signaled(_, signal, _)) => Exit::Signal(signal as i32),
                _ => Exit::Unknown,
            };
            if Some(pid) == self.daemon {
                if let Some(code) = self.daemon_ended(exit) {
                    return Ok(Some(code));
                }
            } else if self.is_trial(pid) {
                self.trial_ended(exit);
            } else {
                if self.reaped.len() >= REAPED_MAX {
                    self.reaped.remove(0);
                    self.told = self.told.saturating_sub(1);
                }
                self.reaped.push(Reaped { pid: pid.as_raw(), start_ticks, exit });
            }
        }
    }

    fn daemon_ended(&mut self, exit: Exit) -> Option<i32> {
        self.read_link();
        self.drop_succession();
        self.daemon = None;
        self.link = None;
        match exit {
            Exit::Code(code) if code == 0 || self.orderly || code == EXIT_CANNOT_BEGIN => return Some(code),
            _ if self.orderly => return Some(1),
            _ => {}
        }
        let life = self.born.elapsed();
        self.failures = if life < SHORT_LIFE { self.failures + 1 } else { 0 };
        let pause = match self.failures {
            0 | 1 => Duration::ZERO,
            n => PAUSE_FIRST.saturating_mul(1 << (n - 2).min(16)).min(PAUSE_MAX),
        };
        complain(
            self.home,
            &format!("guardian: the daemon ended ({exit}) after {life:.1?}; next try in {pause:?}"),
        );
        self.retry_at = Some(Instant::now() + pause);
        None
    }

    fn start_daemon(&mut self, signals: &SigSet) {
        self.retry_at = None;
        match self.fork_daemon(signals) {
            Ok((link, pid)) => {
                self.link = Some(link);
                self.daemon = Some(Pid::from_raw(pid));
                self.born = Instant::now();
                self.told = self.reaped.len();
            }
            Err(error) => {
                complain(
                    self.home,
                    &format!("guardian: cannot start the daemon: {error}; next try in {PAUSE_MAX:?}"),
                );
                self.retry_at = Some(Instant::now() + PAUSE_MAX);
            }
        }
    }

    /// Our end of the new link and the pid; in the child this does not return.
    fn fork_daemon(&mut self, signals: &SigSet) -> std::io::Result<(OwnedFd, i32)> {
        let (ours, theirs) = link::pair()?;
        let guardian_pid = nix::unistd::getpid().as_raw();
        match fork()? {
            Fork::Parent(pid) => Ok((ours, pid)),
            Fork::Child => {
                drop(ours);
                // The reactor blocks what it wants itself; a failure leaves signals blocked that it takes anyway.
                let _ = signals.thread_unblock();
                let code = match self.handover(theirs, guardian_pid) {
                    Ok(handover) => control::run(self.home, handover, Starter::default()),
                    Err(error) => {
                        complain(self.home, &format!("cannot duplicate descriptors: {error}"));
                        1
                    }
                };
                leave(code)
            }
        }
    }

    /// In the forked daemon: our descriptors have become its own, and are not doubled.
    fn handover(&mut self, link: OwnedFd, guardian_pid: i32) -> std::io::Result<Handover> {
        Ok(Handover {
            how: DaemonStart::Crash,
            listener: self.listener.try_clone()?,
            lock: self.lock.try_clone()?,
            link,
            guardian_pid,
            fifos: std::mem::take(&mut self.fifos),
            reaped: self.reaped.clone(),
            state: None,
            started_ns: self.started_ns,
        })
    }

    /// Tell the daemon what ended; what does not fit now stays for the next round.
    fn flush_reaped(&mut self) {
        let Some(link) = &self.link else { return };
        let untold = self.reaped.iter().skip(self.told);
        let sent =
            untold.take_while(|reaped| link::send(link, &Packet::Reaped(**reaped), &[]).is_ok()).count();
        self.told += sent;
    }
}
