//! Times at which a source printed far more than usual, or fell silent.
//!
//! Counts of the last 1, 5 and 15 minutes are compared with the four hours before them. The rate of those hours is known
//! only so well, and counts may vary more than those of a Poisson process; both make the predictive distribution a negative
//! binomial one, and a count in its far tail is an alarm. Alarms close to each other are one episode.
//!
//! A moving mean with three standard deviations, the usual way, raises several alarms a day on plain noise of one event a
//! minute: counts are skewed, and there are 1,440 minutes in a day.

mod baseline;
mod tail;
mod trend;

use serde::Serialize;

use baseline::Baseline;
pub use trend::{Trend, trend};

/// Lengths of windows that are compared, minutes.
const WINDOWS: [usize; 4] = [1, 3, 5, 15];
/// What is usual is learned from so many minutes.
const BASELINE_MINUTES: usize = 240;
/// With less nothing is said.
const BASELINE_MINUTES_MIN: usize = 30;
/// ln of the probability below which a count is an alarm.
const LN_P_ALARM: f64 = -11.5;
/// The same where counts vary more than chance explains: tails may be heavier still. Sums of many minutes have lighter
/// tails than those of few.
const LN_P_ALARM_VARIED: [f64; 4] = [-17.0, -14.0, -13.0, -12.0];
/// Fewer are no anomaly.
const COUNT_MIN: u64 = 3;
/// A count must be so many times what was expected.
const RATIO_MIN: f64 = 2.0;
/// Alarms closer than this are one episode, minutes.
const JOIN_MINUTES: usize = 15;
/// After so long the new rate is part of what is usual.
const EXCLUDED_MINUTES_MAX: usize = 60;
/// Silence needs so many expected.
const SILENCE_EXPECTED: f64 = 20.0;
/// And so many minutes.
const SILENCE_MINUTES_MIN: usize = 2;

/// What is unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// More than usual.
    Spike,
    /// Nothing, where much was usual.
    Silence,
}

/// Something unusual that went on for a while.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Episode {
    /// What.
    pub kind: Kind,
    /// First minute, as index of the counts.
    pub start: usize,
    /// Last minute.
    pub end: usize,
    /// Counted in these minutes.
    pub count: u64,
    /// Expected in these minutes.
    pub expected: f64,
    /// How unlikely its strongest part was, as standard deviations of a normal value.
    pub sigma: f64,
    /// The last minute of the counts is part of it.
    pub is_active: bool,
}

impl Episode {
    /// How many times as many as usual.
    pub fn ratio(&self) -> f64 {
        self.count as f64 / self.expected.max(1e-9)
    }

    /// Per minute, while it lasted.
    pub fn rate(&self) -> f64 {
        self.count as f64 / (self.end - self.start + 1) as f64
    }

    /// Per minute, before.
    pub fn usual_rate(&self) -> f64 {
        self.expected / (self.end - self.start + 1) as f64
    }

    /// For people: `4.2σ above normal (7/min, usually 0.5)`.
    pub fn text(&self) -> String {
        let usual = short(self.usual_rate());
        match self.kind {
            Kind::Spike => {
                format!("{:.1}σ above normal ({}/min, usually {usual})", self.sigma, short(self.rate()))
            }
            Kind::Silence => {
                format!("silent for {}min (usually {usual}/min)", self.end - self.start + 1)
            }
        }
    }
}

