//! What the world tells the supervisor.

use serde::{Deserialize, Serialize};
use velos_core::app::AppSpec;
use velos_core::instance::{Exit, InstanceId, SpawnFailure, Token};
use velos_core::run::Used;
use velos_core::signal::Signal;

/// Both clocks at one moment. Deadlines use `mono_ns`; `wall_ms` is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub mono_ns: u64,
    /// Milliseconds since 1970.
    pub wall_ms: i64,
}

/// Names the request that a reply answers. Chosen by the caller, unique among open requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Someone asks for something. Answered by exactly one `Effect::Reply` with the ticket.
    Command {
        /// For the reply.
        ticket: Ticket,
        /// Who asks, for the events.
        by: String,
        /// What.
        command: Command,
    },
    /// The spawn of `Effect::Spawn` succeeded.
    Spawned {
        /// Its token.
        token: Token,
        /// Process id.
        pid: i32,
        /// Start time in kernel ticks.
        start_ticks: u64,
    },
    /// It did not.
    SpawnFailed {
        /// Its token.
        token: Token,
        /// Where and why.
        failure: SpawnFailure,
    },
    /// The process says it is ready.
    Ready {
        /// Its token.
        token: Token,
    },
    /// The process ended.
    Exited {
        /// Its token.
        token: Token,
        /// How.
        exit: Exit,
        /// Other processes of its group are alive.
        leftovers: bool,
        /// What it used, when the kernel told.
        used: Option<Used>,
    },
    /// Nothing of the process tree is alive any more (answers `Effect::WatchTree`).
    TreeEmpty {
        /// Its token.
        token: Token,
    },
    /// A restored instance's process was found alive and taken over.
    Adopted {
        /// Its token.
        token: Token,
    },
    /// The process tree uses more memory than its limit, or as much.
    OverMemory {
        /// Which run.
        token: Token,
        /// Resident memory of the tree, bytes.
        bytes: u64,
    },
    /// Its health check passes.
    Healthy {
        /// Which run.
        token: Token,
    },
    /// Its health check failed as often in a row as it may.
    Unhealthy {
        /// Which run.
        token: Token,
        /// Why the last one failed.
        reason: String,
    },
    /// A moment of the instance's schedule has come.
    ScheduleDue {
        /// Whose.
        instance: InstanceId,
    },
    /// Something happened to the log of an instance or to the daemon that belongs into the journal.
    Note {
        /// Instance, when it concerns one.
        instance: Option<InstanceId>,
        /// What.
        what: velos_core::event::What,
    },
    /// A deadline may have passed.
    Deadline,
}

/// A process that somebody else started.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// Its process.
    pub identity: velos_core::instance::ProcessIdentity,
    /// When it was started, CLOCK_MONOTONIC, nanoseconds.
    pub started_mono_ns: u64,
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Add apps and start them. Per app: refused when an app of that name has a live or pending instance.
    Add(Vec<AppSpec>),
    /// Enter an app whose processes run already. Refused when an app of that name has a live or pending instance.
    TakeOver {
        /// The declaration; as many instances as processes.
        app: Box<AppSpec>,
        /// In order of their slots.
        processes: Vec<Running>,
    },
    /// Replace the declarations of known apps; what runs goes on. Instances are added and deleted to fit.
    Update(Vec<AppSpec>),
    /// Start known instances.
    Start(Vec<InstanceId>),
    /// Stop. Done when nothing of them is alive.
    Stop(Vec<InstanceId>),
    /// Stop and start. Done when online or failed.
    Restart(Vec<InstanceId>),
    /// A new process first, then stop the old one, one instance after the other. Done when all are replaced or one fails.
    Reload(Vec<InstanceId>),
    /// Forget how often they were restarted.
    Reset(Vec<InstanceId>),
    /// Send a signal to their main processes.
    Signal(Vec<InstanceId>, Signal),
    /// Stop and forget. Done when forgotten.
    Delete(Vec<InstanceId>),
    /// Stop everything (`forget`: and forget it), then `Effect::Shutdown`.
    Shutdown {
        /// Empty the table.
        forget: bool,
    },
    /// While all is stopped: nobody waits for grace any more.
    Hurry,
}
