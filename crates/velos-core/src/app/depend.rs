//! What an app needs of others before it starts, and what follows when they fail.

use serde::{Deserialize, Serialize};

use crate::name::AppName;

/// Another app that this one needs. It gates starts only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// Which.
    pub app: AppName,
    /// How far it must have come.
    #[serde(default)]
    pub condition: Condition,
}

/// How far a dependency must have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Online.
    #[default]
    Started,
    /// Online and its health check passes.
    Healthy,
    /// It ended with exit code 0 (a task).
    Completed,
}

/// What a restart or failure of a dependency does to this app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Propagate {
    /// Nothing.
    #[default]
    None,
    /// This app is restarted after the dependency was.
    Restart,
    /// This app is stopped when the dependency is stopped or errored.
    Stop,
}
