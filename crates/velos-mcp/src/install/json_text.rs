//! Adds an entry to JSON as text, so that all other bytes stay: order, comments, indentation.

use std::ops::Range;

/// A member of an object.
struct Member {
    key: String,
    value: Range<usize>,
}

/// `text` with `{ section: { name: fields } }` in it; an entry of that name is replaced.
pub(super) fn with_entry(
    text: &str,
    section: &str,
    name: &str,
    fields: &[(&str, serde_json::Value)],
) -> Result<String, String> {
    let entry = |indent: &str| {
        let lines: Vec<String> =
            fields.iter().map(|(key, value)| format!("{indent}  \"{key}\": {value}")).collect();
        format!("{{\n{}\n{indent}}}", lines.join(",\n"))
    };
    if text.trim().is_empty() {
        return Ok(format!("{{\n  \"{section}\": {{\n    \"{name}\": {}\n  }}\n}}\n", entry("    ")));
    }
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    scanner.blanks()?;
    let begin = scanner.at;
    let members = scanner.object()?;
    scanner.blanks()?;
    if scanner.at < text.len() {
        return Err(format!("something follows its end at byte {}", scanner.at));
    }
    let Some(found) = members.iter().find(|member| member.key == section) else {
        let value = format!("{{\n    \"{name}\": {}\n  }}", entry("    "));
        return Ok(inserted(text, begin + 1, "  ", section, &value, members.is_empty()));
    };
    let mut inner = Scanner { bytes: text.as_bytes(), at: found.value.start };
    let servers = inner.object().map_err(|_| format!("{section} is no object"))?;
    match servers.iter().find(|member| member.key == name) {
        Some(own) => {
            let (before, after) = (text.get(..own.value.start), text.get(own.value.end..));
            Ok(format!("{}{}{}", before.unwrap_or_default(), entry("    "), after.unwrap_or_default()))
        }
        None => Ok(inserted(text, found.value.start + 1, "    ", name, &entry("    "), servers.is_empty())),
    }
}

/// A first member behind an opening brace.
fn inserted(text: &str, at: usize, indent: &str, key: &str, value: &str, is_only: bool) -> String {
    let (before, after) = text.split_at(at);
    let outer = indent.get(2..).unwrap_or_default();
    match is_only {
        true => format!("{before}\n{indent}\"{key}\": {value}\n{outer}{}", after.trim_start()),
        false => {
            let line = if after.starts_with(['\n', '\r']) { "" } else { "\n" };
            format!("{before}\n{indent}\"{key}\": {value},{line}{after}")
        }
    }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn wrong<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{what} at byte {}", self.at))
    }

    fn rest_starts_with(&self, text: &str) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(text.as_bytes()))
    }

    /// Over blanks and comments.
    fn blanks(&mut self) -> Result<(), String> {
        loop {
            while self.peek().is_some_and(|byte| {
                byte.is_ascii_whitespace() || byte == 0xef || byte == 0xbb || byte == 0xbf
            }) {
                self.at += 1;
            }
            if self.rest_starts_with("//") {
                while self.peek().is_some_and(|byte| byte != b'\n') {
                    self.at += 1;
                }
            } else if self.rest_starts_with("/*") {
                while self.at < self.bytes.len() && !self.rest_starts_with("*/") {
                    self.at += 1;
                }
                if self.at >= self.bytes.len() {
                    return self.wrong("a comment does not end");
                }
                self.at += 2;
            } else {
                return Ok(());
            }
        }
    }

    /// The members of an object that begins here.
    fn object(&mut self) -> Result<Vec<Member>, String> {
        if self.peek() != Some(b'{') {
            return self.wrong("an object is expected");
        }
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.blanks()?;
            match self.peek() {
                Some(b'}') => {
                    self.at += 1;
                    return Ok(members);
                }
                Some(b'"') => {}
                _ => return self.wrong("a key is expected"),
            }
            let key = self.string()?;
            self.blanks()?;
            if self.peek() != Some(b':') {
                return self.wrong("a colon is expected");
            }
            self.at += 1;
            self.blanks()?;
            let start = self.at;
            self.value()?;
            members.push(Member { key, value: start..self.at });
            self.blanks()?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {}
                _ => return self.wrong("a comma is expected"),
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                let text = self.bytes.get(start..self.at).unwrap_or_default();
                return serde_json::from_slice(text).map_err(|error| error.to_string());
            }
        }
        self.wrong("a text does not end")
    }

    fn value(&mut self) -> Result<(), String> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object().map(drop),
            Some(b'[') => {
                self.at += 1;
                loop {
                    self.blanks()?;
                    match self.peek() {
                        Some(b']') => {
                            self.at += 1;
                            return Ok(());
                        }
                        Some(b',') => self.at += 1,
                        Some(_) => self.value()?,
                        None => return self.wrong("a list does not end"),
                    }
                }
            }
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'-' => {
                while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) {
                    self.at += 1;
                }
                Ok(())
            }
            _ => self.wrong("a value is expected"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn with(text: &str) -> String {
        with_entry(text, "mcpServers", "velos", &[("command", json!("velos"))]).unwrap()
    }

    #[test]
    fn the_rest_of_the_file_stays_as_it_is() {
        for text in [
            "",
            "{}",
            "{ }\n",
            "{\"a\":1}",
            "{\n  \"b\": [1, {\"c\": \"}\"}],\n  \"a\": null\n}\n",
            "{\"mcpServers\":{}}",
            "{\n  \"mcpServers\": {\n    \"other\": { \"command\": \"x\" }\n  }\n}\n",
            "{\"mcpServers\":{\"velos\":{\"command\":\"old\",\"args\":[\"}\"]},\"z\":1},\"a\":{\"mcpServers\":1}}",
        ] {
            let after = with(text);
            let value: Value =
                serde_json::from_str(&after).unwrap_or_else(|error| panic!("{error}: {after}"));
            assert_eq!(value["mcpServers"]["velos"], json!({ "command": "velos" }), "{after}");
            let mut expected: Value =
                serde_json::from_str(if text.is_empty() { "{}" } else { text }).unwrap();
            expected["mcpServers"]["velos"] = json!({ "command": "velos" });
            assert_eq!(value, expected);
            assert_eq!(with(&after), after, "a second time changes nothing");
        }
    }

    #[test]
    fn comments_stay_and_nonsense_is_refused() {
        let text = "// mine {\n{\n  /* \" */ \"a\": 1, // }\n}\n";
        let after = with(text);
        assert!(
            after.starts_with("// mine {\n{\n  \"mcpServers\"")
                && after.ends_with("  /* \" */ \"a\": 1, // }\n}\n"),
            "{after}"
        );
        for bad in ["[]", "{", "{\"a\"}", "{} x", "{\"mcpServers\": []}", "\"x", "/*", "{\"a\": \"\\"] {
            assert!(with_entry(bad, "mcpServers", "velos", &[]).is_err(), "{bad}");
        }
    }
}
