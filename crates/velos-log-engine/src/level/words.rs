//! Words that sound bad, unless those around them say that nothing happened.

use super::Level;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Word<'a> {
    text: &'a [u8],
    /// The byte behind it.
    next: u8,
}

/// Words that stand alone: nothing of a path, an URL, a file name, an identifier.
fn words(text: &[u8]) -> impl Iterator<Item = Word<'_>> {
    text.split(|byte| matches!(byte, b' ' | b'\t' | b',' | b';' | b'"' | b'\'')).filter_map(|token| {
        let is_frame =
            |byte: &u8| matches!(byte, b'(' | b')' | b'[' | b']' | b'<' | b'>' | b'*' | b'{' | b'}');
        let start = token.iter().position(|byte| !is_frame(byte))?;
        let token = token.get(start..)?;
        let end = token
            .iter()
            .position(|byte| matches!(byte, b':' | b'!' | b'=' | b'.' | b')' | b']' | b'>' | b'}'))
            .unwrap_or(token.len());
        let (word, rest) = token.split_at(end);
        let next = rest.first().copied().unwrap_or(0);
        // error.log, http://, Cache.error: something named, not something said.
        let is_named = rest.len() > 1
            && matches!(next, b'.' | b':')
            && rest.get(1).is_some_and(|byte| *byte == b'/' || byte.is_ascii_alphabetic());
        (!word.is_empty() && !is_named).then_some(Word { text: word, next })
    })
}

/// The worst that the words of a text say.
pub(super) fn of(text: &[u8]) -> Option<Level> {
    let mut worst: Option<Level> = None;
    // "no warnings or errors": what is joined to something that did not happen did not either.
    let mut negated_at = None;
    let all: Vec<Word<'_>> = words(text).take(200).collect();
    let word = |at: usize| all.get(at).copied();
    for (at, one) in all.iter().enumerate() {
        let is_refused = one.text.eq_ignore_ascii_case(b"not")
            && at.checked_sub(1).and_then(word).is_some_and(|word| word.text.eq_ignore_ascii_case(b"could"));
        // The apostrophe of "couldn't" cuts it in two.
        let is_cut = one.text.eq_ignore_ascii_case(b"t")
            && at.checked_sub(1).and_then(word).is_some_and(|word| {
                word.text.eq_ignore_ascii_case(b"couldn") || word.text.eq_ignore_ascii_case(b"can")
            });
        if is_refused || is_cut {
            worst = worst.max(Some(Level::Error));
        }
        let is_late = one.text.eq_ignore_ascii_case(b"timed")
            && word(at + 1).is_some_and(|word| word.text.eq_ignore_ascii_case(b"out"));
        if is_late {
            worst = worst.max(Some(Level::Warn));
        }
        let mut lower = [0_u8; 16];
        let Some(slot) = lower.get_mut(..one.text.len()) else { continue };
        slot.copy_from_slice(one.text);
        slot.make_ascii_lowercase();
        let Some((level, kind)) = meaning(slot) else { continue };
        let before = at.checked_sub(1).and_then(word);
        let earlier = at.checked_sub(2).and_then(word);
        let is_negated = before.is_some_and(|word| is_nothing(word.text))
            || earlier.is_some_and(|word| is_nothing(word.text))
                && before
                    .is_some_and(|word| !word.text.iter().any(u8::is_ascii_digit) && !is_joint(word.text));
        let is_joined = before.is_some_and(|word| {
            [&b"or"[..], b"and", b"nor"].iter().any(|joint| word.text.eq_ignore_ascii_case(joint))
        }) && negated_at.is_some_and(|negated| negated + 2 == at);
        let is_overcome = before.is_some_and(|word| word.text.eq_ignore_ascii_case(b"from"))
            && earlier.is_some_and(|word| word.text.to_ascii_lowercase().starts_with(b"recover"));
        let is_negated = is_negated || is_joined || is_overcome;
        if is_negated {
            negated_at = Some(at);
        }
        // errors: 0, error=nil, errors 0
        let is_zero = tail_behind(text, one.text).is_some_and(is_none);
        // "log level set to ERROR"
        let is_setting = (1..=3).any(|back| at.checked_sub(back).and_then(word).is_some_and(is_level));
        // `-p err`, `errors=remount-ro`: how a program is to be run.
        let is_option = before.is_some_and(|word| word.text.starts_with(b"-") && word.text.len() > 1)
            || tail_behind(text, one.text).is_some_and(|tail| is_plural(one.text) && is_mode(tail));
        // "error handler", "error rate": about errors, not one
        let is_about =
            kind == Kind::Noun && one.next == 0 && word(at + 1).is_some_and(|word| is_subject(word.text))
                || before.is_some_and(|word| {
                    word.text.eq_ignore_ascii_case(b"on") || word.text.eq_ignore_ascii_case(b"if")
                });
        if !(is_negated || is_zero || is_about || is_setting || is_option) {
            worst = worst.max(Some(level));
        }
    }
    worst
}

