//! The keys of `config_get` and `config_set`: those of `velos.toml` that can change without the file.

use serde_json::{Value, json};
use velos_core::app::{AppSpec, CronFields, CronSpec, WatchSpec};
use velos_core::raw_string::RawString;
use velos_core::units::{parse_bytes, parse_duration_ms};

/// What is wrong with a value.
type Wrong = String;

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) get: fn(&AppSpec) -> Value,
    /// Null means the default.
    pub(super) set: fn(&mut AppSpec, &Value) -> Result<(), Wrong>,
}

macro_rules! key {
    ($name:literal, $get:expr, $set:expr) => {
        Key { name: $name, get: $get, set: $set }
    };
}

/// All of them.
pub(super) const KEYS: &[Key] = &[
    key!("instances", |app| json!(app.instances), |app, value| {
        app.instances = number(value, 1, 4_096, 1)?;
        Ok(())
    }),
    key!("namespace", |app| json!(app.namespace), |app, value| {
        app.namespace = text(value)?.unwrap_or_else(|| "default".to_owned());
        Ok(())
    }),
    key!("cwd", |app| json!(app.cwd.to_text()), |app, value| {
        let path = text(value)?.ok_or("needs a folder")?;
        if !std::path::Path::new(&path).is_absolute() || !std::path::Path::new(&path).is_dir() {
            return Err(format!("{path:?} is no absolute path of a folder"));
        }
        app.cwd = path.into();
        Ok(())
    }),
    key!("autostart", |app| json!(!app.no_autostart), |app, value| {
        app.no_autostart = !switch(value, true)?;
        Ok(())
    }),
    key!("autorestart", |app| json!(app.restart.autorestart), |app, value| {
        app.restart.autorestart = switch(value, true)?;
        Ok(())
    }),
    key!("max_restarts", |app| json!(app.restart.max_restarts), |app, value| {
        app.restart.max_restarts = number(value, 0, 1_000_000, 16)?;
        Ok(())
    }),
    key!("min_uptime", |app| time_shown(app.restart.min_uptime_ms), |app, value| {
        app.restart.min_uptime_ms = time(value, 1_000)?;
        Ok(())
    }),
    key!("restart_delay", |app| time_shown(app.restart.restart_delay_ms), |app, value| {
        app.restart.restart_delay_ms = time(value, 0)?;
        Ok(())
    }),
    key!("exp_backoff_restart_delay", |app| time_shown(app.restart.backoff_base_ms), |app, value| {
        app.restart.backoff_base_ms = time(value, 100)?;
        Ok(())
    }),
    key!("backoff_max", |app| time_shown(app.restart.backoff_cap_ms), |app, value| {
        app.restart.backoff_cap_ms = time(value, 15_000)?;
        Ok(())
    }),
    key!(
        "max_memory_restart",
        |app| json!(app.restart.max_memory_bytes.map(velos_core::units::short_bytes)),
        |app, value| {
            app.restart.max_memory_bytes = size(value)?;
            Ok(())
        }
    ),
    key!(
        "cron_restart",
        |app| json!(app.restart.cron.as_ref().map(|cron| cron.expression.clone())),
        |app, value| {
            app.restart.cron = cron(value)?;
            Ok(())
        }
    ),
    key!("stop_exit_codes", |app| json!(app.restart.stop_exit_codes), |app, value| {
        app.restart.stop_exit_codes = codes(value)?;
        Ok(())
    }),
    key!("kill_signal", |app| json!(app.stop.kill_signal.to_string()), |app, value| {
        app.stop.kill_signal = match text(value)? {
            Some(name) => name.parse().map_err(|error| format!("{error}"))?,
            None => velos_core::signal::Signal::TERM,
        };
        Ok(())
    }),
    key!("kill_timeout", |app| time_shown(app.stop.kill_timeout_ms), |app, value| {
        app.stop.kill_timeout_ms = time(value, 1_600)?;
        Ok(())
    }),
    key!("treekill", |app| json!(app.stop.treekill), |app, value| {
        app.stop.treekill = switch(value, true)?;
        Ok(())
    }),
    key!("wait_ready", |app| json!(app.readiness.wait_ready), |app, value| {
        app.readiness.wait_ready = switch(value, false)?;
        Ok(())
    }),
    key!("listen_timeout", |app| time_shown(app.readiness.listen_timeout_ms), |app, value| {
        app.readiness.listen_timeout_ms = time(value, 3_000)?;
        Ok(())
    }),
    key!("watch", |app| json!(app.watch.is_some()), |app, value| {
        app.watch = match switch(value, false)? {
            true => Some(app.watch.take().unwrap_or_else(|| {
                let paths = vec![app.cwd.clone()];
                WatchSpec { paths, ..WatchSpec::default() }
            })),
            false => None,
        };
        Ok(())
    }),
    key!(
        "logs.max_size",
        |app| json!(velos_core::units::short_bytes(app.logs.max_size_bytes)),
        |app, value| {
            app.logs.max_size_bytes = size(value)?.unwrap_or(10 * 1024 * 1024);
            Ok(())
        }
    ),
    key!("logs.keep", |app| json!(app.logs.keep), |app, value| {
        app.logs.keep = number(value, 0, 100_000, 10)?;
        Ok(())
    }),
];

pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// `env.PORT`: sets or removes a variable.
pub(super) fn set_variable(app: &mut AppSpec, name: &str, value: &Value) -> Result<(), Wrong> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(format!("{name:?} cannot be the name of a variable"));
    }
    let key = RawString::from(name);
    let value = match value {
        Value::Null => {
            app.env.remove(&key);
            app.env_declared.retain(|declared| *declared != key);
            return Ok(());
        }
        Value::String(text) if text.contains('\0') => return Err("must not hold a zero byte".to_owned()),
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return Err("must be a text".to_owned()),
    };
    app.env.insert(key.clone(), value.into());
    if !app.env_declared.contains(&key) {
        app.env_declared.push(key);
        app.env_declared.sort();
    }
    Ok(())
}

fn text(value: &Value) -> Result<Option<String>, Wrong> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err("must be a text".to_owned()),
    }
}

fn switch(value: &Value, default: bool) -> Result<bool, Wrong> {
    match value {
        Value::Null => Ok(default),
        Value::Bool(value) => Ok(*value),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

fn number(value: &Value, low: u32, high: u32, default: u32) -> Result<u32, Wrong> {
    let number = match value {
        Value::Null => return Ok(default),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let fits =
        number.and_then(|number| u32::try_from(number).ok()).filter(|number| (low..=high).contains(number));
    fits.ok_or_else(|| format!("must be a whole number from {low} to {high}"))
}

fn time(value: &Value, default: u64) -> Result<u64, Wrong> {
    match value {
        Value::Null => Ok(default),
        Value::Number(number) => number.as_u64().ok_or_else(|| "must be a time such as \"10s\"".to_owned()),
        Value::String(text) => parse_duration_ms(text).map_err(|error| error.to_string()),
        _ => Err("must be a time such as \"10s\"".to_owned()),
    }
}

fn time_shown(ms: u64) -> Value {
    match ms % 1_000 {
        0 if ms > 0 => json!(format!("{}s", ms / 1_000)),
        _ => json!(format!("{ms}ms")),
    }
}

fn size(value: &Value) -> Result<Option<u64>, Wrong> {
    let bytes = match value {
        Value::Null => return Ok(None),
        Value::Number(number) => {
            number.as_u64().ok_or_else(|| "must be a size such as \"300M\"".to_owned())?
        }
        Value::String(text) => parse_bytes(text).map_err(|error| error.to_string())?,
        _ => return Err("must be a size such as \"300M\"".to_owned()),
    };
    match bytes {
        0 => Err("must be more than nothing; null means no limit".to_owned()),
        bytes => Ok(Some(bytes)),
    }
}

fn cron(value: &Value) -> Result<Option<CronSpec>, Wrong> {
    let Some(expression) = text(value)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    CronFields::parse(&expression).map_err(|error| error.to_string())?;
    Ok(Some(CronSpec { expression, timezone: None }))
}

fn codes(value: &Value) -> Result<Vec<i32>, Wrong> {
    let wrong = || "must be a list of exit codes, such as [0, 42]".to_owned();
    let code = |value: &Value| value.as_i64().and_then(|code| i32::try_from(code).ok()).ok_or_else(wrong);
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.iter().map(code).collect(),
        value => Ok(vec![code(value)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::name::AppName;

    #[test]
    fn every_key_takes_what_it_gives_and_null_is_the_default() {
        let plain = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        for key in KEYS {
            let mut app = plain.clone();
            let value = (key.get)(&app);
            (key.set)(&mut app, &value).unwrap_or_else(|wrong| panic!("{}: {wrong}", key.name));
            assert_eq!(velos_config::changes(&plain, &app), [], "{}", key.name);
            if key.name != "cwd" {
                (key.set)(&mut app, &Value::Null).unwrap();
                assert_eq!(velos_config::changes(&plain, &app), [], "{}", key.name);
            }
            assert!((key.set)(&mut app, &json!({ "a": 1 })).is_err(), "{}", key.name);
        }
    }

    #[test]
    fn variables_are_set_and_removed() {
        let mut app = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        set_variable(&mut app, "PORT", &json!(3000)).unwrap();
        assert_eq!(app.env[&"PORT".into()], "3000".into());
        assert_eq!(app.env_declared, ["PORT".into()]);
        set_variable(&mut app, "PORT", &Value::Null).unwrap();
        assert!(app.env.is_empty() && app.env_declared.is_empty());
        assert!(set_variable(&mut app, "A=B", &json!("x")).is_err());
    }
}
