//! Reading windows of logs over many segments, compared with the plainest way to do it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use velos_log_engine::query::{Merged, Pattern, Reader, Window, last, last_matching};
use velos_log_engine::{Stream, tail};

/// Record by record, as the daemon writes it.
fn write_log(path: &Path, pieces: &[(Vec<u8>, u64, u8)]) {
    let (mut text, mut index) = (Vec::new(), vec![0_u8; 64]);
    index[..8].copy_from_slice(b"VLIX0001");
    for (piece, time_us, stream) in pieces {
        let mut record = Vec::new();
        record.extend((text.len() as u64).to_le_bytes());
        record.extend(time_us.to_le_bytes());
        record.extend((piece.len() as u32).to_le_bytes());
        record.extend((piece.iter().filter(|byte| **byte == b'\n').count() as u32).to_le_bytes());
        record.extend([*stream, 0, 0, 0]);
        record.extend(crc32c::crc32c(&record).to_le_bytes());
        index.extend(record);
        text.extend_from_slice(piece);
    }
    std::fs::write(path, text).unwrap();
    std::fs::write(format!("{}.vix", path.display()), index).unwrap();
}

fn compress(path: &Path) {
    let text = std::fs::read(path).unwrap();
    let frames: Vec<u8> =
        text.chunks(3_000).flat_map(|chunk| compress_to_vec(chunk, CompressionLevel::Fastest)).collect();
    std::fs::write(format!("{}.zst", path.display()), frames).unwrap();
    std::fs::remove_file(path).unwrap();
}

fn texts(log: &Path, window: Window) -> Vec<(Option<u64>, String)> {
    let mut reader = Reader::open(log, Stream::Out, window).unwrap();
    let mut found = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        for line in block.lines() {
            found.push((line.time_us, String::from_utf8_lossy(line.bytes).into_owned()));
        }
    }
    found
}

struct Log {
    _folder: tempfile::TempDir,
    path: PathBuf,
    /// Every line with the time of its first byte.
    lines: Vec<(Option<u64>, String)>,
}

/// Segments made of pieces that do not end where lines do.
fn log(lengths: &[u16], cut: usize, segments: usize, packed: bool) -> Log {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x-out.log");
    let mut lines = Vec::new();
    let mut time_us = 1_000;
    for number in 0..segments {
        let mut text = Vec::new();
        let mut starts = Vec::new();
        for (n, length) in lengths.iter().enumerate() {
            starts.push(text.len());
            text.extend(format!("{number}.{n} {}\n", "x".repeat(usize::from(*length))).bytes());
        }
        let pieces: Vec<_> = text
            .chunks(cut)
            .map(|piece| {
                time_us += 10;
                (piece.to_vec(), time_us, 1)
            })
            .collect();
        let first = pieces.first().map_or(0, |piece| piece.1);
        for (start, line) in starts.iter().zip(text.split(|byte| *byte == b'\n')) {
            let at = first + (start / cut) as u64 * 10;
            lines.push((Some(at), String::from_utf8(line.to_vec()).unwrap()));
        }
        let is_live = number + 1 == segments;
        let file =
            if is_live { path.clone() } else { folder.path().join(format!("x-out.{}.log", number + 1)) };
        write_log(&file, &pieces);
        if packed && !is_live {
            compress(&file);
        }
    }
    Log { _folder: folder, path, lines }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_window_holds_the_lines_that_begin_in_it(
        lengths in prop::collection::vec(0_u16..600, 1..60),
        cut in 1_usize..900,
        segments in 1_usize..5,
        packed: bool,
        since in 0_u64..3_000,
        width in 0_u64..2_000,
        count in 0_usize..40,
    ) {
        let log = log(&lengths, cut, segments, packed);
        prop_assert_eq!(&texts(&log.path, Window::default()), &log.lines);
        let window = Window { since_us: Some(since), until_us: Some(since + width) };
        let expected: Vec<_> = log.lines.iter().filter(|(time, _)| window.contains(time.unwrap())).cloned().collect();
        prop_assert_eq!(&texts(&log.path, window), &expected);
        let mut merged = Merged::new(vec![Reader::open(&log.path, Stream::Out, window).unwrap()], None).unwrap();
        let mut through = Vec::new();
        while let Some((_, line)) = merged.next_line().unwrap() {
            through.push((line.time_us, String::from_utf8_lossy(line.bytes).into_owned()));
        }
        prop_assert_eq!(&through, &expected);
        let pattern = Pattern::new("[02468] x*$", false, false).unwrap();
        let is_even = |text: &str| text.split(' ').next().unwrap().ends_with(['0', '2', '4', '6', '8']);
        let mut merged =
            Merged::new(vec![Reader::open(&log.path, Stream::Out, window).unwrap()], Some(pattern)).unwrap();
        let mut matched = Vec::new();
        while let Some((_, line)) = merged.next_line().unwrap() {
            matched.push((line.time_us, String::from_utf8_lossy(line.bytes).into_owned()));
        }
        let even: Vec<_> = expected.iter().filter(|(_, text)| is_even(text)).cloned().collect();
        prop_assert_eq!(&matched, &even);
        // From the end, all and some.
        for modulo in [1, 3] {
            let wants = |bytes: &[u8]| bytes.len().is_multiple_of(modulo);
            let reader = Reader::open(&log.path, Stream::Out, window).unwrap();
            let found: Vec<String> = last(reader, count, |line| wants(line.bytes))
                .unwrap()
                .into_iter()
                .map(|line| String::from_utf8(line.bytes).unwrap())
                .collect();
            let mut wanted: Vec<String> =
                expected.iter().map(|(_, text)| text.clone()).filter(|text| wants(text.as_bytes())).collect();
            wanted.drain(..wanted.len().saturating_sub(count));
            prop_assert_eq!(found, wanted);
        }
    }
}

