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
    of_words(text).map_or_else(Verdict::default, Verdict::guessed)
}

/// What stands further behind says little about the line.
const LOOK_BYTES: usize = 4096;

fn has(text: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(text, needle).is_some()
}

fn of_shape(text: &[u8]) -> Option<Level> {
    let text = text.trim_ascii();
    const STARTS: [&[u8]; 11] = [
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
    ];
    if STARTS.iter().any(|start| text.starts_with(start))
        || has(text, b"' panicked at ")
        || has(text, b"core dumped")
        || has(text, b"ut of memory")
        || has(text, b": panic serving ")
        || has(text, b" UnhandledPromiseRejectionWarning: ")
    {
        return Some(Level::Error);
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
    // A collector that allocates again after it could not is what it is there for.
    if has(text, b"[GC (") || has(text, b"[Full GC (") {
        return Some(Level::Info);
    }
    if text.ends_with(b")") && crate::errors::is_ruby(text) {
        return Some(Level::Error);
    }
    // rustc and friends: error[E0382]: text
    if text.starts_with(b"error[") || has(text, b"npm ERR!") {
        return Some(Level::Error);
    }
    let first = text.split(|byte| matches!(byte, b' ' | b'\t')).next()?;
    let is_named = first.ends_with(b":") || first.len() == text.len();
    let name = first.strip_suffix(b":").unwrap_or(first);
    let is_type = name.len() > 5
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b':' | b'\\'));
    // Rails: ActionController::RoutingError (message):
    let is_named = is_named
        || text.ends_with(b"):") && text.get(first.len()..).is_some_and(|rest| rest.starts_with(b" ("));
    if is_named && is_type && (name.ends_with(b"Error") || name.ends_with(b"Exception")) {
        return Some(Level::Error);
    }
    // Python: /x.py:10: DeprecationWarning: text
    text.split(|byte| *byte == b' ')
        .take(4)
        .any(|word| word.strip_suffix(b":").is_some_and(|name| name.len() > 7 && name.ends_with(b"Warning")))
        .then_some(Level::Warn)
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
            let mut words = line.splitn(3, |byte| *byte == b' ');
            let (method, path) = (words.next()?, words.next()?);
            let is_method =
                matches!(method, b"GET" | b"POST" | b"PUT" | b"DELETE" | b"PATCH" | b"HEAD" | b"OPTIONS");
            words.next().filter(|_| is_method && path.starts_with(b"/"))?
        }
    };
    let is_status = status.iter().take_while(|byte| byte.is_ascii_digit()).count() == 3;
    Some(if is_status && status.first() == Some(&b'5') { Level::Error } else { Level::Info })
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

#[derive(Clone, Copy, PartialEq, Eq)]
struct Word<'a> {
    text: &'a [u8],
    /// The byte behind it.
    next: u8,
}

/// Words that stand alone: nothing of a path, an URL, a file name, an identifier.
fn words(text: &[u8]) -> impl Iterator<Item = Word<'_>> {
    text.split(|byte| matches!(byte, b' ' | b'\t' | b',' | b';' | b'"' | b'\'')).filter_map(|token| {
        let is_frame =
            |byte: &u8| matches!(byte, b'(' | b')' | b'[' | b']' | b'<' | b'>' | b'*' | b'{' | b'}');
        let start = token.iter().position(|byte| !is_frame(byte))?;
        let token = token.get(start..)?;
        let end = token
            .iter()
            .position(|byte| matches!(byte, b':' | b'!' | b'=' | b'.' | b')' | b']' | b'>' | b'}'))
            .unwrap_or(token.len());
        let (word, rest) = token.split_at(end);
        let next = rest.first().copied().unwrap_or(0);
        // error.log, http://, Cache.error: something named, not something said.
        let is_named = rest.len() > 1
            && matches!(next, b'.' | b':')
            && rest.get(1).is_some_and(|byte| *byte == b'/' || byte.is_ascii_alphabetic());
        (!word.is_empty() && !is_named).then_some(Word { text: word, next })
    })
}

