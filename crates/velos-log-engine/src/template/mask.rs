//! One pass over a message: variables become placeholders, words stay. The result, the *key*, is equal for lines that say
//! the same with other values.

use super::brackets::closing;
use super::key::{ALPHA, CUT, SPACE, class, mark};
use super::value::{is_number, piece, whole};

/// An object that is longer is not one value.
const OBJECT_BYTES: usize = 200;

/// Words of this much are data, not text.
const WORD_BYTES_MAX: usize = 120;

/// Append the key of a message to `key`.
pub(crate) fn mask(message: &[u8], key: &mut Vec<u8>) {
    let mut at = 0;
    let begin = key.len();
    let mut is_access = false;
    while let Some(rest) = message.get(at..) {
        let Some(gap) = rest.iter().position(|byte| class(*byte) != SPACE) else { break };
        at += gap;
        if key.len() > begin {
            key.push(b' ');
        }
        let mut seen = 0;
        let mut end = at;
        while let Some(byte) = message.get(end) {
            let class = class(*byte);
            if class == SPACE {
                break;
            }
            seen |= class;
            end += 1;
        }
        let word = message.get(at..end).unwrap_or_default();
        if is_access && let Some(length) = access_field(message.get(at..).unwrap_or_default(), word, key) {
            at += length;
            continue;
        }
        // The sign before a word, if there is one, tells whether it is a value whatever it is.
        let value = match key.len().checked_sub(2).and_then(|at| key.get(at)) {
            Some(b'-') => {
                let rest = message.get(end..).unwrap_or_default();
                is_behind_dash(word, rest, key.get(begin..).unwrap_or_default()).then_some(word.len())
            }
            Some(b'=' | b':') => assigned(word, key),
            _ => None,
        };
        if let Some(length) = value {
            key.push(mark::ANY);
            key.extend_from_slice(word.get(length..).unwrap_or_default());
            at = end;
        } else if seen == ALPHA && word.len() < 8 {
            if (3..=4).contains(&word.len()) && is_calendar(word, message.get(end..).unwrap_or_default(), key)
            {
                key.push(mark::TIME);
            } else {
                key.extend_from_slice(word);
            }
            at = end;
        } else {
            is_access |= word.starts_with(b"HTTP/") && word.ends_with(b"\"");
            at = Word { message, key, at, end }.mask();
        }
    }
}

/// Who asks, as in `10.0.0.1 - alice [18/Mar/2026`, where the address may be in the header; and the dash for what is missing,
/// as `12 ms - -` instead of `12 ms - 345`.
fn is_behind_dash(word: &[u8], rest: &[u8], key: &[u8]) -> bool {
    let is_front = matches!(key, [mark::ADDRESS, b' ', b'-', b' '] | [b'-', b' ']);
    is_front && rest.starts_with(b" [") || word == b"-" && key.ends_with(b" - ")
}

/// Behind the request of an access log, `"GET / HTTP/1.1" 200 - "-" "curl/8.1"`: sizes that may be missing, and texts of
/// clients. How many bytes it is.
fn access_field(rest: &[u8], word: &[u8], key: &mut Vec<u8>) -> Option<usize> {
    if word == b"-" {
        key.push(mark::NUMBER);
        return Some(1);
    }
    let inner = rest.strip_prefix(b"\"")?;
    let length = memchr::memchr(b'"', inner)?;
    key.extend_from_slice(&[b'"', mark::ANY, b'"']);
    Some(length + 2)
}

/// Whether what was written last announces a path: a method of HTTP, or a colon.
fn is_path_next(key: &[u8]) -> bool {
    let key = key.trim_ascii_end();
    let word = key.rsplit(|byte| matches!(byte, b' ' | b'"' | b'\'' | b'[')).next().unwrap_or_default();
    key.ends_with(b":")
        || matches!(
            word,
            b"GET" | b"POST" | b"PUT" | b"DELETE" | b"PATCH" | b"HEAD" | b"OPTIONS" | b"CONNECT"
        )
}

