//! The logs that are followed: which have grown, and what stands in them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use velos_client::{ErrorCode, ErrorReply};
use velos_core::instance::InstanceId;
use velos_core::live::{LogPosition, LogStream, Place};
use velos_log_engine::{Follower, Line, Stream};

use crate::STEP_BYTES;
use crate::live::LogLine;

/// What reading brings.
pub(crate) enum Read {
    Line(LogLine),
    Failed(ErrorReply),
}

/// By path: several instances may write to one.
#[derive(Debug)]
pub(crate) struct Logs {
    sources: BTreeMap<PathBuf, Source>,
    /// Those to be read, each once.
    due: VecDeque<PathBuf>,
    /// Lines that are told of a log that was there before us.
    tail: usize,
}

#[derive(Debug)]
struct Source {
    /// Who writes to it.
    ids: BTreeSet<InstanceId>,
    id: InstanceId,
    name: String,
    slot: u32,
    stream: LogStream,
    reader: Reader,
    is_due: bool,
    /// It was told that it cannot be read.
    has_failed: bool,
    /// Of the line before.
    last_us: u64,
}

#[derive(Debug)]
enum Reader {
    /// Not opened yet.
    Begin(Begin),
    Open(Box<Follower>),
    /// Being read.
    Away,
}

#[derive(Clone, Copy, Debug)]
enum Begin {
    At(Place),
    Behind(usize),
}

impl Logs {
    pub(crate) fn new(tail: usize) -> Self {
        Self { sources: BTreeMap::new(), due: VecDeque::new(), tail }
    }

    /// A daemon tells where logs stand. What was written while it was away is read where we stopped.
    pub(crate) fn here(&mut self, positions: Vec<LogPosition>) {
        for position in positions {
            let begin = match self.tail {
                0 => Begin::At(position.to),
                tail => Begin::Behind(tail),
            };
            self.learn(position, begin);
        }
        // Of later ones all is new.
        self.tail = 0;
        let all: Vec<PathBuf> = self.sources.keys().cloned().collect();
        for path in all {
            self.is_due(&path);
        }
    }

    /// These have grown.
    pub(crate) fn grown(&mut self, positions: Vec<LogPosition>) {
        for position in positions {
            let path = position.path.as_path().to_path_buf();
            let from = Begin::At(position.from);
            self.learn(position, from);
            self.is_due(&path);
        }
    }

    fn learn(&mut self, position: LogPosition, begin: Begin) {
        let LogPosition { id, name, slot, stream, path, .. } = position;
        let source = self.sources.entry(path.as_path().to_path_buf()).or_insert_with(|| Source {
            ids: BTreeSet::new(),
            id,
            name: name.clone(),
            slot,
            stream,
            reader: Reader::Begin(begin),
            is_due: false,
            has_failed: false,
            last_us: 0,
        });
        if source.ids.insert(id) {
            (source.id, source.name, source.slot) = (id, name, slot);
        }
    }

    /// An instance is gone: its last lines are read, and then no more.
    pub(crate) fn deleted(&mut self, id: InstanceId) {
        let mut last = Vec::new();
        for (path, source) in &mut self.sources {
            if source.ids.remove(&id) && source.ids.is_empty() {
                last.push(path.clone());
            }
        }
        for path in last {
            self.is_due(&path);
        }
    }

    fn is_due(&mut self, path: &Path) {
        let Some(source) = self.sources.get_mut(path) else { return };
        if !std::mem::replace(&mut source.is_due, true) {
            self.due.push_back(path.to_path_buf());
        }
    }

    pub(crate) fn has_more(&self) -> bool {
        !self.due.is_empty()
    }

    /// One step of the log that waits longest.
    pub(crate) async fn read_next(&mut self) -> Vec<Read> {
        let Some(path) = self.due.pop_front() else { return Vec::new() };
        let Some(source) = self.sources.get_mut(&path) else { return Vec::new() };
        source.is_due = false;
        let reader = std::mem::replace(&mut source.reader, Reader::Away);
        let stream = match source.stream {
            LogStream::Out => Stream::Out,
            LogStream::Err => Stream::Err,
        };
        let file = path.clone();
        let read = tokio::task::spawn_blocking(move || step(&file, stream, reader)).await;
        // It is away only when the runtime ends.
        let Ok((reader, result)) = read else { return Vec::new() };
        source.reader = reader;
        let is_last = source.ids.is_empty();
        let reads = match result {
            Ok((lines, is_more)) => {
                source.has_failed = false;
                let reads = lines.into_iter().map(|line| Read::Line(source.line(line))).collect::<Vec<_>>();
                if is_more {
                    self.is_due(&path);
                    return reads;
                }
                reads
            }
            Err(_) if source.has_failed => Vec::new(),
            Err(error) => {
                source.has_failed = true;
                let message = format!("cannot read {}: {error}", path.display());
                vec![Read::Failed(
                    ErrorReply::new(ErrorCode::Failed, message).hint("who reads must be the daemon's user"),
                )]
            }
        };
        if is_last {
            self.sources.remove(&path);
        }
        reads
    }
}

impl Source {
    /// What the index does not know yet has the time of its file, which is a moment late: a step back of less than a
    /// second is none.
    fn settled(&mut self, time_us: u64) -> u64 {
        let is_behind = time_us < self.last_us && self.last_us - time_us < 1_000_000;
        self.last_us = if is_behind { self.last_us } else { time_us };
        self.last_us
    }

    fn line(&mut self, line: Line) -> LogLine {
        let time_us = line.time_us.map(|time_us| self.settled(time_us));
        LogLine {
            id: self.id,
            name: self.name.clone(),
            slot: self.slot,
            stream: if line.stream == Stream::Err { LogStream::Err } else { LogStream::Out },
            time_us,
            bytes: line.bytes,
        }
    }
}

type Step = io::Result<(Vec<Line>, bool)>;

/// On a thread of its own: disks may hang.
fn step(path: &Path, stream: Stream, reader: Reader) -> (Reader, Step) {
    let (mut lines, mut follower) = match reader {
        Reader::Open(follower) => (Vec::new(), follower),
        Reader::Begin(begin) => {
            let opened = match begin {
                Begin::At(at) => Follower::at(path, stream, at.segment, at.offset).map(|f| (Vec::new(), f)),
                Begin::Behind(tail) => Follower::after_tail(path, stream, tail),
            };
            match opened {
                Ok((lines, follower)) => (lines, Box::new(follower)),
                Err(error) => return (Reader::Begin(begin), Err(error)),
            }
        }
        Reader::Away => return (Reader::Away, Ok((Vec::new(), false))),
    };
    let result = follower.look_at(STEP_BYTES).map(|(more, is_more)| {
        lines.extend(more);
        (lines, is_more)
    });
    (Reader::Open(follower), result)
}
