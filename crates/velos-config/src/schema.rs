//! JSON Schema (draft 2020-12) of `velos.toml`, for editors; made from the table of keys.

use serde_json::{Map, Value, json};

use crate::keys::{KEYS, Key, SECTIONS, Shape};

/// The schema as a document, ending with a newline.
pub fn schema() -> String {
    let app = app(true);
    let defaults = app_without_own(&app);
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "velos.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "$schema": { "type": "string" },
            "include": texts(),
            "defaults": defaults,
            "apps": { "type": "object", "additionalProperties": { "$ref": "#/$defs/app" } },
        },
        "$defs": { "app": app },
    });
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn app(with_aliases: bool) -> Value {
    let mut properties = Map::new();
    for key in KEYS {
        let (section, name) = key.parts();
        if section.is_none() {
            properties.insert(name.to_owned(), described(key));
        }
        for alias in key.aliases.iter().filter(|_| with_aliases) {
            properties.insert((*alias).to_owned(), described(key));
        }
    }
    for section in SECTIONS {
        properties.insert((*section).to_owned(), section_schema(section));
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "patternProperties": { "^env_.+$": {} },
    })
}

fn app_without_own(app: &Value) -> Value {
    let mut defaults = app.clone();
    if let Some(properties) = defaults.get_mut("properties").and_then(Value::as_object_mut) {
        for own in ["name", "script", "command", "exec", "cmd"] {
            properties.remove(own);
        }
    }
    defaults
}

fn section_schema(section: &str) -> Value {
    let own = KEYS.iter().filter(|key| key.parts().0 == Some(section));
    let properties: Map<String, Value> = own.map(|key| (key.parts().1.to_owned(), described(key))).collect();
    let table = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    match section {
        "watch" => json!({ "anyOf": [table, { "type": "boolean" }, texts()] }),
        "user" => json!({ "anyOf": [table, { "type": ["string", "integer"] }] }),
        _ => table,
    }
}

fn described(key: &Key) -> Value {
    let mut schema = shape(key.shape);
    if let Some(map) = schema.as_object_mut() {
        if key.has_effect() {
            map.insert("description".to_owned(), json!(key.text));
        } else {
            map.insert("deprecated".to_owned(), json!(true));
        }
        if !key.default.is_empty() {
            map.insert("$comment".to_owned(), json!(format!("default: {}", key.default)));
        }
    }
    schema
}

fn texts() -> Value {
    json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
}

fn shape(shape: Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Texts | Shape::Words => texts(),
        Shape::Switch => json!({ "type": "boolean" }),
        Shape::Number(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Shape::Time => json!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)?$" },
        ] }),
        Shape::Size => json!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?[kKmMgGbB]?$" },
        ] }),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::File => json!({ "type": ["string", "boolean"] }),
        Shape::Instances => json!({ "anyOf": [
            { "type": "integer", "minimum": -4096, "maximum": 4096 },
            { "const": "max" },
        ] }),
        Shape::Codes => {
            let code = json!({ "type": "integer", "minimum": 0, "maximum": 255 });
            json!({ "anyOf": [code, { "type": "array", "items": code }] })
        }
        Shape::Variables => json!({ "type": "object" }),
        Shape::Filter => json!({ "anyOf": [{ "type": "boolean" }, texts()] }),
        Shape::Cron => json!({ "anyOf": [{ "type": "string" }, { "enum": [0, false] }] }),
        Shape::Depends => json!({ "anyOf": [
            texts(),
            { "type": "object", "additionalProperties": { "enum": ["started", "healthy", "completed"] } },
        ] }),
        Shape::Hook => json!({ "anyOf": [
            { "type": "string" },
            { "type": "object", "additionalProperties": false, "required": ["command"],
              "properties": { "command": { "type": "string" }, "timeout": self::shape(Shape::Time) } },
        ] }),
        Shape::Limit => {
            let one = json!({ "anyOf": [{ "const": "unlimited" }, self::shape(Shape::Size)] });
            json!({ "anyOf": [one, { "type": "object", "additionalProperties": false,
                "properties": { "soft": one, "hard": one } }] })
        }
        Shape::User | Shape::Group => json!({ "type": ["string", "integer"] }),
        Shape::Groups => json!({ "type": ["array", "string", "integer"] }),
        Shape::Mode => json!({ "type": ["string", "integer"] }),
        Shape::Cores => json!({ "type": ["string", "number"] }),
        Shape::TimeForm => json!({ "type": ["string", "boolean"] }),
        Shape::Ignored(_) => json!({}),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_for_editors_is_current() {
        crate::page::tests::hold("config.schema.json", &super::schema());
    }
}
