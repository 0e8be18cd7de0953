//! Hides secrets on the way out: to agents, to files that are given away.
//!
//! A multi-pattern search for literals (Aho and Corasick, 1975) runs over whole blocks; only lines with a hit see the
//! expressions of the rules that the hit belongs to. Numbers of payment cards hold no literal; they have a search of their
//! own. A secret becomes `[REDACTED:aws-key:ab12]`: what kind it was, and four hex digits of a keyed hash, so that equal
//! secrets can be told from different ones without being known. Two different
//! secrets have the same digits once in 65,536.

mod cards;
mod judged;
mod rules;

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{Captures, Regex};

use judged::{is_no_secret, is_other};
use rules::RULES;

/// Longest part of a private key between its first and its last line, in lines.
const KEY_LINES_MAX: usize = 200;

/// Letters in a row that are a line of a key even behind something else.
const KEY_LINE_MIN: usize = 40;

/// Hides secrets. Lines of one source go through it in order. The first one of a process takes some milliseconds, all
/// others next to nothing.
#[derive(Clone, Debug)]
pub struct Redactor {
    literals: &'static Literals,
    hasher: RandomState,
    salt: Option<u64>,
    /// Lines that may still belong to a private key.
    inside_key: usize,
    hidden: u64,
}

/// What the rules look for first, and the rule of each.
#[derive(Debug)]
struct Literals {
    search: AhoCorasick,
    owners: Vec<usize>,
}

fn literals() -> &'static Literals {
    static LITERALS: LazyLock<Literals> = LazyLock::new(|| {
        let (mut literals, mut owners): (Vec<&str>, Vec<usize>) = (Vec::new(), Vec::new());
        for (number, rule) in RULES.iter().enumerate() {
            literals.extend(rule.literals);
            owners.extend(rule.literals.iter().map(|_| number));
        }
        let search = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&literals);
        match search {
            Ok(search) => Literals { search, owners },
            // The rules are ours: a test builds them.
            Err(error) => panic!("the literals of redaction are broken: {error}"),
        }
    });
    &LITERALS
}

/// The expression of a rule, built when it is needed first: most of them never are.
fn pattern(number: usize) -> Option<&'static Regex> {
    static PATTERNS: [OnceLock<Regex>; RULES.len()] = [const { OnceLock::new() }; RULES.len()];
    let rule = RULES.get(number)?;
    let build = || match regex::bytes::RegexBuilder::new(rule.pattern).unicode(false).build() {
        Ok(pattern) => pattern,
        // The rules are ours: a test builds them.
        Err(error) => panic!("a rule of redaction is broken: {error}"),
    };
    PATTERNS.get(number).map(|pattern| pattern.get_or_init(build))
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new()
    }
}

impl Redactor {
    /// With a key of its own: its hashes say nothing to others.
    pub fn new() -> Self {
        Self { literals: literals(), hasher: RandomState::new(), salt: None, inside_key: 0, hidden: 0 }
    }

    /// Equal secrets have equal hashes wherever the same salt is used, also in another process.
    pub fn with_salt(salt: u64) -> Self {
        Self { salt: Some(salt), ..Self::new() }
    }

