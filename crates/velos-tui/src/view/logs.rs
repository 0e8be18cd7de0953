//! The log: what fits, from the newest line upwards.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{text, theme};
use crate::logs::LogLine;
use crate::model::Model;

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
    let parts = if logs.wrap {
        text::parts(&line.text, room)
    } else {
        vec![(text::skip(&line.text, logs.left), line.text.len())]
    };
    let hits = logs.search.places(&line.text);
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
