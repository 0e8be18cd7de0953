//! What a line says, without what its logger wrote before: times, levels, numbers, names in brackets.

use std::borrow::Cow;

use crate::level::Level;

/// The message of a line without escape sequences, whoever wrote it.
pub fn message(line: &[u8]) -> Cow<'_, [u8]> {
    if let Some(message) = super::structured::message(line) {
        return Cow::Owned(message);
    }
    if let Some(message) = crate::json::logfmt_message(line) {
        return Cow::Borrowed(message);
    }
    let line = line.trim_ascii();
    let mut rest = line;
    while let Some(length) = header_word(rest) {
        let after = rest.get(length..).unwrap_or_default().trim_ascii_start();
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    Cow::Borrowed(rest)
}

/// Whether a message says nothing: at most one tag, as `[request]` is.
pub(super) fn is_blank(message: &[u8]) -> bool {
    let inner = message.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    message.is_empty()
        || inner.is_some_and(|inner| !inner.iter().any(|byte| matches!(byte, b' ' | b'[' | b']')))
}

/// Length of a word that belongs to the header.
fn header_word(text: &[u8]) -> Option<usize> {
    let close = match text.first()? {
        b'[' => b']',
        b'<' => b'>',
        b'-' | b'|' | b':' => {
            return matches!(text, [_, b' ', ..] | [b'-', b'-', b' ', ..])
                .then(|| if text.get(1) == Some(&b' ') { 1 } else { 2 });
        }
        // Ruby: `F, [2026-03-01T10:00:00 #1] FATAL -- : text`
        first if first.is_ascii_uppercase() && text.get(1..4) == Some(b", [") => return Some(2),
        _ => {
            let end = text.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(text.len());
            return is_header(text.get(..end)?).then_some(end);
        }
    };
    let end = memchr::memchr(close, text.get(..text.len().min(80))?)?;
    let behind = text.get(end + 1);
    Some(end + 1 + usize::from(behind == Some(&b':')))
}

fn is_header(word: &[u8]) -> bool {
    let bare = word.trim_ascii_end();
    let bare = bare.strip_suffix(b":").unwrap_or(bare);
    let first = bare.split(|byte| *byte == b':').next().unwrap_or_default();
    if Level::from_word(bare).is_some()
        || Level::from_word(first).is_some() && first.iter().all(u8::is_ascii_uppercase)
    {
        return true;
    }
    let digits = bare.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_time = bare.iter().all(|byte| {
        byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'.' | b',' | b'/' | b'T' | b'Z' | b'+')
    });
    is_time && digits >= 4 && bare.iter().filter(|byte| matches!(byte, b':' | b'-' | b'/')).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_and_messages_stay() {
        let message = |line: &str| String::from_utf8(message(line.as_bytes()).into_owned()).unwrap();
        for line in [
            "2026-03-01T10:00:00.123Z ERROR [api] - connect ECONNREFUSED 10.0.0.5:5432",
            "[2026-03-01 10:00:00] [error] connect ECONNREFUSED 10.0.0.5:5432",
            "E, [2026-03-01T10:00:00 #1] ERROR -- : connect ECONNREFUSED 10.0.0.5:5432",
            "ERROR:root:x connect ECONNREFUSED 10.0.0.5:5432",
            "error: connect ECONNREFUSED 10.0.0.5:5432",
            r#"{"level":50,"msg":"connect ECONNREFUSED 10.0.0.5:5432"}"#,
            "time=2026-03-01T10:00:00Z level=error msg=\"connect ECONNREFUSED 10.0.0.5:5432\"",
            "connect ECONNREFUSED 10.0.0.5:5432",
        ] {
            assert_eq!(message(line), "connect ECONNREFUSED 10.0.0.5:5432", "{line}");
        }
        assert_eq!(message("ERROR"), "ERROR");
        assert_eq!(message("10.0.0.5:5432 refused"), "10.0.0.5:5432 refused");
    }
}
