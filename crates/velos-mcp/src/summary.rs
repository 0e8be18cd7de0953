//! What rows of a log have in common.

use std::collections::HashMap;

use velos_log_engine::Level;
use velos_log_engine::template::Miner;

use crate::compact::message;
use crate::logs::Row;
use crate::stack;

/// Of each log at most so much is read, the newest.
pub(crate) const BYTES_MAX: u64 = 32 * 1024 * 1024;
/// An error rate is a spike when a part of the time has so many times the average.
const SPIKE_FACTOR: usize = 4;
const SPIKE_MIN: usize = 5;
const PARTS: u64 = 24;

/// Lines that differ in values only.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) count: usize,
    /// With placeholders.
    pub(crate) text: String,
    pub(crate) example: String,
    pub(crate) level: Level,
    pub(crate) last_us: Option<u64>,
    /// Of the newest, with errors.
    pub(crate) place: Option<String>,
}

/// Many errors in a short time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spike {
    pub(crate) at_us: u64,
    pub(crate) count: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) lines: usize,
    pub(crate) first_us: Option<u64>,
    pub(crate) last_us: Option<u64>,
    /// From severe to harmless, those that occur.
    pub(crate) levels: Vec<(&'static str, usize)>,
    /// Most severe first, then by count.
    pub(crate) errors: Vec<Pattern>,
    /// All others, by count.
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) spike: Option<Spike>,
}

pub(crate) fn of(rows: &[Row]) -> Summary {
    let mut summary = Summary { lines: rows.len(), ..Summary::default() };
    summary.first_us = rows.iter().filter_map(|row| row.time_us).min();
    summary.last_us = rows.iter().filter_map(|row| row.time_us).max();
    for level in Level::ALL.into_iter().rev() {
        let count = rows.iter().filter(|row| row.level == level).count();
        if count > 0 {
            summary.levels.push((level.name(), count));
        }
    }
    let texts: Vec<String> = rows.iter().map(|row| message(&row.text)).collect();
    let mut miner = Miner::learn(texts.iter().map(String::as_bytes));
    // Frames belong to their error.
    let is_frame = |text: &str| text.starts_with([' ', '\t']) || text.is_empty();
    let keys: Vec<Option<usize>> = texts
        .iter()
        .zip(rows)
        .map(|(text, row)| (!is_frame(&row.text) && !text.is_empty()).then(|| miner.add(text.as_bytes())))
        .collect();
    let mut of_key: HashMap<usize, usize> = HashMap::new();
    let templates = miner.templates();
    for (number, template) in templates.iter().enumerate() {
        of_key.extend(template.keys.iter().map(|key| (*key, number)));
    }
    let mut patterns: HashMap<usize, (Pattern, usize)> = HashMap::new();
    for (at, (key, row)) in keys.iter().zip(rows).enumerate() {
        let Some(number) = key.and_then(|key| of_key.get(&key)) else { continue };
        let entry = patterns.entry(*number).or_insert_with(|| {
            let text = templates.get(*number).map(|template| template.text.clone()).unwrap_or_default();
            let pattern = Pattern {
                count: 0,
                text,
                example: String::new(),
                level: row.level,
                last_us: None,
                place: None,
            };
            (pattern, at)
        });
        entry.0.count += 1;
        entry.0.level = entry.0.level.max(row.level);
        entry.0.last_us = row.time_us.or(entry.0.last_us);
        entry.0.example = texts.get(at).cloned().unwrap_or_default();
        entry.1 = at;
    }
    let mut all: Vec<Pattern> = Vec::new();
    for (mut pattern, at) in patterns.into_values() {
        if pattern.level >= Level::Error {
            let around = rows.get(at.saturating_sub(10)..(at + 30).min(rows.len())).unwrap_or_default();
            let own = at - at.saturating_sub(10);
            pattern.place = around
                .get(..own + 1 + around.iter().skip(own + 1).take_while(|row| is_frame(&row.text)).count())
                .and_then(stack::last_error)
                .and_then(|found| found.place);
        }
        all.push(pattern);
    }
    all.sort_by(|a, b| (b.count, &a.text).cmp(&(a.count, &b.text)));
    let (mut errors, patterns): (Vec<Pattern>, Vec<Pattern>) =
        all.into_iter().partition(|pattern| pattern.level >= Level::Error);
    errors.sort_by_key(|pattern| std::cmp::Reverse(pattern.level));
    summary.errors = errors;
    summary.patterns = patterns;
    summary.spike = spike(rows, &summary);
    summary
}

fn spike(rows: &[Row], summary: &Summary) -> Option<Spike> {
    let (first, last) = (summary.first_us?, summary.last_us?);
    let part = ((last - first) / PARTS).max(1_000_000);
    let mut counts: HashMap<u64, usize> = HashMap::new();
    let mut total = 0;
    for time in rows.iter().filter(|row| row.level >= Level::Error).filter_map(|row| row.time_us) {
        *counts.entry((time - first) / part).or_default() += 1;
        total += 1;
    }
    let parts = usize::try_from((last - first) / part + 1).unwrap_or(usize::MAX);
    let (number, count) = counts.into_iter().max_by_key(|(number, count)| (*count, *number))?;
    let is_spike = parts >= SPIKE_FACTOR && count >= SPIKE_MIN && count * parts >= total * SPIKE_FACTOR;
    is_spike.then(|| Spike { at_us: first + number * part, count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_log_engine::Stream;
    use velos_log_engine::level::classify;

    fn row(second: u64, text: &str) -> Row {
        Row {
            source: 0,
            log: 0,
            start: Default::default(),
            end: Default::default(),
            time_us: Some(second * 1_000_000),
            stream: Stream::Out,
            level: classify(text.as_bytes()).level,
            text: text.to_owned(),
        }
    }

    #[test]
    fn patterns_levels_and_a_spike() {
        let mut rows: Vec<Row> =
            (0..1_000).map(|n| row(n, &format!("INFO handled request {n} in {}ms", n * 7 % 13))).collect();
        rows.extend((0..20).map(|n| row(500, &format!("ERROR timeout of 10.0.0.{n}"))));
        rows.sort_by_key(|row| row.time_us);
        let summary = of(&rows);
        assert_eq!(summary.levels, [("error", 20), ("info", 1_000)]);
        assert_eq!((summary.errors.len(), summary.patterns.len()), (1, 1));
        assert_eq!((summary.errors[0].count, summary.patterns[0].count), (20, 1_000));
        assert!(summary.errors[0].text.ends_with("timeout of <IP>"), "{}", summary.errors[0].text);
        assert_eq!(summary.spike.map(|spike| spike.count), Some(20));
        assert_eq!(of(&[]).lines, 0);
    }
}
