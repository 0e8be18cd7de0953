//! Log lines in few tokens: times once and then as steps of seconds, the app's own copy of the time left out, JSON lines as
//! level, message and fields, a beginning that all lines have said once, repetitions counted.

use velos_log_engine::Stream;

use crate::clean::{LINE_CHARS_MAX, capped, fenced};
use crate::clock;
use crate::logs::{Row, Source};
use crate::tokens;

/// A beginning shorter than this is not worth a line of its own.
const PREFIX_CHARS_MIN: usize = 12;

/// What is shown of rows.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// With the fence.
    pub(crate) text: String,
    /// Rows that are in it, from the end the budget was spent from.
    pub(crate) rows: usize,
}

/// Which rows are dropped when there are more than the budget allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The newest stay.
    Newest,
    /// The oldest stay; the rest is read with the cursor.
    Oldest,
}

/// Text of rows that costs about `max_tokens` at most.
pub(crate) fn render(rows: &[Row], sources: &[Source], max_tokens: usize, keep: Keep) -> Shown {
    let mut rows = rows;
    let costs: Vec<usize> = rows.iter().map(cost).collect();
    let total: usize = costs.iter().sum();
    if total > max_tokens {
        let mut spent = 0;
        let mut fits = |cost: &&usize| {
            spent += **cost;
            spent <= max_tokens
        };
        let count = match keep {
            Keep::Newest => costs.iter().rev().take_while(&mut fits).count(),
            Keep::Oldest => costs.iter().take_while(&mut fits).count(),
        };
        // Repetitions cost nothing, but one line is always shown.
        let count = count.max(1).min(rows.len());
        rows = match keep {
            Keep::Newest => rows.get(rows.len() - count..).unwrap_or_default(),
            Keep::Oldest => rows.get(..count).unwrap_or_default(),
        };
    }
    Shown { text: lines(rows, sources), rows: rows.len() }
}

fn cost(row: &Row) -> usize {
    tokens::estimate(&capped(&message(&row.text), LINE_CHARS_MAX)) + 2
}

fn lines(rows: &[Row], sources: &[Source]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let messages: Vec<String> = rows.iter().map(|row| capped(&message(&row.text), LINE_CHARS_MAX)).collect();
    let prefix = common_prefix(&messages);
    let has_many = sources.len() > 1;
    let has_both = rows.iter().any(|row| row.stream != first.stream);
    let mut head = String::new();
    if let Some(time) = rows.iter().find_map(|row| row.time_us) {
        head.push_str(&format!("from {}", clock::moment_us(time)));
    }
    if has_both {
        head.push_str("; ! marks stderr");
    } else if first.stream == Stream::Err {
        head.push_str("; all stderr");
    }
    if !prefix.is_empty() {
        head.push_str(&format!("; each line begins with: {prefix}"));
    }
    let mut out: Vec<String> = Vec::new();
    let mut last: Option<Folded> = None;
    let mut second = rows.iter().find_map(|row| row.time_us).map(|time| time / 1_000_000);
    let mut source = None;
    for (row, message) in rows.iter().zip(&messages) {
        let text = message.get(prefix.len()..).unwrap_or(message);
        let mark = if has_both && row.stream == Stream::Err { "!" } else { "" };
        let line = format!("{mark}{text}");
        if let Some(before) = &mut last
            && before.line == line
            && source == Some(row.source)
        {
            before.count += 1;
            continue;
        }
        out.extend(last.take().map(Folded::told));
        if has_many && source != Some(row.source) {
            let name = sources.get(row.source).map_or("?", |source| source.name.as_str());
            out.push(format!("[{name}]"));
        }
        source = Some(row.source);
        let now = row.time_us.map(|time| time / 1_000_000);
        let step = match (second, now) {
            (Some(before), Some(now)) if now > before => format!("+{}s ", now - before),
            _ => String::new(),
        };
        second = now.or(second);
        last = Some(Folded { step, line, count: 1 });
    }
    out.extend(last.map(Folded::told));
    let head = head.trim_start_matches("; ").to_owned();
    let head = if head.is_empty() { head } else { format!("{head}\n") };
    format!("{head}{}", fenced(&out))
}