/// `Sun` and `Jul` before a day, `PDT` behind a time.
fn is_calendar(word: &[u8], after: &[u8], key: &[u8]) -> bool {
    let next = after.trim_ascii_start();
    let digit = |at: usize| next.get(at).is_some_and(u8::is_ascii_digit);
    match word {
        b"Mon" | b"Tue" | b"Wed" | b"Thu" | b"Fri" | b"Sat" | b"Sun" => {
            digit(0)
                || next
                    .get(3..6)
                    .is_some_and(|gap| gap.starts_with(b" ") && gap.iter().any(u8::is_ascii_digit))
        }
        b"Jan" | b"Feb" | b"Mar" | b"Apr" | b"May" | b"Jun" | b"Jul" | b"Aug" | b"Sep" | b"Oct" | b"Nov"
        | b"Dec" => digit(0),
        b"UTC" | b"GMT" | b"PDT" | b"PST" | b"EST" | b"EDT" | b"CST" | b"CDT" | b"MST" | b"MDT" | b"CET"
        | b"CEST" | b"BST" | b"JST" | b"IST" | b"MSK" => {
            matches!(key, [.., mark::TIME | mark::NUMBER, b' '])
        }
        _ => false,
    }
}

/// `ready = true` and `'ready': true,`: the length of the value behind a lone `=` or a quoted name.
fn assigned(word: &[u8], key: &[u8]) -> Option<usize> {
    let is_entry = key.ends_with(b"': ") || key.ends_with(b"\": ");
    if !is_entry && !key.ends_with(b"= ") {
        return None;
    }
    let length = word
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':')))
        .unwrap_or(word.len());
    // `error = timeout: text` is a sentence.
    if word.get(..length)?.ends_with(b":") {
        return None;
    }
    let tail = word.get(length..)?;
    // Behind `open 'x':` comes a reason; an entry of many ends with a comma or a bracket.
    let is_one = if is_entry { matches!(tail, [b',' | b'}' | b']', ..]) } else { true };
    let is_end = tail.iter().all(|byte| matches!(byte, b',' | b';' | b')' | b'.' | b'}' | b']'));
    (length > 0 && is_one && is_end).then_some(length)
}

struct Word<'a> {
    message: &'a [u8],
    key: &'a mut Vec<u8>,
    at: usize,
    end: usize,
}

