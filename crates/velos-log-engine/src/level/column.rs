//! A shortcut to the level of lines whose headers are alike: the same gaps up to it, and a word there that was read before.

use super::Level;

/// Headers that are longer have no shortcut.
const HEAD_BYTES: usize = 48;
/// A word with its brackets and the gap behind it.
const WORD_BYTES: usize = 16;
const WORDS_MAX: usize = 8;

/// Bytes that end a word, and such that begin an escape sequence.
const fn class(byte: u8) -> u8 {
    (matches!(byte, b' ' | b'\t' | b'|') as u8) | ((byte == 0x1b) as u8) << 1
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    start: usize,
    /// Of the bytes before the word.
    classes: [u8; HEAD_BYTES],
    mask: [u8; HEAD_BYTES],
    words: Vec<Word>,
}

#[derive(Clone, Copy, Debug)]
struct Word {
    bytes: u128,
    mask: u128,
    level: Level,
}

impl Word {
    fn of(word: &[u8], level: Level) -> Option<Self> {
        let mut bytes = [0; WORD_BYTES];
        bytes.get_mut(..word.len())?.copy_from_slice(word);
        let mask = 1_u128.checked_shl(8 * word.len() as u32)? - 1;
        Some(Self { bytes: u128::from_le_bytes(bytes), mask, level })
    }
}

impl Column {
    /// Of a line whose level is the word from one byte to another.
    pub(super) fn of(line: &[u8], start: usize) -> Option<Self> {
        let head: &[u8; HEAD_BYTES] = line.first_chunk()?;
        if start + WORD_BYTES > line.len() || start > HEAD_BYTES {
            return None;
        }
        let mut mask = [0; HEAD_BYTES];
        mask.get_mut(..start)?.fill(0xff);
        Some(Self { start, classes: head.map(class), mask, words: Vec::new() })
    }

    /// Whether a word at this byte is one that it does not know.
    pub(super) fn may_learn(&self, start: usize, word: &[u8]) -> bool {
        start == self.start && {
            let word = Word::of(word, Level::Info);
            word.is_some_and(|word| self.words.iter().all(|known| known.bytes != word.bytes))
        }
    }

    /// From now on this word means this level.
    pub(super) fn learn(&mut self, word: &[u8], level: Level) {
        if self.words.len() < WORDS_MAX {
            self.words.extend(Word::of(word, level));
        }
    }

    /// The level of a line whose header is alike. Nothing when that cannot be told so quickly.
    #[inline]
    pub(super) fn level(&self, line: &[u8]) -> Option<Level> {
        let head: &[u8; HEAD_BYTES] = line.first_chunk()?;
        let mut differs = 0;
        for ((byte, expected), mask) in head.iter().zip(&self.classes).zip(&self.mask) {
            differs |= (class(*byte) ^ expected) & mask;
        }
        let bytes: &[u8; WORD_BYTES] = line.get(self.start..)?.first_chunk()?;
        let bytes = u128::from_le_bytes(*bytes);
        let word = self.words.iter().find(|word| bytes & word.mask == word.bytes)?;
        (differs == 0).then_some(word.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_that_are_alike_have_the_shortcut() {
        let line = |text: &str| format!("{text:<80}").into_bytes();
        let mut column = Column::of(&line("2026-03-01 10:05:03 [main] INFO  a: b"), 27).unwrap();
        column.learn(b"INFO ", Level::Info);
        let level = |text: &str| column.level(&line(text));
        assert_eq!(level("2027-04-02 11:06:04 [pool] INFO  other"), Some(Level::Info));
        assert_eq!(level("2027-04-02 11:06:04 [pool] ERROR other"), None, "a new word");
        assert_eq!(level("2027-04-02 11:06:04 [long] x: INFO  "), None, "another place");
        assert_eq!(level("at 11:06 the word 12 3456 77 INFO  too"), None, "other gaps");
        assert_eq!(level("2027-04-02 \x1b[1;1m:04 [pool] INFO  x"), None, "colours");
        assert!(Column::of(b"INFO short", 0).is_none());
    }
}
