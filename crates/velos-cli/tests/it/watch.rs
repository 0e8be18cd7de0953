//! Restarts when files change: the right ones, once, and never in a loop.

use std::path::Path;
use std::time::{Duration, Instant};

use velos_core::instance::Phase;
use velos_testkit::{SOON, TestEnv, wait_until};

use crate::env;

fn restarts(env: &TestEnv) -> u64 {
    env.instance("api").restarts
}

/// An app in a folder with sources; the watch is known to be there once it reacts.
fn start(env: &TestEnv, flags: &[&str]) {
    std::fs::create_dir_all(env.work().join("src")).unwrap();
    std::fs::write(env.work().join("src/a.js"), "1").unwrap();
    env.run(&[&["start", "exec sleep 1000", "--name", "api", "--kill-timeout", "300ms"], flags].concat())
        .ok();
    wait_until("the watch works", SOON, || {
        let before = restarts(env);
        touch(&env.work().join("src/probe.js"));
        let begin = Instant::now();
        wait_until("a reaction or not", SOON, || restarts(env) > before || begin.elapsed().as_millis() > 600);
        restarts(env) > before
    });
    env.run(&["reset", "api"]).ok();
}

fn touch(path: &Path) {
    std::fs::write(path, format!("{:?}", Instant::now())).unwrap();
}

/// Nothing happens for longer than the quiet time.
fn stays_quiet(env: &TestEnv) {
    env.wait_instance("api", "is online", |one| one.phase == Phase::Online);
    let before = (restarts(env), env.pid("api"));
    let begin = Instant::now();
    wait_until("the quiet time is over", SOON, || begin.elapsed().as_millis() > 500);
    assert_eq!((restarts(env), env.pid("api")), before);
}

#[test]
fn a_changed_file_restarts_and_is_named() {
    let env = env();
    start(&env, &["--watch", "--watch-delay", "100ms"]);
    let file = env.work().join("src/a.js");
    touch(&file);
    let changed = Instant::now();
    wait_until("it was restarted", SOON, || restarts(&env) == 1);
    let reaction = changed.elapsed();
    assert!(reaction >= Duration::from_millis(95) && reaction < Duration::from_millis(1_000), "{reaction:?}");
    let why = env.run(&["why", "api"]).ok().stdout;
    assert!(why.contains("watch: src/a.js changed"), "{why}");
    // As editors save: a new file takes the name.
    std::fs::write(env.work().join("src/a.js.tmp"), "2").unwrap();
    std::fs::rename(env.work().join("src/a.js.tmp"), &file).unwrap();
    wait_until("again", SOON, || restarts(&env) == 2);
    stays_quiet(&env);
    std::fs::remove_file(&file).unwrap();
    wait_until("and when it is gone", SOON, || restarts(&env) == 3);
}

#[test]
fn what_is_ignored_and_own_files_do_nothing() {
    let env = env();
    start(&env, &["--watch", "--watch-delay", "100ms", "--ignore-watch", "*.tmp", "--ignore-watch", "data/"]);
    for folder in ["node_modules/x", ".git", "data/deep"] {
        std::fs::create_dir_all(env.work().join(folder)).unwrap();
        touch(&env.work().join(folder).join("file.js"));
    }
    touch(&env.work().join("src/x.tmp"));
    stays_quiet(&env);
    touch(&env.work().join("src/a.js"));
    wait_until("the rest is watched", SOON, || restarts(&env) == 1);
}

#[test]
fn ten_thousand_changes_are_one_restart() {
    let env = env();
    start(&env, &["--watch", "--watch-delay", "300ms"]);
    for number in 0..10_000 {
        std::fs::write(env.work().join(format!("src/f{number}.js")), "x").unwrap();
    }
    wait_until("it was restarted", SOON, || restarts(&env) > 0);
    let begin = Instant::now();
    wait_until("all is over", SOON, || begin.elapsed().as_millis() > 1_000);
    assert!(restarts(&env) <= 2, "{}", restarts(&env));
    assert_eq!(env.instance("api").phase, Phase::Online);
}

#[test]
fn new_folders_are_watched_and_lost_ones_are_found_again() {
    let env = env();
    start(&env, &["--watch", "--watch-delay", "100ms"]);
    std::fs::create_dir_all(env.work().join("new/deep")).unwrap();
    touch(&env.work().join("new/deep/x.js"));
    wait_until("a file in a new folder", SOON, || restarts(&env) >= 1);
    let before = restarts(&env);
    wait_until("a later change there", SOON, || {
        touch(&env.work().join("new/deep/x.js"));
        restarts(&env) > before
    });
}

#[test]
fn a_stopped_app_stays_stopped_and_is_watched_again_later() {
    let env = env();
    start(&env, &["--watch", "--watch-delay", "100ms"]);
    env.run(&["stop", "api"]).ok();
    touch(&env.work().join("src/a.js"));
    let begin = Instant::now();
    wait_until("the quiet time is over", SOON, || begin.elapsed().as_millis() > 400);
    assert_eq!(env.instance("api").phase, Phase::Stopped);
    env.run(&["start", "api"]).ok();
    touch(&env.work().join("src/a.js"));
    wait_until("it was restarted", SOON, || restarts(&env) == 1);
    env.wait_saved();
    env.kill_daemon();
    wait_until("a later daemon watches too", SOON, || {
        touch(&env.work().join("src/a.js"));
        restarts(&env) >= 2
    });
}

#[test]
fn an_app_that_changes_its_own_files_does_not_loop() {
    let env = env();
    let line = "date +%N > made-by-me; exec sleep 1000";
    env.run(&["start", line, "--name", "api", "--watch", "--watch-delay", "50ms"]).ok();
    wait_until("it is noticed", SOON, || {
        env.run(&["events"]).ok().stdout.contains("made-by-me changes whenever the app starts")
    });
    let restarts_then = restarts(&env);
    assert!(restarts_then <= 4, "{restarts_then}");
    let begin = Instant::now();
    wait_until("some time", SOON, || begin.elapsed().as_millis() > 600);
    assert_eq!(restarts(&env), restarts_then);
}
