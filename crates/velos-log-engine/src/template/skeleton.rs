//! A short cut: lines that differ in their digits alone have the same key.
//!
//! The hash of a line with every digit taken for a `0` costs a few instructions per eight bytes. A small table remembers the
//! key of each such hash, so that most lines of most logs are never masked.

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
}
