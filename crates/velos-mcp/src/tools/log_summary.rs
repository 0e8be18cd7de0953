//! `log_summary`: what a big log says, in a few hundred tokens.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use velos_log_engine::Stream;
use velos_log_engine::errors::ErrorGroup;
use velos_log_engine::summary::{Pattern, Period, Summary, summarise};

use super::log_read::since;
use super::{Format, Formatted};
use crate::clean::{Cleaner, capped, fenced};
use crate::clock;
use crate::compact::message;
use crate::logs::{self, Chosen, Source};
use crate::reply::{Outcome, Reply};
use crate::stack;
use crate::tokens;
use crate::toolbox::{Call, unreadable};

const TOKENS: usize = 800;
const TEXT_CHARS_MAX: usize = 200;
/// Of several apps at most so many are summed up, the worst first.
const APPS_MAX: usize = 10;
/// Entries of each kind in the document.
const LISTED: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    name: Option<String>,
    since: Option<String>,
    max_tokens: Option<usize>,
    #[serde(default)]
    format: Format,
}

impl Formatted for Arguments {
    fn format(&self) -> Format {
        self.format
    }
}

pub(super) fn run(arguments: &Arguments, call: &Call<'_>) -> Outcome {
    let Chosen { sources, note } = logs::chosen(call.toolbox, arguments.name.as_deref())?;
    let from_us = since(arguments.since.as_deref(), &sources)?.unwrap_or(0);
    let label = arguments.since.clone().unwrap_or_else(|| "all".to_owned());
    let mut summaries = Vec::new();
    for (app, sources) in by_app(sources) {
        let files: Vec<(&Path, Stream)> = sources
            .iter()
            .flat_map(|source| &source.logs)
            .map(|log| (log.path.as_path(), log.stream))
            .collect();
        let period = Period { label: label.clone(), from_us, until_us: clock::now_us() };
        summaries.push(summarise(&app, &files, period).map_err(unreadable)?);
    }
    summaries.sort_by_key(|one| std::cmp::Reverse(one.errors));
    let left_out = summaries.len().saturating_sub(APPS_MAX);
    summaries.truncate(APPS_MAX);
    let budget = arguments.max_tokens.unwrap_or(TOKENS).clamp(100, 5_000) / summaries.len().max(1);
    let mut cleaner = Cleaner::new(call.toolbox.salt);
    let mut text: String = summaries.iter().map(|one| told(one, budget, &mut cleaner)).collect();
    if summaries.is_empty() {
        text = "no processes\n".to_owned();
    }
    if left_out > 0 {
        text.push_str(&format!("{left_out} more apps; give a name\n"));
    }
    text.push_str(&note);
    let apps: Vec<Value> = summaries.iter().map(|one| data(one, &mut cleaner)).collect();
    let lines: u64 = summaries.iter().map(|one| one.lines).sum();
    let (errors, warnings) = summaries
        .iter()
        .fold((0, 0), |(errors, warnings), one| (errors + one.errors, warnings + one.warnings));
    Ok(Reply::new(text, json!({ "lines": lines, "errors": errors, "warnings": warnings, "apps": apps })))
}

pub(super) fn by_app(sources: Vec<Source>) -> Vec<(String, Vec<Source>)> {
    let mut apps: Vec<(String, Vec<Source>)> = Vec::new();
    for one in sources {
        match apps.iter_mut().find(|(app, _)| *app == one.app) {
            Some((_, sources)) => sources.push(one),
            None => apps.push((one.app.clone(), vec![one])),
        }
    }
    apps
}

