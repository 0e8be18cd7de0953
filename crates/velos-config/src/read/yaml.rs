//! YAML, through the events of saphyr-parser. An alias costs as much as what it stands for, so that a few lines
//! cannot become a billion values.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::{DEPTH_MAX, Malformed, NODES_MAX};
use crate::node::{Entry, Node, Offset, Value};

pub(super) fn parse(text: &str) -> Result<Node, Malformed> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        offsets: Offsets::of(text),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut root = None;
    loop {
        let (event, at) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(root.unwrap_or(Node::new(0, Value::Null))),
            Event::StreamStart | Event::Nothing | Event::DocumentStart(_) | Event::DocumentEnd => {}
            _ if root.is_some() => {
                return Err(Malformed { at, message: "a second document; a file has one".to_owned() });
            }
            event => root = Some(reader.node(event, at, 0)?.0),
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    offsets: Offsets,
    /// Value and number of values in it.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Offset), Malformed> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, self.offsets.at(span))),
            Some(Err(error)) => {
                let at = self.offsets.character(error.marker().index());
                Err(Malformed { at, message: error.info().to_owned() })
            }
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn count(&mut self, at: Offset, more: usize) -> Result<(), Malformed> {
        self.nodes = self.nodes.saturating_add(more);
        match self.nodes > NODES_MAX {
            true => Err(Malformed {
                at,
                message: format!("more than {NODES_MAX} values (aliases count each time)"),
            }),
            false => Ok(()),
        }
    }

    fn node(&mut self, event: Event<'a>, at: Offset, depth: usize) -> Result<(Node, usize), Malformed> {
        if depth > DEPTH_MAX {
            return Err(Malformed { at, message: format!("nested deeper than {DEPTH_MAX}") });
        }
        let before = self.nodes;
        let (value, anchor) = match event {
            Event::Alias(anchor) => {
                let unknown =
                    || Malformed { at, message: "this alias stands for nothing that is complete".to_owned() };
                let size = self.anchors.get(&anchor).ok_or_else(unknown)?.1;
                self.count(at, size)?;
                let node = self.anchors.get(&anchor).ok_or_else(unknown)?.0.clone();
                return Ok((node, size));
            }
            Event::Scalar(text, style, anchor, _) => (scalar(&text, style), anchor),
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(depth)?, anchor),
            other => return Err(Malformed { at, message: format!("unexpected {other:?}") }),
        };
        self.count(at, 1)?;
        let (node, size) = (Node::new(at, value), self.nodes - before);
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok((node, size))
    }

    fn list(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(nodes)),
                (event, at) => nodes.push(self.node(event, at, depth + 1)?.0),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Malformed> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        let mut keys: HashSet<String> = HashSet::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let (key, _) = self.node(event, at, depth + 1)?;
            let Some(key) = key.scalar() else {
                return Err(Malformed { at, message: "a key must be a text".to_owned() });
            };
            let (event, value_at) = self.next()?;
            let (node, _) = self.node(event, value_at, depth + 1)?;
            match (key.as_str(), node.value) {
                ("<<", Value::Map(more)) => merged.extend(more),
                (_, value) => {
                    if !keys.insert(key.clone()) {
                        return Err(Malformed { at, message: format!("the key {key:?} is given twice") });
                    }
                    entries.push(Entry { key, at, node: Node::new(node.at, value) });
                }
            }
        }
        // The first of several merged tables wins.
        merged.retain(|more| keys.insert(more.key.clone()));
        entries.extend(merged);
        Ok(Value::Map(entries))
    }
}

/// The core schema of YAML 1.2; `yes` and `no` are texts.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let radix = |prefix: &str, radix| i64::from_str_radix(text.strip_prefix(prefix)?, radix).ok();
    if let Some(number) = text.parse().ok().or_else(|| radix("0x", 16)).or_else(|| radix("0o", 8)) {
        return Value::Int(number);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    match text.parse() {
        Ok(number) if is_number => Value::Float(number),
        _ => Value::Text(text.to_owned()),
    }
}

/// The parser counts characters, places count bytes.
struct Offsets(Option<Vec<u32>>);

impl Offsets {
    fn of(text: &str) -> Self {
        let bytes = || text.char_indices().map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)).collect();
        Self((!text.is_ascii()).then(bytes))
    }

    fn at(&self, span: Span) -> Offset {
        self.character(span.start.index())
    }

    fn character(&self, index: usize) -> Offset {
        match &self.0 {
            None => index,
            Some(bytes) => bytes.get(index).or(bytes.last()).map_or(0, |at| *at as usize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_merges_and_scalars() {
        let text = "base: &b {x: 1, y: 'no'}\nün: [~, yes, 0x1f, 1.5, 1e3, '7', v1.2]\none: {<<: *b, x: 2}\n";
        let expected = serde_json::json!({
            "base": {"x": 1, "y": "no"},
            "ün": [null, "yes", 31, 1.5, 1000.0, "7", "v1.2"],
            "one": {"x": 2, "y": "no"},
        });
        let node = parse(text).unwrap();
        assert_eq!(node.to_json(), expected);
        let one = node.as_map().unwrap().iter().find(|entry| entry.key == "one").unwrap();
        assert_eq!(one.at, text.find("one").unwrap());
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let list =
                [format!("*a{}", level - 1)].into_iter().cycle().take(10).collect::<Vec<_>>().join(", ");
            text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
        }
        let begin = std::time::Instant::now();
        assert!(parse(&text).unwrap_err().message.contains("values"));
        assert!(begin.elapsed().as_secs() < 5);
    }

    #[test]
    fn what_is_malformed_has_a_place() {
        for text in [
            "a: [1",
            "a: b: c",
            "a: 1\na: 2",
            "? [x]\n: y",
            "a: *nothing",
            "a: &x [*x]",
            "[a]]",
            "a: 1\n---\nb: 2",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
    }
}
