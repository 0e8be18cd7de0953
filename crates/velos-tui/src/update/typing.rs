//! A line that is typed: its effect is seen while it is typed, and Esc takes it back.

use ratatui::crossterm::event::KeyCode;

use super::{act, keep_selection, keys};
use crate::filter::Filter;
use crate::layout::page;
use crate::logs::Needle;
use crate::model::{Mode, Model, Prompt};
use crate::msg::Effect;

/// Characters of such a line.
const LENGTH_MAX: usize = 200;

pub(super) fn begin(model: &mut Model, prompt: Prompt) {
    let text = match prompt {
        Prompt::Filter => model.table.filter_text.clone(),
        Prompt::Search => String::new(),
        Prompt::Only => model.logs.only.text().to_owned(),
    };
    let before = if prompt == Prompt::Search { model.logs.search.text().to_owned() } else { text.clone() };
    model.notice = None;
    model.mode = Mode::Typing { prompt, text, before, selected: model.table.selected };
}

pub(super) fn typed(model: &mut Model, code: KeyCode, control: bool) -> Vec<Effect> {
    let Mode::Typing { prompt, text, before, selected } = &mut model.mode else { return Vec::new() };
    let prompt = *prompt;
    match code {
        KeyCode::Char('u') if control => text.clear(),
        KeyCode::Char(c) if text.chars().count() < LENGTH_MAX => text.push(c),
        KeyCode::Backspace => {
            text.pop();
        }
        KeyCode::Esc => {
            let (before, selected) = (std::mem::take(before), *selected);
            model.mode = Mode::Normal;
            let mut effects = apply(model, prompt, &before);
            if prompt == Prompt::Filter && model.table.selected != selected {
                model.table.selected = selected;
                effects = act::selection_changed(model);
                effects.extend(keep_selection(model));
            }
            return effects;
        }
        KeyCode::Enter => {
            let (text, before) = (std::mem::take(text), std::mem::take(before));
            model.mode = Mode::Normal;
            return enter(model, prompt, &text, &before);
        }
        _ => return Vec::new(),
    }
    let text = text.clone();
    apply(model, prompt, &text)
}

fn apply(model: &mut Model, prompt: Prompt, text: &str) -> Vec<Effect> {
    match prompt {
        Prompt::Filter => {
            // Half a word makes no sense yet; the last one that did stays.
            if let Ok(filter) = Filter::parse(text) {
                (model.table.filter, model.table.filter_text) = (filter, text.to_owned());
            }
            return keep_selection(model);
        }
        Prompt::Search => {
            (model.logs.search, model.logs.found) = (Needle::new(text), None);
        }
        Prompt::Only => {
            model.logs.only = Needle::new(text);
            model.logs.to_end();
        }
    }
    Vec::new()
}

fn enter(model: &mut Model, prompt: Prompt, text: &str, before: &str) -> Vec<Effect> {
    if prompt == Prompt::Filter
        && let Err(reason) = Filter::parse(text)
    {
        model.tell(reason, false);
        return apply(model, prompt, before);
    }
    let effects = apply(model, prompt, text);
    if prompt == Prompt::Search && !text.is_empty() {
        keys::find(model, true, page(model));
    }
    effects
}
