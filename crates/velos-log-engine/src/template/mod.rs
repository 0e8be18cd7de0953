//! Finds the patterns behind lines: `Request handled in <N>ms`.
//!
//! Stage 1 sees every line: the header that the source was found to have is skipped, one pass over byte classes replaces
//! what varies, and the hash of what is left, the key, finds its place in a table. Stage 2 sees distinct keys only: those
//! that differ in values alone become one template. Both give the same for any order of the lines.
//!
//! The idea of masking before grouping is that of Drain's preprocessing (He et al., ICWS 2017); the test for values in one
//! place follows the token-position statistics of IPLoM (Makanju et al., KDD 2009).

mod brackets;
mod coarse;
mod codes;
mod grid;
mod header;
mod key;
mod lists;
mod mask;
mod merge;
mod miner;
mod names;
mod shape;
mod skeleton;
mod value;

pub use header::Header;
pub use miner::{Miner, Template};

pub(crate) use key::render;
pub(crate) use mask::mask;

/// The same for lines that only differ in their headers and values.
pub fn similarity(line: &[u8]) -> u64 {
    let line = crate::ansi::strip(line);
    let mut key = Vec::with_capacity(line.len());
    mask(&crate::errors::message(&line), &mut key);
    hash(&key)
}

/// 64 bits of a folded multiplication per 8 bytes; not for adversaries, tables are bounded.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut state = bytes.len() as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        state = mix(state, word);
    }
    let mut last = [0_u8; 8];
    for (slot, byte) in last.iter_mut().zip(chunks.remainder()) {
        *slot = *byte;
    }
    mix(mix(state, u64::from_le_bytes(last)), 0xe703_7ed1_a0b4_28db)
}

pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x2d35_8dcc_aa6c_78a5) * u128::from(b ^ 0x8bb8_4b93_962e_acc9);
    (product as u64) ^ ((product >> 64) as u64)
}
