//! How severe a line is, in the order of the evidence:
//!
//! 1. the `level` of a JSON line (names, pino's 10..60, RFC 5424's 0..7);
//! 2. `level=` of logfmt;
//! 3. the `<PRI>` of syslog (RFC 5424, 6.2.1);
//! 4. letters with a fixed place (glog and klog, Android, Ruby's Logger, Redis);
//! 5. a level word where headers stand;
//! 6. once a source shows its level at one place in 90 % of its lines, that place first;
//! 7. the shapes of exceptions, panics and server errors;
//! 8. words.
//!
//! What comes from 7 and 8 is marked *inferred*: it is a guess, and never outranks what the program itself said. That a
//! line came on stderr proves nothing.

mod classifier;
mod column;
mod header;
mod inferred;
mod marked;
mod spelled;
mod system;
mod words;

pub use classifier::Classifier;

pub(crate) use spelled::is_detail;

use serde::{Deserialize, Serialize};

/// How severe a line is; later is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Steps of a program.
    Trace,
    /// For who writes it.
    Debug,
    /// What happens anyway; also when nothing is known.
    #[default]
    Info,
    /// May become an error.
    Warn,
    /// Something did not work.
    Error,
    /// The program, or the system, cannot go on.
    Fatal,
}

impl Level {
    /// All, from harmless to severe.
    pub const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// The word of the outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// What loggers of many languages mean by a word, in any case: `WRN`, `eror`, `crit`, `SEVERE`.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        if !(3..=13).contains(&word.len()) {
            return None;
        }
        let mut lower = [0_u8; 13];
        let lower = lower.get_mut(..word.len())?;
        lower.copy_from_slice(word);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"trace" | b"trce" | b"trc" | b"finest" | b"finer" | b"silly" | b"trac" | b"vrb" | b"trace1"
            | b"trace2" | b"trace3" | b"trace4" | b"trace5" | b"trace6" | b"trace7" | b"trace8" => {
                Self::Trace
            }
            b"debug" | b"dbg" | b"dbug" | b"debg" | b"deb" | b"debu" | b"fine" | b"verbose" | b"debug1"
            | b"debug2" | b"debug3" | b"debug4" | b"debug5" => Self::Debug,
            b"info" | b"information" | b"informational" | b"inf" | b"notice" | b"note" | b"log"
            | b"success" | b"config" | b"http" | b"default" | b"hint" => Self::Info,
            b"warn" | b"warning" | b"wrn" | b"wrng" => Self::Warn,
            b"error" | b"err" | b"eror" | b"erro" | b"severe" | b"failure" | b"fail" => Self::Error,
            b"fatal" | b"ftl" | b"crit" | b"critical" | b"emerg" | b"emergency" | b"alert" | b"panic"
            | b"dpanic" | b"pnc" | b"fatl" | b"fata" | b"pani" => Self::Fatal,
            _ => return None,
        })
    }

    /// A word with a distance, as Go's slog has them: `WARN+1`, `DEBUG-4`; its words are four apart.
    pub(crate) fn from_distance(text: &[u8]) -> Option<Self> {
        let at = text.iter().position(|byte| matches!(byte, b'+' | b'-'))?;
        let (word, distance) = text.split_at(at);
        let distance: i32 = std::str::from_utf8(distance).ok()?.parse().ok()?;
        let zero = match Self::from_word(word)? {
            Self::Debug => -4,
            Self::Info => 0,
            Self::Warn => 4,
            Self::Error => 8,
            Self::Trace | Self::Fatal => return None,
        };
        Some(match zero + distance {
            ..-4 => Self::Trace,
            -4..0 => Self::Debug,
            0..4 => Self::Info,
            4..8 => Self::Warn,
            8..12 => Self::Error,
            12.. => Self::Fatal,
        })
    }

    /// pino and bunyan: 10 to 60; RFC 5424: 0 to 7.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0..=2 => Self::Fatal,
            3 => Self::Error,
            4 => Self::Warn,
            5 | 6 => Self::Info,
            7 => Self::Debug,
            10..=19 => Self::Trace,
            20..=29 => Self::Debug,
            30..=39 => Self::Info,
            40..=49 => Self::Warn,
            50..=59 => Self::Error,
            60..=100 => Self::Fatal,
            _ => return None,
        })
    }
}

impl std::str::FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        Self::from_word(word.as_bytes()).ok_or_else(|| UnknownLevel { word: word.to_owned() })
    }
}

/// A word that is no level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel {
    /// As it was given.
    pub word: String,
}

impl std::fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\" is no level; levels are trace, debug, info, warn, error, fatal", self.word)
    }
}

impl std::error::Error for UnknownLevel {}

/// A level, and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The level.
    pub level: Level,
    /// Guessed from shapes and words; the program did not say it.
    pub inferred: bool,
}

impl Verdict {
    pub(crate) const fn said(level: Level) -> Self {
        Self { level, inferred: false }
    }

    pub(crate) const fn guessed(level: Level) -> Self {
        Self { level, inferred: true }
    }
}

/// The level of one line by itself. Escape sequences are left out first. A [`Classifier`] knows more: where its source
/// puts the level, and which lines continue others.
pub fn classify(line: &[u8]) -> Verdict {
    let line = crate::ansi::strip(line);
    said(&line).unwrap_or_else(|| inferred::of(&line))
}

/// What the program itself says of a line without escape sequences.
pub(crate) fn said(line: &[u8]) -> Option<Verdict> {
    let in_header = || header::of(line).map(|(level, _)| level);
    marked::of(line).or_else(in_header).or_else(|| marked::of_embedded(line)).map(Verdict::said)
}

pub(crate) use classifier::is_continuation;
pub(crate) use inferred::of as inferred;
