//! What kind of value a word, or a piece of one, is.

use super::key::mark;

/// A word that is one value as a whole.
pub(super) fn whole(core: &[u8]) -> Option<u8> {
    let first = *core.first()?;
    if memchr::memmem::find(core, b"://").is_some_and(|at| at > 1) {
        return Some(mark::URL);
    }
    // An `=` belongs to a path behind its `?` only.
    let end = core.iter().position(|byte| matches!(byte, b'=' | b'?'));
    if first == b'/' && core.len() > 1 && end.is_none_or(|at| core.get(at) == Some(&b'?'))
        || core.starts_with(b"~/")
        || core.starts_with(b"./")
    {
        return Some(mark::PATH);
    }
    if core.get(1..3) == Some(b":\\") || core.starts_with(b"\\\\") || core.starts_with(b"\\?") {
        return Some(mark::PATH);
    }
    let has_digit = core.iter().any(u8::is_ascii_digit);
    if has_digit {
        if is_uuid(core) {
            return Some(mark::UUID);
        }
        if is_time(core) {
            return Some(mark::TIME);
        }
        if is_address(core) {
            return Some(mark::ADDRESS);
        }
    }
    if core.iter().filter(|byte| **byte == b'/').count() >= 2
        && !core.iter().any(|byte| matches!(byte, b'=' | b'(' | b'{'))
    {
        return Some(mark::PATH);
    }
    if is_mail(core) {
        return Some(mark::KEY);
    }
    (is_host(core) || is_package(core)).then_some(mark::HOST)
}

/// `com.example.shop`: the name of an app or a package, backwards. With a class at its end it is a place in the code.
fn is_package(word: &[u8]) -> bool {
    let mut parts = word.split(|byte| *byte == b'.');
    matches!(parts.next(), Some(b"com" | b"org" | b"net" | b"io" | b"de" | b"cn" | b"edu"))
        && parts.clone().count() >= 2
        && parts.all(|part| {
            part.first().is_some_and(u8::is_ascii_lowercase)
                && part.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_')
        })
}

/// `alice@example.com`
fn is_mail(word: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b'@', word).filter(|at| *at > 0) else { return false };
    let (name, domain) = (word.get(..at).unwrap_or_default(), word.get(at + 1..).unwrap_or_default());
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    name.iter().all(is_part)
        && domain.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && domain.iter().skip(1).any(|byte| *byte == b'.')
        && domain.last().is_some_and(u8::is_ascii_alphabetic)
}

pub(super) fn is_uuid(word: &[u8]) -> bool {
    word.len() == 36
        && word.iter().enumerate().all(|(n, byte)| {
            if matches!(n, 8 | 13 | 18 | 23) { *byte == b'-' } else { byte.is_ascii_hexdigit() }
        })
}

/// `10:05:03`, `2024-01-01`, `2024-01-01T10:05:03.123Z`, `00:01`.
fn is_time(word: &[u8]) -> bool {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let cuts = word.iter().filter(|byte| matches!(byte, b':' | b'-' | b'/')).count();
    word.first().is_some_and(u8::is_ascii_digit)
        && digits >= 3
        && (1..=5).contains(&cuts)
        && word.iter().all(|byte| {
            byte.is_ascii_digit() || matches!(byte, b':' | b'-' | b'/' | b'.' | b',' | b'T' | b'Z' | b'+')
        })
        && {
            let fields: Vec<&[u8]> = word.split(|byte| matches!(byte, b':' | b'-' | b'/' | b'T')).collect();
            let has_clock = word.contains(&b':');
            fields.len() >= 2
                && fields.iter().all(|field| (1..=10).contains(&field.len()))
                && (has_clock && fields.iter().filter(|field| field.len() <= 2).count() >= 1
                    || fields.len() == 3)
        }
}

