//! From bytes to lines: cuts at newlines, and tells streams apart when two share a file.
//!
//! A long line, or one that was not finished for a while, comes in pieces. In a file of one stream they stand side by
//! side; in a shared file the other stream may have come between them, which the index tells. Either way a line is given
//! out once its newline is there.

use crate::index::Index;
use crate::line::{LINE_BYTES_MAX, Line, Stream};

/// What stands of lines that have not ended.
#[derive(Debug)]
pub(crate) struct Splitter {
    /// Of bytes that no record is about.
    stream: Stream,
    open: [Option<Line>; 2],
}

impl Splitter {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, open: [None, None] }
    }

    /// The next bytes, which begin at `offset` of the log.
    pub(crate) fn feed(&mut self, bytes: &[u8], offset: u64, index: &Index, lines: &mut Vec<Line>) {
        let mut rest = bytes;
        let mut at = offset;
        while !rest.is_empty() {
            let (stream, time_us, span) = match index.at(at) {
                Ok(record) => {
                    let stream = match record.stream {
                        1 => Stream::Out,
                        2 => Stream::Err,
                        _ => self.stream,
                    };
                    (stream, Some(record.time_us), record.end() - at)
                }
                Err(u64::MAX) => (self.stream, index.newest_us(), u64::MAX),
                Err(distance) => (self.stream, None, distance),
            };
            let span = usize::try_from(span).unwrap_or(usize::MAX).min(rest.len());
            let (piece, after) = rest.split_at(span);
            self.cut(piece, stream, time_us, lines);
            at += span as u64;
            rest = after;
        }
    }

    fn cut(&mut self, bytes: &[u8], stream: Stream, time_us: Option<u64>, lines: &mut Vec<Line>) {
        let [out, err] = &mut self.open;
        let slot = if stream == Stream::Out { out } else { err };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut line = slot.take().unwrap_or_else(|| Line { time_us, stream, bytes: Vec::new() });
            match piece.strip_suffix(b"\n") {
                Some(text) => {
                    line.bytes.extend_from_slice(text);
                    lines.push(line);
                }
                None => {
                    line.bytes.extend_from_slice(piece);
                    if line.bytes.len() >= LINE_BYTES_MAX {
                        lines.push(line);
                    } else {
                        *slot = Some(line);
                    }
                }
            }
        }
    }

    /// No more bytes: what is open is a line too.
    pub(crate) fn finish(&mut self, lines: &mut Vec<Line>) {
        lines.extend(self.open.iter_mut().filter_map(Option::take));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::made;

    #[test]
    fn a_line_that_never_ends_is_given_out_in_pieces() {
        let (mut splitter, mut lines) = (Splitter::new(Stream::Out), Vec::new());
        let block = vec![b'x'; 1 << 20];
        for n in 0..40_u64 {
            splitter.feed(&block, n << 20, &Index::of(std::path::Path::new("/nowhere/x.log")), &mut lines);
        }
        splitter.finish(&mut lines);
        let lengths: Vec<_> = lines.iter().map(|line| line.bytes.len() >> 20).collect();
        assert_eq!(lengths, [16, 16, 8]);
    }

    #[test]
    fn pieces_of_two_streams_in_one_file_are_joined() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        made::log(&log, &[("long ", 1, 1), ("error\n", 2, 2), ("line\nnext", 3, 1)]);
        let bytes = std::fs::read(&log).unwrap();
        // In one go, and byte by byte.
        for step in [bytes.len(), 1] {
            let (mut splitter, mut lines) = (Splitter::new(Stream::Out), Vec::new());
            for (number, piece) in bytes.chunks(step).enumerate() {
                splitter.feed(piece, (number * step) as u64, &Index::of(&log), &mut lines);
            }
            splitter.finish(&mut lines);
            let seen: Vec<_> = lines
                .iter()
                .map(|line| (line.time_us, line.stream, String::from_utf8_lossy(&line.bytes).into_owned()))
                .collect();
            let expected = [
                (Some(2), Stream::Err, "error".to_owned()),
                (Some(1), Stream::Out, "long line".to_owned()),
                (Some(3), Stream::Out, "next".to_owned()),
            ];
            assert_eq!(seen, expected, "step {step}");
        }
    }
}
