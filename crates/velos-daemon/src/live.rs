//! Live updates: readings at an interval and how far logs have grown, for those who subscribed to them.
//!
//! Nothing here runs, and nothing wakes the daemon, while nobody is subscribed. What was written to a log is not looked
//! at: the writer thread counts it anyway, and the counters are compared with those of the look before.

use std::collections::BTreeMap;

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::frame;
use velos_core::instance::InstanceId;
use velos_core::live::{
    INTERVAL_MS_DEFAULT, INTERVAL_MS_MAX, INTERVAL_MS_MIN, InstanceSample, Kind, LogPosition, LogStream,
    Place, Samples, SubscribeParams, Subscribed,
};
use velos_core::protocol::method;
use velos_ffi::{CaptureStats, Stream};

use crate::clients::Subscription;
use crate::control::Control;
use crate::feed::{Feed, Next, Rhythm};
use crate::usage::FRESH_NS;

/// Between two looks at how far logs have grown, ns.
const LOGS_EVERY_NS: u64 = 200_000_000;

/// What was told of the logs so far; empty while nobody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Live {
    marks: BTreeMap<(InstanceId, LogStream), Mark>,
    logs_at_ns: Option<u64>,
}

/// How far one log was at the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// Of the capture, which begins anew when its files are opened anew.
    token: u64,
    bytes: u64,
    lines: u64,
    place: Place,
}

impl Mark {
    fn of(token: u64, stats: &CaptureStats) -> Self {
        let place = Place { segment: u64::from(stats.segment), offset: stats.offset };
        Self { token, bytes: stats.bytes, lines: stats.lines, place }
    }

    /// Where this capture began, as far as that can be told from where it is.
    fn origin(&self) -> Self {
        let offset = self.place.offset.saturating_sub(self.bytes);
        Self { bytes: 0, lines: 0, place: Place { offset, ..self.place }, ..*self }
    }

    /// Whether somebody has to look at the log because of what its own instance did. In a file that several write to,
    /// each tells of what it wrote.
    fn has_news_since(&self, before: &Self) -> bool {
        let is_longer_only =
            self.place.segment == before.place.segment && self.place.offset >= before.place.offset;
        self.bytes != before.bytes || !is_longer_only
    }
}

impl Control {
    pub(crate) fn subscribe(
        &mut self,
        client: u64,
        params: &SubscribeParams,
    ) -> Result<Result<Vec<u8>, ErrorReply>, ErrorReply> {
        let now_ns = velos_ffi::now_ns();
        let has = |kind| params.kinds.contains(&kind);
        let rhythm = Rhythm::new(interval_ns(params.interval_ms)?, now_ns);
        let feed = Feed::new(has(Kind::Samples).then_some(rhythm), has(Kind::Logs));
        let instances = self.only(&params.targets)?;
        let newest = self.supervisor.events().newest();
        let sent = params.since.unwrap_or(newest);
        let events = params.kinds.is_empty() || has(Kind::Events);
        let behind = events && sent < newest;
        let mut answer = Subscribed::default();
        if !params.kinds.is_empty() {
            answer.kinds.clone_from(&params.kinds);
            answer.newest = Some(newest);
        }
        if feed.logs {
            self.begin_logs(now_ns);
            answer.logs = self.log_positions(&instances);
        }
        let subscription = Subscription { instances, sent, behind, events, feed };
        if let Some(connected) = self.clients.connected.get_mut(&client) {
            connected.subscription = Some(subscription);
        }
        if behind {
            self.catch_up(client);
        }
        Ok(crate::serve::encode(&answer))
    }

    /// What is due now.
    pub(crate) fn tick_live(&mut self) {
        let now_ns = velos_ffi::now_ns();
        if self.live.logs_at_ns.is_some_and(|at| at <= now_ns) {
            self.look_at_logs(now_ns);
        }
        let is_due = |subscription: &Subscription| {
            subscription.feed.samples.is_some_and(|rhythm| rhythm.due_ns <= now_ns)
        };
        let clients: Vec<u64> = self
            .subscriptions()
            .filter_map(|(client, subscription)| is_due(subscription).then_some(client))
            .collect();
        for client in clients {
            self.sample_for(client, now_ns);
        }
    }

