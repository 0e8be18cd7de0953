//! Keys of the tables in an app.

use serde_json::{Value, json};
use velos_core::app::{AppSpec, Hook, LogFormat, Probe, Resource, Rlimit};
use velos_core::raw_string::RawString;
use velos_core::units::short_bytes;

use super::app::{list, on, setting, time, word};
use super::{Setting, text_of};

macro_rules! hook {
    ($path:literal, $field:ident) => {
        setting!($path, "", |app| hook(app.hooks.$field.as_ref()), |app, new| app.hooks.$field =
            new.hooks.$field)
    };
}

macro_rules! rlimit {
    ($path:literal, $resource:expr) => {
        setting!($path, "", |app| rlimit(app.limits.rlimits.get(&$resource)), |app, new| {
            match new.limits.rlimits.get(&$resource) {
                Some(limit) => drop(app.limits.rlimits.insert($resource, *limit)),
                None => drop(app.limits.rlimits.remove(&$resource)),
            }
        })
    };
}

macro_rules! limit {
    ($path:literal, $field:ident, $shown:expr) => {
        setting!($path, "", |app| json!(app.limits.$field.map($shown)), |app, new| {
            app.limits.$field = new.limits.$field;
        })
    };
}

macro_rules! health {
    ($path:literal, $show:expr) => {
        setting!($path, "health", $show, |app, new| app.health = new.health)
    };
}

macro_rules! watch {
    ($path:literal, $show:expr) => {
        setting!($path, "watch", $show, |app, new| app.watch = new.watch)
    };
}

