//! A new binary for the guardian as well, once the daemon runs one.
//!
//! The daemon tells which binary it executes. When it has lived with it for [`PROBATION`], a child of ours executes the same
//! with a copy of our table, and must be able to read it. Only then do we execute it in place: the process stays, so our
//! children and orphans stay ours, and signals that come meanwhile stay pending. Whatever fails on the way leaves us as we
//! are, and daemon.log says why.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, execve};
use serde::{Deserialize, Serialize};
use velos_core::instance::Exit;
use velos_core::raw_string::RawString;
use velos_ffi::process::{Fork, adopt_fd, fork};

use super::{Guardian, inbox};
use crate::boot::{
    DESCRIPTORS_VARIABLE, EXIT_CANNOT_BEGIN, READY_VARIABLE, complain, leave, starters_descriptors,
};
use crate::handover::{HANDOVER_VARIABLE, close_on_exec, keep_on_exec, memory_with};
use crate::home::Home;
use crate::link::Reaped;

/// So long a crash of the daemon brings back the binary before.
const PROBATION: Duration = Duration::from_secs(3);
/// How long the trial may take.
const TRIAL_MAX: Duration = Duration::from_secs(5);
const VERSION: u32 = 1;

/// A binary that is to become ours.
#[derive(Debug)]
pub(super) struct Succession {
    executable: PathBuf,
    /// When the probation of the daemon or the patience with the trial is over.
    until: Instant,
    trial: Option<Pid>,
}

impl Succession {
    pub(super) fn until(&self) -> Instant {
        self.until
    }
}

/// What the next image has to know; descriptors by number.
#[derive(Serialize, Deserialize)]
struct Table {
    version: u32,
    listener: RawFd,
    lock: RawFd,
    link: RawFd,
    daemon: i32,
    lived_ms: u64,
    failures: u32,
    fifos: BTreeMap<String, RawFd>,
    reaped: Vec<Reaped>,
    told: usize,
    started_ns: u64,
}

/// `velos daemon --guardian FD`: go on where the image before was.
pub(crate) fn resume(home: &Home, table: RawFd) -> i32 {
    super::become_subreaper();
    crate::boot::raise_descriptor_limit();
    match Guardian::read(home, table) {
        Ok(guardian) => {
            let executable = std::env::current_exe().unwrap_or_default();
            complain(home, &format!("guardian: runs {} now", executable.display()));
            guardian.guard()
        }
        Err(error) => {
            complain(home, &format!("guardian: cannot go on from the binary before: {error}"));
            EXIT_CANNOT_BEGIN
        }
    }
}

/// `velos daemon --guardian FD --trial`: whether we could.
pub(crate) fn try_out(home: &Home, table: RawFd) -> i32 {
    let tried = Guardian::read(home, table).and_then(|_| inbox().map_err(io::Error::from));
    match tried {
        Ok(_) => 0,
        Err(error) => {
            complain(home, &format!("guardian: the new binary cannot take over: {error}"));
            1
        }
    }
}

impl<'a> Guardian<'a> {
    /// The daemon tells which binary it executes since an upgrade.
    pub(super) fn announced(&mut self, executable: &RawString) {
        self.drop_succession();
        let executable = executable.as_path().to_path_buf();
        if !is_same_file(&executable, Path::new("/proc/self/exe")) {
            self.succession = Some(Succession { executable, until: Instant::now() + PROBATION, trial: None });
        }
    }

    /// The daemon ends, so its binary has not proved itself.
    pub(super) fn drop_succession(&mut self) {
        if let Some(trial) = self.succession.take().and_then(|succession| succession.trial) {
            // It may have ended this instant; then it is reaped as any other.
            let _ = kill(trial, Signal::SIGKILL);
        }
    }

    /// Begin the trial after the probation, and do not wait for ever for its end.
    pub(super) fn succeed_if_due(&mut self) {
        let Some(succession) = self.succession.as_ref().filter(|one| one.until <= Instant::now()) else {
            return;
        };
        if self.orderly {
            return self.drop_succession();
        }
        if succession.trial.is_some() {
            return self.stay(&format!("its trial did not end within {TRIAL_MAX:?}"));
        }
        let begun =
            self.check(&succession.executable).and_then(|()| self.begin_trial(&succession.executable));
        match begun {
            Ok(pid) => {
                if let Some(succession) = &mut self.succession {
                    succession.trial = Some(pid);
                    succession.until = Instant::now() + TRIAL_MAX;
                }
            }
            Err(error) => self.stay(&error.to_string()),
        }
    }

    pub(super) fn is_trial(&self, pid: Pid) -> bool {
        self.succession.as_ref().is_some_and(|succession| succession.trial == Some(pid))
    }

    /// The trial tells by its end; a good one ends this image.
    pub(super) fn trial_ended(&mut self, exit: Exit) {
        let Some(succession) = &mut self.succession else { return };
        succession.trial = None;
        if exit != Exit::Code(0) {
            return self.stay(&format!("its trial ended with {exit}"));
        }
        if self.orderly {
            return self.drop_succession();
        }
        let executable = succession.executable.clone();
        let error = match self.check(&executable) {
            Ok(()) => self.execute(&executable, false),
            Err(error) => error,
        };
        self.stay(&error.to_string());
    }

