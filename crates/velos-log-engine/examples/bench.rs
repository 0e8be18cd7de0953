//! How fast logs are read: `cargo run --release -p velos-log-engine --example bench [FOLDER] [MIB | FILE]`.
//!
//! Writes a log of so many MiB (256), or a copy of a file, with its index into a folder of its own, reads it in several ways,
//! and removes it.
//! Each figure is the best of three runs, one thread, with the file in the page cache. Where `rg` or `grep` is installed, it
//! searches the same file for the same words.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use velos_log_engine::Stream;
use velos_log_engine::level::Classifier;
use velos_log_engine::query::{Merged, Pattern, Reader, Window, last};
use velos_log_engine::summary::{Analyst, Period, Plan};
use velos_log_engine::template::Miner;

const BEGIN_US: u64 = 1_772_359_503_000_000;
/// Time between two index records.
const STEP_US: u64 = 2_000;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let what = arguments.next().unwrap_or_else(|| "256".to_owned());
    let lines: Box<dyn Iterator<Item = String>> = match what.parse::<u64>() {
        Ok(mib) => Box::new(service(mib << 20)),
        Err(_) => {
            let text = String::from_utf8_lossy(&std::fs::read(&what)?).into_owned();
            Box::new(text.lines().map(|line| format!("{line}\n")).collect::<Vec<_>>().into_iter())
        }
    };
    let folder = folder.join(format!("velos-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = run(&folder.join("bench-out.log"), lines);
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn run(log: &Path, lines: impl Iterator<Item = String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (bytes, lines) = write_log(log, lines)?;
    writeln!(out, "{} MB, {lines} lines", bytes / 1_000_000)?;
    let records = bytes / 65_536;
    let end_us = BEGIN_US + records * STEP_US;
    let open = |window| Reader::open(log, Stream::Out, window);
    let all = Window::default();
    let mut rate = |name: &str, time: Duration| {
        let seconds = time.as_secs_f64();
        writeln!(
            out,
            "{name:<42} {:>8.0} MB/s {:>6.1} M lines/s",
            bytes as f64 / 1e6 / seconds,
            lines as f64 / 1e6 / seconds
        )
    };
    rate(
        "read and count lines",
        best(|| {
            let mut reader = open(all)?;
            let mut count = 0;
            while let Some(block) = reader.next_block()? {
                count += block.lines().count();
            }
            Ok(count)
        })?,
    )?;
    rate(
        "levels",
        best(|| {
            let (mut reader, mut classifier, mut worst) = (open(all)?, Classifier::new(), 0);
            while let Some(block) = reader.next_block()? {
                worst += block.lines().map(|line| classifier.next(line.bytes).level as usize).sum::<usize>();
            }
            Ok(worst)
        })?,
    )?;
    rate(
        "levels, through the merge by time",
        best(|| {
            let (mut merged, mut classifier, mut worst) =
                (Merged::new(vec![open(all)?], None)?, Classifier::new(), 0);
            while let Some((_, line)) = merged.next_line()? {
                worst += classifier.next(line.bytes).level as usize;
            }
            Ok(worst)
        })?,
    )?;
    rate(
        "templates, first stage",
        best(|| {
            let (mut reader, mut miner) = (open(all)?, None);
            while let Some(block) = reader.next_block()? {
                let miner = miner.get_or_insert_with(|| {
                    Miner::learn(block.lines().map(|line| line.bytes).collect::<Vec<_>>().into_iter())
                });
                for line in block.lines() {
                    miner.add(line.bytes);
                }
            }
            Ok(miner.map_or(0, |miner: Miner| miner.keys()))
        })?,
    )?;
    rate(
        "summary",
        best(|| {
            let period = Period { label: "all".to_owned(), from_us: BEGIN_US, until_us: end_us };
            let mut analyst = Analyst::new(Plan { app: "bench".to_owned(), history_us: BEGIN_US, period });
            analyst.read(open(all)?)?;
            Ok(analyst.finish().patterns.len())
        })?,
    )?;
    for (name, pattern, ignores_case) in [
        ("literal", "payment 77777 refused", false),
        ("literal, any case", "PAYMENT 77777", true),
        ("regex", r"payment \d+7777 refused", false),
    ] {
        let count = || -> io::Result<usize> {
            let pattern = Pattern::new(pattern, ignores_case, false).map_err(io::Error::other)?;
            let mut merged = Merged::new(vec![open(all)?], Some(pattern))?;
            let mut count = 0;
            while merged.next_line()?.is_some() {
                count += 1;
            }
            Ok(count)
        };
        rate(&format!("filter: {name}"), best(count)?)?;
        for tool in [&["rg", "-j1", "--no-mmap", "-a", "-c"][..], &["grep", "-a", "-c", "-E"]] {
            let search = || {
                let Some((program, flags)) = tool.split_first() else { return Ok(0) };
                let mut command = Command::new(program);
                command.args(flags).env("LC_ALL", "C.UTF-8");
                if ignores_case {
                    command.arg("-i");
                }
                let pattern =
                    if tool.contains(&"-E") { pattern.replace(r"\d", "[0-9]") } else { pattern.to_owned() };
                // Into a pipe: grep stops early when nobody can see what it finds.
                command.arg(pattern).arg(log).output().map(|output| output.stdout.len())
            };
            // Not installed.
            if let Ok(time) = best(search) {
                rate(&format!("    the same with {}", tool.first().unwrap_or(&"")), time)?;
            }
        }
    }
    let time = best(|| Ok(last(open(all)?, 100, |_| true)?.len()))?;
    writeln!(out, "last 100 lines                             {:>8.2} ms", time.as_secs_f64() * 1e3)?;
    let window = Window { since_us: Some(BEGIN_US + (end_us - BEGIN_US) / 2), until_us: None };
    let time = best(|| Ok(open(window)?.next_block()?.map_or(0, |block| block.bytes().len())))?;
    writeln!(out, "seek to the middle, first block            {:>8.2} ms", time.as_secs_f64() * 1e3)
}

fn best(mut run: impl FnMut() -> io::Result<usize>) -> io::Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let begin = Instant::now();
        std::hint::black_box(run()?);
        best = best.min(begin.elapsed());
    }
    Ok(best)
}