#[test]
fn streams_of_two_files_and_of_one_merge_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("x-out.log"), folder.path().join("x-error.log"));
    let piece = |text: &str, time_us, stream| (text.as_bytes().to_vec(), time_us, stream);
    write_log(&out, &[piece("a\nb\n", 10, 1), piece("e\n", 40, 1)]);
    write_log(&err, &[piece("c\n", 20, 2), piece("d\n", 30, 2), piece("f", 50, 2)]);
    let readers = [(&out, Stream::Out), (&err, Stream::Err)]
        .map(|(path, stream)| Reader::open(path, stream, Window::default()).unwrap());
    let mut merged = Merged::new(readers.into(), None).unwrap();
    let mut text = String::new();
    while let Some((number, line)) = merged.next_line().unwrap() {
        text.push_str(&format!("{number}{} ", String::from_utf8_lossy(line.bytes)));
    }
    assert_eq!(text, "0a 0b 1c 1d 0e 1f ");
    let both = folder.path().join("both.log");
    write_log(
        &both,
        &[piece("long ", 10, 1), piece("err\n", 20, 2), piece("line\n", 30, 1), piece("x\n", 40, 2)],
    );
    let all: Vec<String> = texts(&both, Window::default()).into_iter().map(|(_, text)| text).collect();
    assert_eq!(all, ["err", "long line", "x"]);
    let window = Window { since_us: Some(20), until_us: Some(20) };
    assert_eq!(texts(&both, window), [(Some(20), "err".to_owned())]);
}

#[test]
fn a_search_over_blocks_finds_what_one_line_by_line_finds() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("x.log");
    let mut text = String::new();
    for n in 0..20_000_u32 {
        match n % 13 {
            0 => text.push('\n'),
            1 => text.push_str(&format!("windows line {n}\r\n")),
            2 => text.push_str(&format!("Slow query {n} took {}ms, skipped\n", n.wrapping_mul(7919) % 5000)),
            3 if n % 39 == 3 => text.push_str(&format!("\x1b[31mre\x1b[0mfused {n}\n")),
            _ => text.push_str(&format!("GET /api/items/{n} handled in {}ms\n", n % 97)),
        }
        // Blocks without colours are searched in another way.
        if n == 15_000 {
            text = text.replace('\x1b', "e");
        }
    }
    text.push_str("the last line 19 has no end");
    std::fs::write(&log, &text).unwrap();
    for (pattern, any_case, is_inverted) in [
        ("handled in 9ms", false),
        ("SLOW query 1\\d*5 ", true),
        ("skip{2}ed", true),
        ("items/1999[0-9]|refused 1", false),
        ("^$", false),
        ("^", false),
        ("$", false),
        ("x*", false),
        ("line \\d+$", false),
        ("line \\d+\\s", false),
        ("\\A(windows|the)", false),
        ("9ms\\z", false),
        ("[^a]+\\d{4}ms", false),
        ("(?s)1.*GET", false),
        ("ms\nGET", false),
        ("(?i)TOOK [0-3]{3}ms", false),
        ("\\bno\\w end", false),
        ("no end$", false),
        ("zzz", true),
    ]
    .into_iter()
    .flat_map(|(pattern, any_case)| [(pattern, any_case, false), (pattern, any_case, true)])
    {
        let pattern = Pattern::new(pattern, any_case, is_inverted).unwrap();
        let reader = || Reader::open(&log, Stream::Out, Window::default()).unwrap();
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        let mut merged = Merged::new(vec![reader()], Some(pattern.clone())).unwrap();
        while let Some((_, line)) = merged.next_line().unwrap() {
            found.push(line.bytes.to_vec());
        }
        let mut all = Merged::new(vec![reader()], None).unwrap();
        while let Some((_, line)) = all.next_line().unwrap() {
            expected.extend(Some(line.bytes.to_vec()).filter(|line| pattern.wants(line)));
        }
        assert!(found == expected, "{pattern:?}: {} instead of {}", found.len(), expected.len());
        let ends: Vec<_> = last_matching(reader(), 9, Some(&pattern), |_| true).unwrap();
        let ends: Vec<_> = ends.into_iter().map(|line| line.bytes).collect();
        assert_eq!(ends, expected[expected.len().saturating_sub(9)..], "{pattern:?}");
    }
}

