//! The `.vix` index: 64 bytes of header, then records of 32 bytes, little-endian; `docs/logs.md` gives the fields.
//!
//! The daemon writes a record after the bytes it is about and replaces the whole index when a log is emptied, so a
//! reader takes what is whole, and begins again when the header changes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const HEADER_BYTES: usize = 64;
const RECORD_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"VLIX0001";
/// Records that are read at once.
const BLOCK_RECORDS: usize = 2_048;

/// What can be special about the bytes of a record.
pub mod flag {
    /// They begin inside a line.
    pub const STARTS_INSIDE: u8 = 1;
    /// They end inside a line.
    pub const ENDS_INSIDE: u8 = 2;
    /// The clock went back before them.
    pub const CLOCK_STEPPED: u8 = 4;
    /// The process was started before them.
    pub const STARTED: u8 = 8;
    /// Lines were lost before them.
    pub const DROPPED_BEFORE: u8 = 16;
    /// Nobody knows when they were written; the time is that of the look.
    pub const RECOVERED: u8 = 32;
}

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
    /// See [`flag`].
    pub flags: u8,
}

impl Record {
    /// Offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.len))
    }
}

/// The good records of a log's index so far, in order of offset.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    header: Vec<u8>,
    records: Vec<Record>,
    read_bytes: u64,
    newest_us: Option<u64>,
    /// All flags of all records.
    flags: u8,
    is_in_order: bool,
    /// Bit 1 out, bit 2 err.
    streams: u8,
}

impl Index {
    /// Of this log. A missing index, or one of another version, is empty.
    pub fn of(log: &Path) -> Self {
        let mut name = log.as_os_str().to_owned();
        name.push(".vix");
        let mut index = Self {
            path: name.into(),
            header: Vec::new(),
            records: Vec::new(),
            read_bytes: 0,
            newest_us: None,
            flags: 0,
            is_in_order: true,
            streams: 0,
        };
        index.refresh();
        index
    }

    /// Read what was added since the last look.
    pub fn refresh(&mut self) {
        // No index, no times; the lines are there all the same.
        let Ok(file) = File::open(&self.path) else { return };
        let mut header = [0u8; HEADER_BYTES];
        let is_ours = file.read_exact_at(&mut header, 0).is_ok() && header.starts_with(MAGIC);
        if !is_ours {
            self.forget();
            self.header.clear();
            return;
        }
        if self.header != header {
            self.header = header.to_vec();
            self.forget();
            self.read_bytes = HEADER_BYTES as u64;
        }
        let mut block = vec![0u8; BLOCK_RECORDS * RECORD_BYTES];
        while let Ok(length) = file.read_at(&mut block, self.read_bytes) {
            let whole = block.get(..length).unwrap_or_default().chunks_exact(RECORD_BYTES);
            let records = self.records.len();
            self.records.extend(whole.map_while(decode));
            let taken = self.records.len() - records;
            self.take_note(records);
            self.read_bytes += (taken * RECORD_BYTES) as u64;
            // A torn record is mended or cut by the daemon; it is looked at again then.
            if taken < BLOCK_RECORDS {
                return;
            }
        }
    }

    fn forget(&mut self) {
        self.records.clear();
        (self.flags, self.streams, self.is_in_order) = (0, 0, true);
    }

    /// What is said of all records at once, after some were added.
    fn take_note(&mut self, from: usize) {
        let mut last_us =
            from.checked_sub(1).and_then(|at| self.records.get(at)).map_or(0, |last| last.time_us);
        for record in self.records.get(from..).unwrap_or_default() {
            self.flags |= record.flags;
            self.streams |= 1_u8.checked_shl(u32::from(record.stream)).unwrap_or(0);
            self.is_in_order &= record.time_us >= last_us;
            last_us = record.time_us;
        }
    }

