//! The errors in raw lines, one JSON document per different error, the most frequent first: `errors [FILE]`.
//!
//! `first` and `last` are line numbers from 1; `first_us` and `last_us` are there when the lines tell their times.

use std::io::{self, BufRead, BufReader, Read, Write};

use velos_log_engine::errors::Errors;
use velos_log_engine::level::Classifier;
use velos_log_engine::query::own_time;
use velos_log_engine::{Stream, ansi};

fn main() -> io::Result<()> {
    let input: Box<dyn Read> = match std::env::args_os().nth(1) {
        Some(path) => Box::new(std::fs::File::open(path)?),
        None => Box::new(io::stdin().lock()),
    };
    let (mut classifier, mut errors) = (Classifier::new(), Errors::new());
    let (mut input, mut line, mut time_us) = (BufReader::new(input), Vec::new(), None);
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        time_us = own_time(&ansi::strip(text)).or(time_us);
        errors.add(text, classifier.next(text), time_us, Stream::Err);
        line.clear();
    }
    let mut out = io::stdout().lock();
    for group in errors.into_sorted() {
        let document = serde_json::json!({
            "fingerprint": group.fingerprint,
            "type": group.kind,
            "message": group.message,
            "count": group.count,
            "first": group.first_line,
            "last": group.last_line,
            "first_us": group.first_us,
            "last_us": group.last_us,
            "sample": group.sample,
        });
        writeln!(out, "{document}")?;
    }
    Ok(())
}
