//! One line of output.

/// A line that is longer is given out in pieces: memory has a bound, whatever a program prints.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 20;

/// Which stream it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line without its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was written, microseconds since 1970, if the index tells.
    pub time_us: Option<u64>,
    /// Where from.
    pub stream: Stream,
    /// As written.
    pub bytes: Vec<u8>,
}

/// For a terminal: everything that could command it is shown instead of done. Colours stay if they are wanted, else they
/// are left out.
pub fn neutralise(bytes: &[u8], colours: bool) -> String {
    let text = String::from_utf8_lossy(bytes);
    if bytes.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(c) = rest.chars().next() {
        if let Some(length) = colour(rest) {
            let (sequence, after) = rest.split_at(length);
            if colours {
                out.push_str(sequence);
            }
            rest = after;
            continue;
        }
        match c {
            '\t' => out.push('\t'),
            '\r' if rest.len() == 1 => {}
            c if (c as u32) < 0x20 => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
            '\u{7f}' => out.push('\u{2421}'),
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out
}

/// Length of an SGR sequence (`ESC [ digits and ; m`) at the start.
fn colour(text: &str) -> Option<usize> {
    let body = text.strip_prefix("\x1b[")?;
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    (end <= 32 && body.get(end..)?.starts_with('m')).then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_pass_and_commands_do_not() {
        assert_eq!(neutralise(b"\x1b[31mred\x1b[0m\tx\r", false), "red\tx");
        assert_eq!(neutralise(b"\x1b[31mred\x1b[0m\tx\r", true), "\x1b[31mred\x1b[0m\tx");
        assert_eq!(neutralise(b"\x1b]52;c;aGk=\x07", true), "\u{241b}]52;c;aGk=\u{2407}");
        assert_eq!(neutralise(b"\x1b[2Ja\x00b\xff", true), "\u{241b}[2Ja\u{2400}b\u{fffd}");
    }
}
