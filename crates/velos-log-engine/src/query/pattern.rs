//! Which lines somebody wants: a regular expression over their text.
//!
//! A block of lines is searched as a whole: first the match, or the rarest part of it, then the line around it. So that this
//! finds the same as a search line by line, the expression is changed such that no match can hold a newline.

use std::sync::OnceLock;

use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_syntax::hir::Hir;

use super::block::{Block, LineRef};
use super::finder::Finder;
use super::fragments;

/// As large may an expression get.
const COMPILED_BYTES_MAX: usize = 10 << 20;

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
    hir: Hir,
    /// How blocks are searched, chosen by the first large one.
    finder: OnceLock<Finder>,
}

impl Pattern {
    /// An expression in the syntax of Rust's `regex`, which has no lookaround, and so no pattern that takes forever.
    pub fn new(pattern: &str, ignores_case: bool, is_inverted: bool) -> Result<Self, PatternError> {
        let failed = |at, reason: String| PatternError { pattern: pattern.to_owned(), at, reason };
        let at = |offset: usize| Some(pattern.get(..offset).map_or(0, |before| before.chars().count()));
        let mut parser = regex_syntax::ParserBuilder::new();
        parser.utf8(false).multi_line(true).crlf(true).case_insensitive(ignores_case);
        let parsed = parser.build().parse(pattern).map_err(|error| match error {
            regex_syntax::Error::Parse(error) => {
                failed(at(error.span().start.offset), error.kind().to_string())
            }
            regex_syntax::Error::Translate(error) => {
                failed(at(error.span().start.offset), error.kind().to_string())
            }
            error => failed(None, error.to_string()),
        })?;
        let hir = fragments::within_lines(parsed);
        let config = Regex::config().utf8_empty(false).nfa_size_limit(Some(COMPILED_BYTES_MAX));
        let built = Regex::builder().configure(config).build_from_hir(&hir);
        let regex = built.map_err(|error| match error.size_limit() {
            Some(most) => failed(None, format!("it needs more than {most} bytes compiled")),
            None => failed(None, error.to_string()),
        })?;
        Ok(Self { regex, is_inverted, hir, finder: OnceLock::new() })
    }

    /// Whether a line is wanted; escape sequences do not count.
    pub fn wants(&self, line: &[u8]) -> bool {
        self.is_in(line) != self.is_inverted
    }

    fn is_in(&self, line: &[u8]) -> bool {
        self.regex.is_match(&*crate::ansi::strip(line))
    }

    /// Whether lines without a match are wanted.
    pub(super) fn is_inverted(&self) -> bool {
        self.is_inverted
    }

    /// Where the matches of a line begin and end, for highlighting.
    pub fn matches(&self, line: &str) -> Vec<(usize, usize)> {
        if self.is_inverted {
            return Vec::new();
        }
        let found = self.regex.find_iter(line).map(|found| (found.start(), found.end()));
        found.filter(|(start, end)| start < end).collect()
    }

    /// Whether a block can be searched as a whole: colours may stand inside of what is looked for.
    pub(super) fn may_search(&self, block: &Block<'_>) -> bool {
        memchr::memchr(0x1b, block.bytes()).is_none()
    }

    /// The next wanted line of a block that begins at or behind a byte where a line begins, and where it ends.
    pub(super) fn next_in<'a>(
        &self,
        block: &Block<'a>,
        from: usize,
        may_search: bool,
    ) -> Option<(LineRef<'a>, usize)> {
        if !self.is_inverted {
            return self.next_match(block, from, may_search);
        }
        let mut at = from;
        while at < block.bytes().len() {
            let (line, end) = block.line_at(at)?;
            if self.wants(line.bytes) {
                return Some((line, end));
            }
            at = end;
        }
        None
    }

    /// The next line with a match, wanted or not.
    pub(super) fn next_match<'a>(
        &self,
        block: &Block<'a>,
        from: usize,
        may_search: bool,
    ) -> Option<(LineRef<'a>, usize)> {
        let bytes = block.bytes();
        let mut at = from;
        while at < bytes.len() {
            let mut is_sure = false;
            if may_search {
                let finder = self.finder.get_or_init(|| Finder::choose(&self.hir, bytes));
                (at, is_sure) = match finder {
                    Finder::Expression => {
                        let input = Input::new(bytes).range(at..).earliest(true);
                        (self.regex.search_half(&input)?.offset(), true)
                    }
                    finder => (finder.find(bytes, at)?, false),
                };
            }
            let (line, end) = block.line_at(at)?;
            // At the carriage return of a line an expression may find what is not part of its text.
            if is_sure && line.bytes.last() != Some(&b'\r') || self.is_in(line.bytes) {
                return Some((line, end));
            }
            at = end;
        }
        None
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
}
