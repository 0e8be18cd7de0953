//! Brackets that belong together.

/// Length up to the bracket that closes the first one, which is in front; `None` where none does within `most` bytes.
pub(super) fn closing(text: &[u8], open: u8, close: u8, most: usize) -> Option<usize> {
    let mut depth = 0_u32;
    for (n, byte) in text.iter().take(most).enumerate() {
        if *byte == open {
            depth += 1;
        } else if *byte == close {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(n + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_closes_the_first() {
        assert_eq!(closing(b"(a (b) c) d", b'(', b')', 99), Some(9));
        assert_eq!(closing(b"(a (b) c) d", b'(', b')', 8), None);
        assert_eq!(closing(b"(a", b'(', b')', 99), None);
        assert_eq!(closing(b") (a)", b'(', b')', 99), None);
        assert_eq!(closing(b"", b'(', b')', 99), None);
    }
}
