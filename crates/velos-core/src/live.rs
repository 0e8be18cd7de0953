//! What a subscription brings besides events: readings of the processes, and how far their logs have grown.

use serde::{Deserialize, Serialize};

use crate::instance::{InstanceId, Phase};
use crate::raw_string::RawString;

/// Shortest pause between two readings, milliseconds.
pub const INTERVAL_MS_MIN: u32 = 250;
/// Longest pause between two readings, milliseconds.
pub const INTERVAL_MS_MAX: u32 = 60_000;
/// The pause when none is given, milliseconds.
pub const INTERVAL_MS_DEFAULT: u32 = 1_000;

/// What can be subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Notifications `event`: what happens.
    Events,
    /// Notifications `samples`: readings at an interval.
    Samples,
    /// Notifications `logs`: how far logs have grown.
    Logs,
}

/// Params of `subscribe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscribeParams {
    /// Events with a greater sequence number; `None`: only new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Only these; empty: all.
    #[serde(default)]
    pub targets: Vec<String>,
    /// What is wanted; empty: events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// Pause between two readings, from [`INTERVAL_MS_MIN`] to [`INTERVAL_MS_MAX`]; `None`: [`INTERVAL_MS_DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u32>,
}

/// Result of `subscribe`. An empty map for who named no kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribed {
    /// What will come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// Sequence number of the newest event there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<u64>,
    /// With logs: where each stands now; what is written from here on is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogPosition>,
}

/// Notification: one reading of all that are subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    /// Wall clock, milliseconds since 1970.
    pub at_ms: i64,
    /// By id.
    pub instances: Vec<InstanceSample>,
}

/// One instance of [`Samples`]; the fields are those of `list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSample {
    /// Id.
    pub id: InstanceId,
    /// App.
    pub name: String,
    /// Number within the app.
    pub slot: u32,
    /// What is.
    pub phase: Phase,
    /// Process id while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// Since the process runs, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_ms: Option<u64>,
    /// Restarts of a running instance since it was added or reset.
    pub restarts: u64,
    /// CPU of the tree since the reading before, in hundredths of a percent of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_centipercent: Option<u32>,
    /// Resident memory of the tree, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
}

/// Notification: logs that have grown, or were emptied or begun anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// Wall clock, milliseconds since 1970.
    pub at_ms: i64,
    /// By id, `out` before `err`.
    pub logs: Vec<LogPosition>,
}

/// Which output of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A piece of a log, by where it begins and ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// Id.
    pub id: InstanceId,
    /// App.
    pub name: String,
    /// Number within the app.
    pub slot: u32,
    /// Which of its outputs.
    pub stream: LogStream,
    /// The live file.
    pub path: RawString,
    /// Where the log stood when it was told of last.
    pub from: Place,
    /// Where it stands now.
    pub to: Place,
    /// Lines that this instance wrote in between.
    pub lines: u64,
}

/// A byte of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Number of the segment: the live file when it is the newest, else the closed file of that number.
    pub segment: u64,
    /// Bytes before it in that segment.
    pub offset: u64,
}

impl LogPosition {
    /// What both tell, as one: this one was not read yet, `newer` follows it.
    pub fn join(&mut self, newer: LogPosition) {
        let lines = self.lines.saturating_add(newer.lines);
        *self = LogPosition { from: self.from, lines, ..newer };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_no_kinds_gets_an_empty_map_and_sends_what_he_always_sent() {
        let bytes = rmp_serde::to_vec_named(&Subscribed::default()).unwrap();
        assert_eq!(bytes, [0x80]);
        let old = crate::protocol::EventsParams { since: Some(7), ..Default::default() };
        let params: SubscribeParams = rmp_serde::from_slice(&rmp_serde::to_vec_named(&old).unwrap()).unwrap();
        assert_eq!(params, SubscribeParams { since: Some(7), ..SubscribeParams::default() });
    }

    #[test]
    fn an_unknown_kind_is_named() {
        let bytes = rmp_serde::to_vec_named(&serde_json::json!({ "kinds": ["weather"] })).unwrap();
        let error = rmp_serde::from_slice::<SubscribeParams>(&bytes).unwrap_err().to_string();
        assert!(error.contains("weather") && error.contains("samples"), "{error}");
    }

    #[test]
    fn positions_that_were_not_read_become_one() {
        let at = |offset| Place { segment: 1, offset };
        let of = |from, to, lines| LogPosition {
            id: InstanceId(3),
            name: "api".into(),
            slot: 0,
            stream: LogStream::Out,
            path: "/x.log".into(),
            from,
            to,
            lines,
        };
        let mut first = of(at(10), at(20), 2);
        first.join(of(at(20), Place { segment: 2, offset: 5 }, 3));
        assert_eq!(first, of(at(10), Place { segment: 2, offset: 5 }, 5));
    }
}
