//! `--ai`: the documents of `--machine` with few tokens. Short keys, numbers as people say them, nothing that is null,
//! empty or as always.

use std::sync::OnceLock;

use serde_json::{Map, Number, Value};
use velos_core::units::{short_bytes, short_duration};

static IS_WANTED: OnceLock<bool> = OnceLock::new();

/// Every document from now on.
pub(crate) fn want() {
    // Said once, by the flag.
    let _ = IS_WANTED.set(true);
}

/// Whether documents are made short.
pub(crate) fn is_wanted() -> bool {
    IS_WANTED.get().copied().unwrap_or(false)
}

/// Short key, long key, what it is.
pub(crate) const KEYS: [(&str, &str, &str); 42] = [
    ("n", "name", "app, and its instance behind a colon"),
    ("s", "phase", "status: on, off, err, boot, wait, stop"),
    ("c", "cpu_centipercent", "CPU in percent of one core"),
    ("m", "rss_bytes", "memory of all its processes"),
    ("u", "uptime_ms", "how long it runs"),
    ("r", "restarts", "left out when 0"),
    ("x", "exit", "exit code, or the signal's number with a minus"),
    ("f", "spawn_failure", "why it could not be started"),
    ("in", "next_try_ms", "time until the next try"),
    ("w", "waits_for", "what it waits for"),
    ("h", "healthy", "left out when it is"),
    ("lost", "dropped_lines", "lines of output that could not be written"),
    ("p", "pid", "process id"),
    ("t", "at_ms", "how long ago"),
    ("a", "app", "app"),
    ("k", "kind", "kind of event"),
    ("y", "cause", "why"),
    ("e", "error", "what went wrong"),
    ("q", "sequence", "number of the event"),
    ("i", "instance", "id of the instance"),
    ("o", "stream", "stream of a line"),
    ("l", "text", "line"),
    ("is", "instances", "instances"),
    ("no", "refused", "what was refused, and why"),
    ("why", "reason", "reason"),
    ("ev", "events", "events, oldest first"),
    ("sm", "summary", "how an instance stands"),
    ("sp", "spec", "declaration"),
    ("ch", "changes", "what differs"),
    ("b", "before", "before"),
    ("af", "after", "after"),
    ("ac", "action", "what is done"),
    ("nr", "number", "number of a run"),
    ("st", "started_ms", "how long ago it began"),
    ("en", "ended_ms", "how long ago it ended"),
    ("by", "ended_by", "what ended it"),
    ("us", "used", "what it used"),
    ("pk", "peak_rss_bytes", "most memory"),
    ("cr", "created_ms", "how long ago it was added"),
    ("un", "unstable", "short runs in a row"),
    ("v", "version", "version"),
    ("d", "declared_in", "file it was declared in"),
];

/// Keys of `logs --summary --ai` and `health --ai`, which the log engine writes itself.
pub(crate) const OF_LOGS: [(&str, &str, &str); 9] = [
    ("per", "period", "how far it looks back"),
    ("hp", "health", "score, 0 to 100"),
    ("ln", "lines", "lines"),
    ("er", "errors", "lines that are errors or worse"),
    ("wn", "warnings", "lines that are warnings"),
    ("top", "top_patterns", "pattern, count, trend: = stable, + rising, - falling, * new, 0 gone"),
    ("new", "new_patterns", "patterns that are new"),
    ("an", "anomalies", "what is unusual"),
    ("last", "last_error", "the last error, and how long ago"),
];

/// Of a document of `--machine`.
pub(crate) fn compact(value: Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(values.into_iter().map(compact).collect()),
        Value::Object(map) if is_summary(&map) => Value::Object(summary(&map)),
        Value::Object(map) => Value::Object(map.into_iter().filter_map(entry).collect()),
        other => other,
    }
}

fn is_summary(map: &Map<String, Value>) -> bool {
    ["phase", "goal", "restarts", "slot"].iter().all(|key| map.contains_key(*key))
}

/// What an agent asks first; `info` has the rest.
fn summary(map: &Map<String, Value>) -> Map<String, Value> {
    let mut short = Map::new();
    let name = map.get("name").and_then(Value::as_str).unwrap_or_default();
    let slot = map.get("slot").and_then(Value::as_u64).unwrap_or(0);
    let name = if slot > 0 { format!("{name}:{slot}") } else { name.to_owned() };
    short.insert("n".to_owned(), name.into());
    let keys =
        ["phase", "cpu_centipercent", "rss_bytes", "uptime_ms", "restarts", "next_try_ms", "waits_for"];
    for key in keys {
        short.extend(map.get(key).and_then(|value| entry((key.to_owned(), value.clone()))));
    }
    let has_ended = map.get("phase").is_some_and(|phase| phase != "online");
    for key in ["exit", "spawn_failure"].into_iter().filter(|_| has_ended) {
        short.extend(map.get(key).and_then(|value| entry((key.to_owned(), value.clone()))));
    }
    for key in ["healthy", "dropped_lines"] {
        short.extend(map.get(key).and_then(|value| entry((key.to_owned(), value.clone()))));
    }
    short
}