/// `errors=remount-ro`, where `errors=5` counts them.
fn is_mode(tail: &[u8]) -> bool {
    tail.strip_prefix(b"=").and_then(<[u8]>::first).is_some_and(u8::is_ascii_alphabetic)
}

fn is_plural(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"errors") || word.eq_ignore_ascii_case(b"warnings")
}

/// Whether a word means none: `0`, `no`, `nil`.
fn is_nothing(word: &[u8]) -> bool {
    matches!(
        word.to_ascii_lowercase().as_slice(),
        b"0" | b"no"
            | b"none"
            | b"nil"
            | b"null"
            | b"zero"
            | b"without"
            | b"undefined"
            | b"false"
            | b"never"
            | b"not"
            | b"0%"
            | b"<nil>"
    )
}

/// Words that join others: "no x and error".
fn is_joint(word: &[u8]) -> bool {
    word.len() <= 2 && !matches!(word, b"a" | b"an" | b"A" | b"An")
}

fn is_level(word: Word<'_>) -> bool {
    let end = word.text.get(word.text.len().saturating_sub(5)..).unwrap_or_default();
    end.eq_ignore_ascii_case(b"level") || word.text.eq_ignore_ascii_case(b"verbosity")
}

/// `errors: 0`, `"errors": 0`, `error=nil`: what stands behind the word, its colon with it.
fn tail_behind<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let rest = text.get(memchr::memmem::find(text, word)? + word.len()..)?;
    Some(rest.strip_prefix(b"\"").or_else(|| rest.strip_prefix(b"'")).unwrap_or(rest))
}

/// Whether it is a value that means none: `: 0`, `=nil`, but not `: undefined is not a function`.
pub(super) fn is_none(tail: &[u8]) -> bool {
    let Some((sign @ (b':' | b'='), rest)) = tail.split_first() else { return false };
    let rest = rest.trim_ascii_start();
    let end = rest.iter().position(|byte| matches!(byte, b' ' | b',' | b';' | b')' | b'}' | b'|'));
    let (value, after) = rest.split_at(end.unwrap_or(rest.len()));
    match value.to_ascii_lowercase().as_slice() {
        b"0" | b"0%" | b"0.0%" | b"0.00%" | b"<nil>" | b"\"\"" | b"''" | b"[]" | b"{}" => true,
        b"none" | b"nil" | b"null" | b"zero" | b"undefined" | b"false" => {
            *sign == b'=' || after.first() != Some(&b' ')
        }
        _ => false,
    }
}

fn is_subject(word: &[u8]) -> bool {
    matches!(
        word.to_ascii_lowercase().as_slice(),
        b"handler"
            | b"handlers"
            | b"handling"
            | b"rate"
            | b"rates"
            | b"page"
            | b"pages"
            | b"log"
            | b"logs"
            | b"logging"
            | b"count"
            | b"budget"
            | b"reporting"
            | b"reporter"
            | b"tracking"
            | b"recovery"
            | b"threshold"
            | b"level"
            | b"codes"
            | b"corrected"
            | b"correction"
            | b"boundary"
            | b"middleware"
            | b"table"
            | b"tables"
            | b"rules"
            | b"policy"
            | b"metrics"
            | b"free"
            | b"resolved"
            | b"fixed"
            | b"cleared"
            | b"recovered"
            | b"suppressed"
            | b"ignored"
            | b"button"
            | b"list"
            | b"lists"
            | b"class"
            | b"classes"
            | b"type"
            | b"types"
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Noun,
    Verb,
}

fn meaning(lower: &[u8]) -> Option<(Level, Kind)> {
    use Kind::{Noun, Verb};
    Some(match lower {
        b"fatal" => (Level::Fatal, Noun),
        b"error" | b"errors" | b"exception" | b"exceptions" | b"err" | b"panic" | b"crash" | b"failure"
        | b"failures" => (Level::Error, Noun),
        b"failed" | b"fails" | b"fail" | b"failing" | b"crashed" | b"panicked" | b"aborted" | b"aborting"
        | b"unreachable" | b"corrupt" | b"corrupted" | b"segfault" | b"cannot" | b"couldn't" | b"unable"
        | b"econnrefused" | b"econnreset" | b"etimedout" | b"enoent" | b"eaddrinuse" | b"eacces"
        | b"enospc" | b"oomkilled" => (Level::Error, Verb),
        b"warning" | b"warnings" | b"warn" => (Level::Warn, Noun),
        b"deprecated" | b"retrying" | b"timeout" | b"refused" | b"denied" | b"invalid" | b"degraded"
        | b"slow" | b"throttled" | b"dropped" => (Level::Warn, Verb),
        _ => return None,
    })
}
