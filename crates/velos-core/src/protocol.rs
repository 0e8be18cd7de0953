//! The messages on the socket: MessagePack-RPC with named fields. `docs/protocol.md` is the page for other languages.
//!
//! A request is `[0, msgid, method, params]`, a reply `[1, msgid, error, result]`, a notification `[2, method, params]`.
//! Params and results are maps; a receiver ignores keys it does not know, so that fields can be added.

use serde::{Deserialize, Serialize};

use crate::app::AppSpec;
use crate::error::ErrorReply;
use crate::event::Event;
use crate::instance::{Exit, Goal, InstanceId, Phase, SpawnFailure};
use crate::raw_string::RawString;

/// The protocol this build speaks. A daemon answers every version from [`PROTOCOL_OLDEST`] to this.
pub const PROTOCOL_VERSION: u32 = 1;
/// The oldest protocol this build still answers.
pub const PROTOCOL_OLDEST: u32 = 1;

/// Method names.
pub mod method {
    /// First call of every client.
    pub const HELLO: &str = "hello";
    /// Is it alive.
    pub const PING: &str = "ping";
    /// All instances, short.
    pub const LIST: &str = "list";
    /// Selected instances, whole.
    pub const INFO: &str = "info";
    /// Why an instance is as it is.
    pub const WHY: &str = "why";
    /// Add and start apps, or start known ones.
    pub const START: &str = "start";
    /// Replace the declarations of known apps without touching what runs.
    pub const UPDATE: &str = "update";
    /// Stop.
    pub const STOP: &str = "stop";
    /// Stop and start.
    pub const RESTART: &str = "restart";
    /// New processes first, then stop the old ones.
    pub const RELOAD: &str = "reload";
    /// Forget how often they were restarted.
    pub const RESET: &str = "reset";
    /// Send a signal.
    pub const SIGNAL: &str = "signal";
    /// Begin new log files.
    pub const ROTATE: &str = "rotate";
    /// Stop and forget.
    pub const DELETE: &str = "delete";
    /// Empty logs.
    pub const FLUSH: &str = "flush";
    /// Past events.
    pub const EVENTS: &str = "events";
    /// Follow what happens from now on, as notifications; [`crate::live::SubscribeParams`].
    pub const SUBSCRIBE: &str = "subscribe";
    /// Stop following.
    pub const UNSUBSCRIBE: &str = "unsubscribe";
    /// The kept runs of instances.
    pub const RUNS: &str = "runs";
    /// Take processes over that somebody else started.
    pub const ADOPT: &str = "adopt";
    /// Give a message to programs over their Node channel.
    pub const SEND: &str = "send";
    /// Stop everything, forget it, end the daemon.
    pub const SHUTDOWN: &str = "shutdown";
    /// Execute another binary in place.
    pub const UPGRADE: &str = "upgrade";
    /// Of the candidate of an upgrade: give me the table.
    pub const TRIAL_STATE: &str = "trial.state";
    /// Of the candidate of an upgrade: I restored it.
    pub const TRIAL_READY: &str = "trial.ready";
    /// Notification: one [`crate::event::Event`].
    pub const NOTIFY_EVENT: &str = "event";
    /// Notification: one [`crate::live::Samples`].
    pub const NOTIFY_SAMPLES: &str = "samples";
    /// Notification: one [`crate::live::Logs`].
    pub const NOTIFY_LOGS: &str = "logs";
    /// Notification: [`super::Lost`].
    pub const NOTIFY_LOST: &str = "lost";
}

/// Params of `hello`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Newest protocol the client speaks.
    pub version: u32,
    /// Oldest it accepts.
    #[serde(default)]
    pub oldest: u32,
    /// Who it is, for `why` and the events: "cli", "tui", ...
    #[serde(default)]
    pub client: String,
}

/// Result of `hello` and `ping`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HelloReply {
    /// The protocol both will speak.
    pub version: u32,
    /// Product version of the daemon.
    pub product: String,
    /// Version of the Zig core (its ABI).
    pub core_abi: u32,
    /// Daemon's process id.
    pub pid: i32,
    /// Guardian's process id.
    pub guardian_pid: i32,
    /// How long this daemon has run, milliseconds (an upgrade does not reset it).
    pub uptime_ms: u64,
    /// Resident memory of the daemon, bytes.
    pub rss_bytes: u64,
    /// The binary it runs.
    pub executable: RawString,
}

