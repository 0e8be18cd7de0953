//! An app: what the user declared.

mod check;
mod cron;
mod depend;
mod health;
mod hooks;
mod identity;
mod logs;
mod watch;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use check::SpecError;
pub use cron::{CronError, CronFields, CronSpec};
pub use depend::{Condition, Dependency, Propagate};
pub use health::{HealthSpec, Probe};
pub use hooks::{Hook, Hooks};
pub use identity::{Identity, Limits, Resource, Rlimit};
pub use logs::{LogFormat, LogSpec};
pub use watch::WatchSpec;

use crate::name::AppName;
use crate::policy::{ReadinessPolicy, RestartPolicy, StopPolicy};
use crate::raw_string::RawString;

/// The variable that holds the instance's number when none is named.
pub const INSTANCE_VAR: &str = "NODE_APP_INSTANCE";

/// Variables that say whose a process is. Who is called inside an app does not pass them on: neither to another app nor to
/// a daemon that it starts, which would be taken for a part of that app.
pub const OWN_VARIABLES: [&str; 8] = [
    "VELOS_RUN",
    "VELOS_ID",
    "VELOS_INSTANCE_ID",
    "VELOS_NAME",
    INSTANCE_VAR,
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
];

/// Everything needed to start the instances of one app, resolved by whoever asked for the start:
/// paths are absolute and the interpreter is found, so that the daemon looks nothing up.
///
/// Fields may be added, each with a default, so that older tables and clients can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSpec {
    /// Unique among all apps.
    pub name: AppName,
    /// Group for selection; "default" when not said.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The script or command as a person knows it: an absolute path or the command line.
    pub script: RawString,
    /// The interpreter's name for display, `None` for a binary.
    #[serde(default)]
    pub interpreter: Option<String>,
    /// Absolute path that is executed.
    pub program: RawString,
    /// The program is an interpreter that was found by its name in PATH: it is looked for again at each start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub found_in_path: bool,
    /// Nobody chose the interpreter: the virtual environment near the script is looked for at each start, too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub follows_venv: bool,
    /// Arguments with `argv[0]`.
    pub argv: Vec<RawString>,
    /// The arguments of the script alone, for display.
    #[serde(default)]
    pub args: Vec<RawString>,
    /// Absolute working directory.
    pub cwd: RawString,
    /// The whole environment but for the variables that Velos sets itself.
    #[serde(default)]
    pub env: BTreeMap<RawString, RawString>,
    /// Names of the variables in `env` that the user declared (`-e`, a file); the others came from the caller.
    #[serde(default)]
    pub env_declared: Vec<RawString>,
    /// Where a variable was declared, in words for people, when that is not the `env` of its file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env_origin: BTreeMap<RawString, String>,
    /// Wanted number of instances, at least 1.
    #[serde(default = "one")]
    pub instances: u32,
    /// When it is started again.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// How it is stopped.
    #[serde(default)]
    pub stop: StopPolicy,
    /// When it is online.
    #[serde(default)]
    pub readiness: ReadinessPolicy,
    /// Where its output goes.
    #[serde(default)]
    pub logs: LogSpec,
    /// Whether it is meant to run on or to end.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: Kind,
    /// When a task is started by itself; it is skipped while it still runs. Only of [`Kind::Task`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<CronSpec>,
    /// Do not start it when it is declared.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_autostart: bool,
    /// How its instances share ports.
    #[serde(default, skip_serializing_if = "is_default")]
    pub exec_mode: ExecMode,
    /// Addresses that the daemon listens on for all instances: `3000`, `127.0.0.1:3000`, `unix:/run/x.sock`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listen: Vec<String>,
    /// Whether it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthSpec>,
    /// What it needs before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// What restarts and failures of those do to it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub propagate: Propagate,
    /// When it is errored, all is stopped and a foreground daemon ends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub critical: bool,
    /// Restart it when files change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchSpec>,
    /// As whom it runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub identity: Identity,
    /// What it may use.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,
    /// What runs around its life.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hooks: Hooks,
    /// The variable that is counted up from its declared number: instance 0 gets it, instance 1 one more, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub increment_var: Option<String>,
    /// The variable that gets the instance's number; `None`: [`INSTANCE_VAR`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_var: Option<String>,
    /// The port it is known to use; it is also in `env` as `PORT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What was not taken from the caller's environment, and is not when it is taken anew.
    #[serde(default, skip_serializing_if = "is_default")]
    pub filter_env: EnvFilter,
    /// The files that were read into `env`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_file: Vec<RawString>,
    /// The profile that was chosen (`--env production`), already in `env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// File for the process id, absolute; `None`: `pids/<name>-<id>.pid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_file: Option<RawString>,
    /// The configuration file it was declared in, absolute; `None`: on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_in: Option<RawString>,
    /// When that file was last changed before it was read, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_ms: Option<i64>,
}

impl AppSpec {
    /// An app that executes `program` (an absolute path) in `/` with nothing in its environment and all standards.
    pub fn new(name: AppName, program: impl Into<RawString>) -> Self {
        let program = program.into();
        Self {
            name,
            namespace: default_namespace(),
            script: program.clone(),
            interpreter: None,
            found_in_path: false,
            follows_venv: false,
            argv: vec![program.clone()],
            program,
            args: Vec::new(),
            cwd: "/".into(),
            env: BTreeMap::new(),
            env_declared: Vec::new(),
            env_origin: BTreeMap::new(),
            instances: one(),
            restart: RestartPolicy::default(),
            stop: StopPolicy::default(),
            readiness: ReadinessPolicy::default(),
            logs: LogSpec::default(),
            kind: Kind::Service,
            schedule: None,
            no_autostart: false,
            exec_mode: ExecMode::Fork,
            listen: Vec::new(),
            health: None,
            depends_on: Vec::new(),
            propagate: Propagate::None,
            critical: false,
            watch: None,
            identity: Identity::default(),
            limits: Limits::default(),
            hooks: Hooks::default(),
            increment_var: None,
            instance_var: None,
            port: None,
            filter_env: EnvFilter::default(),
            env_file: Vec::new(),
            profile: None,
            pid_file: None,
            declared_in: None,
            declared_ms: None,
        }
    }
}

impl AppSpec {
    /// What is declared but not done by this version, as people write it.
    pub fn without_effect(&self) -> Vec<&'static str> {
        let declared = [
            ("exec_mode = \"cluster\"", self.exec_mode == ExecMode::Cluster),
            ("listen", !self.listen.is_empty()),
        ];
        declared.into_iter().filter(|(_, is_declared)| *is_declared).map(|(key, _)| key).collect()
    }
}

/// Whether an app is meant to run on or to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It runs on; an end is restarted.
    #[default]
    Service,
    /// It runs once; exit code 0 is success and it is not started again.
    Task,
}

/// How instances share ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecMode {
    /// They do not.
    #[default]
    Fork,
    /// Through the daemon.
    Cluster,
}

/// What is not taken from the caller's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnvFilter {
    /// Nothing is taken.
    pub everything: bool,
    /// Not the variables whose name holds one of these texts, or matches it when it has a `*`.
    pub patterns: Vec<String>,
}

impl EnvFilter {
    /// Whether a variable is kept out.
    pub fn drops(&self, name: &str) -> bool {
        let fits = |pattern: &String| match pattern.contains('*') {
            true => crate::selector::glob(pattern.as_bytes(), name.as_bytes()),
            false => !pattern.is_empty() && name.contains(pattern.as_str()),
        };
        self.everything || self.patterns.iter().any(fits)
    }
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn one() -> u32 {
    1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
