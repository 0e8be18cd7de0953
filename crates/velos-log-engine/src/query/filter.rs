//! Which lines somebody wants: a regular expression over their text, and levels.

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};

use super::block::{Block, LineRef};
use crate::level::Level;

/// An expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// As it was given.
    pub pattern: String,
    /// Where, in characters from 0; nothing when all of it is the matter.
    pub at: Option<usize>,
    /// Why.
    pub reason: String,
}

impl std::fmt::Display for PatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\" is no regular expression: {}", self.pattern, self.reason)?;
        match self.at {
            Some(at) => write!(f, " at character {}", at + 1),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PatternError {}

/// What text lines must have.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    is_inverted: bool,
    /// A search over many lines finds the same as one line by line.
    is_local: bool,
}

impl Pattern {
    /// An expression in the syntax of Rust's `regex`, which has no lookaround, and so no pattern that takes forever.
    pub fn new(pattern: &str, ignores_case: bool, is_inverted: bool) -> Result<Self, PatternError> {
        let failed = |at, reason: String| PatternError { pattern: pattern.to_owned(), at, reason };
        let at = |offset: usize| Some(pattern.get(..offset).map_or(0, |before| before.chars().count()));
        regex_syntax::ParserBuilder::new().utf8(false).build().parse(pattern).map_err(
            |error| match error {
                regex_syntax::Error::Parse(error) => {
                    failed(at(error.span().start.offset), error.kind().to_string())
                }
                regex_syntax::Error::Translate(error) => {
                    failed(at(error.span().start.offset), error.kind().to_string())
                }
                error => failed(None, error.to_string()),
            },
        )?;
        let built =
            RegexBuilder::new(pattern).case_insensitive(ignores_case).multi_line(true).crlf(true).build();
        let regex = built.map_err(|error| match error {
            regex::Error::CompiledTooBig(most) => {
                failed(None, format!("it needs more than {most} bytes compiled"))
            }
            error => failed(None, error.to_string()),
        })?;
        // Anchors of the whole text, and flags that change the meaning of others.
        let is_local = !["\\A", "\\z", "(?"].iter().any(|part| pattern.contains(part));
        Ok(Self { regex, is_inverted, is_local })
    }

    /// Whether a line is wanted; escape sequences do not count.
    pub fn wants(&self, line: &[u8]) -> bool {
        self.is_match(line) != self.is_inverted
    }

    fn is_match(&self, line: &[u8]) -> bool {
        self.regex.is_match(&crate::ansi::strip(line))
    }

    /// Where the matches of a line begin and end, for highlighting.
    pub fn matches(&self, line: &str) -> Vec<(usize, usize)> {
        if self.is_inverted {
            return Vec::new();
        }
        let found = self.regex.find_iter(line.as_bytes()).map(|found| (found.start(), found.end()));
        found.filter(|(start, end)| start < end).collect()
    }

    /// The next wanted line of a block that begins at or behind a byte where a line begins, and where it ends.
    pub(super) fn next_in<'a>(&self, block: &Block<'a>, from: usize) -> Option<(LineRef<'a>, usize)> {
        let bytes = block.bytes();
        // Colours may stand inside of what is looked for.
        let is_fast = self.is_local && !self.is_inverted && memchr::memchr(0x1b, bytes).is_none();
        let mut at = from;
        while at < bytes.len() {
            if is_fast {
                at += self.regex.find(bytes.get(at..)?)?.start();
            }
            let (line, end) = block.line_at(at)?;
            if self.wants(line.bytes) {
                return Some((line, end));
            }
            at = end;
        }
        None
    }
}

/// A set of levels: `error,warn`, `warn+` for it and worse. `error` holds fatal ones too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(BTreeSet<Level>);

impl Levels {
    /// Whether a level is one of them.
    pub fn contains(&self, level: Level) -> bool {
        self.0.contains(&level)
    }
}

impl std::str::FromStr for Levels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut levels = BTreeSet::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (name, and_worse) = word.strip_suffix('+').map_or((word, false), |name| (name, true));
            let level: Level = name.parse().map_err(|error: crate::level::UnknownLevel| error.to_string())?;
            levels.insert(level);
            if level == Level::Error {
                levels.insert(Level::Fatal);
            }
            if and_worse {
                levels.extend(Level::ALL.into_iter().filter(|other| *other > level));
            }
        }
        if levels.is_empty() { Err("no level is named".to_owned()) } else { Ok(Self(levels)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_expression_tells_where() {
        let error = |pattern: &str| Pattern::new(pattern, false, false).unwrap_err().to_string();
        assert_eq!(error("a(b"), "\"a(b\" is no regular expression: unclosed group at character 2");
        assert_eq!(error("é["), "\"é[\" is no regular expression: unclosed character class at character 2");
        assert!(error("(?=x)").contains("look-around"), "{}", error("(?=x)"));
        assert!(error("\\w{9999999}").contains("is no regular expression"));
    }

    #[test]
    fn lines_are_matched_without_colours() {
        let wants =
            |pattern: &str, line: &str| Pattern::new(pattern, false, false).unwrap().wants(line.as_bytes());
        assert!(wants("^red$", "\x1b[31mred\x1b[0m\r"));
        assert!(!wants("a.b", "a\nb"));
        assert!(Pattern::new("ERR", true, false).unwrap().wants(b"some error"));
        assert!(Pattern::new("x", false, true).unwrap().wants(b"y"));
    }

    #[test]
    fn levels_are_listed() {
        let levels = |text: &str| text.parse::<Levels>();
        assert!(levels("error,warn").unwrap().contains(Level::Fatal));
        assert!(!levels("warn").unwrap().contains(Level::Error));
        assert!(levels("warn+").unwrap().contains(Level::Error));
        assert!(levels("loud").unwrap_err().contains("\"loud\" is no level"));
        assert!(levels(",").is_err());
    }
}
