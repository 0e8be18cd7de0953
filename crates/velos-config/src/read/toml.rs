//! TOML, through toml_edit, which keeps the places.

use toml_edit::{Document, Item, TableLike, Value as Toml};

use super::Malformed;
use crate::node::{Entry, Node, Offset, Value};

pub(super) fn parse(text: &str) -> Result<Node, Malformed> {
    let document = Document::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Malformed { at, message: error.message().trim().replace('\n', "; ") }
    })?;
    Ok(Node::new(0, table(document.as_table())))
}

fn table(table: &dyn TableLike) -> Value {
    let entries = table.iter().map(|(key, item)| {
        let at = table.key(key).and_then(|key| key.span()).or_else(|| item.span());
        let at = at.map_or(0, |span| span.start);
        Entry { key: key.to_owned(), at, node: from_item(item, at) }
    });
    Value::Map(entries.collect())
}

fn from_item(item: &Item, key_at: Offset) -> Node {
    let at = item.span().map_or(key_at, |span| span.start);
    match item {
        Item::None => Node::new(at, Value::Null),
        Item::Value(value) => from_value(value, at),
        Item::Table(inner) => Node::new(at, table(inner)),
        Item::ArrayOfTables(tables) => {
            let nodes = tables.iter().map(|inner| {
                let at = inner.span().map_or(at, |span| span.start);
                Node::new(at, table(inner))
            });
            Node::new(at, Value::List(nodes.collect()))
        }
    }
}

fn from_value(value: &Toml, at: Offset) -> Node {
    let at = value.span().map_or(at, |span| span.start);
    let value = match value {
        Toml::String(text) => Value::Text(text.value().clone()),
        Toml::Integer(number) => Value::Int(*number.value()),
        Toml::Float(number) => Value::Float(*number.value()),
        Toml::Boolean(flag) => Value::Bool(*flag.value()),
        Toml::Datetime(time) => Value::Text(time.value().to_string()),
        Toml::Array(values) => Value::List(values.iter().map(|value| from_value(value, at)).collect()),
        Toml::InlineTable(inner) => table(inner),
    };
    Node::new(at, value)
}
