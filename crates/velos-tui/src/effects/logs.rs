//! Logs straight from disk: the last lines, then what comes.

use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use velos_log_engine::level::Classifier;
use velos_log_engine::redact::Redactor;
use velos_log_engine::{Follower, Line, Stream, Watcher, Woken, merge, neutralise};

use crate::logs::{LINES_MAX, LogLine};
use crate::msg::{LogBatch, LogSource, Msg};

#[cfg(test)]
mod tests;

/// Lines of each stream that are read first.
const PAST: usize = 1_500;
/// Before a log is read for the first time.
const CALM: Duration = Duration::from_millis(30);
/// Of a longer line the rest is not shown.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// Between two looks at a log that does not stop growing.
const PAUSE: Duration = Duration::from_millis(50);
/// And while it grows faster than anybody reads.
const PAUSE_FAST: Duration = Duration::from_millis(250);
/// Of more bytes than this between two looks only the last lines are read.
const GROWTH_MAX: u64 = 512 * 1024;
/// So many of each stream.
const PAST_FAST: usize = 300;
/// Two new files in this time are too much to be read whole, too.
const ROTATIONS_APART: Duration = Duration::from_secs(2);

/// Reads the logs of one process at a time.
pub(super) struct Reader {
    send: Sender<Msg>,
    reading: Option<Reading>,
}

/// Dropped, it ends: the thread sleeps on the other end of the pipe.
struct Reading {
    is_over: Arc<AtomicBool>,
    _wake: PipeReader,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl Reader {
    pub(super) fn new(send: &Sender<Msg>) -> Self {
        Self { send: send.clone(), reading: None }
    }

    /// These, and the ones before no longer.
    pub(super) fn follow(&mut self, source: Option<LogSource>) {
        self.reading = None;
        let Some(source) = source else { return };
        let send = self.send.clone();
        let is_over = Arc::new(AtomicBool::new(false));
        let (wake, sleeper) = match io::pipe() {
            Ok(pipe) => pipe,
            Err(error) => return failed(&send, source.generation, &error),
        };
        self.reading = Some(Reading { is_over: is_over.clone(), _wake: wake });
        std::thread::spawn(move || {
            let generation = source.generation;
            // Who goes through the list looks at the last one only.
            std::thread::sleep(CALM);
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            if let Err(error) = read(&source, &send, &is_over, &sleeper) {
                failed(&send, generation, &error);
            }
        });
    }

    /// Look at them as a whole.
    pub(super) fn digest(&self, source: LogSource) {
        let send = self.send.clone();
        std::thread::spawn(move || {
            let now_us = u64::try_from(super::now_ms()).unwrap_or(0).saturating_mul(1_000);
            let msg = match super::digest::read(&source, &files(&source), now_us) {
                Ok(digest) => Msg::Digest(source.generation, Box::new(digest)),
                Err(error) => Msg::LogFailed(source.generation, error.to_string()),
            };
            // Nobody hears it only when the process ends.
            let _ = send.send(msg);
        });
    }
}

fn failed(send: &Sender<Msg>, generation: u64, error: &io::Error) {
    // Nobody hears it only when the process ends.
    let _ = send.send(Msg::LogFailed(generation, error.to_string()));
}

/// The files with their streams; one file for both is read once.
fn files(source: &LogSource) -> Vec<(PathBuf, Stream)> {
    let mut files = vec![(source.out.clone(), Stream::Out)];
    if source.err != source.out {
        files.push((source.err.clone(), Stream::Err));
    }
    files.retain(|(path, _)| !path.as_os_str().is_empty());
    files
}

/// One file and what is known of its lines so far.
struct Source {
    path: PathBuf,
    stream: Stream,
    follower: Follower,
    classifier: Classifier,
    redactor: Option<Redactor>,
    growth: Growth,
}

impl Source {
    fn open(path: &Path, stream: Stream, redact: bool) -> io::Result<(Vec<Line>, Self)> {
        let (lines, follower) = Follower::after_tail(path, stream, PAST)?;
        let source = Self {
            path: path.to_path_buf(),
            stream,
            follower,
            classifier: Classifier::new(),
            redactor: redact.then(Redactor::new),
            growth: Growth::of(path),
        };
        Ok((lines, source))
    }

