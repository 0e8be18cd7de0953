//! What is kept of each run of an instance.

use serde::{Deserialize, Serialize};

use crate::event::Cause;
use crate::instance::{Exit, Token};

/// One process of an instance, from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Counts up from 1 for each instance.
    pub number: u64,
    /// Its spawn attempt.
    pub token: Token,
    /// Process id.
    pub pid: i32,
    /// Wall clock, milliseconds since 1970.
    pub started_ms: i64,
    /// The same of its end; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<i64>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// Why it was ended; absent when it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<Cause>,
    /// CPU time and memory, when the kernel told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
}

/// What a process used in its life, as getrusage(2) counts it: without children that it did not wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// User and system time, microseconds.
    pub cpu_us: u64,
    /// Largest resident memory, bytes.
    pub peak_rss_bytes: u64,
}
