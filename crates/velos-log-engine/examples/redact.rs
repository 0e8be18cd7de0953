//! Lines without their secrets: `redact [FILE]`.

use std::io::{self, Read, Write};

use velos_log_engine::redact::Redactor;

const BLOCK_BYTES: usize = 1 << 20;

fn main() -> io::Result<()> {
    let mut input: Box<dyn Read> = match std::env::args_os().nth(1) {
        Some(path) => Box::new(std::fs::File::open(path)?),
        None => Box::new(io::stdin().lock()),
    };
    let mut output = io::stdout().lock();
    let mut redactor = Redactor::new();
    let (mut block, mut held, mut out) = (vec![0_u8; BLOCK_BYTES], Vec::new(), Vec::new());
    loop {
        let length = input.read(&mut block)?;
        let bytes = block.get(..length).unwrap_or_default();
        // Whole lines only; the end of input ends a line.
        let cut = if length == 0 {
            0
        } else {
            bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
        };
        let (whole, rest) = bytes.split_at(cut);
        if cut > 0 || length == 0 {
            held.extend_from_slice(whole);
            out.clear();
            redactor.block(&held, &mut out);
            output.write_all(&out)?;
            held.clear();
        }
        if length == 0 {
            return output.flush();
        }
        held.extend_from_slice(rest);
    }
}
