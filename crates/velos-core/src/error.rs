//! Errors as they travel: a stable code, what failed and why, what to do.

use serde::{Deserialize, Serialize};

/// Stable word for a kind of failure; decides the exit code of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// It was tried and failed. Exit code 1.
    Failed,
    /// The request makes no sense. Exit code 2.
    Usage,
    /// No such app, instance or method. Exit code 3.
    NotFound,
    /// No daemon, and none could be started. Exit code 4.
    NoDaemon,
    /// It did not become ready in time. Exit code 5.
    NotReady,
    /// Not allowed. Exit code 6.
    Refused,
    /// An app of that name exists. Exit code 1.
    Exists,
    /// The other side speaks another version. Exit code 1.
    Version,
    /// A bound is reached (queue, table, descriptors). Exit code 1.
    Busy,
    /// Ours to mend. Exit code 1.
    Internal,
}

impl ErrorCode {
    /// The exit code of the command line.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorCode::Failed
            | ErrorCode::Exists
            | ErrorCode::Version
            | ErrorCode::Busy
            | ErrorCode::Internal => 1,
            ErrorCode::Usage => 2,
            ErrorCode::NotFound => 3,
            ErrorCode::NoDaemon => 4,
            ErrorCode::NotReady => 5,
            ErrorCode::Refused => 6,
        }
    }
}

/// What a failed request is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ErrorReply {
    /// Kind.
    pub code: ErrorCode,
    /// What failed and why, one line, lowercase, no full stop.
    pub message: String,
    /// What to do, when we know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ErrorReply {
    /// Without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// With one.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
