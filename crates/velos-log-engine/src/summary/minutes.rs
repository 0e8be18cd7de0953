//! Counts per minute.

/// Microseconds of a minute.
pub(super) const MINUTE_US: u64 = 60_000_000;
/// A week of minutes: what is older is counted with none.
const MINUTES_MAX: u64 = 7 * 24 * 60;

/// Dense counts between two moments.
#[derive(Clone, Debug)]
pub(super) struct Minutes {
    first: u64,
    counts: Vec<u32>,
}

impl Minutes {
    pub(super) fn between(from_us: u64, until_us: u64) -> Self {
        let last = until_us / MINUTE_US;
        let first = (from_us / MINUTE_US).max(last.saturating_sub(MINUTES_MAX));
        let length = usize::try_from(last.saturating_sub(first) + 1).unwrap_or(0);
        Self { first, counts: vec![0; length] }
    }

    /// `minute` since 1970.
    #[inline]
    pub(super) fn add(&mut self, minute: u64, count: u32) {
        let place = minute.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(slot) = place.and_then(|place| self.counts.get_mut(place)) {
            *slot += count;
        }
    }

    /// The counts from a minute on. The last minute goes on: with nothing in it yet it says nothing.
    pub(super) fn since(&self, minute: u64) -> &[u32] {
        let skip = usize::try_from(minute.saturating_sub(self.first)).unwrap_or(usize::MAX);
        match self.counts.get(skip.min(self.counts.len())..).unwrap_or_default() {
            [counts @ .., 0] => counts,
            counts => counts,
        }
    }

    pub(super) fn empty_like(&self) -> Self {
        Self { first: self.first, counts: vec![0; self.counts.len()] }
    }
}
