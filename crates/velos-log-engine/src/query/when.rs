//! Words for moments: `1h`, `30m ago`, `10:30`, `yesterday 18:00`, `2026-03-01`, RFC 3339.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{Span, Timestamp, Zoned};

/// A word that is no moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhenError {
    /// As it was given.
    pub text: String,
    /// Why.
    pub reason: String,
}

impl std::fmt::Display for WhenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\" is no moment: {}", self.text, self.reason)
    }
}

impl std::error::Error for WhenError {}

impl WhenError {
    /// What can be written instead.
    pub const HINT: &str = "write a time back from now (30s, 10m, 1h30m, 2d, 1w), a time of day (10:30), today, yesterday, \
        a date (2026-03-01, \"2026-03-01 10:30\"), RFC 3339, or @seconds since 1970";
}

/// A moment, microseconds since 1970. `now` also tells the time zone of what names none.
///
/// A bare time of day is the last such time: at 09:00, `10:30` is yesterday's.
pub fn parse(text: &str, now: &Zoned) -> Result<u64, WhenError> {
    let failed = |reason: &str| WhenError { text: text.to_owned(), reason: reason.to_owned() };
    let word = text.trim().to_ascii_lowercase();
    if word.is_empty() {
        return Err(failed("it is empty"));
    }
    let moment = match of_word(&word, now).or_else(|| of_epoch(&word)) {
        Some(moment) => moment,
        None if is_span(&word) => of_span(&word, now).map_err(|reason| failed(&reason))?,
        None => of_clock(&word, now).map_err(|reason| failed(&reason))?,
    };
    u64::try_from(moment.as_microsecond()).map_err(|_| failed("it is before 1970"))
}

fn midnight(date: Date, now: &Zoned) -> Option<Timestamp> {
    at(date.at(0, 0, 0, 0), now)
}

fn at(moment: DateTime, now: &Zoned) -> Option<Timestamp> {
    moment.to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp())
}

/// `now`, `today`, `yesterday`, `monday`; a time of day may follow.
fn of_word(word: &str, now: &Zoned) -> Option<Timestamp> {
    let (day, time) = word.split_once(' ').unwrap_or((word, ""));
    let date = match day {
        "now" if time.is_empty() => return Some(now.timestamp()),
        "today" | "midnight" => now.date(),
        "yesterday" => now.date().yesterday().ok()?,
        _ => {
            let weekday = weekday(day)?;
            let back = (now.date().weekday().since(weekday) + 6) % 7 + 1;
            now.date().checked_sub(Span::new().days(back)).ok()?
        }
    };
    match time.trim() {
        "" => midnight(date, now),
        time => at(date.to_datetime(time_of_day(time).ok()?), now),
    }
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thu" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" | "sat" => Weekday::Saturday,
        "sunday" | "sun" => Weekday::Sunday,
        _ => return None,
    })
}

fn of_epoch(word: &str) -> Option<Timestamp> {
    let (seconds, part) = word.strip_prefix('@')?.split_once('.').unwrap_or((word.get(1..)?, ""));
    let micros: i64 = format!("{part:0<6}").get(..6)?.parse().ok()?;
    Timestamp::from_microsecond(seconds.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)?)
        .ok()
}

/// Numbers with units, or a bare number.
fn is_span(word: &str) -> bool {
    let body = word.strip_suffix("ago").unwrap_or(word);
    body.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+')
        && !body.contains(':')
        && !body.get(1..).unwrap_or_default().contains('-')
}

fn of_span(word: &str, now: &Zoned) -> Result<Timestamp, String> {
    let body = word.strip_suffix("ago").unwrap_or(word).trim();
    let body = body.strip_prefix('-').unwrap_or(body);
    if body.starts_with('+') {
        return Err("logs are of the past".to_owned());
    }
    let mut micros: u64 = 0;
    let mut rest = body;
    let too_long = || "it is too long ago".to_owned();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let number: u64 = match number.parse() {
            Ok(number) => number,
            Err(_) if number.is_empty() => return Err(format!("a number is missing before \"{rest}\"")),
            Err(_) => return Err(too_long()),
        };
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let factor = match unit {
            "ms" => 1_000,
            "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000_000,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000_000,
            "d" | "day" | "days" => 86_400_000_000,
            "w" | "week" | "weeks" => 604_800_000_000,
            "" => return Err(format!("the unit is missing: {number}s, {number}m, {number}h, {number}d?")),
            unit => return Err(format!("\"{unit}\" is no unit; units are ms, s, m, h, d, w")),
        };
        micros = number.checked_mul(factor).and_then(|part| micros.checked_add(part)).ok_or_else(too_long)?;
        rest = after.trim_start_matches([' ', ',']);
    }
    let micros = i64::try_from(micros).map_err(|_| too_long())?;
    let moment = now.timestamp().as_microsecond().checked_sub(micros).ok_or_else(too_long)?;
    Timestamp::from_microsecond(moment).map_err(|_| too_long())
}

