//! `log_summary`: what a big log says, in a few hundred tokens.

use serde::Deserialize;
use serde_json::json;

use super::log_read::since;
use super::{Format, Formatted};
use crate::clean::{capped, fenced};
use crate::clock;
use crate::logs::{self, Selected};
use crate::reply::{Outcome, Reply};
use crate::summary::{self, Pattern};
use crate::tokens;
use crate::toolbox::{Call, unreadable};

const TOKENS: usize = 800;
const TEXT_CHARS_MAX: usize = 200;

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
    let chosen = call.toolbox.chosen(arguments.name.as_deref())?;
    let sources = logs::sources(&chosen);
    let wanted = Selected { since_us: since(arguments.since.as_deref(), &sources)?, ..Selected::default() };
    let (rows, is_cut) =
        logs::whole_since(&sources, wanted, summary::BYTES_MAX, call.toolbox.salt).map_err(unreadable)?;
    let summary = summary::of(&rows);
    let budget = arguments.max_tokens.unwrap_or(TOKENS).clamp(100, 5_000);
    let mut text = String::new();
    let span = match (summary.first_us, summary.last_us) {
        (Some(first), Some(last)) => format!(", {} to {}", clock::moment_us(first), clock::moment_us(last)),
        _ => String::new(),
    };
    let cut = if is_cut { " (only the newest part was read)" } else { "" };
    text.push_str(&format!("{} lines{span}{cut}\n", summary.lines));
    let levels: Vec<String> =
        summary.levels.iter().map(|(level, count)| format!("{level} {count}")).collect();
    if !levels.is_empty() {
        text.push_str(&format!("levels: {}\n", levels.join(", ")));
    }
    if let Some(spike) = &summary.spike {
        text.push_str(&format!("spike: {} errors around {}\n", spike.count, clock::moment_us(spike.at_us)));
    }
    let left = budget.saturating_sub(tokens::estimate(&text) + 30);
    let mut lines = Vec::new();
    section("errors", &summary.errors, left * 2 / 3, &mut lines);
    let spent: usize = lines.iter().map(|line: &String| tokens::estimate(line) + 1).sum();
    section("patterns", &summary.patterns, left.saturating_sub(spent), &mut lines);
    if !lines.is_empty() {
        text.push_str(&fenced(&lines));
    }
    let patterns = |patterns: &[Pattern]| -> Vec<serde_json::Value> {
        let one = |pattern: &Pattern| {
            json!({
                "count": pattern.count, "pattern": capped(&pattern.text, TEXT_CHARS_MAX),
                "example": capped(&pattern.example, TEXT_CHARS_MAX), "level": pattern.level.name(),
                "last": pattern.last_us.map(clock::moment_us),
            })
        };
        patterns.iter().take(20).map(one).collect()
    };
    let data = json!({
        "lines": summary.lines,
        "levels": summary.levels.iter().map(|(level, count)| ((*level).to_owned(), json!(count))).collect::<serde_json::Map<_, _>>(),
        "errors": patterns(&summary.errors),
        "patterns": patterns(&summary.patterns),
        "cut": is_cut,
    });
    Ok(Reply::new(text, data))
}

/// As many as fit.
fn section(title: &str, patterns: &[Pattern], budget: usize, lines: &mut Vec<String>) {
    let mut spent = 4;
    let mut shown = 0;
    let begin = lines.len();
    for pattern in patterns {
        let last = pattern.last_us.map_or(String::new(), |last| format!(", last {}", clock::moment_us(last)));
        let place = pattern.place.as_ref().map_or(String::new(), |place| format!(" at {place}"));
        let line = format!("{}x {}{place}{last}", pattern.count, capped(&pattern.text, TEXT_CHARS_MAX));
        let mut cost = tokens::estimate(&line) + 1;
        // What stands in the place of a placeholder, once.
        let example = (pattern.text.contains('<') && pattern.count > 1)
            .then(|| format!("  e.g. {}", capped(&pattern.example, TEXT_CHARS_MAX)));
        cost += example.as_ref().map_or(0, |example| tokens::estimate(example) + 1);
        if spent + cost > budget && shown > 0 {
            break;
        }
        spent += cost;
        lines.push(line);
        lines.extend(example);
        shown += 1;
    }
    if shown > 0 {
        lines.insert(begin, format!("{title}:"));
        if shown < patterns.len() {
            let rest: usize = patterns.iter().skip(shown).map(|pattern| pattern.count).sum();
            lines.push(format!("and {} more kinds, {rest} lines", patterns.len() - shown));
        }
    }
}
