//! Looks into a line that is a JSON object without building a tree: only the top level, only what is asked for.

/// A value as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Without its quotes, escapes left as they are.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'a [u8]),
    /// With its braces or brackets.
    Nested(&'a [u8]),
}

/// Calls `each` with the keys and values of the top level until it says `false`. A line that is not an object, or is torn,
/// gives what is whole.
pub(crate) fn fields<'a>(line: &'a [u8], mut each: impl FnMut(&'a [u8], Value<'a>) -> bool) {
    let mut scan = Scan { bytes: line, at: 0 };
    scan.skip_space();
    if !scan.eat(b'{') {
        return;
    }
    loop {
        scan.skip_space();
        let Some(key) = scan.text() else { return };
        scan.skip_space();
        if !scan.eat(b':') {
            return;
        }
        scan.skip_space();
        let Some(value) = scan.value() else { return };
        if !each(key, value) {
            return;
        }
        scan.skip_space();
        if !scan.eat(b',') {
            return;
        }
    }
}

/// One field of the top level.
pub(crate) fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<Value<'a>> {
    let mut found = None;
    fields(line, |key, value| {
        if key == name {
            found = Some(value);
        }
        found.is_none()
    });
    found
}

/// Names under which loggers put the text for people.
const MESSAGE_KEYS: [&[u8]; 8] =
    [b"msg", b"message", b"@message", b"@m", b"text", b"log", b"event", b"MESSAGE"];

/// The text for people of a JSON line.
pub(crate) fn message(line: &[u8]) -> Option<&[u8]> {
    if !is_object(line) {
        return None;
    }
    let mut best: Option<(usize, &[u8])> = None;
    fields(line, |key, value| {
        if let Value::Text(text) = value
            && let Some(rank) = MESSAGE_KEYS.iter().position(|name| *name == key)
            && best.is_none_or(|(other, _)| rank < other)
        {
            best = Some((rank, text));
        }
        best.is_none_or(|(rank, _)| rank > 0)
    });
    best.map(|(_, text)| text)
}

/// The text for people of a line of `key=value` pairs, as Go's loggers write them.
pub(crate) fn logfmt_message(line: &[u8]) -> Option<&[u8]> {
    let first = memchr::memchr3(b'=', b' ', b'"', line)?;
    if first == 0 || line.get(first) != Some(&b'=') {
        return None;
    }
    let (at, name) = [&b" msg="[..], b" message="]
        .into_iter()
        .find_map(|name| memchr::memmem::find(line, name).map(|at| (at, name)))
        .or_else(|| line.starts_with(b"msg=").then_some((0, &b"msg="[..])))?;
    let value = line.get(at + name.len()..)?;
    let Some(text) = value.strip_prefix(b"\"") else {
        return value.get(..memchr::memchr(b' ', value).unwrap_or(value.len()));
    };
    let mut end = 0;
    loop {
        end += memchr::memchr2(b'"', b'\\', text.get(end..)?)?;
        if text.get(end) == Some(&b'"') {
            return text.get(..end);
        }
        end += 2;
    }
}

/// Whether a line looks like a JSON object.
pub(crate) fn is_object(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.first() == Some(&b'{') && line.last() == Some(&b'}') && line.contains(&b'"')
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        if !self.eat(b'"') {
            return None;
        }
        let start = self.at;
        loop {
            let rest = self.bytes.get(self.at..)?;
            self.at += memchr::memchr2(b'"', b'\\', rest)?;
            if self.peek() == Some(b'"') {
                self.at += 1;
                return self.bytes.get(start..self.at - 1);
            }
            self.at += 2;
        }
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => self.text().map(Value::Text),
            b'{' | b'[' => {
                let start = self.at;
                let mut depth = 0_usize;
                loop {
                    match self.peek()? {
                        b'"' => {
                            self.text()?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                    self.at += 1;
                    if depth == 0 {
                        return self.bytes.get(start..self.at).map(Value::Nested);
                    }
                }
            }
            _ => {
                let start = self.at;
                while self
                    .peek()
                    .is_some_and(|byte| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\t'))
                {
                    self.at += 1;
                }
                self.bytes.get(start..self.at).filter(|bytes| !bytes.is_empty()).map(Value::Bare)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_top_level_only_and_stops_where_it_is_torn() {
        let line = br#" {"a":{"level":"x","b":["]"]},"level" : 50,"msg":"say \"hi\"","t":"#;
        assert_eq!(field(line, b"level"), Some(Value::Bare(b"50")));
        assert_eq!(field(line, b"msg"), Some(Value::Text(br#"say \"hi\""#)));
        assert_eq!(field(line, b"b"), None);
        assert_eq!(field(line, b"t"), None);
        for end in 0..line.len() {
            fields(&line[..end], |_, _| true);
        }
    }

    #[test]
    fn the_message_is_the_best_known_name() {
        assert_eq!(message(br#"{"event":"e","msg":"m"}"#), Some(&b"m"[..]));
        assert_eq!(message(br#"{"event":"e"}"#), Some(&b"e"[..]));
        assert_eq!(message(b"not json"), None);
    }
}
