//! What an app said in a period, on one screen: how much, how bad, which patterns, what is unusual.
//!
//! One pass over the lines of the period and, as far as a budget of bytes reaches, of the day before it: what was usual is
//! learned from those, and a pattern is new when they do not have it.

mod ai;
mod analyst;
mod minutes;
mod pattern;
mod text;

use serde::Serialize;

pub use analyst::{Analyst, Plan, summarise};
pub use text::{ago, grouped};

use crate::anomaly::{Episode, Trend};
use crate::errors::ErrorGroup;
use crate::health::{Facts, Health};
use crate::level::Level;

/// A period of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// For people: `last 1h`.
    pub label: String,
    /// From when, microseconds since 1970.
    pub from_us: u64,
    /// To when.
    pub until_us: u64,
}

/// A pattern of lines in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pattern {
    /// The same for the same text, over time and apps.
    pub id: String,
    /// With placeholders: `Request handled in <N>ms`.
    pub text: String,
    /// Lines in the period.
    pub count: u64,
    /// Where it is going.
    pub trend: Trend,
    /// How severe its lines are.
    pub level: Level,
    /// The first line in the period, microseconds since 1970.
    pub first_us: Option<u64>,
    /// The last one.
    pub last_us: Option<u64>,
    /// The latest line as it was.
    pub example: String,
}

/// An unusual time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Anomaly {
    /// Of what: `errors`, `warnings`, `lines`, or the text of a pattern.
    pub of: String,
    /// When it began, microseconds since 1970.
    pub from_us: u64,
    /// Its last minute's begin.
    pub until_us: u64,
    /// In words: `4.2σ above normal (7/min, usually 0.5)`.
    pub text: String,
    /// Its figures.
    #[serde(flatten)]
    pub episode: Episode,
}

/// The latest error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// What it said.
    pub text: String,
    /// When, microseconds since 1970, as far as that is known.
    pub time_us: Option<u64>,
}

/// What an app said in a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the app.
    pub app: String,
    /// When.
    pub period: Period,
    /// The score, with its deductions.
    pub health: Health,
    /// Lines printed.
    pub lines: u64,
    /// Bytes printed.
    pub bytes: u64,
    /// Errors; a stack trace is one.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
    /// Patterns, the most frequent first.
    pub patterns: Vec<Pattern>,
    /// All different patterns, also those that are not listed.
    pub pattern_count: usize,
    /// Warnings and errors that were not there in the day before.
    pub new_patterns: Vec<Pattern>,
    /// Unusual times that reach into the period.
    pub anomalies: Vec<Anomaly>,
    /// Errors, the most frequent first.
    pub error_groups: Vec<ErrorGroup>,
    /// The latest one.
    pub last_error: Option<LastError>,
    /// What was not looked at, if anything: budgets that were reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// From which the score was made.
    #[serde(skip)]
    pub facts: Facts,
}

impl Summary {
    /// Adds how often the process ended by itself, which no log tells.
    pub fn with_crashes(mut self, crashes: u64) -> Self {
        self.facts.crashes = crashes;
        self.health = Health::of(&self.facts);
        self
    }
}

#[cfg(test)]
mod tests;
