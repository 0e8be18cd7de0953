//! What differs between an app as it is and as it is declared.

use std::collections::BTreeMap;

use velos_core::app::AppSpec;
use velos_core::raw_string::RawString;

/// One difference, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field, such as `restart.max_restarts` or `env.PORT`.
    pub field: String,
    /// As it is; `None`: not there.
    pub before: Option<String>,
    /// As it is declared.
    pub after: Option<String>,
}

/// Fields that need no restart: what is done with an app, not what the app is.
const LIVE: [&str; 17] = [
    "namespace",
    "restart.autorestart",
    "restart.max_restarts",
    "restart.min_uptime_ms",
    "restart.restart_delay_ms",
    "restart.backoff_base_ms",
    "restart.backoff_cap_ms",
    "restart.backoff_factor_percent",
    "restart.stop_exit_codes",
    "stop.kill_signal",
    "stop.kill_timeout_ms",
    "stop.treekill",
    "no_autostart",
    "declared_in",
    "found_in_path",
    "follows_venv",
    "profile",
];

impl Change {
    /// Whether it can be made while the app runs.
    pub fn is_live(&self) -> bool {
        // The files of a single instance have no number in their names; with the second they get one.
        let is_several = |value: &Option<String>| value.as_deref().is_some_and(|count| count != "1");
        LIVE.contains(&self.field.as_str())
            || self.field == "instances" && is_several(&self.before) && is_several(&self.after)
    }
}

/// Differences in order of their names. Variables that came from the caller's environment do not count: another
/// terminal is no change.
pub fn changes(before: &AppSpec, after: &AppSpec) -> Vec<Change> {
    if before.env_declared == after.env_declared && fields_equal(before, after) {
        return Vec::new();
    }
    let (before, after) = (flat(before), flat(after));
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differs = |key: &&&String| before.get(**key) != after.get(**key);
    let change = |key: &String| Change {
        field: key.clone(),
        before: before.get(key).cloned(),
        after: after.get(key).cloned(),
    };
    keys.iter().filter(differs).map(|key| change(key)).collect()
}

/// The quick answer for what is mostly the case.
fn fields_equal(before: &AppSpec, after: &AppSpec) -> bool {
    let declared = |spec: &AppSpec, key: &RawString| spec.env.get(key).cloned();
    let same_env = before.env_declared.iter().all(|key| declared(before, key) == declared(after, key));
    if !same_env {
        return false;
    }
    let bare = |spec: &AppSpec| AppSpec {
        env: BTreeMap::new(),
        env_origin: BTreeMap::new(),
        declared_ms: None,
        ..spec.clone()
    };
    bare(before) == bare(after)
}

fn flat(spec: &AppSpec) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut bare = spec.clone();
    bare.env = BTreeMap::new();
    bare.env_declared = Vec::new();
    // The same value from elsewhere is no change either.
    bare.env_origin = BTreeMap::new();
    // A file that was saved again is no change of the app.
    bare.declared_ms = None;
    if let Ok(value) = serde_json::to_value(&bare) {
        flatten(String::new(), &value, &mut fields);
    }
    for key in &spec.env_declared {
        if let Some(value) = spec.env.get(key) {
            fields.insert(format!("env.{}", key.to_text()), value.to_text());
        }
    }
    fields
}

fn flatten(path: String, value: &serde_json::Value, fields: &mut BTreeMap<String, String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(path, value, fields);
            }
        }
        serde_json::Value::Null => {}
        serde_json::Value::String(text) => drop(fields.insert(path, text.clone())),
        serde_json::Value::Array(values) if values.is_empty() => {}
        other => drop(fields.insert(path, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::name::AppName;

    #[test]
    fn only_what_was_declared_counts() {
        let mut before = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        before.env.insert("TERM".into(), "xterm".into());
        before.env.insert("PORT".into(), "1".into());
        before.env_declared = vec!["PORT".into()];
        let mut after = before.clone();
        after.env.insert("TERM".into(), "screen".into());
        assert_eq!(changes(&before, &after), []);
        after.env.insert("PORT".into(), "2".into());
        after.restart.max_restarts = 3;
        let found = changes(&before, &after);
        let fields: Vec<&str> = found.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, ["env.PORT", "restart.max_restarts"]);
        assert_eq!(found[0].before.as_deref(), Some("1"));
        let live: Vec<bool> = found.iter().map(Change::is_live).collect();
        assert_eq!(live, [false, true]);
        let count = |before: &str, after: &str| Change {
            field: "instances".into(),
            before: Some(before.into()),
            after: Some(after.into()),
        };
        assert!(count("2", "3").is_live() && !count("1", "2").is_live() && !count("4", "1").is_live());
        after.env_declared.clear();
        assert!(changes(&before, &after).iter().any(|change| change.after.is_none()));
    }
}