    /// Secrets that were hidden so far.
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    /// One line without its newline, or several.
    pub fn line<'a>(&mut self, line: &'a [u8]) -> Cow<'a, [u8]> {
        if self.inside_key > 0 {
            return self.key_line(line);
        }
        if self.literals.search.find(line).is_none() {
            return self.without_cards(Cow::Borrowed(line));
        }
        self.searched(line)
    }

    /// Every text in a JSON document, also in keys' values deep inside.
    pub fn document(&mut self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) => {
                let lines: Vec<_> =
                    text.split('\n').map(|line| self.line(line.as_bytes()).into_owned()).collect();
                String::from_utf8_lossy(&lines.join(&b'\n')).into_owned().into()
            }
            Value::Array(values) => values.into_iter().map(|value| self.document(value)).collect(),
            Value::Object(map) => map.into_iter().map(|(key, value)| (key, self.document(value))).collect(),
            other => other,
        }
    }

    /// Whole lines, appended to `out`.
    pub fn block(&mut self, block: &[u8], out: &mut Vec<u8>) {
        let mut rest = block;
        // Where the next of each kind stands, counted from the end, so that it stays right as `rest` gets shorter.
        let (mut literal, mut card) = (Next::Unknown, Next::Unknown);
        while !rest.is_empty() {
            let hit = if self.inside_key > 0 {
                0
            } else {
                let literal = literal.of(rest, |rest| self.literals.search.find(rest).map(|hit| hit.start()));
                let card = card.of(rest, |rest| cards::find(rest, 0).map(|card| card.start));
                match literal.into_iter().chain(card).min() {
                    Some(hit) => hit,
                    None => break,
                }
            };
            let start = rest
                .get(..hit)
                .and_then(|before| memchr::memrchr(b'\n', before))
                .map_or(0, |newline| newline + 1);
            let end = rest
                .get(start..)
                .and_then(|line| memchr::memchr(b'\n', line))
                .map_or(rest.len(), |length| start + length);
            out.extend_from_slice(rest.get(..start).unwrap_or_default());
            let line = self.line(rest.get(start..end).unwrap_or_default());
            out.extend_from_slice(&line);
            let next = (end + 1).min(rest.len());
            out.extend_from_slice(rest.get(end..next).unwrap_or_default());
            rest = rest.get(next..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
    }

    fn searched<'a>(&mut self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let mut wanted = 0_u64;
        for hit in self.literals.search.find_overlapping_iter(line) {
            wanted |= self.literals.owners.get(hit.pattern().as_usize()).map_or(0, |rule| 1 << rule);
        }
        let mut text = Cow::Borrowed(line);
        for (number, rule) in RULES.iter().enumerate() {
            if wanted & (1 << number) == 0 || rule.name.starts_with("url-") && !line.contains(&b'@') {
                continue;
            }
            let Some(pattern) = pattern(number) else { continue };
            let (mut out, mut last) = (Vec::new(), 0);
            for found in pattern.captures_iter(&text) {
                let Some((start, end)) = secret(&found) else { continue };
                let value = text.get(start..end).unwrap_or_default();
                if start < last
                    || value.is_empty()
                    || value.starts_with(b"[REDACTED:")
                    || is_no_secret(value, rule.check)
                    || is_other(rule.name, text.get(found_start(&found)..start).unwrap_or_default(), value)
                    // `token=Token{1234`: what is written there is an object, and this the name of its type.
                    || matches!(text.get(end), Some(b'{' | b'('))
                        && value.iter().all(u8::is_ascii_alphabetic)
                {
                    continue;
                }
                out.extend_from_slice(text.get(last..start).unwrap_or_default());
                out.extend_from_slice(
                    format!("[REDACTED:{}:{:04x}]", rule.name, self.hash(value)).as_bytes(),
                );
                last = end;
                self.hidden += 1;
                if rule.name == "private-key" && memchr::memmem::find(value, b"-----END ").is_none() {
                    self.inside_key = KEY_LINES_MAX;
                }
            }
            if last > 0 {
                out.extend_from_slice(text.get(last..).unwrap_or_default());
                text = Cow::Owned(out);
            }
        }
        self.without_cards(text)
    }

    fn without_cards<'a>(&mut self, text: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        let Some(mut card) = cards::find(&text, 0) else { return text };
        let (mut out, mut last) = (Vec::new(), 0);
        loop {
            let digits: Vec<u8> = text
                .get(card.clone())
                .unwrap_or_default()
                .iter()
                .copied()
                .filter(u8::is_ascii_digit)
                .collect();
            out.extend_from_slice(text.get(last..card.start).unwrap_or_default());
            out.extend_from_slice(format!("[REDACTED:card:{:04x}]", self.hash(&digits)).as_bytes());
            self.hidden += 1;
            last = card.end;
            match cards::find(&text, last) {
                Some(next) => card = next,
                None => break,
            }
        }
        out.extend_from_slice(text.get(last..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// A line of a private key that began before: nothing of it stays but what stands behind its end.
    fn key_line<'a>(&mut self, line: &'a [u8]) -> Cow<'a, [u8]> {
        self.inside_key -= 1;
        if let Some(at) = memchr::memmem::find(line, b"-----END ") {
            self.inside_key = 0;
            let behind = line.get(at + 9..).unwrap_or_default();
            let tail = memchr::memmem::find(behind, b"-----")
                .and_then(|end| behind.get(end + 5..))
                .unwrap_or_default();
            return Cow::Owned([b"[REDACTED:private-key]", tail].concat());
        }
        let body = line.trim_ascii();
        let is_body = body.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'+' | b'/' | b'=' | b' ' | b':' | b'-' | b',' | b'|')
        });
        if !is_body {
            // Some loggers write their header before each line of it.
            let start = body.iter().rposition(|byte| byte.is_ascii_whitespace()).map_or(0, |space| space + 1);
            let last = body.get(start..).unwrap_or_default();
            let is_part = last.len() >= KEY_LINE_MIN
                && last.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
            if is_part && let Some(before) = line.strip_suffix(last) {
                return Cow::Owned([before, b"[REDACTED:private-key]"].concat());
            }
            self.inside_key = 0;
            return self.searched(line);
        }
        Cow::Borrowed(b"[REDACTED:private-key]")
    }

    fn hash(&self, value: &[u8]) -> u16 {
        let hash = match self.salt {
            Some(salt) => crate::template::mix(crate::template::hash(value), salt),
            None => self.hasher.hash_one(value),
        };
        (hash >> 24) as u16
    }
}

/// The next place of a kind in a text that is worked off from its start, as a distance from its end.
#[derive(Clone, Copy)]
enum Next {
    Unknown,
    At(usize),
    Nowhere,
}

impl Next {
    fn of(&mut self, rest: &[u8], find: impl FnOnce(&[u8]) -> Option<usize>) -> Option<usize> {
        let is_passed = matches!(self, Self::At(left) if *left > rest.len());
        if is_passed || matches!(self, Self::Unknown) {
            *self = find(rest).map_or(Self::Nowhere, |at| Self::At(rest.len() - at));
        }
        match self {
            Self::At(left) => Some(rest.len() - *left),
            Self::Unknown | Self::Nowhere => None,
        }
    }
}

fn found_start(found: &Captures<'_>) -> usize {
    found.get(0).map_or(0, |whole| whole.start())
}

fn secret(found: &Captures<'_>) -> Option<(usize, usize)> {
    let group = ["s", "t", "u"].iter().find_map(|name| found.name(name)).or_else(|| found.get(0))?;
    Some((group.start(), group.end()))
}

// One bit each.
const _: () = assert!(RULES.len() <= 64);

#[cfg(test)]
mod tests;
