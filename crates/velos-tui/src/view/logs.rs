//! The log: what fits, from the newest line upwards.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use velos_log_engine::query::own_time;

use super::{text, theme};
use crate::logs::LogLine;
use crate::model::Model;

/// `2026-03-01T10:05:03`
const DATE_TIME: usize = 19;
/// Between writing a line and reading it.
const SAME_US: u64 = 5_000_000;
/// From so many columns each line has its time.
const WITH_TIME: usize = 50;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let logs = &model.logs;
    let mut newest_first: Vec<Line<'static>> = Vec::new();
    for (number, line) in logs.shown().rev().skip(logs.back) {
        if newest_first.len() >= height {
            break;
        }
        let rows = rows(model, number, line, width);
        newest_first.extend(rows.into_iter().rev());
    }
    newest_first.truncate(height);
    if newest_first.is_empty() {
        return draw_empty(model, frame, area);
    }
    for (line, y) in newest_first.into_iter().rev().zip(area.y..area.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
}

fn draw_empty(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let logs = &model.logs;
    let says = match &logs.failure {
        Some(reason) => format!(" the log cannot be read: {reason}"),
        None if model.table.selected.is_none() => " no process is selected".to_owned(),
        None if logs.is_empty() => " it has not printed anything yet".to_owned(),
        None => format!(" none of {} lines fits; m changes the level, & the text", logs.len()),
    };
    let line = Line::styled(text::cut(&says, usize::from(area.width)), theme::dim());
    frame.render_widget(line, Rect { height: 1, ..area });
}

/// One line: time, level, stream, text.
fn rows(model: &Model, number: u64, line: &LogLine, width: usize) -> Vec<Line<'static>> {
    let (look, logs) = (model.look, &model.logs);
    let is_found = logs.found == Some(number);
    let time = line.time_us.map_or_else(|| " ".repeat(8), |time_us| model.clock.time_us(time_us));
    let bar = if look.unicode { "│" } else { "|" };
    let style = theme::level(look, line.level);
    let mut head = Vec::new();
    if width >= WITH_TIME {
        head.push(Span::styled(time, if is_found { theme::chosen() } else { theme::dim() }));
        head.push(Span::raw(" "));
    }
    head.push(Span::styled(if is_found { ">" } else { theme::letter(line.level) }, style));
    // What came on standard error has a bar.
    head.push(Span::styled(if line.is_err { bar } else { " " }, theme::warn(look)));
    let room = width.saturating_sub(head.iter().map(|span| text::columns(&span.content)).sum());
    let hits = logs.search.places(&line.text);
    // The time that the line itself begins with is said already, unless it is what was looked for.
    let lead = if width >= WITH_TIME { lead(line) } else { 0 };
    let lead = if hits.iter().any(|(start, _)| *start < lead) { 0 } else { lead };
    let seen = line.text.get(lead..).unwrap_or_default();
    let parts: Vec<(usize, usize)> = if logs.wrap {
        text::parts(seen, room).into_iter().map(|(from, to)| (from + lead, to + lead)).collect()
    } else {
        vec![(lead + text::skip(seen, logs.left), line.text.len())]
    };
    let indent = width.saturating_sub(room);
    let mut rows = Vec::new();
    for (n, part) in parts.into_iter().enumerate() {
        let mut row = if n == 0 { Line::from(head.clone()) } else { Line::from(" ".repeat(indent)) };
        row.spans.extend(marked(&line.text, part, &hits, style));
        if !logs.wrap && row.width() > width {
            row = shortened(row, width);
        }
        rows.push(row);
    }
    rows
}

/// Bytes of a time at the start of a line that is the one beside it.
fn lead(line: &LogLine) -> usize {
    let text = line.text.as_str();
    let (Some(own_us), Some(time_us)) = (own_time(text.as_bytes()), line.time_us) else { return 0 };
    if own_us.abs_diff(time_us) > SAME_US {
        return 0;
    }
    let bracket = usize::from(text.starts_with('['));
    let rest = text.get(bracket + DATE_TIME..).unwrap_or_default();
    let fraction = rest.strip_prefix(['.', ',']).map_or(0, |rest| 1 + digits(rest));
    let zone = rest.get(fraction..).unwrap_or_default();
    let gap = usize::from(zone.starts_with(" +") || zone.starts_with(" -"));
    let zone = match zone.get(gap..).unwrap_or_default() {
        zone if zone.starts_with('Z') => 1,
        zone if zone.starts_with(['+', '-']) && digits(zone.get(1..).unwrap_or_default()) >= 2 => {
            gap + zone
                .find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | ':')))
                .unwrap_or(zone.len())
        }
        _ => 0,
    };
    let end = bracket + DATE_TIME + fraction + zone;
    let behind = text.get(end..).unwrap_or_default();
    let behind = if bracket > 0 { behind.strip_prefix(']').unwrap_or(behind) } else { behind };
    // Where nothing else is, the time is the message.
    let message = behind.trim_start_matches([' ', ':', '|']);
    if message.is_empty() || message.len() == behind.len() { 0 } else { text.len() - message.len() }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A part of a text with what was looked for standing out.
fn marked(
    text: &str,
    (from, to): (usize, usize),
    hits: &[(usize, usize)],
    style: Style,
) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut at = from;
    let slice = |from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    for (start, end) in hits.iter().map(|(start, end)| ((*start).max(from), (*end).min(to))) {
        if start < end && start >= at {
            spans.push(Span::styled(slice(at, start), style));
            spans.push(Span::styled(slice(start, end), style.patch(theme::chosen())));
            at = end;
        }
    }
    spans.push(Span::styled(slice(at, to), style));
    spans
}

/// With an ellipsis where it goes on.
fn shortened(line: Line<'static>, width: usize) -> Line<'static> {
    let mut left = width;
    let mut short = Line::default();
    for span in line.spans {
        let columns = text::columns(&span.content);
        if columns < left {
            left -= columns;
            short.push_span(span);
            continue;
        }
        // One column more than there is room makes the ellipsis appear.
        let content = text::cut(&format!("{}  ", span.content), left);
        short.push_span(Span::styled(content, span.style));
        break;
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_log_engine::Level;

    #[test]
    fn a_time_that_is_said_already_is_left_out() {
        let of = |text: &str, time_us| {
            let line = LogLine { time_us, is_err: false, level: Level::Info, text: text.to_owned() };
            text[lead(&line)..].to_owned()
        };
        let now = Some(1_772_359_503_500_000);
        for line in [
            "2026-03-01T10:05:03.123Z ready",
            "[2026-03-01T10:05:03Z] ready",
            "2026-03-01 11:05:03,123 +0100 ready",
            "2026-03-01T05:05:03.123456-05:00 ready",
        ] {
            assert_eq!(of(line, now), "ready", "{line}");
            assert_eq!(of(line, None), line);
            assert_eq!(of(line, Some(1_772_359_603_500_000)), line, "another time");
        }
        for line in [
            "2026-03-01T10:05:03.123Z",
            "2026-03-01T10:05:03.123Zebra",
            "ready",
            "",
            "{\"time\":\"2026-03-01T10:05:03Z\"}",
        ] {
            assert_eq!(of(line, now), line);
        }
    }
}