/// Params of methods that select: names, ids, `name:instance`, `ns:NAMESPACE`, `all`, `/regex/`, globs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Targets {
    /// In order.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// Params of `start`: apps to add, or known instances to start.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Start {
    /// New apps. One of a name that exists is refused unless nothing of it runs: then its declaration is replaced.
    #[serde(default)]
    pub apps: Vec<AppSpec>,
    /// Known ones.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// Params of `signal`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignalParams {
    /// Whom.
    pub targets: Vec<String>,
    /// Which; it goes to the main process only.
    pub signal: crate::signal::Signal,
}

/// Params of `update`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Update {
    /// New declarations of known apps.
    #[serde(default)]
    pub apps: Vec<AppSpec>,
}

/// Result of `start`, `update`, `stop`, `restart`, `delete`: what became of each instance, in order of id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcomes {
    /// One per instance.
    pub instances: Vec<Outcome>,
    /// Apps that were refused before anything was done (`start` with several apps), with the reason.
    #[serde(default)]
    pub refused: Vec<Refusal>,
}

/// An app that `start` refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// Name.
    pub name: String,
    /// Why.
    pub error: ErrorReply,
}

/// What became of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Id.
    pub id: InstanceId,
    /// App.
    pub name: String,
    /// Number within the app.
    pub slot: u32,
    /// Phase when the request was settled.
    pub phase: Phase,
    /// Process id while there is one.
    #[serde(default)]
    pub pid: Option<i32>,
    /// Whether it is what was asked for.
    pub ok: bool,
    /// Nothing had to be done (stop of a stopped one).
    #[serde(default)]
    pub unchanged: bool,
    /// Why not, when not ok.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Last exit, when there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// Error log of the instance, for the last lines of a failed start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub err_log: Option<RawString>,
}

/// Result of `list`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ListReply {
    /// By id.
    pub instances: Vec<InstanceSummary>,
}

/// One line of `list`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceSummary {
    /// Id.
    pub id: InstanceId,
    /// App.
    pub name: String,
    /// Group.
    pub namespace: String,
    /// Number within the app, from 0.
    pub slot: u32,
    /// Of what was started, when a manifest near the script tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is.
    pub phase: Phase,
    /// What is wanted.
    pub goal: Goal,
    /// Process id while there is one.
    #[serde(default)]
    pub pid: Option<i32>,
    /// Since the process runs, milliseconds.
    #[serde(default)]
    pub uptime_ms: Option<u64>,
    /// Restarts of a running instance since it was added or reset.
    pub restarts: u64,
    /// CPU of the tree over the last sampling interval, in hundredths of a percent of one core.
    #[serde(default)]
    pub cpu_centipercent: Option<u32>,
    /// Resident memory of the tree, bytes.
    #[serde(default)]
    pub rss_bytes: Option<u64>,
    /// User name or uid of the process.
    pub user: String,
    /// How its instances share ports.
    #[serde(default)]
    pub mode: crate::app::ExecMode,
    /// Whether it is restarted when files change.
    #[serde(default)]
    pub watching: bool,
    /// The configuration file it was declared in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_in: Option<RawString>,
    /// When that file was last changed before it was read, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_ms: Option<i64>,
    /// Script as a person knows it.
    pub script: RawString,
    /// Last exit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// Why the last spawn failed, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawn_failure: Option<SpawnFailure>,
    /// Next automatic start, wall clock, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_ms: Option<i64>,
    /// What it waits for: "db to be online".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Whether its health check passes; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// Lines of output that could not be written.
    #[serde(default)]
    pub dropped_lines: u64,
    /// Positive errno while output cannot be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_errno: Option<i32>,
    /// Log files.
    pub out_log: RawString,
    /// Log files.
    pub err_log: RawString,
}

/// Result of `info`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InfoReply {
    /// By id.
    pub instances: Vec<InstanceInfo>,
}

