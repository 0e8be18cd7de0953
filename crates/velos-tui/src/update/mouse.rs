//! The mouse: click chooses, the wheel scrolls what is under it.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::act::{step, tab};
use super::{keys, select};
use crate::layout::areas;
use crate::model::{Focus, Mode, Model};
use crate::msg::Effect;

/// Lines of one notch.
const NOTCH: usize = 3;

pub(super) fn mouse(model: &mut Model, event: MouseEvent) -> Vec<Effect> {
    let Some(areas) = areas(model).filter(|_| model.mode == Mode::Normal) else { return Vec::new() };
    let at = Position::new(event.column, event.row);
    match event.kind {
        MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
            let up = event.kind == MouseEventKind::ScrollUp;
            if areas.rows.contains(at) || areas.titles.contains(at) {
                return step(model, if up { -1 } else { 1 });
            }
            keys::scroll_pane(model, up, NOTCH);
        }
        MouseEventKind::Down(MouseButton::Left) => {
            if areas.rows.contains(at) {
                model.focus = Focus::Table;
                let first = model.table.first_shown(usize::from(areas.rows.height));
                let place = first + usize::from(at.y - areas.rows.y);
                if place < model.table.shown().len() {
                    return select(model, place);
                }
            } else if areas.titles.contains(at) {
                if let Some(sort) = crate::view::sort_at(model, areas.titles, at.x) {
                    model.table.sort = sort;
                    model.tell(format!("sorted by {}", sort.name()), true);
                }
            } else if areas.tabs.contains(at) {
                if let Some(wanted) = crate::view::tab_at(areas.tabs, at.x) {
                    return tab(model, wanted);
                }
            } else if areas.body.contains(at) {
                model.focus = Focus::Pane;
            }
        }
        _ => {}
    }
    Vec::new()
}