#[test]
fn without_an_index_the_lines_tell_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.log");
    std::fs::write(
        &path,
        "2026-03-01T10:00:00Z one\n  more of one\n2026-03-01T11:00:00Z two\n  more of two\n2026-03-01T12:00:00Z three\n",
    )
    .unwrap();
    let hour = 1_772_362_800_000_000; // 11:00
    let window = Window { since_us: Some(hour), until_us: Some(hour + 1) };
    let found: Vec<String> = texts(&path, window).into_iter().map(|(_, text)| text).collect();
    assert_eq!(found, ["2026-03-01T11:00:00Z two", "  more of two"]);
    // A file that was not written since holds nothing.
    let window = Window { since_us: Some(u64::MAX / 2), until_us: None };
    assert!(texts(&path, window).is_empty());
}

#[test]
fn huge_lines_binary_bytes_and_a_log_that_shrinks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.log");
    let huge = vec![b'y'; 10 << 20];
    let mut bytes: Vec<u8> = (0..=255_u8).filter(|byte| *byte != b'\n').collect();
    bytes.push(b'\n');
    bytes.extend(&huge);
    bytes.extend(b"\nlast");
    std::fs::write(&path, &bytes).unwrap();
    let mut reader = Reader::open(&path, Stream::Out, Window::default()).unwrap();
    let mut lengths = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        lengths.extend(block.lines().map(|line| line.bytes.len()));
    }
    assert_eq!(lengths, [255, 10 << 20, 4]);
    let reader = Reader::open(&path, Stream::Out, Window::default()).unwrap();
    assert_eq!(last(reader, 2, |_| true).unwrap()[0].bytes.len(), 10 << 20);
    let mut reader = Reader::open(&path, Stream::Out, Window::default()).unwrap();
    std::fs::write(&path, "short\n").unwrap();
    let block = reader.next_block().unwrap().unwrap();
    assert_eq!(block.lines().next().unwrap().bytes, b"short");
    assert!(reader.next_block().unwrap().is_none());
}

#[test]
fn a_line_longer_than_memory_comes_in_pieces_from_either_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.log");
    std::fs::write(&path, "first\n").unwrap();
    let file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    // Holes, which are zero bytes.
    file.set_len(200 << 20).unwrap();
    std::io::Write::write_all(&mut &file, b"\nlast\n").unwrap();
    let open = || Reader::open(&path, Stream::Out, Window::default()).unwrap();
    let lengths = |lines: Vec<velos_log_engine::Line>| -> Vec<usize> {
        lines.iter().map(|line| line.bytes.len()).collect()
    };
    let found = lengths(last(open(), 3, |_| true).unwrap());
    assert_eq!((found.len(), found[2]), (3, 4));
    assert!(found.iter().all(|length| *length <= 33 << 20), "{found:?}");
    // None of its bytes is lost.
    let found = lengths(last(open(), 1_000, |_| true).unwrap());
    assert_eq!(found.iter().sum::<usize>(), (200 << 20) - 1 + 4, "{found:?}");
    let found = lengths(tail(&path, Stream::Out, 15).unwrap());
    assert!(found.iter().sum::<usize>() <= 65 << 20 && found.last() == Some(&4), "{found:?}");
}
