//! What was usual before a moment.

use super::{BASELINE_MINUTES, BASELINE_MINUTES_MIN};

/// Jeffreys' prior for the rate of a Poisson process, and hardly any time.
const PRIOR_COUNT: f64 = 0.5;
const PRIOR_MINUTES: f64 = 0.5;

/// The minutes before a moment, without those of earlier episodes.
pub(super) struct Baseline {
    minutes: Vec<u32>,
    sum: f64,
}

impl Baseline {
    /// Nothing if too little is known.
    pub(super) fn before(counts: &[u32], excluded: &[bool], minute: usize) -> Option<Self> {
        let mut minutes: Vec<u32> = Vec::with_capacity(BASELINE_MINUTES);
        let past = counts.get(..minute)?.iter().zip(excluded).rev().take(BASELINE_MINUTES);
        minutes.extend(past.filter(|(_, excluded)| !**excluded).map(|(count, _)| *count));
        if minutes.len() < BASELINE_MINUTES_MIN {
            return None;
        }
        let sum = minutes.iter().map(|count| f64::from(*count)).sum();
        Some(Self { minutes, sum })
    }

    /// Expected in a minute.
    pub(super) fn rate(&self) -> f64 {
        (self.sum + PRIOR_COUNT) / (self.minutes.len() as f64 + PRIOR_MINUTES)
    }

    /// Mean and size of the negative binomial that predicts the count of `width` minutes.
    pub(super) fn predict(&self, width: usize) -> (f64, f64) {
        let mean = self.rate() * width as f64;
        // Doubt about the rate, and more variance than a Poisson process has.
        let doubt = 1.0 / (self.sum + PRIOR_COUNT);
        let own = self.dispersion(1) / width as f64;
        let excess = own.max(self.dispersion(width)) + self.persistence(width);
        (mean, 1.0 / (doubt + excess))
    }

    /// The excess variance of sums of `width` minutes as a part of their squared mean, by moments; 0 when it may as well be
    /// chance.
    fn dispersion(&self, width: usize) -> f64 {
        let Some((index, mean, error)) = self.index(width) else { return 0.0 };
        if index < 1.0 + error {
            return 0.0;
        }
        // Estimated from few values it may be larger.
        (index * (1.0 + error) - 1.0) / mean
    }

    /// The index of dispersion of sums of `width` minutes, their mean, and the standard error of the index.
    fn index(&self, width: usize) -> Option<(f64, f64, f64)> {
        let sums: Vec<f64> = self
            .minutes
            .chunks_exact(width)
            .map(|chunk| chunk.iter().map(|count| f64::from(*count)).sum())
            .collect();
        let n = sums.len() as f64;
        let mean = sums.iter().sum::<f64>() / n;
        if n < 8.0 || mean <= 0.0 {
            return None;
        }
        let variance = sums.iter().map(|sum| (sum - mean) * (sum - mean)).sum::<f64>() / (n - 1.0);
        // That of a Poisson process is 1 with this standard error (Cox and Lewis, 1966).
        Some((variance / mean, mean, (2.0 / n).sqrt()))
    }

    /// What minutes that resemble those before them add to the variance of their sums, as a part of the squared mean.
    fn persistence(&self, width: usize) -> f64 {
        let n = self.minutes.len() as f64;
        let mean = self.sum / n;
        if width < 2 || mean <= 0.0 {
            return 0.0;
        }
        let around: Vec<f64> = self.minutes.iter().map(|count| f64::from(*count) - mean).collect();
        let covariance =
            |lag: usize| around.iter().zip(around.iter().skip(lag)).map(|(a, b)| a * b).sum::<f64>() / n;
        // Of independent minutes the first correlation has this standard error (Bartlett, 1946).
        if covariance(1) < 2.0 / n.sqrt() * covariance(0) {
            return 0.0;
        }
        let pairs = (1..width).map(|lag| (width - lag) as f64 * covariance(lag).max(0.0)).sum::<f64>();
        let sum = mean * width as f64;
        2.0 * pairs / (sum * sum)
    }

    /// Whether counts vary more than those of a Poisson process.
    pub(super) fn is_varied(&self) -> bool {
        self.index(1).is_some_and(|(index, _, error)| index > 1.0 + 2.5 * error)
    }

    /// The largest sum of `width` minutes in a row.
    pub(super) fn most(&self, width: usize) -> u64 {
        self.minutes
            .windows(width)
            .map(|window| window.iter().map(|count| u64::from(*count)).sum())
            .max()
            .unwrap_or(0)
    }

    /// The longest run of minutes without anything.
    pub(super) fn longest_gap(&self) -> usize {
        let (mut longest, mut current) = (0, 0);
        for count in &self.minutes {
            current = if *count == 0 { current + 1 } else { 0 };
            longest = longest.max(current);
        }
        longest
    }
}
