//! `velos monit`, typed into a terminal and looked at.

use nix::sys::signal::Signal;
use velos_core::instance::Phase;
use velos_testkit::tmux::Tmux;
use velos_testkit::{TestEnv, processes, skipped};

use crate::env;

/// The full screen in a terminal of this size; `None`: said aloud that there is no tmux.
fn monit(env: &TestEnv, size: (u16, u16), flags: &str) -> Option<Tmux> {
    let prepared = env.command(&["monit"]);
    let command = format!("{} monit {flags}", prepared.get_program().to_string_lossy());
    let tmux = Tmux::start(&env.work(), size, &command, &prepared);
    if tmux.is_none() {
        skipped("velos monit in a terminal: there is no tmux");
    }
    tmux
}

/// An app that prints what is written to the file `feed`.
fn talker(env: &TestEnv) {
    env.file("talk.sh", "echo INFO first; : > feed; exec tail -n +1 -f feed", 0o644);
    env.run(&["start", "talk.sh", "-e", "API_TOKEN=hunter2", "-e", "PORT=3000"]).ok();
    env.wait_log("talk", "first\n");
}

fn say(env: &TestEnv, text: &str) {
    use std::io::Write;
    let mut feed = std::fs::OpenOptions::new().append(true).open(env.work().join("feed")).unwrap();
    feed.write_all(text.as_bytes()).unwrap();
}

#[test]
fn processes_and_logs_are_seen_and_acted_on() {
    let env = env();
    talker(&env);
    env.start("other", &[], &["sleep"]);
    let Some(tmux) = monit(&env, (100, 30), "") else { return };
    tmux.wait(&["2 online", "talk", "other", "INFO first", "talk, follows", "cpu ", "mem ", "daemon 0."]);
    say(&env, "ERROR cannot reach db at 10.0.0.1: refused\nINFO on we go\n");
    tmux.wait(&["E ERROR cannot reach db", "on we go"]);
    tmux.keys(&["e"]);
    tmux.wait(&["1 error, 1 different", "1x cannot reach db at <IP>: refused"]);
    tmux.keys(&["g"]);
    tmux.wait(&["Health ", "3 lines, 1 error, 0 warnings, last 1h", "Patterns", "Last error: "]);
    tmux.keys(&["5"]);
    tmux.wait(&["* API_TOKEN=***", "* PORT=3000", "!hunter2"]);
    tmux.keys(&["4"]);
    tmux.wait(&["arguments", "talk.sh", "SIGTERM, SIGKILL after 1600 ms"]);
    let before = env.pid("talk");
    tmux.keys(&["r"]);
    let after = env.wait_instance("talk", "has another process", |one| {
        one.phase == Phase::Online && one.pid.is_some_and(|pid| pid != before)
    });
    tmux.wait(&[&format!("talk restarted (PID {})", after.pid.unwrap())]);
    tmux.keys(&["6"]);
    tmux.wait(&["talk: online -> stopping: restart asked by tui"]);
    tmux.keys(&["7"]);
    tmux.wait(&["signal SIGTERM; cpu ", "restart asked", "it runs"]);
    tmux.keys(&["1", ":", "o", "t", "h"]);
    tmux.wait(&["go to other", "restart other"]);
    tmux.keys(&["Enter", "s"]);
    env.wait_instance("other", "is stopped", |one| one.phase == Phase::Stopped);
    tmux.wait(&["other stopped", "1 online ○1"]);
    tmux.keys(&["S"]);
    env.wait_instance("other", "runs", |one| one.phase == Phase::Online);
    tmux.keys(&["d"]);
    tmux.wait(&["delete?", "other (id 1)", "y delete"]);
    tmux.keys(&["n"]);
    tmux.wait(&["no delete", "!y delete"]);
    tmux.keys(&["d", "y"]);
    tmux.wait(&["other deleted", "!other (id"]);
    assert_eq!(env.list().len(), 1);
    tmux.keys(&["q"]);
    tmux.wait(&["ended 0"]);
    tmux.expect_restored();
    assert_eq!(env.list().len(), 1, "nothing stops when it ends");
}

