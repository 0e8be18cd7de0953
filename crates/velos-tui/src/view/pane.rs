//! The bar of tabs, and what the tabs but the log show.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{config, digest, runs, text, theme};
use crate::model::{Focus, Model, Tab};

pub(super) fn draw_tabs(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let has_focus = model.focus == Focus::Pane;
    let base = if has_focus { theme::bold() } else { theme::dim() };
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
        words.push(format!("{} with secrets hidden", logs.hidden));
    }
    words.insert(0, name);
    words.join(", ")
}

/// All lines of a tab but the log.
pub(super) fn lines(model: &Model, width: usize) -> Vec<Line<'static>> {
    match model.tab {
        Tab::Logs => Vec::new(),
        Tab::Errors => digest::errors(model, width),
        Tab::Summary => digest::summary(model, width),
        Tab::Config => config::config(model, width),
        Tab::Env => config::env(model, width),
        Tab::Events => events(model, width),
        Tab::Runs => runs::lines(model, width),
    }
}

/// Newest first: that is what one looks for.
fn events(model: &Model, width: usize) -> Vec<Line<'static>> {
    let shown: Vec<_> = model.events_shown().collect();
    if shown.is_empty() {
        return vec![Line::styled(" nothing happened yet", theme::dim())];
    }
    let line = |(event, says): &(&crate::msg::EventLine, &str)| {
        let style = if event.is_bad { theme::bad(model.look) } else { Style::new() };
        let time = model.clock.time_ms(event.at_ms);
        Line::from(vec![
            Span::styled(format!(" {time} "), theme::dim()),
            Span::styled(text::cut(says, width.saturating_sub(10)), style),
        ])
    };
    shown.iter().rev().map(line).collect()
}
