//! JSON and JSON5 (json5.org, 1.0.0) in one parser: comments, trailing commas, unquoted keys, single quotes,
//! hexadecimal numbers. Written here, because places and bounds matter more than speed.

use std::collections::HashMap;

use super::{DEPTH_MAX, Malformed, NODES_MAX};
use crate::node::{Entry, Node, Value};

pub(super) fn parse(text: &str) -> Result<Node, Malformed> {
    let mut parser = Parser { text, at: 0, nodes: 0 };
    let node = parser.value(0)?;
    parser.blank()?;
    if parser.at < text.len() {
        return Err(parser.wrong("something stands after the end of the value"));
    }
    Ok(node)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn wrong(&self, message: impl Into<String>) -> Malformed {
        Malformed { at: self.at, message: message.into() }
    }

    fn unexpected(&self, wanted: &str) -> Malformed {
        match self.peek() {
            Some(c) => self.wrong(format!("{c:?} where {wanted} was expected")),
            None => self.wrong(format!("the file ends where {wanted} was expected")),
        }
    }

    /// Skip blanks and comments.
    fn blank(&mut self) -> Result<(), Malformed> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let end = rest.find("*/").ok_or_else(|| self.wrong("this comment has no end"))?;
                self.at += end + 2;
            } else if self.peek().is_some_and(|c| c.is_whitespace() || c == '\u{feff}') {
                self.next();
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Malformed> {
        self.blank()?;
        self.nodes += 1;
        if depth > DEPTH_MAX {
            return Err(self.wrong(format!("nested deeper than {DEPTH_MAX}")));
        }
        if self.nodes > NODES_MAX {
            return Err(self.wrong(format!("more than {NODES_MAX} values")));
        }
        let at = self.at;
        let value = match self.peek() {
            Some('{') => self.map(depth)?,
            Some('[') => self.list(depth)?,
            Some('"' | '\'') => Value::Text(self.quoted()?),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => self.number()?,
            _ => match self.word().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" | "undefined" => Value::Null,
                "Infinity" => Value::Float(f64::INFINITY),
                "NaN" => Value::Float(f64::NAN),
                _ => {
                    self.at = at;
                    return Err(self.unexpected("a value"));
                }
            },
        };
        Ok(Node::new(at, value))
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '$')) {
            word.push(c);
            self.next();
        }
        word
    }

    fn map(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.next();
        let mut entries: Vec<Entry> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        loop {
            self.blank()?;
            if self.peek() == Some('}') {
                self.next();
                return Ok(Value::Map(entries));
            }
            let at = self.at;
            let key = match self.peek() {
                Some('"' | '\'') => self.quoted()?,
                _ => self.word(),
            };
            if self.at == at {
                return Err(self.unexpected("a key or \"}\""));
            }
            self.blank()?;
            if self.peek() != Some(':') {
                return Err(self.unexpected("\":\""));
            }
            self.next();
            let node = self.value(depth + 1)?;
            // As in JavaScript the last of several wins.
            match places.get(&key).and_then(|place| entries.get_mut(*place)) {
                Some(entry) => *entry = Entry { key, at, node },
                None => {
                    places.insert(key.clone(), entries.len());
                    entries.push(Entry { key, at, node });
                }
            }
            self.comma('}')?;
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.next();
        let mut nodes = Vec::new();
        loop {
            self.blank()?;
            if self.peek() == Some(']') {
                self.next();
                return Ok(Value::List(nodes));
            }
            nodes.push(self.value(depth + 1)?);
            self.comma(']')?;
        }
    }

    fn comma(&mut self, end: char) -> Result<(), Malformed> {
        self.blank()?;
        match self.peek() {
            Some(',') => {
                self.next();
                Ok(())
            }
            Some(c) if c == end => Ok(()),
            _ => Err(self.unexpected(&format!("\",\" or {end:?}"))),
        }
    }

    fn number(&mut self) -> Result<Value, Malformed> {
        let at = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '+' | '.')) {
            self.next();
        }
        let text = self.text.get(at..self.at).unwrap_or_default();
        let (sign, digits) = match text.as_bytes().first() {
            Some(b'-') => (-1, text.get(1..).unwrap_or_default()),
            Some(b'+') => (1, text.get(1..).unwrap_or_default()),
            _ => (1, text),
        };
        let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
        let whole = match hex {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
            None => None,
        };
        if let Some(whole) = whole {
            return Ok(Value::Int(sign * whole));
        }
        match text.parse::<f64>() {
            Ok(number) if hex.is_none() => Ok(Value::Float(number)),
            _ => Err(Malformed { at, message: format!("{text:?} is no number") }),
        }
    }

    fn quoted(&mut self) -> Result<String, Malformed> {
        let begin = self.at;
        let quote = self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None | Some('\n') => {
                    return Err(Malformed {
                        at: begin,
                        message: "this text has no closing quote".to_owned(),
                    });
                }
                c if c == quote => return Ok(text),
                Some('\\') => self.escape(&mut text)?,
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Result<(), Malformed> {
        match self.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('v') => text.push('\u{b}'),
            Some('0') => text.push('\0'),
            Some('x') => text.push(self.code_unit(2).and_then(char::from_u32).unwrap_or('\u{fffd}')),
            Some('u') => {
                let high =
                    self.code_unit(4).ok_or_else(|| self.wrong("\\u needs four hexadecimal digits"))?;
                let c = if (0xd800..0xdc00).contains(&high) {
                    self.surrogate(high)
                } else {
                    char::from_u32(high)
                };
                text.push(c.unwrap_or('\u{fffd}'));
            }
            Some('\r') if self.peek() == Some('\n') => {
                self.next();
            }
            Some('\n' | '\r' | '\u{2028}' | '\u{2029}') => {}
            Some(c) => text.push(c),
            None => return Err(self.wrong("the file ends in a text")),
        }
        Ok(())
    }

    fn code_unit(&mut self, digits: usize) -> Option<u32> {
        let word = self.text.get(self.at..self.at + digits)?;
        let unit = u32::from_str_radix(word, 16).ok()?;
        self.at += digits;
        Some(unit)
    }

    /// The second half of a character outside the basic plane.
    fn surrogate(&mut self, high: u32) -> Option<char> {
        if !self.text.get(self.at..)?.starts_with("\\u") {
            return None;
        }
        let back = self.at;
        self.at += 2;
        match self.code_unit(4) {
            Some(low) if (0xdc00..0xe000).contains(&low) => {
                char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
            }
            _ => {
                self.at = back;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json5_means_what_javascript_means() {
        let text = r"// head
        {a: 1, 'b': [0x10, -2.5e1, +3, .5,], /* c */ c: {$d: null, e: 'it\'s \u00e9\ud83d\ude00\
!'}, a: true,}";
        let node = parse(text).unwrap();
        let expected =
            serde_json::json!({"a": true, "b": [16, -25.0, 3, 0.5], "c": {"$d": null, "e": "it's é😀!"}});
        assert_eq!(node.to_json(), expected);
    }

    #[test]
    fn what_is_malformed_has_a_place() {
        let deep = "[".repeat(100);
        for (text, at) in [
            ("", 0),
            ("{", 1),
            ("{a}", 2),
            ("[1 2]", 3),
            ("{a:1}}", 5),
            ("\"x", 0),
            ("[1,,2]", 3),
            ("{a:12x}", 3),
            ("/* x", 0),
            ("nope", 0),
            (&deep, 33),
        ] {
            assert_eq!(parse(text).unwrap_err().at, at, "{text}");
        }
    }
}