impl Word<'_> {
    /// Returns where to go on.
    fn mask(mut self) -> usize {
        let word = self.word(self.at, self.end);
        // What was never known or has been hidden.
        if word.len() > 1 && word.iter().all(|byte| *byte == b'*') {
            self.key.push(mark::ANY);
            return self.end;
        }
        if word.len() > WORD_BYTES_MAX && !word.contains(&b'=') && !word.contains(&b'{') {
            self.key.push(mark::ANY);
            return self.end;
        }
        // Brackets and quotes around it
        while self.at < self.end
            && matches!(self.byte(self.at), b'(' | b'[' | b'{' | b'<' | b'"' | b'\'' | b'`')
        {
            if let Some(end) = self.quoted(self.at) {
                self.key.push(mark::KEY);
                self.at = end;
                continue;
            }
            self.key.push(self.byte(self.at));
            self.at += 1;
        }
        let rest = self.word(self.at, self.end);
        let tail = rest
            .iter()
            .rev()
            .take_while(|byte| {
                matches!(
                    byte,
                    b',' | b';' | b')' | b']' | b'}' | b'"' | b'\'' | b'`' | b'>' | b'.' | b':' | b'!' | b'?'
                )
            })
            .count();
        let core = rest.get(..rest.len() - tail).unwrap_or_default();
        let length = core.len();
        let root = (core == b"/" && is_path_next(self.key)).then_some(mark::PATH);
        if let Some(mark) = root.or_else(|| whole(core)) {
            self.key.push(mark);
            self.at += length;
            self.pieces();
            return self.at;
        }
        self.pieces();
        self.at
    }

    fn byte(&self, at: usize) -> u8 {
        self.message.get(at).copied().unwrap_or(0)
    }

    fn word(&self, from: usize, to: usize) -> &[u8] {
        self.message.get(from..to).unwrap_or_default()
    }

    /// A quoted word without spaces is a value: where its closing quote stands; the quotes are kept by the caller's loop.
    fn quoted(&mut self, at: usize) -> Option<usize> {
        let quote = self.byte(at);
        if !matches!(quote, b'\'' | b'"' | b'`') {
            return None;
        }
        let inner = self.word(at + 1, self.end);
        let length = memchr::memchr(quote, inner)?;
        let follows = self.byte(at + length + 2);
        // `{'a': 1, 'b': 2}` has names in quotes, `open 'a.db': denied` has not.
        let before = self.message.get(..at).unwrap_or_default().trim_ascii_end();
        let is_key = follows == b':' && matches!(before.last(), None | Some(b'{' | b',' | b'(' | b'['));
        let is_value = length > 0 && !is_key && follows != b'=' && follows != b's';
        is_value.then_some(at + length + 2)
    }

    /// Piece by piece, between structural bytes.
    fn pieces(&mut self) {
        while self.at < self.end {
            let byte = self.byte(self.at);
            if byte == b'=' && self.value() {
                continue;
            }
            if class(byte) == CUT {
                if matches!(byte, b'\'' | b'"' | b'`')
                    && let Some(end) = self.quoted(self.at)
                {
                    self.key.push(mark::KEY);
                    self.at = end;
                    continue;
                }
                self.key.push(byte);
                self.at += 1;
                continue;
            }
            if byte == b'.' && (self.byte(self.at + 1) == b'.' || self.at + 1 == self.end) {
                self.key.push(byte);
                self.at += 1;
                continue;
            }
            let rest = self.word(self.at, self.end);
            let length = rest
                .iter()
                .enumerate()
                .position(|(n, byte)| {
                    class(*byte) == CUT
                        || *byte == b'.' && n > 0 && rest.get(n + 1).is_none_or(|next| *next == b'.')
                })
                .unwrap_or(rest.len())
                .max(1);
            let (from, to) = (self.at, self.at + length);
            self.at = to;
            let bytes = self.message.get(from..to).unwrap_or_default();
            piece(bytes, self.key);
        }
    }

    /// `key=value`: the value is a variable, unless the key says that it is text.
    fn value(&mut self) -> bool {
        let name = {
            let start = self
                .key
                .iter()
                .rposition(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')))
                .map_or(0, |at| at + 1);
            self.key.get(start..).unwrap_or_default()
        };
        if name.is_empty() || self.byte(self.at + 1) == b'=' {
            return false;
        }
        let is_text = says_text(name);
        let first = self.byte(self.at + 1);
        if is_text && first == b'"' {
            self.key.extend_from_slice(b"=\"");
            self.at += 2;
            return true;
        }
        if is_text {
            return false;
        }
        self.key.push(b'=');
        self.at += 1;
        if (first == b'"' || first == b'\'') && self.quoted_value(first) {
            return true;
        }
        let rest = self.message.get(self.at..self.end).unwrap_or_default();
        let length = rest.iter().position(|byte| ends_value(*byte)).unwrap_or(rest.len());
        let value = rest.get(..length).unwrap_or_default();
        let value = value.strip_suffix(b".").unwrap_or(value);
        if let Some(first) = value.first() {
            // `ws=WorkSource{10113}`: the object is the value, also beyond this word.
            let object = self.message.get(self.at + value.len()..).and_then(braces).unwrap_or(0);
            let length = value.len() + object;
            let before = self.key.len();
            if object > 0 || !first.is_ascii_digit() || !is_number(value, self.key) {
                self.key.truncate(before);
                self.key.push(mark::ANY);
            }
            self.at += length;
            while self.end < self.at
                || object > 0 && self.end < self.message.len() && class(self.byte(self.end)) != SPACE
            {
                self.end += 1;
            }
        }
        true
    }

    /// A value in quotes may hold spaces: up to its closing quote, also beyond this word.
    fn quoted_value(&mut self, quote: u8) -> bool {
        let rest = self.message.get(self.at + 1..).unwrap_or_default();
        let Some(length) = memchr::memchr(quote, rest) else { return false };
        self.key.push(mark::ANY);
        self.at += length + 2;
        while self.end < self.at || self.end < self.message.len() && class(self.byte(self.end)) != SPACE {
            self.end += 1;
        }
        true
    }
}

