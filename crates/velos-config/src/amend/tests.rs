use velos_core::app::{Condition, Kind, Probe};
use velos_core::name::AppName;

use super::*;

fn plain() -> AppSpec {
    AppSpec { cwd: "/tmp".into(), ..AppSpec::new(AppName::new("api").unwrap(), "/bin/true") }
}

fn changes(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[track_caller]
fn amended(app: &AppSpec, value: Value) -> AppSpec {
    amend(app, &changes(value)).unwrap()
}

#[track_caller]
fn refused(app: &AppSpec, value: Value) -> String {
    amend(app, &changes(value)).unwrap_err().to_string()
}

#[test]
fn every_key_of_a_file_can_be_changed_or_says_why_not() {
    for key in keys::KEYS.iter().filter(|key| key.has_effect() && key.path != "env") {
        match setting(key.path) {
            Ok(setting) => assert_eq!(setting.path, key.path),
            Err(error) => assert!(matches!(error, AmendError::Fixed { .. }), "{error}"),
        }
    }
    for setting in settings() {
        let (section, name) =
            setting.path.split_once('.').map_or((None, setting.path), |(a, b)| (Some(a), b));
        assert!(keys::find(section, name).is_some_and(|key| key.path == setting.path), "{}", setting.path);
    }
}

/// One of each, none the standard.
fn full() -> Value {
    serde_json::from_str(r#"{
        "namespace": "n", "cwd": "/", "instances": 2, "listen": ["3000"], "kind": "task", "schedule": "0 3 * * *",
        "timezone": "Europe/Berlin", "autostart": false, "depends_on": { "db": "healthy" }, "propagate": "stop",
        "critical": true, "instance_var": "N", "increment_var": "PORT", "port": 80, "autorestart": false,
        "max_restarts": 3, "min_uptime": "5s", "restart_delay": "1s", "exp_backoff_restart_delay": "20s",
        "backoff_max": "30s", "stop_exit_codes": [0, 42], "max_memory_restart": "300M", "cron_restart": "0 4 * * *",
        "kill_signal": "SIGINT", "kill_timeout": "9s", "treekill": false, "shutdown_with_message": true,
        "wait_ready": true, "sd_notify": true, "watchdog": "10s", "listen_timeout": "8s", "ready_required": true,
        "pid_file": "/tmp/x.pid", "health.http": "http://localhost:80/", "health.interval": "3s",
        "health.timeout": "1s", "health.retries": 5, "health.start_period": "7s", "limits.memory_max": "64M",
        "limits.memory_high": "32M", "limits.cpu_max": "150%", "limits.pids_max": 9, "limits.nice": 5,
        "limits.oom_score_adj": 10, "limits.nofile": { "soft": 10, "hard": 20 }, "limits.core": "unlimited",
        "limits.nproc": 5, "limits.stack": 1024, "limits.memlock": 0, "limits.as": 1024, "limits.cpu": 9,
        "limits.fsize": 1024, "limits.data": 1024, "user.umask": "027", "user.no_new_privileges": true,
        "watch.enabled": true, "watch.paths": ["/tmp"], "watch.ignore": ["x"], "watch.delay": "1s",
        "watch.follow_symlinks": false, "watch.poll": "2s", "logs.out": "/tmp/o", "logs.err": "NULL",
        "logs.combined": "/tmp/c", "logs.merge": true, "logs.format": "json", "logs.timestamps": "HH:mm",
        "logs.max_size": "1M", "logs.keep": 2, "logs.compress": false, "hooks.pre_start": "a",
        "hooks.post_start": { "command": "b", "timeout": "2s" }, "hooks.pre_stop": "c", "hooks.post_stop": "d",
        "hooks.on_crash": "e"
    }"#)
    .unwrap()
}

#[test]
fn what_is_said_is_shown_and_null_takes_it_back() {
    let app = amended(&plain(), full());
    let said = full();
    for (path, value) in all_shown(&app) {
        if path != "logs.disabled" {
            assert_eq!(value, said[path], "{path}");
            let is_another_probe = PROBES.contains(&path) && value.is_null();
            assert!(is_another_probe || value != shown(&plain(), path).unwrap(), "{path} is the standard");
        }
    }
    let nothing: Map<String, Value> = all_shown(&app)
        .into_iter()
        .filter(|(path, _)| *path != "cwd")
        .map(|(path, _)| (path.to_owned(), Value::Null))
        .collect();
    let back = amend(&app, &nothing).unwrap();
    assert_eq!(crate::changes(&plain(), &AppSpec { cwd: "/tmp".into(), ..back }), []);
    // One at a time, each as it is: nothing changes.
    for (path, value) in all_shown(&app) {
        if path != "logs.disabled" {
            assert_eq!(amended(&app, json!({ path: value })), app, "{path}");
        }
        assert_eq!(amended(&plain(), json!({ path: shown(&plain(), path).unwrap() })), plain(), "{path}");
    }
}

#[test]
fn keys_of_a_family_are_seen_together() {
    let tcp = amended(&plain(), json!({ "health.tcp": "localhost:1", "health.retries": 7 }));
    let http = amended(&tcp, json!({ "health.http": "http://localhost/" }));
    let health = http.health.clone().unwrap();
    assert_eq!((health.probe, health.retries), (Probe::Http("http://localhost/".into()), 7));
    assert_eq!(amended(&http, json!({ "health.http": null })).health, None);
    assert_eq!(amended(&http, json!({ "health.tcp": null })), http);
    assert!(refused(&plain(), json!({ "health.retries": 3 })).contains("needs a check"));

    let watched = amended(&plain(), json!({ "watch.ignore": ["*.log"] }));
    assert_eq!(watched.watch.as_ref().unwrap().paths, ["/tmp".into()]);
    let more = amended(&watched, json!({ "watch": true, "watch.delay": "2s" }));
    assert_eq!(more.watch.as_ref().unwrap().ignore, ["*.log"]);
    assert_eq!(amended(&more, json!({ "watch": false })).watch, None);

    assert!(refused(&plain(), json!({ "schedule": "0 3 * * *" })).contains("kind = \"task\""));
    let task = amended(&plain(), json!({ "schedule": "0 3 * * *", "kind": "task" }));
    assert_eq!(task.kind, Kind::Task);
    let zoned = amended(&task, json!({ "timezone": "UTC" }));
    assert_eq!(zoned.schedule.unwrap().timezone.as_deref(), Some("UTC"));
    let slow = amended(&plain(), json!({ "exp_backoff_restart_delay": "20s" }));
    assert_eq!(slow.restart.backoff_cap_ms, 20_000);
    let needs = amended(&plain(), json!({ "depends_on": ["db"] }));
    assert_eq!(needs.depends_on[0].condition, Condition::Started);
}

#[test]
fn what_cannot_be_says_what_to_do() {
    let app = plain();
    assert!(refused(&app, json!({ "script": "x.js" })).contains("under the same name"));
    assert!(refused(&app, json!({ "uid": 0 })).contains("for a person to decide"));
    assert_eq!(
        refused(&app, json!({ "max_restarts": "many" })),
        "max_restarts must be a whole number from 0 to 1000000, not \"many\""
    );
    assert!(refused(&app, json!({ "max_restarts": 1, "maxRestarts": 2 })).contains("a second time"));
    assert!(refused(&app, json!({ "cwd": "/no/such/folder" })).contains("is no folder"));
    assert!(refused(&app, json!({ "depends_on": "api" })).contains("itself"));
    let near = |key: &str| match setting(key) {
        Err(AmendError::Unknown { near, .. }) => near,
        _ => panic!("{key} is known"),
    };
    assert_eq!((near("health.intervall"), near("pmx")), (Some("health.interval"), None));
}

#[test]
fn a_port_is_a_variable_too() {
    let app = amended(&plain(), json!({ "port": 3000 }));
    assert_eq!(app.env[&"PORT".into()], "3000".into());
    assert!(amended(&app, json!({ "port": null })).env.is_empty());
}
