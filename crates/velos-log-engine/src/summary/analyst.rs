//! The one pass.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::minutes::{MINUTE_US, Minutes};
use super::pattern::{ENTRIES_MAX, KeyCount};
use super::{Anomaly, LastError, Pattern, Period, Summary};
use crate::anomaly::{Kind, episodes};
use crate::errors::{Errors, Looked};
use crate::health::{Facts, Health};
use crate::level::{Classifier, Level, Verdict};
use crate::line::Stream;
use crate::query::{Block, LineRef, Reader, Window, history_start, own_time};
use crate::template::Miner;

/// Patterns that are listed.
const LISTED: usize = 20;
/// Patterns whose counts are searched for episodes.
const WATCHED: usize = 50;
/// Errors that are listed.
const ERRORS_LISTED: usize = 20;

/// Bytes of each log that are read to learn what is usual.
const HISTORY_BYTES: u64 = 32 << 20;
/// How far back they may lie.
const HISTORY_US: u64 = 24 * 60 * MINUTE_US;

/// The summary of an app's logs in a period.
pub fn summarise(app: &str, logs: &[(&Path, Stream)], period: Period) -> io::Result<Summary> {
    let oldest_us = period.from_us.saturating_sub(HISTORY_US);
    let starts = logs.iter().map(|(log, _)| history_start(log, period.from_us, oldest_us, HISTORY_BYTES));
    // All logs begin at the same moment, so that what is compared is complete.
    let history_us = starts.max().unwrap_or(period.from_us).min(period.from_us);
    let window = Window { since_us: Some(history_us), until_us: Some(period.until_us) };
    let mut analyst = Analyst::new(Plan { app: app.to_owned(), period, history_us });
    for (log, stream) in logs {
        analyst.read(Reader::open(log, *stream, window)?)?;
    }
    Ok(analyst.finish())
}

/// What to look at.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name of the app.
    pub app: String,
    /// The period to summarise.
    pub period: Period,
    /// From when on lines are read to learn what is usual; not after the begin of the period.
    pub history_us: u64,
}

/// Looks at the logs of an app, one after the other.
#[derive(Debug)]
pub struct Analyst {
    plan: Plan,
    lines: u64,
    bytes: u64,
    warnings: u64,
    fatals: u64,
    earliest_us: Option<u64>,
    history_lines: u64,
    errors: Errors,
    line_minutes: Minutes,
    error_minutes: Minutes,
    warning_minutes: Minutes,
    patterns: HashMap<u64, (String, KeyCount)>,
    notes: Vec<String>,
}

/// What one log is read with.
struct Log {
    miner: Miner,
    /// One per stream.
    classifiers: [Classifier; 2],
    keys: Vec<KeyCount>,
    entries: usize,
    history_errors: Errors,
}

impl Analyst {
    /// Knows nothing yet.
    pub fn new(plan: Plan) -> Self {
        let minutes = Minutes::between(plan.history_us, plan.period.until_us);
        Self {
            lines: 0,
            bytes: 0,
            warnings: 0,
            fatals: 0,
            earliest_us: None,
            history_lines: 0,
            errors: Errors::new(),
            line_minutes: minutes.empty_like(),
            error_minutes: minutes.empty_like(),
            warning_minutes: minutes,
            patterns: HashMap::new(),
            notes: Vec::new(),
            plan,
        }
    }

    /// Look at a log. Its reader begins where the plan's history does.
    pub fn read(&mut self, reader: Reader) -> io::Result<()> {
        self.read_where(reader, |_| true)
    }