/// IPv4 or IPv6, with or without a port, a mask, or a name before a slash.
fn is_address(word: &[u8]) -> bool {
    let bare = word.rsplit(|byte| matches!(byte, b'/' | b'@')).next().unwrap_or(word);
    let bare = if word.first().is_some_and(u8::is_ascii_digit) { word } else { bare };
    let host = bare.split(|byte| matches!(byte, b':' | b'/')).next().unwrap_or_default();
    let parts = host.split(|byte| *byte == b'.');
    if parts.clone().count() == 4
        && parts.clone().all(|part| (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit))
    {
        return bare.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':' | b'/' | b'-'));
    }
    let colons = word.iter().filter(|byte| **byte == b':').count();
    colons >= 3
        && word.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'%' | b'/'))
}

/// `name.example.com`, `name:5432`, `a.b:80`.
fn is_host(word: &[u8]) -> bool {
    let (name, port) = match word.iter().rposition(|byte| *byte == b':') {
        Some(colon) => (word.get(..colon).unwrap_or_default(), word.get(colon + 1..)),
        None => (word, None),
    };
    let is_port =
        port.is_some_and(|port| (2..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit));
    if port.is_some() && !is_port {
        return false;
    }
    let is_name = name.len() > 3
        && name.first().is_some_and(u8::is_ascii_alphanumeric)
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let Some(dot) = name.iter().rposition(|byte| *byte == b'.') else {
        return is_name && is_port && (name.contains(&b'-') || name == b"localhost");
    };
    let last = name.get(dot + 1..).unwrap_or_default();
    is_name
        && (is_port
            || matches!(
                last,
                b"com"
                    | b"net"
                    | b"org"
                    | b"edu"
                    | b"gov"
                    | b"io"
                    | b"dev"
                    | b"local"
                    | b"internal"
                    | b"lan"
                    | b"localdomain"
                    | b"info"
                    | b"biz"
                    | b"cn"
                    | b"hk"
                    | b"tw"
                    | b"jp"
                    | b"kr"
                    | b"uk"
                    | b"de"
                    | b"fr"
                    | b"ru"
                    | b"br"
                    | b"au"
                    | b"nl"
                    | b"it"
                    | b"pl"
                    | b"eu"
                    | b"us"
                    | b"ca"
                    | b"mx"
                    | b"ro"
                    | b"ua"
            ))
}

/// Between structural bytes.
pub(super) fn piece(bytes: &[u8], key: &mut Vec<u8>) {
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    // A path, or a component of Android: com.example.app/.Main
    if bytes.len() > 2 && bytes.first() == Some(&b'/') || is_component(bytes) {
        key.push(mark::PATH);
        return;
    }
    if digits == 0 {
        if bytes.len() >= 8 && bytes.iter().all(u8::is_ascii_hexdigit) {
            key.push(mark::HEX);
        } else if bytes.len() >= 8 && (is_host(bytes) || is_package(bytes)) {
            key.push(mark::HOST);
        } else {
            key.extend(bytes.iter().map(|byte| if *byte < 32 { b' ' } else { *byte }));
        }
        return;
    }
    if is_number(bytes, key) {
        return;
    }
    if bytes.starts_with(b"0x") || bytes.len() >= 6 && bytes.iter().all(u8::is_ascii_hexdigit) {
        key.push(mark::HEX);
        return;
    }
    if is_uuid(bytes) {
        key.push(mark::UUID);
        return;
    }
    if let Some(mark) = whole(bytes) {
        key.push(mark);
        return;
    }
    parts(bytes, digits, key);
}

/// `com.example.app/.Main`, `com.example.app/com.example.Main`.
fn is_component(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|byte| *byte == b'/');
    let (Some(package), Some(class), None) = (parts.next(), parts.next(), parts.next()) else { return false };
    let is_name = |part: &[u8]| {
        part.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$'))
    };
    let dots = |part: &[u8]| part.iter().filter(|byte| **byte == b'.').count();
    package.first().is_some_and(u8::is_ascii_alphabetic)
        && is_name(package)
        && is_name(class)
        && class.len() > 1
        && (class.first() == Some(&b'.') || dots(package) > 0 && dots(class) > 1)
}

