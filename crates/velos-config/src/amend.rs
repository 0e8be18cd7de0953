//! Single keys of an app that is there already: what they are now, and the app with some of them changed. A change is read
//! as if it stood in a file, so that the same words mean the same and the same mistakes are told.

mod app;
mod sections;

use std::path::Path;

use serde_json::{Map, Value, json};
use velos_core::app::AppSpec;

use crate::file::{Options, load_text};
use crate::keys;

/// A key that can be changed.
pub(crate) struct Setting {
    path: &'static str,
    /// Keys of a family are read together, since one says what another means.
    family: &'static str,
    /// As it would be written; null where nothing is said.
    show: fn(&AppSpec) -> Value,
    /// Take it over.
    copy: fn(&mut AppSpec, AppSpec),
}

/// What cannot be changed, and what to do instead.
const FIXED: &[(&str, &str)] = &[
    ("name", "an app is known by its name; start it under the other name and delete this one"),
    ("script", START),
    ("command", START),
    ("args", START),
    ("interpreter", START),
    ("interpreter_args", START),
    ("source_map_support", START),
    ("disable_source_map_support", START),
    ("exec_mode", "it is decided when the app is declared; write it into its file and run `velos apply`"),
    ("env_file", VARIABLES),
    ("filter_env", VARIABLES),
    ("append_env_to_name", VARIABLES),
    ("user.uid", PERSON),
    ("user.gid", PERSON),
    ("user.groups", PERSON),
];
const START: &str =
    "what it runs is decided at its start; start it again with the new command line under the same name";
const VARIABLES: &str =
    "it is read when the app is declared; set env.NAME, or write it into its file and run `velos apply`";
const PERSON: &str = "as whom it runs is for a person to decide: in its file, with `velos apply`";

const PROBES: [&str; 4] = ["health.http", "health.tcp", "health.exec", "health.log"];

/// Why an app cannot be changed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmendError {
    /// There is no such key.
    #[error("there is no key {key:?}")]
    Unknown {
        /// As it was written.
        key: String,
        /// One that looks like it.
        near: Option<&'static str>,
    },
    /// It can be said in a file and not changed later.
    #[error("{key} cannot be changed: {instead}")]
    Fixed {
        /// The key.
        key: &'static str,
        /// Why, and what to do.
        instead: &'static str,
    },
    /// A value, or all of them together, make no sense.
    #[error("{0}")]
    Wrong(String),
}

fn settings() -> impl Iterator<Item = &'static Setting> {
    app::SETTINGS.iter().chain(sections::SETTINGS)
}

/// A key by one of its names: `max_restarts`, `health.interval`, `cron`, `watch`.
fn setting(written: &str) -> Result<&'static Setting, AmendError> {
    let key = match written.split_once('.') {
        Some((section, name)) => keys::find(Some(section), name),
        None if written == "watch" => keys::find(Some("watch"), "enabled"),
        None => keys::find(None, written),
    };
    let key = key.filter(|key| key.has_effect());
    if let Some((key, instead)) = key.and_then(|key| FIXED.iter().find(|(path, _)| *path == key.path)) {
        return Err(AmendError::Fixed { key, instead });
    }
    let found = key.and_then(|key| settings().find(|setting| setting.path == key.path));
    found.ok_or_else(|| {
        let near = keys::best(settings().map(|setting| setting.path), written);
        AmendError::Unknown { key: written.to_owned(), near }
    })
}

/// What a key says of an app; null: nothing, the standard holds.
///
/// # Errors
/// When there is no such key, or it is not one of those that can be changed.
pub fn shown(app: &AppSpec, key: &str) -> Result<Value, AmendError> {
    setting(key).map(|setting| (setting.show)(app))
}

/// All keys that can be changed, with what they say of an app.
pub fn all_shown(app: &AppSpec) -> Vec<(&'static str, Value)> {
    settings().map(|setting| (setting.path, (setting.show)(app))).collect()
}

/// The app with some keys changed; null brings back the standard. Relative paths begin at its folder.
///
/// # Errors
/// When a key is unknown or fixed, or the app would make no sense.
pub fn amend(app: &AppSpec, changes: &Map<String, Value>) -> Result<AppSpec, AmendError> {
    let mut changed: Vec<(&'static Setting, &Value)> = Vec::new();
    for (written, value) in changes {
        let setting = setting(written)?;
        if changed.iter().any(|(other, _)| other.path == setting.path) {
            return Err(AmendError::Wrong(format!("{} is said a second time", setting.path)));
        }
        changed.push((setting, value));
    }
    let document = document(app, &changed);
    let folder = app.cwd.as_path();
    let text = json!({ "apps": { app.name.as_str(): document } }).to_string();
    let config = load_text(&folder.join("changes.json"), &text, &Options::default()).map_err(|error| {
        let first = error.problems.into_iter().next();
        AmendError::Wrong(first.map_or_else(String::new, |problem| problem.message))
    })?;
    let Some(read) = config.apps.into_iter().next() else {
        return Err(AmendError::Wrong("nothing is declared".to_owned()));
    };
    let mut after = app.clone();
    for (setting, _) in &changed {
        (setting.copy)(&mut after, read.spec.clone());
    }
    if after.cwd != app.cwd && !after.cwd.as_path().is_dir() {
        return Err(AmendError::Wrong(format!("cwd: {} is no folder", after.cwd.to_text())));
    }
    after.check().map_err(|error| AmendError::Wrong(error.to_string()))?;
    Ok(after)
}

/// The changed keys, and those of their families as they are.
fn document(app: &AppSpec, changed: &[(&Setting, &Value)]) -> Value {
    let mut said: Vec<(&'static str, Value)> = vec![("command", json!("true"))];
    for (setting, value) in changed {
        // Nothing said of `watch.enabled` would mean true beside other keys of it.
        let is_off = setting.path == "watch.enabled" && value.is_null();
        said.push((setting.path, if is_off { json!(false) } else { (*value).clone() }));
    }
    let is_probed = changed.iter().any(|(setting, value)| PROBES.contains(&setting.path) && !value.is_null());
    for setting in settings() {
        let is_family =
            changed.iter().any(|(other, _)| !other.family.is_empty() && other.family == setting.family);
        let is_replaced = is_probed && PROBES.contains(&setting.path);
        if is_family && !is_replaced && !said.iter().any(|(path, _)| *path == setting.path) {
            said.push((setting.path, (setting.show)(app)));
        }
    }
    said.retain(|(_, value)| !value.is_null());
    // Without a check there is nothing that could have a rhythm; who asks for one is told.
    if !said.iter().any(|(path, _)| PROBES.contains(path)) {
        let is_asked = |path: &str| changed.iter().any(|(setting, _)| setting.path == path);
        said.retain(|(path, _)| !path.starts_with("health.") || is_asked(path));
    }
    let mut document = Map::new();
    for (path, value) in said {
        match path.split_once('.') {
            None => drop(document.insert(path.to_owned(), value)),
            Some((section, name)) => {
                let table = document.entry(section).or_insert_with(|| json!({}));
                if let Value::Object(table) = table {
                    table.insert(name.to_owned(), value);
                }
            }
        }
    }
    Value::Object(document)
}

/// As people write it.
fn text_of(path: &Path) -> Value {
    json!(path.to_string_lossy())
}

#[cfg(test)]
mod tests;