fn time_of_day(text: &str) -> Result<Time, String> {
    let padded = if text.find(':') == Some(1) { format!("0{text}") } else { text.to_owned() };
    padded.parse().map_err(|_| format!("\"{text}\" is no time of day; write hours and minutes: 10:30"))
}

/// Times of day, dates, dates with times.
fn of_clock(word: &str, now: &Zoned) -> Result<Timestamp, String> {
    let none = || "there is no such time".to_owned();
    if let Ok(moment) = word.to_ascii_uppercase().parse::<Timestamp>() {
        return Ok(moment);
    }
    if !word.contains('-') && !word.contains('/') {
        if !word.contains(':') {
            return Err("that is not understood".to_owned());
        }
        let time = time_of_day(word)?;
        let today = at(now.date().to_datetime(time), now).ok_or_else(none)?;
        if today <= now.timestamp() {
            return Ok(today);
        }
        let yesterday = now.date().yesterday().map_err(|_| none())?;
        return at(yesterday.to_datetime(time), now).ok_or_else(none);
    }
    let word = word.replace('/', "-");
    let (day, time) = word.split_once([' ', 't']).unwrap_or((&word, ""));
    let date: Date =
        day.parse().map_err(|_| format!("\"{day}\" is no date; write year, month, day: 2026-03-01"))?;
    match time.trim() {
        "" => midnight(date, now),
        time => at(date.to_datetime(time_of_day(time)?), now),
    }
    .ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Saturday, 12:00:00 in a zone two hours east.
    fn now() -> Zoned {
        "2026-03-07T12:00:00+02:00[+02:00]".parse().unwrap()
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let expected: Timestamp = expected.parse().unwrap();
        assert_eq!(parse(text, &now()), Ok(expected.as_microsecond() as u64), "{text}");
    }

    #[test]
    fn moments_in_many_words() {
        check("1h", "2026-03-07T09:00:00Z");
        check("30m", "2026-03-07T09:30:00Z");
        check("1h30m", "2026-03-07T08:30:00Z");
        check("1h 30m ago", "2026-03-07T08:30:00Z");
        check("-90s", "2026-03-07T09:58:30Z");
        check("2d", "2026-03-05T10:00:00Z");
        check("2 days ago", "2026-03-05T10:00:00Z");
        check("1w", "2026-02-28T10:00:00Z");
        check("500ms", "2026-03-07T09:59:59.5Z");
        check("now", "2026-03-07T10:00:00Z");
        check("10:30", "2026-03-07T08:30:00Z");
        check("9:05", "2026-03-07T07:05:00Z");
        check("10:30:15", "2026-03-07T08:30:15Z");
        check("13:00", "2026-03-06T11:00:00Z");
        check("today", "2026-03-06T22:00:00Z");
        check("yesterday", "2026-03-05T22:00:00Z");
        check("Yesterday 18:00", "2026-03-06T16:00:00Z");
        check("friday", "2026-03-05T22:00:00Z");
        check("saturday", "2026-02-27T22:00:00Z");
        check("2026-03-01", "2026-02-28T22:00:00Z");
        check("2026/03/01 10:30", "2026-03-01T08:30:00Z");
        check("2026-03-01T10:30:00", "2026-03-01T08:30:00Z");
        check("2026-03-01T10:30:00Z", "2026-03-01T10:30:00Z");
        check("2026-03-01T10:30:00.25+01:00", "2026-03-01T09:30:00.25Z");
        check("@1772359503", "2026-03-01T10:05:03Z");
        check("@1772359503.5", "2026-03-01T10:05:03.5Z");
    }

    #[test]
    fn what_is_no_moment_is_explained() {
        let reason = |text: &str| parse(text, &now()).unwrap_err().reason;
        assert_eq!(reason(""), "it is empty");
        assert_eq!(reason("soon"), "that is not understood");
        assert_eq!(reason("5"), "the unit is missing: 5s, 5m, 5h, 5d?");
        assert_eq!(reason("5x"), "\"x\" is no unit; units are ms, s, m, h, d, w");
        assert_eq!(reason("1hm"), "\"hm\" is no unit; units are ms, s, m, h, d, w");
        assert_eq!(reason("99999999999999999999h"), "it is too long ago");
        assert_eq!(reason("25:00"), "\"25:00\" is no time of day; write hours and minutes: 10:30");
        assert_eq!(reason("2026-02-30"), "\"2026-02-30\" is no date; write year, month, day: 2026-03-01");
        assert_eq!(reason("+1h"), "logs are of the past");
        assert_eq!(reason("100000w"), "it is before 1970");
    }
}
