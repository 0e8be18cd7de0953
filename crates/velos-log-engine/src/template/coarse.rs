//! Keys in a coarser form, so that values which are written in different ways are alike.

use super::key::{is_mark, mark};

/// A key with each run that holds a variable made one variable, and lists of variables too.
pub(crate) fn coarse(key: &[u8]) -> Vec<u8> {
    let key = super::lists::folded(key);
    let words: Vec<&[u8]> = key.split(|byte| *byte == b' ').collect();
    let mut out: Vec<u8> = Vec::with_capacity(key.len());
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let start = out.len();
        match quantity(&words, at) {
            Some((taken, text, false)) => {
                out.extend_from_slice(text);
                at += taken;
                continue;
            }
            Some((taken, text, true)) => {
                out.extend_from_slice(if start > 0 { &[b' ', mark::ANY] } else { &[mark::ANY] });
                out.extend_from_slice(text);
                // One more is added below.
                at += taken - 1;
            }
            None => {
                if start > 0 {
                    out.push(b' ');
                }
                coarse_word(word, &mut out);
            }
        }
        let begin = if start > 0 { start + 1 } else { 0 };
        fold(&mut out, start, begin);
        at += 1;
    }
    out
}

/// Other ways to say an amount: `2048 bytes (2 KB)` says it twice, `<1 sec` is a time as `00:01` is, and of `512 B` and
/// `1.5 MB` the unit is a part. How many words it takes, and what stands for them.
fn quantity<'a>(words: &[&'a [u8]], at: usize) -> Option<(usize, &'a [u8], bool)> {
    if is_schedule(words.get(at..at + 5).unwrap_or_default()) {
        return Some((5, &[], true));
    }
    let (word, next) = (words.get(at)?, words.get(at + 1)?);
    let unit = next.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(next.len());
    let (unit, tail) = next.split_at(unit);
    if matches!(word, [b'(', value] if is_mark(*value))
        && (1..=5).contains(&unit.len())
        && tail.first() == Some(&b')')
    {
        let said = words.get(at.checked_sub(2)?)?;
        let in_words = words.get(at - 1)?;
        let is_amount =
            said.last().is_some_and(|byte| is_mark(*byte)) && in_words.iter().all(u8::is_ascii_alphabetic);
        return is_amount.then(|| (2, tail.get(1..).unwrap_or_default(), false));
    }
    if matches!(word, [value] if is_mark(*value)) && is_unit(unit) {
        let tail_is_end = tail.iter().all(|byte| byte.is_ascii_punctuation());
        return tail_is_end.then_some((2, tail, true));
    }
    if matches!(word, [b'<', value] if is_mark(*value))
        && matches!(unit, b"sec" | b"second" | b"ms" | b"s" | b"min" | b"minute")
        && tail.is_empty()
    {
        return Some((2, tail, true));
    }
    None
}

/// The five fields of cron: `*/5 * * * *`, `0 3 * * 1`.
fn is_schedule(words: &[&[u8]]) -> bool {
    let is_field = |word: &&[u8]| {
        !word.is_empty()
            && word.iter().all(|byte| is_mark(*byte) || matches!(byte, b'*' | b'/' | b',' | b'-'))
            && word.iter().filter(|byte| **byte == b'*').count() <= 1
    };
    let stars = words.iter().filter(|word| **word == b"*").count();
    words.len() == 5 && stars >= 2 && words.iter().all(is_field)
}

/// Units among which programs choose by the size of a value.
fn is_unit(word: &[u8]) -> bool {
    matches!(
        word,
        b"B" | b"KB"
            | b"kB"
            | b"MB"
            | b"GB"
            | b"TB"
            | b"KiB"
            | b"MiB"
            | b"GiB"
            | b"TiB"
            | b"K"
            | b"M"
            | b"G"
            | b"ns"
            | b"us"
            | b"ms"
            | b"s"
            | b"sec"
            | b"secs"
            | b"second"
            | b"seconds"
            | b"min"
            | b"mins"
            | b"minute"
            | b"minutes"
            | b"hour"
            | b"hours"
            | b"day"
            | b"days"
    )
}

fn is_inner(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 128
        || is_mark(byte)
        || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'$' | b'+' | b'~' | b'@' | b'#' | b'%' | b'\\')
}

fn coarse_word(word: &[u8], out: &mut Vec<u8>) {
    let mut rest = word;
    while !rest.is_empty() {
        let length = rest.iter().position(|byte| !is_inner(*byte)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        if run.iter().any(|byte| is_mark(*byte)) {
            // `instruction......<N>`: the dots are a leader, not a part of the value
            let from = run.windows(2).rposition(|two| two == b"..").map_or(0, |dots| dots + 2);
            let (leader, value) = run.split_at(from);
            out.extend_from_slice(leader);
            if out.ends_with(&[mark::ANY, b',']) {
                out.pop();
            } else if !value.is_empty() {
                out.push(mark::ANY);
            }
        } else if matches!(run, b"true" | b"false" | b"null")
            && matches!(out.last(), Some(b'(' | b'=' | b':'))
        {
            out.push(mark::ANY);
        } else {
            out.extend_from_slice(run);
        }
        rest = after;
        let cut = rest.iter().position(|byte| is_inner(*byte)).unwrap_or(rest.len());
        let (cut, after) = rest.split_at(cut);
        // What fills up base64.
        let is_filler = after.is_empty() && matches!(cut, b"=" | b"==") && out.ends_with(&[mark::ANY]);
        let cut = if is_filler { &[] } else { cut };
        out.extend_from_slice(cut);
        rest = after;
    }
}

/// `<*> <*>` and `<*>, <*>` become one; so do `()` behind a value, and `(<*>)`.
fn fold(out: &mut Vec<u8>, start: usize, begin: usize) {
    let (before, word) = (out.get(..start).unwrap_or_default(), out.get(begin..).unwrap_or_default());
    let ends_any = before.ends_with(&[mark::ANY]) || before.ends_with(&[mark::ANY, b',']);
    let bare = word.strip_suffix(b",").unwrap_or(word);
    if start > 0 && ends_any && bare == [mark::ANY] {
        let tail: Vec<u8> = word.get(1..).unwrap_or_default().to_vec();
        let keep = before.strip_suffix(b",").unwrap_or(before).len();
        out.truncate(keep);
        out.extend_from_slice(&tail);
        return;
    }
    if word == b"()" && begin > 0 && ends_any {
        out.truncate(begin);
        out.extend_from_slice(&[b'(', mark::ANY, b')']);
    }
}
