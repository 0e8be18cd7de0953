//! Levels that one logger or a few spell in a way of their own.

use super::Level;
use super::header::Spot;

/// RFC 5424, 6.2.1.
const FACILITIES: [&[u8]; 20] = [
    b"kern",
    b"user",
    b"mail",
    b"daemon",
    b"auth",
    b"authpriv",
    b"syslog",
    b"lpr",
    b"news",
    b"uucp",
    b"cron",
    b"ftp",
    b"local0",
    b"local1",
    b"local2",
    b"local3",
    b"local4",
    b"local5",
    b"local6",
    b"local7",
];

const DETAILS: [&[u8]; 6] = [b"STATEMENT:", b"DETAIL:", b"CONTEXT:", b"HINT:", b"QUERY:", b"LOCATION:"];

/// Whether a line tells more of PostgreSQL's line before.
pub(crate) fn is_detail(line: &[u8]) -> bool {
    let zone = line.get(..line.len().min(160)).unwrap_or_default();
    memchr::memmem::find_iter(zone, b":  ").any(|at| {
        let word = zone.get(..=at).unwrap_or_default();
        DETAILS.contains(&word.rsplit(|byte| *byte == b' ').next().unwrap_or_default())
    })
}

impl Spot<'_> {
    /// Words that only mean a level together with their neighbours.
    pub(super) fn of_compound(&self) -> Option<Level> {
        let token = self.token;
        // PostgreSQL tells more of the line before.
        if DETAILS.contains(&token)
            && self.line.get(self.start + token.len()..).is_some_and(|rest| rest.starts_with(b"  "))
        {
            return Some(Level::Info);
        }
        if let Some(level) = self.of_android() {
            return Some(level);
        }
        if let Some(level) = self.of_report() {
            return Some(level);
        }
        if token == b"ERR!" || token == b"WARN!" {
            return Some(if token == b"ERR!" { Level::Error } else { Level::Warn });
        }
        if token == b"PHP" && self.follows_php() {
            return self.of_php();
        }
        // Monolog: channel.LEVEL:
        if let Some(name) = token.strip_suffix(b":")
            && let Some(dot) = name.iter().rposition(|byte| *byte == b'.')
            && let Some(word) = name.get(dot + 1..).filter(|word| word.iter().all(u8::is_ascii_uppercase))
        {
            return Level::from_word(word);
        }
        // Serilog and friends: [12:00:00 ERR]; nginx-like [error] stands above; postfix: "warning:" above.
        // syslog's names: daemon.err
        if let Some((facility, word)) =
            token.iter().position(|byte| *byte == b'.').map(|dot| token.split_at(dot))
            && FACILITIES.contains(&facility)
        {
            return Level::from_word(word.get(1..)?);
        }
        if let b"(EE)" | b"(WW)" | b"(II)" = token {
            return super::marked::letter(*token.get(1)?);
        }
        let closed = token.strip_suffix(b":").unwrap_or(token).strip_suffix(b"]")?;
        // Apache: [core:error]; Chromium: [1:1:0514/102345.1:ERROR:x.cc(1)]; Forge: [main/INFO]
        if let Some(inner) = closed.strip_prefix(b"[") {
            let last = inner
                .rsplit(|byte| matches!(byte, b':' | b'/'))
                .next()
                .filter(|last| last.len() < inner.len());
            let parts = inner.split(|byte| *byte == b':');
            let mut upper = parts.filter(|part| part.iter().all(u8::is_ascii_uppercase));
            return last.and_then(Level::from_word).or_else(|| upper.find_map(Level::from_word));
        }
        // Celery: ERROR/MainProcess]; Minecraft: [Server thread/WARN]:
        let mut parts =
            closed.split(|byte| *byte == b'/').filter(|part| part.iter().all(u8::is_ascii_uppercase));
        let closed = parts.next()?;
        let opens = self.before().iter().rposition(|byte| *byte == b'[')?;
        let is_near =
            self.start - opens <= 48 && memchr::memchr(b']', self.line.get(opens..self.start)?).is_none();
        (is_near && closed.iter().all(u8::is_ascii_uppercase)).then(|| Level::from_word(closed))?
    }

    /// Erlang's reports, and the warnings of GLib.
    fn of_report(&self) -> Option<Level> {
        let token = self.token;
        // `=CRASH REPORT==== 14-May-2024::10:23:45 ===`
        if self.start == 0 && self.next_word() == Some(b"REPORT====") {
            return match token.strip_prefix(b"=")? {
                b"CRASH" | b"SUPERVISOR" => Some(Level::Error),
                b"PROGRESS" => Some(Level::Info),
                word => Level::from_word(word),
            };
        }
        // `(app:77): Gtk-WARNING **: 10:23:45.123: text`
        let dash = token.iter().rposition(|byte| *byte == b'-')?;
        let word = token.get(dash + 1..).filter(|word| word.iter().all(u8::is_ascii_uppercase))?;
        self.next_word().filter(|next| next.starts_with(b"**")).and_then(|_| Level::from_word(word))
    }

    /// `PHP Warning:  text`
    fn of_php(&self) -> Option<Level> {
        let kind = self.line.get(self.start + 4..)?;
        let colon = memchr::memchr(b':', kind.get(..kind.len().min(32))?)?;
        Some(match kind.get(..colon)? {
            b"Fatal error"
            | b"Parse error"
            | b"Recoverable fatal error"
            | b"Core error"
            | b"Compile error" => Level::Error,
            b"Warning" | b"Deprecated" | b"Core warning" | b"Strict Standards" => Level::Warn,
            b"Notice" => Level::Info,
            _ => return None,
        })
    }

    /// Behind a time or a process: `E/Tag(  12): text`, `W/System.err: text`.
    fn of_android(&self) -> Option<Level> {
        let [letter, b'/', first, rest @ ..] = self.token else { return None };
        let follows_number = self.line.first().is_some_and(u8::is_ascii_digit);
        let is_tag = first.is_ascii_alphabetic() && (rest.ends_with(b":") || rest.contains(&b'('));
        (is_tag && follows_number).then(|| super::marked::letter(*letter))?
    }

    /// `E 2024-01-01 ...`, and `2024-01-01 00:00:00.000 E ...`.
    pub(super) fn of_lone_letter(&self) -> Option<Level> {
        let letter = match self.token {
            [letter] => letter,
            // apt: `E: text`
            [letter @ (b'E' | b'W' | b'N' | b'I' | b'D'), b':'] if self.start == 0 => {
                return super::marked::letter(*letter);
            }
            // Tornado: `[I 240514 10:23:45 web:1] text`
            [b'[', letter] if self.next_word()?.first()?.is_ascii_digit() => {
                return super::marked::letter(*letter);
            }
            // PyTorch: `[W514 10:23:45.1 x.cpp:1] text`
            [b'[', letter, digits @ ..]
                if (3..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) =>
            {
                return super::marked::letter(*letter);
            }
            [b'[', letter, b']'] if self.follows_header() => return super::marked::letter(*letter),
            _ => return None,
        };
        let after = self.line.get(self.start + 1..)?;
        let is_before_date =
            self.start == 0 && after.iter().skip(1).take(4).filter(|byte| byte.is_ascii_digit()).count() == 4;
        if self.line.get(self.start.wrapping_sub(1)) == Some(&b'|') && after.first() == Some(&b'|') {
            return super::marked::letter(*letter);
        }
        // Android Studio has a column of it.
        let is_column = after.starts_with(b"  ")
            && self.line.first().is_some_and(u8::is_ascii_digit)
            && self.line.get(..self.start).is_some_and(|before| before.ends_with(b"  "));
        (is_before_date || is_column || self.follows_time()).then(|| super::marked::letter(*letter))?
    }

    fn follows_php(&self) -> bool {
        self.start == 0 || matches!(self.before().last(), Some(b']' | b':' | b'"'))
    }
}
