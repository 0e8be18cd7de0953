//! What is unusual in logs, for the tools that tell how apps do and what happened to them.

use std::path::Path;

use velos_core::error::ErrorReply;
use velos_log_engine::Stream;
use velos_log_engine::summary::{Period, summarise};

use super::log_summary::{by_app, clean};
use crate::clean::Cleaner;
use crate::clock;
use crate::logs::Source;
use crate::toolbox::unreadable;

/// Of so many apps the logs are looked at.
const APPS_MAX: usize = 10;
/// Of each app so many are told, the latest.
const EACH_MAX: usize = 3;

/// At least so much is looked at: in a shorter time nothing stands out. Microseconds.
const LOOK_US: u64 = 60 * 60 * 1_000_000;

/// A time in which a log was not as it usually is.
#[derive(Debug)]
pub(super) struct Unusual {
    pub(super) app: String,
    /// When it began, microseconds since 1970.
    pub(super) from_us: u64,
    /// `errors: 4.2σ above normal (7/min, usually 0.5)`.
    pub(super) text: String,
}

/// What began or went on since then, oldest first, and of how many apps nobody looked. What is usual is learnt from the
/// day before, as far as it is kept.
pub(super) fn since(
    sources: Vec<Source>,
    from_us: u64,
    cleaner: &mut Cleaner,
) -> Result<(Vec<Unusual>, usize), ErrorReply> {
    let mut found = Vec::new();
    let apps = by_app(sources);
    let left_out = apps.len().saturating_sub(APPS_MAX);
    for (app, sources) in apps.into_iter().take(APPS_MAX) {
        let logs = sources.iter().flat_map(|source| &source.logs);
        let logs: Vec<(&Path, Stream)> = logs.map(|log| (log.path.as_path(), log.stream)).collect();
        let until_us = clock::now_us();
        let period = Period { label: String::new(), from_us: from_us.min(until_us - LOOK_US), until_us };
        let summary = summarise(&app, &logs, period).map_err(unreadable)?;
        let recent: Vec<_> = summary.anomalies.iter().filter(|one| one.until_us >= from_us).collect();
        let latest = recent.len().saturating_sub(EACH_MAX);
        found.extend(recent.into_iter().skip(latest).map(|anomaly| Unusual {
            app: app.clone(),
            from_us: anomaly.from_us,
            text: format!("{}: {}", clean(&anomaly.of, cleaner), anomaly.text),
        }));
    }
    found.sort_by_key(|one| one.from_us);
    Ok((found, left_out))
}
