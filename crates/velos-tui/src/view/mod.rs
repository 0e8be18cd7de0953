//! What is seen of the model.

mod card;
mod config;
mod digest;
mod footer;
mod header;
mod logs;
mod pane;
mod popup;
mod runs;
mod table;
mod text;
mod theme;

#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::layout::{Areas, SIZE_MIN, areas};
use crate::model::{Mode, Model, Tab};

pub(crate) use card::LINES_MIN as CARD_LINES_MIN;
pub(crate) use pane::tab_at;
#[cfg(test)]
pub(crate) use popup::KEYS;
pub(crate) use table::sort_at;

/// Draw all of it.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    let Some(areas) = areas(model) else { return too_small(model, frame) };
    header::draw(model, frame, areas.header);
    if areas.rows.height > 0 {
        table::draw(model, frame, areas.titles, areas.rows);
    }
    if areas.card.height > 0 {
        card::draw(model, frame, areas.card);
    }
    border(model, frame, areas.border);
    pane::draw_tabs(model, frame, areas.tabs);
    draw_body(model, frame, &areas);
    footer::draw(model, frame, areas.footer);
    match &model.mode {
        Mode::Help { scroll } => popup::help(model, frame, *scroll),
        Mode::Confirm { verb, targets } => popup::confirm(model, frame, *verb, targets),
        Mode::Palette { text, chosen } => popup::palette(model, frame, text, *chosen),
        Mode::Normal | Mode::Typing { .. } => {}
    }
}

fn draw_body(model: &Model, frame: &mut Frame<'_>, areas: &Areas) {
    if model.tab == Tab::Logs {
        return logs::draw(model, frame, areas.body);
    }
    let lines = pane::lines(model, usize::from(areas.body.width));
    let first = model.scroll.min(lines.len().saturating_sub(usize::from(areas.body.height)));
    let shown = lines.into_iter().skip(first);
    for (line, y) in shown.zip(areas.body.y..areas.body.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..areas.body });
    }
}

/// Lines of the pane, for scrolling.
pub(crate) fn pane_lines(model: &Model) -> usize {
    let width = areas(model).map_or(0, |areas| usize::from(areas.body.width));
    pane::lines(model, width).len()
}

fn border(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let glyph = if model.look.unicode { "│" } else { "|" };
    for y in area.y..area.bottom() {
        frame.render_widget(Line::styled(glyph, theme::dim()), Rect { y, height: 1, ..area });
    }
}

fn too_small(model: &Model, frame: &mut Frame<'_>) {
    let (width, height) = model.size;
    let (least_width, least_height) = SIZE_MIN;
    let texts = [
        format!("this terminal is {width}x{height}"),
        format!("velos monit needs {least_width}x{least_height}"),
        "make it larger, or q quits".to_owned(),
    ];
    let area = frame.area();
    let top = area.y + area.height.saturating_sub(3) / 2;
    for (text, y) in texts.into_iter().zip(top..area.bottom()) {
        frame.render_widget(Line::from(text).centered(), Rect { y, height: 1, ..area });
    }
}
