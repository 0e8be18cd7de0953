//! Objects and lists inside of a text: whatever they hold, and however much, they are one value.

use std::borrow::Cow;

use super::brackets::closing;
use super::key::mark;

/// An object that is longer is not looked through.
const OBJECT_BYTES: usize = 4_000;

/// A key in which each object and each list behind a word is one variable.
pub(super) fn folded(key: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = key.iter().position(|byte| matches!(byte, b'{' | b'[' | b'"')) else {
        return Cow::Borrowed(key);
    };
    let mut out: Vec<u8> = Vec::new();
    let (mut copied, mut at) = (0, first);
    while let Some(byte) = key.get(at).copied() {
        let rest = key.get(at..).unwrap_or_default();
        let length = match byte {
            b'{' => object(rest),
            b'[' => list(rest),
            b'"' => quoted(key.get(..at).unwrap_or_default(), rest),
            _ => None,
        };
        // A message that is nothing else would not tell what it is.
        let is_said = key
            .get(..at)
            .is_some_and(|before| before.iter().filter(|b| b.is_ascii_alphabetic()).count() >= 2);
        match length.filter(|_| is_said) {
            Some(length) => {
                // The brackets around it stay, quotes are those of a value.
                let inner = usize::from(byte != b'"');
                out.extend_from_slice(key.get(copied..at + inner).unwrap_or_default());
                out.push(mark::ANY);
                copied = at + length - inner;
                at += length;
            }
            None => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(key);
    }
    out.extend_from_slice(key.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Length of an object in JSON, or as Python prints it.
fn object(text: &[u8]) -> Option<usize> {
    if !matches!(text.get(1), Some(b'"' | b'\'')) {
        return None;
    }
    let length = closing(text, b'{', b'}', OBJECT_BYTES)?;
    let inner = text.get(1..length - 1)?;
    (memchr::memmem::find(inner, b"\":").is_some() || memchr::memmem::find(inner, b"':").is_some())
        .then_some(length)
}

/// Length of a list of values: `[auth, cache]`, `['a', 'b']`, `[1, 2]`.
fn list(text: &[u8]) -> Option<usize> {
    let length = text.iter().take(2_000).position(|byte| *byte == b']')? + 1;
    let inner = text.get(1..length - 1)?;
    let is_plain = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || super::key::is_mark(*byte)
            || matches!(byte, b',' | b' ' | b'"' | b'\'' | b'-' | b'_' | b'.' | b'/' | b'@' | b'+')
    };
    let is_item = |item: &[u8]| {
        let item = item.trim_ascii();
        !item.is_empty() && !item.contains(&b' ')
    };
    let is_list =
        inner.contains(&b',') && inner.iter().all(is_plain) && inner.split(|byte| *byte == b',').all(is_item);
    is_list.then_some(length)
}

/// Length of what somebody wrote or searched for: a few plain words in quotes, behind a word that is no label.
fn quoted(before: &[u8], text: &[u8]) -> Option<usize> {
    let length = memchr::memchr(b'"', text.get(1..text.len().min(80))?)? + 2;
    let inner = text.get(1..length - 1)?;
    let is_behind = matches!(before, [.., a, b' '] if a.is_ascii_alphabetic());
    let is_text = inner.contains(&b' ')
        && inner.first().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && inner.iter().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'\'' | b'.' | b'_') || *byte >= 128
        });
    (is_behind && is_text).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_lists_are_one_value_each() {
        let folded = |key: &str| String::from_utf8_lossy(&folded(key.as_bytes())).replace('\u{c}', "<*>");
        assert_eq!(folded("got {\"a\":{\"b\":1}} and [x, y] now"), "got {<*>} and [<*>] now");
        assert_eq!(folded("ranked for query \"red hat\" now"), "ranked for query <*> now");
        for key in [
            "[main] started",
            "[a, b] at the start",
            "{\"a\":1}",
            "uses {id}",
            "in [the big, one]",
            "got \"GET /x y\"",
        ] {
            assert_eq!(folded(key), key);
        }
    }
}
