//! `events`: what happened to apps and daemon.

use serde::Deserialize;
use serde_json::json;
use velos_core::error::ErrorReply;
use velos_core::event::Event;
use velos_core::protocol::{EventsParams, EventsReply, InstanceSummary, method};

use super::{Format, Formatted, unusual, usage};
use crate::clean::Cleaner;
use crate::clock::{self, Moment};
use crate::logs;
use crate::reply::{Columns, Outcome, Reply};
use crate::sentence;
use crate::toolbox::Call;

/// How far back logs are looked at for what is unusual when nothing is said of it, microseconds.
const UNUSUAL_US: u64 = 60 * 60 * 1_000_000;
const LIMIT: usize = 20;
const LIMIT_MAX: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    name: Option<String>,
    since: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    format: Format,
}

impl Formatted for Arguments {
    fn format(&self) -> Format {
        self.format
    }
}

pub(super) fn run(arguments: &Arguments, call: &Call<'_>) -> Outcome {
    let since_sequence = arguments.cursor.as_deref().map(sequence).transpose()?;
    let chosen = arguments.name.as_deref().map(|name| call.toolbox.select(name)).transpose()?;
    let since_ms = match arguments.since.as_deref().map(|text| clock::parse("since", text)).transpose()? {
        Some(Moment::At(us)) => Some(i64::try_from(us / 1_000).unwrap_or(i64::MAX)),
        Some(Moment::Start) => {
            let up = chosen.iter().flatten().filter_map(|one| one.uptime_ms).max().unwrap_or(0);
            Some(clock::now_ms().saturating_sub(i64::try_from(up).unwrap_or(0)))
        }
        None => None,
    };
    let Some(mut client) = call.toolbox.running()? else {
        return Ok(Reply::new(
            "no events; nothing was started yet\n",
            Columns::new(&NAMES).with(json!({ "cursor": "0" })),
        ));
    };
    let params = EventsParams { since: since_sequence, ..EventsParams::default() };
    let reply: EventsReply = client.call(method::EVENTS, &params)?;
    let is_wanted = |event: &&Event| {
        !event.is_detail()
            && since_ms.is_none_or(|since| event.at_ms >= since)
            && event.app.as_deref().is_none_or(|app| call.toolbox.allow.permits(app))
            && chosen.as_ref().is_none_or(|chosen| {
                chosen.iter().any(|one| {
                    event.instance == Some(one.id)
                        || event.app.as_deref() == Some(one.name.as_str()) && event.instance.is_none()
                })
            })
    };
    let events: Vec<&Event> = reply.events.iter().filter(is_wanted).collect();
    let limit = arguments.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
    let (shown, cursor) = page(&events, limit, since_sequence.is_some(), reply.newest);
    let mut cleaner = Cleaner::new(call.toolbox.salt);
    let mut table = Columns::new(&NAMES);
    let mut text = String::new();
    if since_sequence.is_some_and(|since| since + 1 < reply.oldest) {
        text.push_str("older events are not kept any more\n");
    }
    let mut rows: Vec<Row> = shown
        .iter()
        .map(|event| {
            let app = event.app.clone().unwrap_or_else(|| "daemon".to_owned());
            (event.at_ms, app, sentence::kind(event), cleaner.line(sentence::what(event).as_bytes()))
        })
        .collect();
    // Who asks for what is new got it the first time.
    if since_sequence.is_none() {
        let of = call.toolbox.chosen(arguments.name.as_deref())?;
        rows.extend(unusual_rows(&of, since_ms, &mut cleaner)?);
        rows.sort_by_key(|(at_ms, ..)| *at_ms);
    }
    write_rows(&rows, &mut text, &mut table);
    let left = events.len() - shown.len();
    let more = match (left, since_sequence) {
        (0, _) => String::new(),
        (left, Some(_)) => format!("{left} more; "),
        (left, None) => format!("{left} older left out; "),
    };
    text.push_str(&format!("{more}cursor={cursor}\n"));
    Ok(Reply::new(text, table.with(json!({ "cursor": cursor.to_string() }))))
}

const NAMES: [&str; 4] = ["time", "process", "kind", "what"];

/// Moment, process, kind, what.
type Row = (i64, String, &'static str, String);

/// What of the events is shown, and where to go on. With a cursor nothing is skipped; without one the newest count.
fn page<'a, 'e>(
    events: &'a [&'e Event],
    limit: usize,
    has_cursor: bool,
    newest: u64,
) -> (&'a [&'e Event], u64) {
    if !has_cursor {
        return (events.get(events.len().saturating_sub(limit)..).unwrap_or_default(), newest);
    }
    let shown = events.get(..limit.min(events.len())).unwrap_or_default();
    let is_cut = shown.len() < events.len();
    (shown, shown.last().filter(|_| is_cut).map_or(newest, |event| event.sequence))
}

fn write_rows(rows: &[Row], text: &mut String, table: &mut Columns) {
    let mut day = String::new();
    for (at_ms, app, kind, what) in rows {
        let moment = clock::moment(*at_ms);
        // The day only when it changes.
        let (date, time) = moment.rsplit_once(' ').unwrap_or(("", &moment));
        if date != day {
            day = date.to_owned();
            text.push_str(&format!("{}\n", if day.is_empty() { "today" } else { &day }));
        }
        text.push_str(&format!("{time} {app} {what}\n"));
        table.push(vec![json!(moment), json!(app), json!(kind), json!(what)]);
    }
    if rows.is_empty() {
        text.push_str("no events\n");
    }
}

/// Times in which logs were not as they usually are are events too, though nobody wrote them down.
fn unusual_rows(
    of: &[InstanceSummary],
    since_ms: Option<i64>,
    cleaner: &mut Cleaner,
) -> Result<Vec<Row>, ErrorReply> {
    let since_us = since_ms.and_then(|ms| u64::try_from(ms).ok()).map(|ms| ms * 1_000);
    let from_us = since_us.unwrap_or_else(|| clock::now_us().saturating_sub(UNUSUAL_US));
    let (found, _) = unusual::since(logs::sources(of), from_us, cleaner)?;
    let row = |one: unusual::Unusual| {
        let at_ms = i64::try_from(one.from_us / 1_000).unwrap_or(i64::MAX);
        (at_ms, one.app, "unusual", format!("unusual {}", one.text))
    };
    Ok(found.into_iter().map(row).collect())
}

fn sequence(text: &str) -> Result<u64, ErrorReply> {
    text.parse().map_err(|_| {
        usage(format!("cursor: {text:?} is none of events'"))
            .hint("pass the cursor of an earlier reply as it is")
    })
}
