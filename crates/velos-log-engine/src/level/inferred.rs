//! Guesses, when the program says nothing: the shapes of exceptions and server errors, then words.

use super::{Level, Verdict};

/// Of a line without escape sequences.
pub(crate) fn of(line: &[u8]) -> Verdict {
    let line = line.get(..line.len().min(LOOK_BYTES)).unwrap_or_default();
    let text = crate::json::message(line).unwrap_or(line);
    if let Some(level) = of_shape(text).or_else(|| of_access(line)) {
        return Verdict::guessed(level);
    }
    if text.len() != line.len() && has_error_field(line) {
        return Verdict::guessed(Level::Error);
    }
    super::words::of(text).map_or_else(Verdict::default, Verdict::guessed)
}

/// What stands further behind says little about the line.
const LOOK_BYTES: usize = 4096;

fn has(text: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(text, needle).is_some()
}

/// What errors begin with.
const STARTS: [&[u8]; 23] = [
    b"+ Exception Group Traceback",
    b"Traceback (most recent call last)",
    b"Exception in thread",
    b"Unhandled exception",
    b"Uncaught ",
    b"UnhandledPromiseRejection",
    b"panic: ",
    b"fatal error: ",
    b"Segmentation fault",
    b"goroutine 1 [",
    b"Caused by: ",
    b"terminate called ",
    b"CallStack (from HasCallStack)",
    b"stack traceback:",
    b"Execution halted",
    b"Oops: ",
    b"BUG: ",
    b"<--- Last few GCs --->",
    b"ERR_PNPM_",
    b"double free or corruption",
    b"free(): ",
    b"malloc(): ",
    b"munmap_chunk(): ",
];

fn of_shape(text: &[u8]) -> Option<Level> {
    let text = text.trim_ascii();
    if let Some(level) = of_symbol(text) {
        return Some(level);
    }
    if STARTS.iter().any(|start| text.starts_with(start)) || has(text, b"#<") && has(text, b"Error: ") {
        return Some(Level::Error);
    }
    if let Some(level) = super::system::of(text) {
        return Some(level);
    }
    if text.ends_with(b": not found") || text.ends_with(b"command not found") {
        return Some(Level::Error);
    }
    // Oracle: ORA-01555: text
    if let Some(rest) = text.strip_prefix(b"ORA-")
        && rest.iter().take_while(|byte| byte.is_ascii_digit()).count() == 5
    {
        return Some(Level::Error);
    }
    // Elixir: ** (RuntimeError) text
    if let Some(kind) = text.strip_prefix(b"** (").and_then(|rest| rest.split(|byte| *byte == b')').next())
        && (kind.ends_with(b"Error") || kind == b"EXIT" || kind.ends_with(b"Exception"))
    {
        return Some(Level::Error);
    }
    // What a database is asked for is no news of it.
    const STATEMENTS: [&[u8]; 4] = [b"SELECT ", b"INSERT INTO ", b"UPDATE ", b"DELETE FROM "];
    if STATEMENTS.iter().any(|start| text.starts_with(start)) {
        return Some(Level::Info);
    }
    if text.ends_with(b")") && crate::errors::is_ruby(text) {
        return Some(Level::Error);
    }
    // rustc and friends: error[E0382]: text
    if text.starts_with(b"error[") {
        return Some(Level::Error);
    }
    // pytest marks what failed: `E       AssertionError: text`
    if names_an_exception(text)
        || text.strip_prefix(b"E   ").is_some_and(|said| names_an_exception(said.trim_ascii_start()))
    {
        return Some(Level::Error);
    }
    if let Some(level) = of_perl(text) {
        return Some(level);
    }
    // Python: /x.py:10: DeprecationWarning: text
    text.split(|byte| *byte == b' ')
        .take(4)
        .any(|word| word.strip_suffix(b":").is_some_and(|name| name.len() > 7 && name.ends_with(b"Warning")))
        .then_some(Level::Warn)
}

/// Marks that command lines begin their lines with.
pub(super) fn of_symbol(text: &[u8]) -> Option<Level> {
    const MARKS: [(&str, Level); 14] = [
        ("✓", Level::Info),
        ("✔", Level::Info),
        ("✅", Level::Info),
        ("√", Level::Info),
        ("ℹ", Level::Info),
        ("⚠", Level::Warn),
        ("(!) ", Level::Warn),
        ("⨯", Level::Error),
        ("✖", Level::Error),
        ("✕", Level::Error),
        ("✗", Level::Error),
        ("✘", Level::Error),
        ("❌", Level::Error),
        ("🚨", Level::Error),
    ];
    if text.first().is_none_or(|byte| byte.is_ascii() && *byte != b'(') {
        return None;
    }
    let level = MARKS.iter().find(|(mark, _)| text.starts_with(mark.as_bytes())).map(|(_, level)| *level)?;
    // "❌ 0 errors"
    let is_nothing =
        super::words::of(text).is_none() && text.split(|byte| *byte == b' ').nth(1) == Some(b"0");
    Some(if is_nothing { Level::Info } else { level })
}

