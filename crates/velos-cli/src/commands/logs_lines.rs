//! `velos logs` as lines: those of the past, then those that come.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use velos_client::Home;
use velos_core::error::ErrorReply;
use velos_log_engine::query::{LineRef, Merged, Reader, Window};
use velos_log_engine::redact::Redactor;
use velos_log_engine::{Follower, Line, Stream, Watcher, Woken, merge};

use super::log_sources::{Source, find};
use super::logs::cannot_read;
use super::logs_format::{Format, Formatter, document};
use super::logs_marks::Marks;
use super::logs_pager::Sink;
use super::logs_pipe::{Item, Pipe};
use super::logs_wanted::{Wanted, now_us};
use crate::args::Logs;
use crate::clock::Clock;
use crate::output::Printed;

/// Text that is written at once.
const WRITE_BYTES: usize = 64 * 1024;

pub(crate) fn show(
    context: &super::Context,
    home: &Home,
    logs: &Logs,
    wanted: &Wanted,
    sources: Vec<Source>,
    streams: bool,
    until: Option<BorrowedFd<'_>>,
) -> super::Result {
    let formatter = Formatter {
        format: &wanted.format,
        colour: context.colour,
        clock: Clock::system(),
        marks: Marks { pattern: wanted.pattern.as_ref(), words: &wanted.words },
        time_form: wanted.time_form.as_ref(),
        zone: TimeZone::system(),
        last_second: Default::default(),
    };
    let sink = Sink::new(!streams && wanted.format.is_text());
    let mut screen = Screen {
        wanted,
        formatter,
        sink,
        text: Vec::new(),
        names: Vec::new(),
        pipes: Vec::new(),
        followers: Vec::new(),
        documents: 0,
        printed: Printed::Read,
        redactor: crate::ai::is_wanted().then(Redactor::new),
    };
    let is_array = wanted.format == Format::Array;
    if is_array {
        screen.text.push(b'[');
    }
    let past = sources.into_iter().map(|source| screen.open(source, streams)).collect::<Result<_, _>>()?;
    screen.past(past, wanted.limit, wanted.window)?;
    if !streams {
        screen.finish_pipes()?;
    }
    if is_array {
        screen.text.extend_from_slice(b"]\n");
    }
    screen.flush()?;
    if streams && screen.printed == Printed::Read {
        return screen.follow(home, logs, until);
    }
    screen.sink.finish()?;
    Ok(0)
}

/// One file of a source.
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    stream: Stream,
    /// Who follows it.
    follower: Option<usize>,
}

pub(crate) struct Screen<'a> {
    pub(crate) wanted: &'a Wanted,
    formatter: Formatter<'a>,
    sink: Sink,
    text: Vec<u8>,
    /// With the pipes, by the number of the source.
    names: Vec<String>,
    pub(crate) pipes: Vec<Pipe>,
    /// Each with the number of its source.
    followers: Vec<(usize, Follower)>,
    documents: usize,
    printed: Printed,
    /// For agents: what they see has no secrets.
    redactor: Option<Redactor>,
}

