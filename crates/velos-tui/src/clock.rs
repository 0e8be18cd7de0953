//! Times of day in the person's time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time zone, looked up once.
#[derive(Clone, Debug)]
pub struct Clock(TimeZone);

impl Clock {
    /// Of the machine, or of `TZ`.
    pub fn system() -> Self {
        Self(TimeZone::system())
    }

    /// For tests.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// `10:05:03`, of microseconds since 1970.
    pub fn time_us(&self, at_us: u64) -> String {
        let time = i64::try_from(at_us).ok().and_then(|at_us| Timestamp::from_microsecond(at_us).ok());
        time.map_or_else(
            || "??:??:??".to_owned(),
            |time| time.to_zoned(self.0.clone()).strftime("%H:%M:%S").to_string(),
        )
    }

    /// `2026-03-01 10:05:03`, of milliseconds since 1970.
    pub fn date(&self, at_ms: i64) -> String {
        Timestamp::from_millisecond(at_ms).map_or_else(
            |_| "?".to_owned(),
            |time| time.to_zoned(self.0.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        )
    }

    /// `10:05:03`, of milliseconds since 1970.
    pub fn time_ms(&self, at_ms: i64) -> String {
        self.time_us(u64::try_from(at_ms).unwrap_or(0).saturating_mul(1_000))
    }
}
