//! A level word where headers stand: upper case, in brackets, before a colon, or between columns.

use super::Level;

/// Headers are short.
const ZONE_BYTES: usize = 240;
/// So many plain words in a row are a sentence, not a header.
const PLAIN_WORDS_MAX: usize = 3;

/// The level, and the number of the token that holds it.
pub(super) fn of(line: &[u8]) -> Option<(Level, usize)> {
    let zone = line.get(..line.len().min(ZONE_BYTES))?;
    let mut plain = 0;
    for (number, (start, token)) in tokens(zone).enumerate() {
        let spot = Spot { line, token, start, number };
        if let Some(level) = spot.level() {
            return Some((level, number));
        }
        if is_plain(token) {
            plain += 1;
            if plain >= PLAIN_WORDS_MAX {
                return None;
            }
        } else if token.iter().any(u8::is_ascii_digit) {
            plain = 0;
        }
        if number > 16 || (number > 0 && token.len() > 1 && token.first() == Some(&b'"')) {
            return None;
        }
    }
    None
}

/// The level at one token, where its source has always put it, with where it begins and its bytes. There a word in any case
/// counts.
pub(super) fn at(line: &[u8], number: usize) -> Option<(Level, usize, &[u8])> {
    let zone = line.get(..line.len().min(ZONE_BYTES))?;
    let (start, token) = tokens(zone).nth(number)?;
    let spot = Spot { line, token, start, number };
    spot.level().or_else(|| Level::from_word(trim(token))).map(|level| (level, start, token))
}

/// Words between spaces, bars and brackets, each with its place.
fn tokens(zone: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let is_gap = |byte: &u8| matches!(byte, b' ' | b'\t' | b'|');
        at += zone.get(at..)?.iter().position(|byte| !is_gap(byte))?;
        let rest = zone.get(at..)?;
        let end = rest.iter().position(is_gap).unwrap_or(rest.len());
        // [time][level][name]: one bracket after the other.
        let length =
            rest.get(..end).and_then(|word| memchr::memmem::find(word, b"][")).map_or(end, |at| at + 1);
        let start = at;
        at += length;
        rest.get(..length).map(|token| (start, token))
    })
}

/// A lower-case or capitalised word of a sentence.
fn is_plain(token: &[u8]) -> bool {
    let token = token.strip_suffix(b",").unwrap_or(token);
    token.len() > 1
        && token.iter().all(u8::is_ascii_alphabetic)
        && token.iter().skip(1).any(u8::is_ascii_lowercase)
}

pub(super) fn trim(token: &[u8]) -> &[u8] {
    let is_frame = |byte: &u8| !byte.is_ascii_alphanumeric();
    let start = token.iter().position(|byte| !is_frame(byte)).unwrap_or(0);
    let end = token.iter().rposition(|byte| !is_frame(byte)).map_or(start, |last| last + 1);
    token.get(start..end).unwrap_or_default()
}

/// A word, and where it stands.
pub(super) struct Spot<'a> {
    pub(super) line: &'a [u8],
    pub(super) token: &'a [u8],
    pub(super) start: usize,
    number: usize,
}

