//! Keys of the app itself.

use serde_json::{Map, Value, json};
use velos_core::app::{AppSpec, CronSpec, Kind, Propagate};
use velos_core::units::short_bytes;

use super::{Setting, text_of};

macro_rules! setting {
    ($path:literal, $family:literal, $show:expr, $copy:expr) => {
        Setting { path: $path, family: $family, show: $show, copy: $copy }
    };
}
pub(super) use setting;

pub(super) const SETTINGS: &[Setting] = &[
    setting!("namespace", "", |app| json!(app.namespace), |app, new| app.namespace = new.namespace),
    setting!("cwd", "", |app| text_of(app.cwd.as_path()), |app, new| app.cwd = new.cwd),
    setting!("instances", "", |app| json!(app.instances), |app, new| app.instances = new.instances),
    setting!("listen", "", |app| list(&app.listen), |app, new| app.listen = new.listen),
    setting!("kind", "task", |app| word(app.kind == Kind::Task, "task"), |app, new| app.kind = new.kind),
    setting!("schedule", "task", |app| cron(app.schedule.as_ref()), |app, new| app.schedule = new.schedule),
    setting!("timezone", "task", timezone, |app, new| {
        app.schedule = new.schedule;
        app.restart.cron = new.restart.cron;
    }),
    setting!("autostart", "", |app| json!(!app.no_autostart), |app, new| app.no_autostart = new.no_autostart),
    setting!("depends_on", "", needs, |app, new| app.depends_on = new.depends_on),
    setting!("propagate", "", propagate, |app, new| app.propagate = new.propagate),
    setting!("critical", "", |app| on(app.critical), |app, new| app.critical = new.critical),
    setting!("instance_var", "", |app| json!(app.instance_var), |app, new| app.instance_var =
        new.instance_var),
    setting!("increment_var", "", |app| json!(app.increment_var), |app, new| {
        app.increment_var = new.increment_var;
    }),
    setting!("port", "", |app| json!(app.port), port),
    setting!("autorestart", "", |app| json!(app.restart.autorestart), |app, new| {
        app.restart.autorestart = new.restart.autorestart;
    }),
    setting!("max_restarts", "", |app| json!(app.restart.max_restarts), |app, new| {
        app.restart.max_restarts = new.restart.max_restarts;
    }),
    setting!("min_uptime", "", |app| time(app.restart.min_uptime_ms), |app, new| {
        app.restart.min_uptime_ms = new.restart.min_uptime_ms;
    }),
    setting!("restart_delay", "", |app| time(app.restart.restart_delay_ms), |app, new| {
        app.restart.restart_delay_ms = new.restart.restart_delay_ms;
    }),
    setting!("exp_backoff_restart_delay", "backoff", |app| time(app.restart.backoff_base_ms), |app, new| {
        app.restart.backoff_base_ms = new.restart.backoff_base_ms;
        app.restart.backoff_cap_ms = new.restart.backoff_cap_ms;
    }),
    setting!("backoff_max", "backoff", |app| time(app.restart.backoff_cap_ms), |app, new| {
        app.restart.backoff_cap_ms = new.restart.backoff_cap_ms;
    }),
    setting!("stop_exit_codes", "task", |app| list(&app.restart.stop_exit_codes), |app, new| {
        app.restart.stop_exit_codes = new.restart.stop_exit_codes;
    }),
    setting!(
        "max_memory_restart",
        "",
        |app| json!(app.restart.max_memory_bytes.map(short_bytes)),
        |app, new| {
            app.restart.max_memory_bytes = new.restart.max_memory_bytes;
        }
    ),
    setting!("cron_restart", "task", |app| cron(app.restart.cron.as_ref()), |app, new| {
        app.restart.cron = new.restart.cron;
    }),
    setting!("kill_signal", "", |app| json!(app.stop.kill_signal.to_string()), |app, new| {
        app.stop.kill_signal = new.stop.kill_signal;
    }),
    setting!("kill_timeout", "", |app| time(app.stop.kill_timeout_ms), |app, new| {
        app.stop.kill_timeout_ms = new.stop.kill_timeout_ms;
    }),
    setting!("treekill", "", |app| json!(app.stop.treekill), |app, new| app.stop.treekill =
        new.stop.treekill),
    setting!("shutdown_with_message", "", |app| on(app.stop.with_message), |app, new| {
        app.stop.with_message = new.stop.with_message;
    }),
    setting!("wait_ready", "ready", |app| json!(app.readiness.wait_ready), ready),
    setting!("sd_notify", "ready", |app| on(app.readiness.sd_notify), ready),
    setting!("watchdog", "ready", |app| json!(app.readiness.watchdog_ms.map(time)), ready),
    setting!("listen_timeout", "", |app| time(app.readiness.listen_timeout_ms), |app, new| {
        app.readiness.listen_timeout_ms = new.readiness.listen_timeout_ms;
    }),
    setting!("ready_required", "", |app| on(app.readiness.strict), |app, new| {
        app.readiness.strict = new.readiness.strict;
    }),
    setting!(
        "pid_file",
        "",
        |app| app.pid_file.as_ref().map_or(Value::Null, |file| text_of(file.as_path())),
        |app, new| {
            app.pid_file = new.pid_file;
        }
    ),
];

