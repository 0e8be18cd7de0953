//! `velos logs` as lines: those of the past, then those that come.

use std::collections::HashMap;
use std::os::fd::AsFd;

use velos_client::Home;
use velos_core::error::ErrorReply;
use velos_log_engine::query::{LineRef, Merged, Reader, Window, last};
use velos_log_engine::redact::Redactor;
use velos_log_engine::{Follower, Line, Stream, Watcher, Woken, merge};

use super::log_sources::{Source, find};
use super::logs::cannot_read;
use super::logs_format::{Format, Formatter, document};
use super::logs_pager::Sink;
use super::logs_pipe::{Item, Kept, Pipe};
use super::logs_wanted::{Wanted, now_us};
use crate::args::Logs;
use crate::clock::Clock;
use crate::output::Printed;

/// Lines that are read for each that is shown when they are folded.
const FOLDED_LINES: usize = 100;
/// Text that is written at once.
const WRITE_BYTES: usize = 64 * 1024;

pub(crate) fn show(
    context: &super::Context,
    home: &Home,
    logs: &Logs,
    wanted: &Wanted,
    sources: Vec<Source>,
    streams: bool,
) -> super::Result {
    let formatter = Formatter {
        format: &wanted.format,
        colour: context.colour,
        clock: Clock::system(),
        pattern: wanted.pattern.as_ref(),
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
    let window = wanted.window;
    let readers =
        sources.into_iter().map(|source| screen.open(source, window, streams)).collect::<Result<_, _>>()?;
    screen.past(readers, wanted.limit)?;
    if !streams {
        screen.finish_pipes()?;
    }
    if is_array {
        screen.text.extend_from_slice(b"]\n");
    }
    screen.flush()?;
    if streams && screen.printed == Printed::Read {
        return screen.follow(home, logs);
    }
    screen.sink.finish()?;
    Ok(0)
}

struct Screen<'a> {
    wanted: &'a Wanted,
    formatter: Formatter<'a>,
    sink: Sink,
    text: Vec<u8>,
    /// With the pipes, by the number of the source.
    names: Vec<String>,
    pipes: Vec<Pipe>,
    /// Each with the number of its source.
    followers: Vec<(usize, Follower)>,
    documents: usize,
    printed: Printed,
    /// For agents: what they see has no secrets.
    redactor: Option<Redactor>,
}

impl Screen<'_> {
    /// Readers of the past of a source; from then on it is followed.
    fn open(&mut self, source: Source, window: Window, streams: bool) -> Result<Vec<Reader>, ErrorReply> {
        let number = self.names.len();
        let mut readers = Vec::new();
        // One file for both streams is read once; its index tells them apart.
        let is_shared = source.out == source.err;
        for (path, stream) in [(&source.out, Stream::Out), (&source.err, Stream::Err)] {
            let is_wanted = if is_shared { stream == Stream::Out } else { self.wanted.wants_stream(stream) };
            if !is_wanted {
                continue;
            }
            let failed = |error: std::io::Error| cannot_read(path, &error);
            if streams {
                let (_, follower) = Follower::after_tail(path, stream, 0).map_err(failed)?;
                readers.push(Reader::before(&follower, stream, window).map_err(failed)?);
                self.followers.push((number, follower));
            } else {
                readers.push(Reader::open(path, stream, window).map_err(failed)?);
            }
        }
        self.names.push(source.name);
        self.pipes.push(Pipe::default());
        Ok(readers)
    }

    /// Readers by source. A limit counts for each source.
    fn past(&mut self, readers: Vec<Vec<Reader>>, limit: Option<usize>) -> Result<(), ErrorReply> {
        let first = self.names.len() - readers.len();
        let Some(limit) = limit else { return self.all(first, readers) };
        let mut runs = Vec::new();
        for (place, readers) in readers.into_iter().enumerate() {
            let number = first + place;
            let items = if self.wanted.is_simple() {
                self.last_simple(number, readers, limit)?
            } else if self.wanted.is_simple_but_folded() {
                // Lines fold into fewer: enough of them for all but the most repetitive logs.
                let items = self.last_simple(number, readers, limit * FOLDED_LINES + 1_000)?;
                Kept::last(items, limit)
            } else {
                self.last_of(number, readers, limit)?
            };
            runs.push((number, items));
        }
        // By time: an item without one stays behind the one before it.
        let mut keyed = Vec::new();
        for (number, items) in runs {
            let mut last_us = 0;
            for item in items {
                last_us = time_us(&item).unwrap_or(last_us).max(last_us);
                keyed.push((last_us, number, item));
            }
        }
        keyed.sort_by_key(|(us, ..)| *us);
        for (_, number, item) in keyed {
            self.put(number, &item)?;
        }
        Ok(())
    }

    /// Read from the end: as much as it takes. A line that continues one that is not shown has its level by itself.
    fn last_simple(
        &mut self,
        number: usize,
        readers: Vec<Reader>,
        limit: usize,
    ) -> Result<Vec<Item>, ErrorReply> {
        let wanted = self.wanted;
        let wants = |line: &LineRef<'_>| {
            wanted.wants_stream(line.stream)
                && wanted.pattern.as_ref().is_none_or(|pattern| pattern.wants(line.bytes))
        };
        let runs: std::io::Result<Vec<Vec<Line>>> =
            readers.into_iter().map(|reader| last(reader, limit, wants)).collect();
        let mut lines = merge(runs.map_err(lost)?);
        let surplus = lines.len().saturating_sub(limit);
        let mut items = Vec::new();
        if let Some(pipe) = self.pipes.get_mut(number) {
            for (_, line) in lines.drain(surplus..) {
                let line = LineRef { time_us: line.time_us, stream: line.stream, bytes: &line.bytes };
                pipe.push(wanted, &line, &mut items);
            }
            pipe.finish(&mut items);
        }
        Ok(items)
    }

    /// Lines that are judged by those before them are read from the start.
    fn last_of(
        &mut self,
        number: usize,
        readers: Vec<Reader>,
        limit: usize,
    ) -> Result<Vec<Item>, ErrorReply> {
        let mut kept = Kept::new(limit);
        let mut items = Vec::new();
        let mut merged = Merged::new(readers, None).map_err(lost)?;
        let Some(pipe) = self.pipes.get_mut(number) else { return Ok(Vec::new()) };
        while let Some((_, line)) = merged.next_line().map_err(lost)? {
            pipe.push(self.wanted, &line, &mut items);
            items.drain(..).for_each(|item| kept.push(item));
        }
        pipe.finish(&mut items);
        items.drain(..).for_each(|item| kept.push(item));
        Ok(kept.into_items())
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

    fn put(&mut self, number: usize, item: &Item) -> Result<(), ErrorReply> {
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

    fn follow(&mut self, home: &Home, logs: &Logs) -> super::Result {
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
            is_changed = match watcher.wait(std::io::stdout().as_fd()).map_err(watch_failed)? {
                Woken::Grown => false,
                Woken::FolderChanged => true,
                Woken::NobodyReads => return Ok(0),
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
            let readers = self.open(source, window, true)?;
            self.past(vec![readers], None)?;
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

fn time_us(item: &Item) -> Option<u64> {
    match item {
        Item::Line { line, .. } => line.time_us,
        Item::Repeated { last, .. } => last.time_us,
        Item::Gap => None,
    }
}

fn lost(error: std::io::Error) -> ErrorReply {
    super::failed(format!("cannot read a log: {error}"))
}
