//! `daemon.log`: one line per event, for people who look after the daemon. Written by the writer thread, once for each
//! turn of the loop and after what somebody waits for.

use std::path::PathBuf;

use velos_core::event::{Cause, Event, What};
use velos_ffi::Reactor;

use crate::home::Home;

/// The log is rotated once to `daemon.log.1` at this size, bytes.
const LOG_BYTES_MAX: u64 = 1024 * 1024;

/// How much is written: `VELOS_LOG` = error, info (default) or debug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Error,
    Info,
    Debug,
}

/// The writer of `daemon.log`.
#[derive(Debug)]
pub(crate) struct JournalLog {
    path: PathBuf,
    level: Level,
    /// Lines of this turn.
    pending: Vec<u8>,
}

impl JournalLog {
    pub(crate) fn new(home: &Home) -> Self {
        let level = match std::env::var("VELOS_LOG").as_deref() {
            Ok("error") => Level::Error,
            Ok("debug") => Level::Debug,
            _ => Level::Info,
        };
        Self { path: home.daemon_log(), level, pending: Vec::new() }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        self.write(Level::Info, event.at_ms, &sentence(event));
    }

    pub(crate) fn line(&mut self, text: &str) {
        self.write(Level::Error, crate::control::now().wall_ms, text);
    }

    pub(crate) fn debug(&mut self, text: &str) {
        self.write(Level::Debug, crate::control::now().wall_ms, text);
    }

    fn write(&mut self, level: Level, at_ms: i64, text: &str) {
        if level > self.level {
            return;
        }
        let name = match level {
            Level::Error => "error",
            Level::Info => "info",
            Level::Debug => "debug",
        };
        let line = format!("{} {name} {text}\n", timestamp(at_ms));
        self.pending.extend_from_slice(line.as_bytes());
    }

    /// Hand over what was said.
    pub(crate) fn flush(&mut self, reactor: &mut Reactor) {
        if self.pending.is_empty() {
            return;
        }
        // A full queue means a disk that does not keep up: the daemon's own talk is what may be lost.
        let _ = reactor.file_append(&self.path, &self.pending, LOG_BYTES_MAX);
        self.pending = Vec::new();
    }
}

fn sentence(event: &Event) -> String {
    let mut text = format!("event={}", event.sequence);
    if let Some(app) = &event.app {
        text.push_str(&format!(" app={app}"));
    }
    if let Some(instance) = event.instance {
        text.push_str(&format!(" instance={}", instance.0));
    }
    match &event.what {
        What::Transition { from, to, cause, pid, .. } => {
            text.push_str(&format!(" {from:?}->{to:?} cause={}", reason(cause)));
            if let Some(pid) = pid {
                text.push_str(&format!(" pid={pid}"));
            }
        }
        other => text.push_str(&format!(" {other:?}")),
    }
    text
}

fn reason(cause: &Cause) -> String {
    match cause {
        Cause::Command { verb, by } => format!("{verb:?} by={by:?}"),
        Cause::Exited { exit, uptime_ms } => format!("exited ({exit}) after {uptime_ms} ms"),
        Cause::SpawnFailed { failure } => {
            let error = std::io::Error::from_raw_os_error(failure.errno);
            format!("spawn failed at {:?}: {error}", failure.stage)
        }
        other => format!("{other:?}"),
    }
}

/// RFC 3339 in UTC with milliseconds. Days to date after Howard Hinnant, "chrono-compatible low-level date algorithms".
fn timestamp(at_ms: i64) -> String {
    let (days, ms) = (at_ms.div_euclid(86_400_000), at_ms.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
    let (second, ms) = (ms / 1_000 % 60, ms % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn timestamps_of_known_moments() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_782_400_123), "2000-02-29T00:00:00.123Z");
        assert_eq!(timestamp(1_795_219_199_999), "2026-11-20T23:59:59.999Z");
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999Z");
    }
}
