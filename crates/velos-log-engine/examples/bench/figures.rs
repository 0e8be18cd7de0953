//! Reads a log in several ways and tells how fast.

use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use velos_log_engine::Stream;
use velos_log_engine::level::{Classifier, Level};
use velos_log_engine::query::{Merged, Pattern, Reader, Window, last};
use velos_log_engine::redact::Redactor;
use velos_log_engine::summary::{Analyst, Period, Plan};
use velos_log_engine::template::Miner;

use super::log::{BEGIN_US, end_us};

const ROUNDS: usize = 5;

/// Print all figures of a log.
pub(crate) fn measure(log: &Path, is_json: bool) -> io::Result<()> {
    let mut sheet = Sheet { out: io::stdout().lock(), is_json, bytes: 0, lines: 0 };
    let open = || Reader::open(log, Stream::Out, Window::default());
    let mut reader = open()?;
    while let Some(block) = reader.next_block()? {
        sheet.bytes += block.bytes().len() as u64;
        sheet.lines += block.lines().count() as u64;
    }
    let end_us = end_us(sheet.bytes);
    read(&mut sheet, &open, end_us)?;
    search(&mut sheet, &open, log)?;
    sheet.length("last 100 lines", || Ok(last(open()?, 100, |_| true)?.len()))?;
    let window = Window { since_us: Some(BEGIN_US + (end_us - BEGIN_US) / 2), until_us: None };
    sheet.length("seek to the middle, first block", || {
        let mut reader = Reader::open(log, Stream::Out, window)?;
        Ok(reader.next_block()?.map_or(0, |block| block.bytes().len()))
    })
}

/// What goes through all lines.
fn read(sheet: &mut Sheet<'_>, open: &impl Fn() -> io::Result<Reader>, end_us: u64) -> io::Result<()> {
    sheet.rate("read and count lines", || {
        let (mut reader, mut count) = (open()?, 0);
        while let Some(block) = reader.next_block()? {
            count += block.lines().count();
        }
        Ok(count)
    })?;
    sheet.rate("levels", || {
        let (mut reader, mut classifier, mut count) = (open()?, Classifier::new(), 0);
        while let Some(block) = reader.next_block()? {
            count += block.lines().filter(|line| classifier.next(line.bytes).level >= Level::Error).count();
        }
        Ok(count)
    })?;
    sheet.rate("levels, through the merge by time", || {
        let (mut merged, mut classifier, mut count) =
            (Merged::new(vec![open()?], None)?, Classifier::new(), 0);
        while let Some((_, line)) = merged.next_line()? {
            count += usize::from(classifier.next(line.bytes).level >= Level::Error);
        }
        Ok(count)
    })?;
    sheet.rate("templates, first stage", || {
        let (mut reader, mut miner) = (open()?, None);
        while let Some(block) = reader.next_block()? {
            let miner = miner.get_or_insert_with(|| {
                Miner::learn(block.lines().map(|line| line.bytes).collect::<Vec<_>>().into_iter())
            });
            for line in block.lines() {
                miner.add(line.bytes);
            }
        }
        Ok(miner.map_or(0, |miner: Miner| miner.keys()))
    })?;
    sheet.rate("summary", || {
        let period = Period { label: "all".to_owned(), from_us: BEGIN_US, until_us: end_us };
        let mut analyst = Analyst::new(Plan { app: "bench".to_owned(), history_us: BEGIN_US, period });
        analyst.read(open()?)?;
        Ok(analyst.finish().patterns.len())
    })?;
    sheet.rate("redaction", || {
        let (mut reader, mut redactor, mut out, mut bytes) = (open()?, Redactor::new(), Vec::new(), 0);
        while let Some(block) = reader.next_block()? {
            out.clear();
            redactor.block(block.bytes(), &mut out);
            bytes += out.len();
        }
        Ok(bytes)
    })
}

/// What looks for some of them.
fn search(sheet: &mut Sheet<'_>, open: &impl Fn() -> io::Result<Reader>, log: &Path) -> io::Result<()> {
    for (name, pattern, ignores_case) in [
        ("literal", "payment 17777 refused", false),
        ("any case", "PAYMENT 17777", true),
        ("regex", r"payment \d+7777 refused", false),
    ] {
        sheet.rate(&format!("filter: {name}"), || {
            let pattern = Pattern::new(pattern, ignores_case, false).map_err(io::Error::other)?;
            let (mut merged, mut count) = (Merged::new(vec![open()?], Some(pattern))?, 0);
            while merged.next_line()?.is_some() {
                count += 1;
            }
            Ok(count)
        })?;
        if !sheet.is_json {
            others(sheet, log, pattern, ignores_case)?;
        }
    }
    Ok(())
}

/// The same search with other programs, as far as they are installed.
fn others(sheet: &mut Sheet<'_>, log: &Path, pattern: &str, ignores_case: bool) -> io::Result<()> {
    for (program, flags) in [("rg", &["-j1", "-a", "-c"][..]), ("grep", &["-a", "-c", "-E"])] {
        let pattern = if program == "grep" { pattern.replace(r"\d", "[0-9]") } else { pattern.to_owned() };
        let mut command = Command::new(program);
        command.args(flags).env("LC_ALL", "C.UTF-8");
        if ignores_case {
            command.arg("-i");
        }
        command.arg(pattern).arg(log);
        if command.output().is_ok() {
            // Into a pipe: grep stops early when nobody can see what it finds.
            sheet.rate(&format!("    the same with {program}"), || Ok(command.output()?.stdout.len()))?;
        }
    }
    Ok(())
}

struct Sheet<'a> {
    out: io::StdoutLock<'a>,
    is_json: bool,
    bytes: u64,
    lines: u64,
}

impl Sheet<'_> {
    fn rate(&mut self, name: &str, run: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
        let seconds = best(run)?.as_secs_f64();
        let (mb, lines) = (self.bytes as f64 / 1e6 / seconds, self.lines as f64 / 1e6 / seconds);
        if self.is_json {
            let document = serde_json::json!({ "name": name, "mb_per_s": mb, "million_lines_per_s": lines });
            return writeln!(self.out, "{document}");
        }
        writeln!(self.out, "{name:<42} {mb:>8.0} MB/s {lines:>6.1} M lines/s")
    }

    fn length(&mut self, name: &str, run: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
        let ms = best(run)?.as_secs_f64() * 1e3;
        if self.is_json {
            return writeln!(self.out, "{}", serde_json::json!({ "name": name, "ms": ms }));
        }
        writeln!(self.out, "{name:<42} {ms:>8.2} ms")
    }
}

fn best(mut run: impl FnMut() -> io::Result<usize>) -> io::Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        std::hint::black_box(run()?);
        best = best.min(begin.elapsed());
    }
    Ok(best)
}
