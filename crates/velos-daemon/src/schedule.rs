//! When the moments of cron expressions come, by the wall clock of their place.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use velos_core::app::{CronFields, CronSpec};

/// No expression that has a moment at all waits longer: 29 February comes within 8 years.
const DAYS_MAX: u32 = 8 * 366 + 1;

/// The first moment after `now_ms`, ms since 1970. `None`: it cannot be parsed, its zone is not known here, or it never comes.
///
/// Where a clock is put forward, a moment in the gap comes when the gap ends; where it is put back, a moment comes once.
pub(crate) fn next(cron: &CronSpec, now_ms: i64) -> Option<i64> {
    let fields = CronFields::parse(&cron.expression).ok()?;
    let zone = match &cron.timezone {
        // Also where no time zones are installed.
        Some(name) if name.eq_ignore_ascii_case("UTC") => TimeZone::UTC,
        Some(name) => TimeZone::get(name).ok()?,
        None => TimeZone::system(),
    };
    let now = Timestamp::from_millisecond(now_ms).ok()?;
    let mut date = now.to_zoned(zone.clone()).date();
    for _ in 0..DAYS_MAX {
        if let Some(at) = first_of(&fields, date, &zone, now) {
            return Some(at.as_millisecond());
        }
        date = date.checked_add(1.day()).ok()?;
    }
    None
}

/// The first moment of a day after `now`.
fn first_of(fields: &CronFields, date: Date, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let weekday = u32::try_from(date.weekday().to_sunday_zero_offset()).ok()?;
    let (month, day) = (u32::try_from(date.month()).ok()?, u32::try_from(date.day()).ok()?);
    if !fields.has_date(month, day, weekday) {
        return None;
    }
    for hour in (0..24).filter(|hour| fields.hours >> hour & 1 == 1) {
        for minute in (0..60).filter(|minute| fields.minutes >> minute & 1 == 1) {
            for second in (0..60).filter(|second| fields.seconds >> second & 1 == 1) {
                let time = date.at(hour, minute, second, 0);
                let at = zone.to_ambiguous_timestamp(time).compatible().ok()?;
                if at > now {
                    return Some(at);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(expression: &str, zone: &str, now: &str) -> Option<String> {
        let cron = CronSpec { expression: expression.to_owned(), timezone: Some(zone.to_owned()) };
        let now: Timestamp = now.parse().unwrap();
        next(&cron, now.as_millisecond()).map(|at| Timestamp::from_millisecond(at).unwrap().to_string())
    }

    #[test]
    fn moments() {
        let next = |expression| after(expression, "UTC", "2026-11-20T10:15:30Z").unwrap();
        assert_eq!(next("* * * * *"), "2026-11-20T10:16:00Z");
        assert_eq!(next("*/10 * * * * *"), "2026-11-20T10:15:40Z");
        assert_eq!(next("15 10 * * *"), "2026-11-21T10:15:00Z");
        assert_eq!(next("0 0 1 1 *"), "2027-01-01T00:00:00Z");
        assert_eq!(next("0 0 29 2 *"), "2028-02-29T00:00:00Z");
        assert_eq!(next("30 9 * * sun"), "2026-11-22T09:30:00Z");
    }

    #[test]
    fn zones_and_their_clock_changes() {
        if TimeZone::get("Europe/Berlin").is_err() {
            return;
        }
        let berlin = |expression, now| after(expression, "Europe/Berlin", now).unwrap();
        assert_eq!(berlin("0 9 * * *", "2026-01-10T12:00:00Z"), "2026-01-11T08:00:00Z");
        // 02:30 does not come on 29 March 2026; the gap ends at 03:30 by the new clock.
        assert_eq!(berlin("30 2 * * *", "2026-03-28T12:00:00Z"), "2026-03-29T01:30:00Z");
        // 02:30 comes twice on 25 October 2026; the first one counts.
        assert_eq!(berlin("30 2 * * *", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(berlin("30 2 * * *", "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
    }

    #[test]
    fn what_never_comes() {
        assert_eq!(after("0 0 31 2 *", "UTC", "2026-01-01T00:00:00Z"), None);
        assert_eq!(after("* * * * *", "No/Where", "2026-01-01T00:00:00Z"), None);
    }
}
