//! Compressed segments: zstd frames one after the other, each for itself, so that any place is a few frames away.
//!
//! The places of the frames are found by walking over the headers of their blocks (RFC 8878, 3.1.1), without
//! decompressing anything. One frame is kept decompressed: readers go on where they were.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use ruzstd::decoding::StreamingDecoder;

const MAGIC: u32 = 0xFD2F_B528;
/// Bytes of a frame that are looked at to know its header.
const HEADER_BYTES: usize = 18;
/// A frame of ours holds 256 KiB. A bigger one than this is not worth the memory.
const FRAME_BYTES_MAX: u64 = 64 << 20;

#[derive(Clone, Copy, Debug)]
struct Frame {
    at: u64,
    length: u64,
    content_at: u64,
    content_length: u64,
}

/// A compressed file, read as if it were not.
#[derive(Debug)]
pub(crate) struct Packed {
    file: File,
    frames: Vec<Frame>,
    /// Number and content of the frame that was read last.
    kept: Option<(usize, Vec<u8>)>,
}

impl Packed {
    /// A frame that is torn at the end of the file is left out.
    pub(crate) fn open(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let (mut at, mut content_at) = (0, 0);
        let mut frames = Vec::new();
        while at < size {
            let Some(walked) = walk(&file, at)? else { break };
            if at + walked.length > size {
                break;
            }
            let content_length = match walked.content_length {
                Some(length) if length > FRAME_BYTES_MAX => return Err(too_big()),
                Some(length) => length,
                None => unpack(&file, at, walked.length)?.len() as u64,
            };
            if content_length > 0 {
                frames.push(Frame { at, length: walked.length, content_at, content_length });
            }
            content_at += content_length;
            at += walked.length;
        }
        Ok(Self { file, frames, kept: None })
    }

    /// Bytes of the content.
    pub(crate) fn size(&self) -> u64 {
        self.frames.last().map_or(0, |last| last.content_at + last.content_length)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Up to the end of a frame.
    pub(crate) fn read_at(&mut self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let after = self.frames.partition_point(|frame| frame.content_at <= offset);
        let Some(number) = after.checked_sub(1) else { return Ok(0) };
        let Some(frame) = self.frames.get(number).copied() else { return Ok(0) };
        if self.kept.as_ref().is_none_or(|(kept, _)| *kept != number) {
            self.kept = Some((number, unpack(&self.file, frame.at, frame.length)?));
        }
        let content = self.kept.as_ref().map_or(&[][..], |(_, content)| content);
        let skip = usize::try_from(offset - frame.content_at).unwrap_or(usize::MAX);
        let rest = content.get(skip..).unwrap_or_default();
        let length = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        Ok(length)
    }
}

/// Writes the size of the content into the header of a frame that does not tell it (RFC 8878, 3.1.1.1): whoever opens the
/// file then knows where everything is without decompressing.
pub(crate) fn with_content_size(mut frame: Vec<u8>, length: usize) -> Vec<u8> {
    let Ok(length) = u32::try_from(length) else { return frame };
    let tells_nothing = little(&frame, 0, 4) == Some(u64::from(MAGIC))
        && frame.get(4).is_some_and(|flags| flags & 0b1110_0011 == 0);
    if tells_nothing && frame.len() > 6 {
        if let Some(flags) = frame.get_mut(4) {
            // Four bytes, behind the window's size.
            *flags |= 0b1000_0000;
        }
        frame.splice(6..6, length.to_le_bytes());
    }
    frame
}

struct Walked {
    length: u64,
    /// As far as the header tells.
    content_length: Option<u64>,
}

/// The frame at an offset, or nothing if it is torn or none.
fn walk(file: &File, at: u64) -> io::Result<Option<Walked>> {
    let mut header = [0_u8; HEADER_BYTES];
    let got = read_some(file, &mut header, at)?;
    let header = header.get(..got).unwrap_or_default();
    let Some(magic) = little(header, 0, 4) else { return Ok(None) };
    if magic & 0xFFFF_FFF0 == 0x184D_2A50 {
        let length = little(header, 4, 4);
        return Ok(length.map(|length| Walked { length: length + 8, content_length: Some(0) }));
    }
    if magic != u64::from(MAGIC) {
        return Ok(None);
    }
    let Some(descriptor) = header.get(4).copied() else { return Ok(None) };
    let is_single = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
    let size_at = 5 + usize::from(!is_single) + dictionary;
    let (size_bytes, add) = match descriptor >> 6 {
        0 if is_single => (1, 0),
        0 => (0, 0),
        1 => (2, 256),
        2 => (4, 0),
        _ => (8, 0),
    };
    let content_length =
        (size_bytes > 0).then(|| little(header, size_at, size_bytes)).flatten().map(|size| size + add);
    let mut next = at + (size_at + size_bytes) as u64;
    loop {
        let mut block = [0_u8; 3];
        if read_some(file, &mut block, next)? < block.len() {
            return Ok(None);
        }
        let block = little(&block, 0, 3).unwrap_or(0);
        let size = if block >> 1 & 3 == 1 { 1 } else { block >> 3 };
        next += 3 + size;
        if block & 1 == 1 {
            break;
        }
    }
    let checksum = if descriptor & 4 != 0 { 4 } else { 0 };
    Ok(Some(Walked { length: next + checksum - at, content_length }))
}

fn little(bytes: &[u8], at: usize, count: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + count)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn read_some(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = out.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + got as u64)? {
            0 => break,
            length => got += length,
        }
    }
    Ok(got)
}

