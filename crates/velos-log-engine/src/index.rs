//! The `.vix` index: 64 bytes of header, then records of 32 bytes, little-endian; `docs/logs.md` gives the fields.

use std::path::{Path, PathBuf};

const HEADER_BYTES: usize = 64;
const RECORD_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"VLIX0001";

/// Bytes of a log that were written at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where they begin.
    pub offset: u64,
    /// When, microseconds since 1970.
    pub time_us: u64,
    /// How many.
    pub len: u32,
    /// Newlines among them.
    pub lines: u32,
    /// 1 out, 2 err, 0 unknown.
    pub stream: u8,
    /// See `docs/logs.md`.
    pub flags: u8,
}

/// Path of the index of a log.
pub(crate) fn index_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".vix");
    PathBuf::from(name)
}

/// The good records of a log's index, in order; empty when there is none or it is of another version.
pub fn read_index(log: &Path) -> Vec<Record> {
    let Ok(bytes) = std::fs::read(index_path(log)) else { return Vec::new() };
    let Some((header, records)) = bytes.split_at_checked(HEADER_BYTES) else { return Vec::new() };
    if !header.starts_with(MAGIC) {
        return Vec::new();
    }
    records.chunks_exact(RECORD_BYTES).map_while(decode).collect()
}

fn decode(bytes: &[u8]) -> Option<Record> {
    let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let long = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    if word(28)? != crc32c::crc32c(bytes.get(..28)?) {
        return None;
    }
    Some(Record {
        offset: long(0)?,
        time_us: long(8)?,
        len: word(16)?,
        lines: word(20)?,
        stream: *bytes.get(24)?,
        flags: *bytes.get(25)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_record_is_read_and_a_torn_one_is_not() {
        let mut bytes =
            vec![1u8, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1, 8, 0, 0];
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        let expected = Record { offset: 1, time_us: 2, len: 3, lines: 4, stream: 1, flags: 8 };
        assert_eq!(decode(&bytes), Some(expected));
        bytes[3] ^= 1;
        assert_eq!(decode(&bytes), None);
    }
}