fn told(one: &Summary, budget: usize, cleaner: &mut Cleaner) -> String {
    let health = one.health.score.map_or(String::new(), |score| format!(", health {score}"));
    let mut text = format!(
        "{}: {} lines, {} errors, {} warnings{health}\n",
        one.app, one.lines, one.errors, one.warnings
    );
    for anomaly in one.anomalies.iter().take(3) {
        let (from, of) = (clock::moment_us(anomaly.from_us), clean(&anomaly.of, cleaner));
        text.push_str(&format!("unusual since {from}: {of}: {}\n", anomaly.text));
    }
    for note in &one.notes {
        text.push_str(&format!("note: {}\n", clean(note, cleaner)));
    }
    let left = budget.saturating_sub(tokens::estimate(&text) + 10);
    let mut lines = Vec::new();
    let errors: Vec<String> = one.error_groups.iter().map(|group| of_error(group, cleaner)).collect();
    let spent = section("errors:", &errors, left * 3 / 5, &mut lines);
    // Frames belong to their errors.
    let is_frame = |text: &str| text.trim().len() < 3 || text.trim_start().starts_with("at <");
    let patterns = one.patterns.iter().filter(|pattern| !is_frame(&pattern.text));
    let patterns: Vec<String> = patterns.map(|pattern| of_pattern(pattern, cleaner)).collect();
    section("patterns:", &patterns, left.saturating_sub(spent), &mut lines);
    if !lines.is_empty() {
        text.push_str(&fenced(&lines));
    }
    text
}

/// As many as fit, at least one; what they cost.
fn section(title: &str, all: &[String], budget: usize, lines: &mut Vec<String>) -> usize {
    let mut spent = 3;
    let mut shown = 0;
    for line in all {
        let cost = tokens::estimate(line) + 1;
        if spent + cost > budget && shown > 0 {
            break;
        }
        if shown == 0 {
            lines.push(title.to_owned());
        }
        spent += cost;
        lines.push(line.clone());
        shown += 1;
    }
    if shown > 0 && shown < all.len() {
        lines.push(format!("and {} more kinds", all.len() - shown));
    }
    spent
}

pub(super) fn clean(text: &str, cleaner: &mut Cleaner) -> String {
    capped(&cleaner.line(text.lines().next().unwrap_or_default().as_bytes()), TEXT_CHARS_MAX)
}

/// `12x TypeError: x is not a function at src/app.js:3, last 10:05:03`
fn of_error(group: &ErrorGroup, cleaner: &mut Cleaner) -> String {
    let place =
        stack::place_in(&cleaner.text(&group.sample)).map_or(String::new(), |place| format!(" at {place}"));
    let last = group.last_us.map_or(String::new(), |last| format!(", last {}", clock::moment_us(last)));
    format!("{}x {}{place}{last}", group.count, message(&clean(&group.last_message, cleaner)))
}

/// `300x GET <PATH> took <N>ms (rising); e.g. GET /a took 5ms`
fn of_pattern(pattern: &Pattern, cleaner: &mut Cleaner) -> String {
    let text = clean(&pattern.text, cleaner);
    let trend = format!("{:?}", pattern.trend).to_lowercase();
    let trend = if trend == "stable" { String::new() } else { format!(" ({trend})") };
    let example = match pattern.count > 1 && text.contains('<') {
        true => format!("; e.g. {}", message(&clean(&pattern.example, cleaner))),
        false => String::new(),
    };
    format!("{}x {text}{trend}{example}", pattern.count)
}

fn data(one: &Summary, cleaner: &mut Cleaner) -> Value {
    let errors: Vec<Value> = one
        .error_groups
        .iter()
        .take(LISTED)
        .map(|group| {
            json!({
                "count": group.count,
                "fingerprint": group.fingerprint,
                "message": clean(&group.last_message, cleaner),
                "place": stack::place_in(&cleaner.text(&group.sample)),
                "last": group.last_us.map(clock::moment_us),
            })
        })
        .collect();
    let patterns: Vec<Value> = one
        .patterns
        .iter()
        .take(LISTED)
        .map(|pattern| {
            json!({
                "count": pattern.count,
                "pattern": clean(&pattern.text, cleaner),
                "level": pattern.level.name(),
                "trend": format!("{:?}", pattern.trend).to_lowercase(),
                "example": clean(&pattern.example, cleaner),
            })
        })
        .collect();
    let anomalies: Vec<Value> = one
        .anomalies
        .iter()
        .take(LISTED)
        .map(|anomaly| {
            json!({ "of": clean(&anomaly.of, cleaner), "text": anomaly.text, "since": clock::moment_us(anomaly.from_us) })
        })
        .collect();
    json!({
        "name": one.app, "lines": one.lines, "errors": one.errors, "warnings": one.warnings,
        "health": one.health.score, "error_groups": errors, "patterns": patterns, "anomalies": anomalies,
    })
}
