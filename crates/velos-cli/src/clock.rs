//! Times of day for people, in their time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time zone, looked up once.
#[derive(Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
    now_ms: i64,
}

impl Clock {
    /// Of the machine, or of `TZ`.
    pub(crate) fn system() -> Self {
        Self { zone: TimeZone::system(), now_ms: Timestamp::now().as_millisecond() }
    }

    /// `10:05:03`
    pub(crate) fn time(&self, at_ms: i64) -> String {
        self.format(at_ms, "%H:%M:%S")
    }

    /// `10:05:03` today, `2026-03-01 10:05:03` on another day.
    pub(crate) fn moment(&self, at_ms: i64) -> String {
        const DATE: &str = "%Y-%m-%d";
        if self.format(at_ms, DATE) == self.format(self.now_ms, DATE) {
            self.time(at_ms)
        } else {
            self.format(at_ms, "%Y-%m-%d %H:%M:%S")
        }
    }

    fn format(&self, at_ms: i64, pattern: &str) -> String {
        match Timestamp::from_millisecond(at_ms) {
            Ok(time) => time.to_zoned(self.zone.clone()).strftime(pattern).to_string(),
            Err(_) => "??:??:??".to_owned(),
        }
    }
}

#[cfg(test)]
impl Clock {
    /// For tests: UTC, and a now.
    pub(crate) fn utc(now_ms: i64) -> Self {
        Self { zone: TimeZone::UTC, now_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn today_has_no_date() {
        let clock = Clock::utc(1_772_359_503_000);
        assert_eq!(clock.time(1_772_359_503_000), "10:05:03");
        assert_eq!(clock.moment(1_772_359_503_000), "10:05:03");
        assert_eq!(clock.moment(1_772_359_503_000 - 86_400_000), "2026-02-28 10:05:03");
        assert_eq!(clock.moment(i64::MAX), "??:??:??");
    }
}
