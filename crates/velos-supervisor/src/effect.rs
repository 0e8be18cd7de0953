//! What the supervisor wants done.

use velos_core::event::Event;
use velos_core::instance::{InstanceId, Token};
use velos_core::protocol::{Outcome, Refusal};
use velos_core::signal::Signal;

use crate::input::Ticket;

/// Whom a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The main process.
    Process,
    /// Everything that belongs to the run.
    Tree,
}

/// One thing to do, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Start a process for the instance; answered by `Spawned` or `SpawnFailed`.
    Spawn {
        /// Names the attempt.
        token: Token,
        /// Whose.
        instance: InstanceId,
    },
    /// Watch a process that runs already; answered by `Exited` when it is gone.
    Adopt {
        /// Names it from now on.
        token: Token,
        /// Whose it is.
        instance: InstanceId,
    },
    /// Send a signal.
    Signal {
        /// To the process of this attempt.
        token: Token,
        /// Which.
        signal: Signal,
        /// How far.
        scope: Scope,
    },
    /// Tell with `TreeEmpty` when nothing of the run is alive.
    WatchTree {
        /// Which run.
        token: Token,
    },
    /// The token will not be used any more.
    ForgetProcess {
        /// Which run.
        token: Token,
    },
    /// The instance is gone: close its capture, remove its pid file.
    ForgetInstance {
        /// Which.
        instance: InstanceId,
    },
    /// Answer a request.
    Reply {
        /// Which.
        ticket: Ticket,
        /// Per instance.
        outcomes: Vec<Outcome>,
        /// Apps that were refused.
        refused: Vec<Refusal>,
    },
    /// Tell everybody.
    Record(Event),
    /// The state changed in a way that a later daemon must know.
    Persist,
    /// All is stopped; end the daemon.
    Shutdown,
}

/// Effects of one or more steps, in order.
pub type Effects = Vec<Effect>;
