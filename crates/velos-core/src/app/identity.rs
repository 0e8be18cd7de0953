//! As whom an app runs and what it may use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// User, groups and mask; numbers, looked up by whoever declared the app. `None`: as the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// The user as it was written, for display.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// User.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Primary group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Supplementary groups; empty with a `uid` means none but `gid`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u32>,
    /// File mode mask, 0 to 0o777.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// No program that it executes may gain rights (`PR_SET_NO_NEW_PRIVS`). Linux.
    pub no_new_privileges: bool,
}

/// Bounds of resources. `None` or absent: inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// setrlimit(2).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rlimits: BTreeMap<Resource, Rlimit>,
    /// -20 (first) to 19 (last).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
    /// -1000 (never killed) to 1000 (killed first). Linux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i32>,
    /// cgroup v2 `memory.max` of each instance. Bytes, at least 1 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max_bytes: Option<u64>,
    /// cgroup v2 `memory.high`: above it the instance is slowed down. Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_high_bytes: Option<u64>,
    /// cgroup v2 `cpu.max`, in hundredths of one core: 150 is one and a half. At least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_max_percent: Option<u32>,
    /// cgroup v2 `pids.max`, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_max: Option<u32>,
}

impl Limits {
    /// Whether one of them needs a cgroup.
    pub fn need_cgroup(&self) -> bool {
        self.memory_max_bytes.is_some()
            || self.memory_high_bytes.is_some()
            || self.cpu_max_percent.is_some()
            || self.pids_max.is_some()
    }
}

/// A resource of setrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Open files.
    Nofile,
    /// Size of a core file, bytes.
    Core,
    /// Processes of the user.
    Nproc,
    /// Stack, bytes.
    Stack,
    /// Locked memory, bytes.
    Memlock,
    /// Address space, bytes.
    As,
    /// CPU time, seconds.
    Cpu,
    /// Size of a file, bytes.
    Fsize,
    /// Data segment, bytes.
    Data,
}

/// Both bounds of a resource; `None`: unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// In force.
    pub soft: Option<u64>,
    /// The most it may be raised to; not less than `soft`.
    pub hard: Option<u64>,
}
