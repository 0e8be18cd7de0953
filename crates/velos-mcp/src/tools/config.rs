//! `config_get` and `config_set`. Values of variables are never told, neither the old nor the new.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use velos_core::app::AppSpec;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::protocol::{InfoReply, InstanceSummary, Outcomes, Update, method};
use velos_core::selector;
use velos_core::units::short_bytes;

use super::change::ids;
use super::config_keys::{KEYS, find, set_variable};
use super::{Format, Formatted, usage};
use crate::clean::{Cleaner, capped};
use crate::clock;
use crate::reply::{Outcome, Reply};
use crate::toolbox::Call;

const MASKED: &str = "***";

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
            of_app(&app, &mut Cleaner::new(call.toolbox.salt))
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
    for key in KEYS {
        let value = match (key.get)(app) {
            Value::String(text) => json!(capped(&cleaner.text(&text), 500)),
            other => other,
        };
        config.insert(key.name.to_owned(), value);
    }
    if let Some(health) = &app.health {
        let text = serde_json::to_string(&health.probe).unwrap_or_default();
        config.insert("health".to_owned(), json!(cleaner.text(&text)));
    }
    if !app.depends_on.is_empty() {
        let text = serde_json::to_value(&app.depends_on).unwrap_or_default();
        config.insert("depends_on".to_owned(), text);
    }
    for name in &app.env_declared {
        config.insert(format!("env.{}", crate::clean::plain(&name.to_text())), json!(MASKED));
    }
    if let Some(file) = &app.declared_in {
        config.insert("declared_in".to_owned(), json!(cleaner.text(&file.to_text())));
    }
    config
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
    name: String,
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
    let (before, chosen) = app(&arguments.name, call)?;
    let mut after = before.clone();
    for (name, value) in &arguments.changes {
        change(&mut after, name, value)?;
    }
    after.check().map_err(|error| usage(format!("changes: {error}")))?;
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

fn change(app: &mut AppSpec, name: &str, value: &Value) -> Result<(), ErrorReply> {
    let wrong = |wrong: String| usage(format!("changes.{name}: {wrong}")).hint("null resets it");
    if let Some(variable) = name.strip_prefix("env.") {
        return set_variable(app, variable, value).map_err(wrong);
    }
    match find(name) {
        Some(key) => (key.set)(app, value).map_err(wrong),
        None => Err(unknown(name, KEYS.iter().map(|key| key.name).chain(["env.NAME"]))),
    }
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> ErrorReply {
    let near = known.clone().map(|known| (selector::distance(name, known), known)).min();
    let near = near.filter(|(distance, _)| *distance <= 1 + name.len() / 3);
    let meant = near.map_or(String::new(), |(_, known)| format!("did you mean {known:?}? "));
    let all: Vec<&str> = known.collect();
    usage(format!("there is no key {name:?}")).hint(format!("{meant}there are: {}", all.join(", ")))
}