fn of_words(text: &[u8]) -> Option<Level> {
    let mut worst: Option<Level> = None;
    let all: Vec<Word<'_>> = words(text).take(200).collect();
    let word = |at: usize| all.get(at).copied();
    for (at, one) in all.iter().enumerate() {
        let is_refused = one.text.eq_ignore_ascii_case(b"not")
            && at.checked_sub(1).and_then(word).is_some_and(|word| word.text.eq_ignore_ascii_case(b"could"));
        if is_refused {
            worst = worst.max(Some(Level::Error));
        }
        let mut lower = [0_u8; 16];
        let Some(slot) = lower.get_mut(..one.text.len()) else { continue };
        slot.copy_from_slice(one.text);
        slot.make_ascii_lowercase();
        let Some((level, kind)) = meaning(slot) else { continue };
        let before = at.checked_sub(1).and_then(word);
        let earlier = at.checked_sub(2).and_then(word);
        let is_negated = before.is_some_and(|word| is_nothing(word.text))
            || earlier.is_some_and(|word| is_nothing(word.text))
                && before
                    .is_some_and(|word| !word.text.iter().any(u8::is_ascii_digit) && !is_joint(word.text));
        // errors: 0, error=nil, errors 0
        let is_zero = tail_behind(text, one.text).is_some_and(is_none);
        // "log level set to ERROR"
        let is_setting = (1..=3).any(|back| at.checked_sub(back).and_then(word).is_some_and(is_level));
        // "error handler", "error rate": about errors, not one
        let is_about =
            kind == Kind::Noun && one.next == 0 && word(at + 1).is_some_and(|word| is_subject(word.text))
                || before.is_some_and(|word| {
                    word.text.eq_ignore_ascii_case(b"on") || word.text.eq_ignore_ascii_case(b"if")
                });
        if !(is_negated || is_zero || is_about || is_setting) {
            worst = worst.max(Some(level));
        }
    }
    worst
}

/// Whether a word means none: `0`, `no`, `nil`.
fn is_nothing(word: &[u8]) -> bool {
    matches!(
        word.to_ascii_lowercase().as_slice(),
        b"0" | b"no"
            | b"none"
            | b"nil"
            | b"null"
            | b"zero"
            | b"without"
            | b"undefined"
            | b"false"
            | b"never"
            | b"not"
            | b"0%"
            | b"<nil>"
    )
}

/// Words that join others: "no x and error".
fn is_joint(word: &[u8]) -> bool {
    word.len() <= 2 && !matches!(word, b"a" | b"an" | b"A" | b"An")
}

fn is_level(word: Word<'_>) -> bool {
    let end = word.text.get(word.text.len().saturating_sub(5)..).unwrap_or_default();
    end.eq_ignore_ascii_case(b"level") || word.text.eq_ignore_ascii_case(b"verbosity")
}

/// `errors: 0`, `"errors": 0`, `error=nil`: what stands behind the word, its colon with it.
fn tail_behind<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let rest = text.get(memchr::memmem::find(text, word)? + word.len()..)?;
    Some(rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest))
}

/// Whether it is a value that means none: `: 0`, `=nil`, but not `: undefined is not a function`.
pub(super) fn is_none(tail: &[u8]) -> bool {
    let Some((sign @ (b':' | b'='), rest)) = tail.split_first() else { return false };
    let rest = rest.trim_ascii_start();
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b',' | b';' | b')' | b'}' | b'|'));
    let (value, after) = rest.split_at(end.unwrap_or(rest.len()));
    match value.to_ascii_lowercase().as_slice() {
        b"0" | b"0%" | b"0.0%" | b"0.00%" | b"<nil>" => true,
        b"none" | b"nil" | b"null" | b"zero" | b"undefined" | b"false" => {
            *sign == b'=' || after.first() != Some(&b' ')
        }
        _ => false,
    }
}

fn is_subject(word: &[u8]) -> bool {
    matches!(
        word.to_ascii_lowercase().as_slice(),
        b"handler"
            | b"handlers"
            | b"handling"
            | b"rate"
            | b"rates"
            | b"page"
            | b"pages"
            | b"log"
            | b"logs"
            | b"logging"
            | b"count"
            | b"budget"
            | b"reporting"
            | b"reporter"
            | b"tracking"
            | b"recovery"
            | b"threshold"
            | b"level"
            | b"codes"
            | b"corrected"
            | b"correction"
            | b"boundary"
            | b"middleware"
            | b"table"
            | b"tables"
            | b"rules"
            | b"policy"
            | b"metrics"
            | b"free"
            | b"resolved"
            | b"fixed"
            | b"cleared"
            | b"recovered"
            | b"suppressed"
            | b"ignored"
            | b"button"
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Noun,
    Verb,
}

fn meaning(lower: &[u8]) -> Option<(Level, Kind)> {
    use Kind::{Noun, Verb};
    Some(match lower {
        b"fatal" => (Level::Fatal, Noun),
        b"error" | b"errors" | b"exception" | b"exceptions" | b"err" | b"panic" | b"crash" | b"failure"
        | b"failures" => (Level::Error, Noun),
        b"failed" | b"fails" | b"fail" | b"failing" | b"crashed" | b"panicked" | b"aborted" | b"aborting"
        | b"unreachable" | b"corrupt" | b"corrupted" | b"segfault" | b"cannot" | b"couldn't" | b"unable"
        | b"econnrefused" | b"econnreset" | b"etimedout" | b"enoent" | b"eaddrinuse" | b"eacces"
        | b"enospc" | b"oomkilled" => (Level::Error, Verb),
        b"warning" | b"warnings" | b"warn" => (Level::Warn, Noun),
        b"deprecated" | b"retrying" | b"timeout" | b"refused" | b"denied" | b"invalid" | b"degraded"
        | b"slow" | b"throttled" | b"dropped" => (Level::Warn, Verb),
        _ => return None,
    })
}
