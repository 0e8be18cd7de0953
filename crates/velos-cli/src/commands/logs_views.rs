//! What logs say as a whole: summaries, patterns, errors.

use std::path::Path;

use serde_json::{Value, json};
use velos_core::error::ErrorReply;
use velos_log_engine::errors::ErrorGroup;
use velos_log_engine::level::{Classifier, Level};
use velos_log_engine::query::{LineRef, Reader, Window};
use velos_log_engine::redact::Redactor;
use velos_log_engine::summary::{Analyst, Pattern, Period, Plan, Summary, ago, grouped, summarise};
use velos_log_engine::{Stream, neutralise};

use super::log_sources::{Source, crashes};
use super::logs::cannot_read;
use super::logs_pager::Sink;
use super::logs_wanted::{Wanted, now_us, period};
use crate::args::Logs;
use crate::clock::Clock;
use crate::output::{print, print_json};

/// Of a summary when none is named.
pub(crate) const HOUR: (u64, &str) = (3_600_000_000, "last 1h");
/// Patterns that are listed.
const PATTERNS: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Summary,
    Patterns,
    Errors,
}

impl View {
    pub(crate) fn of(logs: &Logs) -> Option<Self> {
        if logs.summary {
            Some(Self::Summary)
        } else if logs.patterns {
            Some(Self::Patterns)
        } else if logs.errors {
            Some(Self::Errors)
        } else {
            None
        }
    }
}

pub(crate) fn show(
    context: &super::Context,
    logs: &Logs,
    view: View,
    wanted: &Wanted,
    sources: &[Source],
) -> super::Result {
    let default = (view == View::Summary).then_some(HOUR);
    let period = period(logs, default)?;
    let mut summaries = Vec::new();
    for (app, sources) in by_app(sources) {
        let is_filtered = wanted.pattern.is_some() || wanted.levels.is_some() || !(wanted.out && wanted.err);
        let summary = if view == View::Summary && !is_filtered {
            of_app(&app, &sources, period.clone())?
        } else {
            filtered(&app, &sources, period.clone(), wanted)?
        };
        summaries.push(summary);
    }
    let limit = logs.lines.unwrap_or(PATTERNS);
    if crate::ai::is_wanted() {
        let mut redactor = Redactor::new();
        let documents: Vec<Value> = summaries
            .iter()
            .map(|summary| super::logs_ai::document(summary, view, limit, &mut redactor))
            .collect();
        print(&format!("{}\n", Value::from(documents)))?;
        return Ok(0);
    }
    if context.machine || logs.format.as_deref() == Some("json") {
        let documents: Vec<Value> = summaries.iter().map(|summary| document(summary, view, limit)).collect();
        print_json(&documents)?;
        return Ok(0);
    }
    let several = summaries.len() > 1;
    let texts: Vec<String> = summaries
        .iter()
        .map(|summary| match view {
            View::Summary => summary.text(now_us()),
            View::Patterns => patterns(summary, limit),
            View::Errors => errors(summary, limit, several),
        })
        .collect();
    let mut sink = Sink::new(true);
    sink.write(texts.join("\n").as_bytes())?;
    sink.finish()?;
    Ok(0)
}

/// The instances of an app together, in order of appearance.
pub(crate) fn by_app(sources: &[Source]) -> Vec<(String, Vec<&Source>)> {
    let mut apps: Vec<(String, Vec<&Source>)> = Vec::new();
    for source in sources {
        let is_numbered = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
        let name = match source.name.rsplit_once(':') {
            Some((name, number)) if is_numbered(number) => name,
            _ => &source.name,
        };
        match apps.iter_mut().find(|(app, _)| app == name) {
            Some((_, sources)) => sources.push(source),
            None => apps.push((name.to_owned(), vec![source])),
        }
    }
    for (app, sources) in &mut apps {
        // A single instance that was named is told as such.
        if let [only] = sources.as_slice() {
            app.clone_from(&only.name);
        }
    }
    apps
}

/// The log files, each once.
fn logs_of<'a>(sources: &[&'a Source]) -> Vec<(&'a Path, Stream)> {
    let mut logs: Vec<(&Path, Stream)> = Vec::new();
    for source in sources {
        for (path, stream) in [(&source.out, Stream::Out), (&source.err, Stream::Err)] {
            if !logs.iter().any(|(known, _)| *known == path.as_path()) {
                logs.push((path, stream));
            }
        }
    }
    logs
}

