//! Moments that come again: five fields as in cron(5), or six with seconds in front.

use serde::{Deserialize, Serialize};

/// An expression and the place whose clock it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronSpec {
    /// `minute hour day month weekday`, or with seconds in front, or `@hourly` and the like. Parsed by [`CronFields`].
    pub expression: String,
    /// IANA name such as `Europe/Berlin`; `None`: the daemon's local time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// The moments as sets: bit n of a field stands for the value n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CronFields {
    /// 0 to 59.
    pub seconds: u64,
    /// 0 to 59.
    pub minutes: u64,
    /// 0 to 23.
    pub hours: u64,
    /// 1 to 31.
    pub days: u64,
    /// 1 to 12.
    pub months: u64,
    /// 0 (Sunday) to 6.
    pub weekdays: u64,
    /// Both day fields are restricted: either may match, as in cron(5); else both must.
    pub either_day: bool,
}

/// Why a text is no cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not 5 or 6 fields.
    #[error(
        "a cron expression has 5 fields (minute hour day month weekday) or 6 with seconds in front, this one has {0}"
    )]
    FieldCount(usize),
    /// One field is wrong.
    #[error("{text:?} is no {field} of a cron expression; it takes {low} to {high}, lists, ranges and steps")]
    Field {
        /// What was written.
        text: String,
        /// Which field.
        field: &'static str,
        /// Least value.
        low: u32,
        /// Greatest value.
        high: u32,
    },
    /// No day of any year fits, such as 30 February.
    #[error("the day {0} comes in none of the months of this cron expression")]
    Never(String),
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl CronFields {
    /// Parse an expression: lists, ranges, steps, names of months and weekdays, 7 for Sunday, and the nicknames
    /// `@yearly @annually @monthly @weekly @daily @midnight @hourly`.
    pub fn parse(expression: &str) -> Result<Self, CronError> {
        let expression = match expression.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let words: Vec<&str> = expression.split_whitespace().collect();
        let (second, rest) = match words.as_slice() {
            [second, rest @ ..] if rest.len() == 5 => (*second, rest),
            all => ("0", all),
        };
        let [minute, hour, day, month, weekday] = rest else {
            return Err(CronError::FieldCount(words.len()));
        };
        let weekdays = field(weekday, "weekday", 0, 7, &WEEKDAYS, 0)?;
        let fields = Self {
            seconds: field(second, "second", 0, 59, &[], 0)?,
            minutes: field(minute, "minute", 0, 59, &[], 0)?,
            hours: field(hour, "hour", 0, 23, &[], 0)?,
            days: field(day, "day", 1, 31, &[], 0)?,
            months: field(month, "month", 1, 12, &MONTHS, 1)?,
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            either_day: !day.starts_with(['*', '?']) && !weekday.starts_with(['*', '?']),
        };
        // With a weekday beside it the day need not come.
        if !fields.either_day
            && !(1..=12).any(|month| fields.has_month(month) && fields.days & days_of(month) != 0)
        {
            return Err(CronError::Never((*day).to_owned()));
        }
        Ok(fields)
    }

    /// Whether a day fits. `month` 1 to 12, `day` 1 to 31, `weekday` 0 (Sunday) to 6.
    pub fn has_date(&self, month: u32, day: u32, weekday: u32) -> bool {
        let (day, weekday) = (has(self.days, day), has(self.weekdays, weekday));
        self.has_month(month) && if self.either_day { day || weekday } else { day && weekday }
    }

    /// Whether a time of a day fits.
    pub fn has_time(&self, hour: u32, minute: u32, second: u32) -> bool {
        has(self.hours, hour) && has(self.minutes, minute) && has(self.seconds, second)
    }

    fn has_month(&self, month: u32) -> bool {
        has(self.months, month)
    }
}

fn has(set: u64, value: u32) -> bool {
    value < 64 && set >> value & 1 == 1
}

/// The days that a month can have, as a set.
fn days_of(month: u32) -> u64 {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (1u64 << (last + 1)) - 2
}

fn field(
    text: &str,
    name: &'static str,
    low: u32,
    high: u32,
    names: &[&str],
    first: u32,
) -> Result<u64, CronError> {
    let error = || CronError::Field { text: text.to_owned(), field: name, low, high };
    let value = |word: &str| -> Option<u32> {
        let lower = word.to_ascii_lowercase();
        if let Some(position) = names.iter().position(|name| *name == lower) {
            return u32::try_from(position).ok().map(|position| position + first);
        }
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        word.parse().ok().filter(|value| is_number && (low..=high).contains(value))
    };
    let mut set = 0u64;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => {
                (range, Some(step.parse::<u32>().ok().filter(|s| *s > 0).ok_or_else(error)?))
            }
            None => (part, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (low, high),
            Some((from, to)) => (value(from).ok_or_else(error)?, value(to).ok_or_else(error)?),
            None => {
                let from = value(range).ok_or_else(error)?;
                (from, if step.is_some() { high } else { from })
            }
        };
        if from > to {
            return Err(error());
        }
        let step = usize::try_from(step.unwrap_or(1)).map_err(|_| error())?;
        for value in (from..=to).step_by(step) {
            set |= 1 << value;
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_expressions() {
        let fields = CronFields::parse("*/15 9-17 * jan,MAR mon-fri").unwrap();
        assert_eq!(fields.minutes, 1 | 1 << 15 | 1 << 30 | 1 << 45);
        assert!(fields.has_time(9, 30, 0) && !fields.has_time(9, 30, 1) && !fields.has_time(18, 0, 0));
        assert!(fields.has_date(3, 9, 1) && !fields.has_date(2, 9, 1) && !fields.has_date(3, 8, 0));
        let fields = CronFields::parse("*/2 * * * * *").unwrap();
        assert!(fields.has_time(0, 0, 58) && !fields.has_time(0, 0, 59));
        let sunday = CronFields::parse("0 0 * * 7").unwrap();
        assert_eq!(sunday.weekdays, 1);
        let either = CronFields::parse("0 0 13 * 5").unwrap();
        assert!(either.has_date(1, 13, 2) && either.has_date(1, 14, 5) && !either.has_date(1, 14, 2));
        for nickname in ["@yearly", "@monthly", "@weekly", "@daily", "@hourly", "0 0 29 2 *", "5/10 * * * *"]
        {
            assert!(CronFields::parse(nickname).is_ok(), "{nickname}");
        }
    }

    #[test]
    fn bad_expressions() {
        for text in [
            "",
            "* * * *",
            "* * * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "+5 * * * *",
            "1, * * * *",
            "0 0 31 2 *",
            "@never",
            "*/x * * * *",
            "1--2 * * * *",
        ] {
            assert!(CronFields::parse(text).is_err(), "{text:?}");
        }
    }
}
