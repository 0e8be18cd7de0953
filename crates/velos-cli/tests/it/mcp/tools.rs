//! Every tool once, as text and as data.

use serde_json::json;
use velos_testkit::TestEnv;

use super::Agent;
use crate::env;

/// Says something on both streams, then lives.
const CHATTY: &str = "echo hello; echo 'WARN disk is nearly full' >&2; exec sleep 1000";

fn start(agent: &mut Agent, name: &str, command: &str) {
    agent
        .call("process_start", json!({ "name": name, "command": command }))
        .ok()
        .has(&[name, "started, pid"]);
}

#[test]
fn a_process_from_start_to_delete() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    agent.call("process_list", json!({})).ok().has(&["no processes; start one with process_start"]);
    let arguments =
        json!({ "name": "api", "command": CHATTY, "wait_log": "hel+o", "env": { "MODE": "x", "N": 5 } });
    agent.call("process_start", arguments).ok().has(&["api started, pid", "hello", "cursor="]);
    agent.call("process_list", json!({})).ok().has(&["api online "]);
    let data = agent.data("process_list", json!({ "status": "online" }));
    assert_eq!((&data["rows"][0][0], &data["total"]), (&json!("api"), &json!(1)));
    agent.call("process_info", json!({ "name": "api" })).ok().has(&[
        "status: online",
        "command: echo hello",
        "env: MODE=*** N=***",
    ]);
    let pid = env.pid("api");
    agent
        .call("process_restart", json!({ "name": "api", "wait_log": "hello" }))
        .ok()
        .has(&["api restarted, pid"]);
    assert_ne!(env.pid("api"), pid);
    agent.call("process_start", json!({ "name": "api" })).ok().has(&["api is online already"]);
    agent.call("process_start", json!({ "name": "api", "command": "sleep 5" })).fails(&["replace=true"]);
    let pid = env.pid("api");
    agent.call("process_start", json!({ "name": "api", "command": "sleep 500", "replace": true })).ok();
    assert_ne!(env.pid("api"), pid);
    assert_eq!(env.instance("api").script.to_text(), "sleep 500");
    agent.call("process_stop", json!({ "name": "api" })).ok().has(&["api stopped, signal SIGTERM"]);
    agent.call("process_stop", json!({ "name": "api" })).ok().has(&["was stopped already"]);
    agent.call("process_start", json!({ "name": "api" })).ok().has(&["api started"]);
    agent.call("process_delete", json!({ "name": "api" })).ok().has(&["api deleted"]);
    assert!(env.list().is_empty());
}

#[test]
fn force_does_not_wait_for_who_ignores_the_signal() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    let stubborn = "trap '' TERM; while true; do sleep 1; done";
    start(&mut agent, "mule", stubborn);
    agent.call("config_set", json!({ "name": "mule", "changes": { "kill_timeout": "100s" } })).ok();
    let begin = std::time::Instant::now();
    agent.call("process_stop", json!({ "name": "mule", "force": true })).ok().has(&["SIGKILL"]);
    assert!(begin.elapsed().as_secs() < 60);
}

