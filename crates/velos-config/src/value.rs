//! From a node to a value of the kind that its key wants. Numbers and switches may be written as texts, as under PM2.

use std::path::{Path, PathBuf};

use velos_core::units::{parse_bytes, parse_duration_ms};

use crate::node::{Node, Value};

/// What is wrong with a value, to be put behind the name of its key.
type Wrong = String;

pub(crate) fn text(node: &Node) -> Result<String, Wrong> {
    let text = node.scalar().ok_or_else(|| format!("must be a text, not {}", node.kind()))?;
    match text.contains('\0') {
        true => Err("must not hold a NUL byte".to_owned()),
        false => Ok(text),
    }
}

pub(crate) fn texts(node: &Node) -> Result<Vec<String>, Wrong> {
    match &node.value {
        Value::List(nodes) => nodes.iter().map(text).collect(),
        _ => Ok(vec![
            text(node).map_err(|_| format!("must be a text or a list of texts, not {}", node.kind()))?,
        ]),
    }
}

/// A text is split at blanks; quotes hold together, a backslash takes the next character as it is.
pub(crate) fn words(node: &Node) -> Result<Vec<String>, Wrong> {
    match &node.value {
        Value::Text(text) => split(text),
        _ => texts(node),
    }
}

fn split(text: &str) -> Result<Vec<String>, Wrong> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match quote {
        Some(quote) => Err(format!("has a {quote} without its end")),
        None => Ok(words),
    }
}

pub(crate) fn switch(node: &Node) -> Result<bool, Wrong> {
    match (&node.value, node.scalar().as_deref()) {
        (Value::Bool(value), _) => Ok(*value),
        (_, Some("true" | "1")) => Ok(true),
        (_, Some("false" | "0")) => Ok(false),
        _ => Err(format!("must be true or false, not {}", shown(node))),
    }
}

pub(crate) fn number(node: &Node, low: i64, high: i64) -> Result<i64, Wrong> {
    let number = match &node.value {
        Value::Int(number) => Some(*number),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => Some(*number as i64),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    let wrong = || format!("must be a whole number from {low} to {high}, not {}", shown(node));
    number.filter(|number| (low..=high).contains(number)).ok_or_else(wrong)
}

pub(crate) fn time_ms(node: &Node) -> Result<u64, Wrong> {
    match &node.value {
        Value::Bool(_) | Value::Null | Value::List(_) | Value::Map(_) => {
            Err(format!("must be a time such as \"10s\" or a number of milliseconds, not {}", node.kind()))
        }
        _ => parse_duration_ms(&node.scalar().unwrap_or_default()).map_err(|error| error.to_string()),
    }
}

pub(crate) fn size_bytes(node: &Node) -> Result<u64, Wrong> {
    match &node.value {
        Value::Bool(_) | Value::Null | Value::List(_) | Value::Map(_) => {
            Err(format!("must be a size such as \"300M\" or a number of bytes, not {}", node.kind()))
        }
        _ => parse_bytes(&node.scalar().unwrap_or_default()).map_err(|error| error.to_string()),
    }
}

pub(crate) fn choice(node: &Node, words: &[&'static str]) -> Result<&'static str, Wrong> {
    let text = node.scalar().unwrap_or_default();
    let wrong = || format!("must be one of {}, not {}", words.join(", "), shown(node));
    words.iter().find(|word| **word == text).copied().ok_or_else(wrong)
}

/// A path, absolute, from `base`; `~` is the home directory.
pub(crate) fn file(node: &Node, base: &Path) -> Result<PathBuf, Wrong> {
    Ok(path(&text(node)?, base))
}

pub(crate) fn path(text: &str, base: &Path) -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let expanded = match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        (None, Some(home)) if text == "~" => home,
        _ => base.join(text),
    };
    std::path::absolute(&expanded).unwrap_or(expanded)
}

pub(crate) fn codes(node: &Node) -> Result<Vec<i32>, Wrong> {
    let one = |node: &Node| number(node, 0, 255).map(|code| code as i32);
    match &node.value {
        Value::List(nodes) => nodes.iter().map(one).collect(),
        _ => Ok(vec![one(node)?]),
    }
}

/// For a message: what stands there.
pub(crate) fn shown(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => format!("{text:?}"),
        _ => node.scalar().unwrap_or_else(|| node.kind().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_like_a_shell_does() {
        let cases: [(&str, &[&str]); 5] = [
            ("-a  b", &["-a", "b"]),
            ("--name 'my app' \"x \\\" y\"", &["--name", "my app", "x \" y"]),
            ("a\\ b ''", &["a b", ""]),
            ("--x='1 2'", &["--x=1 2"]),
            ("", &[]),
        ];
        for (line, expected) in cases {
            assert_eq!(split(line).unwrap(), expected, "{line}");
        }
        assert!(split("'open").is_err());
    }
}
