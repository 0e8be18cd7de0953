//! What the options of `velos logs` ask for, checked.

use std::time::SystemTime;

use jiff::Zoned;
use velos_core::error::ErrorReply;
use velos_log_engine::Stream;
use velos_log_engine::query::{Levels, Pattern, PatternError, WhenError, Window, parse_when};
use velos_log_engine::summary::Period;

use super::logs_format::Format;
use super::logs_time::TimeForm;
use crate::args::Logs;

/// Lines of the past when nothing else is asked for.
const LINES: usize = 15;

pub(crate) struct Wanted {
    pub(crate) window: Window,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) levels: Option<Levels>,
    /// Lines around those that match.
    pub(crate) context: usize,
    pub(crate) is_folded: bool,
    /// Of each app; nothing for all.
    pub(crate) limit: Option<usize>,
    pub(crate) out: bool,
    pub(crate) err: bool,
    pub(crate) format: Format,
    /// How the time of a line reads, if it is said.
    pub(crate) time_form: Option<TimeForm>,
    /// What is marked in lines.
    pub(crate) words: Vec<String>,
}

impl Wanted {
    pub(crate) fn of(logs: &Logs, machine: bool, follows: bool) -> Result<Self, ErrorReply> {
        let window = window(logs)?;
        let pattern = logs.grep.as_deref().map(|text| Pattern::new(text, logs.ignore_case, logs.invert));
        let levels = logs.level.as_deref().map(str::parse::<Levels>).transpose();
        let format = Format::of(logs, machine, follows)?;
        if format.is_documents() && (logs.timestamp.is_some() || !logs.highlight.is_empty()) {
            return Err(super::usage(
                "--timestamp and --highlight are for people; a document has the time as time_us",
            ));
        }
        if logs.highlight.iter().any(String::is_empty) {
            return Err(super::usage("--highlight: the text is empty"));
        }
        let is_filtered = logs.grep.is_some() || logs.level.is_some() || !window.is_all();
        let limit = logs.lines.or(if is_filtered { None } else { Some(LINES) });
        Ok(Self {
            window,
            pattern: pattern.transpose().map_err(|error| bad_pattern(&error))?,
            levels: levels
                .map_err(|reason| super::usage(reason).hint("--level error,warn or --level warn+"))?,
            context: logs.context.unwrap_or(0),
            // Agents pay for every line.
            is_folded: logs.dedupe || crate::ai::is_wanted(),
            limit,
            out: !logs.err,
            err: !logs.out,
            format,
            time_form: logs.timestamp.as_deref().map(TimeForm::parse).transpose()?,
            words: logs.highlight.clone(),
        })
    }

    pub(crate) fn wants_stream(&self, stream: Stream) -> bool {
        if stream == Stream::Out { self.out } else { self.err }
    }

    /// Whether a line can be judged without those around it.
    pub(crate) fn is_simple(&self) -> bool {
        self.is_simple_but_folded() && !self.is_folded
    }

    /// The same, but for lines that are folded into the one before them.
    pub(crate) fn is_simple_but_folded(&self) -> bool {
        self.levels.is_none() && self.context == 0
    }
}

/// Where it broke is shown below the expression.
fn bad_pattern(error: &PatternError) -> ErrorReply {
    let reply = super::usage(format!("--grep: {error}"));
    match error.at {
        Some(at) => reply.hint(format!("{}\n      {}^ here", error.pattern, " ".repeat(at))),
        None => reply,
    }
}

pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) fn window(logs: &Logs) -> Result<Window, ErrorReply> {
    let side = |name, text: &Option<String>| text.as_deref().map(|text| moment(name, text)).transpose();
    let window = Window { since_us: side("since", &logs.since)?, until_us: side("until", &logs.until)? };
    if let (Some(since), Some(until)) = (window.since_us, window.until_us)
        && since > until
    {
        return Err(super::usage("--since is later than --until, so nothing lies between them"));
    }
    Ok(window)
}

/// Back from now to a moment, or by default so far.
pub(crate) fn period_since(since: Option<&String>, default: (u64, &str)) -> Result<Period, ErrorReply> {
    let until_us = now_us();
    let Some(text) = since else {
        let from_us = until_us.saturating_sub(default.0);
        return Ok(Period { label: default.1.to_owned(), from_us, until_us });
    };
    let from_us = moment("since", text)?;
    Ok(Period { label: label(Some(text), None).unwrap_or_default(), from_us, until_us })
}

pub(crate) fn moment(name: &str, text: &str) -> Result<u64, ErrorReply> {
    parse_when(text, &Zoned::now())
        .map_err(|error| super::usage(format!("--{name}: {error}")).hint(WhenError::HINT))
}

/// In words; nothing when no side is named.
fn label(since: Option<&String>, until: Option<&String>) -> Option<String> {
    match (since, until) {
        (Some(since), None) => {
            let back = since.trim().trim_end_matches("ago").trim().trim_start_matches('-');
            let is_span = back.starts_with(|c: char| c.is_ascii_digit()) && !back.contains([':', '-', '/']);
            Some(if is_span { format!("last {back}") } else { format!("since {since}") })
        }
        (Some(since), Some(until)) => Some(format!("{since} to {until}")),
        (None, Some(until)) => Some(format!("until {until}")),
        (None, None) => None,
    }
}

/// The period of a view that looks at many lines; `default` microseconds back when none is named.
pub(crate) fn period(logs: &Logs, default: Option<(u64, &str)>) -> Result<Period, ErrorReply> {
    let window = window(logs)?;
    let until_us = window.until_us.unwrap_or_else(now_us);
    let label = label(logs.since.as_ref(), logs.until.as_ref())
        .unwrap_or_else(|| default.map_or("all", |(_, label)| label).to_owned());
    let from_us = window.since_us.unwrap_or_else(|| match default {
        Some((back_us, _)) => until_us.saturating_sub(back_us),
        None => 0,
    });
    Ok(Period { label, from_us, until_us })
}
