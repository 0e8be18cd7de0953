//! Files of variables: `KEY=VALUE` lines, `export` before them, `#` comments, single and double quotes.

use std::path::Path;

use crate::problem::{ConfigError, Problem};
use crate::read;

/// The variables in order.
pub(crate) fn load(path: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    let text = read::bounded(path)?;
    parse(&text).map_err(|(line, message)| {
        Problem { file: path.to_path_buf(), place: Some((line, 1)), message, hint: None }.into()
    })
}

fn parse(text: &str) -> Result<Vec<(String, String)>, (usize, String)> {
    let mut variables = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |message: &str| (number + 1, message.to_owned());
        let (key, value) = line.split_once('=').ok_or_else(|| wrong("a line must be KEY=VALUE"))?;
        let (key, value) = (key.trim(), value.trim_start());
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if key.is_empty() || !key.chars().all(is_name) {
            return Err(wrong(&format!("{key:?} is no name of a variable")));
        }
        let value = match value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            Some(quote) => {
                // A value in quotes may go on over lines.
                let mut rest = value.get(1..).unwrap_or_default().to_owned();
                while end_of_quote(&rest, quote).is_none() {
                    let (_, more) = lines.next().ok_or_else(|| wrong("this value has no closing quote"))?;
                    rest.push('\n');
                    rest.push_str(more);
                }
                let end = end_of_quote(&rest, quote).unwrap_or(rest.len());
                let inner = rest.get(..end).unwrap_or_default();
                if quote == '"' { unescape(inner) } else { inner.to_owned() }
            }
            None => value.split(" #").next().unwrap_or_default().trim_end().to_owned(),
        };
        if value.contains('\0') {
            return Err(wrong("a value must not hold a NUL byte"));
        }
        variables.push((key.to_owned(), value));
    }
    Ok(variables)
}

fn end_of_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote == '"' {
            escaped = true;
        } else if c == quote {
            return Some(at);
        }
        None
    })
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_such_files_look_like() {
        let text = "# head\nA=1\nexport B = two words # note\nC='a # \\n b'\nD=\"x\\n\\\"y\\\"\"\nE=\nF=a=b#c\nG=\"1\n2\"\r\n";
        let pairs = parse(text).unwrap();
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "a # \\n b"),
            ("D", "x\n\"y\""),
            ("E", ""),
            ("F", "a=b#c"),
            ("G", "1\n2"),
        ];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        for (text, line) in [("A=1\nnonsense", 2), ("A B=1", 1), ("\n\nA='x", 3), ("=x", 1)] {
            assert_eq!(parse(text).unwrap_err().0, line, "{text}");
        }
    }
}