/// A line and how often it came in a row.
struct Folded {
    step: String,
    line: String,
    count: usize,
}

impl Folded {
    fn told(self) -> String {
        match self.count {
            1 => format!("{}{}", self.step, self.line),
            count => format!("{}{} (x{count})", self.step, self.line),
        }
    }
}

/// What all messages begin with, up to a blank.
fn common_prefix(messages: &[String]) -> String {
    let Some((first, others)) = messages.split_first().filter(|(_, others)| others.len() >= 3) else {
        return String::new();
    };
    let mut length = first.len();
    for other in others {
        let same = first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        length = length.min(same);
    }
    while !first.is_char_boundary(length) {
        length -= 1;
    }
    let end = first.get(..length).and_then(|text| text.rfind(' ')).map_or(0, |at| at + 1);
    match first.get(..end) {
        Some(prefix) if prefix.chars().count() >= PREFIX_CHARS_MIN => prefix.to_owned(),
        _ => String::new(),
    }
}

/// The line without the time that it carries itself, JSON as text.
pub(crate) fn message(line: &str) -> String {
    if line.starts_with('{')
        && let Some(text) = of_json(line)
    {
        return text;
    }
    let rest = without_time(line);
    if rest.is_empty() { line.to_owned() } else { rest.to_owned() }
}

/// Keys that say what Velos knows better, or what no reader needs.
const NOISE: [&str; 9] =
    ["time", "timestamp", "ts", "@timestamp", "pid", "hostname", "host", "v", "datetime"];

fn of_json(line: &str) -> Option<String> {
    let serde_json::Value::Object(map) = serde_json::from_str(line).ok()? else { return None };
    let text_key =
        ["msg", "message"].into_iter().find(|key| map.get(*key).is_some_and(|value| value.is_string()))?;
    let level = ["level", "severity", "lvl"].into_iter().find_map(|key| map.get(key)).map(level_name);
    let mut text = level.map_or(String::new(), |level| format!("{level} "));
    text.push_str(map.get(text_key).and_then(|value| value.as_str()).unwrap_or_default());
    for (key, value) in &map {
        if key == text_key
            || NOISE.contains(&key.as_str())
            || ["level", "severity", "lvl"].contains(&key.as_str())
        {
            continue;
        }
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!(" {key}={value}"));
    }
    Some(text)
}

/// pino's numbers as words.
fn level_name(value: &serde_json::Value) -> String {
    match value.as_u64() {
        Some(10) => "TRACE".to_owned(),
        Some(20) => "DEBUG".to_owned(),
        Some(30) => "INFO".to_owned(),
        Some(40) => "WARN".to_owned(),
        Some(50) => "ERROR".to_owned(),
        Some(60) => "FATAL".to_owned(),
        _ => value.as_str().map_or_else(|| value.to_string(), str::to_uppercase),
    }
}

/// Behind a leading date and time, with or without brackets: `2026-01-31T10:00:00.123Z`, `[10:00:00]`, `2026/01/31 10:00:00`.
fn without_time(line: &str) -> &str {
    let open = line.starts_with('[');
    let body = line.strip_prefix('[').unwrap_or(line);
    let Some(length) = time_length(body) else { return line };
    let rest = body.get(length..).unwrap_or_default();
    let rest = match (open, rest.strip_prefix(']')) {
        (true, Some(rest)) => rest,
        (true, None) => return line,
        (false, _) => rest,
    };
    match rest.strip_prefix([' ', ':']) {
        Some(rest) => rest.trim_start(),
        None if rest.is_empty() => line,
        None => line,
    }
}

