//! What a log says as a whole: how much of which level, which patterns, which errors.

use std::collections::HashMap;

use velos_log_engine::level::{Classifier, Level};
use velos_log_engine::template::Miner;
use velos_log_engine::{Line, Stream, neutralise};

/// Patterns and groups that are kept.
const GROUPS_MAX: usize = 100;
/// Parts of the time line.
pub const PARTS: u64 = 60;

/// Lines of one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// The most severe level among them.
    pub level: Level,
    /// The pattern, with placeholders.
    pub text: String,
    /// The newest of them.
    pub sample: String,
    /// When the first came, microseconds since 1970.
    pub first_us: Option<u64>,
    /// When the last came.
    pub last_us: Option<u64>,
}

/// A log as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// Lines that were looked at.
    pub lines: u64,
    /// From the first of them, microseconds since 1970.
    pub from_us: Option<u64>,
    /// To the last.
    pub to_us: Option<u64>,
    /// How many of each level, in the order of [`Level::ALL`].
    pub levels: [u64; 6],
    /// All lines in equal parts of the time between.
    pub flow: Vec<u64>,
    /// Patterns, the most frequent first.
    pub patterns: Vec<Group>,
    /// Patterns of errors, the newest first.
    pub errors: Vec<Group>,
}

impl Digest {
    /// Of these lines in order of time, of both streams, secrets hidden already.
    pub fn of(lines: &[Line]) -> Self {
        let mut digest = Self { lines: lines.len() as u64, ..Self::default() };
        let times = || lines.iter().filter_map(|line| line.time_us);
        (digest.from_us, digest.to_us) = (times().min(), times().max());
        digest.flow = flow(times(), digest.from_us, digest.to_us);
        let mut miner = Miner::learn(lines.iter().map(|line| line.bytes.as_slice()));
        let mut classifiers = [Classifier::new(), Classifier::new()];
        let mut of_line: Vec<(usize, Level)> = Vec::with_capacity(lines.len());
        for line in lines {
            let [out, err] = &mut classifiers;
            let classifier = if line.stream == Stream::Out { out } else { err };
            let level = classifier.next(&line.bytes).level;
            if let Some(count) = digest.levels.get_mut(level as usize) {
                *count += 1;
            }
            of_line.push((miner.add(&line.bytes), level));
        }
        let templates = miner.templates();
        let template_of: HashMap<usize, usize> = templates
            .iter()
            .enumerate()
            .flat_map(|(n, one)| one.keys.iter().map(move |key| (*key, n)))
            .collect();
        let mut all: HashMap<usize, (Group, usize)> = HashMap::new();
        let mut bad: HashMap<usize, (Group, usize)> = HashMap::new();
        for (place, (line, (key, level))) in lines.iter().zip(&of_line).enumerate() {
            let Some(template) = template_of.get(key) else { continue };
            let text = || templates.get(*template).map(|one| one.text.clone()).unwrap_or_default();
            count(&mut all, *template, place, line, *level, text);
            // What only continues an error (a stack) is not one more.
            if *level >= Level::Error && !is_continuation(&line.bytes) {
                count(&mut bad, *template, place, line, *level, text);
            }
        }
        let finish = |groups: HashMap<usize, (Group, usize)>, newest_first: bool| {
            let mut groups: Vec<(Group, usize)> = groups.into_values().collect();
            groups.sort_by_key(|(group, place)| {
                let rank = if newest_first { *place as u64 } else { group.count };
                std::cmp::Reverse((rank, *place))
            });
            groups.truncate(GROUPS_MAX);
            let whole = |(mut group, place): (Group, usize)| {
                group.sample =
                    lines.get(place).map(|line| neutralise(&line.bytes, false)).unwrap_or_default();
                group.text = neutralise(group.text.as_bytes(), false);
                group
            };
            groups.into_iter().map(whole).collect()
        };
        digest.patterns = finish(all, false);
        digest.errors = finish(bad, true);
        digest
    }

    /// Lines of the levels error and fatal.
    pub fn error_lines(&self) -> u64 {
        self.levels.iter().skip(Level::Error as usize).sum()
    }
}

fn count(
    groups: &mut HashMap<usize, (Group, usize)>,
    template: usize,
    place: usize,
    line: &Line,
    level: Level,
    text: impl Fn() -> String,
) {
    let (group, newest) = groups.entry(template).or_insert_with(|| {
        let group = Group {
            count: 0,
            level,
            text: text(),
            sample: String::new(),
            first_us: line.time_us,
            last_us: None,
        };
        (group, place)
    });
    group.count += 1;
    group.level = group.level.max(level);
    group.first_us = group.first_us.or(line.time_us);
    group.last_us = line.time_us.or(group.last_us);
    *newest = place;
}

/// Frames of stacks and the like: they are indented.
fn is_continuation(line: &[u8]) -> bool {
    line.first().is_none_or(|byte| matches!(byte, b' ' | b'\t'))
}

fn flow(times: impl Iterator<Item = u64>, from: Option<u64>, to: Option<u64>) -> Vec<u64> {
    let (Some(from), Some(to)) = (from, to) else { return Vec::new() };
    let length = (to - from) / PARTS + 1;
    let mut parts = vec![0; PARTS as usize];
    for time in times {
        let part = usize::try_from((time - from) / length).unwrap_or(0);
        if let Some(count) = parts.get_mut(part) {
            *count += 1;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(texts: &[&str]) -> Vec<Line> {
        let line = |(n, text): (usize, &&str)| Line {
            time_us: Some(1_000_000 * n as u64),
            stream: Stream::Out,
            bytes: text.as_bytes().to_vec(),
        };
        texts.iter().enumerate().map(line).collect()
    }

    #[test]
    fn patterns_and_errors() {
        let lines = log(&[
            "INFO request 1 handled in 12ms",
            "INFO request 2 handled in 9ms",
            "ERROR cannot reach db at 10.0.0.1: refused",
            "    at connect (db.js:10)",
            "INFO request 3 handled in 99ms",
            "ERROR cannot reach db at 10.0.0.7: refused",
        ]);
        let digest = Digest::of(&lines);
        assert_eq!((digest.lines, digest.from_us, digest.to_us), (6, Some(0), Some(5_000_000)));
        assert_eq!(digest.levels[Level::Info as usize], 3);
        let [error] = digest.errors.as_slice() else { panic!("{:?}", digest.errors) };
        assert_eq!((error.count, error.level), (2, Level::Error));
        assert_eq!((error.first_us, error.last_us), (Some(2_000_000), Some(5_000_000)));
        assert!(error.sample.contains("10.0.0.7") && !error.text.contains("10.0.0.7"), "{error:?}");
        assert_eq!(digest.patterns.first().map(|group| group.count), Some(3));
        assert_eq!(digest.flow.iter().sum::<u64>(), 6);
    }

    #[test]
    fn an_empty_log() {
        assert_eq!(Digest::of(&[]), Digest::default());
    }
}
