//! Keys, mouse and messages, without a terminal.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use velos_core::instance::{InstanceId, Phase};

use super::*;
use crate::model::{Ending, Focus, Mode};
use crate::msg::{EventLine, LogBatch, Verb};
use crate::sample;

fn press(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

/// The effects of the last key.
fn keys(model: &mut Model, keys: &str) -> Vec<Effect> {
    keys.chars()
        .map(|c| {
            let code = match c {
                '\n' => KeyCode::Enter,
                '\x1b' => KeyCode::Esc,
                '\t' => KeyCode::Tab,
                c => KeyCode::Char(c),
            };
            press(model, code)
        })
        .last()
        .unwrap_or_default()
}

fn act(verb: Verb, targets: &[&str]) -> Effect {
    Effect::Act(verb, targets.iter().map(|target| (*target).to_owned()).collect())
}

fn selected(model: &Model) -> u32 {
    model.table.selected.unwrap().0
}

#[test]
fn another_row_brings_other_logs() {
    let mut model = sample::model(100, 30);
    let before = model.logs.generation;
    let effects = keys(&mut model, "j");
    assert_eq!(selected(&model), 1);
    let [Effect::Follow(Some(source))] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((source.generation, source.redact), (before + 1, true));
    assert!(model.logs.is_empty());
    // Late lines of the one before are dropped.
    let late = LogBatch { generation: before, lines: sample::log_lines(), ..LogBatch::default() };
    update(&mut model, Msg::Log(late.clone()));
    assert!(model.logs.is_empty());
    update(&mut model, Msg::Log(LogBatch { generation: before + 1, ..late }));
    assert_eq!(model.logs.len(), 8);
    // At the ends nothing changes, so nothing is read anew.
    press(&mut model, KeyCode::End);
    assert_eq!((selected(&model), keys(&mut model, "j")), (5, Vec::new()));
    press(&mut model, KeyCode::Home);
    assert_eq!((selected(&model), keys(&mut model, "k")), (0, Vec::new()));
}

#[test]
fn actions_name_one_instance_alone() {
    let mut model = sample::model(100, 30);
    for (key, verb) in [("r", Verb::Restart), ("s", Verb::Stop), ("S", Verb::Start), ("l", Verb::Reload)] {
        assert_eq!(keys(&mut model, key), [act(verb, &["api:0"])], "{key}");
    }
    assert_eq!(model.pending, 4);
    update(&mut model, Msg::Told { text: "api restarted (PID 7)".to_owned(), ok: true });
    assert_eq!((model.pending, model.notice.as_ref().unwrap().text.as_str()), (3, "api restarted (PID 7)"));
    assert_eq!(keys(&mut model, "  r"), [act(Verb::Restart, &["api:0", "api:1"])]);
    assert!(model.table.marked.is_empty());
}

#[test]
fn delete_asks() {
    let mut model = sample::model(100, 30);
    assert_eq!(keys(&mut model, "d"), []);
    assert!(matches!(&model.mode, Mode::Confirm { targets, .. } if *targets == [InstanceId(0)]));
    // Keys that answer nothing change nothing; the arrows do not go to the table.
    assert_eq!(keys(&mut model, "jxr\n"), []);
    assert!(matches!(model.mode, Mode::Confirm { .. }));
    assert_eq!((keys(&mut model, "n"), &model.mode), (vec![], &Mode::Normal));
    assert_eq!(keys(&mut model, "dy"), [act(Verb::Delete, &["api:0"])]);
    assert_eq!(model.mode, Mode::Normal);
}

#[test]
fn without_a_daemon_nothing_is_asked() {
    let mut model = sample::model(100, 30);
    update(&mut model, Msg::Away("no daemon runs".to_owned()));
    for key in ["r", "s", "S", "l", "d"] {
        assert_eq!(keys(&mut model, key), [], "{key}");
        assert!(model.notice.as_ref().unwrap().text.contains("the daemon is away"));
    }
    assert_eq!(model.mode, Mode::Normal);
    update(&mut model, Msg::List(Vec::new()));
    update(&mut model, Msg::Here(Box::new(sample::hello())));
    keys(&mut model, "r");
    assert!(model.notice.as_ref().unwrap().text.contains("no process is selected"));
}

#[test]
fn a_filter_is_seen_while_it_is_typed_and_esc_takes_it_back() {
    let mut model = sample::model(100, 30);
    keys(&mut model, "/work");
    assert_eq!((model.table.shown().len(), selected(&model)), (1, 3));
    let effects = keys(&mut model, "\x1b");
    assert_eq!((model.table.shown().len(), selected(&model)), (6, 0));
    assert!(matches!(effects.as_slice(), [Effect::Follow(Some(_))]), "{effects:?}");
    keys(&mut model, "/state:online\n");
    assert_eq!((model.table.shown().len(), &model.mode), (3, &Mode::Normal));
    // `q` is a letter while it is typed.
    keys(&mut model, "/ q\x1b");
    assert_eq!((model.ending, model.table.shown().len()), (None, 3));
    keys(&mut model, "\x1b");
    assert_eq!(model.table.shown().len(), 6);
    keys(&mut model, "/cpu>many\n");
    assert!(model.notice.as_ref().unwrap().text.contains("cpu>50"));
    assert!(model.table.filter_text.is_empty(), "what makes no sense is not kept by half");
    keys(&mut model, "z");
    assert_eq!(model.table.shown().len(), 3);
}

#[test]
fn the_log_is_searched_where_the_log_is() {
    let mut model = sample::model(100, 30);
    keys(&mut model, "\n/ms\n");
    assert_eq!((model.focus, model.logs.found), (Focus::Pane, Some(6)));
    assert!(!model.logs.follow);
    keys(&mut model, "nn");
    assert_eq!(model.logs.found, Some(2));
    keys(&mut model, "N");
    assert_eq!(model.logs.found, Some(3));
    assert_eq!(keys(&mut model, "y"), [Effect::Copy("WARN  slow query: 812 ms".to_owned())]);
    keys(&mut model, "\x1b");
    assert!(model.logs.search.is_empty() && model.logs.follow);
    keys(&mut model, "/not there\n");
    assert!(model.notice.as_ref().unwrap().text.contains("no line with"));
}

#[test]
fn full_screen_and_back() {
    let mut model = sample::model(100, 30);
    keys(&mut model, "4L");
    assert!(model.full && model.tab == Tab::Logs && model.focus == Focus::Pane);
    keys(&mut model, "f");
    assert!(!model.logs.follow);
    keys(&mut model, "f");
    assert!(model.logs.follow);
    keys(&mut model, "\t");
    assert_eq!(model.focus, Focus::Pane, "there is no table");
    keys(&mut model, "\x1b");
    assert!(!model.full && model.focus == Focus::Table);
    keys(&mut model, "LL");
    assert!(!model.full);
}

#[test]
fn errors_and_summary_are_read_when_they_are_looked_at() {
    let mut model = sample::model(100, 30);
    let effects = keys(&mut model, "e");
    assert!(matches!(effects.as_slice(), [Effect::Digest(_)]), "{effects:?}");
    assert_eq!(keys(&mut model, "g"), [], "it is on its way");
    let generation = model.logs.generation;
    update(&mut model, Msg::Digest(generation, Box::new(sample::digest())));
    assert_eq!(update(&mut model, Msg::Tick(sample::NOW_MS + 60_000)), [], "nothing new");
    model.logs.add(sample::log_lines());
    let effects = update(&mut model, Msg::Tick(sample::NOW_MS + 120_000));
    assert!(matches!(effects.as_slice(), [Effect::Digest(_)]), "{effects:?}");
    keys(&mut model, "g");
    assert_eq!((model.tab, model.focus), (Tab::Logs, Focus::Table));
    model.logs.add(sample::log_lines());
    assert_eq!(update(&mut model, Msg::Tick(sample::NOW_MS + 180_000)), [], "nobody looks");
}

#[test]
fn the_declaration_is_asked_for_when_it_is_looked_at() {
    let mut model = sample::model(100, 30);
    assert_eq!(keys(&mut model, "4"), [Effect::Info(InstanceId(0), "api:0".to_owned())]);
    let effects = keys(&mut model, "j");
    assert!(effects.contains(&Effect::Info(InstanceId(1), "api:1".to_owned())), "{effects:?}");
    update(&mut model, Msg::Info(InstanceId(0), Some(Box::new(sample::info(0)))));
    assert!(model.info.is_none(), "of another row");
}

#[test]
fn events_change_phases_and_come_once() {
    let mut model = sample::model(100, 30);
    let event = EventLine {
        sequence: 4,
        at_ms: sample::NOW_MS,
        instance: Some(InstanceId(0)),
        text: Some("api: online -> stopped".to_owned()),
        phase: Some((Phase::Stopped, None)),
        is_bad: false,
        is_crash: false,
    };
    update(&mut model, Msg::Events(vec![event.clone()]));
    let one = &model.table.row().unwrap().one;
    assert_eq!((one.phase, one.pid, one.rss_bytes), (Phase::Stopped, None, None));
    let count = model.events.len();
    update(&mut model, Msg::Events(vec![event]));
    assert_eq!(model.events.len(), count);
    // Of the selected one and of the daemon, not of others.
    assert_eq!(model.events_shown().count(), 3);
}

#[test]
fn other_files_of_the_same_row_are_followed() {
    let mut model = sample::model(100, 30);
    let mut instances = sample::instances();
    assert_eq!(update(&mut model, Msg::List(instances.clone())), []);
    for one in &mut instances {
        one.out_log = "/elsewhere/x.log".into();
    }
    let effects = update(&mut model, Msg::List(instances));
    assert!(matches!(effects.as_slice(), [Effect::Follow(Some(_))]), "{effects:?}");
}

#[test]
fn the_mouse() {
    let mut model = sample::model(100, 30);
    let event =
        |kind, column, row| Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    let click = |column, row| event(MouseEventKind::Down(MouseButton::Left), column, row);
    update(&mut model, click(10, 4));
    assert_eq!(selected(&model), 2);
    update(&mut model, event(MouseEventKind::ScrollDown, 10, 4));
    assert_eq!(selected(&model), 3);
    update(&mut model, click(8, 8));
    assert_eq!(model.tab, Tab::Errors);
    update(&mut model, click(8, 20));
    assert_eq!(model.focus, Focus::Pane);
    keys(&mut model, "1");
    model.size = (100, 15);
    model.logs.add([sample::log_lines(), sample::log_lines()].concat());
    update(&mut model, event(MouseEventKind::ScrollUp, 8, 10));
    assert_eq!((model.logs.back, model.logs.follow), (3, false));
    update(&mut model, click(6, 1));
    assert_eq!(model.table.sort, crate::table::Sort::Name);
    assert_eq!(keys(&mut model, "M"), [Effect::CaptureMouse(false)]);
    // A click beside everything, and on a terminal that is too small.
    update(&mut model, click(99, 14));
    model.size = (10, 3);
    update(&mut model, click(1, 1));
}

#[test]
fn the_ways_out() {
    let mut model = sample::model(100, 30);
    keys(&mut model, "?j");
    assert!(matches!(model.mode, Mode::Help { scroll: 1 }));
    keys(&mut model, "q");
    assert_eq!((model.ending, &model.mode), (None, &Mode::Normal), "it closes the help");
    keys(&mut model, "q");
    assert_eq!(model.ending, Some(Ending::Quit));
    let mut model = sample::model(10, 3);
    keys(&mut model, "/typing");
    update(&mut model, Msg::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
    assert_eq!(model.ending, Some(Ending::Quit));
    let mut model = sample::model(100, 30);
    let effects = update(&mut model, Msg::Key(KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL)));
    assert_eq!(effects, [Effect::Suspend]);
    update(&mut model, Msg::End(Ending::Signal(15)));
    assert_eq!(model.ending, Some(Ending::Signal(15)));
}

#[test]
fn runs_are_asked_for_when_they_are_seen() {
    let mut model = sample::model(100, 30);
    assert_eq!(keys(&mut model, "7"), [Effect::Runs(InstanceId(0), "api:0".to_owned())]);
    update(&mut model, Msg::Runs(InstanceId(1), Ok(sample::runs())));
    assert_eq!(model.runs, None, "another row is selected");
    update(&mut model, Msg::Runs(InstanceId(0), Ok(sample::runs())));
    assert!(model.runs.is_some());
    // What happens to it may be a new run.
    let mut event = sample::events().swap_remove(0);
    event.sequence = 100;
    assert_eq!(
        update(&mut model, Msg::Events(vec![event])),
        [Effect::Runs(InstanceId(0), "api:0".to_owned())]
    );
    let effects = keys(&mut model, "j");
    assert!(effects.contains(&Effect::Runs(InstanceId(1), "api:1".to_owned())), "{effects:?}");
}

#[test]
fn a_colon_goes_to_apps_and_does_things() {
    let mut model = sample::model(100, 30);
    // Where it is hidden, the filter ends.
    keys(&mut model, "/api\n");
    let effects = keys(&mut model, ":wor\n");
    assert_eq!((selected(&model), model.table.filter_text.as_str()), (3, ""));
    assert!(matches!(effects.as_slice(), [Effect::Follow(Some(_))]), "{effects:?}");
    assert_eq!(keys(&mut model, ":restart cha\n"), [act(Verb::Restart, &["chatty:0"])]);
    assert_eq!(selected(&model), 3, "what is done elsewhere leaves the selection");
    // The second of those that fit, and a question before what cannot be undone.
    keys(&mut model, ":rewor");
    press(&mut model, KeyCode::Down);
    assert_eq!(press(&mut model, KeyCode::Enter), [act(Verb::Reload, &["worker:0"])]);
    keys(&mut model, ":delete wor\n");
    assert!(
        matches!(&model.mode, Mode::Confirm { verb: Verb::Delete, targets } if targets == &[InstanceId(3)])
    );
    keys(&mut model, "n");
    keys(&mut model, ":runs\n");
    assert_eq!(model.tab, Tab::Runs);
    keys(&mut model, ":xyzzy\n");
    assert!(model.notice.as_ref().is_some_and(|notice| notice.text.contains("nothing is called")));
    // Beyond the end is the end; Backspace on nothing closes it.
    keys(&mut model, ":quit");
    (0..50).for_each(|_| drop(press(&mut model, KeyCode::Down)));
    (0..5).for_each(|_| drop(press(&mut model, KeyCode::Backspace)));
    assert_eq!(model.mode, Mode::Normal);
    keys(&mut model, ":quit\n");
    assert_eq!(model.ending, Some(Ending::Quit));
}
