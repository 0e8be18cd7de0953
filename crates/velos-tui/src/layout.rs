//! Where everything stands: asked by the view and by the mouse.

use ratatui::layout::Rect;

use crate::model::Model;
use crate::view::CARD_LINES_MIN;

/// Smallest terminal that is drawn.
pub(crate) const SIZE_MIN: (u16, u16) = (60, 15);
/// From so many columns the pane stands beside the table.
const WIDE: u16 = 120;

/// The parts of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Areas {
    /// One line: host, daemon, states.
    pub(crate) header: Rect,
    /// Titles of the columns.
    pub(crate) titles: Rect,
    /// The processes.
    pub(crate) rows: Rect,
    /// Below a short table: the selected process at large.
    pub(crate) card: Rect,
    /// A line between table and pane, when they stand side by side.
    pub(crate) border: Rect,
    /// The bar of tabs.
    pub(crate) tabs: Rect,
    /// What the tab shows.
    pub(crate) body: Rect,
    /// Keys, or what is typed, or what was done.
    pub(crate) footer: Rect,
}

/// `None`: the terminal is too small.
pub(crate) fn areas(model: &Model) -> Option<Areas> {
    let (width, height) = model.size;
    if width < SIZE_MIN.0 || height < SIZE_MIN.1 {
        return None;
    }
    let line = |y| Rect::new(0, y, width, 1);
    let (header, footer) = (line(0), line(height - 1));
    let none = Rect::ZERO;
    let inner = height - 2;
    if model.full {
        let body = Rect::new(0, 2, width, inner - 1);
        let (titles, rows, card, border) = (none, none, none, none);
        return Some(Areas { header, titles, rows, card, border, tabs: line(1), body, footer });
    }
    if width >= WIDE {
        let table = width * 9 / 20;
        let right = width - table - 1;
        let processes = u16::try_from(model.table.shown().len()).unwrap_or(u16::MAX);
        let left = (inner - 1).saturating_sub(processes.max(1));
        let card = if left < CARD_LINES_MIN { 0 } else { left };
        let rows = inner - 1 - card;
        return Some(Areas {
            header,
            titles: Rect::new(0, 1, table, 1),
            rows: Rect::new(0, 2, table, rows),
            card: Rect::new(0, 2 + rows, table, card),
            border: Rect::new(table, 1, 1, inner),
            tabs: Rect::new(table + 1, 1, right, 1),
            body: Rect::new(table + 1, 2, right, inner - 1),
            footer,
        });
    }
    let processes = u16::try_from(model.table.shown().len()).unwrap_or(u16::MAX);
    let rows = processes.clamp(3, ((inner - 2) * 2 / 5).max(3));
    Some(Areas {
        header,
        titles: line(1),
        rows: Rect::new(0, 2, width, rows),
        card: none,
        border: none,
        tabs: line(2 + rows),
        body: Rect::new(0, 3 + rows, width, inner - 2 - rows),
        footer,
    })
}

/// Rows that a page of the pane has.
pub(crate) fn page(model: &Model) -> usize {
    areas(model).map_or(1, |areas| usize::from(areas.body.height))
}