#[test]
fn logs_are_read_searched_and_summed_up() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    start(
        &mut agent,
        "api",
        "for i in $(seq 1 300); do echo \"GET /item/$i took $((i % 7))ms\"; done; echo 'ERROR db gone' >&2; exec sleep 1000",
    );
    env.wait_log("api", "item/300");
    let answer = agent.call("log_read", json!({ "name": "api", "lines": 3 })).ok().has(&["item/300"]);
    assert!(!answer.text.contains("item/297"), "{}", answer.text);
    agent.call("log_read", json!({ "name": "api", "level": "error" })).ok().has(&["db gone", "all stderr"]);
    let out = agent.call("log_read", json!({ "name": "api", "stream": "out" })).ok();
    assert!(!out.text.contains("db gone"));
    agent
        .call("log_read", json!({ "name": "api", "since": "start", "max_tokens": 100 }))
        .ok()
        .has(&["older lines left out"]);
    let data = agent.data("log_read", json!({ "name": "api", "stream": "err" }));
    assert_eq!(data["rows"][0][4], "ERROR db gone");

    agent.call("log_search", json!({ "pattern": "item/29[0-9] " })).ok().has(&["10 hits", "(x10 since"]);
    agent
        .call("log_search", json!({ "pattern": "db gone", "name": "api", "context": 1 }))
        .ok()
        .has(&["!ERROR db gone"]);
    agent.call("log_search", json!({ "pattern": "nowhere" })).ok().has(&["no hits"]);
    agent.call("log_search", json!({ "pattern": "(" })).fails(&["pattern: \"(\" is no regular expression"]);
    let data = agent.data("log_search", json!({ "pattern": "gone" }));
    assert_eq!(data["counts"], json!([1]));

    agent.call("log_summary", json!({ "name": "api" })).ok().has(&[
        "api: 301 lines, 1 errors",
        "1x db gone",
        "300x GET <PATH> took <N>ms",
    ]);
    let data = agent.data("log_summary", json!({}));
    assert_eq!((&data["errors"], &data["apps"][0]["lines"]), (&json!(1), &json!(301)));
}

#[test]
fn a_search_goes_on_where_it_ended() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    // Words, so that they are not folded.
    let words = ["one", "two", "three", "four", "five", "six", "seven"];
    start(
        &mut agent,
        "api",
        &format!("for w in {}; do echo hit $w; sleep 0.02; done; exec sleep 1000", words.join(" ")),
    );
    env.wait_log("api", "hit seven");
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let mut arguments = json!({ "pattern": "^hit", "limit": 2, "format": "json" });
        if let Some(cursor) = &cursor {
            arguments["cursor"] = json!(cursor);
        }
        let answer = agent.call("log_search", arguments).ok();
        let data: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        let rows = data["rows"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row[4].as_str().unwrap().to_owned()));
        if data["more"] == json!(false) {
            break;
        }
        cursor = data["cursor"].as_str().map(str::to_owned);
        assert!(seen.len() <= 7, "{seen:?}");
    }
    let expected: Vec<String> = words.iter().rev().map(|word| format!("hit {word}")).collect();
    assert_eq!(seen, expected);
}

