//! Durations and sizes as people write and read them.

/// The text is no duration or size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}; write {example}")]
pub struct UnitError {
    text: String,
    what: &'static str,
    example: &'static str,
}

/// "1600ms", "3s", "2m", "1h", "1d"; a bare number is milliseconds.
pub fn parse_duration_ms(text: &str) -> Result<u64, UnitError> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1)];
    let error = || UnitError { text: text.to_owned(), what: "duration", example: "500ms, 3s, 2m or 1h" };
    parse(text, &units).ok_or_else(error)
}

/// "300M", "10K", "1G" (powers of 1024); a bare number is bytes.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let units = [("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30), ("b", 1), ("", 1)];
    let lower = text.to_ascii_lowercase();
    let error = || UnitError { text: text.to_owned(), what: "size", example: "300M, 10K or 1G" };
    parse(&lower, &units).ok_or_else(error)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim())?.1;
    match number.split_once('.') {
        None => number.parse::<u64>().ok()?.checked_mul(factor),
        Some((whole, fraction)) if !fraction.is_empty() && fraction.len() <= 6 => {
            let scale = 10u64.pow(u32::try_from(fraction.len()).ok()?);
            let part = fraction.parse::<u64>().ok()?.checked_mul(factor)? / scale;
            whole.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(part)
        }
        Some(_) => None,
    }
}

/// PM2's form: "0s", "12s", "3m", "5h", "2d".
pub fn short_duration(ms: u64) -> String {
    let seconds = ms / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// "812B", "45.1K", "300M", "1.2G"; powers of 1024.
pub fn short_bytes(bytes: u64) -> String {
    let units = [("G", 1u64 << 30), ("M", 1 << 20), ("K", 1 << 10)];
    match units.into_iter().find(|(_, size)| bytes >= *size) {
        None => format!("{bytes}B"),
        Some((unit, size)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(size);
            if tenths >= 1_000 || tenths % 10 == 0 {
                format!("{}{unit}", tenths / 10)
            } else {
                format!("{}.{}{unit}", tenths / 10, tenths % 10)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes() {
        let durations = [
            ("1600", 1_600),
            ("1600ms", 1_600),
            ("3s", 3_000),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ];
        for (text, ms) in durations {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "s", "3x", "-1s", "1.s", "99999999999999999999"] {
            assert!(parse_duration_ms(text).is_err(), "{text}");
        }
        assert_eq!(parse_bytes("300M"), Ok(300 << 20));
        assert_eq!(parse_bytes("12"), Ok(12));
        assert!(parse_bytes("12X").is_err());
        assert_eq!(short_bytes(47_290_778), "45.1M");
        assert_eq!(short_bytes(1 << 30), "1G");
        assert_eq!(short_bytes(812), "812B");
        assert_eq!(short_duration(59_999), "59s");
        assert_eq!(short_duration(172_800_000), "2d");
    }
}
