//! Numbers that stand for many.

use serde_json::{Value, json};

/// A change below this part of the average is none.
const TREND_PERCENT: f64 = 5.0;

/// Of one thing over some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) avg: f64,
    pub(super) max: f64,
    /// Nineteen of twenty samples are not higher.
    pub(super) p95: f64,
    pub(super) trend: &'static str,
}

impl Spread {
    /// Values in the order of time; none of nothing.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * 95).div_ceil(100).saturating_sub(1);
        Some(Self {
            min: rounded(*sorted.first()?),
            avg: rounded(average(values)),
            max: rounded(*sorted.last()?),
            p95: rounded(*sorted.get(rank)?),
            trend: trend(values),
        })
    }

    pub(super) fn to_json(self) -> Value {
        json!({ "min": self.min, "avg": self.avg, "max": self.max, "p95": self.p95, "trend": self.trend })
    }
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Of the first third against the last.
fn trend(values: &[f64]) -> &'static str {
    let third = values.len().div_ceil(3);
    let first = average(values.get(..third).unwrap_or_default());
    let last = average(values.get(values.len() - third..).unwrap_or_default());
    let change = (last - first) * 100.0 / first.abs().max(1.0);
    match change {
        change if change > TREND_PERCENT => "rising",
        change if change < -TREND_PERCENT => "falling",
        _ => "steady",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trends() {
        assert_eq!(trend(&[100.0, 100.0, 101.0, 102.0]), "steady");
        assert_eq!(trend(&[100.0, 110.0, 130.0]), "rising");
        assert_eq!(trend(&[130.0, 110.0, 100.0]), "falling");
        assert_eq!(trend(&[0.0, 0.0, 0.0]), "steady");
    }

    #[test]
    fn one_peak_is_in_the_maximum_and_not_in_the_percentile() {
        let mut values = vec![1.0; 19];
        values.push(50.0);
        let spread = Spread::of(&values).unwrap();
        assert_eq!((spread.min, spread.avg, spread.max, spread.p95), (1.0, 3.45, 50.0, 1.0));
        assert_eq!(Spread::of(&[2.0]).unwrap().p95, 2.0);
        assert_eq!(Spread::of(&[]), None);
    }
}