#[test]
fn what_is_unusual_in_a_log_reaches_health_and_events() {
    let env = env();
    let mut lines: Vec<(u64, &str)> = Vec::new();
    for before in (0..400).rev() {
        lines.push((before, "INFO tick"));
        if before < 10 {
            lines.extend([(before, "ERROR payment refused"); 20]);
        }
    }
    let mut agent = Agent::new(&env, &[]);
    start(&mut agent, "shop", "exec sleep 1000");
    start(&mut agent, "calm", "exec sleep 1000");
    // It says nothing itself, so nobody minds another past.
    crate::logs_views::write(&env, "shop-out.log", 1, &lines);
    let odd = "above normal (20/min, usually 0)";
    agent.call("health_check", json!({})).ok().has(&["unusual since ", "errors: ", odd, "1 of 2 healthy"]);
    agent.call("events", json!({})).ok().has(&["shop unusual errors: ", odd, "calm online"]);
    let data = agent.data("events", json!({ "name": "shop" }));
    let rows = data["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row[1] == "shop" && row[2] == "unusual"), "{data}");
    let data = agent.data("events", json!({ "name": "calm" }));
    assert!(!data.to_string().contains("unusual"), "{data}");
    let cursor = json!({ "cursor": data["cursor"] });
    assert!(!agent.call("events", cursor).ok().text.contains("unusual"), "it was told before");
}

#[test]
fn health_metrics_events_and_config() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    start(&mut agent, "api", "exec sleep 1000");
    agent.call("health_check", json!({ "name": "api" })).ok().has(&["api 100 online: no issues"]);
    agent.call("health_check", json!({})).ok().has(&["1 of 1 healthy"]);
    agent.call("metrics_snapshot", json!({})).ok().has(&["api ", "fds ", "restarts 0"]);
    let data = agent.data("metrics_snapshot", json!({ "name": "api", "window": "2s" }));
    assert!(data["samples"].as_u64().unwrap() >= 2 && data["rows"][0][8]["trend"] == "steady", "{data}");
    agent
        .call("metrics_snapshot", json!({ "window": "6m" }))
        .fails(&["window: 6m is too long", "5m at most"]);
    // It does not claim to know what was before.
    let long = agent.call("metrics_snapshot", json!({ "name": "api", "window": "5m" })).ok();
    long.has(&["mem ", " p95 ", "samples over ", "s of 5m: kept since the first metrics_snapshot"]);

    let answer = agent.call("events", json!({ "name": "api" })).ok().has(&["api online: it runs"]);
    let cursor = answer.cursor();
    agent.call("events", json!({ "cursor": cursor })).ok().has(&["no events"]);
    agent.call("process_restart", json!({ "name": "api" })).ok();
    agent.call("events", json!({ "cursor": cursor })).ok().has(&["restart asked by mcp"]);

    agent.call("config_get", json!({})).ok().has(&["version = ", "read_only = false"]);
    agent
        .call("config_get", json!({ "name": "api", "key": "max_restarts" }))
        .ok()
        .has(&["max_restarts = 16"]);
    agent
        .call("config_get", json!({ "name": "api", "key": "max_restart" }))
        .fails(&["did you mean \"max_restarts\"?"]);
    let changes = json!({ "max_restarts": 3, "env.PORT": "secret-value" });
    let plan = json!({ "name": "api", "changes": changes, "dry_run": true });
    agent.call("config_set", plan).ok().has(&[
        "restart.max_restarts: 16 -> 3",
        "dry run",
        "a restart would be needed",
    ]);
    agent.call("config_get", json!({ "name": "api", "key": "max_restarts" })).ok().has(&["= 16"]);
    let pid = env.pid("api");
    let answer = agent.call("config_set", json!({ "name": "api", "changes": changes, "restart": true })).ok();
    assert!(
        answer.text.contains("changed and restarted") && !answer.text.contains("secret-value"),
        "{}",
        answer.text
    );
    assert_ne!(env.pid("api"), pid);
    agent
        .call("config_set", json!({ "name": "api", "changes": { "max_restarts": null } }))
        .ok()
        .has(&["3 -> 16", "no restart is needed"]);
    agent
        .call("config_set", json!({ "name": "api", "changes": { "kill_timeout": "soon" } }))
        .fails(&["changes.kill_timeout"]);
}

#[test]
fn logs_of_a_deleted_app_are_read_as_long_as_they_are_there() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    let script = "echo first; echo 'ERROR it broke' >&2; echo last; exec sleep 1000";
    for name in ["gone app", "other"] {
        agent.call("process_start", json!({ "name": name, "command": script, "wait_log": "last" })).ok();
    }
    agent.call("process_delete", json!({ "name": "gone app" })).ok();
    let note = "note: gone app was deleted";
    let read = agent.call("log_read", json!({ "name": "gone app" })).ok().has(&["first", "last", note]);
    agent
        .call("log_read", json!({ "name": "gone app", "cursor": read.cursor() }))
        .ok()
        .has(&["no new lines"]);
    let search = json!({ "name": "gone app", "pattern": "broke" });
    agent.call("log_search", search.clone()).ok().has(&["1 hits", "ERROR it broke", note]);
    agent.call("log_summary", json!({ "name": "gone app" })).ok().has(&["1 errors", note]);
    agent.call("log_read", json!({ "name": "never-was" })).fails(&["no process \"never-was\""]);
    // Those that are there are all, when none is named.
    let all = agent.call("log_read", json!({})).ok();
    assert!(!all.text.contains("gone"), "{}", all.text);
    // What may not be seen may not be seen afterwards either, by whatever spelling.
    let mut narrow = Agent::new(&env, &["--allow", "o*", "--allow", "gone a*"]);
    for name in ["gone-app", "gone app"] {
        narrow.call("log_read", json!({ "name": name })).fails(&["no process"]);
    }
    narrow.call("log_search", json!({ "pattern": "broke" })).ok().has(&["1 hits"]);
    let mut wide = Agent::new(&env, &["--allow", "gone*"]);
    wide.call("log_search", search).ok().has(&["1 hits"]);
    wide.call("log_read", json!({ "name": "other" })).fails(&["no process"]);
    drop((narrow, wide));
    agent.call("process_delete", json!({ "name": "other" })).ok();
    agent.call("log_summary", json!({})).ok().has(&["gone-app: ", "other: ", "note: no app is there"]);
}

