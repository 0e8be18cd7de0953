//! `config_set` without a name: what holds for apps that are started from now on.

use serde_json::{Map, Value, json};
use velos_core::error::{ErrorCode, ErrorReply};

use super::usage;
use crate::clean::{Cleaner, capped};
use crate::reply::{Outcome, Reply};
use crate::toolbox::Call;

/// Those that are set, as TOML. Values of variables are never told.
pub(super) fn shown(call: &Call<'_>) -> Result<Option<String>, ErrorReply> {
    let Some(text) = call.toolbox.host.defaults()? else { return Ok(None) };
    let text = masked(&text).unwrap_or_else(|| "they cannot be read".to_owned());
    Ok(Some(Cleaner::new(call.toolbox.salt).text(text.trim())))
}

/// None: it is no TOML.
fn masked(text: &str) -> Option<String> {
    let mut document: toml_edit::DocumentMut = text.parse().ok()?;
    for (key, item) in document.iter_mut() {
        let is_of_variables = key.get() == "env" || key.get().starts_with("env_") && key.get() != "env_file";
        if is_of_variables && let Some(table) = item.as_table_like_mut() {
            table.iter_mut().for_each(|(_, value)| *value = toml_edit::value("***"));
        }
    }
    Some(document.to_string())
}

/// Change them, each by itself; the first that is refused ends it.
pub(super) fn set(changes: &Map<String, Value>, dry_run: bool, call: &Call<'_>) -> Outcome {
    if let Some(globs) = call.toolbox.allow.shown() {
        return Err(ErrorReply::new(ErrorCode::Refused, "name: the defaults hold for all apps")
            .hint(format!("this server may touch only {globs}; name one of them"))
            .into());
    }
    let mut cleaner = Cleaner::new(call.toolbox.salt);
    let mut text = String::new();
    let mut rows = Vec::new();
    for (key, value) in changes {
        if key.starts_with("env.") {
            return Err(usage(format!("changes.{key}: variables are of one app"))
                .hint("give its name too")
                .into());
        }
        let word = match value {
            Value::Null => None,
            Value::String(word) => Some(word.clone()),
            Value::Object(_) => {
                return Err(usage(format!("changes.{key}: must not be an object"))
                    .hint("write its keys one by one, such as health.interval")
                    .into());
            }
            other => Some(other.to_string()),
        };
        let before = call.toolbox.host.set_default(key, word.as_deref(), dry_run).map_err(|error| {
            let done = if text.is_empty() || dry_run { String::new() } else { format!("{text}but ") };
            ErrorReply { message: format!("{done}changes.{key}: {}", error.message), ..error }
        })?;
        let mut shown = |value: Option<String>| {
            value.map_or_else(|| "none".to_owned(), |value| capped(&cleaner.text(&value), 200))
        };
        let (before, after) = (shown(before), shown(word));
        text.push_str(&format!("{key}: {before} -> {after}\n"));
        rows.push(json!({ "key": key, "old": before, "new": after, "live": true }));
    }
    text.push_str(match dry_run {
        true => "dry run: nothing was changed\n",
        false => "defaults changed; they hold for what is started from now on, not for apps that are there\n",
    });
    let data = json!({ "changes": rows, "restart_needed": false, "restarted": false, "dry_run": dry_run });
    Ok(Reply::new(text, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_masked() {
        let text = "kill_timeout = \"5s\"\nenv_file = \".env\"\nenv = { A = \"secret\" }\n[env_dev]\nB = 5\n";
        let masked = masked(text).unwrap();
        assert!(masked.contains("5s") && masked.contains(".env"), "{masked}");
        assert!(!masked.contains("secret") && !masked.contains("B = 5"), "{masked}");
    }
}
