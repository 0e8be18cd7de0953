//! `wait_for`, cursors, progress and cancellation.

use std::time::{Duration, Instant};

use serde_json::json;
use velos_testkit::SOON;

use super::{Agent, to_answer};
use crate::env;

#[test]
fn what_can_be_waited_for() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    let script = "sleep 0.1; echo listening; sleep 2; echo working; exec sleep 1000";
    let cursor = agent.call("process_start", json!({ "name": "api", "command": script })).ok().cursor();
    agent.call("wait_for", json!({ "name": "api" })).ok().has(&["api: online"]);
    let arguments = json!({ "name": "api", "until": "log", "pattern": "work", "cursor": cursor });
    let answer = agent.call("wait_for", arguments).ok().has(&["matched after", "working"]);
    // Behind the line that was found nothing more comes.
    let arguments = json!({ "name": "api", "until": "log", "pattern": ".", "cursor": answer.cursor(), "timeout_ms": 200 });
    agent.call("wait_for", arguments).ok().has(&["not within", "Call again with cursor="]);
    agent.call("wait_for", json!({ "name": "api", "until": "idle" })).ok().has(&["no output for 2s"]);
    agent
        .call("wait_for", json!({ "name": "api", "until": "exit", "timeout_ms": 100 }))
        .ok()
        .has(&["not within"]);
    agent.call("process_stop", json!({ "name": "api" })).ok();
    agent.call("wait_for", json!({ "name": "api", "until": "stopped" })).ok().has(&["stopped"]);
    agent.call("wait_for", json!({ "name": "api" })).ok().has(&["it will not happen: stopped"]);
}

#[test]
fn ports_and_addresses() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    agent.call("process_start", json!({ "name": "api", "command": "exec sleep 1000" })).ok();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    agent.call("wait_for", json!({ "name": "api", "until": "port", "port": port })).ok().has(&["accepts"]);
    drop(listener);
    agent
        .call("wait_for", json!({ "name": "api", "until": "port", "port": port, "timeout_ms": 100 }))
        .ok()
        .has(&["not within"]);
    let url = "http://example.com/";
    agent
        .call("wait_for", json!({ "name": "api", "until": "http", "url": url }))
        .fails(&["is not of this machine"]);
}

#[test]
fn a_crash_ends_the_wait() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    let script = "sleep 1.5; echo 'ERROR gone' >&2; exit 7";
    agent.call("process_start", json!({ "name": "api", "command": script })).ok();
    let begin = Instant::now();
    let arguments = json!({ "name": "api", "until": "log", "pattern": "never", "timeout_ms": 50_000 });
    agent.call("wait_for", arguments).ok().has(&["it will not happen: exit code 7"]);
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_wait_says_how_far_it_is_and_can_be_cancelled() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    agent.call("process_start", json!({ "name": "api", "command": "exec sleep 1000" })).ok();
    let params = json!({
        "name": "wait_for",
        "arguments": { "name": "api", "until": "exit", "timeout_ms": 50_000 },
        "_meta": { "progressToken": "far" },
    });
    let id = agent.begin("tools/call", params);
    let progress = agent.notice("notifications/progress");
    assert_eq!(progress["params"]["progressToken"], "far");
    assert_eq!(progress["params"]["total"], 50.0);
    assert!(progress["params"]["message"].as_str().unwrap().contains("waits for its exit"));
    let begin = Instant::now();
    agent.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }),
    );
    // Others are served meanwhile and after.
    agent.call("process_list", json!({})).ok().has(&["api online"]);
    assert!(begin.elapsed() < SOON);
    // The thread of the wait ends too, so the server ends as soon as the client does.
    agent.input = None;
    velos_testkit::wait_until("the server ends", SOON, || agent.child.try_wait().unwrap().is_some());
}

#[test]
fn calls_run_side_by_side() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    agent.call("process_start", json!({ "name": "api", "command": "exec sleep 1000" })).ok();
    let arguments = json!({ "name": "api", "until": "exit", "timeout_ms": 50_000 });
    let wait = agent.begin("tools/call", json!({ "name": "wait_for", "arguments": arguments }));
    agent.call("process_stop", json!({ "name": "api" })).ok();
    let answer = agent.answer(wait, SOON);
    to_answer(&answer["result"]).ok().has(&["SIGTERM"]);
}

#[test]
fn a_cursor_survives_rotation_and_a_crash_of_the_daemon() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    let script = "echo first; while read line < /dev/null; do :; done; for i in $(seq 1 1000); do sleep 0.2; echo tick $i; done";
    agent.call("process_start", json!({ "name": "api", "command": script, "wait_log": "tick 2" })).ok();
    let cursor = agent.call("log_read", json!({ "name": "api" })).ok().cursor();
    env.run(&["rotate", "api"]).ok();
    // Until then the live log is the one from before.
    let closed = env.home().join("logs/api-out.1.log");
    velos_testkit::wait_until("the segment is closed", SOON, || closed.exists());
    let log = env.wait_log("api", "tick");
    env.wait_saved();
    env.kill_daemon();
    let last = log.lines().next_back().unwrap().to_owned();
    let mut expected: Option<u32> = None;
    let mut cursor = cursor;
    let mut seen = Vec::new();
    while !seen.contains(&last) {
        let answer = agent
            .call("log_read", json!({ "name": "api", "cursor": cursor, "lines": 2, "format": "json" }))
            .ok();
        let data: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        cursor = data["cursor"].as_str().unwrap().to_owned();
        seen.extend(data["rows"].as_array().unwrap().iter().map(|row| row[4].as_str().unwrap().to_owned()));
        assert!(seen.len() < 500, "{seen:?}");
    }
    for line in &seen {
        let number: u32 = line.strip_prefix("tick ").unwrap().parse().unwrap();
        assert!(expected.is_none_or(|expected| number == expected), "{seen:?}");
        expected = Some(number + 1);
    }
}