    /// The same for lines that somebody wants.
    pub fn read_where(
        &mut self,
        reader: Reader,
        mut wants: impl FnMut(&LineRef<'_>) -> bool,
    ) -> io::Result<()> {
        let mut reader = reader;
        let mut log: Option<Log> = None;
        while let Some(block) = reader.next_block()? {
            let log = log.get_or_insert_with(|| Log::of(&block));
            self.look(log, &block, &mut wants);
        }
        if let Some(log) = log {
            self.errors.finish();
            self.take(log);
        }
        Ok(())
    }

    fn look(&mut self, log: &mut Log, block: &Block<'_>, wants: &mut impl FnMut(&LineRef<'_>) -> bool) {
        for line in block.lines() {
            if !wants(&line) {
                continue;
            }
            let text = crate::ansi::strip(line.bytes);
            let time_us = line.time_us.or_else(|| own_time(&text));
            let is_history = time_us.is_some_and(|time_us| time_us < self.plan.period.from_us);
            if is_history {
                self.history_lines += 1;
            } else {
                self.lines += 1;
                self.bytes += line.bytes.len() as u64 + 1;
            }
            let minute = time_us.map(|time_us| time_us / MINUTE_US);
            if let Some(time_us) = time_us {
                self.earliest_us = Some(self.earliest_us.map_or(time_us, |first| first.min(time_us)));
                self.line_minutes.add(time_us / MINUTE_US, 1);
            }
            let verdict = log.classify(&text, line.stream);
            let errors = if is_history { &mut log.history_errors } else { &mut self.errors };
            match errors.add_stripped(&text, verdict, time_us, line.stream) {
                // A line of a trace is no message of its own.
                Looked::GoesOn => continue,
                Looked::Begins => {
                    if let Some(minute) = minute {
                        self.error_minutes.add(minute, 1);
                    }
                    self.fatals += u64::from(verdict.level == Level::Fatal && !is_history);
                }
                Looked::No if verdict.level == Level::Warn => {
                    self.warnings += u64::from(!is_history);
                    if let Some(minute) = minute {
                        self.warning_minutes.add(minute, 1);
                    }
                }
                Looked::No => {}
            }
            log.count(&text, verdict.level, time_us, is_history);
        }
    }

    /// The keys of a log become patterns of the app.
    fn take(&mut self, mut log: Log) {
        if log.miner.folded() > 0 {
            self.notes.push(format!(
                "{} lines had patterns beyond the first 10,000 and are counted together",
                log.miner.folded()
            ));
        }
        for template in log.miner.templates() {
            let entry =
                self.patterns.entry(template.id).or_insert_with(|| (template.text, KeyCount::default()));
            for key in template.keys {
                if let Some(count) = log.keys.get_mut(key) {
                    entry.1.join(std::mem::take(count));
                }
            }
        }
    }

    /// All logs were read.
    pub fn finish(mut self) -> Summary {
        self.errors.finish();
        let anomalies = self.anomalies();
        let boundary = self.boundary();
        let has_history = self.history_lines > 0;
        let mut patterns: Vec<Pattern> = Vec::new();
        let mut new_patterns = Vec::new();
        for (id, (text, count)) in self.patterns {
            if count.count == 0 {
                continue;
            }
            let is_new = has_history && count.history == 0 && count.level >= Level::Warn;
            let pattern = count.describe(id, text, boundary);
            if is_new {
                new_patterns.push(pattern.clone());
            }
            patterns.push(pattern);
        }
        let order = |pattern: &Pattern| (std::cmp::Reverse(pattern.count), pattern.text.clone());
        patterns.sort_by_cached_key(order);
        new_patterns.sort_by_cached_key(order);
        let pattern_count = patterns.len();
        patterns.truncate(LISTED);
        let active = || anomalies.iter().filter(|one| one.episode.is_active && one.of != "lines");
        // A period from the beginning of time would make every rate nothing.
        let begin_us = self.plan.period.from_us.max(self.earliest_us.unwrap_or(0));
        let facts = Facts {
            hours: self.plan.period.until_us.saturating_sub(begin_us) as f64 / 3.6e9,
            lines: self.lines,
            errors: self.errors.count(),
            fatals: self.fatals,
            warnings: self.warnings,
            crashes: 0,
            new_errors: new_patterns.iter().filter(|pattern| pattern.level >= Level::Error).count() as u64,
            episodes: active().count() as u64,
            big_episodes: active().filter(|one| one.episode.ratio() >= 10.0).count() as u64,
            is_silent: anomalies.iter().any(|one| one.episode.kind == Kind::Silence && one.episode.is_active),
        };
        let last_error = self
            .errors
            .last()
            .map(|group| LastError { text: group.last_message.clone(), time_us: group.last_us });
        let (errors, untold) = (self.errors.count(), self.errors.untold());
        if untold > 0 {
            self.notes.push(format!("{untold} errors were beyond the first 1,000 different ones"));
        }
        let mut error_groups = self.errors.into_sorted();
        error_groups.truncate(ERRORS_LISTED);
        Summary {
            app: self.plan.app,
            period: self.plan.period,
            health: Health::of(&facts),
            lines: self.lines,
            bytes: self.bytes,
            errors,
            warnings: self.warnings,
            patterns,
            pattern_count,
            new_patterns,
            anomalies,
            error_groups,
            last_error,
            notes: self.notes,
            facts,
        }
    }