/// Two digits that count.
fn short(value: f64) -> String {
    if value >= 9.5 {
        format!("{value:.0}")
    } else if value >= 0.95 {
        let text = format!("{value:.1}");
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    } else {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// The episodes in counts per minute, in order of their starts.
pub fn episodes(counts: &[u32]) -> Vec<Episode> {
    let mut found = spikes(counts);
    found.extend(silences(counts, &found));
    found.sort_by_key(|episode| episode.start);
    found
}

fn spikes(counts: &[u32]) -> Vec<Episode> {
    let mut found: Vec<Episode> = Vec::new();
    let mut excluded = vec![false; counts.len()];
    for now in 0..counts.len() {
        let mut alarm: Option<(f64, usize, f64)> = None;
        for (width, ln_p_varied) in WINDOWS.into_iter().zip(LN_P_ALARM_VARIED) {
            let Some(start) = (now + 1).checked_sub(width) else { break };
            let sum: u64 =
                counts.get(start..=now).unwrap_or_default().iter().map(|count| u64::from(*count)).sum();
            if sum < COUNT_MIN {
                continue;
            }
            // What is compared never stands in what it is compared with.
            let Some(usual) = Baseline::before(counts, &excluded, start) else { continue };
            if (sum as f64) < RATIO_MIN * usual.rate() * width as f64 || sum <= usual.most(width) {
                continue;
            }
            let (mean, size) = usual.predict(width);
            let ln_p = tail::ln_tail(sum, mean, size);
            let ln_p_alarm = if usual.is_varied() { ln_p_varied } else { LN_P_ALARM };
            if ln_p < ln_p_alarm && alarm.is_none_or(|(best, ..)| ln_p < best) {
                alarm = Some((ln_p, start, usual.rate()));
            }
        }
        let Some((ln_p, start, rate)) = alarm else { continue };
        // A window may begin long before what fills it.
        let high = (RATIO_MIN * rate).max(rate + 3.0 * rate.sqrt());
        let is_high = |minute: &usize| counts.get(*minute).is_some_and(|count| f64::from(*count) > high);
        let first = (start..=now).find(is_high).unwrap_or(start);
        let last = (start..=now).rev().find(is_high).unwrap_or(now);
        let sigma = tail::sigma(ln_p);
        match found.last_mut().filter(|open| first <= open.end + JOIN_MINUTES) {
            Some(open) => {
                let usual = open.usual_rate();
                open.end = open.end.max(last);
                open.start = open.start.min(first);
                open.expected = usual * (open.end - open.start + 1) as f64;
                open.sigma = open.sigma.max(sigma);
            }
            None => found.push(Episode {
                kind: Kind::Spike,
                start: first,
                end: last,
                count: 0,
                expected: rate * (last - first + 1) as f64,
                sigma,
                is_active: false,
            }),
        }
        if let Some(open) = found.last() {
            let until = open.end.min(open.start + EXCLUDED_MINUTES_MAX);
            excluded.get_mut(open.start..=until).unwrap_or_default().fill(true);
        }
    }
    let last = counts.len().saturating_sub(1);
    for episode in &mut found {
        let part = counts.get(episode.start..=episode.end).unwrap_or_default();
        episode.count = part.iter().map(|count| u64::from(*count)).sum();
        episode.is_active = episode.end + 1 >= last;
    }
    found
}

fn silences(counts: &[u32], spikes: &[Episode]) -> Vec<Episode> {
    let mut excluded = vec![false; counts.len()];
    for episode in spikes {
        let until = episode.end.min(episode.start + EXCLUDED_MINUTES_MAX);
        excluded.get_mut(episode.start..=until).unwrap_or_default().fill(true);
    }
    let mut found = Vec::new();
    let mut minute = 0;
    while minute < counts.len() {
        if counts.get(minute) != Some(&0) {
            minute += 1;
            continue;
        }
        let rest = counts.get(minute..).unwrap_or_default();
        let length = rest.iter().take_while(|count| **count == 0).count();
        let end = minute + length - 1;
        if let Some(usual) = Baseline::before(counts, &excluded, minute) {
            let (mean, size) = usual.predict(length);
            let ln_p = tail::ln_none(mean, size);
            if length >= SILENCE_MINUTES_MIN
                && mean >= SILENCE_EXPECTED
                && ln_p < LN_P_ALARM
                && length > usual.longest_gap()
            {
                found.push(Episode {
                    kind: Kind::Silence,
                    start: minute,
                    end,
                    count: 0,
                    expected: mean,
                    sigma: tail::sigma(ln_p),
                    is_active: end + 1 == counts.len(),
                });
            }
        }
        minute = end + 1;
    }
    found
}

#[cfg(test)]
mod tests;
