//! Numbers of payment cards: the prefixes of their issuers and the check digit of ISO/IEC 7812-1 (Luhn, 1960), written
//! without gaps or in the groups that are printed on cards. Other numbers of that length are common in logs, so one without
//! gaps that is the value of a setting counts only if the setting's name is that of a card.

use std::ops::Range;

/// Digits of the shortest and of the longest.
const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;
/// Two of every thirteen bytes in a row are at multiples of it.
const STRIDE: usize = 6;
/// Groups that cards are printed in.
const LAYOUTS: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];
/// So far before a number its name is looked for.
const NAME_BYTES: usize = 32;

/// The next number of a card at or behind a byte.
pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        let run = next_run(text, at)?;
        if let Some(card) = in_run(text, run.clone()) {
            return Some(card);
        }
        at = run.end;
    }
}

const fn may_be_in(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b' ' | b'-')
}

/// Digits with at most one gap between two of them, long enough for a card.
fn next_run(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    while let Some(window) = text.get(at..=at + STRIDE) {
        // The ends first: most words and times fail there.
        let may_be = |at: usize| window.get(at).is_some_and(|byte| may_be_in(*byte));
        if !(may_be(0) && may_be(STRIDE) && may_be(STRIDE / 2) && window.iter().all(|byte| may_be_in(*byte)))
        {
            at += STRIDE;
            continue;
        }
        let run = around(text, at, from);
        let digits = text.get(run.clone()).map_or(0, |run| run.iter().filter(|b| b.is_ascii_digit()).count());
        if digits >= DIGITS_MIN {
            return Some(run);
        }
        at = (at + STRIDE).max(run.end);
    }
    None
}

/// The run that a byte stands in; empty when it is a gap of words.
fn around(text: &[u8], at: usize, from: usize) -> Range<usize> {
    let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let mut start = at;
    while start > from && (is_digit(start - 1) || start > from + 1 && is_gap(text, start - 1)) {
        start -= 1;
    }
    let mut end = at;
    while is_digit(end) || end > start && is_gap(text, end) {
        end += 1;
    }
    start..end.max(start)
}

/// A space or a dash between two digits.
fn is_gap(text: &[u8], at: usize) -> bool {
    let is_digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    matches!(text.get(at), Some(b' ' | b'-')) && is_digit(at.checked_sub(1)) && is_digit(Some(at + 1))
}

fn in_run(text: &[u8], run: Range<usize>) -> Option<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut start = run.start;
    for at in run.clone().chain([run.end]) {
        if at == run.end || !text.get(at).is_some_and(u8::is_ascii_digit) {
            groups.push(start..at);
            start = at + 1;
        }
    }
    (0..groups.len()).find_map(|first| {
        let one = groups.get(first)?;
        if (DIGITS_MIN..=DIGITS_MAX).contains(&one.len()) {
            return Some(one.clone()).filter(|card| is_alone(text, card) && is_bare_card(text, card));
        }
        LAYOUTS.iter().find_map(|layout| {
            in_groups(text, groups.get(first..)?, layout, first.checked_sub(1).and_then(|n| groups.get(n)))
        })
    })
}

/// Whether groups of digits from the first on are a card; the one before them must not be of its kind.
fn in_groups(
    text: &[u8],
    groups: &[Range<usize>],
    layout: &[usize],
    before: Option<&Range<usize>>,
) -> Option<Range<usize>> {
    let own = groups.get(..layout.len())?;
    if own.iter().zip(layout).any(|(group, length)| group.len() != *length) {
        return None;
    }
    let (start, end) = (own.first()?.start, own.last()?.end);
    let gaps = own.iter().skip(1).map(|group| text.get(group.start - 1).copied());
    let gap = gaps.clone().next()??;
    if gaps.into_iter().any(|other| other != Some(gap)) {
        return None;
    }
    // A table of numbers, or an identifier with dashes.
    let behind = groups.get(layout.len());
    let is_more = |group: Option<&Range<usize>>| group.is_some_and(|group| gap == b'-' || group.len() >= 4);
    let card = start..end;
    let is_card =
        !is_more(before) && !is_more(behind) && is_alone(text, &card) && is_valid(text.get(card.clone())?);
    is_card.then_some(card)
}

/// Nothing before or behind it that makes it a part of something longer.
fn is_alone(text: &[u8], card: &Range<usize>) -> bool {
    let before = card.start.checked_sub(1).and_then(|at| text.get(at));
    let behind = (text.get(card.end), text.get(card.end + 1));
    let is_joined = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'@' | b'/');
    let is_part_before =
        |byte: &u8| is_joined(byte) || matches!(byte, b'.' | b'-' | b'+' | b'#' | b'$' | b'%' | b'~');
    let goes_on = matches!(behind.0, Some(b'.' | b',' | b'-' | b':'))
        && behind.1.is_some_and(u8::is_ascii_alphanumeric);
    !(goes_on || before.is_some_and(is_part_before) || behind.0.is_some_and(is_joined))
}

/// Without gaps: its name says that it is a card, or it has none and is of a usual length.
fn is_bare_card(text: &[u8], card: &Range<usize>) -> bool {
    let Some(digits) = text.get(card.clone()).filter(|digits| is_valid(digits)) else { return false };
    let before = text.get(card.start.saturating_sub(NAME_BYTES)..card.start).unwrap_or_default();
    let before = before.trim_ascii_end();
    let before =
        before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'")).unwrap_or(before).trim_ascii_end();
    let (is_named, before) = match before.split_last() {
        Some((b'=' | b':', before)) => (true, before),
        _ => (false, before),
    };
    let is_part = |byte: &u8| {
        !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'"' | b'\'' | b'\\' | b' '))
    };
    let name = before.rsplit(is_part).next().unwrap_or_default().to_ascii_lowercase();
    if says_card(&name) {
        return true;
    }
    // What stands alone in a sentence, behind a word that does not say what else it is.
    let last = name.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    !is_named && matches!(digits.len(), 14..=16) && !is_id(last)
}