fn entry((key, value): (String, Value)) -> Option<(String, Value)> {
    let value = humanised(&key, value)?;
    let short = KEYS.iter().find(|(_, long, _)| *long == key).map_or(key, |(short, ..)| (*short).to_owned());
    Some((short, value))
}

/// `None`: it says nothing.
fn humanised(key: &str, value: Value) -> Option<Value> {
    let number = value.as_i64();
    let duration = |ms: i64| Value::from(short_duration(u64::try_from(ms).unwrap_or(0)));
    match (key, number) {
        (_, _) if value.is_null() => None,
        ("restarts" | "dropped_lines" | "unstable" | "slot", Some(0)) => None,
        ("healthy", _) if value == true => None,
        ("ok", _) if value == true => None,
        ("unchanged" | "watching", _) if value == false => None,
        ("phase", _) => Some(status(value.as_str().unwrap_or_default()).into()),
        ("exit", _) => Some(exit(&value)),
        ("cpu_centipercent", Some(cpu)) => {
            Number::from_f64((cpu as f64 / 10.0).round() / 10.0).map(Value::Number)
        }
        ("next_try_ms" | "next_run_ms", Some(at)) => Some(duration(at - now_ms())),
        ("at_ms" | "started_ms" | "ended_ms" | "created_ms" | "declared_ms", Some(at)) => {
            Some(duration(now_ms() - at))
        }
        (_, Some(ms)) if key.ends_with("_ms") => Some(duration(ms)),
        (_, Some(bytes)) if key.ends_with("_bytes") => {
            Some(short_bytes(u64::try_from(bytes).unwrap_or(0)).into())
        }
        _ => {
            let value = compact(value);
            let is_empty = match &value {
                Value::Array(values) => values.is_empty(),
                Value::Object(map) => map.is_empty(),
                Value::String(text) => text.is_empty(),
                _ => false,
            };
            (!is_empty).then_some(value)
        }
    }
}

fn status(phase: &str) -> &str {
    match phase {
        "online" => "on",
        "stopped" => "off",
        "errored" => "err",
        "starting" | "launching" => "boot",
        "backoff" | "waiting" => "wait",
        "stopping" => "stop",
        other => other,
    }
}

/// A code is a number, a signal a negative one.
fn exit(value: &Value) -> Value {
    match (value.get("code"), value.get("signal").and_then(Value::as_i64)) {
        (Some(code), _) => code.clone(),
        (None, Some(signal)) => (-signal).into(),
        (None, None) => value.clone(),
    }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_the_roadmap() {
        let mut one = crate::sample::instances().swap_remove(0);
        (one.cpu_centipercent, one.rss_bytes, one.uptime_ms) =
            (Some(210), Some(45 << 20), Some(2 * 86_400_000));
        one.restarts = 0;
        let text = compact(serde_json::to_value([one]).unwrap()).to_string();
        assert_eq!(text, r#"[{"n":"api","s":"on","c":2.1,"m":"45M","u":"2d"}]"#);
    }

    #[test]
    fn every_kind_of_document() {
        let list = compact(serde_json::to_value(crate::sample::instances()).unwrap());
        let lines: Vec<String> = list.as_array().unwrap().iter().map(Value::to_string).collect();
        // The next try is told from now on, and the sample stands still.
        insta::assert_snapshot!("ai_list", lines.join("\n").replace("\"in\":\"0s\"", "\"in\":\"?\""));
        let value = serde_json::json!({ "instances": [{ "id": 1, "ok": true, "exit": { "signal": 9 }, "reason": null, "pid": 7 }], "refused": [] });
        assert_eq!(compact(value).to_string(), r#"{"is":[{"id":1,"x":-9,"p":7}]}"#);
    }

    #[test]
    fn keys_are_short_and_unambiguous() {
        for (n, (short, long, _)) in KEYS.iter().enumerate() {
            assert!(short.len() < long.len() || *long == "app", "{long}");
            assert!(KEYS.iter().skip(n + 1).all(|(other, key, _)| other != short && key != long), "{short}");
        }
    }
}