#[test]
fn keys_of_a_file_are_set_on_a_living_app() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    start(&mut agent, "api", "exec sleep 1000");
    let mut set =
        |changes: serde_json::Value| agent.call("config_set", json!({ "name": "api", "changes": changes }));
    let check = json!({ "health.exec": "true", "health.interval": "500ms", "hooks.on_crash": "true", "limits.nofile": 512 });
    set(check).ok().has(&["health.interval_ms: none -> 500", "process_restart applies it"]);
    set(json!({ "script": "other.js" }))
        .fails(&["script: it cannot be changed", "process_start with replace=true"]);
    set(json!({ "user.uid": 0 })).fails(&["for a person to decide"]);
    set(json!({ "health.intervall": "1s" })).fails(&["did you mean \"health.interval\"?"]);
    set(json!({ "schedule": "0 3 * * *" })).fails(&["changes: ", "schedule is for tasks"]);
    set(json!({ "depends_on": "other" })).ok();
    start(&mut agent, "other", "exec sleep 1000");
    let circle = json!({ "name": "other", "changes": { "depends_on": ["api"] } });
    agent.call("config_set", circle).fails(&["in a circle: other -> api -> other"]);
    agent.call("process_restart", json!({ "name": "api" })).ok();
    env.wait_instance("api", "it is healthy", |one| one.healthy == Some(true));
    let pid = env.pid("api");
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    assert!(
        limits.lines().any(|line| line.starts_with("Max open files") && line.contains("512")),
        "{limits}"
    );
    agent
        .call("config_get", json!({ "name": "api" }))
        .ok()
        .has(&["health.exec = true", "limits.nofile = 512"]);
    agent
        .call("config_get", json!({ "name": "api", "key": "logs.format" }))
        .ok()
        .has(&["logs.format = null"]);
}

#[test]
fn without_a_name_the_defaults_are_set() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    start(&mut agent, "old", "exec sleep 1000");
    let mut set = |changes: serde_json::Value, dry_run: bool| {
        agent.call("config_set", json!({ "changes": changes, "dry_run": dry_run }))
    };
    set(json!({ "kill_timeout": "7s" }), true).ok().has(&["none -> 7s", "dry run"]);
    set(json!({ "kill_timeout": "7s", "max_restarts": 5 }), false).ok().has(&["started from now on"]);
    set(json!({ "kill_timeout": "soon" }), false).fails(&["changes.kill_timeout: "]);
    set(json!({ "name": "x" }), false).fails(&["name is of one app"]);
    start(&mut agent, "new", "exec sleep 1000");
    for (name, timeout) in [("old", "1600ms"), ("new", "7s")] {
        let answer = agent.call("config_get", json!({ "name": name, "key": "kill_timeout" })).ok();
        answer.has(&[timeout]);
    }
    agent.call("config_get", json!({})).ok().has(&["kill_timeout = \"7s\"", "max_restarts = 5"]);
    let mut narrow = Agent::new(&env, &["--allow", "new"]);
    narrow
        .call("config_set", json!({ "changes": { "max_restarts": 1 } }))
        .fails(&["the defaults hold for all apps"]);
}

