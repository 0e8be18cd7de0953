//! Looks at a log as a whole, as far as a bound of lines reaches.

use std::io;
use std::path::PathBuf;

use velos_log_engine::query::{Reader, Window};
use velos_log_engine::redact::Redactor;
use velos_log_engine::summary::{Analyst, Period, Plan};
use velos_log_engine::{Stream, tail};

use crate::digest::Digest;
use crate::msg::LogSource;

/// Lines of each stream that are looked at, those that tell what is usual included.
const LINES: usize = 30_000;
const HOUR_US: u64 = 3_600_000_000;

/// The last hour, or less where more was printed than is looked at.
pub(super) fn read(source: &LogSource, files: &[(PathBuf, Stream)], now_us: u64) -> io::Result<Digest> {
    let mut history_us = now_us.saturating_sub(24 * HOUR_US);
    let mut times: Vec<u64> = Vec::new();
    for (path, stream) in files {
        let lines = tail(path, *stream, LINES)?;
        if lines.len() == LINES
            && let Some(first_us) = lines.iter().find_map(|line| line.time_us)
        {
            history_us = history_us.max(first_us);
        }
        times.extend(lines.iter().filter_map(|line| line.time_us));
    }
    let from_us = now_us.saturating_sub(HOUR_US).max(history_us);
    let label = match (now_us - from_us).div_ceil(1_000_000) {
        3_600.. => "last 1h".to_owned(),
        seconds @ 0..120 => format!("last {seconds}s, more is too much"),
        seconds => format!("last {}min, more is too much", seconds / 60),
    };
    let period = Period { label, from_us, until_us: now_us };
    let mut analyst = Analyst::new(Plan { app: source.name.clone(), period, history_us });
    let window = Window { since_us: Some(history_us), until_us: Some(now_us) };
    for (path, stream) in files {
        analyst.read(Reader::open(path, *stream, window)?)?;
    }
    let mut redactor = source.redact.then(Redactor::new);
    Ok(Digest::new(analyst.finish(), times.into_iter(), redactor.as_mut()))
}
