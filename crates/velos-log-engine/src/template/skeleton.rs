//! A short cut: lines that differ in their digits alone have the same key.
//!
//! The hash of a line with every digit taken for a `0` costs a few instructions per eight bytes. A small table remembers the
//! key of each such hash, so that most lines of most logs are never masked. A line that is not known so is looked at once
//! more with its hexadecimal numbers and UUIDs taken for the same: those, too, never change a key.

use super::key::{CUT, SPACE, class, mark};

/// Slots of the table; a power of two. It fits into the second-level cache.
const SLOTS: usize = 1 << 14;

const ONES: u64 = 0x0101_0101_0101_0101;

/// Remembers keys by the hashes of lines without their digits' values.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    /// Made when the first line comes.
    slots: Vec<(u64, u32)>,
}

impl Remembered {
    #[inline]
    pub(super) fn get(&self, skeleton: u64) -> Option<usize> {
        let (known, key) = self.slots.get(skeleton as usize & (SLOTS - 1))?;
        (*known == skeleton).then_some(*key as usize)
    }

    /// In the place of what was there.
    pub(super) fn put(&mut self, skeleton: u64, key: usize) {
        if self.slots.is_empty() {
            self.slots = vec![(0, 0); SLOTS];
        }
        if let (Some(slot), Ok(key)) =
            (self.slots.get_mut(skeleton as usize & (SLOTS - 1)), u32::try_from(key))
        {
            *slot = (skeleton, key);
        }
    }
}

/// The hash of a line in which every digit is a `0`.
#[inline]
pub(super) fn skeleton(line: &[u8]) -> u64 {
    let mut state = line.len() as u64 ^ 0x51_7c_c1_b7_27_22_0a_95;
    let mut chunks = line.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        state = super::mix(state, zeroed(word));
    }
    let rest = chunks.remainder();
    let mut last = [0_u8; 8];
    for (slot, byte) in last.iter_mut().zip(rest) {
        *slot = *byte;
    }
    super::mix(super::mix(state, zeroed(u64::from_le_bytes(last))), ONES)
}

/// Eight bytes at once: those from `0` to `9` become `0`.
#[inline]
fn zeroed(word: u64) -> u64 {
    let from_zero = word ^ (ONES * 0x30);
    // The high bit of a byte is set when its low seven bits are ten or more, or when it was set before.
    let others = ((from_zero & (ONES * 0x7f)) + ONES * 0x76) | from_zero;
    let digits = !others & (ONES * 0x80);
    // 0x80 -> 0x0f: the low half of a digit goes.
    let low_halves = (digits >> 7) * 0x0f;
    word & !low_halves
}

/// The hash of a line in which digits are zeros, and UUIDs and hexadecimal numbers that stand alone are one byte each;
/// nothing when it has none of these.
pub(super) fn plain_skeleton(line: &[u8], buffer: &mut Vec<u8>) -> Option<u64> {
    buffer.clear();
    let (mut at, mut copied) = (0, 0);
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.iter().position(|byte| class(*byte) & (SPACE | CUT) != 0).unwrap_or(rest.len());
        if let Some(mark) = rest.get(..length).and_then(stand_in) {
            buffer.extend_from_slice(line.get(copied..at).unwrap_or_default());
            buffer.push(mark);
            copied = at + length;
        }
        at += length + 1;
    }
    if copied == 0 {
        return None;
    }
    buffer.extend_from_slice(line.get(copied..).unwrap_or_default());
    Some(!skeleton(buffer))
}

/// What a word is masked as whatever its value is.
fn stand_in(word: &[u8]) -> Option<u8> {
    if word.len() < 8 {
        return None;
    }
    if super::value::is_uuid(word) {
        return Some(mark::UUID);
    }
    let (mut digits, mut letters) = (0, 0);
    for byte in word {
        match byte {
            b'0'..=b'9' => digits += 1,
            // Those that end numbers and durations are not taken: 12e5, 3d.
            b'a' | b'b' | b'c' | b'f' | b'A' | b'B' | b'C' | b'F' => letters += 1,
            b'd' | b'e' | b'D' | b'E' => {}
            _ => return None,
        }
    }
    // Nor is a number with a unit: 12345678b.
    let is_amount = word.split_last().is_some_and(|(_, number)| number.iter().all(u8::is_ascii_digit));
    (digits > 0 && letters > 0 && !is_amount).then_some(mark::HEX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_lose_their_values() {
        for byte in 0..=255_u8 {
            let expected = if byte.is_ascii_digit() { b'0' } else { byte };
            let word = u64::from_le_bytes([b'7', byte, b'a', byte, byte, b'/', b':', byte]);
            let zero = u64::from_le_bytes([b'0', expected, b'a', expected, expected, b'/', b':', expected]);
            assert_eq!(zeroed(word), zero, "{byte}");
        }
        let same = |a: &str, b: &str| skeleton(a.as_bytes()) == skeleton(b.as_bytes());
        assert!(same("took 123ms at 10.0.0.5", "took 456ms at 99.1.2.3"));
        assert!(!same("took 12ms", "took 123ms"));
        assert!(!same("abcdefgh1", "abcdefgi1"));
    }

    #[test]
    fn hexadecimal_numbers_stand_for_each_other_and_amounts_do_not() {
        assert_eq!(stand_in(b"aaa0a0aa"), Some(mark::HEX));
        assert_eq!(stand_in(b"0000000b"), None, "it has a unit");
        assert_eq!(stand_in(b"12345e10"), None, "it has an exponent");
    }
}
