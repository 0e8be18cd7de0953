//! Stage 2, on distinct keys only: keys that differ in values become one template. The result does not depend on the
//! order in which lines came.

use std::collections::{BTreeSet, HashMap};

use super::coarse::coarse;
use super::key::{is_mark, mark};
use super::names::{are_settings, is_cue, is_identifier, is_label, is_outcome, is_random, wants_verb};
use super::{codes, grid};

/// So many different words in one place, everything else equal, are values.
const WORDS_MIN: usize = 6;
/// At the begin of a message they more often are names of different things.
const FIRST_WORDS_MIN: usize = 16;
/// What is found to vary in one place makes keys alike that vary in another.
const ROUNDS_MAX: usize = 3;
/// Behind `user`, `from` and the like, so many are enough.
const CUED_WORDS_MIN: usize = 3;

/// Which keys belong together: for each key the text of its template.
pub(crate) fn merge(keys: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = keys.iter().map(|key| coarse(key)).collect();
    for _ in 0..ROUNDS_MAX {
        let merged = merged(&texts);
        if merged == texts {
            break;
        }
        texts = merged;
    }
    texts
}

/// The same with what is known to be values in one place.
fn merged(coarse: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let distinct: Vec<&[u8]> = {
        let set: BTreeSet<&[u8]> = coarse.iter().map(Vec::as_slice).collect();
        set.into_iter().collect()
    };
    let mut sets = Sets::new(distinct.len());
    let words: Vec<Vec<&[u8]>> =
        distinct.iter().map(|key| key.split(|byte| *byte == b' ').collect()).collect();
    let mut by_rest: HashMap<(usize, u64), Vec<usize>> = HashMap::new();
    for (n, words) in words.iter().enumerate() {
        if words.len() < 2 || words.len() > 64 {
            continue;
        }
        for place in 0..words.len() {
            by_rest.entry((place, rest_hash(words, place))).or_default().push(n);
        }
    }
    let mut varying: Vec<Vec<usize>> = vec![Vec::new(); distinct.len()];
    for ((place, _), members) in &by_rest {
        if members.len() < 2 {
            continue;
        }
        if are_values(&words, *place, members) {
            sets.join_all(members);
        } else {
            for n in members {
                if let Some(places) = varying.get_mut(*n) {
                    places.push(*place);
                }
            }
        }
    }
    for places in &mut varying {
        places.sort_unstable();
    }
    for members in grid::grids(&words, &varying).iter().chain(&grid::named(&words)) {
        sets.join_all(members);
    }
    let roots: Vec<usize> = (0..words.len()).map(|n| sets.root(n)).collect();
    for members in &grid::fitting(&words, &roots) {
        sets.join_all(members);
    }
    let mut texts: HashMap<usize, Vec<Vec<u8>>> = HashMap::new();
    for (n, words) in words.iter().enumerate() {
        let text =
            texts.entry(sets.root(n)).or_insert_with(|| words.iter().map(|word| word.to_vec()).collect());
        for (slot, word) in text.iter_mut().zip(words) {
            if slot != word {
                *slot = vec![mark::ANY];
            }
        }
    }
    let of: HashMap<&[u8], usize> = distinct.iter().enumerate().map(|(n, key)| (*key, n)).collect();
    coarse
        .iter()
        .map(|key| {
            let root = of.get(key.as_slice()).map(|n| sets.root(*n));
            root.and_then(|root| texts.get(&root)).map_or_else(|| key.clone(), |text| text.join(&b' '))
        })
        .collect()
}

fn rest_hash(words: &[&[u8]], place: usize) -> u64 {
    let mut hash = words.len() as u64;
    for (n, word) in words.iter().enumerate() {
        hash = super::mix(hash, if n == place { 0 } else { super::hash(word) });
    }
    hash
}