    /// Whether any record has this flag.
    pub(crate) fn has_flag(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether no time is before the one of the record before.
    pub(crate) fn is_in_order(&self) -> bool {
        self.is_in_order
    }

    /// Whether both streams write to this log.
    pub(crate) fn is_shared(&self) -> bool {
        self.streams & 0b110 == 0b110
    }

    /// Number of the segment it is about.
    pub(crate) fn segment(&self) -> Option<u64> {
        self.header.get(8..16)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// All records.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// A record comes a moment after its bytes: what lies beyond the last one was written when the file was.
    pub(crate) fn set_newest(&mut self, written: Option<SystemTime>) {
        let since = written.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        self.newest_us = since.and_then(|since| u64::try_from(since.as_micros()).ok());
    }

    /// When the bytes beyond the last record were written, as far as that is known.
    pub(crate) fn newest_us(&self) -> Option<u64> {
        self.newest_us.filter(|_| !self.header.is_empty())
    }

    /// The record that covers a byte, or else how far it is to the next that begins.
    pub(crate) fn at(&self, offset: u64) -> Result<&Record, u64> {
        let after = self.records.partition_point(|record| record.offset <= offset);
        let before = after.checked_sub(1).and_then(|at| self.records.get(at));
        match before {
            Some(record) if offset < record.end() => Ok(record),
            _ => Err(self.records.get(after).map_or(u64::MAX, |next| next.offset - offset)),
        }
    }
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

/// Makes index files for tests, byte by byte as the daemon does.
#[cfg(test)]
pub(crate) mod made {
    use super::*;

    pub(crate) fn record(record: Record) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(record.offset.to_le_bytes());
        bytes.extend(record.time_us.to_le_bytes());
        bytes.extend(record.len.to_le_bytes());
        bytes.extend(record.lines.to_le_bytes());
        bytes.extend([record.stream, record.flags, 0, 0]);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    pub(crate) fn header(created_us: u64) -> Vec<u8> {
        let mut bytes = vec![0u8; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[16..24].copy_from_slice(&created_us.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// A log and its index: pieces of text, each with its time and stream.
    pub(crate) fn log(path: &Path, pieces: &[(&str, u64, u8)]) {
        let mut text = String::new();
        let mut index = header(1);
        for (piece, time_us, stream) in pieces {
            let lines = piece.matches('\n').count() as u32;
            let (offset, len) = (text.len() as u64, piece.len() as u32);
            index.extend(record(Record { offset, time_us: *time_us, len, lines, stream: *stream, flags: 0 }));
            text.push_str(piece);
        }
        std::fs::write(path, text).unwrap();
        std::fs::write(format!("{}.vix", path.display()), index).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> Vec<u8> {
        // Offset 1, time 2, 3 bytes, 4 lines, stream 1, flags 8, and the checksum of these.
        let mut bytes =
            vec![1u8, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1, 8, 0, 0];
        bytes.extend([0x67, 0xc9, 0xc0, 0xac]);
        bytes
    }

    #[test]
    fn the_golden_record_is_read() {
        let expected = Record { offset: 1, time_us: 2, len: 3, lines: 4, stream: 1, flags: flag::STARTED };
        assert_eq!(decode(&golden()), Some(expected));
        assert_eq!(made::record(expected), golden());
    }

    #[test]
    fn each_flipped_bit_is_noticed() {
        for bit in 0..RECORD_BYTES * 8 {
            let mut torn = golden();
            torn[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&torn), None, "bit {bit}");
        }
    }

    #[test]
    fn torn_missing_foreign_and_growing_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let path = folder.path().join("x.log.vix");
        assert!(Index::of(&log).records().is_empty(), "missing");
        std::fs::write(&path, b"VLIX").unwrap();
        assert!(Index::of(&log).records().is_empty(), "half a header");
        std::fs::write(&path, [b'x'; 500]).unwrap();
        assert!(Index::of(&log).records().is_empty(), "another format");

        let record = |offset| Record { offset, time_us: 5, len: 2, lines: 1, stream: 1, flags: 0 };
        let mut bytes = made::header(1);
        bytes.extend(made::record(record(0)));
        let second = made::record(record(2));
        bytes.extend(&second[..20]);
        std::fs::write(&path, &bytes).unwrap();
        let mut index = Index::of(&log);
        assert_eq!(index.records(), [record(0)], "the torn record is left out");
        bytes.extend(&second[20..]);
        std::fs::write(&path, &bytes).unwrap();
        index.refresh();
        assert_eq!(index.records(), [record(0), record(2)], "and read once it is whole");

        let mut again = made::header(2);
        again.extend(made::record(record(9)));
        std::fs::write(&path, &again).unwrap();
        index.refresh();
        assert_eq!(index.records(), [record(9)], "a new header begins anew");
        assert_eq!(index.at(10), Ok(&record(9)));
        assert_eq!(index.at(4), Err(5));
        assert_eq!(index.at(11), Err(u64::MAX));
    }
}
