//! The last line: what is typed, else what was done, else the keys that work here.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::{text, theme};
use crate::filter::Filter;
use crate::model::{Focus, Mode, Model, Prompt, Tab};

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width);
    if let Mode::Typing { prompt, text: typed, .. } = &model.mode {
        return draw_typing(model, frame, area, *prompt, typed);
    }
    let line = match &model.notice {
        Some(notice) => {
            let style = if notice.ok { theme::accent(model.look) } else { theme::bad(model.look) };
            Line::styled(text::cut(&format!(" {}", notice.text), width), style)
        }
        None => keys(model, width),
    };
    frame.render_widget(line, area);
}

fn draw_typing(model: &Model, frame: &mut Frame<'_>, area: Rect, prompt: Prompt, typed: &str) {
    let label = match prompt {
        Prompt::Filter => "show processes: ",
        Prompt::Search => "find in log: ",
        Prompt::Only => "only lines with: ",
    };
    // The end of a long text stays in sight.
    let room = usize::from(area.width).saturating_sub(text::columns(label) + 1);
    let skipped = text::skip(typed, text::columns(typed).saturating_sub(room));
    let seen = typed.get(skipped..).unwrap_or_default();
    let column = text::columns(label) + text::columns(seen);
    let mut line = Line::from(vec![Span::styled(label, theme::bold()), Span::raw(seen.to_owned())]);
    let remark = match prompt {
        Prompt::Filter => match Filter::parse(typed) {
            Err(reason) => reason,
            Ok(_) if typed.is_empty() => "name  state:errored  ns:web  cpu>50  mem>200M  !word".to_owned(),
            Ok(_) => String::new(),
        },
        Prompt::Search if !typed.is_empty() => format!("{} lines", model.logs.hits()),
        Prompt::Only if !typed.is_empty() => format!("{} lines", model.logs.shown().count()),
        Prompt::Search | Prompt::Only => String::new(),
    };
    let room = usize::from(area.width).saturating_sub(column + 3);
    if room > 8 {
        line.push_span(Span::styled(format!("  {}", text::cut(&remark, room)), theme::dim()));
    }
    frame.render_widget(line, area);
    let x = area.x + u16::try_from(column).unwrap_or(0).min(area.width.saturating_sub(1));
    frame.set_cursor_position(Position::new(x, area.y));
}

/// As many as fit; help and the way out always do.
fn keys(model: &Model, width: usize) -> Line<'static> {
    let always = [("?", "help"), ("q", "quit")];
    let here: &[(&str, &str)] = match (model.focus, model.tab) {
        (Focus::Table, _) => &[
            ("/", "filter"),
            ("r", "restart"),
            ("s", "stop"),
            ("S", "start"),
            ("l", "reload"),
            ("d", "delete"),
            ("L", "logs"),
            ("e", "errors"),
            ("g", "summary"),
            ("Tab", "pane"),
            ("f", "follow"),
            ("o", "sort"),
            ("z", "faults"),
        ],
        (Focus::Pane, Tab::Logs) => &[
            ("/", "find"),
            ("f", "follow"),
            ("&", "only"),
            ("m", "level"),
            ("w", "wrap"),
            ("n", "older"),
            ("N", "newer"),
            ("L", "full"),
            ("y", "copy"),
            ("Esc", "back"),
        ],
        (Focus::Pane, _) => {
            &[("j", "down"), ("k", "up"), ("1-7", "tabs"), ("e", "errors"), ("g", "summary"), ("Esc", "back")]
        }
    };
    let size = |(key, word): &(&str, &str)| key.len() + word.len() + 3;
    let mut room = width.saturating_sub(always.iter().map(size).sum());
    let mut line = Line::default();
    let fitting = here.iter().take_while(|hint| {
        let fits = size(hint) <= room;
        room = room.saturating_sub(size(hint));
        fits
    });
    for (key, word) in fitting.chain(&always) {
        line.push_span(Span::styled(format!(" {key}"), theme::accent(model.look).patch(theme::bold())));
        line.push_span(Span::raw(format!(" {word} ")));
    }
    line
}
