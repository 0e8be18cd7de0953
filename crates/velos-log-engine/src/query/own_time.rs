//! The time that a line tells itself, at its start: for logs without an index.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// Where a time may begin: behind brackets, or in a JSON line.
const LOOK_BYTES: usize = 120;

/// `2026-03-01T10:05:03.123Z`, `[2026-03-01 10:05:03,123]`, `2026/03/01 10:05:03`, `{"time":"2026-03-01T..."}`,
/// `{"ts":1772359503123,...}`: microseconds since 1970. A time without a zone is in the machine's.
pub fn own_time(line: &[u8]) -> Option<u64> {
    let line = line.get(..line.len().min(LOOK_BYTES)).unwrap_or_default();
    let line = line.trim_ascii_start();
    let at = match line.first()? {
        b'0'..=b'9' => 0,
        b'[' | b'(' | b'<' | b'"' => 1,
        b'{' => return of_json(line),
        _ => return None,
    };
    of_text(line.get(at..)?)
}

fn of_json(line: &[u8]) -> Option<u64> {
    const KEYS: [&[u8]; 6] =
        [b"\"time\":", b"\"timestamp\":", b"\"ts\":", b"\"@timestamp\":", b"\"t\":", b"\"date\":"];
    let value = KEYS.iter().find_map(|key| {
        let at = memchr::memmem::find(line, key)?;
        line.get(at + key.len()..)
    })?;
    let value = value.trim_ascii_start();
    if let Some(text) = value.strip_prefix(b"\"") {
        return of_text(text);
    }
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = number(value, 0, digits)?;
    // Seconds, milliseconds, microseconds or nanoseconds, by their size.
    match digits {
        10 => {
            let part = value.get(digits..).and_then(|rest| rest.strip_prefix(b".")).unwrap_or_default();
            Some(whole * 1_000_000 + fraction_us(part).0)
        }
        13 => Some(whole * 1_000),
        16 => Some(whole),
        19 => Some(whole / 1_000),
        _ => None,
    }
}

fn of_text(text: &[u8]) -> Option<u64> {
    let is = |at: usize, bytes: &[u8]| text.get(at).is_some_and(|byte| bytes.contains(byte));
    let is_date = is(4, b"-/.") && is(7, b"-/.") && is(10, b"T t_") && is(13, b":") && is(16, b":");
    if !is_date {
        return None;
    }
    let part = |at, count| number(text, at, count);
    let small = |at| part(at, 2).and_then(|value| i8::try_from(value).ok());
    let year = i16::try_from(part(0, 4)?).ok()?;
    let time =
        DateTime::new(year, small(5)?, small(8)?, small(11)?, small(14)?, small(17)?.min(59), 0).ok()?;
    let mut rest = text.get(19..)?;
    let mut micros = 0;
    if let Some(digits) = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")) {
        let (us, length) = fraction_us(digits);
        micros = us;
        rest = digits.get(length..)?;
    }
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let zoned = match rest.first() {
        Some(b'Z' | b'z') => time.to_zoned(TimeZone::UTC).ok()?,
        Some(sign @ (b'+' | b'-')) if rest.get(1).is_some_and(u8::is_ascii_digit) => {
            let hours = i32::try_from(number(rest, 1, 2)?).ok()?;
            let minutes_at = if rest.get(3) == Some(&b':') { 4 } else { 3 };
            let minutes =
                number(rest, minutes_at, 2).and_then(|value| i32::try_from(value).ok()).unwrap_or(0);
            let seconds = (hours * 60 + minutes) * 60;
            let offset = Offset::from_seconds(if *sign == b'-' { -seconds } else { seconds }).ok()?;
            time.to_zoned(TimeZone::fixed(offset)).ok()?
        }
        _ => time.to_zoned(TimeZone::system()).ok()?,
    };
    u64::try_from(zoned.timestamp().as_second()).ok().map(|seconds| seconds * 1_000_000 + micros)
}

fn number(text: &[u8], at: usize, count: usize) -> Option<u64> {
    let digits = text.get(at..at + count).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0_u64, |value, byte| {
        byte.is_ascii_digit().then(|| value.checked_mul(10)?.checked_add(u64::from(byte - b'0')))?
    })
}

/// The first digits as microseconds, and how many digits there are.
fn fraction_us(digits: &[u8]) -> (u64, usize) {
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = (0..6).fold(0, |value, at| {
        let digit = digits.get(at).filter(|_| at < length).map_or(0, |byte| u64::from(byte - b'0'));
        value * 10 + digit
    });
    (value, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_at_the_start_of_a_line() {
        let at = Some(1_772_359_503_120_000);
        for line in [
            "2026-03-01T10:05:03.12Z x",
            "[2026-03-01 11:05:03,120 +0100] x",
            "2026/03/01 05:05:03.120000-05:00",
            r#"{"level":30,"time":1772359503120,"msg":"x"}"#,
            r#"{"ts":1772359503.12,"msg":"x"}"#,
            r#"{"msg":"x","@timestamp":"2026-03-01T10:05:03.120Z"}"#,
        ] {
            assert_eq!(own_time(line.as_bytes()), at, "{line}");
        }
        for line in ["", "hello 2026-03-01T10:05:03Z", "2026-13-01T10:05:03Z", "12:00:00 x", "99999999", "{"]
        {
            assert_eq!(own_time(line.as_bytes()), None, "{line}");
        }
    }
}
