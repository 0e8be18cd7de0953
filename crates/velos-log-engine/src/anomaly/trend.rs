//! Where a pattern is going.

use serde::Serialize;

/// The last third of a period against its first two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trend {
    /// Not there before.
    New,
    /// More often than before.
    Rising,
    /// Less often than before.
    Falling,
    /// As before, or too rare to tell.
    Stable,
    /// Not there any more.
    Gone,
}

impl Trend {
    /// The word of the outputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::Stable => "stable",
            Self::Gone => "gone",
        }
    }
}

/// The rates must differ by this factor.
const FACTOR: f64 = 1.5;
/// And by so many standard deviations.
const SIGMAS: f64 = 3.0;

/// Of counts in the first two thirds and in the last third.
pub fn trend(before: u64, last: u64) -> Trend {
    let expected = before as f64 / 2.0;
    let seen = last as f64;
    // The difference of two Poisson counts, the first one scaled.
    let deviation = (seen + before as f64 / 4.0).sqrt();
    match (before, last) {
        (0, 0) => Trend::Stable,
        (0, _) => Trend::New,
        (_, 0) if expected >= SIGMAS * deviation => Trend::Gone,
        _ if seen > FACTOR * expected && seen - expected > SIGMAS * deviation => Trend::Rising,
        _ if expected > FACTOR * seen && expected - seen > SIGMAS * deviation => Trend::Falling,
        _ => Trend::Stable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trends_need_more_than_chance() {
        assert_eq!(trend(2_000, 847), Trend::Stable);
        assert_eq!(trend(2_000, 1_600), Trend::Rising);
        assert_eq!(trend(2_000, 600), Trend::Falling);
        assert_eq!(trend(2_000, 0), Trend::Gone);
        assert_eq!(trend(2, 0), Trend::Stable);
        assert_eq!(trend(2, 4), Trend::Stable);
        assert_eq!(trend(0, 1), Trend::New);
    }
}
