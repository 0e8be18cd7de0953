//! Levels with a fixed place: JSON, logfmt, syslog, and loggers that use letters.

use super::Level;
use crate::json::{self, Value};

/// Level by a mark, of a line without escape sequences.
pub(super) fn of(line: &[u8]) -> Option<Level> {
    let line = line.trim_ascii_start();
    match line.first()? {
        b'{' => of_json(line),
        b'<' => of_priority(line),
        b'#' | b':' => of_workflow(line),
        _ => of_letter(line).or_else(|| of_field(line)).or_else(|| of_logfmt(line)),
    }
}

/// Of an object that stands behind a header, such as that of a container or of syslog.
pub(super) fn of_embedded(line: &[u8]) -> Option<Level> {
    let line = line.trim_ascii_end();
    let at = memchr::memmem::find(line, b" {\"")?;
    (line.last() == Some(&b'}')).then(|| of_json(line.get(at + 1..)?))?
}

/// In any case.
const LEVEL_KEYS: [&[u8]; 14] = [
    b"level",
    b"lvl",
    b"severity",
    b"log.level",
    b"levelname",
    b"level_name",
    b"@level",
    b"loglevel",
    b"log_level",
    b"@l",
    b"priority",
    b"severitytext",
    b"severity_text",
    b"level_text",
];

fn is_level_key(key: &[u8]) -> bool {
    LEVEL_KEYS.iter().any(|name| name.eq_ignore_ascii_case(key))
}

fn of_json(line: &[u8]) -> Option<Level> {
    let mut found = None;
    json::fields(line, |key, value| {
        if is_level_key(key) {
            found = of_value(value);
        } else if matches!(key, b"severity_number" | b"severityNumber" | b"SeverityNumber") {
            found = of_telemetry(value);
        } else if key == b"s"
            && let Value::Text([letter, rest @ ..]) = value
            && matches!(rest, [] | [b'1'..=b'5'])
        {
            // MongoDB.
            found = self::letter(*letter);
        } else if key == b"log"
            && let Value::Nested(inner) = value
        {
            // Elastic's schema: {"log": {"level": "error"}}.
            found = json::field(inner, b"level").and_then(of_value);
        }
        found.is_none()
    });
    found
}

fn of_value(value: Value<'_>) -> Option<Level> {
    match value {
        Value::Text(word) => Level::from_word(word)
            .or_else(|| Level::from_distance(word))
            .or_else(|| number(word).and_then(Level::from_number)),
        Value::Bare(digits) => number(digits).and_then(Level::from_number),
        Value::Nested(inner) => json::field(inner, b"name").and_then(of_value),
    }
}

/// OpenTelemetry's log data model: four numbers for each of trace, debug, info, warn, error and fatal, from 1.
fn of_telemetry(value: Value<'_>) -> Option<Level> {
    let (Value::Bare(digits) | Value::Text(digits)) = value else { return None };
    let step = number(digits)?.checked_sub(1)? / 4;
    Level::ALL.get(usize::try_from(step).ok()?).copied()
}

