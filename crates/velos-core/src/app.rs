//! An app: what the user declared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::AppName;
use crate::policy::{ReadinessPolicy, RestartPolicy, StopPolicy};
use crate::raw_string::RawString;

/// Everything needed to start the instances of one app, resolved by whoever asked for the start:
/// paths are absolute and the interpreter is found, so that the daemon looks nothing up.
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
    /// Names of the variables in `env` that the user declared (`-e`); the others came from the caller.
    #[serde(default)]
    pub env_declared: Vec<RawString>,
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
}

/// Where output goes and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSpec {
    /// File for stdout, absolute; `None`: `logs/<name>-out.log` (with the instance number when there are several).
    pub out: Option<RawString>,
    /// File for stderr, absolute; `None`: `logs/<name>-error.log`.
    pub err: Option<RawString>,
    /// Rotate at this size. Bytes; 0: never.
    pub max_size_bytes: u64,
    /// Rotated files kept besides the live one.
    pub keep: u32,
}

impl Default for LogSpec {
    fn default() -> Self {
        Self { out: None, err: None, max_size_bytes: 10 * 1024 * 1024, keep: 10 }
    }
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn one() -> u32 {
    1
}
