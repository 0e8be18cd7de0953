//! The table of keys, and templates made of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::header::Header;
use super::skeleton::{Remembered, plain_skeleton, skeleton};
use super::{key, mask, merge};

/// Keys per source; what comes beyond goes to one shared entry.
const KEYS_MAX: usize = 10_000;
/// Lines of which the header is learned.
const HEADER_LINES: usize = 4_000;

/// Messages of objects have no header.
const JSON_SALT: u64 = 0x6a09_e667_f3bc_c908;

/// A pattern of lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The same for the same text, over time and sources.
    pub id: u64,
    /// With placeholders: `Request handled in <N>ms`.
    pub text: String,
    /// Numbers of the keys that belong to it.
    pub keys: Vec<usize>,
}

/// Keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = super::hash(bytes);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Gives lines of one source the numbers of their keys.
#[derive(Debug, Default)]
pub struct Miner {
    header: Header,
    numbers: HashMap<u64, usize, BuildHasherDefault<Same>>,
    keys: Vec<Vec<u8>>,
    folded: u64,
    buffer: Vec<u8>,
    remembered: Remembered,
}

impl Miner {
    /// For a source whose lines begin like this.
    pub fn with_header(header: Header) -> Self {
        Self { header, ..Self::default() }
    }

    /// Learns the header from these lines, spread over all of them.
    pub fn learn<'a>(lines: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let step = lines.clone().count().div_ceil(HEADER_LINES).max(1);
        let sample: Vec<Cow<'_, [u8]>> = lines.step_by(step).map(crate::ansi::strip).collect();
        Self::with_header(Header::learn(sample.iter().map(AsRef::as_ref)))
    }

    /// The header in use.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the key of a line, from 0 in order of appearance.
    pub fn add(&mut self, line: &[u8]) -> usize {
        self.add_stripped(&crate::ansi::strip(line))
    }

    /// The same, of a line without escape sequences.
    pub(crate) fn add_stripped(&mut self, line: &[u8]) -> usize {
        // Of an object only the message counts, however its other values differ.
        let message = crate::json::message(line);
        let (text, salt) = message.map_or((line, 0), |message| (message, JSON_SALT));
        let first = skeleton(text) ^ salt;
        if let Some(number) = self.remembered.get(first) {
            return number;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let second = plain_skeleton(text, &mut buffer).map(|hash| hash ^ salt);
        let number = match second.and_then(|hash| self.remembered.get(hash)) {
            Some(number) => number,
            None => {
                let message = match message.or_else(|| crate::json::logfmt_message(line)) {
                    Some(message) => message,
                    None => line.get(self.header.skip(line)..).unwrap_or_default(),
                };
                buffer.clear();
                mask::mask(message, &mut buffer);
                let number = self.number(&buffer);
                // The table being full is counted for each line.
                if number < KEYS_MAX {
                    self.remembered.put(first, number);
                    if let Some(second) = second {
                        self.remembered.put(second, number);
                    }
                }
                number
            }
        };
        self.buffer = buffer;
        number
    }

    fn number(&mut self, key: &[u8]) -> usize {
        let hash = super::hash(key);
        if let Some(number) = self.numbers.get(&hash) {
            return *number;
        }
        if self.keys.len() >= KEYS_MAX {
            self.folded += 1;
            if self.keys.len() == KEYS_MAX {
                self.keys.push(b"(other lines)".to_vec());
            }
            return KEYS_MAX;
        }
        let number = self.keys.len();
        self.numbers.insert(hash, number);
        self.keys.push(key.to_vec());
        number
    }

    /// Keys so far.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Lines that found the table full and are counted together.
    pub fn folded(&self) -> u64 {
        self.folded
    }

    /// What a key says, with placeholders.
    pub fn key_text(&self, number: usize) -> String {
        self.keys.get(number).map_or_else(String::new, |key| key::render(key))
    }

    /// The templates of all keys so far, in order of appearance.
    pub fn templates(&self) -> Vec<Template> {
        let merged = merge::merge(&self.keys);
        let mut places: HashMap<&[u8], usize> = HashMap::new();
        let mut templates: Vec<Template> = Vec::new();
        for (number, text) in merged.iter().enumerate() {
            let place = *places.entry(text).or_insert_with(|| {
                templates.push(Template { id: super::hash(text), text: String::new(), keys: Vec::new() });
                templates.len() - 1
            });
            if let Some(template) = templates.get_mut(place) {
                template.keys.push(number);
            }
        }
        for template in &mut templates {
            template.text = match template.keys.as_slice() {
                // One key: its placeholders say what kind of value it is.
                [only] => self.key_text(*only),
                [first, ..] => merged.get(*first).map(|text| key::render(text)).unwrap_or_default(),
                [] => String::new(),
            };
        }
        templates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9]{1,7}",
            "[0-9a-f]{6,14}",
            "[0-9]{1,6}[de][0-9]{1,6}",
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "(10|300)\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(:[0-9]{2,5})?",
            "[0-9]{1,4}(ms|s|MB|%)",
            "(user|key|worker)[-_=:][0-9a-f]{2,9}",
            "\"[0-9a-f]{7,9}\"",
            "/api/[a-z]{2,4}/[0-9]{1,5}",
            "(took|from|request|dead|face)",
        ]
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_what_masking_gives(
            lines in prop::collection::vec(prop::collection::vec(word(), 1..5), 1..40)
        ) {
            let mut warm = Miner::default();
            for words in &lines {
                let line = words.join(" ");
                let number = warm.add(line.as_bytes());
                let mut fresh = Miner::default();
                fresh.add(line.as_bytes());
                prop_assert_eq!(warm.key_text(number), fresh.key_text(0), "{}", line);
            }
        }
    }
}
