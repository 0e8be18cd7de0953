//! The reason for all of it: from a crash to its cause in two calls.

use serde_json::json;
use velos_core::instance::Phase;

use super::Agent;
use crate::env;

const BROKEN: &str =
    "import json\n\ndef load():\n    return json.loads('{\"port\": }')\n\nprint('starting')\nload()\n";
const FIXED: &str =
    "import time\nprint('starting', flush=True)\nprint('listening', flush=True)\ntime.sleep(1000)\n";

#[test]
fn from_crash_to_fix_with_the_cause_in_two_calls() {
    if velos_testkit::program("python3").is_none() {
        return velos_testkit::skipped("no python3 here");
    }
    let env = env();
    env.file("app.py", BROKEN, 0o644);
    env.run(&["start", "app.py", "--name", "shop", "--max-restarts", "2"]);
    env.wait_instance("shop", "it is given up", |one| one.phase == Phase::Errored);
    let mut agent = Agent::new(&env, &[]);
    // One: what is wrong?
    let list = agent.call("process_list", json!({})).ok().has(&["shop errored", "errored: exit code 1"]);
    // Two: why, and where?
    let why = agent.call("diagnose", json!({ "name": "shop" })).ok().has(&[
        "shop: errored: exit code 1",
        "JSONDecodeError",
        "app.py:4",
        "next: fix ",
        "process_restart",
    ]);
    assert!(list.text.len() + why.text.len() < 6_000, "{}", why.text);
    // The fix, and the proof.
    env.file("app.py", FIXED, 0o644);
    agent
        .call("process_restart", json!({ "name": "shop", "wait_log": "listening" }))
        .ok()
        .has(&["shop restarted", "listening"]);
    agent.call("health_check", json!({ "name": "shop" })).ok().has(&["online"]);
}

#[test]
fn a_taken_port_names_who_has_it() {
    if velos_testkit::program("python3").is_none() {
        return velos_testkit::skipped("no python3 here");
    }
    let env = env();
    let listen = "import socket, sys, time\ns = socket.socket()\ntry:\n    s.bind(('127.0.0.1', int(sys.argv[1])))\nexcept OSError as e:\n    \
        raise RuntimeError(f'address already in use 127.0.0.1:{sys.argv[1]}') from None\ns.listen()\nprint(s.getsockname()[1], flush=True)\ntime.sleep(1000)\n";
    env.file("listen.py", listen, 0o644);
    let mut agent = Agent::new(&env, &[]);
    agent
        .call(
            "process_start",
            json!({ "name": "first", "command": "python3 listen.py 0", "wait_log": "[0-9]" }),
        )
        .ok();
    let port = env.wait_log("first", "\n").trim().to_owned();
    agent.call("process_list", json!({})).ok().has(&[&format!(":{port}")]);
    let command = format!("python3 listen.py {port}");
    let arguments = json!({ "name": "second", "command": command, "autorestart": false });
    agent.call("process_start", arguments).fails(&["address already in use"]);
    let held = format!("port {port} is held by first");
    agent
        .call("diagnose", json!({ "name": "second" }))
        .ok()
        .has(&[&held, &format!("next: stop what holds port {port}")]);
}
