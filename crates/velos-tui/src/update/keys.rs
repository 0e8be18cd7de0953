//! What a key does, by who gets it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::act::{act, ask, step, tab, toggle_tab};
use super::{keep_selection, palette, typing};
use crate::layout::page;
use crate::model::{Ending, Focus, Mode, Model, Prompt, Tab};
use crate::msg::{Effect, Verb};

/// Columns that an arrow moves a long line.
const COLUMNS: usize = 8;

pub(super) fn key(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        match key.code {
            KeyCode::Char('c') => model.ending = Some(Ending::Quit),
            KeyCode::Char('z') => return vec![Effect::Suspend],
            KeyCode::Char('u') if matches!(model.mode, Mode::Typing { .. }) => {
                return typing::typed(model, key.code, true);
            }
            code if matches!(model.mode, Mode::Palette { .. }) => return palette::typed(model, code, true),
            KeyCode::Char(letter @ ('d' | 'u')) => scroll_pane(model, letter == 'u', page(model) / 2),
            _ => {}
        }
        return Vec::new();
    }
    match &mut model.mode {
        Mode::Typing { .. } => typing::typed(model, key.code, false),
        Mode::Palette { .. } => palette::typed(model, key.code, false),
        Mode::Confirm { .. } => confirm(model, key.code),
        Mode::Help { scroll } => {
            match key.code {
                KeyCode::Down | KeyCode::Char('j') => *scroll = scroll.saturating_add(1),
                KeyCode::Up | KeyCode::Char('k') => *scroll = scroll.saturating_sub(1),
                KeyCode::PageDown | KeyCode::Char(' ') => *scroll = scroll.saturating_add(10),
                KeyCode::PageUp => *scroll = scroll.saturating_sub(10),
                _ => model.mode = Mode::Normal,
            }
            Vec::new()
        }
        Mode::Normal => normal(model, key.code),
    }
}

fn confirm(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    let mode = std::mem::replace(&mut model.mode, Mode::Normal);
    match (mode, code) {
        (Mode::Confirm { verb, targets }, KeyCode::Char('y' | 'Y')) => ask(model, verb, targets),
        (Mode::Confirm { verb, .. }, KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc) => {
            model.tell(format!("no {}", verb.name()), true);
            Vec::new()
        }
        // Another key answers nothing.
        (mode, _) => {
            model.mode = mode;
            Vec::new()
        }
    }
}

fn normal(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    let page = page(model);
    match code {
        KeyCode::Char('q') => model.ending = Some(Ending::Quit),
        KeyCode::Char('?') | KeyCode::F(1) => model.mode = Mode::Help { scroll: 0 },
        KeyCode::Char('j') | KeyCode::Down => return move_by(model, false, 1),
        KeyCode::Char('k') | KeyCode::Up => return move_by(model, true, 1),
        // The pane, wherever the arrows go.
        KeyCode::PageDown => scroll_pane(model, false, page),
        KeyCode::PageUp => scroll_pane(model, true, page),
        KeyCode::Home => return move_by(model, true, usize::MAX / 2),
        KeyCode::End => return move_by(model, false, usize::MAX / 2),
        KeyCode::Left => model.logs.left = model.logs.left.saturating_sub(COLUMNS),
        KeyCode::Right => model.logs.left = (model.logs.left + COLUMNS).min(4_096),
        KeyCode::Tab | KeyCode::BackTab if !model.full => {
            model.focus = if model.focus == Focus::Table { Focus::Pane } else { Focus::Table };
        }
        KeyCode::Enter => model.focus = Focus::Pane,
        KeyCode::Esc => return back(model),
        KeyCode::Char(digit @ '1'..='7') => {
            let place = digit.to_digit(10).unwrap_or(1) as usize - 1;
            return tab(model, Tab::ALL.get(place).copied().unwrap_or(Tab::Logs));
        }
        KeyCode::Char(bracket @ ('[' | ']')) => {
            let step = if bracket == ']' { 1 } else { Tab::ALL.len() - 1 };
            let place = (model.tab.number() + step) % Tab::ALL.len();
            return tab(model, Tab::ALL.get(place).copied().unwrap_or(Tab::Logs));
        }
        KeyCode::Char('e') => return toggle_tab(model, Tab::Errors),
        KeyCode::Char('g') => return toggle_tab(model, Tab::Summary),
        KeyCode::Char('r') => return act(model, Verb::Restart),
        KeyCode::Char('s') => return act(model, Verb::Stop),
        KeyCode::Char('S') => return act(model, Verb::Start),
        KeyCode::Char('l') => return act(model, Verb::Reload),
        KeyCode::Char('d') | KeyCode::Delete => return act(model, Verb::Delete),
        KeyCode::Char(':') => palette::begin(model),
        KeyCode::Char('/') => typing::begin(model, prompt_here(model)),
        KeyCode::Char('&') => typing::begin(model, Prompt::Only),
        KeyCode::Char('o') => {
            model.table.sort = model.table.sort.next();
            model.tell(format!("sorted by {}", model.table.sort.name()), true);
        }
        KeyCode::Char('z') => {
            model.table.faults_only = !model.table.faults_only;
            return keep_selection(model);
        }
        KeyCode::Char(' ') => return mark(model),
        KeyCode::Char('M') => {
            model.mouse = !model.mouse;
            let text = if model.mouse { "the mouse moves the view" } else { "the mouse selects text" };
            model.tell(text, true);
            return vec![Effect::CaptureMouse(model.mouse)];
        }
        _ => return of_logs(model, code, page),
    }
    Vec::new()
}

