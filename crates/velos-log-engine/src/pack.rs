//! Closed segments become smaller: zstd frames of 256 KiB each, so that a reader gets to any place, and `zstdcat` reads
//! the whole.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::segments;

/// Content of one frame, bytes.
const FRAME: usize = 256 * 1024;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Segments.
    pub segments: u32,
    /// Their bytes before.
    pub before: u64,
    /// And after.
    pub after: u64,
}

/// Compress the closed segments of a log with a number below `below`; what is compressed already stays. Their indexes
/// keep their names.
///
/// # Errors
/// A segment cannot be read or written. Those before it are done; it is left as it was.
pub fn pack(log: &Path, below: u64) -> io::Result<Packed> {
    let mut done = Packed::default();
    for segment in segments::closed(log)? {
        let is_plain = segment.path.extension().is_some_and(|end| end == "log");
        if segment.number >= below || !is_plain {
            continue;
        }
        let (before, after) = match pack_one(&segment.path) {
            Ok(sizes) => sizes,
            // Retention was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        done.segments += 1;
        done.before += before;
        done.after += after;
    }
    Ok(done)
}

fn pack_one(plain: &Path) -> io::Result<(u64, u64)> {
    let named = |end: &str| {
        let mut name = plain.as_os_str().to_owned();
        name.push(end);
        std::path::PathBuf::from(name)
    };
    let (fresh, packed) = (named(".zst.new"), named(".zst"));
    let mut source = File::open(plain)?;
    let written = write_frames(&mut source, &fresh);
    let (before, after) = written.inspect_err(|_| drop(std::fs::remove_file(&fresh)))?;
    // Complete under its name before the other goes: a reader finds one of the two.
    std::fs::rename(&fresh, &packed)?;
    if let Err(error) = std::fs::remove_file(plain)
        && error.kind() == io::ErrorKind::NotFound
    {
        // Retention removed it meanwhile, so this one is too old as well.
        std::fs::remove_file(&packed)?;
    }
    Ok((before, after))
}

fn write_frames(source: &mut File, fresh: &Path) -> io::Result<(u64, u64)> {
    let mode = source.metadata()?.permissions();
    let mut sink = File::create(fresh)?;
    sink.set_permissions(mode)?;
    let (mut before, mut after) = (0, 0);
    let mut block = Vec::with_capacity(FRAME);
    loop {
        block.clear();
        Read::by_ref(source).take(FRAME as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            break;
        }
        let frame = compress_to_vec(block.as_slice(), CompressionLevel::Fastest);
        let frame = crate::zstd::with_content_size(frame, block.len());
        sink.write_all(&frame)?;
        before += block.len() as u64;
        after += frame.len() as u64;
    }
    sink.sync_all()?;
    Ok((before, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stream, tail};

    #[test]
    fn what_was_compressed_reads_as_before() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("api-out.log");
        let text = |from: u32| -> String {
            (from..from + 20_000).map(|n| format!("request {n} handled in {}ms\n", n % 97)).collect()
        };
        std::fs::write(folder.path().join("api-out.1.log"), text(0)).unwrap();
        std::fs::write(folder.path().join("api-out.2.log"), text(20_000)).unwrap();
        std::fs::write(folder.path().join("api-out.3.log"), text(40_000)).unwrap();
        std::fs::write(&log, "last\n").unwrap();
        let before = tail(&log, Stream::Out, 70_000).unwrap();
        let done = pack(&log, 3).unwrap();
        assert_eq!(done.segments, 2);
        assert!(done.after * 3 < done.before, "{done:?}");
        assert!(
            !folder.path().join("api-out.1.log").exists() && folder.path().join("api-out.3.log").exists()
        );
        assert_eq!(tail(&log, Stream::Out, 70_000).unwrap(), before);
        assert_eq!(pack(&log, 3).unwrap(), Packed::default(), "nothing is left to do");
    }
}
