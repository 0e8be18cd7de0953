//! `log_read`: the last lines, or those behind a cursor.

use serde::Deserialize;
use serde_json::{Value, json};
use velos_core::error::ErrorReply;
use velos_log_engine::{Level, Stream};

use super::{Format, Formatted};
use crate::clock::{self, Moment};
use crate::compact::{self, Keep};
use crate::logs::{self, Chosen, Cursor, Row, Selected, Source};
use crate::reply::{Columns, Outcome, Reply};
use crate::toolbox::{Call, unreadable};

/// More lines are read with the cursor.
const LINES_MAX: usize = 5_000;
const TOKENS_MIN: usize = 50;
pub(super) const TOKENS: usize = 2_000;
const TOKENS_MAX: usize = 20_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    name: Option<String>,
    lines: Option<usize>,
    cursor: Option<String>,
    since: Option<String>,
    level: Option<Level>,
    #[serde(default)]
    stream: Which,
    max_tokens: Option<usize>,
    #[serde(default)]
    format: Format,
}

impl Formatted for Arguments {
    fn format(&self) -> Format {
        self.format
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Which {
    #[default]
    All,
    Out,
    Err,
}

impl Which {
    pub(super) fn stream(self) -> Option<Stream> {
        match self {
            Self::All => None,
            Self::Out => Some(Stream::Out),
            Self::Err => Some(Stream::Err),
        }
    }
}

pub(crate) fn run(arguments: &Arguments, call: &Call<'_>) -> Outcome {
    let Chosen { sources, note } = logs::chosen(call.toolbox, arguments.name.as_deref())?;
    let wanted = Selected {
        since_us: since(arguments.since.as_deref(), &sources)?,
        level: arguments.level,
        stream: arguments.stream.stream(),
        ..Selected::default()
    };
    let count = arguments.lines.unwrap_or(50).clamp(1, LINES_MAX);
    let budget = tokens(arguments.max_tokens);
    let salt = call.toolbox.salt;
    let (rows, mut cursor, mut has_more) = match &arguments.cursor {
        None => {
            let (rows, cursor) = logs::last(&sources, wanted, count, salt).map_err(unreadable)?;
            (rows, cursor, false)
        }
        Some(text) => {
            logs::after(&sources, &Cursor::parse(text)?, wanted, count, salt).map_err(unreadable)?
        }
    };
    let keep = if arguments.cursor.is_some() { Keep::Oldest } else { Keep::Newest };
    let shown = compact::render(&rows, &sources, budget, keep);
    let left = rows.len() - shown.rows;
    if keep == Keep::Oldest && left > 0 {
        // They come with the next call.
        for row in rows.iter().skip(shown.rows).rev() {
            if let Some(source) = sources.get(row.source) {
                cursor.set(source.id, row.log, row.start);
            }
        }
        has_more = true;
    }
    let mut text = match rows.is_empty() {
        true => "no new lines\n".to_owned(),
        false => shown.text,
    };
    if rows.is_empty() && arguments.cursor.is_none() {
        text = "no lines\n".to_owned();
    }
    if keep == Keep::Newest && left > 0 {
        text.push_str(&format!("{left} older lines left out; raise max_tokens or use log_search\n"));
    }
    text.push_str(&note);
    let cursor = cursor.to_string();
    match (has_more, cursor.is_empty()) {
        (true, _) => text.push_str(&format!("there is more: cursor={cursor}\n")),
        (false, false) => text.push_str(&format!("cursor={cursor}\n")),
        (false, true) => {}
    }
    let kept = match keep {
        Keep::Oldest => rows.get(..shown.rows),
        Keep::Newest => rows.get(left..),
    };
    let table = table(kept.unwrap_or_default(), &sources);
    Ok(Reply::new(text, table.with(json!({ "cursor": cursor, "more": has_more }))))
}

/// Rows as data.
pub(super) fn table(rows: &[Row], sources: &[Source]) -> Columns {
    let mut table = Columns::new(&["time", "process", "stream", "level", "text"]);
    for row in rows {
        let stream = if row.stream == Stream::Out { "out" } else { "err" };
        table.push(vec![
            json!(row.time_us.map(clock::moment_us)),
            json!(sources.get(row.source).map(|source| &source.name)),
            json!(stream),
            json!(row.level.name()),
            Value::from(crate::clean::capped(&row.text, crate::clean::LINE_CHARS_MAX)),
        ]);
    }
    table
}

pub(super) fn tokens(asked: Option<usize>) -> usize {
    asked.unwrap_or(TOKENS).clamp(TOKENS_MIN, TOKENS_MAX)
}

/// A moment; "start" is the last start of the app, of several the earliest.
pub(super) fn since(text: Option<&str>, sources: &[Source]) -> Result<Option<u64>, ErrorReply> {
    moment("since", text, sources)
}

pub(super) fn moment(field: &str, text: Option<&str>, sources: &[Source]) -> Result<Option<u64>, ErrorReply> {
    let Some(text) = text else { return Ok(None) };
    Ok(match clock::parse(field, text)? {
        Moment::At(us) => Some(us),
        Moment::Start => sources.iter().filter_map(|source| source.started_us).min(),
    })
}