/// Whether the value of such a key is text, which tells patterns apart.
fn says_text(key: &[u8]) -> bool {
    matches!(
        key,
        b"msg"
            | b"message"
            | b"event"
            | b"err"
            | b"error"
            | b"reason"
            | b"level"
            | b"lvl"
            | b"logger"
            | b"component"
            | b"caller"
            | b"module"
    )
}

/// Whether a value without quotes goes no further than this.
fn ends_value(byte: u8) -> bool {
    matches!(
        byte,
        b',' | b';'
            | b')'
            | b'('
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'"'
            | b'\''
            | b'&'
            | b'#'
            | b'<'
            | b'>'
            | b'|'
    )
}

/// Length of what stands in braces at the start of a text, if they close soon.
fn braces(text: &[u8]) -> Option<usize> {
    text.starts_with(b"{").then(|| closing(text, b'{', b'}', OBJECT_BYTES)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::key::render;

    #[track_caller]
    fn check(message: &str, expected: &str) {
        let mut key = Vec::new();
        mask(message.as_bytes(), &mut key);
        assert_eq!(render(&key), expected);
    }

    #[test]
    fn values_become_placeholders_and_words_stay() {
        check("Request handled in 12ms", "Request handled in <N>ms");
        check("connect ECONNREFUSED 10.0.0.5:5432", "connect ECONNREFUSED <IP>");
        check("open /var/lib/x.db: no such file", "open <PATH>: no such file");
        check("user=alice id=7, took=12ms ok", "user=<*> id=<N>, took=<N>ms ok");
        check("{'power': Yes, 'left': 12}", "{'power': <*>, 'left': <*>}");
        check("open 'x': Permission denied", "open <KEY>: Permission denied");
        check("fans ( **** 3064 )", "fans ( <*> <N> )");
        check("start com.example.shop for 12", "start <HOST> for <N>");
        check("com.example.shop.Cart failed", "com.example.shop.Cart failed");
        check("level=warn msg=\"disk 91% full\" dev=sda", "level=warn msg=\"disk <N>% full\" dev=<*>");
        check("job 550e8400-e29b-41d4-a716-446655440000 done", "job <UUID> done");
        check("sha deadbeef12 at 0x7ffe", "sha <HEX> at <HEX>");
        check("GET https://x.io/a?b=1 took 1h2m3s", "GET <URL> took <TIME>");
        check(
            "\"GET / HTTP/1.1\" 404 - \"-\" \"Mozilla/5.0 (X11; Linux)\" 0.003",
            "\"GET <PATH> HTTP/<N>.<N>\" <N> <N> \"<*>\" \"<*>\" <N>",
        );
        check("10.0.0.1 - alice [18/Mar/2026:16:24:38 +0000]", "<IP> - <*> [<PATH> <N>]");
        check("POST /a/b?c=1&d=%20 200", "POST <PATH> <N>");
        check("Not Found: /", "Not Found: <PATH>");
        check("read / write", "read / write");
        check("proxy.example.com:5070 closed", "<HOST> closed");
        check("worker-12 on eth0", "worker-<N> on eth<N>");
        check("tick 10:05:03", "tick <TIME>");
        check("allDrawn = false, x= 3", "allDrawn = <*>, x= <*>");
        check("ws=WorkSource{10113}, uid=7", "ws=<*>, uid=<N>");
        check("token=Token{35e A{d8 u0}} hides", "token=<*> hides");
        check("reason = AuthFail:sts:5_rsn:0, error = timeout: x", "reason = <*>, error = timeout: x");
        check("mail to alice@example.com, sent", "mail to <KEY>, sent");
        check("a=b{c", "a=<*>{c");
        check("no variables here", "no variables here");
        check("Cache miss for key 'user:42'", "Cache miss for key <KEY>");
    }

    #[test]
    fn anything_can_come() {
        let mut key = Vec::new();
        let bytes: Vec<u8> = (0..=255).cycle().take(5_000).collect();
        for start in 0..256 {
            key.clear();
            mask(&bytes[start..], &mut key);
            mask(&bytes[start..start + 9], &mut key);
        }
        check("", "");
        check("   ", "");
        check("=", "=");
        check("a='", "a='");
    }
}
