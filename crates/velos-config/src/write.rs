//! Text of a `velos.toml`.

use toml_edit::{Array, InlineTable, Value as Toml};

use crate::node::{Node, Value};

/// One app to be written.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Name of its table.
    pub name: String,
    /// Lines above it, without `#`.
    pub comments: Vec<String>,
    /// `key = value` lines: keys of the table of keys, values as TOML.
    pub lines: Vec<String>,
}

impl Entry {
    /// Without lines.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Add `key = "value"`.
    pub fn text(&mut self, key: &str, value: &str) {
        self.lines.push(format!("{key} = {}", Toml::from(value)));
    }

    /// Add `key = ["value", ...]`.
    pub fn texts(&mut self, key: &str, values: &[String]) {
        self.lines.push(format!("{key} = {}", Toml::from(values.iter().collect::<Array>())));
    }

    pub(crate) fn node(&mut self, key: &str, node: &Node) {
        if let Some(value) = literal(node) {
            self.lines.push(format!("{key} = {value}"));
        }
    }
}

/// The whole file.
pub fn toml(head: &str, entries: &[Entry]) -> String {
    let mut text: String =
        head.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n").collect();
    for entry in entries {
        text.push('\n');
        for comment in &entry.comments {
            text.push_str(&format!("# {comment}\n"));
        }
        text.push_str(&format!("[apps.{}]\n", key(&entry.name)));
        for line in &entry.lines {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(is_bare) { name.to_owned() } else { Toml::from(name).to_string() }
}

/// `None`: null, which TOML does not have.
fn literal(node: &Node) -> Option<Toml> {
    Some(match &node.value {
        Value::Null => return None,
        Value::Bool(value) => Toml::from(*value),
        Value::Int(value) => Toml::from(*value),
        Value::Float(value) => Toml::from(*value),
        Value::Text(text) => Toml::from(text.as_str()),
        Value::List(nodes) => Toml::from(nodes.iter().filter_map(literal).collect::<Array>()),
        Value::Map(entries) => {
            let pairs = entries.iter().filter_map(|entry| Some((entry.key.clone(), literal(&entry.node)?)));
            Toml::from(pairs.collect::<InlineTable>())
        }
    })
}
