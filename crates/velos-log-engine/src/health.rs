//! A score from 0 to 100 for how an app is, in which every deduction can be explained.
//!
//! More of anything bad never makes it rise, and no single kind of trouble can take all of it.

use serde::Serialize;

/// What is known of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts {
    /// Length of the period; less than one counts as one.
    pub hours: f64,
    /// Lines printed.
    pub lines: u64,
    /// Errors among them.
    pub errors: u64,
    /// Of these, errors that end a program.
    pub fatals: u64,
    /// Warnings among the lines.
    pub warnings: u64,
    /// How often the process ended by itself.
    pub crashes: u64,
    /// Patterns of errors that were not there before.
    pub new_errors: u64,
    /// Episodes that still go on.
    pub episodes: u64,
    /// Of these, those with at least ten times as much as usual.
    pub big_episodes: u64,
    /// Whether it is silent where it usually is not.
    pub is_silent: bool,
}

/// What one kind of trouble costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Deduction {
    /// Which: `errors`, `warnings`, `crashes`, `fatal`, `new errors`, `anomalies`, `silence`.
    pub name: String,
    /// Points, above 0.
    pub points: f64,
    /// In words.
    pub reason: String,
}

/// The score and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// 0 to 100; nothing when there is nothing to judge by.
    pub score: Option<u8>,
    /// What was taken off, the worst first.
    pub deductions: Vec<Deduction>,
}

impl Health {
    /// Judges a period.
    pub fn of(facts: &Facts) -> Self {
        let mut deductions = deductions(facts);
        deductions.retain(|one| one.points > 0.0);
        deductions.sort_by(|one, other| other.points.total_cmp(&one.points));
        // Nothing printed and nothing happened: that says nothing.
        if facts.lines == 0 && deductions.is_empty() {
            return Self { score: None, deductions };
        }
        let lost: f64 = deductions.iter().map(|one| one.points).sum();
        Self { score: Some((100.0 - lost).round().clamp(0.0, 100.0) as u8), deductions }
    }

    /// `92/100`, or `no data`.
    pub fn text(&self) -> String {
        self.score.map_or_else(|| "no data".to_owned(), |score| format!("{score}/100"))
    }
}

fn deductions(facts: &Facts) -> Vec<Deduction> {
    let hours = facts.hours.max(1.0);
    let per_hour = |count: u64| count as f64 / hours;
    let share = if facts.lines == 0 {
        0.0
    } else {
        100.0 * facts.errors as f64 / facts.lines.max(facts.errors) as f64
    };
    let take = |name: &str, points: f64, most: f64, reason: String| Deduction {
        name: name.to_owned(),
        points: (points.min(most) * 100.0).round() / 100.0,
        reason,
    };
    vec![
        take(
            "errors",
            4.0 * (1.0 + per_hour(facts.errors)).log2() + share.min(15.0),
            40.0,
            format!(
                "{} in {} lines, {:.1} an hour",
                count(facts.errors, "error"),
                facts.lines,
                per_hour(facts.errors)
            ),
        ),
        take(
            "warnings",
            0.5 * (1.0 + per_hour(facts.warnings)).log2(),
            10.0,
            format!("{}, {:.1} an hour", count(facts.warnings, "warning"), per_hour(facts.warnings)),
        ),
        take(
            "crashes",
            15.0 * facts.crashes as f64,
            45.0,
            format!("it ended by itself {}", times(facts.crashes)),
        ),
        take("fatal", 10.0 * facts.fatals as f64, 30.0, count(facts.fatals, "fatal error")),
        take(
            "new errors",
            5.0 * facts.new_errors as f64,
            15.0,
            format!("{} not seen before", count(facts.new_errors, "kind of error")),
        ),
        take(
            "anomalies",
            5.0 * facts.episodes.saturating_sub(facts.big_episodes) as f64 + 10.0 * facts.big_episodes as f64,
            20.0,
            format!("{} going on", count(facts.episodes, "anomaly")),
        ),
        take(
            "silence",
            if facts.is_silent { 20.0 } else { 0.0 },
            20.0,
            "it prints nothing, which is unusual".to_owned(),
        ),
    ]
}

fn count(number: u64, name: &str) -> String {
    let plural = match name.strip_suffix('y') {
        _ if number == 1 => name.to_owned(),
        Some(stem) => format!("{stem}ies"),
        None => match name.split_once(" of ") {
            Some((first, rest)) => format!("{first}s of {rest}"),
            None => format!("{name}s"),
        },
    };
    format!("{number} {plural}")
}

fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_errors_and_eight_warnings_in_an_hour() {
        let facts = Facts { hours: 1.0, lines: 3_210, errors: 2, warnings: 8, ..Facts::default() };
        let health = Health::of(&facts);
        assert_eq!(health.text(), "92/100");
        let told: Vec<_> = health.deductions.iter().map(|one| (one.points, one.reason.as_str())).collect();
        assert_eq!(told, [(6.4, "2 errors in 3210 lines, 2.0 an hour"), (1.58, "8 warnings, 8.0 an hour")]);
        assert_eq!(Health::of(&Facts::default()).text(), "no data");
        assert_eq!(Health::of(&Facts { crashes: 1, ..Facts::default() }).text(), "85/100");
        assert_eq!(count(2, "anomaly"), "2 anomalies");
        assert_eq!(count(2, "kind of error"), "2 kinds of error");
    }

    proptest! {
        #[test]
        fn more_trouble_never_makes_it_rise(
            hours in 0.0..1_000.0_f64,
            others in 0_u64..100_000,
            errors in 0_u64..10_000,
            fatals in 0_u64..5,
            warnings in 0_u64..10_000,
            crashes in 0_u64..6,
            new_errors in 0_u64..6,
            episodes in 0_u64..6,
            big_episodes in 0_u64..6,
            is_silent: bool,
            which in 0..8,
        ) {
            let episodes = episodes + big_episodes;
            let lines = others + errors + warnings;
            let facts = Facts {
                hours, lines, errors, fatals, warnings, crashes, new_errors, episodes, big_episodes, is_silent,
            };
            let worse = match which {
                0 => Facts { errors: errors + 1, lines: lines + 1, ..facts },
                1 => Facts { warnings: warnings + 1, ..facts },
                2 => Facts { crashes: crashes + 1, ..facts },
                3 => Facts { fatals: fatals + 1, ..facts },
                4 => Facts { new_errors: new_errors + 1, ..facts },
                5 => Facts { episodes: episodes + 1, ..facts },
                6 => Facts { episodes: episodes + 1, big_episodes: big_episodes + 1, ..facts },
                _ => Facts { is_silent: true, ..facts },
            };
            let score = |facts: &Facts| Health::of(facts).score;
            if let (Some(before), Some(after)) = (score(&facts), score(&worse)) {
                prop_assert!(after <= before, "{before} -> {after}");
            }
        }
    }
}
