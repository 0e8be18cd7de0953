//! What many systems print, as they print it: the level of each line, and the errors in it.
//!
//! `excerpts.txt` holds them. A title is `## NAME`, then each error that is to be found as `TYPES:COUNT`, a plain one as
//! `-:COUNT`; a line is `L|TEXT`, L being the first letter of its level (F for fatal), or `?` where any will do.

use std::collections::BTreeMap;

use velos_log_engine::Stream;
use velos_log_engine::errors::Errors;
use velos_log_engine::level::Classifier;

struct Excerpt {
    name: &'static str,
    errors: BTreeMap<&'static str, u64>,
    lines: Vec<(&'static str, &'static str)>,
}

fn excerpts() -> Vec<Excerpt> {
    let mut all: Vec<Excerpt> = Vec::new();
    for row in include_str!("excerpts.txt").lines() {
        if let Some(title) = row.strip_prefix("## ") {
            let mut words = title.split(", ");
            let name = words.next().unwrap_or_default();
            let errors = words.map(|word| {
                let (kinds, count) = word.rsplit_once(':').unwrap_or((word, ""));
                (kinds, count.parse().unwrap_or(0))
            });
            all.push(Excerpt { name, errors: errors.collect(), lines: Vec::new() });
        } else if let Some((level, line)) = row.split_once('|') {
            let level = match level {
                "T" => "trace",
                "D" => "debug",
                "I" => "info",
                "W" => "warn",
                "E" => "error",
                "F" => "fatal",
                "?" => "",
                other => panic!("no level is called {other}: {row}"),
            };
            if let Some(excerpt) = all.last_mut() {
                excerpt.lines.push((level, line));
            }
        }
    }
    all
}

#[test]
fn every_line_has_its_level() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for excerpt in excerpts() {
        let mut classifier = Classifier::new();
        for (expected, line) in &excerpt.lines {
            let level = classifier.next(line.as_bytes()).level.name();
            count += 1;
            if !expected.is_empty() && level != *expected {
                wrong.push(format!("{}: {level} instead of {expected}: {line}", excerpt.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn errors_are_told_apart_and_counted() {
    let mut wrong = Vec::new();
    for excerpt in excerpts() {
        let (mut classifier, mut errors) = (Classifier::new(), Errors::new());
        for (_, line) in &excerpt.lines {
            let verdict = classifier.next(line.as_bytes());
            errors.add(line.as_bytes(), verdict, None, Stream::Err);
        }
        let groups = errors.into_sorted();
        let mut found: BTreeMap<&str, u64> = BTreeMap::new();
        for group in &groups {
            let kind = if group.kind.is_empty() { "-" } else { &group.kind };
            *found.entry(kind).or_default() += group.count;
        }
        if found != excerpt.errors {
            wrong.push(format!("{}: {found:?} instead of {:?}", excerpt.name, excerpt.errors));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
