//! Commands that run around the life of an instance.

use serde::{Deserialize, Serialize};

/// One command per moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hooks {
    /// Before each start; its failure is a failed start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_start: Option<Hook>,
    /// After it is online.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_start: Option<Hook>,
    /// Before the stop signal; its failure does not keep the app from stopping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_stop: Option<Hook>,
    /// After all of it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_stop: Option<Hook>,
    /// After an exit that nobody asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_crash: Option<Hook>,
}

/// A command line through `/bin/sh -c`, in the app's folder and environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The line.
    pub command: String,
    /// After this it is killed and has failed. Milliseconds, at least 1.
    #[serde(default = "timeout")]
    pub timeout_ms: u64,
}

impl Hook {
    /// With the standard time of 30 s.
    pub fn new(command: impl Into<String>) -> Self {
        Self { command: command.into(), timeout_ms: timeout() }
    }
}

fn timeout() -> u64 {
    30_000
}