#[test]
fn mistakes_are_answered_with_what_to_do() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    start(&mut agent, "api", "exec sleep 1000");
    agent
        .call("process_info", json!({ "name": "apj" }))
        .fails(&["no process \"apj\"; did you mean \"api\"? there are: api"]);
    agent
        .call("process_info", json!({}))
        .fails(&["missing field `name`", "example: process_info {\"name\":\"api\"}"]);
    agent.call("log_read", json!({ "lines": "many" })).fails(&["lines: invalid type", "example: log_read"]);
    agent.call("proces_list", json!({})).fails(&["did you mean process_list?"]);
    agent.call("process_stop", json!({ "name": "all" })).fails(&["may mean several apps"]);
    agent.call("process_start", json!({})).fails(&["command: what is to be started?"]);
    agent
        .call("wait_for", json!({ "name": "api", "until": "log" }))
        .fails(&["pattern: until=log needs a regex"]);
    agent
        .call("log_read", json!({ "cursor": "nonsense" }))
        .fails(&["cursor: \"nonsense\" is none of this server's"]);
    agent.call("log_read", json!({ "since": "noon" })).fails(&["since: \"noon\" is no time"]);
    assert_eq!(env.list().len(), 1);
}

#[test]
fn a_start_that_fails_carries_its_exit_and_its_words() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    let arguments =
        json!({ "name": "bad", "command": "echo 'FATAL no database' >&2; exit 3", "autorestart": false });
    agent.call("process_start", arguments).fails(&[
        "bad died: exit code 3",
        "FATAL no database",
        "process_start with its name",
    ]);
    agent
        .call("process_start", json!({ "name": "none", "command": "no-such-program" }))
        .fails(&["no such program in PATH"]);
    let arguments =
        json!({ "name": "late", "command": "sleep 0.3; echo 'FATAL too late' >&2; exit 4", "wait_port": 1 });
    agent.call("process_start", arguments).fails(&["late died: exit code 4", "FATAL too late"]);
    agent.call("process_restart", json!({ "name": "bad" })).fails(&["exit code 3", "FATAL no database"]);
    // What happened elsewhere stands at the end of every answer.
    agent.call("events", json!({ "limit": 1 })).ok().has(&["! late ", "see diagnose"]);
}

#[test]
fn structured_content_fits_what_is_declared() {
    let env: TestEnv = env();
    let mut agent = Agent::new(&env, &["--structured"]);
    start(&mut agent, "api", CHATTY);
    let tools = agent.request("tools/list", json!({}))["tools"].clone();
    for (tool, arguments) in [
        ("process_list", json!({})),
        ("process_info", json!({ "name": "api" })),
        ("log_read", json!({})),
        ("log_search", json!({ "pattern": "hello" })),
        ("log_summary", json!({})),
        ("wait_for", json!({ "name": "api" })),
        ("diagnose", json!({ "name": "api" })),
        ("health_check", json!({})),
        ("metrics_snapshot", json!({})),
        ("events", json!({})),
        ("config_get", json!({ "name": "api" })),
        ("config_set", json!({ "name": "api", "changes": { "max_restarts": 5 } })),
        ("process_restart", json!({ "name": "api" })),
        ("process_stop", json!({ "name": "api" })),
        ("process_start", json!({ "name": "api" })),
        ("process_delete", json!({ "name": "api" })),
    ] {
        let data = agent.call(tool, arguments).ok().data;
        let schema =
            tools.as_array().unwrap().iter().find(|one| one["name"] == tool).unwrap()["outputSchema"].clone();
        let properties = schema["properties"].as_object().unwrap();
        for (field, value) in data.as_object().unwrap() {
            let Some(kind) = properties.get(field).map(|property| property["type"].as_str().unwrap()) else {
                continue;
            };
            let fits = match kind {
                "string" => value.is_string(),
                "integer" => value.is_u64(),
                "boolean" => value.is_boolean(),
                "array" => value.is_array(),
                _ => value.is_object(),
            };
            assert!(fits, "{tool}.{field} is no {kind}: {value}");
        }
    }
    let data = agent.call("process_info", json!({ "name": "x" })).fails(&["no process"]).data;
    assert_eq!(data["error"]["code"], "not_found");
}
