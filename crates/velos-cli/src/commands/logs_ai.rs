//! What logs say, for agents: few tokens, no secrets. `docs/logs.md` tells the keys.

use serde_json::{Value, json};
use velos_log_engine::level::Level;
use velos_log_engine::redact::Redactor;
use velos_log_engine::summary::{Summary, ago};

use super::logs_pipe::Item;
use super::logs_views::View;
use super::logs_wanted::now_us;
use crate::clock::Clock;

/// Characters of one line.
const LINE_CHARS: usize = 400;
/// Lines of a sample of an error.
const SAMPLE_LINES: usize = 6;

/// A line as one text: time, the first letter of its level unless that is info, app when there are several, message.
pub(crate) fn line(
    item: &Item,
    name: Option<&str>,
    clock: &Clock,
    redactor: &mut Redactor,
) -> Option<String> {
    let (line, level) = match item {
        Item::Line { line, level, .. } => (line, *level),
        Item::Repeated { count, .. } => return Some(format!("… {count} more like this")),
        Item::Gap => return None,
    };
    let time = line.time_us.map(|us| clock.time((us / 1_000).cast_signed()));
    let letter = level.filter(|level| *level != Level::Info).map(|level| match level {
        Level::Trace => "T",
        Level::Debug => "D",
        Level::Warn => "W",
        Level::Fatal => "F",
        Level::Info | Level::Error => "E",
    });
    let bare = velos_log_engine::ansi::strip(&line.bytes);
    let text = String::from_utf8_lossy(&redactor.line(&bare)).into_owned();
    let text = shortened(&text);
    let parts = [time.as_deref(), letter, name, Some(text.as_str())];
    Some(parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LINE_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A view of one app.
pub(crate) fn document(summary: &Summary, view: View, limit: usize, redactor: &mut Redactor) -> Value {
    let now = now_us();
    let document = match view {
        View::Summary => summary.ai(now),
        View::Patterns => json!({
            "n": summary.app,
            "ln": summary.lines,
            "top": summary
                .patterns
                .iter()
                .take(limit)
                .map(|pattern| json!([shortened(&pattern.text), pattern.count, pattern.trend.name()]))
                .collect::<Vec<_>>(),
        }),
        View::Errors => json!({
            "n": summary.app,
            "er": summary.errors,
            "top": summary
                .error_groups
                .iter()
                .take(limit)
                .map(|group| {
                    let sample: Vec<&str> = group.sample.lines().take(SAMPLE_LINES).map(str::trim_end).collect();
                    json!({
                        "id": group.fingerprint,
                        "x": group.count,
                        "t": group.last_us.map(|us| ago(us, now)),
                        "l": sample.join("\n"),
                    })
                })
                .collect::<Vec<_>>(),
        }),
    };
    redactor.document(document)
}

/// The score of an app and why.
pub(crate) fn health(summary: &Summary) -> Value {
    let why = summary.health.deductions.iter().map(|one| json!([one.points, one.reason])).collect::<Vec<_>>();
    json!({ "n": summary.app, "hp": summary.health.score, "why": why })
}