fn number(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// `Level: Error ...`, how events are printed.
fn of_field(line: &[u8]) -> Option<Level> {
    let colon = line.iter().take(9).position(|byte| *byte == b':')?;
    let (key, rest) = line.split_at(colon);
    let value = rest.strip_prefix(b": ").filter(|_| is_level_key(key))?.trim_ascii_start();
    Level::from_word(value.split(|byte| !byte.is_ascii_alphanumeric()).next()?)
}

/// `level=warn`, at the start or behind a space, the value quoted or not.
fn of_logfmt(line: &[u8]) -> Option<Level> {
    let mut from = 0;
    while let Some(found) = memchr::memchr(b'=', line.get(from..)?) {
        let at = from + found;
        from = at + 1;
        let before = line.get(..at)?;
        let start = before
            .iter()
            .rposition(|byte| matches!(byte, b' ' | b'\t' | b',' | b'|'))
            .map_or(0, |space| space + 1);
        let key = before.get(start..)?;
        // `loglevel=error` in a sentence is a setting; among other pairs it is the line's.
        let is_pair = before.get(..start).is_none_or(|before| {
            let last = before.trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
            last.is_empty() || last.contains(&b'=') || last.ends_with(b"\"") || last.ends_with(b":")
        });
        let is_sure = matches!(key, b"level" | b"lvl" | b"severity" | b"at");
        if !(is_sure || is_level_key(key) && is_pair) {
            continue;
        }
        let value = line.get(at + 1..)?;
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let end = value.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(value.len());
        let more = value.iter().position(|byte| matches!(byte, b' ' | b'"' | b',')).unwrap_or(value.len());
        let distance = value.get(..more).and_then(Level::from_distance);
        if let Some(level) = distance.or_else(|| value.get(..end).and_then(Level::from_word)) {
            return Some(level);
        }
    }
    None
}

/// Commands of build machines: `##[error]text`, `::warning file=x::text`.
fn of_workflow(line: &[u8]) -> Option<Level> {
    let word = line.strip_prefix(b"##[").or_else(|| line.strip_prefix(b"::"))?;
    let end = word.iter().position(|byte| matches!(byte, b']' | b' ' | b':'))?;
    Level::from_word(word.get(..end)?)
}

/// RFC 5424, 6.2.1: `<PRI>`, severity is its last three bits.
fn of_priority(line: &[u8]) -> Option<Level> {
    let end = line.iter().take(5).position(|byte| *byte == b'>')?;
    let priority = number(line.get(1..end)?)?;
    (priority <= 191).then(|| Level::from_number(priority % 8))?
}

fn of_letter(line: &[u8]) -> Option<Level> {
    let digit = |at: usize| line.get(at).is_some_and(u8::is_ascii_digit);
    let is = |at: usize, byte: u8| line.get(at) == Some(&byte);
    let first = *line.first()?;
    // glog and klog: I0612 10:11:12.123456
    if (1..=4).all(digit) && is(5, b' ') && digit(6) && is(8, b':') {
        return letter(first);
    }
    // CockroachDB: the year too
    if (1..=6).all(digit) && is(7, b' ') && digit(8) && is(10, b':') {
        return letter(first);
    }
    // Ruby: E, [2024-01-01T00:00:00 #1]
    if line.get(1..4) == Some(b", [") && digit(4) {
        return letter(first);
    }
    // Android, brief: E/Tag( 123): text
    if is(1, b'/') && line.get(2).is_some_and(u8::is_ascii_alphabetic) {
        let colon = memchr::memchr(b':', line.get(..line.len().min(80))?)?;
        let tag = line.get(2..colon)?;
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if tag.ends_with(b")") && tag.contains(&b'(') || tag.iter().all(is_word) {
            return letter(first);
        }
    }
    of_logcat(line).or_else(|| of_redis(line))
}

/// Android, threadtime: `03-17 16:13:38.811  1702  2395 D Tag: text`.
fn of_logcat(line: &[u8]) -> Option<Level> {
    if line.get(2) != Some(&b'-') || !line.first()?.is_ascii_digit() {
        return None;
    }
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let is_number = |word: &[u8]| word.iter().all(u8::is_ascii_digit);
    let (date, time) = (words.next()?, words.next()?);
    if date.len() != 5 || time.get(2) != Some(&b':') || !is_number(words.next()?) || !is_number(words.next()?)
    {
        return None;
    }
    words.next().filter(|word| word.len() == 1).and_then(|word| letter(*word.first()?))
}

/// Redis: `1:M 01 Jan 2024 00:00:00.000 * text`; the mark stands behind the time.
fn of_redis(line: &[u8]) -> Option<Level> {
    let colon = line.iter().take(10).position(|byte| *byte == b':')?;
    let is_role = line.get(..colon)?.iter().all(u8::is_ascii_digit)
        && matches!(line.get(colon + 1)?, b'M' | b'S' | b'C' | b'X')
        && line.get(colon + 2) == Some(&b' ');
    if !is_role || colon == 0 {
        return None;
    }
    let mark = line.split(|byte| *byte == b' ').nth(5)?;
    Some(match mark {
        b"." | b"-" => Level::Debug,
        b"*" => Level::Info,
        b"#" => Level::Warn,
        _ => return None,
    })
}

pub(super) fn letter(letter: u8) -> Option<Level> {
    Some(match letter {
        b'T' | b'V' => Level::Trace,
        b'D' => Level::Debug,
        b'I' | b'N' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        b'F' | b'C' | b'A' => Level::Fatal,
        _ => return None,
    })
}