/// Whether the words of one place, all else equal, are values of a variable.
fn are_values(words: &[Vec<&[u8]>], place: usize, members: &[usize]) -> bool {
    let at =
        |n: usize, place: usize| words.get(n).and_then(|words| words.get(place)).copied().unwrap_or_default();
    let first = members.first().copied().unwrap_or_default();
    let others = words.get(first).map(Vec::as_slice).unwrap_or_default();
    let constant = others
        .iter()
        .enumerate()
        .filter(|(n, word)| {
            *n != place
                && word.iter().filter(|byte| byte.is_ascii_alphabetic()).count() >= 2
                && !word.iter().any(|byte| is_mark(*byte))
        })
        .count();
    if constant == 0 {
        return false;
    }
    let values: Vec<&[u8]> = members.iter().map(|n| at(*n, place)).collect();
    let before = |count: usize| place.checked_sub(count).map(|place| at(first, place)).unwrap_or_default();
    let next = at(first, place + 1);
    if values.iter().any(|word| word.is_empty() || word.iter().all(|byte| byte.is_ascii_punctuation())) {
        return false;
    }
    if are_settings(&values, !next.is_empty()) || codes::are_codes(&values) {
        return true;
    }
    // Some with digits, some without: one of a kind with those that are known to vary.
    let (marked, plain): (Vec<&[u8]>, Vec<&[u8]>) =
        values.iter().partition(|word| word.iter().any(|byte| is_mark(*byte)));
    if !marked.is_empty() {
        if !is_bare(values.iter().copied()) {
            return false;
        }
        if are_like_marked(&values, &plain, place) {
            return true;
        }
        // A user may be named 0; but one name and a number are two things.
        if plain.len() < 2 {
            return false;
        }
    }
    let values = if marked.is_empty() { values } else { plain };
    if values.iter().all(|word| is_flag(word)) {
        return true;
    }
    // `EventType: LAUNCH`, `(reason: cpu)`: the label says that it is one.
    if is_label(before(1), !next.is_empty()) && !values.iter().any(|word| is_outcome(word)) {
        return true;
    }
    // Names of states are not values: UNASSIGNED, READY.
    let upper = values
        .iter()
        .filter(|word| word.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b',')))
        .count();
    if upper * 2 > values.len() {
        return values.len() >= 4 * WORDS_MIN;
    }
    let is_between = place > 0
        && matches!(before(1), b"for" | b"user" | b"by" | b"from" | b"to" | b"of")
        && (matches!(next, b"from" | b"by" | b"at" | b"on" | b"via" | b"port" | b"with")
            || next.first() == Some(&b'['));
    let is_named =
        place > 0 && values.len() >= CUED_WORDS_MIN && values.iter().all(|word| is_identifier(word));
    if is_between || is_named {
        return true;
    }
    values.len() >= values_min(others, place, &values)
}

/// Whether values of which some are known to vary are all of their kind.
fn are_like_marked(values: &[&[u8]], plain: &[&[u8]], place: usize) -> bool {
    // A list of one beside longer ones.
    let is_list = |word: &&[u8]| word.starts_with(b"[") && word.ends_with(b"]");
    let are_lists = values.contains(&&[b'[', mark::ANY, b']'][..]) && values.iter().all(is_list);
    // `Task shop.mail[<UUID>]`: the name of a thing that has a number too.
    let are_names = plain.is_empty() && place > 0 && values.iter().all(|word| is_identifier(word));
    (place > 0 || values.len() > 2) && is_like(values) || are_lists || are_names
}

/// So many different words in this place are values.
fn values_min(words: &[&[u8]], place: usize, values: &[&[u8]]) -> usize {
    let at = |back: usize| place.checked_sub(back).and_then(|before| words.get(before)).copied();
    let cue = at(1).unwrap_or_default();
    // `Failed to open` and `Failed to close`: what follows is no name.
    let is_verb = cue == b"to" && at(2).is_some_and(wants_verb);
    let is_told = matches!(cue, b"code" | b"status") || !values.iter().any(|word| is_outcome(word));
    if is_cue(cue) && !is_verb && is_told {
        // `for user alice`; but `service started` and `service stopped` are two things.
        let is_of = matches!(at(2), Some(b"for" | b"of" | b"by" | b"from" | b"to" | b"with"));
        return if is_of { 2 } else { CUED_WORDS_MIN };
    }
    if place == 0 { FIRST_WORDS_MIN } else { WORDS_MIN }
}

fn is_flag(word: &[u8]) -> bool {
    let bare = word.split(|byte| byte.is_ascii_punctuation()).find(|part| !part.is_empty());
    matches!(
        bare.unwrap_or_default(),
        b"true"
            | b"false"
            | b"null"
            | b"nil"
            | b"None"
            | b"True"
            | b"False"
            | b"on"
            | b"off"
            | b"On"
            | b"Off"
            | b"yes"
            | b"no"
    )
}

/// All end alike, so that `<*>` and `word,` are not taken for each other.
fn is_bare<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> bool {
    let end = |word: &[u8]| {
        word.last().copied().filter(|byte| matches!(byte, b':' | b',' | b'=' | b')' | b']' | b'('))
    };
    let Some(first) = words.next() else { return false };
    words.all(|word| end(word) == end(first))
}

/// One is only a variable, and the others look like names.
fn is_like(values: &[&[u8]]) -> bool {
    values.iter().any(|word| word.first().copied().is_some_and(is_mark))
        && values.iter().all(|word| word.len() < 40)
        && values.iter().filter(|word| !word.iter().any(|byte| is_mark(*byte))).all(|word| {
            word.len() > 2 && word.iter().any(|byte| matches!(byte, b'-' | b'_' | b'.' | b'@' | b'/'))
                || is_random(word)
        })
}

/// Disjoint sets.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&self, of: usize) -> usize {
        let mut at = of;
        while let Some(up) = self.0.get(at).copied().filter(|up| *up != at) {
            at = up;
        }
        at
    }

    fn join_all(&mut self, members: &[usize]) {
        for pair in members.windows(2) {
            if let [a, b] = pair {
                self.join(*a, *b);
            }
        }
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if let Some(slot) = self.0.get_mut(a.max(b)) {
            *slot = a.min(b);
        }
    }
}