    /// The minute at which the last third of the period begins; 0 when it is too short to tell.
    fn boundary(&self) -> u64 {
        let from_us =
            self.earliest_us.map_or(self.plan.period.from_us, |first| first.max(self.plan.period.from_us));
        let span_us = self.plan.period.until_us.saturating_sub(from_us);
        if span_us < 3 * MINUTE_US { 0 } else { (from_us + span_us / 3 * 2) / MINUTE_US }
    }

    fn anomalies(&self) -> Vec<Anomaly> {
        let Some(earliest_us) = self.earliest_us else { return Vec::new() };
        let first = earliest_us / MINUTE_US;
        let mut found = Vec::new();
        self.search("errors", first, self.error_minutes.since(first), false, &mut found);
        self.search("warnings", first, self.warning_minutes.since(first), false, &mut found);
        let mut watched: Vec<&(String, KeyCount)> = self
            .patterns
            .values()
            .filter(|(_, count)| count.level >= Level::Warn && count.count >= 3)
            .collect();
        watched.sort_by_key(|(text, count)| (std::cmp::Reverse(count.count), text));
        for (text, count) in watched.into_iter().take(WATCHED) {
            let mut minutes = self.line_minutes.empty_like();
            for (minute, lines) in &count.minutes {
                minutes.add(u64::from(*minute), *lines);
            }
            self.search(text, first, minutes.since(first), false, &mut found);
        }
        self.search("lines", first, self.line_minutes.since(first), true, &mut found);
        found.sort_by(|one, other| {
            (other.episode.is_active, other.from_us).cmp(&(one.episode.is_active, one.from_us))
        });
        found
    }

    /// Episodes of one series that reach into the period.
    fn search(&self, name: &str, first: u64, counts: &[u32], with_silence: bool, found: &mut Vec<Anomaly>) {
        for episode in episodes(counts) {
            let from_us = (first + episode.start as u64) * MINUTE_US;
            let until_us = (first + episode.end as u64) * MINUTE_US;
            let is_wanted = until_us + MINUTE_US > self.plan.period.from_us
                && (with_silence || episode.kind == Kind::Spike);
            // The same burst under two names says nothing more.
            let is_told = found.iter().any(|other: &Anomaly| {
                other.episode.kind == episode.kind
                    && other.from_us <= until_us
                    && other.until_us >= from_us
                    && other.episode.count * 2 > episode.count
            });
            if is_wanted && !is_told {
                found.push(Anomaly { of: name.to_owned(), from_us, until_us, text: episode.text(), episode });
            }
        }
    }
}

impl Log {
    /// Learns the header from the first block.
    fn of(block: &Block<'_>) -> Self {
        let lines: Vec<&[u8]> = block.lines().map(|line| line.bytes).collect();
        Self {
            miner: Miner::learn(lines.iter().copied()),
            classifiers: [Classifier::new(), Classifier::new()],
            keys: Vec::new(),
            entries: 0,
            history_errors: Errors::new(),
        }
    }

    fn classify(&mut self, text: &[u8], stream: Stream) -> Verdict {
        let [out, err] = &mut self.classifiers;
        if stream == Stream::Out { out.next(text) } else { err.next(text) }
    }

    fn count(&mut self, text: &[u8], level: Level, time_us: Option<u64>, is_history: bool) {
        let key = self.miner.add_stripped(text);
        if key >= self.keys.len() {
            self.keys.resize_with(key + 1, KeyCount::default);
        }
        let is_full = self.entries >= ENTRIES_MAX;
        let Some(count) = self.keys.get_mut(key) else { return };
        let is_added = if is_history {
            count.add_history(time_us, is_full)
        } else {
            count.add(text, level, time_us, is_full)
        };
        self.entries += usize::from(is_added);
    }
}
