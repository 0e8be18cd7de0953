//! Lines that compilers, package managers and loggers print below an error.

/// `npm ERR! text`
pub(super) fn is_npm(text: &[u8]) -> bool {
    text.starts_with(b"npm ERR!") || text.starts_with(b"npm error")
}

/// `12 | let x = 1;`, `  | ^^^`, `= note: text`, as compilers quote code.
pub(super) fn is_quoted(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.get(digits..).unwrap_or_default();
    let is_bar = |text: &[u8]| text == b"|" || text.starts_with(b"| ");
    is_bar(rest)
        || rest.strip_prefix(b" ").is_some_and(is_bar)
        || text.starts_with(b"= ")
        || text.starts_with(b"--> ")
        || text.starts_with(b"::: ")
        || text == b"..."
}

/// `main.work`, `shop/db.(*Pool).get`
pub(super) fn is_go_function(text: &[u8]) -> bool {
    let is_name = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'_' | b'-' | b'(' | b')' | b'*')
    };
    text.contains(&b'.') && !text.ends_with(b".") && text.iter().all(is_name)
}