/// What Perl dies or warns with: `text at a.pl line 12.`
fn of_perl(text: &[u8]) -> Option<Level> {
    let said = text.strip_suffix(b".")?;
    let line = memchr::memmem::rfind(said, b" line ")?;
    let file = said.get(..line)?.rsplit(|byte| *byte == b' ').next()?;
    let is_place = said.get(line + 6..)?.iter().all(u8::is_ascii_digit)
        && [&b".pl"[..], b".pm", b".t", b".cgi", b"-e"].iter().any(|end| file.ends_with(end))
        && said.get(..line - file.len())?.ends_with(b" at ");
    const WARNINGS: [&[u8]; 6] = [
        b"Use of uninitialized",
        b"isn't numeric",
        b"deprecated",
        b"redefined",
        b"masks earlier",
        b"used only once",
    ];
    is_place.then(|| if WARNINGS.iter().any(|words| has(said, words)) { Level::Warn } else { Level::Error })
}

/// `java.io.IOException: text`, `ZeroDivisionError`.
fn names_an_exception(text: &[u8]) -> bool {
    // Behind who prints it: `web_1  | TypeError: text`, `host app[1]: TypeError: text`
    let (mut is_behind, mut is_dashed) = (false, false);
    for word in text.get(..text.len().min(160)).unwrap_or_default().split(|byte| *byte == b' ') {
        if is_behind
            && (word.first().is_some_and(u8::is_ascii_uppercase) || word.contains(&b'.'))
            && is_exception(word.strip_suffix(b":").unwrap_or(b""))
        {
            return true;
        }
        // Sinatra: `2024-05-14 10:23:45 - RuntimeError - text:`
        if is_dashed && word.first().is_some_and(u8::is_ascii_uppercase) && is_exception(word) {
            return true;
        }
        if !word.is_empty() {
            is_dashed = word == b"-";
            is_behind = matches!(word.last(), Some(b':' | b'|' | b']'));
        }
    }
    let Some(first) = text.split(|byte| matches!(byte, b' ' | b'\t')).next() else { return false };
    let is_named = first.ends_with(b":") || first.len() == text.len();
    let name = first.strip_suffix(b":").unwrap_or(first);
    // Rails: ActionController::RoutingError (message):
    let is_named = is_named
        || text.ends_with(b"):") && text.get(first.len()..).is_some_and(|rest| rest.starts_with(b" ("));
    is_named && is_exception(name)
}

/// The name of a type that only exceptions have.
fn is_exception(name: &[u8]) -> bool {
    name.len() > 5
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b':' | b'\\'))
        && (name.ends_with(b"Error") || name.ends_with(b"Exception"))
}

/// An access log: `"GET /x HTTP/1.1" 500`, `GET /x 500 1 ms`, HAProxy's. 5xx is an error of ours; 4xx one of theirs.
fn of_access(line: &[u8]) -> Option<Level> {
    let status = match memchr::memmem::find(line, b" HTTP/") {
        Some(at) => {
            let rest = line.get(at + 6..)?;
            let quote = memchr::memchr(b'"', rest)?;
            of_proxy(line).or_else(|| rest.get(quote + 1..))?.trim_ascii_start()
        }
        None => {
            if let Some(status) = of_php_server(line) {
                return Some(status);
            }
            let mut words = line.trim_ascii_start().splitn(3, |byte| *byte == b' ');
            let (method, path) = (words.next()?, words.next()?);
            let is_method =
                matches!(method, b"GET" | b"POST" | b"PUT" | b"DELETE" | b"PATCH" | b"HEAD" | b"OPTIONS");
            words.next().filter(|_| is_method && path.starts_with(b"/"))?
        }
    };
    let is_status = status.iter().take_while(|byte| byte.is_ascii_digit()).count() == 3;
    Some(if is_status && status.first() == Some(&b'5') { Level::Error } else { Level::Info })
}

/// PHP's own server: `[Tue May 14 10:23:45 2024] 127.0.0.1:53434 [500]: GET /x`.
fn of_php_server(line: &[u8]) -> Option<Level> {
    let at = memchr::memmem::find(line, b"]: ")?;
    let status = line.get(..at)?.get(at.checked_sub(4)?..)?.strip_prefix(b"[")?;
    let request = line.get(at + 3..)?;
    let is_request = [&b"GET /"[..], b"POST /", b"PUT /", b"DELETE /", b"PATCH /", b"HEAD /", b"OPTIONS /"]
        .iter()
        .any(|start| request.starts_with(start));
    let is_status = status.len() == 3 && status.iter().all(u8::is_ascii_digit);
    (is_request && is_status).then(|| if status.starts_with(b"5") { Level::Error } else { Level::Info })
}

/// What stands behind the five times of HAProxy: `0/0/1/2/3 503`.
fn of_proxy(line: &[u8]) -> Option<&[u8]> {
    let is_times = |word: &[u8]| {
        word.iter().filter(|byte| **byte == b'/').count() == 4
            && word.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'/' | b'-' | b'+'))
    };
    let mut rest = line;
    while let Some(space) = memchr::memchr(b' ', rest) {
        let (word, after) = rest.split_at(space);
        rest = after.get(1..)?;
        if is_times(word) {
            return Some(rest);
        }
    }
    None
}

/// A JSON line that carries an error.
fn has_error_field(line: &[u8]) -> bool {
    use crate::json::Value;
    let mut found = false;
    crate::json::fields(line, |key, value| {
        let is_name =
            matches!(key, b"err" | b"error" | b"exception" | b"stack" | b"exc_info" | b"stack_trace");
        let is_empty = matches!(value, Value::Text(b"") | Value::Bare(b"null" | b"false" | b"0"))
            || matches!(value, Value::Nested(inner) if inner.len() <= 2);
        found = is_name && !is_empty;
        !found
    });
    found
}