    fn stay(&mut self, reason: &str) {
        let Some(succession) = &self.succession else { return };
        let shown = succession.executable.display();
        complain(
            self.home,
            &format!("guardian: does not change to {shown}: {reason}; it goes on with the binary it has"),
        );
        self.drop_succession();
    }

    /// Only what the daemon has lived with.
    fn check(&self, executable: &Path) -> io::Result<()> {
        let daemon = self.daemon.map(|pid| PathBuf::from(format!("/proc/{pid}/exe")));
        match daemon.is_some_and(|daemon| is_same_file(executable, &daemon)) {
            true => Ok(()),
            false => Err(io::Error::other("it is not what the daemon executes any more")),
        }
    }

    fn begin_trial(&self, executable: &Path) -> io::Result<Pid> {
        match fork()? {
            Fork::Parent(pid) => Ok(Pid::from_raw(pid)),
            Fork::Child => {
                let error = self.execute(executable, true);
                complain(self.home, &format!("guardian: cannot execute {}: {error}", executable.display()));
                leave(EXIT_CANNOT_BEGIN)
            }
        }
    }

    /// Become this binary, with our table and all that we keep. Comes back only when that failed, with everything as it was.
    fn execute(&self, executable: &Path, is_trial: bool) -> io::Error {
        let error = match self.execute_with_table(executable, is_trial) {
            Ok(never) => match never {},
            Err(error) => error,
        };
        self.kept().for_each(close_on_exec);
        error
    }

    fn execute_with_table(&self, executable: &Path, is_trial: bool) -> io::Result<Infallible> {
        let memory = memory_with(&self.table()?)?;
        let number = memory.as_raw_fd().to_string();
        let mut words = vec![c_string(executable.as_os_str().as_bytes())?];
        for word in ["daemon", "--background", "--owned", "--guardian", &number, "--trial"] {
            let is_said = match word {
                "--background" => !self.home.is_foreground,
                "--owned" => self.home.is_owned,
                "--trial" => is_trial,
                _ => true,
            };
            if is_said {
                words.push(c_string(word.as_bytes())?);
            }
        }
        self.kept().try_for_each(keep_on_exec)?;
        // Unlike the standard library's this leaves the blocked signals blocked, so none is lost on the way.
        Ok(execve(&c_string(executable.as_os_str().as_bytes())?, &words, &environment(self.home)?)?)
    }

    fn kept(&self) -> impl Iterator<Item = &OwnedFd> {
        [&self.listener, &self.lock].into_iter().chain(&self.link).chain(self.fifos.values())
    }

    fn table(&self) -> io::Result<Vec<u8>> {
        let (Some(link), Some(daemon)) = (&self.link, self.daemon) else {
            return Err(io::Error::other("the daemon hung up"));
        };
        let table = Table {
            version: VERSION,
            listener: self.listener.as_raw_fd(),
            lock: self.lock.as_raw_fd(),
            link: link.as_raw_fd(),
            daemon: daemon.as_raw(),
            lived_ms: u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX),
            failures: self.failures,
            fifos: self.fifos.iter().map(|(name, fd)| (name.clone(), fd.as_raw_fd())).collect(),
            reaped: self.reaped.clone(),
            told: self.told,
            started_ns: self.started_ns,
        };
        rmp_serde::to_vec_named(&table).map_err(io::Error::other)
    }

    fn read(home: &'a Home, number: RawFd) -> io::Result<Self> {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut std::fs::File::from(adopt_fd(number)?), &mut bytes)?;
        let table: Table = rmp_serde::from_slice(&bytes).map_err(io::Error::other)?;
        if table.version != VERSION {
            return Err(io::Error::other(format!("a table of version {}", table.version)));
        }
        let take = |number: RawFd| {
            let fd = adopt_fd(number)?;
            close_on_exec(&fd);
            Ok::<_, io::Error>(fd)
        };
        let fifos = table.fifos.into_iter().map(|(name, number)| Ok::<_, io::Error>((name, take(number)?)));
        let now = Instant::now();
        Ok(Self {
            home,
            listener: take(table.listener)?,
            lock: take(table.lock)?,
            link: Some(take(table.link)?),
            daemon: Some(Pid::from_raw(table.daemon)),
            born: now.checked_sub(Duration::from_millis(table.lived_ms)).unwrap_or(now),
            orderly: false,
            failures: table.failures,
            retry_at: None,
            fifos: fifos.collect::<io::Result<_>>()?,
            told: table.told.min(table.reaped.len()),
            reaped: table.reaped,
            started_ns: table.started_ns,
            succession: None,
        })
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

fn c_string(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(io::Error::other)
}

/// Ours, but for what was said to our first image alone.
fn environment(home: &Home) -> io::Result<Vec<CString>> {
    let said = ["VELOS_HOME", READY_VARIABLE, HANDOVER_VARIABLE, DESCRIPTORS_VARIABLE];
    let inherited = std::env::vars_os().filter(|(key, _)| !said.iter().any(|name| key == name));
    let home = (OsString::from("VELOS_HOME"), home.root().as_os_str().to_owned());
    let entry =
        |(key, value): (OsString, OsString)| c_string(&[key.as_bytes(), b"=", value.as_bytes()].concat());
    let descriptors = starters_descriptors()
        .map(|(soft, _)| (OsString::from(DESCRIPTORS_VARIABLE), OsString::from(soft.to_string())));
    std::iter::once(home).chain(descriptors).chain(inherited).map(entry).collect()
}
