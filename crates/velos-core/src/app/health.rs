//! How it is found out whether an instance works.

use serde::{Deserialize, Serialize};

/// A probe and its rhythm. The instance is healthy from the first success on; too many failures in a row restart it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthSpec {
    /// What is tried.
    pub probe: Probe,
    /// Pause between two probes. Milliseconds, at least 100.
    #[serde(default = "interval")]
    pub interval_ms: u64,
    /// A probe that takes longer has failed. Milliseconds, at least 1.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
    /// Failures in a row that make the instance unhealthy, at least 1.
    #[serde(default = "retries")]
    pub retries: u32,
    /// Failures in this time after the start do not count. Milliseconds.
    #[serde(default)]
    pub start_period_ms: u64,
}

/// One kind of probe. `${NAME}` in a text is replaced by the instance's variable of that name at each probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// GET of an `http://` address; a status from 200 to 399 is a success.
    Http(String),
    /// A connection to `host:port` is accepted.
    Tcp(String),
    /// A command line through `/bin/sh -c` ends with exit code 0.
    Exec(String),
    /// A line of output matches this regular expression (once: the line was seen since the start).
    Log(String),
}

impl HealthSpec {
    /// With the standard rhythm: every 10 s, 2 s time, 3 failures.
    pub fn new(probe: Probe) -> Self {
        Self { probe, interval_ms: interval(), timeout_ms: timeout(), retries: retries(), start_period_ms: 0 }
    }
}

fn interval() -> u64 {
    10_000
}

fn timeout() -> u64 {
    2_000
}

fn retries() -> u32 {
    3
}
