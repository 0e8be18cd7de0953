//! The first fields of a line and their shapes.

use super::brackets::closing;
use crate::level::Level;

/// No field in brackets is longer.
const FIELD_BYTES: usize = 400;

/// Shapes of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// Of a date or a time.
    Time,
    Level,
    /// `[...]`, `(...)`
    Bracket,
    /// `name[1]:`, `a.b.C:`
    Process,
    /// Only punctuation.
    Separator,
    /// `|`
    Bar,
    Number,
    /// `a.b.c`, `a::b`, `a/b`
    Dotted,
    /// Letters and digits.
    Id,
    Word,
    Other,
}

impl Shape {
    /// Nobody begins a sentence with it.
    pub(super) fn is_strong(self) -> bool {
        matches!(self, Self::Time | Self::Level | Self::Bracket | Self::Process | Self::Separator | Self::Bar)
    }
}

/// A field and where it ends.
pub(crate) struct Field<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) end: usize,
}

/// The next field at or behind `at`.
pub(crate) fn field(line: &[u8], at: usize) -> Option<Field<'_>> {
    let rest = line.get(at..)?;
    let gap = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    let rest = rest.get(gap..)?;
    let start = at + gap;
    if rest.first() == Some(&b'|') {
        return Some(Field { text: rest.get(..1)?, end: start + 1 });
    }
    let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'|');
    let bracket = match rest.first() {
        Some(b'[') => closing(rest, b'[', b']', FIELD_BYTES),
        Some(b'(') => closing(rest, b'(', b')', FIELD_BYTES),
        _ => None,
    };
    if let Some(length) = glued(line, start, rest) {
        return Some(Field { text: rest.get(..length)?, end: start + length });
    }
    // The span of a tracing library: `request{id=7 method=GET}:`
    let span = if bracket.is_none() { span(rest, is_end) } else { None };
    let from = bracket.or(span).unwrap_or(0);
    let length = rest.get(from..)?.iter().position(is_end).map_or(rest.len(), |end| from + end);
    Some(Field { text: rest.get(..length)?, end: start + length })
}

/// `INFO:app.db:text` has no spaces between its fields: length of the next one.
fn glued(line: &[u8], start: usize, rest: &[u8]) -> Option<usize> {
    let run = rest.get(..rest.len().min(64))?;
    let run = run.get(..memchr::memchr2(b' ', b'\t', run).unwrap_or(run.len()))?;
    let colon = memchr::memchr(b':', run)?;
    let is_level = colon + 1 < run.len() && {
        let word = run.get(..colon)?;
        word.iter().all(u8::is_ascii_uppercase) && Level::from_word(word).is_some()
    };
    let is_behind = start.checked_sub(1).and_then(|before| line.get(before)) == Some(&b':');
    (is_level || is_behind).then_some(colon + 1)
}

/// Length of a name with settings in braces.
fn span(rest: &[u8], is_end: impl Fn(&u8) -> bool) -> Option<usize> {
    let run = rest.get(..rest.len().min(64))?;
    let open = memchr::memchr(b'{', run).filter(|open| *open > 0)?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    let is_span = run.get(..open)?.iter().all(|byte| is_name(byte) && !is_end(byte));
    let length = open + closing(rest.get(open..)?, b'{', b'}', FIELD_BYTES)?;
    let has_settings = rest.get(open..length)?.contains(&b'=');
    (is_span && has_settings && rest.get(length) == Some(&b':')).then_some(length)
}

pub(crate) fn shape(text: &[u8]) -> Shape {
    let Some(first) = text.first().copied() else { return Shape::Other };
    if text == b"|" {
        return Shape::Bar;
    }
    // glog: I0612
    if text.len() == 5
        && matches!(first, b'I' | b'W' | b'E' | b'F')
        && text.iter().skip(1).all(u8::is_ascii_digit)
    {
        return Shape::Level;
    }
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = text.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    if digits == 0 && letters == 0 && !(text.starts_with(b"[") && text.ends_with(b"]")) {
        return Shape::Separator;
    }
    // glog: main.go:55]
    if digits > 0 && text.ends_with(b"]") && text.contains(&b':') && !text.contains(&b'[') {
        return Shape::Bracket;
    }
    if matches!(first, b'[' | b'(')
        && (text.ends_with(b"]") || text.ends_with(b")") || text.ends_with(b"]:") || text.ends_with(b"],"))
    {
        return Shape::Bracket;
    }
    if text.ends_with(b"}:") && text.contains(&b'=') {
        return Shape::Bracket;
    }
    if digits == text.len() {
        // Seconds or milliseconds since 1970, or a day
        let is_time = matches!(text.len(), 10 | 13) && first == b'1'
            || matches!(text.len(), 8) && (text.starts_with(b"20") || text.starts_with(b"19"));
        return if is_time { Shape::Time } else { Shape::Number };
    }
    if digits >= 3 && is_time(text, digits, letters) || digits == 0 && is_calendar(text) {
        return Shape::Time;
    }
    of_word(text, digits, letters)
}

/// Of what is no time and no bracket.
fn of_word(text: &[u8], digits: usize, letters: usize) -> Shape {
    let word = text.strip_suffix(b":").or_else(|| text.strip_suffix(b",")).unwrap_or(text);
    let is_upper = letters == word.len() && word.iter().all(u8::is_ascii_uppercase);
    if is_upper && Level::from_word(word).is_some() {
        return Shape::Level;
    }
    if text.len() == 1 && matches!(text.first(), Some(b'V' | b'D' | b'I' | b'W' | b'E' | b'F')) {
        return Shape::Level;
    }
    if letters == word.len() && word.len() >= 4 && Level::from_word(word).is_some() {
        return Shape::Level;
    }
    if text.ends_with(b":") && letters > 0 {
        return Shape::Process;
    }
    if digits == 0 && letters == text.len() {
        return Shape::Word;
    }
    if digits == 0
        && text.iter().any(|byte| matches!(byte, b'.' | b'$' | b'/' | b':'))
        && !text.ends_with(b".")
    {
        return Shape::Dotted;
    }
    if digits > 0
        && text.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'@' | b'+' | b'#')
        })
    {
        return Shape::Id;
    }
    Shape::Other
}

fn is_time(text: &[u8], digits: usize, letters: usize) -> bool {
    let text = text.strip_suffix(b",").unwrap_or(text);
    let cuts = text.iter().filter(|byte| matches!(byte, b':' | b'-' | b'/' | b'.')).count();
    letters <= 3
        && cuts >= 2
        && digits * 2 >= text.len()
        && text.first().is_some_and(u8::is_ascii_digit)
        && text.iter().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'/' | b'.' | b',' | b'+')
        })
}

fn is_calendar(text: &[u8]) -> bool {
    const NAMES: [&[u8]; 19] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
        b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun",
    ];
    let text = text.strip_suffix(b",").unwrap_or(text);
    NAMES.contains(&text)
}