/// Keys about the log, wherever the arrows go.
fn of_logs(model: &mut Model, code: KeyCode, page: usize) -> Vec<Effect> {
    match code {
        KeyCode::Char('L') => {
            model.full = !model.full;
            model.focus = if model.full { Focus::Pane } else { Focus::Table };
            return tab(model, Tab::Logs);
        }
        KeyCode::Char('f') => model.logs.toggle_follow(),
        KeyCode::Char('w') => model.logs.wrap = !model.logs.wrap,
        KeyCode::Char('m') => model.logs.next_level(),
        KeyCode::Char('n') => find(model, true, page),
        KeyCode::Char('N') => find(model, false, page),
        KeyCode::Char('y') => return copy(model, page),
        KeyCode::Char('x') => {
            model.logs.redact = !model.logs.redact;
            let text =
                if model.logs.redact { "secrets in logs are hidden" } else { "secrets in logs are shown" };
            model.tell(text, true);
            (model.digest, model.digest_pending) = (None, false);
            return super::act::follow(model);
        }
        _ => {}
    }
    Vec::new()
}

/// `/` looks for text where text is, else for processes.
fn prompt_here(model: &Model) -> Prompt {
    if model.focus == Focus::Pane && model.tab == Tab::Logs { Prompt::Search } else { Prompt::Filter }
}

pub(super) fn find(model: &mut Model, older: bool, page: usize) {
    if model.logs.search.is_empty() {
        model.tell("nothing is looked for; Enter, then / asks for a text", false);
    } else if !model.logs.find(older, page) {
        let text = model.logs.search.text().to_owned();
        let what = if model.logs.found.is_some() { "no more lines with" } else { "no line with" };
        model.tell(format!("{what} \"{text}\""), false);
    }
}

fn copy(model: &mut Model, page: usize) -> Vec<Effect> {
    let found = model.logs.found;
    let chosen: Vec<String> = match found {
        Some(found) => model
            .logs
            .shown()
            .filter(|(number, _)| *number == found)
            .map(|(_, line)| line.text.clone())
            .collect(),
        None => {
            let newest = model.logs.shown().rev().skip(model.logs.back).take(page);
            let mut lines: Vec<String> = newest.map(|(_, line)| line.text.clone()).collect();
            lines.reverse();
            lines
        }
    };
    if chosen.is_empty() {
        model.tell("there are no lines to copy", false);
        return Vec::new();
    }
    model.tell(format!("{} lines copied, if the terminal allows it", chosen.len()), true);
    vec![Effect::Copy(chosen.join("\n"))]
}

fn mark(model: &mut Model) -> Vec<Effect> {
    if let Some(id) = model.table.selected
        && !model.table.marked.remove(&id)
    {
        model.table.marked.insert(id);
    }
    step(model, 1)
}

/// One thing at a time: the whole screen, a search, the pane, marks, filters.
fn back(model: &mut Model) -> Vec<Effect> {
    if !model.logs.search.is_empty() && model.focus == Focus::Pane {
        model.logs.search = Default::default();
        model.logs.to_end();
    } else if !model.logs.only.is_empty() && model.focus == Focus::Pane {
        model.logs.only = Default::default();
        model.logs.to_end();
    } else if model.full {
        (model.full, model.focus) = (false, Focus::Table);
    } else if model.focus == Focus::Pane {
        model.focus = Focus::Table;
    } else if !model.table.marked.is_empty() {
        model.table.marked.clear();
    } else if !model.table.filter_text.is_empty() || model.table.faults_only {
        model.table.filter = Default::default();
        model.table.filter_text.clear();
        model.table.faults_only = false;
        return keep_selection(model);
    }
    Vec::new()
}

pub(super) fn move_by(model: &mut Model, up: bool, lines: usize) -> Vec<Effect> {
    if model.focus == Focus::Table {
        let by = isize::try_from(lines).unwrap_or(isize::MAX / 2);
        return step(model, if up { -by } else { by });
    }
    scroll_pane(model, up, lines);
    Vec::new()
}

/// The wheel does this too.
pub(super) fn scroll_pane(model: &mut Model, up: bool, lines: usize) {
    let page = page(model);
    if model.tab == Tab::Logs {
        model.logs.scroll(up, lines, page);
    } else {
        let most = crate::view::pane_lines(model).saturating_sub(page);
        let place = model.scroll.min(most);
        model.scroll = if up { place.saturating_sub(lines) } else { place.saturating_add(lines).min(most) };
    }
}