    /// When [`Control::tick_live`] has something to do.
    pub(crate) fn live_deadline(&self) -> Option<u64> {
        let samples = self.subscriptions().filter_map(|(_, subscription)| subscription.feed.samples);
        samples.map(|rhythm| rhythm.due_ns).chain(self.live.logs_at_ns).min()
    }

    /// Send what waits, as long as he reads.
    pub(crate) fn pump(&mut self, client: u64) {
        let at_ms = crate::control::now().wall_ms;
        let connected = self.clients.connected.get_mut(&client);
        let Some(subscription) = connected.and_then(|client| client.subscription.as_mut()) else { return };
        let feed = &mut subscription.feed;
        while let Some(next) = feed.next(at_ms) {
            let sent = match &next {
                Next::Samples(bytes) => self.reactor.ipc_offer(client, bytes).is_ok(),
                Next::Lost(lost) => frame::encode_notification(method::NOTIFY_LOST, lost)
                    .is_ok_and(|bytes| self.reactor.ipc_offer(client, &bytes).is_ok()),
                Next::Logs(logs) => frame::encode_notification(method::NOTIFY_LOGS, logs)
                    .is_ok_and(|bytes| self.reactor.ipc_offer(client, &bytes).is_ok()),
            };
            if !sent {
                return;
            }
            feed.sent();
        }
    }

    fn subscriptions(&self) -> impl Iterator<Item = (u64, &Subscription)> {
        let all = self.clients.connected.iter();
        all.filter_map(|(client, connected)| Some((*client, connected.subscription.as_ref()?)))
    }

    fn sample_for(&mut self, client: u64, now_ns: u64) {
        let connected = self.clients.connected.get_mut(&client);
        let Some(subscription) = connected.and_then(|client| client.subscription.as_mut()) else { return };
        let Some(rhythm) = &mut subscription.feed.samples else { return };
        rhythm.advance(now_ns);
        let fresh_ns = FRESH_NS.min(rhythm.interval_ns / 2);
        let ids = match subscription.instances.as_slice() {
            [] => self.supervisor.instances().map(|instance| instance.id).collect(),
            only => only.to_vec(),
        };
        self.sample_younger_than(fresh_ns, Some(&ids));
        let instances = ids.into_iter().filter_map(|id| self.instance_sample(id, now_ns)).collect();
        let samples = Samples { at_ms: crate::control::now().wall_ms, instances };
        let Ok(bytes) = frame::encode_notification(method::NOTIFY_SAMPLES, &samples) else { return };
        let connected = self.clients.connected.get_mut(&client);
        let Some(subscription) = connected.and_then(|client| client.subscription.as_mut()) else { return };
        subscription.feed.push_samples(bytes);
        self.pump(client);
    }

    fn instance_sample(&self, id: InstanceId, now_ns: u64) -> Option<InstanceSample> {
        let instance = self.supervisor.instance(id)?;
        let usage = instance.identity.and_then(|identity| self.usage.get(id, identity));
        let started = instance.identity.and(instance.started_mono_ns);
        Some(InstanceSample {
            id,
            name: self.supervisor.app_of(id)?.spec.name.as_str().to_owned(),
            slot: instance.slot,
            phase: instance.phase,
            pid: instance.identity.map(|identity| identity.pid),
            uptime_ms: started.map(|started| now_ns.saturating_sub(started) / 1_000_000),
            restarts: instance.restarts,
            cpu_centipercent: usage.map(|usage| usage.cpu_centipercent),
            rss_bytes: usage.map(|usage| usage.rss_bytes),
        })
    }

