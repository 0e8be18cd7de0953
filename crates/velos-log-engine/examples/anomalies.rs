//! Unusual times in counts per minute: CSV on stdin or in a file (`minute,count`, with or without a header, or only the
//! counts), one episode a line out: `start,end,kind,count,expected,sigma`.
//!
//! Minutes that are missing had nothing.

use std::io::{self, Read, Write};

use velos_log_engine::anomaly::{Kind, episodes};

fn main() -> io::Result<()> {
    let mut text = String::new();
    match std::env::args_os().nth(1) {
        Some(path) => std::fs::File::open(path)?.read_to_string(&mut text)?,
        None => io::stdin().lock().read_to_string(&mut text)?,
    };
    let mut rows: Vec<(String, u32)> = Vec::new();
    for (number, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let (minute, count) = line.rsplit_once([',', ';', '\t']).unwrap_or(("", line));
        match count.trim().parse::<f64>() {
            Ok(count) => rows.push((minute.trim().to_owned(), count.round().clamp(0.0, 4e9) as u32)),
            // A header.
            Err(_) if number == 0 => {}
            Err(_) => return Err(io::Error::other(format!("line {}: \"{count}\" is no count", number + 1))),
        }
    }
    // Numbered minutes may have gaps; other names of minutes are taken as they follow.
    let numbers: Option<Vec<usize>> = rows.iter().map(|(minute, _)| minute.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| {
        numbers.is_sorted()
            && numbers.last().zip(numbers.first()).is_some_and(|(last, first)| last - first < 10_000_000)
    });
    let first = numbers.as_ref().and_then(|numbers| numbers.first().copied()).unwrap_or(0);
    let mut counts = Vec::new();
    for (at, (_, count)) in rows.iter().enumerate() {
        let place = numbers.as_ref().and_then(|numbers| numbers.get(at)).map_or(at, |minute| minute - first);
        counts.resize(counts.len().max(place + 1), 0);
        if let Some(slot) = counts.get_mut(place) {
            *slot += *count;
        }
    }
    let name = |minute: usize| match &numbers {
        Some(_) => (minute + first).to_string(),
        None => rows
            .get(minute)
            .map(|(name, _)| name.clone())
            .filter(|name| !name.is_empty())
            .unwrap_or(minute.to_string()),
    };
    let mut out = io::stdout().lock();
    for episode in episodes(&counts) {
        let kind = if episode.kind == Kind::Spike { "spike" } else { "silence" };
        let (start, end) = (name(episode.start), name(episode.end));
        writeln!(out, "{start},{end},{kind},{},{:.1},{:.1}", episode.count, episode.expected, episode.sigma)?;
    }
    Ok(())
}
