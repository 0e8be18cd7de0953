//! The bar of tabs, and what the tabs but the log show.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use velos_log_engine::Level;

use super::{config, text, theme};
use crate::digest::{Digest, Group};
use crate::model::{Focus, Model, Tab};

pub(super) fn draw_tabs(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let has_focus = model.focus == Focus::Pane;
    let base = if has_focus { theme::bold() } else { theme::dim(model.look) };
    let mut line = Line::default();
    for (n, tab) in Tab::ALL.into_iter().enumerate() {
        let style = if tab == model.tab { theme::chosen() } else { base };
        line.push_span(Span::styled(label(n, tab), style));
    }
    let room = usize::from(area.width).saturating_sub(line.width() + 1);
    let says = text::right(&text::cut(&state(model), room), room);
    line.push_span(Span::styled(format!(" {says}"), theme::accent(model.look)));
    frame.buffer_mut().set_style(area, Style::new());
    frame.render_widget(line, area);
}

fn label(number: usize, tab: Tab) -> String {
    format!("{}{} ", number + 1, tab.name())
}

/// The tab under a click.
pub(crate) fn tab_at(area: Rect, x: u16) -> Option<Tab> {
    let mut end = area.x;
    Tab::ALL.into_iter().enumerate().find_map(|(n, tab)| {
        end += u16::try_from(label(n, tab).len()).unwrap_or(0);
        (x < end).then_some(tab)
    })
}

/// Whose it is, and how it is looked at.
fn state(model: &Model) -> String {
    let logs = &model.logs;
    let name = model.table.row().map(|row| row.name()).unwrap_or_default();
    if model.tab != Tab::Logs {
        return name;
    }
    let mut words = vec![if logs.back > 0 {
        format!("{} more below", logs.back)
    } else if logs.follow {
        "follows".to_owned()
    } else {
        "held".to_owned()
    }];
    if let Some(level) = logs.level_min {
        words.push(format!("{} and worse", level.name()));
    }
    if !logs.only.is_empty() {
        words.push(format!("only \"{}\"", logs.only.text()));
    }
    if !logs.search.is_empty() {
        words.push(format!("{} with \"{}\"", logs.hits(), logs.search.text()));
    }
    if logs.skipped {
        words.push("too fast, lines left out".to_owned());
    }
    if logs.hidden > 0 {
        words.push(format!("{} hidden", logs.hidden));
    }
    words.insert(0, name);
    words.join(", ")
}

/// All lines of a tab but the log.
pub(super) fn lines(model: &Model, width: usize) -> Vec<Line<'static>> {
    match model.tab {
        Tab::Logs => Vec::new(),
        Tab::Errors => with_digest(model, width, errors),
        Tab::Summary => with_digest(model, width, summary),
        Tab::Config => config::config(model, width),
        Tab::Env => config::env(model, width),
        Tab::Events => events(model, width),
    }
}

fn with_digest(
    model: &Model,
    width: usize,
    of: fn(&Model, &Digest, usize) -> Vec<Line<'static>>,
) -> Vec<Line<'static>> {
    match &model.digest {
        Some(digest) => of(model, digest, width),
        None if model.table.selected.is_none() => vec![Line::raw(" no process is selected")],
        None => match &model.logs.failure {
            Some(reason) => vec![Line::raw(text::cut(&format!(" the log cannot be read: {reason}"), width))],
            None => vec![Line::styled(" reading the log ...", theme::dim(model.look))],
        },
    }
}

fn times(model: &Model, from: Option<u64>, to: Option<u64>) -> String {
    match (from, to) {
        (Some(from), Some(to)) if from / 1_000_000 != to / 1_000_000 => {
            format!("{} to {}", model.clock.time_us(from), model.clock.time_us(to))
        }
        (Some(at), _) | (None, Some(at)) => model.clock.time_us(at),
        (None, None) => "no times".to_owned(),
    }
}

fn errors(model: &Model, digest: &Digest, width: usize) -> Vec<Line<'static>> {
    let look = model.look;
    if digest.errors.is_empty() {
        return vec![Line::styled(
            format!(" no errors in the last {} lines", digest.lines),
            theme::good(look),
        )];
    }
    let head = format!(
        " {} lines of errors, {} kinds, in the last {} lines; newest first",
        digest.error_lines(),
        digest.errors.len(),
        digest.lines
    );
    let mut lines = vec![Line::styled(text::cut(&head, width), theme::dim(look))];
    for group in &digest.errors {
        lines.push(group_line(model, group, width));
        let sample = format!("       {} {}", times(model, group.first_us, group.last_us), group.sample);
        lines.push(Line::styled(text::cut(&sample, width), theme::dim(look)));
    }
    lines
}

fn group_line(model: &Model, group: &Group, width: usize) -> Line<'static> {
    let style = theme::level(model.look, group.level);
    let says = format!("{:>6} {} {}", group.count, theme::letter(group.level), group.text);
    Line::styled(text::cut(&says, width), style)
}

fn summary(model: &Model, digest: &Digest, width: usize) -> Vec<Line<'static>> {
    let look = model.look;
    let head = format!(" {} lines, {}", digest.lines, times(model, digest.from_us, digest.to_us));
    let mut lines = vec![Line::styled(text::cut(&head, width), theme::bold())];
    let mut levels = Line::raw(" ");
    for (level, count) in Level::ALL.into_iter().zip(digest.levels).rev().filter(|(_, count)| *count > 0) {
        levels.push_span(Span::styled(format!("{count} {}  ", level.name()), theme::level(look, level)));
    }
    lines.push(levels);
    let flow = digest.flow.iter().copied();
    let kept = digest.flow.len().min(width.saturating_sub(2));
    lines.push(Line::from(vec![
        Span::raw(" "),
        Span::styled(theme::sparkline(look, flow.take(kept), kept, 0), theme::accent(look)),
    ]));
    lines.extend(digest.patterns.iter().map(|group| group_line(model, group, width)));
    lines
}

/// Newest first: that is what one looks for.
fn events(model: &Model, width: usize) -> Vec<Line<'static>> {
    let shown: Vec<_> = model.events_shown().collect();
    if shown.is_empty() {
        return vec![Line::styled(" nothing happened yet", theme::dim(model.look))];
    }
    let line = |(event, says): &(&crate::msg::EventLine, &str)| {
        let style = if event.is_bad { theme::bad(model.look) } else { Style::new() };
        let time = model.clock.time_ms(event.at_ms);
        Line::from(vec![
            Span::styled(format!(" {time} "), theme::dim(model.look)),
            Span::styled(text::cut(says, width.saturating_sub(10)), style),
        ])
    };
    shown.iter().rev().map(line).collect()
}