impl Spot<'_> {
    fn level(&self) -> Option<Level> {
        let token = self.token;
        if self.is_setting() {
            return None;
        }
        // Db2: LEVEL: Error
        if self.before().ends_with(b" LEVEL:") {
            return Level::from_word(trim(token));
        }
        // ERROR:root:text, DEBUG: text, [error], (warn), <info>, "Error" alone behind a time
        let (word, rest) = split_word(token)?;
        if let Some(level) = Level::from_word(word) {
            if self.counts(word, rest) {
                return Some(if is_weak(word) { Level::Error } else { level });
            }
            return self.of_compound();
        }
        if let Some(level) = self.of_lone_letter() {
            return Some(level);
        }
        self.of_compound()
    }

    /// `log level: WARN` tells how much is logged; `Level: Error` at the start is a field.
    fn is_setting(&self) -> bool {
        let before = self.before();
        let before = before.strip_suffix(b":").or_else(|| before.strip_suffix(b"=")).unwrap_or(before);
        let Some((said, end)) = before.split_at_checked(before.len().wrapping_sub(5)) else { return false };
        let word = said.trim_ascii_end().rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        end.eq_ignore_ascii_case(b"level") && !word.is_empty() && word.iter().all(u8::is_ascii_alphabetic)
    }

    fn counts(&self, word: &[u8], rest: &[u8]) -> bool {
        // Go's HTTP server puts its own name there.
        if word == b"http" && rest.first() == Some(&b':') {
            return false;
        }
        let is_upper = word.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        let opened =
            self.token.first().copied().filter(|byte| matches!(byte, b'[' | b'(' | b'<' | b'{' | b'*'));
        let is_closed = opened.is_some() && matches!(rest.first(), Some(b']' | b')' | b'>' | b'}' | b'*'));
        let is_first = self.start == 0;
        // `localhost:4000 (http)`: what something is, not how bad.
        if opened == Some(b'(')
            && !is_upper
            && matches!(word, b"http" | b"default" | b"config" | b"note" | b"log" | b"success")
        {
            return false;
        }
        match rest.first() {
            // Upper case followed by nothing: a column, or at least a headline.
            None if is_upper => !is_common(word) || self.stands_as_column(),
            None => (self.stands_as_column() || self.follows_symbol()) && self.number > 0,
            // error: null
            Some(b':' | b'=') if self.tail(rest).is_some_and(super::words::is_none) => false,
            Some(b':') if rest.len() == 1 || is_first || rest.get(1) == Some(&b':') => {
                is_upper || is_first || self.follows_header()
            }
            Some(b':' | b',' | b'-' | b'/' | b'!' | b'.' | b';') if is_upper && rest.len() == 1 => true,
            Some(b'[') if is_first || is_upper => true,
            // Zig: `error(net): text`
            Some(b'(') if is_first && rest.ends_with(b"):") => true,
            Some(b':') if is_upper => true,
            _ => is_closed && rest.len() <= 2,
        }
    }

    /// Behind a time stamp or a bracket, with a gap or a bracket behind it.
    fn stands_as_column(&self) -> bool {
        let after = self.line.get(self.start + self.token.len()..).unwrap_or_default();
        let is_column = after.starts_with(b"  ") || after.starts_with(b"\t") || after.starts_with(b"|") || {
            let next = after.trim_ascii_start();
            matches!(next.first(), Some(b'[' | b'(' | b'-' | b'|' | b':' | b'<' | b'{'))
        };
        is_column && self.follows_header() || self.follows_time()
    }

    /// The line from the end of the word on.
    fn tail(&self, rest: &[u8]) -> Option<&[u8]> {
        self.line.get(self.start + self.token.len() - rest.len()..)
    }

    pub(super) fn next_word(&self) -> Option<&[u8]> {
        let after = self.line.get(self.start + self.token.len()..)?.trim_ascii_start();
        after.split(|byte| matches!(byte, b' ' | b',')).next()
    }

    /// A tick, a cross or the like is all that stands before it.
    fn follows_symbol(&self) -> bool {
        let before = self.before();
        !before.is_empty() && before.len() <= 8 && before.iter().all(|byte| !byte.is_ascii())
    }

    pub(super) fn before(&self) -> &[u8] {
        self.line.get(..self.start).unwrap_or_default().trim_ascii_end()
    }

    pub(super) fn follows_header(&self) -> bool {
        matches!(
            self.before().last(),
            None | Some(b']' | b')' | b'|' | b'-' | b':' | b'>' | b'0'..=b'9' | b'Z' | b',')
        )
    }

    pub(super) fn follows_time(&self) -> bool {
        let before = self.before();
        let before = before.strip_suffix(b",").or_else(|| before.strip_suffix(b":")).unwrap_or(before);
        let before = before.strip_suffix(b"]").unwrap_or(before);
        let last = before.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
        last.len() >= 5
            && last.first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'[')
            && memchr::memchr(b':', last).is_some()
    }
}

/// The letters of a token behind its opening bracket, and what follows them.
fn split_word(token: &[u8]) -> Option<(&[u8], &[u8])> {
    let stars = token.iter().take(3).take_while(|byte| **byte == b'*').count();
    let start =
        stars.max(usize::from(matches!(token.first(), Some(b'[' | b'(' | b'<' | b'{' | b'"' | b'=' | b'-'))));
    let body = token.get(start..)?;
    let end = body.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(body.len());
    Some(body.split_at(end))
}

/// `panic:` and `fail:` are words of runtimes for errors of one request or goroutine, not of a system.
fn is_weak(word: &[u8]) -> bool {
    matches!(word, b"panic" | b"fail" | b"failure")
}

/// Upper-case words that also stand in sentences and protocols.
fn is_common(word: &[u8]) -> bool {
    matches!(
        word,
        b"LOG"
            | b"NOTE"
            | b"HTTP"
            | b"FINE"
            | b"DEFAULT"
            | b"CONFIG"
            | b"SUCCESS"
            | b"HINT"
            | b"ALERT"
            | b"FAILURE"
            | b"FAIL"
            | b"PANIC"
    )
}
