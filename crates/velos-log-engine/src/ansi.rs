//! Escape sequences are for eyes: patterns, levels and templates are looked for in the text without them.

use std::borrow::Cow;

/// The line without terminal control sequences (CSI, OSC, two-byte escapes) and without a trailing CR.
pub fn strip(line: &[u8]) -> Cow<'_, [u8]> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let Some(first) = memchr::memchr(0x1b, line) else { return Cow::Borrowed(line) };
    let mut out = Vec::with_capacity(line.len());
    let (plain, mut rest) = line.split_at(first);
    out.extend_from_slice(plain);
    while let Some(after) = rest.strip_prefix(b"\x1b") {
        rest = after.get(sequence(after)..).unwrap_or_default();
        let next = memchr::memchr(0x1b, rest).unwrap_or(rest.len());
        let (plain, more) = rest.split_at(next);
        out.extend_from_slice(plain);
        rest = more;
    }
    Cow::Owned(out)
}

/// Length of a sequence behind its ESC.
fn sequence(after: &[u8]) -> usize {
    match after.first() {
        Some(b'[') => after
            .iter()
            .skip(1)
            .position(|byte| (0x40..=0x7e).contains(byte))
            .map_or(after.len(), |end| end + 2),
        Some(b']') => after
            .iter()
            .position(|byte| matches!(byte, 0x07 | 0x1b))
            .map_or(after.len(), |end| if after.get(end) == Some(&0x07) { end + 1 } else { end }),
        Some(_) => 1,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_titles_and_torn_sequences_go() {
        let strip = |text: &str| String::from_utf8(strip(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(strip("plain\r"), "plain");
        assert_eq!(strip("\x1b[31;1mERROR\x1b[39m x"), "ERROR x");
        assert_eq!(strip("\x1b]0;title\x07a\x1b[2Kb\x1b"), "ab");
        assert_eq!(strip("a\x1b[31"), "a");
    }
}
