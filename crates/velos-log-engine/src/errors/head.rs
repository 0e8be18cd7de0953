//! The first line of an exception: `TypeError: x is not a function`.

/// Type and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: String,
    pub(super) message: Vec<u8>,
}

/// Words that stand before the type.
const PREFIXES: &[&[u8]] = &[
    b"Uncaught ",
    b"uncaught ",
    b"Unhandled exception. ",
    b"Unhandled Exception: ",
    b"Unhandled exception: ",
    b"Caused by: ",
    b"Suppressed: ",
    b"[cause]: ",
    b"---> ",
    b"PHP Fatal error:  Uncaught ",
    b"Fatal error: Uncaught ",
    b"PHP Fatal error:  ",
    b"Uncaught PHP Exception ",
    b"UnhandledPromiseRejectionWarning: ",
    b"Unhandled Rejection: ",
    b"Unhandled rejection ",
    b"exception: ",
    b"Wrapped by: ",
];

/// Of a line without its header, or nothing when it is none.
pub(super) fn head(line: &[u8]) -> Option<Head> {
    let mut text = line.trim_ascii();
    // Exception groups draw a frame.
    while let Some(rest) = text.strip_prefix(b"|").or_else(|| text.strip_prefix(b"+")) {
        text = rest.trim_ascii_start();
    }
    // An object says its message; the exception may stand in it.
    let message = super::structured::message(text);
    if let Some(message) = &message {
        text = message.trim_ascii();
    }
    if let Some(panic) = of_panic(text) {
        return Some(panic);
    }
    if let Some(other) =
        of_ruby(text).or_else(|| of_elixir(text)).or_else(|| of_monolog(text)).or_else(|| of_c(text))
    {
        return Some(other);
    }
    loop {
        let before = text.len();
        for prefix in PREFIXES {
            text = text.strip_prefix(*prefix).unwrap_or(text).trim_ascii_start();
        }
        if let Some(rest) = text.strip_prefix(b"(node:").and_then(|rest| after(rest, b") ")) {
            text = rest;
        }
        if let Some(rest) = text.strip_prefix(b"Exception in thread \"").and_then(|rest| after(rest, b"\" "))
        {
            text = rest;
        }
        if text.len() == before {
            break;
        }
    }
    let end = text.iter().position(|byte| !is_name(*byte)).unwrap_or(text.len());
    let (mut name, mut rest) = text.split_at(end);
    // `Error:` ends the name, `Ns::Error` does not.
    if let Some(bare) = name.strip_suffix(b":") {
        name = bare;
        rest = text.get(bare.len()..)?;
    }
    let mut kind = String::from_utf8_lossy(name).into_owned();
    if let Some(code) = rest.strip_prefix(b" [").filter(|_| is_type(name)) {
        let close = memchr::memchr(b']', code)?;
        kind.push('[');
        kind.push_str(&String::from_utf8_lossy(code.get(..close)?));
        kind.push(']');
        rest = code.get(close + 1..)?;
    }
    if !is_type(name) {
        return None;
    }
    // .NET: SqlException (0x80131904): message
    if let Some(code) = rest.strip_prefix(b" (")
        && let Some(close) = memchr::memchr(b')', code)
        && code.get(close + 1) == Some(&b':')
        && code.get(..close).is_some_and(|code| code.iter().all(u8::is_ascii_alphanumeric))
    {
        rest = code.get(close + 1..)?;
    }
    let message = match rest {
        [] => rest,
        [b':', tail @ ..] => tail.trim_ascii(),
        // Rails: TypeError (message):
        [b' ', b'(', tail @ ..] if tail.ends_with(b"):") => tail.strip_suffix(b"):")?,
        _ => return None,
    };
    Some(Head { kind, message: message.to_vec() })
}

/// Whatever stands where an exception must: Python allows any class name.
pub(super) fn named_head(line: &[u8]) -> Option<Head> {
    let text = line.trim_ascii();
    let start = text.iter().position(|byte| !matches!(byte, b'|' | b'+' | b'-' | b' ')).unwrap_or(text.len());
    let text = text.get(start..)?;
    let end = text.iter().position(|byte| !is_name(*byte) || *byte == b':').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let is_named = name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let message = match rest {
        [] => rest,
        [b':', tail @ ..] => tail.trim_ascii(),
        _ => return None,
    };
    is_named.then(|| Head { kind: String::from_utf8_lossy(name).into_owned(), message: message.to_vec() })
}

fn after<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(text, mark)?;
    text.get(at + mark.len()..)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$' | b':' | b'\\' | b'/')
}

