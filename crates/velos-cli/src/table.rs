//! Tables of box characters that fit the terminal.

use crate::columns::{columns_of, cut};

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) right: bool,
    /// The highest goes first when there is no room; 0 stays.
    pub(crate) expendable: u8,
}

/// A cell: its text, and its colour as an SGR number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    colour: Option<&'static str>,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), colour: None }
    }

    pub(crate) fn coloured(text: impl Into<String>, colour: &'static str) -> Self {
        Self { text: text.into(), colour: Some(colour) }
    }
}

/// Narrower is no cell cut.
const CELL_MIN: usize = 4;

/// Draw a table; columns drop by rank until it fits, then the widest is cut.
pub(crate) fn table(columns: &[Column], rows: &[Vec<Cell>], width: usize, colour: bool) -> String {
    let layout = Layout::new(columns, rows, width);
    let mut out = layout.rule("┌", "┬", "┐");
    let titles: Vec<Cell> = columns.iter().map(|column| Cell::coloured(column.title, "1")).collect();
    layout.row(&mut out, columns, &titles, colour);
    out.push_str(&layout.rule("├", "┼", "┤"));
    for row in rows {
        layout.row(&mut out, columns, row, colour);
    }
    out.push_str(&layout.rule("└", "┴", "┘"));
    out
}

/// Number and width of each column that is shown.
struct Layout(Vec<(usize, usize)>);

impl Layout {
    fn new(columns: &[Column], rows: &[Vec<Cell>], width: usize) -> Self {
        let natural = |n: usize, column: &Column| {
            let cells = rows.iter().filter_map(|row| row.get(n)).map(|cell| columns_of(&cell.text));
            cells.max().unwrap_or(0).max(columns_of(column.title))
        };
        let mut shown: Vec<(usize, usize)> =
            columns.iter().enumerate().map(|(n, column)| (n, natural(n, column))).collect();
        let total = |shown: &[(usize, usize)]| shown.iter().map(|(_, width)| width + 3).sum::<usize>() + 1;
        let rank = |n: usize| columns.get(n).map_or(0, |column| column.expendable);
        while total(&shown) > width {
            let Some(worst) = shown.iter().map(|(n, _)| *n).filter(|n| rank(*n) > 0).max_by_key(|n| rank(*n))
            else {
                break;
            };
            shown.retain(|(n, _)| *n != worst);
        }
        let excess = total(&shown).saturating_sub(width);
        if excess > 0
            && let Some((_, widest)) = shown.iter_mut().max_by_key(|(_, width)| *width)
        {
            *widest = widest.saturating_sub(excess).max(CELL_MIN);
        }
        Self(shown)
    }

    fn rule(&self, left: &str, middle: &str, right: &str) -> String {
        let parts: Vec<String> = self.0.iter().map(|(_, width)| "─".repeat(width + 2)).collect();
        format!("{left}{}{right}\n", parts.join(middle))
    }

    fn row(&self, out: &mut String, columns: &[Column], cells: &[Cell], colour: bool) {
        for (n, width) in &self.0 {
            let cell = cells.get(*n).cloned().unwrap_or_default();
            let text = cut(&cell.text, *width);
            let pad = " ".repeat(width.saturating_sub(columns_of(&text)));
            let text = match cell.colour.filter(|_| colour) {
                Some(number) => format!("\x1b[{number}m{text}\x1b[0m"),
                None => text,
            };
            out.push_str("│ ");
            if columns.get(*n).is_some_and(|column| column.right) {
                out.extend([pad, text]);
            } else {
                out.extend([text, pad]);
            }
            out.push(' ');
        }
        out.push_str("│\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { title: "id", right: true, expendable: 0 },
        Column { title: "name", right: false, expendable: 0 },
        Column { title: "user", right: false, expendable: 1 },
    ];

    fn row(name: &str) -> Vec<Cell> {
        vec![Cell::new("0"), Cell::new(name), Cell::new("root")]
    }

    #[test]
    fn columns_drop_then_the_widest_is_cut() {
        let line = |width: usize, n: usize| -> String {
            table(&COLUMNS, &[row("a-long-name")], width, false).lines().nth(n).unwrap_or_default().to_owned()
        };
        assert_eq!(line(100, 1), "│ id │ name        │ user │");
        assert_eq!(line(100, 3), "│  0 │ a-long-name │ root │");
        assert_eq!(line(20, 3), "│  0 │ a-long-name │");
        assert_eq!(line(15, 3), "│  0 │ a-lon… │");
    }

    #[test]
    fn every_line_is_as_wide_as_the_others() {
        for width in 15..60 {
            for name in ["api", "ünïcode", "日本語のアプリ", "e\u{301}clair", "🚀-rocket"] {
                let text = table(&COLUMNS, &[row(name), row("plain")], width, false);
                let widths: Vec<usize> = text.lines().map(columns_of).collect();
                assert!(
                    widths.iter().all(|one| *one == widths[0] && *one <= width),
                    "{name} {width}: {widths:?}"
                );
            }
        }
    }

    #[test]
    fn colour_does_not_move_anything() {
        let rows = [vec![Cell::new("0"), Cell::coloured("api", "32"), Cell::new("root")]];
        let plain = table(&COLUMNS, &rows, 80, false);
        let coloured = table(&COLUMNS, &rows, 80, true);
        assert!(coloured.contains("\x1b[32mapi\x1b[0m"));
        let stripped = coloured.replace("\x1b[32m", "").replace("\x1b[1m", "").replace("\x1b[0m", "");
        assert_eq!(stripped, plain);
    }
}
