//! Room below a short table: what the selected process used in the last minute, larger than in its row.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use velos_core::units::short_bytes;

use super::{text, theme};
use crate::model::{Link, Model};
use crate::table::{Row, SAMPLES_MAX};

/// Lines of a graph at least, and at most.
const GRAPH: (usize, usize) = (3, 8);
/// A title above each of the two graphs, and a line between them.
const AROUND: usize = 4;

/// Lines that the card needs at least.
pub(crate) const LINES_MIN: u16 = (2 * GRAPH.0 + AROUND) as u16;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let (width, height) = (usize::from(area.width).saturating_sub(2), usize::from(area.height));
    let Some(row) = model.table.row().filter(|_| !matches!(model.link, Link::Away { .. })) else { return };
    let graph = (height.saturating_sub(AROUND) / 2).clamp(GRAPH.0, GRAPH.1);
    let mut lines = vec![Line::default()];
    lines.extend(cpu(model, row, width, graph));
    lines.push(Line::default());
    lines.extend(memory(model, row, width, graph));
    for (line, y) in lines.into_iter().zip(area.y..area.bottom()) {
        frame.render_widget(line, Rect { x: area.x + 2, y, width: area.width.saturating_sub(2), height: 1 });
    }
}

fn cpu(model: &Model, row: &Row, width: usize, height: usize) -> Vec<Line<'static>> {
    let values: Vec<u64> = row.cpu.last(width.min(SAMPLES_MAX)).collect();
    let most = values.iter().copied().max().unwrap_or(0);
    let percent = |value: u64| format!("{}.{}%", value / 100, value % 100 / 10);
    let now = row.one.cpu_centipercent.map_or_else(|| "-".to_owned(), |value| percent(value.into()));
    let title = title(&format!("{} cpu {now}", row.name()), &format!("peak {}", percent(most)), width);
    graph(model, title, &values, most.max(1_000), width, height)
}

fn memory(model: &Model, row: &Row, width: usize, height: usize) -> Vec<Line<'static>> {
    let values: Vec<u64> = row.memory.last(width.min(SAMPLES_MAX)).collect();
    let peak = values.iter().copied().max().unwrap_or(0);
    let now = row.one.rss_bytes.map_or_else(|| "-".to_owned(), short_bytes);
    let title = title(&format!("memory {now}"), &format!("peak {}", short_bytes(peak)), width);
    // From nothing, with some air above: what is level looks level.
    graph(model, title, &values, peak + peak / 4, width, height)
}

fn title(left: &str, right: &str, width: usize) -> Line<'static> {
    let width = width.min(SAMPLES_MAX);
    let room = width.saturating_sub(text::columns(right) + 1);
    Line::from(vec![
        Span::styled(text::left(left, room), theme::bold()),
        Span::raw(" "),
        Span::styled(right.to_owned(), theme::dim()),
    ])
}

fn graph(
    model: &Model,
    title: Line<'static>,
    values: &[u64],
    most: u64,
    width: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let style = theme::accent(model.look);
    let rows = theme::graph(model.look, values, most, width.min(SAMPLES_MAX), height);
    let rows = rows.into_iter().map(|row| Line::styled(row, Style::new().patch(style)));
    std::iter::once(title).chain(rows).collect()
}
