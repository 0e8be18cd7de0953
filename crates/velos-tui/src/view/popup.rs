//! Questions and help, over everything else.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};
use velos_core::instance::InstanceId;

use super::{text, theme};
use crate::model::Model;
use crate::msg::Verb;
use crate::palette::{self, Action, SHOWN_MAX};

/// Keys and what they do; without a key: a title.
pub(crate) const KEYS: &[(&str, &str)] = &[
    ("", "Processes"),
    ("j k, arrows", "choose; Home, End: first, last"),
    ("/", "show only some: name state:errored ns:web cpu>50 mem>200M restarts>3 !word"),
    ("z", "show only what needs a look"),
    ("o", "another order; or click a title"),
    ("Space", "mark; the next action is for all that are marked"),
    ("r  s  S  l", "restart, stop, start, reload"),
    ("d", "delete, after a question"),
    ("", "Pane"),
    ("PgUp, PgDn", "scroll; Ctrl-U and Ctrl-D by half a page"),
    ("Tab, Enter", "the arrows go to the pane; Tab or Esc back"),
    ("1 - 7, [ ]", "logs, errors, summary, config, environment, events, runs"),
    ("e  g", "errors, summary; again: the logs"),
    ("L", "logs on the whole screen"),
    ("", "Logs"),
    ("f", "follow what comes, or hold still"),
    ("/  n  N", "find a text (arrows in the pane), next older, next newer"),
    ("&", "show only lines with a text"),
    ("m", "least level: all, info, warn, error"),
    ("w, left, right", "wrap long lines, or move them"),
    ("x", "show or hide secrets in logs"),
    ("y", "copy the line that was found, else what is seen"),
    ("", "Other"),
    (":", "go to an app, or do something, by a few letters of its name"),
    ("M", "give the mouse to the terminal, to select text; Shift does it too"),
    ("Ctrl-Z", "suspend"),
    ("q, Ctrl-C", "quit; nothing stops"),
];

/// Columns of the help.
const HELP: u16 = 90;
/// Columns of the keys.
const KEY: usize = 15;

fn place(frame: &mut Frame<'_>, width: u16, height: u16, title: &str) -> Rect {
    let screen = frame.area();
    let (width, height) = (width.min(screen.width), height.min(screen.height));
    let area = Rect::new((screen.width - width) / 2, (screen.height - height) / 2, width, height)
        .intersection(screen);
    let block = Block::bordered().title(format!(" {title} "));
    let inner = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    inner
}

fn fill(frame: &mut Frame<'_>, inner: Rect, lines: impl Iterator<Item = Line<'static>>) {
    for (line, y) in lines.zip(inner.y..inner.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..inner });
    }
}

pub(super) fn help(model: &Model, frame: &mut Frame<'_>, scroll: usize) {
    let width = usize::from(frame.area().width.min(HELP)).saturating_sub(2);
    let lines: Vec<Line<'static>> =
        KEYS.iter().flat_map(|(key, says)| of_key(model, key, says, width)).collect();
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let title = if height > frame.area().height {
        "Keys; any other key closes this, j k scroll"
    } else {
        "Keys; any other key closes this"
    };
    let inner = place(frame, HELP, height, title);
    let first = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    fill(frame, inner, lines.into_iter().skip(first));
}

/// A key and what it does, on as many lines as that takes.
fn of_key(model: &Model, key: &str, says: &str, width: usize) -> Vec<Line<'static>> {
    if key.is_empty() {
        return vec![Line::styled(format!(" {says}"), theme::bold())];
    }
    let parts = text::words(says, width.saturating_sub(KEY + 2));
    let line = |(n, part): (usize, String)| {
        let key = if n == 0 { key } else { "" };
        Line::from(vec![
            Span::styled(format!("  {}", text::left(key, KEY)), theme::accent(model.look)),
            Span::raw(part),
        ])
    };
    parts.into_iter().enumerate().map(line).collect()
}

pub(super) fn confirm(model: &Model, frame: &mut Frame<'_>, verb: Verb, targets: &[InstanceId]) {
    let mut names: Vec<String> =
        targets.iter().take(6).map(|id| format!("  {} (id {})", model.table.name_of(*id), id.0)).collect();
    if targets.len() > names.len() {
        names.push(format!("  and {} more", targets.len() - names.len()));
    }
    let height = u16::try_from(names.len() + 5).unwrap_or(u16::MAX);
    let inner = place(frame, 50, height, &format!("{}?", verb.name()));
    let width = usize::from(inner.width);
    let names = names.into_iter().map(|name| Line::styled(text::cut(&name, width), theme::bold()));
    let says = if targets.len() == 1 { "It is" } else { "They are" };
    let says = Line::raw(format!(" {says} stopped and forgotten; logs stay."));
    let keys = Line::from(vec![
        Span::styled(" y", theme::bad(model.look)),
        Span::raw(format!(" {}   ", verb.name())),
        Span::styled("n", theme::accent(model.look)),
        Span::raw(" keep"),
    ]);
    let lines = names.chain([says, Line::default(), keys]);
    fill(frame, inner, lines);
}

/// What was typed, and below it what it may mean.
pub(super) fn palette(model: &Model, frame: &mut Frame<'_>, typed: &str, chosen: usize) {
    let height = u16::try_from(SHOWN_MAX + 3).unwrap_or(u16::MAX);
    let inner = place(frame, 60, height, "Enter does it, Esc closes");
    let width = usize::from(inner.width);
    // The end of a long text stays in sight.
    let seen = text::skip(typed, text::columns(typed).saturating_sub(width.saturating_sub(3)));
    let seen = typed.get(seen..).unwrap_or_default();
    let first = Line::from(vec![Span::styled(":", theme::bold()), Span::raw(seen.to_owned())]);
    let found = palette::found(model, typed);
    let none = found.is_empty().then(|| Line::styled(" nothing is called so", theme::dim()));
    let line = |(place, item): (usize, &palette::Item)| {
        let kind = match item.action {
            Action::Jump(_) => "go to ",
            Action::Show(_) => "show ",
            Action::Act(..) | Action::Key(_) => "",
        };
        let says = text::left(&format!(" {kind}{}", item.text), width);
        Line::styled(says, if place == chosen { theme::chosen() } else { Style::new() })
    };
    let lines: Vec<Line<'static>> =
        std::iter::once(first).chain(found.iter().enumerate().map(line)).chain(none).collect();
    fill(frame, inner, lines.into_iter());
    let column = u16::try_from(1 + text::columns(seen)).unwrap_or(0).min(inner.width.saturating_sub(1));
    if inner.height > 0 {
        frame.set_cursor_position(Position::new(inner.x + column, inner.y));
    }
}
