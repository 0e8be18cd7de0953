//! Looks at a log as a whole, as far as a bound of lines reaches.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use velos_log_engine::redact::Redactor;
use velos_log_engine::summary::{Period, summarise};
use velos_log_engine::{Stream, tail};

use crate::digest::Digest;
use crate::msg::LogSource;

/// Lines of each stream that are looked at; what is usual is learned from more.
const LINES: usize = 30_000;
const HOUR_US: u64 = 3_600_000_000;

/// The last hour, or less where more was printed than is looked at.
pub(super) fn read(source: &LogSource, files: &[(PathBuf, Stream)], now_us: u64) -> io::Result<Digest> {
    let begin = Instant::now();
    let mut from_us = now_us.saturating_sub(HOUR_US);
    let mut times: Vec<u64> = Vec::new();
    for (path, stream) in files {
        let lines = tail(path, *stream, LINES)?;
        if lines.len() == LINES
            && let Some(first_us) = lines.iter().find_map(|line| line.time_us)
        {
            from_us = from_us.max(first_us);
        }
        times.extend(lines.iter().filter_map(|line| line.time_us));
    }
    let label = match now_us.saturating_sub(from_us).div_ceil(1_000_000) {
        3_600.. => "last 1h".to_owned(),
        seconds @ 0..120 => format!("last {seconds}s, more is too much"),
        seconds => format!("last {}min, more is too much", seconds / 60),
    };
    let period = Period { label, from_us, until_us: now_us };
    let logs: Vec<(&Path, Stream)> = files.iter().map(|(path, stream)| (path.as_path(), *stream)).collect();
    let summary = summarise(&source.name, &logs, period)?;
    let mut redactor = source.redact.then(Redactor::new);
    let digest = Digest::new(summary, times.into_iter(), redactor.as_mut());
    Ok(Digest { took_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX), ..digest })
}
