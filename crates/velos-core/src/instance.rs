//! An instance: one numbered running copy of an app, and what is known of it.

use serde::{Deserialize, Serialize};

/// Number of an instance, unique in a daemon, as people type it (`velos stop 3`). Counts up from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub u32);

/// One spawn attempt. Never reused, also not by a later daemon on the same home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(pub u64);

/// What people asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// It should run.
    Up,
    /// It should not.
    Down,
}

/// What is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No process, none wanted.
    Stopped,
    /// A spawn was asked for and has not been answered.
    Starting,
    /// The process runs and is not ready yet.
    Launching,
    /// The process runs and is ready.
    Online,
    /// The process was asked to end, or what it left behind was.
    Stopping,
    /// No process; a restart is due at a known time.
    Backoff,
    /// No process; it is started when its dependencies have come far enough.
    Waiting,
    /// No process; it failed too often and is not tried again.
    Errored,
}

impl Phase {
    /// The word people see, PM2's.
    pub fn status(self) -> &'static str {
        match self {
            Phase::Stopped => "stopped",
            Phase::Starting | Phase::Launching => "launching",
            Phase::Online => "online",
            Phase::Stopping => "stopping",
            Phase::Backoff => "waiting restart",
            Phase::Waiting => "waiting",
            Phase::Errored => "errored",
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It is gone; how could not be learnt (an adopted process on an old kernel).
    Unknown,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(number) => write!(f, "signal {}", crate::signal::Signal(number)),
            Exit::Unknown => f.write_str("unknown exit status"),
        }
    }
}

/// The step of a spawn that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpawnStage {
    /// No process could be made.
    Fork,
    /// setsid.
    Session,
    /// Descriptors.
    Fds,
    /// A resource limit.
    Rlimit,
    /// Supplementary groups.
    Groups,
    /// setgid.
    Gid,
    /// setuid.
    Uid,
    /// Changing to the working directory.
    Cwd,
    /// execve.
    Exec,
    /// The FIFOs or log files could not be opened.
    Capture,
    /// The `pre_start` hook; `errno` is its exit status as a shell tells it (128 and the signal).
    Hook,
}

/// A spawn that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnFailure {
    /// Where.
    pub stage: SpawnStage,
    /// Positive errno.
    pub errno: i32,
}

impl SpawnFailure {
    /// Whether trying again cannot help: the program is missing or may not be run.
    pub fn is_fatal(self) -> bool {
        const ENOENT: i32 = 2;
        const E2BIG: i32 = 7;
        const ENOEXEC: i32 = 8;
        const EACCES: i32 = 13;
        const ENOTDIR: i32 = 20;
        matches!(self.stage, SpawnStage::Exec | SpawnStage::Cwd)
            && matches!(self.errno, ENOENT | E2BIG | ENOEXEC | EACCES | ENOTDIR)
    }
}

/// A process, for certain: a pid alone may be reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Process id.
    pub pid: i32,
    /// Start time as the kernel counts it (clock ticks since boot on Linux).
    pub start_ticks: u64,
}

impl std::fmt::Display for SpawnFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = std::io::Error::from_raw_os_error(self.errno);
        match self.stage {
            SpawnStage::Hook => write!(f, "its pre_start hook failed with status {}", self.errno),
            SpawnStage::Exec => write!(f, "cannot execute it: {reason}"),
            SpawnStage::Cwd => write!(f, "cannot change to its working directory: {reason}"),
            SpawnStage::Fork => write!(f, "cannot make a process: {reason}"),
            SpawnStage::Capture => write!(f, "cannot open its log files: {reason}"),
            stage => write!(f, "at {stage:?}: {reason}"),
        }
    }
}