    /// Somebody wants to know of logs from now on.
    fn begin_logs(&mut self, now_ns: u64) {
        if self.live.logs_at_ns.is_some() {
            // Those who followed already hear what is new to them.
            return self.look_at_logs(now_ns);
        }
        self.live.marks = self.log_marks();
        self.live.logs_at_ns = Some(now_ns + LOGS_EVERY_NS);
    }

    fn look_at_logs(&mut self, now_ns: u64) {
        let readers: Vec<u64> = self
            .subscriptions()
            .filter_map(|(client, subscription)| subscription.feed.logs.then_some(client))
            .collect();
        if readers.is_empty() {
            self.live = Live::default();
            return;
        }
        self.live.logs_at_ns = Some(now_ns + LOGS_EVERY_NS);
        let now = self.log_marks();
        let before = std::mem::replace(&mut self.live.marks, now);
        let mut grown = Vec::new();
        for (key, mark) in &self.live.marks {
            let known = before.get(key).filter(|known| known.token == mark.token);
            let known = known.copied().unwrap_or_else(|| mark.origin());
            if mark.has_news_since(&known) {
                grown.extend(self.log_position(*key, &known, mark));
            }
        }
        if grown.is_empty() {
            return;
        }
        for client in readers {
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

    /// How far every log is.
    fn log_marks(&self) -> BTreeMap<(InstanceId, LogStream), Mark> {
        let streams = [(LogStream::Out, Stream::Stdout), (LogStream::Err, Stream::Stderr)];
        let of_all = self.captures.iter().flat_map(|(id, capture)| {
            streams.into_iter().filter_map(move |(name, stream)| {
                let stats = self.reactor.capture_stats(capture.token, stream).ok()?;
                Some(((*id, name), Mark::of(capture.token, &stats)))
            })
        });
        of_all.collect()
    }

    fn log_positions(&self, only: &[InstanceId]) -> Vec<LogPosition> {
        let wanted = self.live.marks.iter().filter(|((id, _), _)| only.is_empty() || only.contains(id));
        wanted.filter_map(|(key, mark)| self.log_position(*key, mark, mark)).collect()
    }

    fn log_position(&self, key: (InstanceId, LogStream), from: &Mark, to: &Mark) -> Option<LogPosition> {
        let (id, stream) = key;
        let paths = self.capture_paths(id)?;
        let (path, is_discarded) = match stream {
            LogStream::Out => (paths.out_log, paths.discard_out),
            LogStream::Err => (paths.err_log, paths.discard_err),
        };
        if is_discarded {
            return None;
        }
        Some(LogPosition {
            id,
            name: self.supervisor.app_of(id)?.spec.name.as_str().to_owned(),
            slot: self.supervisor.instance(id)?.slot,
            stream,
            path: path.into(),
            from: from.place,
            to: to.place,
            lines: to.lines.saturating_sub(from.lines),
        })
    }
}

fn interval_ns(interval_ms: Option<u32>) -> Result<u64, ErrorReply> {
    let ms = interval_ms.unwrap_or(INTERVAL_MS_DEFAULT);
    if (INTERVAL_MS_MIN..=INTERVAL_MS_MAX).contains(&ms) {
        return Ok(u64::from(ms) * 1_000_000);
    }
    let message = format!("an interval of {ms} ms; it may be {INTERVAL_MS_MIN} to {INTERVAL_MS_MAX}");
    Err(ErrorReply::new(ErrorCode::Usage, message).hint("leave interval_ms out for one second"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(bytes: u64, segment: u64, offset: u64) -> Mark {
        Mark { token: 1, bytes, lines: bytes / 10, place: Place { segment, offset } }
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

    #[test]
    fn an_interval_has_bounds() {
        assert_eq!(interval_ns(None).unwrap(), 1_000_000_000);
        assert_eq!(interval_ns(Some(250)).unwrap(), 250_000_000);
        for bad in [0, 249, 60_001] {
            let error = interval_ns(Some(bad)).unwrap_err();
            assert!(error.message.contains("250 to 60000") && error.hint.is_some(), "{}", error.message);
        }
    }
}