/// Everything about an app in a period, with what the daemon knows if one runs.
pub(crate) fn of_app(app: &str, sources: &[&Source], period: Period) -> Result<Summary, ErrorReply> {
    let logs = logs_of(sources);
    let from_us = period.from_us;
    let first = logs.first().map_or(Path::new(""), |(path, _)| path);
    let summary = summarise(app, &logs, period).map_err(|error| cannot_read(first, &error))?;
    Ok(summary.with_crashes(crashes(app, from_us)))
}

/// The same for lines that are wanted.
fn filtered(app: &str, sources: &[&Source], period: Period, wanted: &Wanted) -> Result<Summary, ErrorReply> {
    let window =
        Window { since_us: Some(period.from_us).filter(|us| *us > 0), until_us: wanted.window.until_us };
    let plan = Plan { app: app.to_owned(), history_us: period.from_us, period };
    let mut analyst = Analyst::new(plan);
    for (path, stream) in logs_of(sources) {
        let failed = |error: std::io::Error| cannot_read(path, &error);
        let reader = Reader::open(path, stream, window).map_err(failed)?;
        let mut classifiers = [Classifier::new(), Classifier::new()];
        let wants = |line: &LineRef<'_>| {
            let [of_out, of_err] = &mut classifiers;
            let classifier = if line.stream == Stream::Out { of_out } else { of_err };
            wanted.wants_stream(line.stream)
                && wanted
                    .levels
                    .as_ref()
                    .is_none_or(|levels| levels.contains(classifier.next(line.bytes).level))
                && wanted.pattern.as_ref().is_none_or(|pattern| pattern.wants(line.bytes))
        };
        analyst.read_where(reader, wants).map_err(failed)?;
    }
    Ok(analyst.finish())
}

fn document(summary: &Summary, view: View, limit: usize) -> Value {
    match view {
        View::Summary => json!(summary),
        View::Patterns => json!({
            "app": summary.app,
            "period": summary.period,
            "lines": summary.lines,
            "pattern_count": summary.pattern_count,
            "patterns": summary.patterns.iter().take(limit).collect::<Vec<_>>(),
        }),
        View::Errors => json!({
            "app": summary.app,
            "period": summary.period,
            "error_count": summary.errors,
            "errors": summary.error_groups.iter().take(limit).collect::<Vec<_>>(),
        }),
    }
}

fn patterns(summary: &Summary, limit: usize) -> String {
    let mut text = format!(
        "Process: {} | Period: {} | Lines: {} | Patterns: {}\n",
        summary.app,
        summary.period.label,
        grouped(summary.lines),
        grouped(summary.pattern_count as u64),
    );
    let shown: Vec<&Pattern> = summary.patterns.iter().take(limit).collect();
    let width = shown.iter().map(|pattern| grouped(pattern.count).len()).max().unwrap_or(0);
    for pattern in &shown {
        let share = 100.0 * pattern.count as f64 / summary.lines.max(1) as f64;
        let level = if pattern.level == Level::Info { "" } else { pattern.level.name() };
        text.push_str(&format!(
            "{:>width$} {share:5.1}% {:<7} {level:<5} {}\n",
            grouped(pattern.count),
            pattern.trend.name(),
            neutralise(pattern.text.as_bytes(), false),
        ));
    }
    let rest = summary.pattern_count.saturating_sub(shown.len());
    if rest > 0 {
        text.push_str(&format!("and {} more\n", grouped(rest as u64)));
    }
    text
}

fn errors(summary: &Summary, limit: usize, several: bool) -> String {
    let clock = Clock::system();
    let moment = |us: Option<u64>| us.map_or("?".to_owned(), |us| clock.moment((us / 1_000).cast_signed()));
    let mut text = String::new();
    if several {
        text.push_str(&format!("Process: {}\n", summary.app));
    }
    if summary.error_groups.is_empty() {
        return format!(
            "{text}No errors ({} lines, period: {})\n",
            grouped(summary.lines),
            summary.period.label
        );
    }
    for group in summary.error_groups.iter().take(limit) {
        text.push_str(&format!(
            "{}  x{}  first {}, last {}{}\n",
            group.fingerprint,
            grouped(group.count),
            moment(group.first_us),
            moment(group.last_us),
            group.last_us.map_or(String::new(), |us| format!(" ({})", ago(us, now_us()))),
        ));
        text.push_str(&sample(group));
    }
    let rest = summary.error_groups.len().saturating_sub(limit);
    if rest > 0 {
        text.push_str(&format!("and {rest} more different errors\n"));
    }
    text
}

fn sample(group: &ErrorGroup) -> String {
    let lines = group.sample.lines().map(|line| format!("    {}\n", neutralise(line.as_bytes(), false)));
    lines.collect()
}
