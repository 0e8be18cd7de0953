//! `log_search`: a regular expression over all that is kept, on the text without secrets.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use velos_core::error::ErrorReply;
use velos_log_engine::level::Classifier;
use velos_log_engine::template::Miner;
use velos_log_engine::{Level, Stream};

use super::log_read::{moment, table, tokens};
use super::{Format, Formatted, pattern};
use crate::clean::{Cleaner, LINE_CHARS_MAX, capped, fenced};
use crate::clock;
use crate::compact::message;
use crate::logs::{self, Chosen, Cursor, LogLine, Row, Selected, Source};
use crate::reply::{Outcome, Reply};
use crate::tokens;
use crate::toolbox::{Call, unreadable};

/// A call reads no longer than this; what is left is read with the cursor.
const TIME_MAX: Duration = Duration::from_secs(20);
const LIMIT_MAX: usize = 500;
const CONTEXT_MAX: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    pattern: String,
    name: Option<String>,
    since: Option<String>,
    until: Option<String>,
    level: Option<Level>,
    context: Option<usize>,
    limit: Option<usize>,
    cursor: Option<String>,
    max_tokens: Option<usize>,
    #[serde(default)]
    format: Format,
}

impl Formatted for Arguments {
    fn format(&self) -> Format {
        self.format
    }
}

/// Hits that look alike.
#[derive(Debug)]
struct Hit {
    row: Row,
    before: Vec<String>,
    after: Vec<String>,
}

struct Search<'a> {
    pattern: &'a regex::Regex,
    /// The same on bytes, to pass over what cannot match; `None`: the pattern may mean what we put in.
    raw: Option<regex::bytes::Regex>,
    wanted: Selected,
    context: usize,
    limit: usize,
    salt: u64,
    deadline: Instant,
}

pub(super) fn run(arguments: &Arguments, call: &Call<'_>) -> Outcome {
    let pattern = pattern("pattern", &arguments.pattern)?;
    let Chosen { sources, note } = logs::chosen(call.toolbox, arguments.name.as_deref())?;
    let wanted = Selected {
        since_us: moment("since", arguments.since.as_deref(), &sources)?,
        until_us: moment("until", arguments.until.as_deref(), &sources)?,
        level: arguments.level,
        stream: None,
    };
    let is_ours = arguments.pattern.contains("REDACT") || arguments.pattern.contains("\\[");
    let search = Search {
        pattern: &pattern,
        raw: if is_ours { None } else { regex::bytes::Regex::new(&arguments.pattern).ok() },
        wanted,
        context: arguments.context.unwrap_or(0).min(CONTEXT_MAX),
        limit: arguments.limit.unwrap_or(20).clamp(1, LIMIT_MAX),
        salt: call.toolbox.salt,
        deadline: Instant::now() + TIME_MAX,
    };
    let from = arguments.cursor.as_deref().map(Cursor::parse).transpose()?;
    let found = search.all(&sources, from.as_ref(), call)?;
    let mut reply = tell(&found, &sources, tokens(arguments.max_tokens));
    reply.text.push_str(&note);
    Ok(reply)
}

struct Found {
    /// Newest first, each with how many were like it and when the oldest of them was.
    groups: Vec<(Hit, usize, Option<u64>)>,
    cursor: Cursor,
    has_more: bool,
    timed_out: bool,
}

