//! Text and JSON on their way out: one write, tables that fit the terminal.

use std::io::{ErrorKind, IsTerminal, Write};

use serde::Serialize;
use velos_core::error::{ErrorCode, ErrorReply};

/// Write data. A reader that went away (`velos logs -f | head`) ends us, and that is no failure.
#[expect(clippy::exit, reason = "there is nobody left to write for")]
pub(crate) fn print(text: &str) -> Result<(), ErrorReply> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            Err(ErrorReply::new(ErrorCode::Failed, format!("cannot write to standard output: {error}")))
        }
        Ok(()) => Ok(()),
    }
}

/// One JSON document.
pub(crate) fn print_json<T: Serialize>(value: &T) -> Result<(), ErrorReply> {
    let mut text = serde_json::to_string(value)
        .map_err(|error| ErrorReply::new(ErrorCode::Internal, format!("cannot make JSON: {error}")))?;
    text.push('\n');
    print(&text)
}

/// Columns of the terminal; `COLUMNS` wins, no limit elsewhere.
pub(crate) fn width() -> usize {
    if let Some(columns) = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()) {
        return columns;
    }
    if std::io::stdout().is_terminal() { terminal_columns().unwrap_or(80) } else { usize::MAX }
}

fn terminal_columns() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) right: bool,
    /// The highest goes first when there is no room; 0 stays.
    pub(crate) expendable: u8,
}

/// Draw a table with box characters; columns drop by rank until it fits, then the widest is cut.
pub(crate) fn table(columns: &[Column], rows: &[Vec<String>], width: usize) -> String {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(n, column)| {
            rows.iter().map(|row| columns_of(&row[n])).max().unwrap_or(0).max(column.title.len())
        })
        .collect();
    let total = |shown: &[usize]| shown.iter().map(|n| natural[*n] + 3).sum::<usize>() + 1;
    while total(&shown) > width {
        let Some(worst) = shown
            .iter()
            .copied()
            .filter(|n| columns[*n].expendable > 0)
            .max_by_key(|n| columns[*n].expendable)
        else {
            break;
        };
        shown.retain(|n| *n != worst);
    }
    let mut widths = natural.clone();
    let excess = total(&shown).saturating_sub(width);
    if excess > 0
        && let Some(widest) = shown.iter().copied().max_by_key(|n| natural[*n])
    {
        widths[widest] = natural[widest].saturating_sub(excess).max(4);
    }
    let rule = |left: &str, middle: &str, right: &str| {
        let parts: Vec<String> = shown.iter().map(|n| "─".repeat(widths[*n] + 2)).collect();
        format!("{left}{}{right}\n", parts.join(middle))
    };
    let line = |cells: &dyn Fn(usize) -> String| {
        let parts: Vec<String> =
            shown.iter().map(|n| format!(" {} ", fit(&cells(*n), widths[*n], columns[*n].right))).collect();
        format!("│{}│\n", parts.join("│"))
    };
    let mut out = rule("┌", "┬", "┐");
    out.push_str(&line(&|n| columns[n].title.to_owned()));
    out.push_str(&rule("├", "┼", "┤"));
    for row in rows {
        out.push_str(&line(&|n| row[n].clone()));
    }
    out.push_str(&rule("└", "┴", "┘"));
    out
}

fn columns_of(text: &str) -> usize {
    text.chars().count()
}

fn fit(text: &str, width: usize, right: bool) -> String {
    let have = columns_of(text);
    if have > width {
        let kept: String = text.chars().take(width.saturating_sub(1)).collect();
        return format!("{kept}…");
    }
    let pad = " ".repeat(width - have);
    if right { format!("{pad}{text}") } else { format!("{text}{pad}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_drop_then_the_widest_is_cut() {
        let column = |title, expendable| Column { title, right: false, expendable };
        let columns = [column("id", 0), column("name", 0), column("user", 1)];
        let rows = vec![vec!["0".into(), "a-long-name".into(), "root".into()]];
        let full = table(&columns, &rows, 100);
        assert_eq!(full.lines().nth(1), Some("│ id │ name        │ user │"));
        let narrow = table(&columns, &rows, 20);
        assert_eq!(narrow.lines().nth(3), Some("│ 0  │ a-long-name │"));
        let tiny = table(&columns, &rows, 15);
        assert_eq!(tiny.lines().nth(3), Some("│ 0  │ a-lon… │"));
        assert!(tiny.lines().all(|line| line.chars().count() <= 15));
    }
}
