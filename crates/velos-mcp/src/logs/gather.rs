//! Lines of several logs, cleaned, filtered and in order of time.

use std::io;

use velos_log_engine::level::Classifier;
use velos_log_engine::{Level, Stream};

use super::{Cursor, Log, LogLine, Place, Source};
use crate::clean::Cleaner;

/// How much of a log one call reads before it says that there is more.
const SCAN_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Selected {
    pub(crate) since_us: Option<u64>,
    pub(crate) until_us: Option<u64>,
    /// At least so severe.
    pub(crate) level: Option<Level>,
    /// Only this stream.
    pub(crate) stream: Option<Stream>,
}

/// A line for a reader.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Number of the source.
    pub(crate) source: usize,
    /// Number of the log in it.
    pub(crate) log: usize,
    pub(crate) start: Place,
    pub(crate) end: Place,
    pub(crate) time_us: Option<u64>,
    pub(crate) stream: Stream,
    pub(crate) level: Level,
    /// Cleaned, not cut.
    pub(crate) text: String,
}

impl Row {
    /// Of a text that stands nowhere; its level is that of the line by itself.
    pub(crate) fn of_text(text: &str) -> Self {
        Self {
            source: 0,
            log: 0,
            start: Place::default(),
            end: Place::default(),
            time_us: None,
            stream: Stream::Err,
            level: velos_log_engine::level::classify(text.as_bytes()).level,
            text: text.to_owned(),
        }
    }
}

impl Selected {
    fn wants(&self, row: &Row) -> bool {
        self.level.is_none_or(|level| row.level >= level)
            && self.stream.is_none_or(|stream| row.stream == stream)
            && self.until_us.is_none_or(|until| row.time_us.is_none_or(|time| time <= until))
            && self.since_us.is_none_or(|since| row.time_us.is_none_or(|time| time >= since))
    }

    /// Everything before this line is older than what is wanted.
    pub(crate) fn is_before(&self, line: &LogLine) -> bool {
        self.since_us.is_some_and(|since| line.time_us.is_some_and(|time| time < since))
    }
}

/// Makes rows of the lines of one log, in order.
struct Reader {
    source: usize,
    log: usize,
    cleaner: Cleaner,
    classifier: Classifier,
}

impl Reader {
    fn new(source: usize, log: usize, salt: u64) -> Self {
        Self { source, log, cleaner: Cleaner::new(salt), classifier: Classifier::new() }
    }

    fn row(&mut self, line: &LogLine) -> Row {
        Row {
            source: self.source,
            log: self.log,
            start: line.start,
            end: line.end,
            time_us: line.time_us,
            stream: line.stream,
            level: self.classifier.next(&line.bytes).level,
            text: self.cleaner.line(&line.bytes),
        }
    }
}

fn each_log(sources: &[Source]) -> impl Iterator<Item = (usize, usize, &Log)> {
    let logs = |(number, source): (usize, _)| -> Vec<(usize, usize, _)> {
        let source: &Source = source;
        source.logs.iter().enumerate().map(|(log, file)| (number, log, file)).collect()
    };
    sources.iter().enumerate().flat_map(logs)
}

/// The last `count` wanted lines of all sources together, and where their logs end now.
pub(crate) fn last(
    sources: &[Source],
    wanted: Selected,
    count: usize,
    salt: u64,
) -> io::Result<(Vec<Row>, Cursor)> {
    let mut cursor = Cursor::default();
    let mut rows: Vec<Row> = Vec::new();
    for (number, log, file) in each_log(sources) {
        let end = file.end()?;
        if let Some(source) = sources.get(number) {
            cursor.set(source.id, log, end);
        }
        let mut found: Vec<Row> = Vec::new();
        let mut scanned = 0;
        file.backward(None, |block| {
            let mut reader = Reader::new(number, log, salt);
            let is_old = block.first().is_some_and(|line| wanted.is_before(line));
            scanned += block.iter().map(|line| line.bytes.len() as u64 + 1).sum::<u64>();
            let mut lines: Vec<Row> = block
                .iter()
                .filter(|line| !(line.is_whole && line.end > end))
                .map(|line| reader.row(line))
                .filter(|row| wanted.wants(row))
                .collect();
            lines.append(&mut found);
            found = lines;
            found.len() < count && !is_old && scanned < SCAN_BYTES_MAX
        })?;
        rows.extend(found);
    }
    let mut rows = in_order(rows);
    rows.drain(..rows.len().saturating_sub(count));
    Ok((rows, cursor))
}

