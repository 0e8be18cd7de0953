//! How a line of a log reads.

use std::cell::RefCell;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use velos_core::error::ErrorReply;
use velos_log_engine::level::Level;
use velos_log_engine::{Line, Stream, neutralise};

use super::logs_marks::Marks;
use super::logs_pipe::Item;
use super::logs_time::TimeForm;
use crate::args::Logs;
use crate::clock::Clock;

/// Colours of names, one after the other.
const PALETTE: [&str; 6] = ["36", "33", "35", "34", "32", "96"];
const FIELDS: &str = "{time} {app} {stream} {level} {text}";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people, with the time of day or with date, milliseconds and zone.
    Text { is_exact: bool },
    /// The bytes as they are.
    Raw,
    /// All in one document.
    Array,
    /// A document per line.
    Documents,
    /// As somebody wrote it down.
    Template(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Time,
    App,
    Stream,
    Level,
    Line,
}

impl Format {
    pub(crate) fn of(logs: &Logs, machine: bool, follows: bool) -> Result<Self, ErrorReply> {
        match logs.format.as_deref() {
            Some("json") => Ok(Self::Documents),
            Some(text) => template(text).map(Self::Template),
            None if machine && follows => Ok(Self::Documents),
            None if machine => Ok(Self::Array),
            None if logs.raw => Ok(Self::Raw),
            None => Ok(Self::Text { is_exact: logs.timestamps }),
        }
    }

    pub(crate) fn shows_level(&self) -> bool {
        match self {
            Self::Array | Self::Documents => true,
            Self::Template(pieces) => pieces.contains(&Piece::Level),
            Self::Text { .. } | Self::Raw => false,
        }
    }

    /// For programs.
    pub(crate) fn is_documents(&self) -> bool {
        matches!(self, Self::Array | Self::Documents)
    }

    /// For people, so that it may go to a pager.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text { .. } | Self::Template(_))
    }
}

fn template(text: &str) -> Result<Vec<Piece>, ErrorReply> {
    let bad =
        |reason: String| super::usage(format!("--format: {reason}")).hint(format!("\"{FIELDS}\", or json"));
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '{' if rest.starts_with('{') => {
                plain.push('{');
                rest = rest.get(1..).unwrap_or_default();
            }
            '}' => {
                plain.push('}');
                rest = rest.strip_prefix('}').unwrap_or(rest);
            }
            '{' => {
                let (name, after) =
                    rest.split_once('}').ok_or_else(|| bad(format!("\"{{{rest}\" is not closed")))?;
                let piece = match name {
                    "time" => Piece::Time,
                    "app" => Piece::App,
                    "stream" => Piece::Stream,
                    "level" => Piece::Level,
                    "text" => Piece::Line,
                    _ => return Err(bad(format!("there is no field \"{{{name}}}\""))),
                };
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(piece);
                rest = after;
            }
            '\\' if rest.starts_with(['t', 'n']) => {
                plain.push(if rest.starts_with('t') { '\t' } else { '\n' });
                rest = rest.get(1..).unwrap_or_default();
            }
            c => plain.push(c),
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    if pieces.iter().all(|piece| matches!(piece, Piece::Text(_))) {
        return Err(bad(format!("\"{text}\" names no field")));
    }
    Ok(pieces)
}

pub(crate) fn stream_name(stream: Stream) -> &'static str {
    if stream == Stream::Err { "err" } else { "out" }
}

/// `2026-03-01T10:05:03.120+01:00`
pub(crate) fn exact(time_us: u64) -> String {
    let time = i64::try_from(time_us).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    time.map_or_else(
        || "-".to_owned(),
        |time| time.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
    )
}

/// Turns items into text.
pub(crate) struct Formatter<'a> {
    pub(crate) format: &'a Format,
    pub(crate) colour: bool,
    pub(crate) clock: Clock,
    pub(crate) marks: Marks<'a>,
    pub(crate) time_form: Option<&'a TimeForm>,
    pub(crate) zone: TimeZone,
    /// The last second that was asked for, and how it reads: many lines share theirs.
    pub(crate) last_second: RefCell<(u64, String)>,
}