#[test]
fn filters_searches_and_sizes() {
    let env = env();
    talker(&env);
    for name in ["web", "worker"] {
        env.start(name, &[], &["sleep"]);
    }
    let Some(tmux) = monit(&env, (100, 30), "") else { return };
    tmux.wait(&["3 online", "INFO first"]);
    tmux.keys(&["/", "w", "e", "b"]);
    tmux.wait(&["show processes: web", "only web: 1 of 3"]);
    tmux.keys(&["Escape"]);
    tmux.wait(&["worker", "INFO first", "!show processes"]);
    tmux.click(10, 4);
    tmux.wait(&["worker, follows"]);
    // The bar of tabs stands below three rows.
    tmux.click(40, 5);
    tmux.wait(&["worker: launching -> online"]);
    tmux.click(2, 5);
    tmux.click(10, 2);
    tmux.wait(&["talk, follows", "INFO first"]);
    let lines: String = (1..=60).map(|n| format!("INFO request {n} took {} ms\n", n * 7 % 50)).collect();
    say(&env, &lines);
    tmux.wait(&["request 60 "]);
    tmux.keys(&["L"]);
    tmux.wait(&["!worker", "request 60 ", "request 34 "]);
    tmux.keys(&["/", "request 1 ", "Enter"]);
    tmux.wait(&["> INFO request 1 took", "with \"request 1 \"", "!request 60 "]);
    say(&env, "INFO while held\n");
    tmux.wait(&["more below", "!while held"]);
    tmux.keys(&["Escape"]);
    tmux.wait(&["while held", "follows"]);
    tmux.keys(&["?"]);
    tmux.wait(&["Keys; any other key closes this"]);
    tmux.resize(60, 15);
    tmux.wait(&["Keys; any other"]);
    tmux.keys(&["x"]);
    tmux.wait(&["while held", "!Keys"]);
    tmux.keys(&["L"]);
    let small = tmux.wait(&["●3 online", "worker", "while held"]);
    assert!(small.lines().all(|line| line.chars().count() <= 60), "{small}");
    tmux.resize(50, 10);
    tmux.wait(&["this terminal is 50x10", "needs 60x15"]);
    tmux.resize(120, 40);
    tmux.wait(&["│", "worker", "while held"]);
    tmux.keys(&["C-c"]);
    tmux.wait(&["ended 0"]);
    tmux.expect_restored();
}

#[test]
fn a_daemon_that_goes_away_comes_back() {
    let env = env();
    talker(&env);
    let Some(tmux) = monit(&env, (100, 30), "") else { return };
    tmux.wait(&["1 online", "INFO first"]);
    env.kill_daemon_and_guardian();
    tmux.wait(&["daemon away for", "trying again", "INFO first"]);
    tmux.keys(&["r"]);
    tmux.wait(&["cannot restart: the daemon is away"]);
    // The logs are on disk.
    env.run(&["ping"]).ok();
    tmux.wait(&["●1 online", "!daemon away"]);
    say(&env, "INFO after it came back\n");
    tmux.wait(&["after it came back"]);
    tmux.keys(&["6"]);
    tmux.wait(&["daemon: started again after a crash"]);
}

#[test]
fn signals_give_the_terminal_back() {
    let env = env();
    talker(&env);
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let Some(tmux) = monit(&env, (80, 24), "--no-color") else { return };
        tmux.wait(&["1 online"]);
        assert_eq!(tmux.variable("alternate_on"), "1");
        processes::signal(tmux.foreground(), signal);
        tmux.wait(&[&format!("ended {code}")]);
        tmux.expect_restored();
    }
}

#[test]
fn it_can_be_suspended() {
    let env = env();
    talker(&env);
    let Some(tmux) = monit(&env, (80, 24), "") else { return };
    tmux.wait(&["1 online"]);
    tmux.keys(&["q"]);
    tmux.wait(&["ended 0"]);
    // Only an interactive shell has jobs.
    let program = env.command(&["monit"]).get_program().to_string_lossy().into_owned();
    tmux.keys(&["clear; set -m; ", &program, " monit", "Enter"]);
    tmux.wait(&["1 online"]);
    tmux.keys(&["C-z"]);
    tmux.wait(&["Stopped", "!1 online"]);
    tmux.expect_restored();
    tmux.keys(&["fg", "Enter"]);
    tmux.wait(&["1 online", "INFO first"]);
    tmux.keys(&["q"]);
    tmux.wait(&["!1 online"]);
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let env = env();
    env.run(&["monit"]).fails(2, &["needs a terminal", "velos list", "velos logs --follow"]);
    env.run(&["dash", "--json"]).fails(2, &["prints no JSON", "velos list --machine"]);
    assert!(!env.home().join("velos.sock").exists(), "no daemon was started for it");
}