/// Everything known of one instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceInfo {
    /// As in `list`.
    pub summary: InstanceSummary,
    /// The declaration.
    pub spec: AppSpec,
    /// Added at, wall clock, milliseconds since 1970.
    pub created_ms: i64,
    /// Unstable exits in a row.
    pub unstable: u32,
    /// Processes in the tree.
    #[serde(default)]
    pub processes: Option<u32>,
    /// Threads in the tree.
    #[serde(default)]
    pub threads: Option<u32>,
    /// When its schedule comes next, wall clock, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_ms: Option<i64>,
    /// FIFO that is its standard input.
    #[serde(default)]
    pub input: RawString,
    /// Bytes captured since the daemon opened the logs.
    pub captured_bytes: u64,
}

/// Result of `why`: for each instance its summary and its newest events, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyReply {
    /// By id.
    pub instances: Vec<WhyInstance>,
}

/// One instance of [`WhyReply`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhyInstance {
    /// As in `list`.
    pub summary: InstanceSummary,
    /// Newest events, at most 20, oldest first.
    pub events: Vec<Event>,
    /// Restart policy in force, to explain what comes next.
    pub restart: crate::policy::RestartPolicy,
    /// Unstable exits in a row.
    pub unstable: u32,
}

/// Result of `runs`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunsReply {
    /// By id.
    pub instances: Vec<InstanceRuns>,
}

/// One instance of [`RunsReply`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceRuns {
    /// Id.
    pub id: InstanceId,
    /// App.
    pub name: String,
    /// Number within the app.
    pub slot: u32,
    /// Log files; the output of a run stands there between its times.
    pub out_log: RawString,
    /// Log files.
    pub err_log: RawString,
    /// The newest, at most 10, oldest first.
    pub runs: Vec<crate::run::Run>,
}

/// Params of `adopt`: an app that runs already.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdoptParams {
    /// How it is started again; `instances` is the number of processes.
    pub app: AppSpec,
    /// Its processes, in order of their slots.
    pub processes: Vec<AdoptProcess>,
}

/// One process of [`AdoptParams`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdoptProcess {
    /// Process id.
    pub pid: i32,
    /// The other end of its standard input, to be kept open.
    #[serde(default)]
    pub input: Option<HeldDescriptor>,
    /// The other end of its standard output, to be taken from who reads it now.
    #[serde(default)]
    pub out: Option<HeldDescriptor>,
    /// The same of standard error.
    #[serde(default)]
    pub err: Option<HeldDescriptor>,
    /// The other end of its Node channel.
    #[serde(default)]
    pub channel: Option<HeldDescriptor>,
}

/// A descriptor of another process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct HeldDescriptor {
    /// Whose.
    pub pid: i32,
    /// Its number there.
    pub fd: i32,
}

/// Params of `send`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SendParams {
    /// Whom.
    pub targets: Vec<String>,
    /// One JSON value, at most 1 MiB; a Node program gets it with `process.on('message')`.
    pub message: String,
}

/// Params of `events`, and of a `subscribe` to events alone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct EventsParams {
    /// Only events with a greater sequence number; `None`: for `events` all that are kept, for `subscribe` only new ones.
    #[serde(default)]
    pub since: Option<u64>,
    /// Only these; empty: all.
    #[serde(default)]
    pub targets: Vec<String>,
    /// At most so many, the newest; 0: no limit.
    #[serde(default)]
    pub limit: u32,
}

/// Result of `events`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventsReply {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Sequence number of the newest event there is.
    pub newest: u64,
    /// Sequence number of the oldest event that is still kept.
    pub oldest: u64,
}

/// Notification: this client was too slow and missed some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// How many events since the last notification.
    #[serde(default)]
    pub count: u64,
    /// How many [`crate::live::Samples`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub samples: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Result of `flush` and `rotate`: log files that were emptied or begun anew.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FlushReply {
    /// Their paths.
    pub files: Vec<RawString>,
}

/// Params of `upgrade`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Upgrade {
    /// Absolute path of the new binary.
    pub executable: RawString,
}

/// Result of `upgrade`: the new binary proved itself and is about to take over; the connection ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UpgradeReply {
    /// Version the new binary told.
    pub product: String,
}

/// Result of `trial.state`: the encoded table, as in `state.mp`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct TrialState {
    /// Bytes.
    #[serde(default)]
    pub state: RawString,
}

/// Params of `trial.ready`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrialReady {
    /// Product version of the candidate.
    pub product: String,
    /// Instances it found in the table.
    pub instances: u64,
}