impl Formatter<'_> {
    /// `name` is that of the app, `number` its place; `several` are shown.
    pub(crate) fn write(&self, out: &mut Vec<u8>, item: &Item, name: &str, number: usize, several: bool) {
        match (self.format, item) {
            (Format::Array | Format::Documents, item) => {
                if let Some(document) = document(item, name) {
                    out.extend_from_slice(document.to_string().as_bytes());
                    out.push(b'\n');
                }
            }
            (Format::Raw, Item::Line { line, .. }) => {
                out.extend_from_slice(&line.bytes);
                out.push(b'\n');
            }
            (Format::Text { .. } | Format::Template(_) | Format::Raw, Item::Gap) => {
                out.extend_from_slice(b"--\n")
            }
            (Format::Template(pieces), Item::Line { line, level, .. }) => {
                self.fill(out, pieces, line, *level, name)
            }
            (_, Item::Repeated { count, last }) => {
                let time =
                    last.time_us.map_or(String::new(), |us| format!(", the last at {}", self.time(us)));
                let text = format!("… {count} more like this{time}\n");
                let text = if self.colour { format!("\x1b[2m{text}\x1b[0m") } else { text };
                out.extend_from_slice(text.as_bytes());
            }
            (Format::Text { .. }, Item::Line { line, is_context, .. }) => {
                let prefix_name = if several { Some(name) } else { None };
                out.extend_from_slice(self.decorated(line, *is_context, prefix_name, number).as_bytes());
            }
        }
    }

    fn time(&self, us: u64) -> String {
        if let Some(form) = self.time_form {
            return form.write(us, &self.zone);
        }
        match self.format {
            Format::Text { is_exact: false } => {
                let mut last = self.last_second.borrow_mut();
                let second = us / 1_000_000;
                if last.0 != second || last.1.is_empty() {
                    *last = (second, self.clock.time((us / 1_000).cast_signed()));
                }
                last.1.clone()
            }
            _ => exact(us),
        }
    }

    fn fill(&self, out: &mut Vec<u8>, pieces: &[Piece], line: &Line, level: Option<Level>, name: &str) {
        for piece in pieces {
            let text = match piece {
                Piece::Text(text) => text.clone(),
                Piece::Time => line.time_us.map_or_else(|| "-".to_owned(), |us| self.time(us)),
                Piece::App => name.to_owned(),
                Piece::Stream => stream_name(line.stream).to_owned(),
                Piece::Level => level.map_or("-", Level::name).to_owned(),
                Piece::Line => self.highlighted(&line.bytes),
            };
            out.extend_from_slice(text.as_bytes());
        }
        out.push(b'\n');
    }

    fn decorated(&self, line: &Line, is_context: bool, name: Option<&str>, number: usize) -> String {
        let time = line.time_us.map_or_else(|| "--:--:--".to_owned(), |us| self.time(us));
        let text = self.highlighted(&line.bytes);
        if !self.colour {
            let prefix = name.map_or(String::new(), |name| format!("{name} | "));
            return format!("[{time}] {prefix}{text}\n");
        }
        let paint = PALETTE.get(number % PALETTE.len()).copied().unwrap_or_default();
        let prefix = name.map_or(String::new(), |name| format!("\x1b[{paint}m{name} |\x1b[0m "));
        let dim = if line.stream == Stream::Err { "31" } else { "2" };
        let text = if is_context { format!("\x1b[2m{text}\x1b[0m") } else { text };
        let reset = if text.contains('\x1b') { "\x1b[0m" } else { "" };
        format!("\x1b[{dim}m[{time}]\x1b[0m {prefix}{text}{reset}\n")
    }

    fn highlighted(&self, bytes: &[u8]) -> String {
        if !self.colour || self.marks.are_none() {
            return neutralise(bytes, self.colour);
        }
        self.marks.put_into(&neutralise(bytes, false))
    }
}

/// For programs; a gap has none.
pub(crate) fn document(item: &Item, name: &str) -> Option<serde_json::Value> {
    let line = |line: &Line| {
        serde_json::json!({
            "app": name,
            "stream": stream_name(line.stream),
            "time_us": line.time_us,
            "text": String::from_utf8_lossy(&line.bytes),
        })
    };
    let (mut document, field) = match item {
        Item::Line { line: one, level, is_context } => {
            let mut document = line(one);
            if *is_context && let Some(fields) = document.as_object_mut() {
                fields.insert("context".to_owned(), true.into());
            }
            (document, level.map(|level| ("level", level.name().into())))
        }
        Item::Repeated { count, last } => (line(last), Some(("repeated", (*count).into()))),
        Item::Gap => return None,
    };
    if let (Some((key, value)), Some(fields)) = (field, document.as_object_mut()) {
        fields.insert(key.to_owned(), value);
    }
    Some(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_name_fields() {
        let pieces = template("{time} [{level}] {{x}} {text}\\t").unwrap();
        let text = |text: &str| Piece::Text(text.to_owned());
        let expected = [Piece::Time, text(" ["), Piece::Level, text("] {x} "), Piece::Line, text("\t")];
        assert_eq!(pieces, expected);
        for (bad, reason) in [
            ("{when}", "there is no field \"{when}\""),
            ("{text", "\"{text\" is not closed"),
            ("hello", "\"hello\" names no field"),
        ] {
            let message = template(bad).unwrap_err().message;
            assert!(message.contains(reason), "{message}");
        }
    }
}
