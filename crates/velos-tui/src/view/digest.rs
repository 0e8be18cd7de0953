//! Errors and summary.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use velos_log_engine::anomaly::Trend;
use velos_log_engine::errors::ErrorGroup;
use velos_log_engine::level::Level;
use velos_log_engine::neutralise;
use velos_log_engine::summary::{Pattern, ago, grouped};

use super::{text, theme};
use crate::digest::Digest;
use crate::model::Model;

/// Lines of a trace.
const TRACE: usize = 5;

fn known(model: &Model) -> Result<&Digest, Vec<Line<'static>>> {
    match (&model.digest, &model.logs.failure) {
        (Some(digest), _) => Ok(digest),
        (None, _) if model.table.selected.is_none() => Err(vec![Line::raw(" no process is selected")]),
        (None, Some(reason)) => Err(vec![Line::raw(format!(" the log cannot be read: {reason}"))]),
        (None, None) => Err(vec![Line::styled(" reading the log ...", theme::dim())]),
    }
}

fn now_us(model: &Model) -> u64 {
    u64::try_from(model.now_ms).unwrap_or(0).saturating_mul(1_000)
}

/// `1 error`, `3,210 errors`
fn counted(count: u64, of: &str) -> String {
    format!("{} {of}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A line that is not wider than the pane, safe for a terminal.
fn line(says: &str, width: usize, style: Style) -> Line<'static> {
    let safe = neutralise(says.as_bytes(), false).replace('\t', "    ");
    Line::styled(text::cut(&safe, width), style)
}

pub(super) fn errors(model: &Model, width: usize) -> Vec<Line<'static>> {
    let digest = match known(model) {
        Ok(digest) => digest,
        Err(lines) => return lines,
    };
    let (summary, look) = (&digest.summary, model.look);
    if summary.error_groups.is_empty() {
        let says = format!(" no errors in {}, {}", counted(summary.lines, "line"), summary.period.label);
        return vec![line(&says, width, theme::good(look))];
    }
    let head = format!(
        " {}, {} different, {}; newest first",
        counted(summary.errors, "error"),
        summary.error_groups.len(),
        summary.period.label
    );
    let mut lines = vec![line(&head, width, theme::dim())];
    for group in &summary.error_groups {
        lines.extend(group_lines(model, group, width));
    }
    lines
}

fn group_lines(model: &Model, group: &ErrorGroup, width: usize) -> Vec<Line<'static>> {
    let look = model.look;
    let kind = if group.kind.is_empty() { String::new() } else { format!("{}: ", group.kind) };
    let head = format!("{:>6}x {kind}{}", group.count, group.message);
    let mut lines = vec![line(&head, width, theme::bad(look))];
    let when = match (group.first_us, group.last_us) {
        (Some(first), Some(last)) if group.count > 1 => format!(
            "last {}, first {} ({})",
            ago(last, now_us(model)),
            ago(first, now_us(model)),
            model.clock.time_us(last)
        ),
        (_, Some(last)) => format!("{} ({})", ago(last, now_us(model)), model.clock.time_us(last)),
        _ => "time unknown".to_owned(),
    };
    lines.push(line(&format!("        {when}"), width, Style::new()));
    let trace = group.sample.lines().take(TRACE);
    lines.extend(trace.map(|one| line(&format!("        {one}"), width, theme::dim())));
    lines
}

pub(super) fn summary(model: &Model, width: usize) -> Vec<Line<'static>> {
    let digest = match known(model) {
        Ok(digest) => digest,
        Err(lines) => return lines,
    };
    let (summary, look) = (&digest.summary, model.look);
    let of_score = match summary.health.score {
        Some(80..) => theme::good(look),
        Some(50..80) => theme::warn(look),
        Some(_) => theme::bad(look),
        None => theme::dim(),
    };
    let mut lines = vec![Line::from(vec![
        Span::raw(" Health "),
        Span::styled(summary.health.text(), of_score.patch(theme::bold())),
        Span::raw(format!(
            "   {}, {}, {}, {}",
            counted(summary.lines, "line"),
            counted(summary.errors, "error"),
            counted(summary.warnings, "warning"),
            summary.period.label
        )),
    ])];
    for one in &summary.health.deductions {
        lines.push(line(&format!("   -{:.1} {}: {}", one.points, one.name, one.reason), width, Style::new()));
    }
    let flow = theme::sparkline(look, digest.flow.iter().copied(), digest.flow.len(), 0);
    lines.push(line(&format!(" {flow}"), width, theme::accent(look)));
    section(&mut lines, "Patterns", &summary.patterns, |one| pattern(model, one, width));
    section(&mut lines, "New", &summary.new_patterns, |one| pattern(model, one, width));
    section(&mut lines, "Unusual", &summary.anomalies, |one| {
        let until = if one.episode.is_active { "now".to_owned() } else { ago(one.until_us, now_us(model)) };
        line(&format!("   {}: {}, {until}", one.of, one.text), width, theme::warn(look))
    });
    if let Some(last) = &summary.last_error {
        let when = last.time_us.map_or("time unknown".to_owned(), |at_us| ago(at_us, now_us(model)));
        lines.push(line(&format!(" Last error: {} ({when})", last.text), width, theme::bad(look)));
    }
    section(&mut lines, "Notes", &summary.notes, |note| line(&format!("   {note}"), width, Style::new()));
    lines
}

fn section<T>(
    lines: &mut Vec<Line<'static>>,
    title: &str,
    of: &[T],
    mut each: impl FnMut(&T) -> Line<'static>,
) {
    if !of.is_empty() {
        lines.push(Line::styled(format!(" {title}"), theme::bold()));
        lines.extend(of.iter().map(&mut each));
    }
}

fn pattern(model: &Model, one: &Pattern, width: usize) -> Line<'static> {
    let trend = match one.trend {
        Trend::Stable => String::new(),
        trend => format!(" ({})", trend.name()),
    };
    let says = format!("{:>7} {} {}{trend}", grouped(one.count), theme::letter(one.level), one.text);
    // Colour is for what needs a look.
    let style = if one.level >= Level::Warn { theme::level(model.look, one.level) } else { Style::new() };
    line(&says, width, style)
}
