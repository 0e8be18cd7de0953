//! Times: short for reading, and what an agent may write for "since".

use jiff::Timestamp;
use jiff::tz::TimeZone;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::units::parse_duration_ms;

/// Now, milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Now, microseconds since 1970.
pub(crate) fn now_us() -> u64 {
    u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0)
}

/// `10:05:03`, with the day when it is not today; in the time zone of the machine.
pub(crate) fn moment(at_ms: i64) -> String {
    const DAY: &str = "%Y-%m-%d";
    let zone = TimeZone::system();
    let Ok(time) = Timestamp::from_millisecond(at_ms) else { return "?".to_owned() };
    let (time, now) = (time.to_zoned(zone.clone()), Timestamp::now().to_zoned(zone));
    let is_today = time.strftime(DAY).to_string() == now.strftime(DAY).to_string();
    time.strftime(if is_today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
}

/// The same for microseconds.
pub(crate) fn moment_us(at_us: u64) -> String {
    moment(i64::try_from(at_us / 1_000).unwrap_or(i64::MAX))
}

/// `2m`, `3h`, `5d`: how long ago, in one unit.
pub(crate) fn ago(at_ms: i64) -> String {
    short(u64::try_from(now_ms().saturating_sub(at_ms)).unwrap_or(0))
}

/// A duration in one unit.
pub(crate) fn short(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0 => format!("{ms}ms"),
        1..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// What `since` and `until` may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Microseconds since 1970.
    At(u64),
    /// When the app was last started.
    Start,
}

/// `15m` (ago), `start`, or a time as of ISO 8601; one without a zone is local.
pub(crate) fn parse(field: &str, text: &str) -> Result<Moment, ErrorReply> {
    let text = text.trim();
    if matches!(text, "start" | "boot") {
        return Ok(Moment::Start);
    }
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic()) && !text.contains(':');
    if has_unit && let Ok(ms) = parse_duration_ms(text) {
        return Ok(Moment::At(now_us().saturating_sub(ms.saturating_mul(1_000))));
    }
    let absolute = text.parse::<Timestamp>().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil.to_zoned(TimeZone::system()).ok().map(|zoned| zoned.timestamp())
    });
    match absolute.and_then(|time| u64::try_from(time.as_microsecond()).ok()) {
        Some(us) => Ok(Moment::At(us)),
        None => Err(ErrorReply::new(ErrorCode::Usage, format!("{field}: {text:?} is no time"))
            .hint("write 15m, 2h, start (of the last run), or 2026-01-31T10:00:00Z")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_that_can_be_written() {
        assert_eq!(parse("since", "start"), Ok(Moment::Start));
        assert_eq!(parse("since", "1970-01-01T00:00:01Z"), Ok(Moment::At(1_000_000)));
        let Ok(Moment::At(at)) = parse("since", "15m") else { panic!() };
        assert!(now_us() - at >= 900_000_000 && now_us() - at < 910_000_000);
        assert!(matches!(parse("since", "2026-01-31T10:00"), Ok(Moment::At(_))));
        assert!(matches!(parse("since", "2026-01-31"), Ok(Moment::At(_))));
        let error = parse("until", "yesterday").unwrap_err();
        assert!(error.message.starts_with("until: \"yesterday\" is no time"));
    }

    #[test]
    fn durations_have_one_unit() {
        let cases = [(5, "5ms"), (90_000, "90s"), (300_000, "5m"), (7_200_000, "2h"), (200_000_000, "2d")];
        for (ms, expected) in cases {
            assert_eq!(short(ms), expected);
        }
    }
}