/// What a service prints that talks much, with some warnings and few errors, until it is so many bytes.
fn service(bytes: u64) -> impl Iterator<Item = String> {
    let (mut state, mut printed, mut lines) = (1_u64, 0, 0_u64);
    std::iter::from_fn(move || {
        if printed >= bytes {
            return None;
        }
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (a, b) = (state >> 48, state >> 33);
        let (level, text) = match a % 200 {
            0..=119 => ("INFO ", format!("Request GET /api/orders/{b} handled in {}ms status=200", a % 900)),
            120..=159 => {
                ("INFO ", format!("Cache miss for key u{b}x{a}, loading from 10.0.{}.{}", a % 250, b % 250))
            }
            160..=193 => {
                ("DEBUG", format!("worker {} took job {b} from queue mail after {}ms", a % 16, b % 77))
            }
            194..=198 => ("WARN ", format!("Slow query on table orders: {a}ms")),
            _ => ("ERROR", format!("payment {} refused by 10.1.2.{}: code={}", b % 100_000, a % 250, a % 7)),
        };
        let (minute, second, ms) = (lines / 60_000 % 60, lines / 1_000 % 60, lines % 1_000);
        let line = format!("2026-03-01T10:{minute:02}:{second:02}.{ms:03}Z {level} [api] {text}\n");
        printed += line.len() as u64;
        lines += 1;
        Some(line)
    })
}

/// With its index; bytes and lines.
fn write_log(path: &Path, text: impl Iterator<Item = String>) -> io::Result<(u64, u64)> {
    let mut log = io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    let mut index = vec![0_u8; 64];
    if let Some(magic) = index.get_mut(..8) {
        magic.copy_from_slice(b"VLIX0001");
    }
    let (mut offset, mut lines, mut time_us) = (0_u64, 0_u64, BEGIN_US);
    let (mut from, mut from_lines) = (0, 0);
    for line in text {
        log.write_all(line.as_bytes())?;
        offset += line.len() as u64;
        lines += 1;
        if offset - from >= 65_536 {
            let mut record = Vec::with_capacity(32);
            record.extend(from.to_le_bytes());
            record.extend(time_us.to_le_bytes());
            record.extend(((offset - from) as u32).to_le_bytes());
            record.extend(((lines - from_lines) as u32).to_le_bytes());
            record.extend([1, 0, 0, 0]);
            record.extend(crc32c::crc32c(&record).to_le_bytes());
            index.extend(record);
            (from, from_lines) = (offset, lines);
            time_us += STEP_US;
        }
    }
    log.flush()?;
    let mut name = path.as_os_str().to_owned();
    name.push(".vix");
    std::fs::write(name, index)?;
    Ok((offset, lines))
}
