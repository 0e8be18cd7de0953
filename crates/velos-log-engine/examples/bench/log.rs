//! A log to read: what a service prints, with the index that the daemon would have written.

use std::io::{self, Write};
use std::path::Path;

/// When the first line was written.
pub(crate) const BEGIN_US: u64 = 1_772_359_503_000_000;
/// Time between two index records.
const STEP_US: u64 = 2_000;
/// What one index record is about.
const RECORD_BYTES: u64 = 65_536;

/// When the last line of a log of so many bytes was written.
pub(crate) fn end_us(bytes: u64) -> u64 {
    BEGIN_US + bytes / RECORD_BYTES * STEP_US
}

/// What a service prints that talks much, with some warnings and few errors, until it is so many bytes.
pub(crate) fn service(bytes: u64) -> impl Iterator<Item = String> {
    let (mut state, mut printed, mut lines) = (1_u64, 0, 0_u64);
    std::iter::from_fn(move || {
        if printed >= bytes {
            return None;
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (a, b) = (state >> 48, state >> 33);
        let (level, text) = match a % 200 {
            0..=119 => ("INFO ", format!("Request GET /api/orders/{b} handled in {}ms status=200", a % 900)),
            120..=159 => {
                ("INFO ", format!("Cache miss for key u{b}x{a}, loading from 10.0.{}.{}", a % 250, b % 250))
            }
            160..=193 => {
                ("DEBUG", format!("worker {} took job {b} from queue mail after {}ms", a % 16, b % 77))
            }
            194..=198 => ("WARN ", format!("Slow query on table orders: {a}ms")),
            _ => ("ERROR", format!("payment {} refused by 10.1.2.{}: code={}", b % 100_000, a % 250, a % 7)),
        };
        let (minute, second, ms) = (lines / 60_000 % 60, lines / 1_000 % 60, lines % 1_000);
        let line = format!("2026-03-01T10:{minute:02}:{second:02}.{ms:03}Z {level} [api] {text}\n");
        printed += line.len() as u64;
        lines += 1;
        Some(line)
    })
}

/// With its index.
pub(crate) fn write(path: &Path, text: impl Iterator<Item = String>) -> io::Result<()> {
    let mut log = io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    let mut index = vec![0_u8; 64];
    if let Some(magic) = index.get_mut(..8) {
        magic.copy_from_slice(b"VLIX0001");
    }
    let (mut offset, mut lines, mut time_us) = (0_u64, 0_u64, BEGIN_US);
    let (mut from, mut from_lines) = (0, 0);
    for line in text {
        log.write_all(line.as_bytes())?;
        offset += line.len() as u64;
        lines += 1;
        if offset - from >= RECORD_BYTES {
            let mut record = Vec::with_capacity(32);
            record.extend(from.to_le_bytes());
            record.extend(time_us.to_le_bytes());
            record.extend(((offset - from) as u32).to_le_bytes());
            record.extend(((lines - from_lines) as u32).to_le_bytes());
            record.extend([1, 0, 0, 0]);
            record.extend(crc32c::crc32c(&record).to_le_bytes());
            index.extend(record);
            (from, from_lines) = (offset, lines);
            time_us += STEP_US;
        }
    }
    log.flush()?;
    let mut name = path.as_os_str().to_owned();
    name.push(".vix");
    std::fs::write(name, index)
}
