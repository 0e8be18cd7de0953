//! `env.PORT` in `config_set`.

use serde_json::Value;
use velos_core::app::AppSpec;
use velos_core::raw_string::RawString;

/// Set a variable, or remove it.
pub(super) fn set(app: &mut AppSpec, name: &str, value: &Value) -> Result<(), String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use velos_core::name::AppName;

    #[test]
    fn variables_are_set_and_removed() {
        let mut app = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        set(&mut app, "PORT", &json!(3000)).unwrap();
        assert_eq!(app.env[&"PORT".into()], "3000".into());
        assert_eq!(app.env_declared, ["PORT".into()]);
        set(&mut app, "PORT", &Value::Null).unwrap();
        assert!(app.env.is_empty() && app.env_declared.is_empty());
        assert!(set(&mut app, "A=B", &json!("x")).is_err());
    }
}