fn says_card(name: &[u8]) -> bool {
    const PARTS: [&[u8]; 8] =
        [b"card", b"credit", b"debit", b"visa", b"amex", b"maestro", b"payment", b"discover"];
    const WORDS: [&[u8]; 6] = [b"pan", b"cc", b"ccn", b"ccnum", b"ccnumber", b"jcb"];
    PARTS.iter().any(|part| memchr::memmem::find(name, part).is_some())
        || name.split(|byte| !byte.is_ascii_alphanumeric()).any(|word| WORDS.contains(&word))
}

/// Words before numbers that are names of things.
fn is_id(word: &[u8]) -> bool {
    const ENDS: [&[u8]; 22] = [
        b"id",
        b"ids",
        b"key",
        b"number",
        b"no",
        b"seq",
        b"sequence",
        b"offset",
        b"at",
        b"time",
        b"timestamp",
        b"ts",
        b"block",
        b"transaction",
        b"trace",
        b"span",
        b"request",
        b"order",
        b"job",
        b"version",
        b"size",
        b"bytes",
    ];
    let word =
        word.split(|byte| !byte.is_ascii_alphabetic()).rfind(|part| !part.is_empty()).unwrap_or_default();
    ENDS.contains(&word)
}

/// A number that an issuer gives, with the right check digit.
fn is_valid(digits: &[u8]) -> bool {
    let digits: Vec<u32> =
        digits.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0')).collect();
    let prefix = |count: usize| digits.iter().take(count).fold(0, |prefix, digit| prefix * 10 + digit);
    let is_issued = match digits.len() {
        13 => prefix(1) == 4,
        14 => matches!(prefix(3), 300..=305 | 309) || matches!(prefix(2), 36 | 38 | 39),
        15 => matches!(prefix(2), 34 | 37),
        16 => {
            prefix(1) == 4
                || matches!(prefix(2), 51..=55 | 62 | 65)
                || matches!(prefix(3), 644..=649)
                || matches!(prefix(4), 2221..=2720 | 3528..=3589 | 6011)
                || matches!(prefix(2), 50 | 56..=58 | 63 | 67)
        }
        17..=19 => prefix(1) == 4 || matches!(prefix(2), 62 | 63 | 67) || prefix(4) == 6011,
        _ => false,
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| if place % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    // The same digit over and over is a filler.
    let is_varied = digits.iter().any(|digit| Some(digit) != digits.first());
    is_issued && is_varied && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_found_however_they_are_written() {
        for (line, card) in [
            ("paid with 4111 1111 1111 1111 12/27", "4111 1111 1111 1111"),
            ("paid with 4111-1111-1111-1111, ok", "4111-1111-1111-1111"),
            ("card=4111111111111111", "4111111111111111"),
            ("charged 4242424242424242", "4242424242424242"),
            ("{\"cardNumber\":\"5555555555554444\"}", "5555555555554444"),
            ("{\"pan\": 378282246310005}", "378282246310005"),
            ("amex 3782 822463 10005.", "3782 822463 10005"),
            ("diners 30569309025904", "30569309025904"),
            ("jcb (3530111333300000)", "3530111333300000"),
            ("discover 6011111111111117", "6011111111111117"),
            ("visa 4222222222222", "4222222222222"),
            ("mc 2223003122003222!", "2223003122003222"),
            ("union card 6205500000000000004", "6205500000000000004"),
            ("2026-03-01 10:05:03.123 INFO card 4012888888881881", "4012888888881881"),
        ] {
            let found = find(line.as_bytes(), 0).map(|range| &line[range]);
            assert_eq!(found, Some(card), "{line}");
            // Wherever the strides fall.
            for shift in 0..13 {
                let line = format!("{}{line}", " ".repeat(shift));
                assert_eq!(find(line.as_bytes(), 0).map(|range| &line[range]), Some(card), "{line}");
            }
        }
    }

    #[test]
    fn other_long_numbers_stay() {
        for line in [
            "card 4111 1111 1111 1112",
            "took 1772359503123456789 ns",
            "1772359503123 1772359503124",
            "blk_4111111111111111",
            "id=4111111111111111",
            "\"id\":4111111111111111,",
            "\"user_id\": \"4111111111111111\"",
            "request id 4111111111111111",
            "offset 4111111111111111",
            "GET /users/4111111111111111/x",
            "4111111111111111.json",
            "0.4111111111111111",
            "550e8400-e29b-41d4-a716-446655440000",
            "12345678-4111-1111-1111-111111111111",
            "4111-1111-1111-1111-1234",
            "1234 4111 1111 1111 1111 5678",
            "0000 0000 0000 0000",
            "4444444444444444",
            "2024-05-14 10:23:45 1234 5678",
            "tel +49 170 1234567",
            "41111111111111111111",
            "trace 4bf92f3577b34da6a3ce929d0e0e4736",
            "",
            "4",
        ] {
            assert_eq!(find(line.as_bytes(), 0).map(|range| &line[range]), None, "{line}");
        }
    }
}
