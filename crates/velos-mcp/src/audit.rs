//! `audit.log` in the home: a JSON line for each call that changes something, also one that was refused.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::clean::{Cleaner, capped};

/// Longest argument that is kept, characters.
const VALUE_CHARS_MAX: usize = 200;
/// It is renamed to `audit.log.1` at this size, bytes.
const SIZE_MAX: u64 = 4 * 1024 * 1024;

/// Who calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// Name and version of the client, as it says itself.
    pub(crate) client: String,
    /// "stdio" or "http".
    pub(crate) transport: &'static str,
}

/// Write the line. A disk that is full keeps nobody from stopping an app, so a failure is told, not returned.
pub(crate) fn record(
    home: &Path,
    caller: &Caller,
    tool: &str,
    arguments: &Map<String, Value>,
    result: &str,
    salt: u64,
) -> Option<String> {
    let mut cleaner = Cleaner::new(salt);
    let line = json!({
        "at": jiff::Timestamp::now().to_string(),
        "tool": tool,
        "arguments": masked(arguments, &mut cleaner),
        "result": capped(&cleaner.text(result.lines().next().unwrap_or_default()), VALUE_CHARS_MAX),
        "client": capped(&crate::clean::plain(&caller.client), VALUE_CHARS_MAX),
        "transport": caller.transport,
        "pid": std::process::id(),
    });
    let path = home.join("audit.log");
    append(&path, &format!("{line}\n")).err().map(|error| format!("cannot write {}: {error}", path.display()))
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    if path.metadata().is_ok_and(|meta| meta.len() > SIZE_MAX) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(path)?;
    // One write, so that lines of several servers do not mix.
    file.write_all(line.as_bytes())
}

/// Values of variables are never kept.
fn masked(arguments: &Map<String, Value>, cleaner: &mut Cleaner) -> Value {
    let mut shown = Map::new();
    for (key, value) in arguments {
        let value = match value {
            Value::Object(variables) if key == "env" => {
                json!(variables.keys().map(|name| crate::clean::plain(name)).collect::<Vec<_>>())
            }
            Value::Object(changes) if key == "changes" => Value::Object(
                changes
                    .iter()
                    .map(|(key, value)| {
                        let value = if key.starts_with("env") { json!("***") } else { value.clone() };
                        (crate::clean::plain(key), text(&value, cleaner))
                    })
                    .collect(),
            ),
            other => text(other, cleaner),
        };
        shown.insert(crate::clean::plain(key), value);
    }
    Value::Object(shown)
}

fn text(value: &Value, cleaner: &mut Cleaner) -> Value {
    match value {
        Value::String(text) => json!(capped(&cleaner.text(text), VALUE_CHARS_MAX)),
        Value::Object(_) | Value::Array(_) => {
            json!(capped(&cleaner.text(&value.to_string()), VALUE_CHARS_MAX))
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_line_says_who_did_what_and_no_value_of_a_variable() {
        let folder = tempfile::tempdir().unwrap();
        let caller = Caller { client: "agent 1.0\u{1b}[31m".into(), transport: "stdio" };
        let arguments = json!({
            "name": "api", "env": { "TOKEN": "hunter2" }, "changes": { "env.A": "hunter2", "instances": 2 },
            "command": "run --password=hunter2secret",
        });
        let Value::Object(arguments) = arguments else { panic!() };
        assert_eq!(record(folder.path(), &caller, "process_start", &arguments, "api started\nmore", 1), None);
        let path = folder.path().join("audit.log");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("hunter2") && !text.contains('\u{1b}'), "{text}");
        let line: Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!((&line["tool"], &line["result"]), (&json!("process_start"), &json!("api started")));
        assert_eq!(line["arguments"]["env"], json!(["TOKEN"]));
        assert_eq!(line["arguments"]["changes"], json!({ "env.A": "***", "instances": 2 }));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(record(&folder.path().join("none"), &caller, "x", &arguments, "", 1).is_some());
    }
}
