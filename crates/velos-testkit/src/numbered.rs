//! Output whose every byte is known beforehand, so that a lost, doubled or changed one is seen.

use std::path::{Path, PathBuf};

/// Line `number`: its number in ten digits, padded to `size` bytes with the newline when that is larger.
pub fn line(number: u64, size: usize) -> Vec<u8> {
    let mut line = format!("{number:010}").into_bytes();
    while line.len() + 1 < size {
        line.push(b'a' + (number % 26) as u8);
    }
    line.push(b'\n');
    line
}

/// The last line after `count` lines.
pub fn end(count: u64) -> Vec<u8> {
    format!("end {count}\n").into_bytes()
}

/// Lines of pseudo-random length and content, `bytes` in all, without a newline at the end.
pub fn burst(bytes: usize) -> Vec<u8> {
    // xorshift64 (Marsaglia, 2003): the same on both sides without a file in between.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut content = Vec::with_capacity(bytes);
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.push(if state.is_multiple_of(61) { b'\n' } else { b' ' + (state >> 8) as u8 % 95 });
    }
    if let Some(last) = content.last_mut() {
        *last = b'.';
    }
    content
}

/// One line of `bytes` bytes and a newline.
pub fn long_line(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| b'a' + (n / 7 % 26) as u8).chain([b'\n']).collect()
}

/// All bytes of a log: rotated segments, oldest first, then the live file.
pub fn whole_log(live: &Path) -> Vec<u8> {
    segments(live).iter().flat_map(|path| std::fs::read(path).unwrap_or_default()).collect()
}

/// `name.log` is the live file, `name.N.log` are rotated segments, where a greater N is younger.
fn segments(live: &Path) -> Vec<PathBuf> {
    let name = live.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = name.strip_suffix(".log").unwrap_or(&name).to_owned();
    let folder = live.parent().unwrap_or(Path::new("/"));
    let mut rotated: Vec<(u64, PathBuf)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = name.strip_prefix(&stem)?.strip_prefix('.')?.strip_suffix(".log")?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    rotated.sort();
    rotated.into_iter().map(|(_, path)| path).chain([live.to_path_buf()]).collect()
}

/// How many numbered lines a log holds, each once and in order. The error names the first that is not as it should be.
pub fn check(log: &[u8], size: usize) -> Result<u64, String> {
    let mut expected = 0;
    let mut runs = 0;
    for found in log.split_inclusive(|byte| *byte == b'\n') {
        if let Some(count) = found.strip_prefix(b"end ") {
            let count = String::from_utf8_lossy(count).trim().parse::<u64>().map_err(|error| error.to_string())?;
            if count != expected {
                return Err(format!("the program wrote {count} lines, the log has {expected}"));
            }
            runs += 1;
            if runs > 1 {
                return Err("the last line is there twice".to_owned());
            }
            continue;
        }
        expected += 1;
        if found != line(expected, size) {
            let found = String::from_utf8_lossy(&found[..found.len().min(40)]);
            return Err(format!("line {expected} reads {found:?}"));
        }
    }
    Ok(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_or_doubled_is_seen() {
        let log = |numbers: &[u64]| numbers.iter().flat_map(|number| line(*number, 20)).collect::<Vec<u8>>();
        assert_eq!(check(&log(&[1, 2, 3]), 20), Ok(3));
        assert_eq!(check(&[log(&[1, 2]), end(2)].concat(), 20), Ok(2));
        assert!(check(&log(&[1, 3]), 20).is_err());
        assert!(check(&log(&[1, 2, 2]), 20).is_err());
        assert!(check(&[log(&[1]), end(2)].concat(), 20).is_err());
        assert!(check(&[log(&[1]), end(1), end(1)].concat(), 20).is_err());
        assert!(check(&log(&[1, 2])[..30], 20).is_err());
        assert_eq!(line(1, 20).len(), 20);
        assert_eq!(burst(1_000).len(), 1_000);
        assert_eq!(long_line(10), b"aaaaaaabbb\n");
    }
}
