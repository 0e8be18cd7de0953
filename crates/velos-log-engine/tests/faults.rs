//! Logs and indexes that are broken, changed while they are read, or of another time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::path::{Path, PathBuf};

use velos_log_engine::query::{Merged, Pattern, Reader, Window, last};
use velos_log_engine::{Follower, Stream};

/// A log of `count` lines, one record each, a microsecond apart from `first_us` on.
fn write(path: &Path, first: u64, count: u64, first_us: u64) {
    let (mut text, mut index) = (Vec::new(), vec![0_u8; 64]);
    index[..8].copy_from_slice(b"VLIX0001");
    for number in 0..count {
        let line = format!("line {}\n", first + number);
        let mut record = Vec::new();
        record.extend((text.len() as u64).to_le_bytes());
        record.extend((first_us + number).to_le_bytes());
        record.extend((line.len() as u32).to_le_bytes());
        record.extend(1_u32.to_le_bytes());
        record.extend([1, 0, 0, 0]);
        record.extend(crc32c::crc32c(&record).to_le_bytes());
        index.extend(record);
        text.extend(line.bytes());
    }
    std::fs::write(path, text).unwrap();
    std::fs::write(index_of(path), index).unwrap();
}

fn index_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.vix", path.display()))
}

fn count(reader: Reader) -> usize {
    let mut reader = reader;
    let mut lines = 0;
    while let Some(block) = reader.next_block().unwrap() {
        lines += block.lines().count();
    }
    lines
}

fn open(path: &Path, since_us: Option<u64>) -> Reader {
    Reader::open(path, Stream::Out, Window { since_us, until_us: None }).unwrap()
}

#[test]
fn an_index_that_is_torn_costs_times_and_no_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.log");
    write(&path, 0, 20, 1_000);
    let whole = std::fs::read(index_of(&path)).unwrap();
    for length in 0..whole.len() {
        std::fs::write(index_of(&path), &whole[..length]).unwrap();
        assert_eq!(count(open(&path, None)), 20, "cut at {length}");
        // What has no record was written later than what has one.
        assert!(count(open(&path, Some(1_010))) >= 10, "cut at {length}");
        assert_eq!(last(open(&path, None), 3, |_| true).unwrap().len(), 3);
    }
    for at in [3, 70, 100, 64 + 32 * 7 + 5] {
        let mut broken = whole.clone();
        broken[at] ^= 0x10;
        std::fs::write(index_of(&path), broken).unwrap();
        assert_eq!(count(open(&path, None)), 20, "flipped at {at}");
    }
    // Of a version to come.
    let mut newer = whole.clone();
    newer[..8].copy_from_slice(b"VLIX0002");
    std::fs::write(index_of(&path), newer).unwrap();
    assert_eq!(count(open(&path, None)), 20);
    std::fs::remove_file(index_of(&path)).unwrap();
    assert_eq!(count(open(&path, None)), 20);
    // Records beyond the end, after the log was cut.
    std::fs::write(index_of(&path), whole).unwrap();
    std::fs::write(&path, "line 0\nline 1\n").unwrap();
    assert_eq!(count(open(&path, None)), 2);
    assert_eq!(count(open(&path, Some(1_015))), 0);
}

#[test]
fn two_hundred_segments_with_some_of_them_gone_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x-out.log");
    for number in 0..200_u64 {
        write(&folder.path().join(format!("x-out.{}.log", number + 1)), number * 50, 50, number * 1_000);
    }
    write(&path, 10_000, 50, 200_000);
    assert_eq!(count(open(&path, None)), 201 * 50);
    assert_eq!(count(open(&path, Some(150_000))), 51 * 50);
    let lines = last(open(&path, None), 120, |_| true).unwrap();
    assert_eq!((lines.len(), lines[0].bytes.as_slice()), (120, &b"line 9930"[..]));
    // Rotation removes the oldest while somebody reads.
    let mut reader = open(&path, None);
    assert!(reader.next_block().unwrap().is_some());
    for number in 2..100 {
        std::fs::remove_file(folder.path().join(format!("x-out.{number}.log"))).unwrap();
    }
    assert_eq!(count(reader), 102 * 50);
    let pattern = Pattern::new("line 9[0-9]{3}$", false, false).unwrap();
    let mut merged = Merged::new(vec![open(&path, None)], Some(pattern)).unwrap();
    let mut found = 0;
    while merged.next_line().unwrap().is_some() {
        found += 1;
    }
    assert_eq!(found, 1_000);
}

#[test]
fn a_rotation_between_opening_and_reading_loses_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x-out.log");
    write(&path, 0, 10, 1_000);
    let reader = open(&path, None);
    std::fs::rename(&path, folder.path().join("x-out.1.log")).unwrap();
    write(&path, 10, 10, 2_000);
    assert_eq!(count(reader), 10, "the log as it was");
    assert_eq!(count(open(&path, None)), 20);
}

#[test]
fn the_past_and_what_follows_meet_without_a_gap() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x-out.log");
    write(&path, 0, 1_000, 1_000);
    let mut log = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    for round in 0..50_u64 {
        // Half a line stands there when somebody begins to look.
        write!(log, "half {round}").unwrap();
        let (_, mut follower) = Follower::after_tail(&path, Stream::Out, 0).unwrap();
        let past = Reader::before(&follower, Stream::Out, Window::default()).unwrap();
        writeln!(log, " whole\nnext {round}").unwrap();
        assert_eq!(count(past) as u64, 1_000 + 2 * round);
        let lines = follower.look().unwrap();
        let texts: Vec<_> =
            lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect();
        assert_eq!(texts, [format!("half {round} whole"), format!("next {round}")]);
    }
}
