//! Change one value of a TOML file and leave the rest as its author wrote it.

use toml_edit::{DocumentMut, Item, Table, Value};

/// Why a value cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is no TOML.
    #[error("it is not TOML: {0}")]
    Malformed(String),
    /// A part of the path is there and no table.
    #[error("{0} is a value, not a table")]
    NoTable(String),
    /// The path has no part, or an empty one.
    #[error("{0:?} is no key")]
    NoKey(String),
}

/// Set the value at a path such as `defaults.kill_timeout`, or take it out. A value is TOML (`5`, `true`, `["a"]`);
/// what is none is a text.
///
/// # Errors
/// [`EditError`]; the text stays as it is then.
pub fn edit(text: &str, path: &str, value: Option<&str>) -> Result<String, EditError> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| EditError::Malformed(error.message().to_owned()))?;
    let mut parts: Vec<&str> = path.split('.').collect();
    let last = parts.pop().filter(|last| !last.is_empty() && parts.iter().all(|part| !part.is_empty()));
    let Some(last) = last else { return Err(EditError::NoKey(path.to_owned())) };
    let mut table = document.as_table_mut() as &mut dyn toml_edit::TableLike;
    for (depth, part) in parts.iter().enumerate() {
        let item = table.entry(part).or_insert_with(|| {
            let mut fresh = Table::new();
            // Only what holds values needs a line of its own.
            fresh.set_implicit(depth + 1 < parts.len());
            Item::Table(fresh)
        });
        table = item.as_table_like_mut().ok_or_else(|| EditError::NoTable((*part).to_owned()))?;
    }
    match value {
        None => drop(table.remove(last)),
        Some(value) => {
            let value = value.parse::<Value>().unwrap_or_else(|_| Value::from(value));
            match table.get_mut(last) {
                Some(item) => *item = Item::Value(value),
                None => drop(table.insert(last, Item::Value(value))),
            }
        }
    }
    Ok(document.to_string())
}

/// The value at a path as TOML; a table with all it holds.
///
/// # Errors
/// [`EditError::Malformed`].
pub fn value_at(text: &str, path: &str) -> Result<Option<String>, EditError> {
    let document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| EditError::Malformed(error.message().to_owned()))?;
    let mut item = document.as_item();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        match item.get(part) {
            Some(inner) => item = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(match item {
        Item::Value(Value::String(text)) => text.value().clone(),
        other => other.to_string().trim().to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_stays_as_it_is() {
        let text = "# mine\n[defaults]\nkill_timeout = \"5s\" # long\n";
        let changed = edit(text, "defaults.max_restarts", Some("3")).unwrap();
        assert_eq!(changed, "# mine\n[defaults]\nkill_timeout = \"5s\" # long\nmax_restarts = 3\n");
        let changed = edit(&changed, "defaults.kill_timeout", Some("10s")).unwrap();
        assert!(changed.contains("kill_timeout = \"10s\""), "{changed}");
        let changed = edit(&changed, "defaults.logs.keep", Some("4")).unwrap();
        assert_eq!(value_at(&changed, "defaults.logs.keep"), Ok(Some("4".to_owned())));
        assert_eq!(value_at(&changed, "defaults.kill_timeout"), Ok(Some("10s".to_owned())));
        assert_eq!(value_at(&changed, "defaults.none"), Ok(None));
        let changed = edit(&changed, "defaults.kill_timeout", None).unwrap();
        assert_eq!(value_at(&changed, "defaults.kill_timeout"), Ok(None));
    }

    #[test]
    fn what_cannot_be_changed_is_told() {
        assert!(matches!(edit("a = [", "b", Some("1")), Err(EditError::Malformed(_))));
        assert_eq!(edit("a = 1", "a.b", Some("1")), Err(EditError::NoTable("a".into())));
        for path in ["", "a.", ".a", "a..b"] {
            assert_eq!(edit("", path, Some("1")), Err(EditError::NoKey(path.into())));
        }
    }
}
