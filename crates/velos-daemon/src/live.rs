//! Live updates: subscriptions, readings at an interval, and sending what waits. How far logs have grown is told by
//! `live_logs`. Nothing of it runs, and nothing wakes the daemon, while nobody is subscribed.

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::frame;
use velos_core::instance::InstanceId;
use velos_core::live::{
    INTERVAL_MS_DEFAULT, INTERVAL_MS_MAX, INTERVAL_MS_MIN, InstanceSample, Kind, Samples, SubscribeParams,
    Subscribed,
};
use velos_core::protocol::method;

use crate::clients::Subscription;
use crate::control::Control;
use crate::feed::{Feed, Next, Rhythm};
use crate::usage::FRESH_NS;

impl Control {
    pub(crate) fn subscribe(&mut self, client: u64, params: &SubscribeParams) -> Result<Vec<u8>, ErrorReply> {
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
        let subscription =
            Subscription { instances, targets: params.targets.clone(), sent, behind, events, feed };
        if let Some(connected) = self.clients.connected.get_mut(&client) {
            connected.subscription = Some(subscription);
        }
        if behind {
            self.catch_up(client);
        }
        crate::answers::encode(&answer)
    }

    /// An instance that is new may be one of those that somebody named.
    pub(crate) fn widen_subscriptions(&mut self, id: InstanceId) {
        let means = |target: &String| {
            self.resolve(std::slice::from_ref(target)).is_ok_and(|meant| meant.contains(&id))
        };
        let clients: Vec<u64> = self
            .subscriptions()
            .filter(|(_, subscription)| subscription.targets.iter().any(means))
            .map(|(client, _)| client)
            .collect();
        for client in clients {
            let connected = self.clients.connected.get_mut(&client);
            if let Some(subscription) = connected.and_then(|client| client.subscription.as_mut())
                && !subscription.instances.contains(&id)
            {
                subscription.instances.push(id);
            }
        }
    }

    /// What is due now.
    pub(crate) fn tick_live(&mut self) {
        let now_ns = velos_ffi::now_ns();
        if self.live.logs_at_ns.is_some_and(|at| at <= now_ns) {
            self.look_at_all_logs(now_ns);
        }
        let is_due = |subscription: &Subscription| {
            subscription.feed.samples.is_some_and(|rhythm| rhythm.due_ns <= now_ns)
        };
        let clients: Vec<u64> = self
            .subscriptions()
            .filter_map(|(client, subscription)| is_due(subscription).then_some(client))
            .collect();
        if !clients.is_empty() {
            // As if they had asked.
            self.rest.asked(velos_ffi::now_ns());
        }
        // Those who are due together and want all get the same bytes.
        let mut of_all = None;
        for client in clients {
            self.sample_for(client, now_ns, &mut of_all);
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

    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = (u64, &Subscription)> {
        let all = self.clients.connected.iter();
        all.filter_map(|(client, connected)| Some((*client, connected.subscription.as_ref()?)))
    }

    fn sample_for(&mut self, client: u64, now_ns: u64, of_all: &mut Option<Vec<u8>>) {
        let connected = self.clients.connected.get_mut(&client);
        let Some(subscription) = connected.and_then(|client| client.subscription.as_mut()) else { return };
        let Some(rhythm) = &mut subscription.feed.samples else { return };
        rhythm.advance(now_ns);
        let fresh_ns = FRESH_NS.min(rhythm.interval_ns / 2);
        let only = subscription.instances.clone();
        let bytes = match of_all {
            Some(bytes) if only.is_empty() => bytes.clone(),
            _ => {
                let Some(bytes) = self.encoded_samples(&only, fresh_ns, now_ns) else { return };
                if only.is_empty() {
                    *of_all = Some(bytes.clone());
                }
                bytes
            }
        };
        let connected = self.clients.connected.get_mut(&client);
        let Some(subscription) = connected.and_then(|client| client.subscription.as_mut()) else { return };
        subscription.feed.push_samples(bytes);
        self.pump(client);
    }

    /// A reading of these, or of all when there are none.
    fn encoded_samples(&mut self, only: &[InstanceId], fresh_ns: u64, now_ns: u64) -> Option<Vec<u8>> {
        let ids = match only {
            [] => self.supervisor.instances().map(|instance| instance.id).collect(),
            only => only.to_vec(),
        };
        self.sample_younger_than(fresh_ns, Some(&ids));
        let instances = ids.into_iter().filter_map(|id| self.instance_sample(id, now_ns)).collect();
        let samples = Samples { at_ms: crate::control::now().wall_ms, instances };
        frame::encode_notification(method::NOTIFY_SAMPLES, &samples).ok()
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
