//! A program that dies of a mistake in its first line: `start` says so where somebody looks, and does not hold up scripts.

use std::time::Duration;

use velos_core::instance::{Exit, Phase};
use velos_core::protocol::Outcomes;
use velos_testkit::tmux::Tmux;
use velos_testkit::{SOON, TestEnv, skipped, wait_until};

use crate::env;

/// Longer than any of them needs to die; a start that watches returns sooner.
const LONG: &str = "20s";

fn broken(env: &TestEnv) {
    env.file("broken.py", "import no_such_module_here\n", 0o644);
}

#[test]
fn a_start_that_watches_tells_of_an_early_end() {
    let env = env();
    broken(&env);
    let output = env.run(&["start", "broken.py", "--max-restarts", "1", "--settle", LONG]);
    assert!(output.stdout.contains("[OK] Process \"broken\" started"), "{}", output.stdout);
    assert!(output.elapsed < Duration::from_secs(10), "it does not watch what is gone: {:?}", output.elapsed);
    output.fails(
        1,
        &[
            "error: process \"broken\" ended with exit code 1 after ",
            " and is started again\n",
            "from its error log:\n",
            "No module named 'no_such_module_here'",
            "hint: see `velos why broken` and `velos logs broken`",
        ],
    );
    // A known one, and a restart.
    env.wait_instance("broken", "is given up", |one| one.phase == Phase::Errored);
    let words = ["exit code 1", "no_such_module_here"];
    env.run(&["start", "broken", "--settle", LONG]).fails(1, &words);
    env.run(&["restart", "broken", "--settle", LONG]).fails(1, &words);
    // By a signal, and without another try.
    let script = "kill -SEGV $$";
    let output = env.run(&["start", script, "--name", "segv", "--no-autorestart", "--settle", LONG]);
    output.fails(1, &["error: process \"segv\" ended with signal SIGSEGV after "]);
}

#[test]
fn several_and_those_of_a_file() {
    let env = env();
    broken(&env);
    let file = format!(
        "[apps.good]\ncommand = \"{} sleep\"\n[apps.bad]\nscript = \"broken.py\"\ninstances = 3\n",
        env.fixture()
    );
    env.file("velos.toml", &file, 0o644);
    let output = env.run(&["start", "velos.toml", "--settle", "1s"]);
    let bad = output.stderr.matches("ended with exit code 1 after").count();
    assert!((1..=3).contains(&bad), "{}", output.stderr);
    assert!(!output.stderr.contains("\"good\""), "{}", output.stderr);
    assert_eq!(output.code, 1);
    assert_eq!(env.instance("good").phase, Phase::Online);
}

#[test]
fn for_machines_the_document_is_as_it_is_then() {
    let env = env();
    let words = ["--name", "bad", "--no-autorestart", "--settle", LONG, "--", "exit", "3"];
    let output = env.run(&[&["--json", "start", env.fixture()], &words[..]].concat());
    assert_eq!(output.code, 1, "{}", output.stderr);
    let outcomes: Outcomes = serde_json::from_str(&output.stdout).unwrap();
    let bad = &outcomes.instances[0];
    assert_eq!((bad.ok, bad.phase, bad.exit), (false, Phase::Stopped, Some(Exit::Code(3))));
    assert!(bad.reason.as_deref().unwrap().starts_with("it ended with exit code 3 after "));
}

#[test]
fn what_lives_or_is_meant_to_end_is_no_failure() {
    let env = env();
    let output = env.try_start("good", &["--settle", "200ms"], &["sleep"]).ok();
    assert!(output.elapsed >= Duration::from_millis(200), "{:?}", output.elapsed);
    assert_eq!(output.stderr, "");
    let output = env.try_start("job", &["--settle", LONG, "--no-autorestart"], &["exit", "0"]).ok();
    assert_eq!(output.stderr, "");
    let output = env.try_start("again", &["--settle", LONG], &["exit", "0"]).ok();
    assert!(output.stderr.starts_with("note: process \"again\" ended with exit code 0"), "{}", output.stderr);
    assert!(output.stderr.contains("--no-autorestart"), "{}", output.stderr);
    env.try_start("bad", &["--settle", "soon"], &["sleep"])
        .fails(2, &["--settle", "\"soon\" is no duration"]);
    assert!(!env.list().iter().any(|one| one.name == "bad"), "nothing is done before that is known");
}

#[test]
fn scripts_are_not_held_up_and_people_are_told() {
    let env = env();
    broken(&env);
    // No terminal: it returns when the program runs, as ever.
    let output = env.run(&["start", "broken.py"]).ok();
    assert_eq!(output.stderr, "");
    wait_until("it died all the same", SOON, || env.instance("broken").restarts > 0);
    env.run(&["delete", "broken"]).ok();
    let prepared = env.command(&["start"]);
    // A slow machine may need longer for the first line of Python than people are made to wait by default.
    env.file("typed.sh", "exit 3\n", 0o644);
    let command = format!("{} start typed.sh; echo first $?", prepared.get_program().to_string_lossy());
    let Some(tmux) = Tmux::start(&env.work(), (100, 30), &command, &prepared) else {
        return skipped("a start in a terminal: there is no tmux");
    };
    tmux.wait(&["[OK] Process \"typed\" started", "ended with exit code 3 after", "first 1"]);
}
