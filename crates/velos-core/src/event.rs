//! What happened: the one stream that `velos events`, `why` and every subscriber read.

use serde::{Deserialize, Serialize};

use crate::instance::{Exit, InstanceId, Phase, SpawnFailure};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Grows by one with every event, also across daemons on the same home.
    pub sequence: u64,
    /// Wall clock, milliseconds since 1970.
    pub at_ms: i64,
    /// App, when it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Instance, when it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// The kinds of event. On the wire a map with a `kind`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// The phase of an instance changed.
    Transition {
        /// From.
        from: Phase,
        /// To.
        to: Phase,
        /// Why.
        cause: Cause,
        /// Process id while there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<i32>,
        /// When the next try is due: wall clock, milliseconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_try_ms: Option<i64>,
    },
    /// An app was added.
    Added,
    /// An app was forgotten.
    Deleted,
    /// SIGKILL had to follow; `rounds` times so far.
    Killed {
        /// How often SIGKILL was sent in this stop.
        rounds: u32,
    },
    /// Output cannot be written to the log.
    CaptureFailed {
        /// Positive errno.
        errno: i32,
    },
    /// Output is written again.
    CaptureRecovered {
        /// Lines that were lost.
        dropped_lines: u64,
    },
    /// The daemon started.
    DaemonStarted {
        /// Cold, after a crash, after an upgrade.
        how: DaemonStart,
        /// Processes taken over.
        adopted: u32,
    },
    /// Its health check passes now, or failed too often.
    Health {
        /// Which.
        healthy: bool,
        /// Why it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An upgrade was refused or failed.
    UpgradeFailed {
        /// Why.
        reason: String,
    },
    /// Anything else worth telling.
    Note {
        /// One line.
        text: String,
    },
}

impl Event {
    /// Whether it is told once more with what comes of it: that a process runs, before it is online, ready, or gone.
    pub fn is_detail(&self) -> bool {
        matches!(
            self.what,
            What::Transition { from: Phase::Starting, to: Phase::Launching, cause: Cause::Spawned, .. }
        )
    }
}

/// How a daemon came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonStart {
    /// First on this home since boot, or after an orderly shutdown.
    Cold,
    /// The one before it died; its processes were adopted.
    Crash,
    /// The one before it executed this binary in place.
    Upgrade,
}

/// Why a phase changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Cause {
    /// Someone asked.
    Command {
        /// start, stop, restart, delete, shutdown.
        verb: Verb,
        /// Who: "cli uid=0 pid=123", an agent, ...
        by: String,
    },
    /// The program runs.
    Spawned,
    /// The program could not be started.
    SpawnFailed {
        /// Where and why.
        failure: SpawnFailure,
    },
    /// It is ready.
    Ready,
    /// It did not say it was ready in time.
    ListenTimeout,
    /// The process ended.
    Exited {
        /// How.
        exit: Exit,
        /// How long it ran, milliseconds.
        uptime_ms: u64,
    },
    /// What the process left behind is gone.
    TreeEmpty,
    /// The backoff is over.
    BackoffOver,
    /// Its process tree used more memory than it may.
    MemoryLimit {
        /// What it used, bytes.
        bytes: u64,
        /// What it may use, bytes.
        limit: u64,
    },
    /// It waits for dependencies.
    DependenciesMissing {
        /// The first: "db to be online".
        first: String,
    },
    /// Its dependencies have come far enough.
    DependenciesMet,
    /// Its health check failed too often.
    Unhealthy {
        /// Why the last one failed.
        reason: String,
    },
    /// Its schedule said so.
    Schedule,
    /// A new process took the place of the old one.
    Reloaded,
    /// A daemon took a running process over.
    Adopted,
    /// The machine was restarted.
    Rebooted,
}

/// What can be asked of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Run.
    Start,
    /// Do not run.
    Stop,
    /// Stop, then run.
    Restart,
    /// A new process first, then stop the old one.
    Reload,
    /// Stop, then forget.
    Delete,
    /// The daemon ends.
    Shutdown,
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verb::Start => "start",
            Verb::Stop => "stop",
            Verb::Restart => "restart",
            Verb::Reload => "reload",
            Verb::Delete => "delete",
            Verb::Shutdown => "shutdown",
        })
    }
}