/// The messages are one thing: a watchdog listens to what sd_notify sends.
fn ready(app: &mut AppSpec, new: AppSpec) {
    app.readiness.wait_ready = new.readiness.wait_ready;
    app.readiness.sd_notify = new.readiness.sd_notify;
    app.readiness.watchdog_ms = new.readiness.watchdog_ms;
}

fn port(app: &mut AppSpec, new: AppSpec) {
    app.port = new.port;
    let value = new.port.map(|port| port.to_string());
    set_variable(app, "PORT", value.as_deref());
}

/// Set or remove a variable that was declared.
pub(super) fn set_variable(app: &mut AppSpec, name: &str, value: Option<&str>) {
    let key = velos_core::raw_string::RawString::from(name);
    let Some(value) = value else {
        app.env.remove(&key);
        app.env_declared.retain(|declared| *declared != key);
        return;
    };
    app.env.insert(key.clone(), value.into());
    if !app.env_declared.contains(&key) {
        app.env_declared.push(key);
        app.env_declared.sort();
    }
}

fn cron(spec: Option<&CronSpec>) -> Value {
    json!(spec.map(|cron| cron.expression.clone()))
}

fn timezone(app: &AppSpec) -> Value {
    let all = [&app.schedule, &app.restart.cron];
    json!(all.into_iter().flatten().find_map(|cron| cron.timezone.clone()))
}

fn needs(app: &AppSpec) -> Value {
    let one = |needed: &velos_core::app::Dependency| (needed.app.to_string(), json!(needed.condition));
    let table: Map<String, Value> = app.depends_on.iter().map(one).collect();
    if table.is_empty() { Value::Null } else { Value::Object(table) }
}

fn propagate(app: &AppSpec) -> Value {
    match app.propagate {
        Propagate::None => Value::Null,
        other => json!(other),
    }
}

/// Nothing, where there is nothing to say.
pub(super) fn list<T: Clone + Into<Value>>(values: &[T]) -> Value {
    if values.is_empty() { Value::Null } else { values.to_vec().into() }
}

pub(super) fn word(holds: bool, word: &str) -> Value {
    if holds { json!(word) } else { Value::Null }
}

pub(super) fn on(holds: bool) -> Value {
    if holds { json!(true) } else { Value::Null }
}

pub(super) fn time(ms: u64) -> Value {
    match ms % 1_000 {
        0 if ms > 0 => json!(format!("{}s", ms / 1_000)),
        _ => json!(format!("{ms}ms")),
    }
}