fn unpack(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    if length > FRAME_BYTES_MAX {
        return Err(too_big());
    }
    let mut packed = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut packed, at)?;
    let broken = |error: &dyn std::fmt::Display| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a compressed frame at byte {at} is broken: {error}"),
        )
    };
    let decoder = StreamingDecoder::new(packed.as_slice()).map_err(|error| broken(&error))?;
    let mut content = Vec::new();
    decoder.take(FRAME_BYTES_MAX + 1).read_to_end(&mut content).map_err(|error| broken(&error))?;
    if content.len() as u64 > FRAME_BYTES_MAX {
        return Err(too_big());
    }
    Ok(content)
}

fn too_big() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "it was compressed as one frame of more than 64 MiB, not by velos; decompress it with `zstd -d`",
    )
}

#[cfg(test)]
pub(crate) mod made {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    /// Frames of so many bytes each, as the daemon makes them.
    pub(crate) fn frames(content: &[u8], step: usize) -> Vec<u8> {
        let frame = |(number, chunk): (usize, &[u8])| {
            let frame = compress_to_vec(chunk, CompressionLevel::Fastest);
            // With and without the size of the content.
            if number % 2 == 0 { super::with_content_size(frame, chunk.len()) } else { frame }
        };
        content.chunks(step).enumerate().flat_map(frame).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(bytes: &[u8]) -> Packed {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log.zst");
        std::fs::write(&path, bytes).unwrap();
        Packed::open(File::open(path).unwrap()).unwrap()
    }

    #[test]
    fn any_place_of_many_frames_is_read() {
        let content: Vec<u8> = (0..60_000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let mut bytes = made::frames(&content, 10_000);
        let whole = bytes.len();
        // A skippable frame, then one that is torn.
        bytes.extend([0x50, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 9, 9]);
        bytes.extend(bytes.clone().iter().take(whole / 100));
        let mut packed = opened(&bytes);
        assert!(packed.size() >= content.len() as u64);
        for offset in [0, 9_999, 10_000, 123_456, content.len() - 3] {
            let mut out = [0; 3];
            let length = packed.read_at(&mut out, offset as u64).unwrap();
            assert!(length > 0);
            assert_eq!(out[..length], content[offset..offset + length]);
        }
        assert_eq!(packed.read_at(&mut [0; 3], u64::MAX).unwrap(), 0);
    }

    #[test]
    fn the_size_is_told_in_the_header() {
        let content = b"hello world\n".repeat(10_000);
        let frame =
            ruzstd::encoding::compress_to_vec(&content[..], ruzstd::encoding::CompressionLevel::Fastest);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.zst");
        std::fs::write(&path, with_content_size(frame, content.len())).unwrap();
        let walked = walk(&File::open(&path).unwrap(), 0).unwrap().unwrap();
        assert_eq!(walked.content_length, Some(content.len() as u64));
        assert_eq!(unpack(&File::open(&path).unwrap(), 0, walked.length).unwrap(), content);
        // Where there is the original, it agrees.
        if let Ok(output) = std::process::Command::new("zstd").arg("-dc").arg(&path).output() {
            assert!(output.status.success() && output.stdout == content);
        }
    }

    #[test]
    fn what_is_not_compressed_has_no_content_and_a_flipped_byte_is_an_error_at_most() {
        assert_eq!(opened(b"plain text\n").size(), 0);
        let good = made::frames(&b"hello world\n".repeat(1_000), 4_000);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.log.zst");
            std::fs::write(&path, bad).unwrap();
            if let Ok(mut packed) = Packed::open(File::open(path).unwrap()) {
                let _ = packed.read_at(&mut [0; 100], 5);
            }
        }
    }
}