impl Screen<'_> {
    /// The logs of a source; from now on they are followed.
    fn open(&mut self, source: Source, streams: bool) -> Result<Vec<Log>, ErrorReply> {
        let number = self.names.len();
        let mut logs = Vec::new();
        // One file for both streams is read once; its index tells them apart.
        let is_shared = source.out == source.err;
        for (path, stream) in [(&source.out, Stream::Out), (&source.err, Stream::Err)] {
            let is_wanted = if is_shared { stream == Stream::Out } else { self.wanted.wants_stream(stream) };
            if !is_wanted {
                continue;
            }
            let follower = streams.then_some(self.followers.len());
            if streams {
                let follower = Follower::after_tail(path, stream, 0);
                self.followers.push((number, follower.map_err(|error| cannot_read(path, &error))?.1));
            }
            logs.push(Log { path: path.clone(), stream, follower });
        }
        self.names.push(source.name);
        self.pipes.push(Pipe::default());
        Ok(logs)
    }

    /// Of the past of some logs, up to where they are followed from.
    pub(crate) fn readers(&self, logs: &[Log], window: Window) -> Result<Vec<Reader>, ErrorReply> {
        let reader = |log: &Log| match log.follower.and_then(|number| self.followers.get(number)) {
            Some((_, follower)) => Reader::before(follower, log.stream, window),
            None => Reader::open(&log.path, log.stream, window),
        };
        logs.iter().map(|log| reader(log).map_err(|error| cannot_read(&log.path, &error))).collect()
    }

    /// Logs by source. A limit counts for each source.
    fn past(&mut self, logs: Vec<Vec<Log>>, limit: Option<usize>, window: Window) -> Result<(), ErrorReply> {
        let first = self.names.len() - logs.len();
        match limit {
            Some(limit) => self.last(first, &logs, limit),
            None => {
                let readers = logs.iter().map(|logs| self.readers(logs, window));
                self.all(first, readers.collect::<Result<_, _>>()?)
            }
        }
    }

    fn all(&mut self, first: usize, readers: Vec<Vec<Reader>>) -> Result<(), ErrorReply> {
        let mut owners = Vec::new();
        let mut flat = Vec::new();
        for (place, readers) in readers.into_iter().enumerate() {
            for reader in readers {
                owners.push(first + place);
                flat.push(reader);
            }
        }
        let is_alone = self.wanted.is_simple() && !self.wanted.format.shows_level();
        let pattern = self.wanted.pattern.clone().filter(|_| is_alone);
        let mut merged = Merged::new(flat, pattern).map_err(lost)?;
        let mut items = Vec::new();
        while let Some((log, line)) = merged.next_line().map_err(lost)? {
            let number = owners.get(log).copied().unwrap_or(first);
            if is_alone {
                if self.wanted.wants_stream(line.stream) {
                    self.put_line(number, &line)?;
                }
            } else if let Some(pipe) = self.pipes.get_mut(number) {
                pipe.push(self.wanted, &line, &mut items);
            }
            for item in items.drain(..) {
                self.put(number, &item)?;
            }
            if self.printed == Printed::NobodyReads {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A line that was found by its pattern and needs nothing else.
    fn put_line(&mut self, number: usize, line: &LineRef<'_>) -> Result<(), ErrorReply> {
        if *self.formatter.format == Format::Raw {
            self.text.extend_from_slice(line.bytes);
            self.text.push(b'\n');
            return if self.text.len() >= WRITE_BYTES { self.flush() } else { Ok(()) };
        }
        self.put(number, &Item::Line { line: line.to_line(), level: None, is_context: false })
    }

    pub(crate) fn put(&mut self, number: usize, item: &Item) -> Result<(), ErrorReply> {
        let name = self.names.get(number).map_or("", String::as_str);
        let several = self.names.len() > 1;
        if let Some(document) = match &mut self.redactor {
            Some(redactor) if self.wanted.format.is_documents() => {
                let name = Some(name).filter(|_| several);
                super::logs_ai::line(item, name, &self.formatter.clock, redactor).map(serde_json::Value::from)
            }
            _ if *self.formatter.format == Format::Array => document(item, name),
            _ => None,
        } {
            let is_array = *self.formatter.format == Format::Array;
            if is_array && self.documents > 0 {
                self.text.push(b',');
            }
            self.documents += 1;
            self.text.extend_from_slice(document.to_string().as_bytes());
            if !is_array {
                self.text.push(b'\n');
            }
        } else if self.redactor.is_none() || !self.wanted.format.is_documents() {
            self.formatter.write(&mut self.text, item, name, number, several);
        }
        if self.text.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ErrorReply> {
        if !self.text.is_empty() && self.printed == Printed::Read {
            self.printed = self.sink.write(&self.text)?;
        }
        self.text.clear();
        Ok(())
    }

    fn finish_pipes(&mut self) -> Result<(), ErrorReply> {
        let mut items = Vec::new();
        for number in 0..self.pipes.len() {
            if let Some(pipe) = self.pipes.get_mut(number) {
                pipe.finish(&mut items);
            }
            for item in items.drain(..) {
                self.put(number, &item)?;
            }
        }
        Ok(())
    }

    /// `until` the other end of this pipe is closed, or for ever.
    fn follow(&mut self, home: &Home, logs: &Logs, until: Option<BorrowedFd<'_>>) -> super::Result {
        let begin_us = now_us();
        let watch_failed = |error: std::io::Error| {
            super::failed(format!("cannot watch the logs: {error}"))
                .hint("print them without following: --nostream")
        };
        let mut watcher = Watcher::new().map_err(watch_failed)?;
        let mut is_changed = true;
        loop {
            if is_changed {
                self.find_new(home, logs, begin_us)?;
                // A name for the folder, so that the first log of all is noticed too.
                watcher.watch(&home.logs().join("none")).map_err(watch_failed)?;
                for (_, follower) in &self.followers {
                    watcher.watch(follower.path()).map_err(watch_failed)?;
                }
            }
            self.look()?;
            if self.printed == Printed::NobodyReads {
                return Ok(0);
            }
            let stdout = std::io::stdout();
            let pipes: Vec<BorrowedFd<'_>> = std::iter::once(stdout.as_fd()).chain(until).collect();
            is_changed = match watcher.wait_while_all_are_open(&pipes).map_err(watch_failed)? {
                Woken::Grown => false,
                Woken::FolderChanged => true,
                Woken::NobodyReads => {
                    if until.is_some() {
                        // All is written by now.
                        self.find_new(home, logs, begin_us)?;
                        self.look()?;
                    }
                    return Ok(0);
                }
            };
        }
    }

    /// Apps that were started since, as far as they are selected.
    fn find_new(&mut self, home: &Home, logs: &Logs, begin_us: u64) -> Result<(), ErrorReply> {
        // Not there yet, or not there any more: what is open is followed on.
        let Ok(sources) = find(home, &logs.targets) else { return Ok(()) };
        for source in sources {
            let is_known =
                |(_, follower): &(usize, Follower)| [&*source.out, &*source.err].contains(&follower.path());
            if self.followers.iter().any(is_known) {
                continue;
            }
            let window = Window { since_us: Some(begin_us), until_us: None };
            let logs = self.open(source, true)?;
            self.past(vec![logs], None, window)?;
        }
        self.flush()
    }

    fn look(&mut self) -> Result<(), ErrorReply> {
        let mut runs: HashMap<usize, Vec<Vec<Line>>> = HashMap::new();
        for (number, follower) in &mut self.followers {
            let lines = follower.look().map_err(|error| cannot_read(follower.path(), &error))?;
            runs.entry(*number).or_default().push(lines);
        }
        let mut by_source = vec![Vec::new(); self.names.len()];
        for (number, runs) in runs {
            if let Some(slot) = by_source.get_mut(number) {
                *slot = merge(runs).into_iter().map(|(_, line)| line).collect();
            }
        }
        let mut items = Vec::new();
        for (number, line) in merge(by_source) {
            let line = LineRef { time_us: line.time_us, stream: line.stream, bytes: &line.bytes };
            if let Some(pipe) = self.pipes.get_mut(number) {
                pipe.push(self.wanted, &line, &mut items);
            }
            for item in items.drain(..) {
                self.put(number, &item)?;
            }
        }
        self.flush()
    }
}

pub(crate) fn lost(error: std::io::Error) -> ErrorReply {
    super::failed(format!("cannot read a log: {error}"))
}
