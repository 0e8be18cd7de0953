//! What several keys share: choosing a row or a tab, asking the daemon for something.

use crate::model::{Link, Mode, Model, Tab};
use crate::msg::{Effect, LogSource, Verb};

/// Actions that may be on their way at once.
const PENDING_MAX: usize = 16;

/// Choose a row by its place among those that are shown.
pub(crate) fn select(model: &mut Model, place: usize) -> Vec<Effect> {
    let before = model.table.selected;
    model.table.select_place(place);
    if model.table.selected == before { Vec::new() } else { selection_changed(model) }
}

/// Up or down from the selected row.
pub(super) fn step(model: &mut Model, by: isize) -> Vec<Effect> {
    let place = model.table.place().map_or(0, |place| place.saturating_add_signed(by));
    select(model, place)
}

/// Another row is selected: the pane begins anew.
pub(super) fn selection_changed(model: &mut Model) -> Vec<Effect> {
    (model.info, model.digest, model.digest_pending, model.scroll) = (None, None, false, 0);
    let mut effects = follow(model);
    effects.extend(contents(model));
    effects
}

/// Begin to read the logs of the selected row.
pub(super) fn follow(model: &mut Model) -> Vec<Effect> {
    model.logs.restart();
    model.following = super::source(model);
    vec![Effect::Follow(model.following.clone())]
}

/// The same row may write to other files after an `apply`.
pub(super) fn follow_if_moved(model: &mut Model) -> Vec<Effect> {
    let (now, then) = (super::source(model), model.following.as_ref());
    let files = |source: &LogSource| (source.out.clone(), source.err.clone());
    if now.as_ref().map(files) == then.map(files) { Vec::new() } else { selection_changed(model) }
}

/// What the tab needs and does not have.
fn contents(model: &mut Model) -> Vec<Effect> {
    match model.tab {
        Tab::Errors | Tab::Summary => super::digest(model),
        Tab::Config | Tab::Env | Tab::Runs => info(model),
        Tab::Logs | Tab::Events => Vec::new(),
    }
}

/// Ask for the declaration or the runs if they are shown.
pub(super) fn info(model: &Model) -> Vec<Effect> {
    let Some(id) = model.table.selected else { return Vec::new() };
    let target = model.table.target_of(id);
    match model.tab {
        Tab::Config | Tab::Env => vec![Effect::Info(id, target)],
        Tab::Runs => vec![Effect::Runs(id, target)],
        Tab::Logs | Tab::Errors | Tab::Summary | Tab::Events => Vec::new(),
    }
}

/// Show another tab.
pub(super) fn tab(model: &mut Model, tab: Tab) -> Vec<Effect> {
    (model.tab, model.scroll) = (tab, 0);
    contents(model)
}

/// Show a tab; the same key again goes back to the logs. The arrows stay where they are.
pub(super) fn toggle_tab(model: &mut Model, wanted: Tab) -> Vec<Effect> {
    let wanted = if model.tab == wanted { Tab::Logs } else { wanted };
    tab(model, wanted)
}

/// Ask for something, with a question first where it cannot be undone.
pub(super) fn act(model: &mut Model, verb: Verb) -> Vec<Effect> {
    let targets = model.table.targets();
    act_on(model, verb, targets)
}

/// The same for these.
pub(super) fn act_on(
    model: &mut Model,
    verb: Verb,
    targets: Vec<velos_core::instance::InstanceId>,
) -> Vec<Effect> {
    if targets.is_empty() {
        model.tell(format!("nothing to {}: no process is selected", verb.name()), false);
        return Vec::new();
    }
    if !matches!(model.link, Link::Here(_)) {
        model.tell(format!("cannot {}: the daemon is away", verb.name()), false);
        return Vec::new();
    }
    if verb == Verb::Delete {
        model.mode = Mode::Confirm { verb, targets };
        return Vec::new();
    }
    ask(model, verb, targets)
}

/// Ask the daemon.
pub(super) fn ask(
    model: &mut Model,
    verb: Verb,
    targets: Vec<velos_core::instance::InstanceId>,
) -> Vec<Effect> {
    if model.pending >= PENDING_MAX {
        model.tell(format!("{PENDING_MAX} requests are on their way; wait for one to be answered"), false);
        return Vec::new();
    }
    let words = targets.iter().map(|id| model.table.target_of(*id)).collect();
    let names: Vec<String> = targets.iter().map(|id| model.table.name_of(*id)).collect();
    model.tell(format!("{} {} ...", verb.name(), names.join(", ")), true);
    model.table.marked.clear();
    model.pending += 1;
    vec![Effect::Act(verb, words)]
}