/// Whether a name is one of an exception: `ValueError`, `java.io.IOException`, `Errno::ENOENT`.
fn is_type(name: &[u8]) -> bool {
    const ENDS: &[&[u8]] = &[
        b"Error",
        b"Exception",
        b"Failure",
        b"Fault",
        b"Interrupt",
        b"Exit",
        b"Iteration",
        b"Throwable",
        b"ExceptionGroup",
        b"NotFound",
        b"Timeout",
        b"Invalid",
        b"Denied",
        b"Rejected",
        b"Err",
        b"Abort",
        b"Panic",
    ];
    let last =
        name.rsplit(|byte| matches!(byte, b'.' | b':' | b'\\' | b'/' | b'$')).next().unwrap_or_default();
    let is_errno = name.starts_with(b"Errno::") && last.len() > 2;
    last.len() >= 4
        && last.first().is_some_and(u8::is_ascii_uppercase)
        && (ENDS.iter().any(|end| last.ends_with(end)) && last.len() >= 5)
        || is_errno
}

/// Go and Rust.
fn of_panic(text: &[u8]) -> Option<Head> {
    let make =
        |message: &[u8]| Some(Head { kind: "panic".to_owned(), message: message.trim_ascii().to_vec() });
    if let Some(message) = text.strip_prefix(b"panic: ") {
        let message = message.strip_suffix(b" [recovered]").unwrap_or(message);
        return make(message);
    }
    // Go's HTTP server: `http: panic serving 127.0.0.1:1: message`.
    if let Some(rest) = after(text, b": panic serving ") {
        return make(after(rest, b": ").unwrap_or(rest));
    }
    if let Some(message) = text.strip_prefix(b"fatal error: ") {
        return Some(Head { kind: "fatal error".to_owned(), message: message.to_vec() });
    }
    // Zig: `thread 77 panic: message`.
    if let Some(rest) = text.strip_prefix(b"thread ")
        && let Some(end) = rest.iter().position(|byte| !byte.is_ascii_digit()).filter(|end| *end > 0)
        && let Some(message) = rest.get(end..)?.strip_prefix(b" panic: ")
    {
        return make(message);
    }
    if text.starts_with(b"thread '") {
        let rest = after(text, b"panicked at ")?;
        // Since Rust 1.73 the message has a line of its own; before it stood in quotes.
        let quoted = rest
            .strip_prefix(b"'")
            .and_then(|rest| memchr::memmem::rfind(rest, b"', ").and_then(|end| rest.get(..end)));
        return make(quoted.unwrap_or_default());
    }
    None
}

/// ``a.rb:12:in `work': message (TypeError)``.
pub(super) fn of_ruby(text: &[u8]) -> Option<Head> {
    let rest = after(text, b".rb:")?;
    let message = after(rest, b"': ")?;
    let open = memchr::memrchr(b'(', message)?;
    let kind = message.get(open + 1..)?.strip_suffix(b")")?;
    let is_class = kind.first().is_some_and(u8::is_ascii_uppercase)
        && kind.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_'));
    is_class.then(|| Head {
        kind: String::from_utf8_lossy(kind).into_owned(),
        message: message.get(..open).unwrap_or_default().trim_ascii().to_vec(),
    })
}

/// `** (RuntimeError) message`.
fn of_elixir(text: &[u8]) -> Option<Head> {
    let rest = text.strip_prefix(b"** (")?;
    let close = memchr::memchr(b')', rest)?;
    let kind = rest.get(..close)?;
    let is_class = kind.first().is_some_and(u8::is_ascii_uppercase) && kind.iter().all(|byte| is_name(*byte));
    is_class.then(|| Head {
        kind: String::from_utf8_lossy(kind).into_owned(),
        message: rest.get(close + 1..).unwrap_or_default().trim_ascii().to_vec(),
    })
}

/// Monolog prints exceptions as `[object] (App\\Broken(code: 0): message at /srv/a.php:12)`, in JSON.
fn of_monolog(text: &[u8]) -> Option<Head> {
    let rest = after(text, b"[object] (")?;
    let (kind, rest) = rest.split_at(memchr::memmem::find(rest, b"(code: ")?);
    if kind.is_empty() || !kind.iter().all(|byte| is_name(*byte)) {
        return None;
    }
    let message = after(rest, b"): ")?;
    let end = memchr::memmem::find(message, b" at /").unwrap_or(message.len());
    Some(Head {
        kind: String::from_utf8_lossy(kind).replace("\\\\", "\\"),
        message: message.get(..end)?.to_vec(),
    })
}

/// The C++ runtime, whose message stands on the next line, and the sanitizers.
fn of_c(text: &[u8]) -> Option<Head> {
    if let Some(rest) = text.strip_prefix(THROWN) {
        let kind = rest.split(|byte| *byte == b'\'').next().unwrap_or_default();
        return Some(Head { kind: String::from_utf8_lossy(kind).into_owned(), message: Vec::new() });
    }
    let rest = text.strip_prefix(b"==").and_then(|rest| after(rest, b"==ERROR: "))?;
    let (kind, message) = rest.split_at(memchr::memchr(b':', rest)?);
    let message = message.get(2..)?;
    let end = memchr::memmem::find(message, b" on ").unwrap_or(message.len());
    kind.ends_with(b"Sanitizer").then(|| Head {
        kind: String::from_utf8_lossy(kind).into_owned(),
        message: message.get(..end).unwrap_or_default().to_vec(),
    })
}

/// How C++ says that an exception was not caught.
const THROWN: &[u8] = b"terminate called after throwing an instance of '";
