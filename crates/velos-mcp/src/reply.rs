//! What a tool answers: the same once as text, once as data.

use serde_json::{Value, json};
use velos_core::error::ErrorReply;

/// A good answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Lines, each with its newline.
    pub(crate) text: String,
    /// An object.
    pub(crate) data: Value,
    /// The data was asked for, as the text.
    pub(crate) as_json: bool,
}

/// An answer that says why not; it travels as a result, so that the model reads it.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) text: String,
    pub(crate) data: Value,
}

pub(crate) type Outcome = Result<Reply, Trouble>;

impl Reply {
    pub(crate) fn new(text: impl Into<String>, data: Value) -> Self {
        Self { text: text.into(), data, as_json: false }
    }
}

impl From<ErrorReply> for Trouble {
    fn from(error: ErrorReply) -> Self {
        let hint = error.hint.as_deref().map_or(String::new(), |hint| format!("; {hint}"));
        Self {
            text: format!("{}{hint}\n", error.message),
            data: json!({ "error": { "code": error.code, "message": error.message, "hint": error.hint } }),
        }
    }
}

/// Rows under the names of their columns.
#[derive(Debug)]
pub(crate) struct Columns {
    names: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Columns {
    pub(crate) fn new(names: &[&'static str]) -> Self {
        Self { names: names.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.names.len());
        self.rows.push(row);
    }

    /// `{"columns": [...], "rows": [[...]]}` and more fields.
    pub(crate) fn with(self, more: Value) -> Value {
        let mut data = json!({ "columns": self.names, "rows": self.rows });
        if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
            data.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
        }
        data
    }
}
