//! Keys that differ in two places at once: when each word of the one place comes with each of the other, the words do not
//! depend on each other, as values do not; and names that somebody made up are values wherever they stand.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::key::{is_mark, mark};
use super::names::{is_identifier, is_outcome};

/// Longer keys are not compared in pairs of places.
const WORDS_MAX: usize = 32;
/// Places of one key that are compared in pairs.
const PLACES_MAX: usize = 8;
/// Statements of one length that a key is compared with.
const MASKS_MAX: usize = 32;
/// So many words in a place of a grid are values, whatever they are.
const SIDE_MIN: usize = 3;

/// The keys that differ in names alone, in two places or more.
pub(super) fn named(words: &[Vec<&[u8]>]) -> Vec<Vec<usize>> {
    let mut groups: HashMap<Vec<&[u8]>, Vec<usize>> = HashMap::new();
    for (n, words) in words.iter().enumerate() {
        let is_name: Vec<bool> = words.iter().map(|word| is_identifier(word)).collect();
        let names = is_name.iter().filter(|is_name| **is_name).count();
        if names < 2 || names == words.len() {
            continue;
        }
        let rest = words
            .iter()
            .zip(&is_name)
            .map(|(word, is_name)| if *is_name { &[mark::ANY][..] } else { word })
            .collect();
        groups.entry(rest).or_default().push(n);
    }
    groups.into_values().filter(|members| members.len() >= SIDE_MIN).collect()
}

/// The keys of each grid that are the same statement. `varying` are, per key, the places in which others differ from it
/// alone.
pub(super) fn grids(words: &[Vec<&[u8]>], varying: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut groups: HashMap<(usize, usize, u64), Vec<usize>> = HashMap::new();
    for (n, places) in varying.iter().enumerate() {
        let Some(words) = words.get(n).filter(|words| words.len() <= WORDS_MAX) else { continue };
        let places: Vec<usize> = places.iter().copied().take(PLACES_MAX).collect();
        for (at, p) in places.iter().enumerate() {
            for q in places.iter().skip(at + 1) {
                groups.entry((*p, *q, rest(words, *p, *q))).or_default().push(n);
            }
        }
    }
    let mut joined = Vec::new();
    for ((p, q, _), members) in groups {
        if members.len() >= 4 {
            put_grid(words, p, q, &members, &mut joined);
        }
    }
    joined
}

fn put_grid(words: &[Vec<&[u8]>], p: usize, q: usize, members: &[usize], joined: &mut Vec<Vec<usize>>) {
    let at =
        |n: usize, place: usize| words.get(n).and_then(|words| words.get(place)).copied().unwrap_or_default();
    let left: BTreeSet<&[u8]> = members.iter().map(|n| at(*n, p)).collect();
    let right: BTreeSet<&[u8]> = members.iter().map(|n| at(*n, q)).collect();
    let is_full = left.len() * right.len() == members.len() && left.len() >= 2 && right.len() >= 2;
    let is_told = members.first().and_then(|n| words.get(*n)).is_some_and(|words| {
        words.iter().enumerate().any(|(place, word)| place != p && place != q && is_plain(word))
    });
    if !is_full || !is_told || !left.iter().chain(&right).all(is_plain) {
        return;
    }
    // From each state to each other, itself too.
    if left == right {
        joined.push(members.to_vec());
        return;
    }
    let are_values =
        |side: &BTreeSet<&[u8]>| side.len() >= SIDE_MIN && !side.iter().any(|word| is_outcome(word));
    for (place, side, others) in [(p, &left, &right), (q, &right, &left)] {
        if are_values(side) {
            let other = if place == p { q } else { p };
            for word in others {
                joined.push(members.iter().copied().filter(|n| at(*n, other) == *word).collect());
            }
        }
    }
}

/// Statements by what does not vary in them: how many words, which places vary, and the hash of the others.
#[derive(Default)]
struct Known {
    statements: HashMap<(usize, u64, u64), usize>,
    masks: HashMap<usize, BTreeSet<u64>>,
}

impl Known {
    /// `roots` are the numbers of the keys' statements so far.
    fn new(words: &[Vec<&[u8]>], roots: &[usize]) -> Self {
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (n, root) in roots.iter().enumerate() {
            members.entry(*root).or_default().push(n);
        }
        let mut known = Self::default();
        for (root, members) in members.iter().filter(|(_, members)| members.len() > SIDE_MIN) {
            let Some(first) = words.get(*root).filter(|words| words.len() <= WORDS_MAX) else { continue };
            let word = |n: usize, place: usize| words.get(n).and_then(|words| words.get(place));
            let is_open = |place: &usize| members.iter().any(|n| word(*n, *place) != first.get(*place));
            let mask = (0..first.len()).filter(is_open).fold(0_u64, |mask, place| mask | 1 << place);
            let is_told = |(place, word): &(usize, &&[u8])| mask >> place & 1 == 0 && is_plain(word);
            if mask.count_ones() >= 2 && first.iter().enumerate().filter(is_told).count() >= 2 {
                known.masks.entry(first.len()).or_default().insert(mask);
                // Of two that are alike in all but values the first stands for both.
                known.statements.entry((first.len(), mask, masked(first, mask))).or_insert(*root);
            }
        }
        known
    }
}

/// The keys that fit what others were found to be, in all places at once: what varies there varies in them too.
pub(super) fn fitting(words: &[Vec<&[u8]>], roots: &[usize]) -> Vec<Vec<usize>> {
    let known = Known::new(words, roots);
    let mut joined = Vec::new();
    for (n, words) in words.iter().enumerate() {
        for mask in known.masks.get(&words.len()).into_iter().flatten().take(MASKS_MAX) {
            let root = known.statements.get(&(words.len(), *mask, masked(words, *mask)));
            let mut values = words.iter().enumerate().filter(|(place, _)| mask >> place & 1 == 1);
            if let Some(root) = root.filter(|root| roots.get(n) != Some(root))
                && values.all(|(_, word)| is_value(word))
            {
                joined.push(vec![*root, n]);
            }
        }
    }
    joined
}

/// A word that says neither what happened nor that it did not.
fn is_value(word: &[u8]) -> bool {
    word.iter().any(|byte| is_mark(*byte))
        || is_plain(&word)
            && !is_outcome(word)
            && !matches!(word, b"no" | b"not" | b"in" | b"out" | b"No" | b"Not")
}

fn is_plain(word: &&[u8]) -> bool {
    !word.iter().any(|byte| is_mark(*byte))
        && word.iter().filter(|byte| byte.is_ascii_alphabetic()).count() >= 2
}

fn masked(words: &[&[u8]], mask: u64) -> u64 {
    let mut hash = words.len() as u64;
    for (n, word) in words.iter().enumerate() {
        hash = super::mix(hash, if mask >> n & 1 == 1 { 0 } else { super::hash(word) });
    }
    hash
}

fn rest(words: &[&[u8]], p: usize, q: usize) -> u64 {
    let mut hash = words.len() as u64;
    for (n, word) in words.iter().enumerate() {
        hash = super::mix(hash, if n == p || n == q { 0 } else { super::hash(word) });
    }
    hash
}