/// The first `count` wanted whole lines behind the cursor, the cursor behind them, and whether there are more.
pub(crate) fn after(
    sources: &[Source],
    from: &Cursor,
    wanted: Selected,
    count: usize,
    salt: u64,
) -> io::Result<(Vec<Row>, Cursor, bool)> {
    let mut rows: Vec<Row> = Vec::new();
    let mut ends = Cursor::default();
    let mut is_cut = false;
    for (number, log, file) in each_log(sources) {
        let Some(source) = sources.get(number) else { continue };
        let start = from.get(source.id, log).unwrap_or_default();
        let mut reader = Reader::new(number, log, salt);
        let (mut taken, mut scanned, mut end) = (0, 0, start);
        file.forward(start, |line| {
            if !line.is_whole {
                return false;
            }
            scanned += line.bytes.len() as u64 + 1;
            let row = reader.row(&line);
            end = line.end;
            if wanted.wants(&row) {
                rows.push(row);
                taken += 1;
            }
            // One more than wanted, to know that there are more.
            taken <= count && scanned < SCAN_BYTES_MAX
        })?;
        ends.set(source.id, log, end);
        is_cut |= scanned >= SCAN_BYTES_MAX;
    }
    let mut rows = in_order(rows);
    if rows.len() > count {
        is_cut = true;
        // What is not shown is read again: the cursor of its log stays before the first such line.
        for row in rows.iter().skip(count).rev() {
            if let Some(source) = sources.get(row.source) {
                ends.set(source.id, row.log, row.start);
            }
        }
        rows.truncate(count);
    }
    Ok((rows, ends, is_cut))
}

/// By time; within a log the order of the log holds, and a line without a time stays behind the one before it.
fn in_order(rows: Vec<Row>) -> Vec<Row> {
    let mut last = ((usize::MAX, usize::MAX), 0);
    let mut keyed: Vec<(u64, Row)> = Vec::with_capacity(rows.len());
    for row in rows {
        let log = (row.source, row.log);
        let before = if last.0 == log { last.1 } else { 0 };
        let time = row.time_us.unwrap_or(before).max(before);
        last = (log, time);
        keyed.push((time, row));
    }
    keyed.sort_by_key(|(time, _)| *time);
    keyed.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(folder: &std::path::Path) -> Vec<Source> {
        let log = |name: &str, stream| Log { path: folder.join(name), stream };
        let logs = vec![log("x-out.log", Stream::Out), log("x-error.log", Stream::Err)];
        vec![Source { name: "x".into(), app: "x".into(), id: 4, logs, started_us: None }]
    }

    fn texts(rows: &[Row]) -> Vec<&str> {
        rows.iter().map(|row| row.text.as_str()).collect()
    }

    #[test]
    fn the_last_lines_and_then_what_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let sources = source(folder.path());
        std::fs::write(folder.path().join("x-out.log"), "a\nb\nc\n").unwrap();
        std::fs::write(folder.path().join("x-error.log"), "ERROR e\n").unwrap();
        let (rows, cursor) = last(&sources, Selected::default(), 2, 1).unwrap();
        assert_eq!(rows.len(), 2);
        std::fs::write(folder.path().join("x-out.log"), "a\nb\nc\nd\ne\nf\ng").unwrap();
        let (rows, cursor, more) = after(&sources, &cursor, Selected::default(), 2, 1).unwrap();
        assert_eq!((texts(&rows), more), (vec!["d", "e"], true));
        let (rows, cursor, more) = after(&sources, &cursor, Selected::default(), 2, 1).unwrap();
        assert_eq!((texts(&rows), more), (vec!["f"], false), "what has no newline comes later");
        assert!(after(&sources, &cursor, Selected::default(), 2, 1).unwrap().0.is_empty());
        let errors = Selected { level: Some(Level::Error), ..Selected::default() };
        assert_eq!(texts(&last(&sources, errors, 9, 1).unwrap().0), ["ERROR e"]);
        let out = Selected { stream: Some(Stream::Out), ..Selected::default() };
        assert_eq!(
            texts(&last(&sources, out, 2, 1).unwrap().0),
            ["f", "g"],
            "an open line is shown at the end"
        );
    }
}
