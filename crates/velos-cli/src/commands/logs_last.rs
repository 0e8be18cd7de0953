//! The last lines that somebody wants: read from the end of the logs, as much as that takes.

use velos_core::error::ErrorReply;
use velos_log_engine::query::{LineRef, Merged, Window, history_start, last_matching};
use velos_log_engine::{Line, merge};

use super::logs_lines::{Log, Screen, lost};
use super::logs_pipe::{Item, Kept, Pipe};

/// Lines that are read for each that is shown when they are folded.
const FOLDED_LINES: usize = 100;
/// Of each log, one after the other until that is enough; then all of it.
const STEPS_BYTES: [u64; 4] = [1 << 20, 8 << 20, 64 << 20, 256 << 20];
/// Lines are judged by those before them: so many bytes are read for that alone.
const WARM_UP_BYTES: usize = 128 << 10;

impl Screen<'_> {
    /// Of each source so many, all of them by time.
    pub(crate) fn last(&mut self, first: usize, logs: &[Vec<Log>], limit: usize) -> Result<(), ErrorReply> {
        let mut runs = Vec::new();
        for (place, logs) in logs.iter().enumerate() {
            let number = first + place;
            let items = if self.wanted.is_simple() {
                self.last_simple(number, logs, limit)?
            } else if self.wanted.is_simple_but_folded() {
                // Lines fold into fewer: enough of them for all but the most repetitive logs.
                let items = self.last_simple(number, logs, limit * FOLDED_LINES + 1_000)?;
                Kept::last(items, limit)
            } else {
                self.last_of(number, logs, limit)?
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

    /// Lines that are judged by themselves. A line that continues one that is not shown has its level by itself.
    fn last_simple(&mut self, number: usize, logs: &[Log], limit: usize) -> Result<Vec<Item>, ErrorReply> {
        let wanted = self.wanted;
        let wants = |line: &LineRef<'_>| wanted.wants_stream(line.stream);
        let readers = self.readers(logs, wanted.window)?.into_iter();
        let runs: std::io::Result<Vec<Vec<Line>>> =
            readers.map(|reader| last_matching(reader, limit, wanted.pattern.as_ref(), wants)).collect();
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

    /// Lines that are judged by those before them: the end of the logs is read forward, more and more of it.
    fn last_of(&mut self, number: usize, logs: &[Log], limit: usize) -> Result<Vec<Item>, ErrorReply> {
        for step in STEPS_BYTES.into_iter().map(Some).chain([None]) {
            let since_us = match step.map(|bytes| self.start(logs, bytes)) {
                Some(Start::Unknown) => continue,
                Some(Start::At(since_us)) => Some(since_us),
                Some(Start::Begin) | None => None,
            };
            let kept = self.end_of(number, logs, limit, since_us)?;
            // Where one was left out, none that was not read can be missing.
            if since_us.is_none() || kept.has_left_out() {
                return Ok(kept.into_items());
            }
        }
        Ok(Vec::new())
    }

    fn end_of(
        &mut self,
        number: usize,
        logs: &[Log],
        limit: usize,
        since_us: Option<u64>,
    ) -> Result<Kept, ErrorReply> {
        let window = Window { since_us: since_us.or(self.wanted.window.since_us), ..self.wanted.window };
        let mut merged = Merged::new(self.readers(logs, window)?, None).map_err(lost)?;
        let (mut pipe, mut kept, mut items) = (Pipe::default(), Kept::new(limit), Vec::new());
        let mut cold_bytes = since_us.map_or(0, |_| WARM_UP_BYTES);
        while let Some((_, line)) = merged.next_line().map_err(lost)? {
            pipe.push(self.wanted, &line, &mut items);
            if cold_bytes > 0 {
                cold_bytes = cold_bytes.saturating_sub(line.bytes.len() + 1);
                items.clear();
            }
            items.drain(..).for_each(|item| kept.push(item));
        }
        pipe.finish(&mut items);
        items.drain(..).for_each(|item| kept.push(item));
        if let Some(slot) = self.pipes.get_mut(number) {
            *slot = pipe;
        }
        Ok(kept)
    }

    /// From when on about so many bytes of each log were written.
    fn start(&self, logs: &[Log], bytes: u64) -> Start {
        let window = self.wanted.window;
        let (oldest_us, until_us) = (window.since_us.unwrap_or(0), window.until_us.unwrap_or(u64::MAX));
        let starts = logs.iter().map(|log| history_start(&log.path, until_us, oldest_us, bytes));
        match starts.max() {
            Some(start_us) if start_us >= until_us => Start::Unknown,
            Some(start_us) if start_us > oldest_us => Start::At(start_us),
            _ => Start::Begin,
        }
    }
}

enum Start {
    At(u64),
    /// All of it is that short.
    Begin,
    /// The index does not tell.
    Unknown,
}

fn time_us(item: &Item) -> Option<u64> {
    match item {
        Item::Line { line, .. } => line.time_us,
        Item::Repeated { last, .. } => last.time_us,
        Item::Gap => None,
    }
}
