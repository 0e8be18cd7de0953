//! Apps and instances as the machine keeps them.

use serde::{Deserialize, Serialize};
use velos_core::app::AppSpec;
use velos_core::instance::{Exit, Goal, InstanceId, Phase, ProcessIdentity, SpawnFailure, Token};

use crate::runs::Runs;

/// Number of an app inside the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppId(pub u32);

/// What the user declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// The declaration.
    pub spec: AppSpec,
}

/// One running copy, or the place for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// As people type it.
    pub id: InstanceId,
    /// Whose.
    pub app: AppId,
    /// Number within the app.
    pub slot: u32,
    /// What is wanted.
    pub goal: Goal,
    /// What is.
    pub phase: Phase,
    /// The current attempt; also of a run whose leftovers are alive.
    pub token: Option<Token>,
    /// The process, while it is alive as far as we know.
    pub identity: Option<ProcessIdentity>,
    /// When it was started, CLOCK_MONOTONIC.
    pub started_mono_ns: Option<u64>,
    /// Restarts of a running instance.
    pub restarts: u64,
    /// Unstable exits in a row.
    pub unstable: u32,
    /// Last exit.
    pub exit: Option<Exit>,
    /// Why the last spawn failed, when it did.
    pub spawn_failure: Option<SpawnFailure>,
    /// Next automatic start: CLOCK_MONOTONIC ns, wall clock ms.
    pub next_try: Option<(u64, i64)>,
    /// Added at, wall clock ms.
    pub created_ms: i64,
    /// When the phase ends by itself, CLOCK_MONOTONIC ns.
    pub deadline_ns: Option<u64>,
    /// SIGKILL rounds of the stop under way.
    pub kill_rounds: u32,
    /// Forget it once stopped.
    pub deleting: bool,
    /// A policy ended the run while others of its tree lived on.
    pub leftovers: bool,
    /// The stop under way was a command (else it cleans up before an automatic restart).
    pub commanded: bool,
    /// What it waits for, while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Nothing that is under way will end that wait.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits_in_vain: bool,
    /// Whether its health check passes; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// People stopped it: nothing but people starts it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped_by_command: bool,
    /// It holds the new process of a reload, for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_in_for: Option<InstanceId>,
    /// Its newest runs.
    #[serde(default, skip_serializing_if = "Runs::is_empty")]
    pub runs: Runs,
}

impl Instance {
    /// Whether it will become online, or come to rest, without anybody's doing.
    pub(crate) fn is_on_its_way(&self) -> bool {
        match self.phase {
            Phase::Starting | Phase::Launching | Phase::Stopping => true,
            Phase::Waiting => !self.waits_in_vain,
            Phase::Stopped | Phase::Online | Phase::Backoff | Phase::Errored => false,
        }
    }

    pub(crate) fn new(id: InstanceId, app: AppId, slot: u32, created_ms: i64) -> Self {
        Self {
            id,
            app,
            slot,
            goal: Goal::Down,
            phase: Phase::Stopped,
            token: None,
            identity: None,
            started_mono_ns: None,
            restarts: 0,
            unstable: 0,
            exit: None,
            spawn_failure: None,
            next_try: None,
            created_ms,
            deadline_ns: None,
            kill_rounds: 0,
            deleting: false,
            leftovers: false,
            commanded: false,
            waits_for: None,
            waits_in_vain: false,
            healthy: None,
            stopped_by_command: false,
            stands_in_for: None,
            runs: Runs::default(),
        }
    }
}
