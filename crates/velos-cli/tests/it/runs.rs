//! Runs, messages to a program, typing into it.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use velos_testkit::{SOON, wait_until};

use crate::env;

fn runs(env: &velos_testkit::TestEnv, name: &str) -> Vec<serde_json::Value> {
    let reply: serde_json::Value =
        serde_json::from_str(&env.run(&["runs", name, "--machine"]).ok().stdout).unwrap();
    reply[0]["runs"].as_array().unwrap().clone()
}

#[test]
fn each_run_is_kept_with_its_end() {
    let env = env();
    env.file("crash.sh", "echo up; sleep 0.05; exit 3\n", 0o644);
    env.run(&["start", "crash.sh", "--restart-delay", "10s"]).ok();
    wait_until("the end of the first run", SOON, || runs(&env, "crash")[0]["exit"]["code"] == 3);
    env.run(&["restart", "crash"]).ok();
    let text = env.run(&["runs", "crash"]).ok().stdout;
    assert!(text.contains("exit code 3") && text.contains("by itself"), "{text}");
    env.start("web", &[], &["sleep"]);
    env.run(&["restart", "web"]).ok();
    let kept = runs(&env, "web");
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(kept[0]["exit"]["signal"], 15);
    assert_eq!(kept[0]["ended_by"]["verb"], "restart");
    assert!(kept[0]["used"]["peak_rss_bytes"].as_u64().unwrap() > 100_000, "{kept:?}");
    assert_eq!((&kept[1]["pid"], kept[1].get("exit")), (&env.pid("web").into(), None));
    assert!(env.run(&["runs", "web"]).ok().stdout.contains("restart asked by cli"));
    env.run(&["runs", "nobody"]).fails(3, &["nobody"]);
}

#[test]
fn a_reload_is_a_new_run_of_the_same_instance() {
    let env = env();
    env.start("web", &["--min-uptime", "50ms"], &["sleep"]);
    env.run(&["reload", "web"]).ok();
    wait_until("the end of the old run", SOON, || runs(&env, "web")[0]["exit"]["signal"] == 15);
    let kept = runs(&env, "web");
    assert_eq!((kept.len(), &kept[1]["pid"]), (2, &env.pid("web").into()), "{kept:?}");
    assert_eq!(kept[0]["ended_by"]["verb"], "reload");
}

#[test]
fn a_node_program_gets_messages() {
    let env = env();
    let text = "process.on('message', message => console.log('got ' + JSON.stringify(message)));\nsetInterval(() => {}, 1000);\n";
    env.file("app.js", text, 0o644);
    env.file("deaf.py", "import time\ntime.sleep(1000)\n", 0o644);
    env.run(&["start", "app.js", "deaf.py"]).ok();
    env.run(&["send", "app", "{\"cache\": [1, 2]}"]).ok();
    env.run(&["send", "app", "plain words"]).ok();
    let long = "x".repeat(300_000);
    env.run_with_input(&["send", "app", &long[..100_000]], "").ok();
    let said = |what: &str| std::fs::read_to_string(env.out_log("app")).is_ok_and(|text| text.contains(what));
    wait_until("the object", SOON, || said("got {\"cache\":[1,2]}\n"));
    wait_until("the text", SOON, || said("got \"plain words\"\n"));
    wait_until("the long one", SOON, || said(&long[..100_000]));
    env.run(&["send", "deaf", "x"]).fails(1, &["deaf", "no open Node channel", "velos attach"]);
    env.run(&["stop", "app"]).ok();
    env.run(&["send", "app", "x"]).fails(1, &["it does not run"]);
}

#[test]
fn what_is_typed_reaches_the_program() {
    let env = env();
    env.file("echo.sh", "while read line; do echo \"got $line\"; done\n", 0o644);
    env.run(&["start", "echo.sh"]).ok();
    let output = env.run_with_input(&["attach", "echo"], "one\ntwo\n").ok();
    assert_eq!(output.stdout, "got one\ngot two\n");
    let mut attached = env
        .command(&["attach", "echo"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = attached.stdin.take().unwrap();
    input.write_all(b"three\n").unwrap();
    let mut lines = BufReader::new(attached.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "got three");
    // The input outlives the daemon and each run.
    env.run(&["restart", "echo"]).ok();
    assert!(attached.wait().unwrap().success(), "who was attached is told of the end");
    assert_eq!(env.run_with_input(&["attach", "echo"], "four\n").ok().stdout, "got four\n");
    env.run(&["stop", "echo"]).ok();
    env.run(&["attach", "echo"]).fails(1, &["echo is stopped", "velos start echo"]);
}

#[test]
fn the_log_of_a_run_and_a_line_to_wait_for() {
    let env = env();
    env.file("job.sh", "echo \"run $(cat count)\"; sleep 0.2; echo ready in 3 ms; exec sleep 1000\n", 0o644);
    env.file("count", "1", 0o644);
    env.run(&["start", "job.sh"]).ok();
    let waited = env.run(&["wait", "job", "--for", "log=ready in \\d+", "--timeout", "20s"]).ok();
    assert!(waited.stdout.contains("[OK] job: ready in 3 ms"), "{}", waited.stdout);
    env.file("count", "2", 0o644);
    env.run(&["restart", "job"]).ok();
    env.run(&["wait", "job", "--for", "log=ready", "--timeout", "20s"]).ok();
    let log = |run: &str| env.run(&["logs", "job", "--run", run, "--raw"]).ok().stdout;
    assert_eq!(log("-1"), "run 1\nready in 3 ms\n");
    assert_eq!(log("1"), "run 1\nready in 3 ms\n");
    assert_eq!(log("2"), "run 2\nready in 3 ms\n");
    env.run(&["logs", "job", "--run", "9"]).fails(1, &["no run 9 of job is kept", "kept are 1, 2"]);
    env.run(&["wait", "job", "--for", "log=never", "--timeout", "50ms"]).fails(5, &["the time is over"]);
    env.run(&["wait", "job", "--for", "log=("]).fails(2, &["log=("]);
    env.run(&["stop", "job"]).ok();
    env.run(&["wait", "job", "--for", "log=never"]).fails(1, &["job is stopped"]);
    env.run(&["wait", "job", "--for", "lunch"]).fails(2, &["online, healthy, stopped, exit or log=PATTERN"]);
    let events = env.run(&["events", "--since", "1h"]).ok().stdout;
    assert!(events.contains("job"), "{events}");
    assert_eq!(env.run(&["events", "--since", "#100000"]).ok().stdout, "");
    env.run(&["events", "--since", "tomorrowish"]).fails(2, &["tomorrowish"]);
}
