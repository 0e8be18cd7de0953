//! Matches of rules that are no secrets: placeholders, counts, code.

use super::rules::Check;

/// Whether a name only sounds like one of a secret, given what was found from the name up to the value.
pub(super) fn is_other(rule: &str, name: &[u8], value: &[u8]) -> bool {
    if rule == "url-password" {
        // A port, and an @ in the path.
        let port = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
        return port > 0 && value.get(port) == Some(&b'/');
    }
    if rule != "password" {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let has = |part: &[u8]| memchr::memmem::find(&lower, part).is_some();
    // Counts and kinds of tokens, and what a parser calls its own.
    let is_number = value.iter().all(u8::is_ascii_digit);
    let is_constant = value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    has(b"tokeniz")
        || has(b"token_type")
        || has(b"token-type")
        || has(b"tokentype")
        || has(b"secretkeyref")
        || has(b"secretname")
        || has(b"token") && (is_number || is_constant)
}

/// Whether the text where a secret could be is none.
pub(super) fn is_no_secret(value: &[u8], check: Check) -> bool {
    if check == Check::None {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    let is_placeholder = lower.starts_with(b"[redacted")
        || lower.starts_with(b"redacted")
        || lower.starts_with(b"${")
        || lower.starts_with(b"$(")
        || lower.starts_with(b"%{")
        || value.starts_with(b"/") && value.iter().filter(|byte| **byte == b'/').count() > 1
        || matches!((value.first(), value.last()), (Some(b'[' | b'<' | b'('), Some(b']' | b'>' | b')')))
        || value.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'#' | b'?'))
        || matches!(
            lower.as_slice(),
            b"null"
                | b"none"
                | b"nil"
                | b"undefined"
                | b"true"
                | b"false"
                | b"string"
                | b"yes"
                | b"no"
                | b"required"
                | b"missing"
                | b"invalid"
                | b"expired"
                | b"empty"
                | b"set"
                | b"unset"
                | b"hidden"
                | b"masked"
                | b"<hidden>"
                | b"(null)"
                | b"[object"
                | b"function"
                | b"unknown"
                | b"changed"
                | b"present"
                | b"absent"
        );
    if is_placeholder || check == Check::Value {
        return is_placeholder;
    }
    if check == Check::Session {
        return !is_random(value);
    }
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let has_mix =
        value.iter().skip(1).any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase);
    let is_special = value.iter().any(|byte| {
        matches!(byte, b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'&' | b'*' | b'+' | b'=' | b'~')
    });
    // Paths, addresses, times, plain words and plain numbers
    let is_plain = value.first() == Some(&b'/')
        || value.contains(&b':') && !value.starts_with(b"base64:")
        || letters == 0
        || value.ends_with(b")")
        || value.ends_with(b"=") && digits == 0;
    is_plain || !(digits > 0 || is_special || has_mix && value.len() >= 16)
}

/// Letters and digits by turns, as in what was drawn; numbers, `0x12ab` of ZooKeeper and `worker-12` are none.
fn is_random(value: &[u8]) -> bool {
    let is_address = value.starts_with(b"0x") || value.starts_with(b"0X");
    let kinds = value.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::is_ascii_digit);
    let turns = kinds.clone().zip(kinds.clone().skip(1)).filter(|(one, next)| one != next).count();
    let is_mixed =
        value.iter().any(u8::is_ascii_uppercase) && value.iter().skip(1).any(u8::is_ascii_lowercase);
    !is_address && (turns >= 3 || value.len() >= 16 && (turns >= 1 || is_mixed && value.len() >= 20))
}
