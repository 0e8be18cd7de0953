//! Logs straight from disk: the last lines, then what comes.

use std::io::{self, PipeReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use velos_log_engine::level::Classifier;
use velos_log_engine::redact::Redactor;
use velos_log_engine::{Follower, Line, Stream, Watcher, Woken, merge, neutralise, tail};

use crate::digest::Digest;
use crate::logs::{LINES_MAX, LogLine};
use crate::msg::{LogBatch, LogSource, Msg};

/// Lines of each stream that are read first.
const PAST: usize = 1_500;
/// Lines of each stream that errors and summary are made of.
const DIGEST_LINES: usize = 10_000;
/// Between two looks at a log that does not stop growing.
const PAUSE: Duration = Duration::from_millis(50);
/// Of more bytes than this between two looks only the last lines are read.
const GROWTH_MAX: u64 = 4 * 1024 * 1024;

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
            if let Err(error) = read(&source, &send, &is_over, &sleeper) {
                failed(&send, generation, &error);
            }
        });
    }

    /// Look at them as a whole.
    pub(super) fn digest(&self, source: LogSource) {
        let send = self.send.clone();
        std::thread::spawn(move || {
            let msg = match digest(&source) {
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
    bytes: u64,
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
            bytes: size(path),
        };
        Ok((lines, source))
    }

    /// What was added; only the end of it when that is too much.
    fn look(&mut self, skipped: &mut bool) -> io::Result<Vec<Line>> {
        let bytes = size(&self.path);
        let growth = bytes.saturating_sub(self.bytes);
        self.bytes = bytes;
        if growth > GROWTH_MAX {
            *skipped = true;
            let (lines, follower) = Follower::after_tail(&self.path, self.stream, PAST)?;
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
        let text = neutralise(&bytes, false).replace('\t', "    ");
        LogLine { time_us: line.time_us, is_err: line.stream == Stream::Err, level, text }
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
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
        std::thread::sleep(PAUSE);
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

fn digest(source: &LogSource) -> io::Result<Digest> {
    let mut runs: Vec<Vec<Line>> = Vec::new();
    for (path, stream) in files(source) {
        let mut lines = tail(&path, stream, DIGEST_LINES)?;
        if source.redact {
            // Before patterns are made of them, which would cut a secret into pieces.
            let mut redactor = Redactor::new();
            lines.iter_mut().for_each(|line| line.bytes = redactor.line(&line.bytes).into_owned());
        }
        runs.push(lines);
    }
    let lines: Vec<Line> = merge(runs).into_iter().map(|(_, line)| line).collect();
    Ok(Digest::of(&lines))
}
