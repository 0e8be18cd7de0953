//! Typing behind `:`, and what the chosen line does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{act, keep_selection, keys};
use crate::model::{Mode, Model};
use crate::msg::Effect;
use crate::palette::{Action, found};

/// Characters of the line.
const LENGTH_MAX: usize = 100;

pub(super) fn begin(model: &mut Model) {
    model.notice = None;
    model.mode = Mode::Palette { text: String::new(), chosen: 0 };
}

pub(super) fn typed(model: &mut Model, code: KeyCode, control: bool) -> Vec<Effect> {
    let Mode::Palette { text, chosen } = &mut model.mode else { return Vec::new() };
    match code {
        KeyCode::Char('u') if control => (*chosen, *text) = (0, String::new()),
        KeyCode::Char('n') if control => *chosen += 1,
        KeyCode::Char('p') if control => *chosen = chosen.saturating_sub(1),
        KeyCode::Char(_) if control => {}
        KeyCode::Char(c) if text.chars().count() < LENGTH_MAX => {
            text.push(c);
            *chosen = 0;
        }
        KeyCode::Backspace if text.is_empty() => model.mode = Mode::Normal,
        KeyCode::Backspace => {
            text.pop();
            *chosen = 0;
        }
        KeyCode::Down | KeyCode::Tab => *chosen += 1,
        KeyCode::Up | KeyCode::BackTab => *chosen = chosen.saturating_sub(1),
        KeyCode::Esc => model.mode = Mode::Normal,
        KeyCode::Enter => return enter(model),
        _ => {}
    }
    // There is an end.
    if let Mode::Palette { text, chosen } = &model.mode {
        let (text, chosen) = (text.clone(), *chosen);
        let last = found(model, &text).len().saturating_sub(1);
        model.mode = Mode::Palette { text, chosen: chosen.min(last) };
    }
    Vec::new()
}

fn enter(model: &mut Model) -> Vec<Effect> {
    let Mode::Palette { text, chosen } = std::mem::replace(&mut model.mode, Mode::Normal) else {
        return Vec::new();
    };
    let Some(item) = found(model, &text).into_iter().nth(chosen) else {
        model.tell(format!("nothing is called \"{text}\""), false);
        return Vec::new();
    };
    match item.action {
        Action::Jump(id) => {
            let before = model.table.selected.replace(id);
            if model.table.place().is_none() {
                // Who asks for it wants to see it.
                model.table.filter = Default::default();
                model.table.filter_text.clear();
                model.table.faults_only = false;
            }
            if before == Some(id) { keep_selection(model) } else { act::selection_changed(model) }
        }
        Action::Act(verb, id) => act::act_on(model, verb, vec![id]),
        Action::Show(tab) => act::tab(model, tab),
        Action::Key(key) => keys::key(model, KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE)),
    }
}
