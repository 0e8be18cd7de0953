//! What is counted of each key of a log.

use super::Pattern;
use crate::anomaly::{Trend, trend};
use crate::level::Level;

/// Entries of minutes of all keys of a log together, 8 bytes each.
pub(super) const ENTRIES_MAX: usize = 1 << 20;

/// Lines with the same key.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyCount {
    pub(super) count: u64,
    pub(super) history: u64,
    pub(super) level: Level,
    pub(super) first_us: Option<u64>,
    pub(super) last_us: Option<u64>,
    pub(super) example: Vec<u8>,
    /// Minute since 1970, and lines in it.
    pub(super) minutes: Vec<(u32, u32)>,
}

/// Longest example that is kept.
const EXAMPLE_BYTES_MAX: usize = 512;

impl KeyCount {
    /// As it is told. From the minute `boundary` on it may have become more or less; 0: too soon to tell.
    pub(super) fn describe(&self, id: u64, text: String, boundary: u64) -> Pattern {
        let last = self.minutes.iter().filter(|(minute, _)| u64::from(*minute) >= boundary);
        let last: u64 = last.map(|(_, count)| u64::from(*count)).sum();
        let trend = match trend(self.count.saturating_sub(last), last) {
            _ if boundary == 0 => Trend::Stable,
            Trend::New if self.history > 0 => Trend::Rising,
            trend => trend,
        };
        Pattern {
            id: format!("{id:016x}"),
            text,
            count: self.count,
            trend,
            level: self.level,
            first_us: self.first_us,
            last_us: self.last_us,
            example: String::from_utf8_lossy(&self.example).into_owned(),
        }
    }

    /// A line of the period. `true` if an entry was added.
    #[inline]
    pub(super) fn add(&mut self, line: &[u8], level: Level, time_us: Option<u64>, is_full: bool) -> bool {
        if self.count == 0 {
            self.first_us = time_us;
            self.example.extend_from_slice(line.get(..line.len().min(EXAMPLE_BYTES_MAX)).unwrap_or_default());
        }
        self.count += 1;
        self.level = level;
        self.last_us = time_us.or(self.last_us);
        self.note(time_us, is_full)
    }

    /// A line of before.
    #[inline]
    pub(super) fn add_history(&mut self, time_us: Option<u64>, is_full: bool) -> bool {
        self.history += 1;
        self.note(time_us, is_full)
    }

    #[inline]
    fn note(&mut self, time_us: Option<u64>, is_full: bool) -> bool {
        let Some(minute) = time_us.and_then(|us| u32::try_from(us / super::minutes::MINUTE_US).ok()) else {
            return false;
        };
        match self.minutes.last_mut() {
            Some((last, count)) if *last == minute || is_full => {
                *count += 1;
                false
            }
            _ => {
                self.minutes.push((minute, 1));
                true
            }
        }
    }

    /// Another key of the same pattern.
    pub(super) fn join(&mut self, other: Self) {
        if other.count > self.count {
            (self.level, self.example) = (other.level, other.example);
        }
        self.first_us = match (self.first_us, other.first_us) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.last_us = self.last_us.max(other.last_us);
        self.count += other.count;
        self.history += other.history;
        self.minutes.extend(other.minutes);
    }
}
