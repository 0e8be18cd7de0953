//! Where output goes and how much of it is kept.

use serde::{Deserialize, Serialize};

use crate::raw_string::RawString;

/// Where output goes and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSpec {
    /// File for stdout, absolute; `None`: `logs/<name>-out.log`. With several instances their numbers stand in the names,
    /// unless `merge` is set.
    pub out: Option<RawString>,
    /// File for stderr, absolute; `None`: `logs/<name>-error.log`.
    pub err: Option<RawString>,
    /// File for both, absolute, beside the two; an empty name: `logs/<name>.log`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub combined: Option<RawString>,
    /// Store nothing of stdout.
    #[serde(skip_serializing_if = "is_false")]
    pub discard_out: bool,
    /// Store nothing of stderr.
    #[serde(skip_serializing_if = "is_false")]
    pub discard_err: bool,
    /// Rotate at this size. Bytes; 0: never.
    pub max_size_bytes: u64,
    /// Rotated files kept besides the live one.
    pub keep: u32,
    /// Compress rotated files but the newest.
    pub compress: bool,
    /// All instances write to the same files, so that no number stands in the names.
    #[serde(skip_serializing_if = "is_false")]
    pub merge: bool,
    /// How a line is stored.
    #[serde(skip_serializing_if = "is_raw")]
    pub format: LogFormat,
    /// Put the time before each stored line, in this form (PM2's `log_date_format`: `YYYY-MM-DD HH:mm:ss.SSS Z`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamps: Option<String>,
}

/// How a line is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// As it was written.
    #[default]
    Raw,
    /// One JSON object a line: message, timestamp, type, process_id, app_name.
    Json,
}

impl Default for LogSpec {
    fn default() -> Self {
        Self {
            out: None,
            err: None,
            combined: None,
            discard_out: false,
            discard_err: false,
            max_size_bytes: 10 * 1024 * 1024,
            keep: 10,
            compress: true,
            merge: false,
            format: LogFormat::Raw,
            timestamps: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_raw(format: &LogFormat) -> bool {
    *format == LogFormat::Raw
}
