//! `--timestamp FORMAT`: the time of a line as somebody wants it, in strftime(3)'s form or in PM2's.

use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use velos_core::error::ErrorReply;

/// Without a form: PM2's.
pub(crate) const STANDARD: &str = "YYYY-MM-DD-HH:mm:ss";

/// PM2's tokens, the longer of those that begin alike first, and what strftime calls them.
const TOKENS: [(&str, &str); 25] = [
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("M", "%-m"),
    ("DD", "%d"),
    ("D", "%-d"),
    ("dddd", "%A"),
    ("ddd", "%a"),
    ("d", "%w"),
    ("HH", "%H"),
    ("H", "%-H"),
    ("hh", "%I"),
    ("h", "%-I"),
    ("mm", "%M"),
    ("m", "%-M"),
    ("ss", "%S"),
    ("SSS", "%3f"),
    ("s", "%-S"),
    ("A", "%p"),
    ("a", "%P"),
    ("ZZ", "%z"),
    ("Z", "%:z"),
    ("X", "%s"),
];

/// A form that is known to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeForm(String);

impl TimeForm {
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorReply> {
        let form = if text.contains('%') { text.to_owned() } else { translate(text) };
        let hint = "as strftime: \"%H:%M:%S\"; as PM2: \"HH:mm:ss\"; apps stand before it, or write --timestamp=FORMAT";
        if !names_a_moment(&form) {
            let reason = format!("--timestamp: \"{text}\" tells neither a day nor an hour");
            return Err(super::usage(reason).hint(hint));
        }
        strtime::format(&form, &Zoned::now())
            .map(|_| Self(form))
            .map_err(|error| super::usage(format!("--timestamp: \"{text}\": {error}")).hint(hint))
    }

    pub(crate) fn write(&self, time_us: u64, zone: &TimeZone) -> String {
        let time = i64::try_from(time_us).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
        let text = time.map(|time| strtime::format(&self.0, &time.to_zoned(zone.clone())));
        text.and_then(Result::ok).unwrap_or_else(|| "-".to_owned())
    }
}

/// Anything that is finer than a month, behind a percent sign and its flags.
fn names_a_moment(form: &str) -> bool {
    form.split('%').skip(1).any(|part| {
        let name =
            part.trim_start_matches(|c: char| c.is_ascii_digit() || "-_^#:.".contains(c)).chars().next();
        name.is_some_and(|name| "cDdeFHIjklMNRrSsTxXf".contains(name))
    })
}

/// Letters that mean nothing stay, and so does what stands in `[brackets]`.
fn translate(text: &str) -> String {
    let mut form = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let bracketed = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'));
        let token = TOKENS.iter().find(|(token, _)| rest.starts_with(token));
        rest = match (bracketed, token) {
            (Some((words, after)), _) => {
                form.push_str(words);
                after
            }
            (None, Some((token, name))) => {
                form.push_str(name);
                rest.get(token.len()..).unwrap_or_default()
            }
            (None, None) => {
                form.push(c);
                rest.get(c.len_utf8()..).unwrap_or_default()
            }
        };
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01 10:05:03.045 UTC.
    const TIME_US: u64 = 1_772_359_503_045_000;

    #[test]
    fn both_kinds_of_forms() {
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        for (form, expected) in [
            (STANDARD, "2026-03-01-07:05:03"),
            ("YYYY-MM-DDTHH:mm:ss.SSSZ", "2026-03-01T07:05:03.045-03:00"),
            ("D/M/YY h:m:s A ZZ", "1/3/26 7:5:3 AM -0300"),
            ("ddd dddd MMM MMMM H d", "Sun Sunday Mar March 7 0"),
            ("[at] HH [HH]", "at 07 HH"),
            ("X", "1772359503"),
            ("%H:%M:%S%.3f", "07:05:03.045"),
            ("%F %T %z", "2026-03-01 07:05:03 -0300"),
            ("%-d.", "1."),
        ] {
            assert_eq!(TimeForm::parse(form).unwrap().write(TIME_US, &zone), expected, "{form}");
        }
        assert_eq!(TimeForm::parse("%T").unwrap().write(u64::MAX, &zone), "-");
    }

    #[test]
    fn what_is_no_form_of_a_time() {
        for (form, reason) in [
            ("api", "tells neither a day nor an hour"),
            ("", "tells neither"),
            ("YYYY", "tells neither"),
            ("%Y", "tells neither"),
            ("100% HH", "--timestamp: \"100% HH\""),
            ("%H %Ö", "--timestamp: \"%H %Ö\""),
            ("%H %", "--timestamp: \"%H %\""),
        ] {
            let error = TimeForm::parse(form).unwrap_err();
            assert!(error.message.contains(reason), "{}", error.message);
            assert!(error.hint.is_some());
        }
    }
}
