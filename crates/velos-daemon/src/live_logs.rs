//! How far logs have grown, for those who subscribed to that.
//!
//! What was written to a log is not looked at: the writer thread counts it anyway, and the counters are compared with
//! those of the look before.

use std::collections::BTreeMap;
use std::rc::Rc;

use velos_core::instance::InstanceId;
use velos_core::live::{LogPosition, LogStream, Place};
use velos_core::raw_string::RawString;
use velos_ffi::{CaptureStats, Stream};

use crate::control::Control;

/// Between two looks at how far logs have grown, ns.
const LOGS_EVERY_NS: u64 = 200_000_000;

/// What was told of the logs so far; empty while nobody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Live {
    marks: Marks,
    /// The next look.
    pub(crate) logs_at_ns: Option<u64>,
}

type Marks = BTreeMap<(InstanceId, LogStream), Mark>;

/// How far one log was at the last look.
#[derive(Clone, Debug)]
struct Mark {
    /// Of the capture, which begins anew when its files are opened anew.
    token: u64,
    bytes: u64,
    lines: u64,
    place: Place,
    log: Rc<Log>,
}

/// Known for as long as its capture is, which is longer than its instance is in the table.
#[derive(Debug, PartialEq, Eq)]
struct Log {
    name: String,
    slot: u32,
    path: RawString,
}

impl Mark {
    fn of(token: u64, stats: &CaptureStats, log: Rc<Log>) -> Self {
        let place = Place { segment: u64::from(stats.segment), offset: stats.offset };
        Self { token, bytes: stats.bytes, lines: stats.lines, place, log }
    }

    /// Where this capture began, as far as that can be told from where it is.
    fn origin(&self) -> Self {
        let offset = self.place.offset.saturating_sub(self.bytes);
        Self { bytes: 0, lines: 0, place: Place { offset, ..self.place }, ..self.clone() }
    }

    /// Whether somebody has to look at the log because of what its own instance did. In a file that several write to,
    /// each tells of what it wrote.
    fn has_news_since(&self, before: &Self) -> bool {
        let is_longer_only =
            self.place.segment == before.place.segment && self.place.offset >= before.place.offset;
        self.bytes != before.bytes || !is_longer_only
    }

    /// From `before` to here.
    fn position(&self, key: (InstanceId, LogStream), before: &Self) -> LogPosition {
        LogPosition {
            id: key.0,
            name: self.log.name.clone(),
            slot: self.log.slot,
            stream: key.1,
            path: self.log.path.clone(),
            from: before.place,
            to: self.place,
            lines: self.lines.saturating_sub(before.lines),
        }
    }
}

impl Control {
    /// Somebody wants to know of logs from now on.
    pub(crate) fn begin_logs(&mut self, now_ns: u64) {
        // Those who followed already hear what is new to them.
        self.look_at_all_logs(now_ns);
        if self.live.logs_at_ns.is_none() {
            let all: Vec<InstanceId> = self.captures.keys().copied().collect();
            self.live.marks = all.into_iter().flat_map(|id| self.marks_of(id)).collect();
            self.live.logs_at_ns = Some(now_ns + LOGS_EVERY_NS);
        }
    }

    pub(crate) fn look_at_all_logs(&mut self, now_ns: u64) {
        if self.live.logs_at_ns.is_none() {
            return;
        }
        if !self.subscriptions().any(|(_, subscription)| subscription.feed.logs) {
            self.live = Live::default();
            return;
        }
        self.live.logs_at_ns = Some(now_ns + LOGS_EVERY_NS);
        let all: Vec<InstanceId> = self.captures.keys().copied().collect();
        self.look_at_logs(&all);
    }

    /// A capture was opened: what is written from here on is news.
    pub(crate) fn first_look(&mut self, id: InstanceId) {
        if self.live.logs_at_ns.is_some() {
            for (key, mark) in self.marks_of(id) {
                self.live.marks.insert(key, mark.origin());
            }
        }
    }

    /// The capture of this instance is about to be closed: what it wrote last is told, and no more.
    pub(crate) fn last_look(&mut self, id: InstanceId) {
        if self.live.logs_at_ns.is_some() {
            self.look_at_logs(&[id]);
            self.live.marks.retain(|(known, _), _| *known != id);
        }
    }

