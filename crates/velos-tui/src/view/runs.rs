//! The processes that an instance has had.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use velos_core::instance::Exit;
use velos_core::units::{short_bytes, short_duration};
use velos_log_engine::neutralise;

use super::{text, theme};
use crate::model::Model;
use crate::msg::RunLine;

/// Columns of run, pid, start and duration.
const COLUMNS: [usize; 4] = [5, 8, 20, 8];

/// Newest first: that is what one looks for.
pub(super) fn lines(model: &Model, width: usize) -> Vec<Line<'static>> {
    let selected = model.table.selected;
    let runs = match &model.runs {
        _ if selected.is_none() => return vec![Line::raw(" no process is selected")],
        Some((id, Ok(runs))) if Some(*id) == selected => runs,
        Some((id, Err(reason))) if Some(*id) == selected => {
            let says = text::cut(&format!(" the daemon does not tell: {reason}"), width);
            return vec![Line::styled(says, theme::bad(model.look))];
        }
        _ => return vec![Line::styled(" asking the daemon ...", theme::dim())],
    };
    if runs.is_empty() {
        return vec![Line::styled(" it has not run yet", theme::dim())];
    }
    let [run, pid, started, lasted] = COLUMNS;
    let head = format!(
        "{} {}  {}{}  ended",
        text::right("run", run),
        text::right("pid", pid),
        text::left("started", started),
        text::right("lasted", lasted),
    );
    let mut lines = vec![Line::styled(text::cut(&head, width), theme::dim())];
    lines.extend(runs.iter().rev().map(|one| line(model, one, width)));
    lines
}

fn line(model: &Model, one: &RunLine, width: usize) -> Line<'static> {
    let of = &one.run;
    let [run, pid, started, lasted] = COLUMNS;
    let ms = of.ended_ms.unwrap_or(model.now_ms).saturating_sub(of.started_ms);
    let facts = format!(
        "{} {}  {}{}  ",
        text::right(&of.number.to_string(), run),
        text::right(&of.pid.to_string(), pid),
        text::left(&model.clock.date(of.started_ms), started),
        text::right(&lasting(ms), lasted),
    );
    let used = of.used.map_or(String::new(), |used| {
        let (seconds, hundredths) = (used.cpu_us / 1_000_000, used.cpu_us % 1_000_000 / 10_000);
        format!("; cpu {seconds}.{hundredths:02}s, peak {}", short_bytes(used.peak_rss_bytes))
    });
    let (end, style) = match (of.exit, &one.because) {
        (None, _) => ("it runs".to_owned(), theme::accent(model.look)),
        (Some(exit), Some(because)) => (format!("{exit}{used}; {because}"), Style::new()),
        (Some(exit @ Exit::Code(0)), None) => (format!("{exit}{used}; by itself"), Style::new()),
        (Some(exit), None) => (format!("{exit}{used}; by itself"), theme::bad(model.look)),
    };
    let end = neutralise(end.as_bytes(), false);
    let room = width.saturating_sub(text::columns(&facts));
    Line::from(vec![Span::raw(facts), Span::styled(text::cut(&end, room), style)])
}

/// Short runs to the millisecond.
fn lasting(ms: i64) -> String {
    let ms = u64::try_from(ms).unwrap_or(0);
    if ms < 10_000 { format!("{ms}ms") } else { short_duration(ms) }
}