/// A number, with a sign, decimals, or a unit that is kept.
pub(super) fn is_number(bytes: &[u8], key: &mut Vec<u8>) -> bool {
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+' | b'$' | b'~')));
    let body = bytes.get(sign..).unwrap_or_default();
    let length = body.iter().position(|byte| !(byte.is_ascii_digit() || *byte == b'.')).unwrap_or(body.len());
    let (number, unit) = body.split_at(length);
    if !(number.first().is_some_and(u8::is_ascii_digit) || number.len() > 1 && number.first() == Some(&b'.'))
    {
        return false;
    }
    if unit.is_empty() {
        key.push(mark::NUMBER);
        return true;
    }
    if is_unit(unit) {
        key.push(mark::NUMBER);
        key.extend_from_slice(unit);
        return true;
    }
    // 1e-9, 1h2m3s
    let is_scientific = matches!(unit.first(), Some(b'e' | b'E'))
        && unit.get(1..).is_some_and(|rest| {
            !rest.is_empty() && rest.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+'))
        });
    let is_duration = unit
        .iter()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'd' | b'h' | b'm' | b's' | b'.' | b'u' | b'n'))
        && unit.last().is_some_and(|byte| *byte == b's' || *byte == b'm');
    if is_scientific || is_duration {
        key.push(if is_duration { mark::TIME } else { mark::NUMBER });
        return true;
    }
    false
}

/// What is measured, as people write it behind the number.
fn is_unit(unit: &[u8]) -> bool {
    matches!(
        unit,
        b"%" | b"ms"
            | b"s"
            | b"us"
            | b"ns"
            | b"m"
            | b"h"
            | b"d"
            | b"B"
            | b"b"
            | b"K"
            | b"M"
            | b"G"
            | b"T"
            | b"k"
            | b"KB"
            | b"MB"
            | b"GB"
            | b"TB"
            | b"kB"
            | b"kb"
            | b"Kb"
            | b"KiB"
            | b"MiB"
            | b"GiB"
            | b"Mi"
            | b"Gi"
            | b"Ki"
            | b"MHz"
            | b"GHz"
            | b"Hz"
            | b"px"
            | b"sec"
            | b"secs"
            | b"min"
            | b"mins"
            | b"hr"
            | b"x"
            | b"rpm"
            | b"rps"
            | b"st"
            | b"nd"
            | b"rd"
            | b"th"
            | b"V"
            | b"C"
            | b"W"
    ) || unit == "µs".as_bytes()
        || unit == "°C".as_bytes()
}

/// `worker-12`, `eth0`, `attempt_1445_0020_m_01`: letters and digits mixed.
fn parts(bytes: &[u8], digits: usize, key: &mut Vec<u8>) {
    let is_joint =
        |byte: &u8| matches!(byte, b'-' | b'_' | b'.' | b'/' | b'$' | b'+' | b'~' | b'@' | b'%' | b'\\');
    let numeric = bytes.split(is_joint).filter(|part| part.iter().any(u8::is_ascii_digit)).count();
    let is_change = |two: &&[u8]| {
        let [a, b] = two else { return false };
        a.is_ascii_digit() != b.is_ascii_digit() && !is_joint(a) && !is_joint(b)
    };
    let changes = bytes.windows(2).filter(is_change).count();
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    // Identifiers of code keep their names: log4j, Http2Server.
    let is_name = digits <= 2 && letters >= 4 && numeric == 1;
    if numeric >= 2 && digits >= 3 || !is_name && (changes >= 3 || bytes.len() >= 16 && changes >= 1) {
        key.push(mark::KEY);
        return;
    }
    let mut in_digits = false;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            key.push(*byte);
        } else if !in_digits {
            key.push(mark::NUMBER);
        }
        in_digits = byte.is_ascii_digit();
    }
}