    /// What was added; only the end of it when that is too much.
    fn look(&mut self, skipped: &mut bool) -> io::Result<Vec<Line>> {
        if self.growth.is_too_much(&self.path) {
            *skipped = true;
            let (lines, follower) = Follower::after_tail(&self.path, self.stream, PAST_FAST)?;
            self.follower = follower;
            return Ok(lines);
        }
        self.follower.look()
    }

    fn shown(&mut self, line: &Line, hidden: &mut u64) -> LogLine {
        let level = self.classifier.next(&line.bytes).level;
        let bytes = match &mut self.redactor {
            Some(redactor) => {
                let before = redactor.hidden();
                let bytes = redactor.line(&line.bytes);
                *hidden += u64::from(redactor.hidden() > before);
                bytes
            }
            None => (&line.bytes).into(),
        };
        let seen = bytes.get(..LINE_BYTES_MAX).unwrap_or(&bytes);
        let mut text = neutralise(seen, false).replace('\t', "    ");
        if bytes.len() > seen.len() {
            text.push_str(&format!(" ... and {} bytes more", bytes.len() - seen.len()));
        }
        LogLine { time_us: line.time_us, is_err: line.stream == Stream::Err, level, text }
    }
}

/// How fast a log grows.
struct Growth {
    bytes: u64,
    inode: u64,
    rotated: Option<Instant>,
}

impl Growth {
    fn of(path: &Path) -> Self {
        let meta = std::fs::metadata(path);
        let (bytes, inode) = meta.map_or((0, 0), |meta| (meta.len(), meta.ino()));
        Self { bytes, inode, rotated: None }
    }

    /// Whether more came since the last look than is worth reading.
    fn is_too_much(&mut self, path: &Path) -> bool {
        let before = std::mem::replace(self, Self::of(path));
        if self.inode == before.inode || before.inode == 0 {
            self.rotated = before.rotated;
            return self.bytes.saturating_sub(before.bytes) > GROWTH_MAX;
        }
        self.rotated = Some(Instant::now());
        // What stood in files between is not known.
        self.bytes > GROWTH_MAX || before.rotated.is_some_and(|at| at.elapsed() < ROTATIONS_APART)
    }
}

fn read(
    wanted: &LogSource,
    send: &Sender<Msg>,
    is_over: &AtomicBool,
    sleeper: &io::PipeWriter,
) -> io::Result<()> {
    let mut watcher = Watcher::new()?;
    let mut sources = Vec::new();
    let mut runs = Vec::new();
    for (path, stream) in files(wanted) {
        watcher.watch(&path)?;
        let (lines, source) = Source::open(&path, stream, wanted.redact)?;
        sources.push(source);
        runs.push(lines);
    }
    let mut skipped = false;
    loop {
        let batch = batch(wanted.generation, &mut sources, runs, skipped);
        let is_heard = batch.lines.is_empty() || send.send(Msg::Log(batch)).is_ok();
        if is_over.load(Ordering::Relaxed) || !is_heard {
            return Ok(());
        }
        match watcher.wait(sleeper.as_fd())? {
            Woken::NobodyReads => return Ok(()),
            Woken::Grown => {}
            Woken::FolderChanged => {
                for source in &sources {
                    watcher.watch(&source.path)?;
                }
            }
        }
        // What comes now comes together.
        std::thread::sleep(if skipped { PAUSE_FAST } else { PAUSE });
        skipped = false;
        runs = sources.iter_mut().map(|source| source.look(&mut skipped)).collect::<io::Result<_>>()?;
    }
}

fn batch(generation: u64, sources: &mut [Source], runs: Vec<Vec<Line>>, skipped: bool) -> LogBatch {
    let mut batch = LogBatch { generation, skipped, ..LogBatch::default() };
    let merged = merge(runs);
    let surplus = merged.len().saturating_sub(LINES_MAX);
    batch.skipped |= surplus > 0;
    for (number, line) in merged.into_iter().skip(surplus) {
        if let Some(source) = sources.get_mut(number) {
            batch.lines.push(source.shown(&line, &mut batch.hidden));
        }
    }
    batch
}