impl Search<'_> {
    fn all(&self, sources: &[Source], from: Option<&Cursor>, call: &Call<'_>) -> Result<Found, ErrorReply> {
        let mut hits: Vec<Hit> = Vec::new();
        let mut cursor = Cursor::default();
        let (mut has_more, mut timed_out) = (false, false);
        for (number, source) in sources.iter().enumerate() {
            for (log_number, log) in source.logs.iter().enumerate() {
                let before = from.and_then(|cursor| cursor.get(source.id, log_number));
                let mut looks: HashMap<usize, ()> = HashMap::new();
                let mut miner = Miner::default();
                let mut reached = None;
                log.backward(before, |block| {
                    reached = block.first().map(|line| line.start).or(reached);
                    let is_old = block.first().is_some_and(|line| self.wanted.is_before(line));
                    for hit in self.block(&block, number, log_number).into_iter().rev() {
                        looks.insert(miner.add(hit.row.text.as_bytes()), ());
                        hits.push(hit);
                    }
                    timed_out |= Instant::now() >= self.deadline || call.is_cancelled();
                    looks.len() <= self.limit && !is_old && !timed_out
                })
                .map_err(unreadable)?;
                // Where the next call goes on when all hits of this log are shown.
                let is_done = looks.len() <= self.limit && !timed_out;
                let place = if is_done { Some(logs::Place::default()) } else { reached };
                cursor.set(source.id, log_number, place.or(before).unwrap_or_default());
                has_more |= !is_done;
            }
        }
        hits.sort_by_key(|hit| std::cmp::Reverse(hit.row.time_us));
        let mut miner = Miner::default();
        let mut places: HashMap<(usize, usize), usize> = HashMap::new();
        let mut groups: Vec<(Hit, usize, Option<u64>)> = Vec::new();
        let mut left: Vec<Row> = Vec::new();
        for hit in hits {
            let look = (hit.row.source, miner.add(hit.row.text.as_bytes()));
            // Nothing is folded into a hit once one was left out: the cursor would skip it.
            match places.get(&look) {
                Some(at) if left.is_empty() => {
                    if let Some((_, count, oldest)) = groups.get_mut(*at) {
                        *count += 1;
                        *oldest = hit.row.time_us;
                    }
                }
                _ if groups.len() < self.limit && left.is_empty() => {
                    places.insert(look, groups.len());
                    let oldest = hit.row.time_us;
                    groups.push((hit, 1, oldest));
                }
                _ => left.push(hit.row),
            }
        }
        // Newest first: the first that was left out of each log is where the next call begins.
        for row in left.iter().rev() {
            if let Some(source) = sources.get(row.source) {
                cursor.set(source.id, row.log, row.end);
            }
        }
        Ok(Found { groups, cursor, has_more: has_more || !left.is_empty(), timed_out })
    }

    /// Hits of a block, oldest first.
    fn block(&self, block: &[LogLine], source: usize, log: usize) -> Vec<Hit> {
        let needs_raw = |line: &LogLine| {
            let raw = self.raw.as_ref();
            raw.is_none_or(|raw| {
                raw.is_match(&line.bytes) || line.bytes.iter().any(|byte| *byte < 0x20 || *byte >= 0x80)
            })
        };
        if !block.iter().any(needs_raw) {
            return Vec::new();
        }
        // In order, because a private key goes over many lines, and stack frames inherit their level.
        let mut cleaner = Cleaner::new(self.salt);
        let mut classifier = Classifier::new();
        let texts: Vec<String> = block.iter().map(|line| cleaner.line(&line.bytes)).collect();
        let mut hits = Vec::new();
        for (at, (line, text)) in block.iter().zip(&texts).enumerate() {
            let level = classifier.next(&line.bytes).level;
            if !self.pattern.is_match(text) || !self.is_wanted(line, level) {
                continue;
            }
            let around = |range: std::ops::Range<usize>| -> Vec<String> {
                texts.get(range).unwrap_or_default().iter().map(|text| capped(text, LINE_CHARS_MAX)).collect()
            };
            let row = Row {
                source,
                log,
                start: line.start,
                end: line.end,
                time_us: line.time_us,
                stream: line.stream,
                level,
                text: text.clone(),
            };
            let before = around(at.saturating_sub(self.context)..at);
            let after = around(at + 1..(at + 1 + self.context).min(texts.len()));
            hits.push(Hit { row, before, after });
        }
        hits
    }

    fn is_wanted(&self, line: &LogLine, level: Level) -> bool {
        self.wanted.level.is_none_or(|wanted| level >= wanted)
            && self.wanted.since_us.is_none_or(|since| line.time_us.is_none_or(|time| time >= since))
            && self.wanted.until_us.is_none_or(|until| line.time_us.is_none_or(|time| time <= until))
    }
}

fn tell(found: &Found, sources: &[Source], budget: usize) -> Reply {
    let mut lines: Vec<String> = Vec::new();
    let mut spent = 0;
    let mut shown = 0;
    for (hit, count, oldest) in &found.groups {
        let name = match sources.len() {
            1 => String::new(),
            _ => format!("[{}] ", sources.get(hit.row.source).map_or("?", |source| source.name.as_str())),
        };
        let time = hit.row.time_us.map_or(String::new(), |time| format!("{} ", clock::moment_us(time)));
        let mark = if hit.row.stream == Stream::Err { "!" } else { "" };
        let repeats = match (*count, oldest) {
            (1, _) => String::new(),
            (count, Some(first)) => format!(" (x{count} since {})", clock::moment_us(*first)),
            (count, None) => format!(" (x{count})"),
        };
        let text = capped(&message(&hit.row.text), LINE_CHARS_MAX);
        let mut part = hit.before.clone();
        part.push(format!("{time}{name}{mark}{text}{repeats}"));
        part.extend(hit.after.iter().cloned());
        if !hit.before.is_empty() || !hit.after.is_empty() {
            part.push("--".to_owned());
        }
        spent += part.iter().map(|line| tokens::estimate(line) + 1).sum::<usize>();
        if spent > budget && shown > 0 {
            break;
        }
        lines.append(&mut part);
        shown += 1;
    }
    let mut cursor = found.cursor.clone();
    let mut has_more = found.has_more;
    for (hit, ..) in found.groups.iter().skip(shown).rev() {
        if let Some(source) = sources.get(hit.row.source) {
            cursor.set(source.id, hit.row.log, hit.row.end);
        }
        has_more = true;
    }
    let total: usize = found.groups.iter().take(shown).map(|(_, count, _)| count).sum();
    let mut text = match shown {
        0 => "no hits\n".to_owned(),
        _ => format!("{total} hits, newest first\n{}", fenced(&lines)),
    };
    if has_more {
        let why = if found.timed_out { "older logs are not searched yet" } else { "there are older hits" };
        text.push_str(&format!("{why}: cursor={cursor}\n"));
    }
    let rows: Vec<Row> = found.groups.iter().take(shown).map(|(hit, ..)| hit.row.clone()).collect();
    let counts: Vec<usize> = found.groups.iter().take(shown).map(|(_, count, _)| *count).collect();
    let more = json!({ "counts": counts, "more": has_more, "cursor": has_more.then(|| cursor.to_string()) });
    Reply::new(text, table(&rows, sources).with(more))
}