/// Length of a date with a time, or of a time, at the start.
fn time_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let fits = |from: usize, form: &str| {
        form.bytes().enumerate().all(|(at, wanted)| match (wanted, bytes.get(from + at)) {
            (b'0', Some(byte)) => byte.is_ascii_digit(),
            (b'-', Some(byte)) => matches!(byte, b'-' | b'/'),
            (b'T', Some(byte)) => matches!(byte, b'T' | b' '),
            (wanted, Some(byte)) => wanted == *byte,
            (_, None) => false,
        })
    };
    let mut at = if fits(0, "0000-00-00T00:00:00") {
        19
    } else if fits(0, "00:00:00") {
        8
    } else {
        return None;
    };
    if bytes.get(at).is_some_and(|byte| matches!(byte, b'.' | b',')) {
        let digits = bytes.iter().skip(at + 1).take_while(|byte| byte.is_ascii_digit()).count();
        at += if digits > 0 { digits + 1 } else { 0 };
    }
    if bytes.get(at) == Some(&b'Z') {
        at += 1;
    } else if fits(at, "+00:00") || bytes.get(at) == Some(&b'-') && fits(at + 1, "00:00") {
        at += 6;
    } else if fits(at, "+0000") {
        at += 5;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_log_engine::Level;

    fn row(second: u64, stream: Stream, text: &str) -> Row {
        Row { time_us: Some(second * 1_000_000), stream, level: Level::Info, ..Row::of_text(text) }
    }

    fn body(rows: &[Row]) -> String {
        let text = render(rows, &[], 10_000, Keep::Newest).text;
        let start = text.find("<untrusted-log>\n").unwrap() + 16;
        text[start..].replace("</untrusted-log>\n", "")
    }

    #[test]
    fn repeats_are_counted_and_times_are_steps() {
        let out = Stream::Out;
        let rows = [
            row(10, out, "a"),
            row(10, out, "b"),
            row(10, out, "b"),
            row(13, out, "c"),
            row(13, out, "c"),
            row(13, out, "d"),
        ];
        assert_eq!(body(&rows), "a\nb (x2)\n+3s c (x2)\nd\n");
        let rows = [row(1, out, "a"), row(1, Stream::Err, "a")];
        assert_eq!(body(&rows), "a\n!a\n");
    }

    #[test]
    fn own_times_and_common_beginnings_are_left_out() {
        for (line, expected) in [
            ("2026-01-31T10:00:00.123Z INFO x", "INFO x"),
            ("[2026-01-31 10:00:00,123] x", "x"),
            ("2026/01/31 10:00:00 x", "x"),
            ("10:00:00 x", "x"),
            ("10:00:00", "10:00:00"),
            ("10:00:00x", "10:00:00x"),
            ("2026-01-31T10:00:00+01:00 x", "x"),
            ("12 monkeys", "12 monkeys"),
            (r#"{"level":50,"time":1,"pid":2,"hostname":"h","msg":"no db","code":7}"#, "ERROR no db code=7"),
            (r#"{"a":1}"#, r#"{"a":1}"#),
        ] {
            assert_eq!(message(line), expected);
        }
        let rows: Vec<Row> =
            (0..4).map(|n| row(1, Stream::Out, &format!("worker pool main: task {n} done"))).collect();
        let text = render(&rows, &[], 10_000, Keep::Newest).text;
        assert!(text.contains("each line begins with: worker pool main: task \n"), "{text}");
        assert!(text.contains("\n0 done\n1 done\n"), "{text}");
    }

    #[test]
    fn the_budget_cuts_at_the_right_end() {
        let rows: Vec<Row> =
            (0..100).map(|n| row(1, Stream::Out, &format!("line number {n} of them"))).collect();
        let newest = render(&rows, &[], 100, Keep::Newest);
        assert!(
            newest.rows < 20 && newest.text.contains("99") && !newest.text.contains(" 3 "),
            "{}",
            newest.text
        );
        let oldest = render(&rows, &[], 100, Keep::Oldest);
        assert!(oldest.rows < 20 && oldest.text.contains("0 of them") && !oldest.text.contains("99"));
        assert!(tokens::estimate(&newest.text) <= 140);
    }
}