    fn look_at_logs(&mut self, ids: &[InstanceId]) {
        let mut grown = Vec::new();
        for (key, mark) in ids.iter().flat_map(|id| self.marks_of(*id)).collect::<Vec<_>>() {
            let known = self.live.marks.get(&key).filter(|known| known.token == mark.token).cloned();
            let known = known.unwrap_or_else(|| mark.origin());
            if mark.has_news_since(&known) {
                grown.push(mark.position(key, &known));
            }
            self.live.marks.insert(key, mark);
        }
        let readers: Vec<u64> = self
            .subscriptions()
            .filter_map(|(client, subscription)| subscription.feed.logs.then_some(client))
            .collect();
        for client in readers.into_iter().filter(|_| !grown.is_empty()) {
            let connected = self.clients.connected.get_mut(&client);
            let Some(subscription) = connected.and_then(|client| client.subscription.as_mut()) else {
                continue;
            };
            let only = &subscription.instances;
            for position in grown.iter().filter(|position| only.is_empty() || only.contains(&position.id)) {
                subscription.feed.push_position(position.clone());
            }
            self.pump(client);
        }
    }

    /// How far the logs of an instance are, unless its output is not stored.
    fn marks_of(&self, id: InstanceId) -> Vec<((InstanceId, LogStream), Mark)> {
        let Some(token) = self.captures.get(&id).map(|capture| capture.token) else { return Vec::new() };
        let streams = [(LogStream::Out, Stream::Stdout), (LogStream::Err, Stream::Stderr)];
        let marks = streams.into_iter().filter_map(|(name, stream)| {
            let stats = self.reactor.capture_stats(token, stream).ok()?;
            let known = self.live.marks.get(&(id, name)).filter(|known| known.token == token);
            let log = known.map(|known| Rc::clone(&known.log)).or_else(|| self.log_of(id, name))?;
            Some(((id, name), Mark::of(token, &stats, log)))
        });
        marks.collect()
    }

    fn log_of(&self, id: InstanceId, stream: LogStream) -> Option<Rc<Log>> {
        let paths = self.capture_paths(id)?;
        let (path, is_discarded) = match stream {
            LogStream::Out => (paths.out_log, paths.discard_out),
            LogStream::Err => (paths.err_log, paths.discard_err),
        };
        if is_discarded {
            return None;
        }
        let name = self.supervisor.app_of(id)?.spec.name.as_str().to_owned();
        Some(Rc::new(Log { name, slot: self.supervisor.instance(id)?.slot, path: path.into() }))
    }

    pub(crate) fn log_positions(&self, only: &[InstanceId]) -> Vec<LogPosition> {
        let wanted = self.live.marks.iter().filter(|((id, _), _)| only.is_empty() || only.contains(id));
        wanted.map(|(key, mark)| mark.position(*key, mark)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(bytes: u64, segment: u64, offset: u64) -> Mark {
        let log = Rc::new(Log { name: "api".into(), slot: 0, path: "/x.log".into() });
        Mark { token: 1, bytes, lines: bytes / 10, place: Place { segment, offset }, log }
    }

    #[test]
    fn what_is_news_of_a_log() {
        let before = mark(100, 1, 500);
        assert!(!before.has_news_since(&before));
        assert!(mark(110, 1, 510).has_news_since(&before), "it wrote");
        assert!(!mark(100, 1, 900).has_news_since(&before), "somebody else wrote to the same file");
        assert!(mark(100, 2, 0).has_news_since(&before), "rotated");
        assert!(mark(100, 1, 0).has_news_since(&before), "emptied");
    }

    #[test]
    fn a_capture_that_is_new_began_where_its_first_byte_stands() {
        assert_eq!(mark(100, 3, 500).origin().place, Place { segment: 3, offset: 400 });
        assert_eq!(mark(900, 3, 500).origin().place, Place { segment: 3, offset: 0 }, "rotated since");
        assert!(!mark(0, 3, 500).has_news_since(&mark(0, 3, 500).origin()), "nothing was written yet");
    }
}
