//! The summary for people.

use super::{Pattern, Summary};
use crate::anomaly::Trend;

/// Patterns on the screen.
const PATTERNS: usize = 5;
/// Further things on the screen, of each kind.
const OTHERS: usize = 3;
/// Longest quoted text.
const QUOTED_CHARS: usize = 100;

impl Summary {
    /// A few lines, the last one with its newline. `now_us` tells how long ago things were.
    pub fn text(&self, now_us: u64) -> String {
        let mut out = format!(
            "Process: {} | Period: {} | Health: {}\nLines: {} | Errors: {} | Warnings: {}\n",
            self.app,
            self.period.label,
            self.health.text(),
            grouped(self.lines),
            grouped(self.errors),
            grouped(self.warnings),
        );
        if !self.patterns.is_empty() {
            out.push_str("Top patterns:\n");
        }
        for (number, pattern) in self.patterns.iter().take(PATTERNS).enumerate() {
            out.push_str(&format!("  {}. {}\n", number + 1, line(pattern)));
        }
        if !self.new_patterns.is_empty() {
            out.push_str("New patterns:\n");
        }
        for pattern in self.new_patterns.iter().take(OTHERS) {
            out.push_str(&format!(
                "  - \"{}\" (x{}, {})\n",
                quoted(&pattern.text),
                pattern.count,
                pattern.level.name()
            ));
        }
        out.push_str(&more(self.new_patterns.len()));
        if !self.anomalies.is_empty() {
            out.push_str("Anomalies:\n");
        }
        for anomaly in self.anomalies.iter().take(OTHERS) {
            let when =
                if anomaly.episode.is_active { "now".to_owned() } else { ago(anomaly.until_us, now_us) };
            out.push_str(&format!("  - {}: {}, {when}\n", named(&anomaly.of), anomaly.text));
        }
        out.push_str(&more(self.anomalies.len()));
        if let Some(error) = &self.last_error {
            let when =
                error.time_us.map_or_else(|| "time unknown".to_owned(), |time_us| ago(time_us, now_us));
            out.push_str(&format!("Last error: \"{}\" ({when})\n", quoted(&error.text)));
        }
        for note in &self.notes {
            out.push_str(&format!("Note: {note}\n"));
        }
        out
    }
}

fn line(pattern: &Pattern) -> String {
    format!("\"{}\" (x{}, {})", quoted(&pattern.text), pattern.count, pattern.trend.name())
}

fn more(all: usize) -> String {
    if all > OTHERS { format!("  - and {} more\n", all - OTHERS) } else { String::new() }
}

fn named(of: &str) -> String {
    if matches!(of, "errors" | "warnings" | "lines") { of.to_owned() } else { format!("\"{}\"", quoted(of)) }
}

/// Nothing that could command a terminal, and not too long.
pub(super) fn quoted(text: &str) -> String {
    let clean = crate::line::neutralise(text.lines().next().unwrap_or_default().as_bytes(), false);
    cut(&clean, QUOTED_CHARS)
}

pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default().trim_end()),
        None => text.to_owned(),
    }
}

/// `3,210`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `45min ago`
pub fn ago(time_us: u64, now_us: u64) -> String {
    let seconds = now_us.saturating_sub(time_us) / 1_000_000;
    let text = match seconds {
        0..=1 => return "just now".to_owned(),
        2..=89 => format!("{seconds}s"),
        90..=5_399 => format!("{}min", (seconds + 30) / 60),
        5_400..=129_599 => format!("{}h", (seconds + 1_800) / 3_600),
        _ => format!("{}d", (seconds + 43_200) / 86_400),
    };
    format!("{text} ago")
}

impl Trend {
    /// One character for compact forms.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::New => "*",
            Self::Rising => "+",
            Self::Falling => "-",
            Self::Stable => "=",
            Self::Gone => "0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let now = 1_000_000_000_000;
        let ago = |seconds: u64| ago(now - seconds * 1_000_000, now);
        let told = [0, 5, 89, 90, 2_700, 5_400, 86_400, 200_000].map(ago);
        let expected =
            ["just now", "5s ago", "89s ago", "2min ago", "45min ago", "2h ago", "24h ago", "2d ago"];
        assert_eq!(told, expected);
        assert_eq!(cut("abcdef", 3), "abc…");
        assert_eq!(quoted("a\x1b[2Jb\nsecond"), "a␛[2Jb");
    }
}
