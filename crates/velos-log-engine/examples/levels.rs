//! The level of each line, one word per line: `levels [FILE]`.

use std::io::{self, Read, Write};

use velos_log_engine::level::Classifier;

fn main() -> io::Result<()> {
    let mut bytes = Vec::new();
    match std::env::args_os().nth(1) {
        Some(path) => std::fs::File::open(path)?.read_to_end(&mut bytes)?,
        None => io::stdin().lock().read_to_end(&mut bytes)?,
    };
    let mut classifier = Classifier::new();
    let mut out = Vec::with_capacity(bytes.len() / 16);
    for line in velos_log_engine::lines(&bytes) {
        out.extend_from_slice(classifier.next(line).level.name().as_bytes());
        out.push(b'\n');
    }
    io::stdout().lock().write_all(&out)
}