pub(super) const SETTINGS: &[Setting] = &[
    health!("health.http", |app| probe(app, |probe| match probe {
        Probe::Http(text) => Some(text),
        _ => None,
    })),
    health!("health.tcp", |app| probe(app, |probe| match probe {
        Probe::Tcp(text) => Some(text),
        _ => None,
    })),
    health!("health.exec", |app| probe(app, |probe| match probe {
        Probe::Exec(text) => Some(text),
        _ => None,
    })),
    health!("health.log", |app| probe(app, |probe| match probe {
        Probe::Log(text) => Some(text),
        _ => None,
    })),
    health!("health.interval", |app| json!(app.health.as_ref().map(|health| time(health.interval_ms)))),
    health!("health.timeout", |app| json!(app.health.as_ref().map(|health| time(health.timeout_ms)))),
    health!("health.retries", |app| json!(app.health.as_ref().map(|health| health.retries))),
    health!("health.start_period", |app| json!(
        app.health.as_ref().map(|health| time(health.start_period_ms))
    )),
    limit!("limits.memory_max", memory_max_bytes, short_bytes),
    limit!("limits.memory_high", memory_high_bytes, short_bytes),
    limit!("limits.cpu_max", cpu_max_percent, |percent| format!("{percent}%")),
    limit!("limits.pids_max", pids_max, |count| count),
    limit!("limits.nice", nice, |nice| nice),
    limit!("limits.oom_score_adj", oom_score_adj, |score| score),
    rlimit!("limits.nofile", Resource::Nofile),
    rlimit!("limits.core", Resource::Core),
    rlimit!("limits.nproc", Resource::Nproc),
    rlimit!("limits.stack", Resource::Stack),
    rlimit!("limits.memlock", Resource::Memlock),
    rlimit!("limits.as", Resource::As),
    rlimit!("limits.cpu", Resource::Cpu),
    rlimit!("limits.fsize", Resource::Fsize),
    rlimit!("limits.data", Resource::Data),
    setting!(
        "user.umask",
        "",
        |app| json!(app.identity.umask.map(|mask| format!("{mask:03o}"))),
        |app, new| {
            app.identity.umask = new.identity.umask;
        }
    ),
    setting!("user.no_new_privileges", "", |app| on(app.identity.no_new_privileges), |app, new| {
        app.identity.no_new_privileges = new.identity.no_new_privileges;
    }),
    watch!("watch.enabled", |app| on(app.watch.is_some())),
    watch!("watch.paths", |app| app.watch.as_ref().map_or(Value::Null, |watch| {
        list(&watch.paths.iter().map(RawString::to_text).collect::<Vec<_>>())
    })),
    watch!("watch.ignore", |app| json!(app.watch.as_ref().map(|watch| watch.ignore.clone()))),
    watch!("watch.delay", |app| json!(app.watch.as_ref().map(|watch| time(watch.debounce_ms)))),
    watch!("watch.follow_symlinks", |app| json!(app.watch.as_ref().map(|watch| watch.follow_symlinks))),
    watch!("watch.poll", |app| json!(app.watch.as_ref().map(|watch| time(watch.poll_ms)))),
    setting!("logs.out", "", |app| file(app.logs.out.as_ref(), app.logs.discard_out), |app, new| {
        app.logs.out = new.logs.out;
        app.logs.discard_out = new.logs.discard_out;
    }),
    setting!("logs.err", "", |app| file(app.logs.err.as_ref(), app.logs.discard_err), |app, new| {
        app.logs.err = new.logs.err;
        app.logs.discard_err = new.logs.discard_err;
    }),
    setting!("logs.combined", "", |app| file(app.logs.combined.as_ref(), false), |app, new| {
        app.logs.combined = new.logs.combined;
    }),
    setting!("logs.disabled", "", |app| on(app.logs.discard_out && app.logs.discard_err), |app, new| {
        app.logs.discard_out = new.logs.discard_out;
        app.logs.discard_err = new.logs.discard_err;
    }),
    setting!("logs.merge", "", |app| on(app.logs.merge), |app, new| app.logs.merge = new.logs.merge),
    setting!("logs.format", "", |app| word(app.logs.format == LogFormat::Json, "json"), |app, new| {
        app.logs.format = new.logs.format;
    }),
    setting!("logs.timestamps", "", |app| json!(app.logs.timestamps), |app, new| {
        app.logs.timestamps = new.logs.timestamps;
    }),
    setting!("logs.max_size", "", |app| json!(short_bytes(app.logs.max_size_bytes)), |app, new| {
        app.logs.max_size_bytes = new.logs.max_size_bytes;
    }),
    setting!("logs.keep", "", |app| json!(app.logs.keep), |app, new| app.logs.keep = new.logs.keep),
    setting!("logs.compress", "", |app| json!(app.logs.compress), |app, new| {
        app.logs.compress = new.logs.compress;
    }),
    hook!("hooks.pre_start", pre_start),
    hook!("hooks.post_start", post_start),
    hook!("hooks.pre_stop", pre_stop),
    hook!("hooks.post_stop", post_stop),
    hook!("hooks.on_crash", on_crash),
];

fn probe(app: &AppSpec, text: fn(&Probe) -> Option<&String>) -> Value {
    json!(app.health.as_ref().and_then(|health| text(&health.probe)))
}

fn file(file: Option<&RawString>, is_discarded: bool) -> Value {
    match (file, is_discarded) {
        (_, true) => json!("NULL"),
        (Some(file), false) => text_of(file.as_path()),
        (None, false) => Value::Null,
    }
}

fn rlimit(limit: Option<&Rlimit>) -> Value {
    let one = |bound: Option<u64>| bound.map_or_else(|| json!("unlimited"), |bound| json!(bound));
    match limit {
        None => Value::Null,
        Some(limit) if limit.soft == limit.hard => one(limit.soft),
        Some(limit) => json!({ "soft": one(limit.soft), "hard": one(limit.hard) }),
    }
}

fn hook(hook: Option<&Hook>) -> Value {
    match hook {
        None => Value::Null,
        Some(hook) if *hook == Hook::new(hook.command.clone()) => json!(hook.command),
        Some(hook) => json!({ "command": hook.command, "timeout": time(hook.timeout_ms) }),
    }
}
