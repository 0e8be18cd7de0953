//! `config_get` and `config_set`. Values of variables are never told, neither the old nor the new.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use velos_config::AmendError;
use velos_core::app::AppSpec;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::protocol::{InfoReply, InstanceSummary, Outcomes, Update, method};
use velos_core::selector;
use velos_core::units::short_bytes;

use super::change::ids;
use super::{Format, Formatted, defaults, usage, variables};
use crate::clean::{Cleaner, capped};
use crate::clock;
use crate::reply::{Outcome, Reply};
use crate::toolbox::Call;

const MASKED: &str = "***";
/// Told of every app; the others only where they differ from the standard.
const COMMON: &[&str] = &[
    "namespace",
    "cwd",
    "instances",
    "autostart",
    "autorestart",
    "max_restarts",
    "min_uptime",
    "restart_delay",
    "exp_backoff_restart_delay",
    "backoff_max",
    "stop_exit_codes",
    "max_memory_restart",
    "cron_restart",
    "kill_signal",
    "kill_timeout",
    "treekill",
    "wait_ready",
    "listen_timeout",
    "watch.enabled",
    "logs.max_size",
    "logs.keep",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Get {
    name: Option<String>,
    key: Option<String>,
    #[serde(default)]
    format: Format,
}

impl Formatted for Get {
    fn format(&self) -> Format {
        self.format
    }
}

pub(super) fn get(arguments: &Get, call: &Call<'_>) -> Outcome {
    let mut config = match &arguments.name {
        None => of_daemon(call)?,
        Some(name) => {
            let (app, _) = app(name, call)?;
            let mut cleaner = Cleaner::new(call.toolbox.salt);
            let mut config = of_app(&app, &mut cleaner);
            if let Some(key) = arguments.key.as_ref().filter(|key| !config.contains_key(*key)) {
                let value = velos_config::shown(&app, key)
                    .map_err(|error| refusal(error, &app, ["env.NAME"].into_iter()))?;
                config.insert(key.clone(), cleaned(value, &mut cleaner));
            }
            config
        }
    };
    if let Some(key) = &arguments.key {
        let known: Vec<String> = config.keys().cloned().collect();
        let value = config.remove(key).ok_or_else(|| unknown(key, known.iter().map(String::as_str)))?;
        config = Map::from_iter([(key.clone(), value)]);
    }
    let line = |(key, value): (&String, &Value)| match value {
        Value::String(text) => format!("{key} = {text}\n"),
        other => format!("{key} = {other}\n"),
    };
    let text: String =
        config.iter().filter(|(_, value)| !value.is_null() || arguments.key.is_some()).map(line).collect();
    Ok(Reply::new(text, json!({ "config": config })))
}

fn of_daemon(call: &Call<'_>) -> Result<Map<String, Value>, ErrorReply> {
    let client = call.toolbox.asked()?;
    let hello = client.hello();
    let config = json!({
        "version": hello.product,
        "pid": hello.pid,
        "home": call.toolbox.home.path().display().to_string(),
        "uptime": clock::short(hello.uptime_ms),
        "memory": short_bytes(hello.rss_bytes),
        "executable": hello.executable.to_text(),
        "protocol": hello.version,
        "defaults": defaults::shown(call)?,
        "read_only": call.toolbox.options.read_only,
        "allow": call.toolbox.allow.shown(),
    });
    match config {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

/// The settings of an app, and what it runs.
fn of_app(app: &AppSpec, cleaner: &mut Cleaner) -> Map<String, Value> {
    let mut config = Map::new();
    config.insert(
        "command".to_owned(),
        json!(capped(&cleaner.text(&super::process::command(app).to_text()), 500)),
    );
    let plain = AppSpec::new(app.name.clone(), "");
    for (key, value) in velos_config::all_shown(app) {
        let is_standard = || velos_config::shown(&plain, key).is_ok_and(|standard| standard == value);
        if COMMON.contains(&key) || !is_standard() {
            config.insert(key.to_owned(), cleaned(value, cleaner));
        }
    }
    for name in &app.env_declared {
        config.insert(format!("env.{}", crate::clean::plain(&name.to_text())), json!(MASKED));
    }
    if let Some(file) = &app.declared_in {
        config.insert("declared_in".to_owned(), json!(cleaner.text(&file.to_text())));
    }
    config
}

/// Without what looks like a secret.
fn cleaned(value: Value, cleaner: &mut Cleaner) -> Value {
    match value {
        Value::String(text) => json!(capped(&cleaner.text(&text), 500)),
        Value::Array(values) => values.into_iter().map(|value| cleaned(value, cleaner)).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (crate::clean::plain(&key), cleaned(value, cleaner))).collect()
        }
        other => other,
    }
}

/// The declaration of one app and its instances.
fn app(name: &str, call: &Call<'_>) -> Result<(AppSpec, Vec<InstanceSummary>), ErrorReply> {
    let chosen = call.toolbox.one_app(name)?;
    let info: InfoReply = call.toolbox.asked()?.call(method::INFO, &ids(&chosen))?;
    let mut apps: Vec<AppSpec> = Vec::new();
    for one in info.instances {
        if !apps.iter().any(|app| app.name == one.spec.name) {
            apps.push(one.spec);
        }
    }
    match apps.pop() {
        Some(app) if apps.is_empty() => {
            let all =
                call.toolbox.instances()?.into_iter().filter(|one| one.name == app.name.as_str()).collect();
            Ok((app, all))
        }
        _ => Err(usage(format!("name: {name:?} means several apps")).hint("give the name or id of one")),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    name: Option<String>,
    changes: Map<String, Value>,
    #[serde(default)]
    restart: bool,
    #[serde(default)]
    dry_run: bool,
}

impl Formatted for Set {}

pub(super) fn set(arguments: &Set, call: &Call<'_>) -> Outcome {
    if arguments.changes.is_empty() {
        return Err(usage("changes: there are none").hint("example: {\"max_restarts\":5}").into());
    }
    let Some(name) = &arguments.name else {
        if arguments.restart {
            return Err(usage("restart: defaults change no app that is there").hint("name the app").into());
        }
        return defaults::set(&arguments.changes, arguments.dry_run, call);
    };
    let (before, chosen) = app(name, call)?;
    let after = changed(&before, &arguments.changes)?;
    let changes = velos_config::changes(&before, &after);
    let mut cleaner = Cleaner::new(call.toolbox.salt);
    let mut shown = |field: &str, value: &Option<String>| match value {
        None => "none".to_owned(),
        Some(_) if field.starts_with("env.") => MASKED.to_owned(),
        Some(value) => capped(&cleaner.text(value), 200),
    };
    let rows: Vec<(String, String, String, bool)> = changes
        .iter()
        .map(|change| {
            let (before, after) = (shown(&change.field, &change.before), shown(&change.field, &change.after));
            (change.field.clone(), before, after, change.is_live())
        })
        .collect();
    let is_needed = rows.iter().any(|(.., is_live)| !is_live);
    let runs = chosen.iter().any(|one| one.pid.is_some());
    let mut text: String =
        rows.iter().map(|(field, before, after, _)| format!("{field}: {before} -> {after}\n")).collect();
    let mut restarted = false;
    let name = before.name.as_str();
    if rows.is_empty() {
        text = "nothing to change; it is so already\n".to_owned();
    } else if arguments.dry_run {
        let restart =
            if is_needed && runs { "a restart would be needed" } else { "no restart would be needed" };
        text.push_str(&format!("dry run: nothing was changed; {restart}\n"));
    } else {
        let mut client = call.toolbox.daemon()?;
        let outcomes: Outcomes = client.call(method::UPDATE, &Update { apps: vec![after] })?;
        if let Some(refusal) = outcomes.refused.first() {
            return Err(refusal.error.clone().into());
        }
        if arguments.restart && runs && is_needed {
            let outcomes: Outcomes = client.call(method::RESTART, &ids(&chosen))?;
            if let Some(bad) = outcomes.instances.iter().find(|one| !one.ok) {
                let why = bad.reason.as_deref().unwrap_or("no reason is known");
                return Err(ErrorReply::new(
                    ErrorCode::Failed,
                    format!("{text}changed, but {name} did not come back: {why}"),
                )
                .hint("see diagnose; config_set can change it back")
                .into());
            }
            restarted = true;
        }
        text.push_str(match (restarted, is_needed && runs) {
            (true, _) => "changed and restarted\n",
            (false, true) => "changed; process_restart applies it\n",
            (false, false) => "changed; no restart is needed\n",
        });
        if let Some(file) = &before.declared_in {
            let file = cleaner.text(&file.to_text());
            text.push_str(&format!("note: {file} does not say so; `velos apply` would take it back\n"));
        }
    }
    let row = |(field, before, after, is_live): &(String, String, String, bool)| json!({ "key": field, "old": before, "new": after, "live": is_live });
    let data = json!({
        "changes": rows.iter().map(row).collect::<Vec<_>>(),
        "restart_needed": is_needed && runs && !restarted,
        "restarted": restarted,
        "dry_run": arguments.dry_run,
    });
    Ok(Reply::new(text, data))
}

fn changed(app: &AppSpec, changes: &Map<String, Value>) -> Result<AppSpec, ErrorReply> {
    let (env, keys): (Vec<_>, Vec<_>) = changes.iter().partition(|(name, _)| name.starts_with("env."));
    let keys = keys.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut after =
        velos_config::amend(app, &keys).map_err(|error| refusal(error, app, ["env.NAME"].into_iter()))?;
    for (name, value) in env {
        let variable = name.strip_prefix("env.").unwrap_or(name);
        variables::set(&mut after, variable, value)
            .map_err(|wrong| usage(format!("changes.{name}: {wrong}")).hint("null removes it"))?;
    }
    Ok(after)
}

/// What was wrong with a key, and what to do.
fn refusal<'a>(error: AmendError, app: &AppSpec, more: impl Iterator<Item = &'a str> + Clone) -> ErrorReply {
    match error {
        AmendError::Unknown { key, near } => match near {
            Some(near) => usage(format!("there is no key {key:?}")).hint(format!("did you mean {near:?}?")),
            None => unknown(&key, ["max_restarts", "kill_timeout", "health.http"].into_iter().chain(more)),
        },
        AmendError::Fixed { key, instead } => {
            let error = usage(format!("changes.{key}: it cannot be changed while the app is there"));
            error.hint(instead.replace("start it again", "process_start with replace=true,"))
        }
        AmendError::Wrong(wrong) => {
            let first = wrong.split([' ', ':']).next().unwrap_or_default();
            let is_key = velos_config::shown(&AppSpec::new(app.name.clone(), ""), first).is_ok();
            let dot = if is_key { "." } else { ": " };
            usage(format!("changes{dot}{wrong}")).hint("null resets a key")
        }
    }
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> ErrorReply {
    let near = known.clone().map(|known| (selector::distance(name, known), known)).min();
    let near = near.filter(|(distance, _)| *distance <= 1 + name.len() / 3);
    let meant = near.map_or(String::new(), |(_, known)| format!("did you mean {known:?}? "));
    let mut all: Vec<&str> = known.collect();
    all.dedup();
    usage(format!("there is no key {name:?}"))
        .hint(format!("{meant}those of velos.toml can be set, such as {}", all.join(", ")))
}
