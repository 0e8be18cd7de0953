//! What waits for one subscriber: bounded, and never longer than he is slow.
//!
//! Of readings the oldest are left out and counted. Positions of one log become one, so none is ever left out, and there
//! are no more of them than logs.

use std::collections::{BTreeMap, VecDeque};

use velos_core::instance::InstanceId;
use velos_core::live::{LogPosition, LogStream, Logs};
use velos_core::protocol::Lost;

/// Readings that wait at most, and their bytes.
const SAMPLES_MAX: usize = 16;
const SAMPLES_BYTES_MAX: usize = 256 * 1024;

/// Of one subscriber.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    pub(crate) samples: Option<Rhythm>,
    pub(crate) logs: bool,
    /// Encoded, oldest first.
    queued: VecDeque<Vec<u8>>,
    queued_bytes: usize,
    lost: u64,
    grown: BTreeMap<(InstanceId, LogStream), LogPosition>,
}

/// When he is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    pub(crate) interval_ns: u64,
    pub(crate) due_ns: u64,
}

impl Rhythm {
    /// The first reading comes at once.
    pub(crate) fn new(interval_ns: u64, now_ns: u64) -> Self {
        Self { interval_ns, due_ns: now_ns }
    }

    /// The next one is due when all others of this interval are, but not at once.
    pub(crate) fn advance(&mut self, now_ns: u64) {
        self.due_ns = ((now_ns + self.interval_ns / 2) / self.interval_ns + 1) * self.interval_ns;
    }
}

/// What is to be sent next.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    Lost(Lost),
    Samples(&'a [u8]),
    Logs(Logs),
}

impl Feed {
    pub(crate) fn new(samples: Option<Rhythm>, logs: bool) -> Self {
        Self { samples, logs, ..Self::default() }
    }

    pub(crate) fn push_samples(&mut self, encoded: Vec<u8>) {
        self.queued_bytes += encoded.len();
        self.queued.push_back(encoded);
        let is_over = |feed: &Self| {
            feed.queued.len() > SAMPLES_MAX || feed.queued.len() > 1 && feed.queued_bytes > SAMPLES_BYTES_MAX
        };
        while is_over(self) {
            self.take_samples();
            self.lost += 1;
        }
    }

    fn take_samples(&mut self) {
        let taken = self.queued.pop_front();
        self.queued_bytes -= taken.map_or(0, |bytes| bytes.len());
    }

    pub(crate) fn push_position(&mut self, position: LogPosition) {
        match self.grown.entry((position.id, position.stream)) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                vacant.insert(position);
            }
            std::collections::btree_map::Entry::Occupied(mut waiting) => waiting.get_mut().join(position),
        }
    }

    /// How many were left out, then what is left, then how far logs have grown.
    pub(crate) fn next(&self, at_ms: i64) -> Option<Next<'_>> {
        if self.lost > 0 {
            return Some(Next::Lost(Lost { count: 0, samples: self.lost }));
        }
        if let Some(oldest) = self.queued.front() {
            return Some(Next::Samples(oldest));
        }
        let logs: Vec<LogPosition> = self.grown.values().cloned().collect();
        (!logs.is_empty()).then_some(Next::Logs(Logs { at_ms, logs }))
    }

    /// What [`Feed::next`] gave was sent.
    pub(crate) fn sent(&mut self) {
        if self.lost > 0 {
            self.lost = 0;
        } else if !self.queued.is_empty() {
            self.take_samples();
        } else {
            self.grown.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::live::Place;

    fn position(from: u64, to: u64) -> LogPosition {
        let at = |offset| Place { segment: 1, offset };
        let (id, stream) = (InstanceId(1), LogStream::Out);
        let path = "/x.log".into();
        LogPosition { id, name: "x".into(), slot: 0, stream, path, from: at(from), to: at(to), lines: 1 }
    }

    /// All that is there, in words.
    fn drain(feed: &mut Feed) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(next) = feed.next(0) {
            seen.push(match next {
                Next::Lost(lost) => format!("lost {}", lost.samples),
                Next::Samples(bytes) => format!("samples {}", bytes.first().copied().unwrap_or(0)),
                Next::Logs(logs) => logs
                    .logs
                    .iter()
                    .map(|log| format!("{}..{} {}", log.from.offset, log.to.offset, log.lines))
                    .collect(),
            });
            feed.sent();
        }
        seen
    }

    #[test]
    fn the_oldest_readings_go_and_are_counted() {
        let mut feed = Feed::default();
        for number in 0..20 {
            feed.push_samples(vec![number; 10]);
        }
        let seen = drain(&mut feed);
        assert_eq!((seen.len(), seen[0].as_str(), seen[1].as_str()), (17, "lost 4", "samples 4"));
        assert_eq!(seen[16], "samples 19", "the newest is there");
        feed.push_samples(vec![1; SAMPLES_BYTES_MAX]);
        feed.push_samples(vec![2; SAMPLES_BYTES_MAX * 2]);
        assert_eq!(drain(&mut feed), ["lost 1", "samples 2"], "one is kept however large it is");
        assert_eq!(feed.queued_bytes, 0);
    }

    #[test]
    fn positions_join_and_come_after_readings() {
        let mut feed = Feed::default();
        feed.push_position(position(0, 10));
        feed.push_samples(vec![7]);
        feed.push_position(position(10, 30));
        assert_eq!(drain(&mut feed), ["samples 7", "0..30 2"]);
        assert!(drain(&mut feed).is_empty());
    }

    #[test]
    fn subscribers_of_one_interval_are_due_together() {
        let due = |begun| {
            let mut rhythm = Rhythm::new(1_000, begun);
            assert_eq!(rhythm.due_ns, begun, "the first at once");
            rhythm.advance(begun);
            rhythm.due_ns
        };
        assert_eq!((due(1_200), due(1_499), due(1_999), due(2_000)), (2_000, 2_000, 3_000, 3_000));
    }
}
