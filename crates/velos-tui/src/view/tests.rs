//! What is seen, at the sizes that matter.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::model::Look;
use crate::msg::Msg;
use crate::sample;
use crate::update::update;

/// The screen as text, without what colours tell.
fn screen(model: &Model) -> String {
    let (width, height) = model.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view(model, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| -> String {
        let mut text = String::new();
        // A wide character leaves an empty cell behind itself.
        while let Some(cell) =
            buffer.cell((text::columns(&text) as u16, y)).filter(|_| text::columns(&text) < width.into())
        {
            text.push_str(cell.symbol());
        }
        format!("{text}|\n")
    };
    (0..height).map(line).collect()
}

fn press(model: &mut Model, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
}

fn digest(model: &mut Model) {
    let msg = Msg::Digest(model.logs.generation, Box::new(sample::digest()));
    update(model, msg);
}

#[test]
fn the_whole_at_different_sizes() {
    for (width, height) in [(60, 15), (80, 24), (100, 30), (160, 40)] {
        insta::assert_snapshot!(format!("whole_{width}x{height}"), screen(&sample::model(width, height)));
    }
}

#[test]
fn a_terminal_that_is_too_small() {
    insta::assert_snapshot!("too_small", screen(&sample::model(40, 10)));
    // Nothing fits, and nothing fails.
    for (width, height) in [(1, 1), (60, 1), (1, 15), (59, 15), (60, 14)] {
        screen(&sample::model(width, height));
    }
}

#[test]
fn any_size_is_drawn() {
    for width in (60..200).step_by(31) {
        for height in [15, 16, 20, 50] {
            let mut model = sample::model(width, height);
            for keys in ["", "2", "3", "4", "5", "6", "7", "1L", "w", ":", "\x1b", "?", "\x1bd"] {
                press(&mut model, keys);
                screen(&model);
            }
        }
    }
}

#[test]
fn the_runs_of_an_instance() {
    let mut model = sample::model(100, 30);
    press(&mut model, "7");
    assert!(screen(&model).contains("asking the daemon"));
    update(&mut model, Msg::Runs(velos_core::instance::InstanceId(0), Ok(sample::runs())));
    insta::assert_snapshot!("runs", screen(&model));
    update(&mut model, Msg::Runs(velos_core::instance::InstanceId(0), Err("no daemon runs".to_owned())));
    assert!(screen(&model).contains("the daemon does not tell: no daemon runs"));
}

#[test]
fn apps_and_commands_are_found_by_letters() {
    let mut model = sample::model(80, 24);
    press(&mut model, ":rewor");
    insta::assert_snapshot!("palette", screen(&model));
    press(&mut model, "xyz");
    assert!(screen(&model).contains("nothing is called so"));
}

#[test]
fn before_anything_is_known() {
    let look = Look { colour: true, unicode: true };
    let mut model = Model::new((60, 15), look, crate::Clock::utc(), sample::NOW_MS);
    insta::assert_snapshot!("unknown", screen(&model));
    update(&mut model, Msg::Here(Box::new(sample::hello())));
    update(&mut model, Msg::List(Vec::new()));
    insta::assert_snapshot!("no_processes", screen(&model));
}

#[test]
fn the_daemon_is_away() {
    let mut model = sample::model(100, 30);
    update(&mut model, Msg::Away("no daemon runs".to_owned()));
    update(&mut model, Msg::Tick(sample::NOW_MS + 12_000));
    update(&mut model, Msg::Away("no daemon runs".to_owned()));
    insta::assert_snapshot!("away", screen(&model));
    update(&mut model, Msg::Here(Box::new(sample::hello())));
    assert!(screen(&model).contains("the daemon is back (PID 100)"));
}

#[test]
fn questions_and_help() {
    let mut model = sample::model(100, 30);
    press(&mut model, "d");
    insta::assert_snapshot!("confirm", screen(&model));
    press(&mut model, "n  d");
    insta::assert_snapshot!("confirm_several", screen(&model));
    press(&mut model, "n?");
    insta::assert_snapshot!("help", screen(&model));
    model.size = (60, 15);
    press(&mut model, "jjjj");
    insta::assert_snapshot!("help_60x15", screen(&model));
}

#[test]
fn logs_on_the_whole_screen() {
    let mut model = sample::model(80, 24);
    press(&mut model, "L");
    insta::assert_snapshot!("logs_full", screen(&model));
    press(&mut model, "w/ms\n");
    insta::assert_snapshot!("logs_wrapped_and_searched", screen(&model));
    press(&mut model, "\x1bwm");
    press(&mut model, "mm");
    insta::assert_snapshot!("logs_errors_only", screen(&model));
    press(&mut model, "&nothing like it\n");
    assert!(screen(&model).contains("none of 8 lines fits"));
}

#[test]
fn the_other_tabs() {
    let mut model = sample::model(100, 30);
    press(&mut model, "e");
    assert!(screen(&model).contains("reading the log"));
    digest(&mut model);
    insta::assert_snapshot!("errors", screen(&model));
    press(&mut model, "g");
    insta::assert_snapshot!("summary", screen(&model));
    press(&mut model, "4");
    let info = sample::info(0);
    update(&mut model, Msg::Info(info.summary.id, Some(Box::new(info))));
    insta::assert_snapshot!("config", screen(&model));
    press(&mut model, "5");
    insta::assert_snapshot!("env", screen(&model));
    press(&mut model, "6");
    insta::assert_snapshot!("events", screen(&model));
}

#[test]
fn filters_are_told() {
    let mut model = sample::model(80, 24);
    press(&mut model, "/cpu>");
    insta::assert_snapshot!("filter_typed", screen(&model));
    press(&mut model, "50\n");
    insta::assert_snapshot!("filtered", screen(&model));
    press(&mut model, "/ nobody\n");
    assert!(screen(&model).contains("no process fits"));
}

#[test]
fn without_colours_and_unicode_everything_is_ascii() {
    let mut model = sample::model(100, 30);
    model.look = Look { colour: false, unicode: false };
    update(
        &mut model,
        Msg::List(sample::instances().into_iter().filter(|one| one.name.is_ascii()).collect()),
    );
    // What the log itself says is not ours to change, nor the ellipsis of what is cut.
    let text = screen(&model).replace('…', ".");
    assert!(text.is_ascii(), "{text}");
    insta::assert_snapshot!("plain", text);
}
