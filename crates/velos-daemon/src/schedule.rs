//! When the moments of cron expressions come, by the wall clock of their place.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use velos_core::app::{CronFields, CronSpec};
use velos_core::instance::InstanceId;

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

/// The moments that are waited for.
#[derive(Debug, Default)]
pub(crate) struct Moments(BTreeMap<InstanceId, Moment>);

#[derive(Debug)]
struct Moment {
    cron: CronSpec,
    /// Wall clock, ms: when this was worked out, and when it is due. `None`: never.
    since_ms: i64,
    at_ms: Option<i64>,
}

/// What came of a look at the clock.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Once each, however many moments have passed since the look before.
    pub(crate) due: Vec<InstanceId>,
    /// What is new and never comes.
    pub(crate) never: Vec<(InstanceId, CronSpec)>,
}

impl Moments {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of one instance, ms since 1970.
    pub(crate) fn of(&self, id: InstanceId) -> Option<i64> {
        self.0.get(&id)?.at_ms
    }

    /// The first of all.
    pub(crate) fn next(&self) -> Option<i64> {
        self.0.values().filter_map(|known| known.at_ms).min()
    }

    /// Look at the clock, which may have been set since the last look: put forward, what was left out comes once; put
    /// back, the moments up to then come again.
    pub(crate) fn pass(&mut self, crons: BTreeMap<InstanceId, CronSpec>, wall_ms: i64) -> Passed {
        let mut passed = Passed::default();
        self.0.retain(|id, known| crons.get(id) == Some(&known.cron) && known.since_ms <= wall_ms);
        for (id, cron) in crons {
            let due = self.0.get(&id).map(|known| known.at_ms.is_some_and(|at| at <= wall_ms));
            if due == Some(false) {
                continue;
            }
            if due == Some(true) {
                passed.due.push(id);
            }
            let at_ms = next(&cron, wall_ms);
            if at_ms.is_none() && due.is_none() {
                passed.never.push((id, cron.clone()));
            }
            self.0.insert(id, Moment { cron, since_ms: wall_ms, at_ms });
        }
        passed
    }
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

    #[test]
    fn a_clock_that_jumps_by_an_hour() {
        const HOUR_MS: i64 = 3_600_000;
        const MINUTE_MS: i64 = 60_000;
        let cron = CronSpec { expression: "*/10 * * * *".to_owned(), timezone: Some("UTC".to_owned()) };
        let crons = || BTreeMap::from([(InstanceId(0), cron.clone())]);
        let ten: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let ten = ten.as_millisecond();
        let mut moments = Moments::default();
        let due = |moments: &mut Moments, wall_ms: i64| moments.pass(crons(), wall_ms).due.len();
        assert_eq!(due(&mut moments, ten + 1), 0);
        assert_eq!(moments.next(), Some(ten + 10 * MINUTE_MS));
        // Forward: six moments are left out, one run makes up for them.
        let forward = ten + HOUR_MS + MINUTE_MS;
        assert_eq!(due(&mut moments, forward), 1);
        assert_eq!(due(&mut moments, forward + 1), 0);
        assert_eq!(moments.next(), Some(ten + HOUR_MS + 10 * MINUTE_MS));
        // Back: it is not silent until the old time is reached again.
        let back = ten + MINUTE_MS;
        assert_eq!(due(&mut moments, back), 0);
        assert_eq!(moments.next(), Some(ten + 10 * MINUTE_MS));
        assert_eq!(due(&mut moments, ten + 10 * MINUTE_MS), 1);
        // What is gone is not waited for.
        assert_eq!(moments.pass(BTreeMap::new(), ten + 30 * MINUTE_MS), Passed::default());
        assert_eq!(moments.next(), None);
    }
}
