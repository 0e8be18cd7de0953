//! Stacks inside JSON lines: `{"level":"error","err":{"stack":"Error: x\n    at f (a.js:1:2)"}}`.

use crate::json::{self, Value};

/// Names of fields that hold a stack, or an object that does.
const STACKS: [&[u8]; 15] = [
    b"stack",
    b"stack_trace",
    b"stackTrace",
    b"exc_info",
    b"exception",
    b"traceback",
    b"stacktrace",
    b"trace",
    b"error.stack_trace",
    b"error.stack",
    b"exception.stacktrace",
    b"err.stack",
    b"@x",
    b"Exception",
    b"errorStack",
];
const HOLDERS: [&[u8]; 4] = [b"err", b"error", b"exception", b"e"];

/// The stack of a JSON line, as the lines it stands for.
pub(super) fn stack(line: &[u8]) -> Option<Vec<u8>> {
    if !json::is_object(line) {
        return None;
    }
    let mut found = None;
    json::fields(line, |key, value| {
        match value {
            Value::Text(text) if STACKS.contains(&key) && memchr::memmem::find(text, b"\\n").is_some() => {
                found = Some(unescaped(text));
            }
            Value::Nested(inner) if HOLDERS.contains(&key) => {
                found = STACKS.iter().find_map(|name| match json::field(inner, name)? {
                    Value::Text(text) => Some(unescaped(text)),
                    _ => None,
                });
            }
            _ => {}
        }
        found.is_none()
    });
    found
}

/// The message for people of a JSON line, as it was meant.
pub(super) fn message(line: &[u8]) -> Option<Vec<u8>> {
    json::message(line).map(unescaped)
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).map_or_else(|_| text.to_vec(), String::into_bytes)
}
