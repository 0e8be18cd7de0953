//! What instances used lately. The daemon keeps no history; this server does for five minutes, from the first question on,
//! and stops when nobody has asked for a while.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use velos_client::{Client, Home};
use velos_core::protocol::{InstanceSummary, ListReply, Targets, method};

/// How far back it goes.
pub(crate) const KEPT: Duration = Duration::from_secs(300);
/// Pause between two samples.
pub(crate) const EVERY: Duration = Duration::from_secs(5);
/// Nobody has asked for so long: it ends.
const IDLE: Duration = Duration::from_secs(900);
/// Samples of an instance, and instances; a caller who samples himself adds some.
const SAMPLES_MAX: usize = 120;
const INSTANCES_MAX: usize = 4_096;
/// A daemon that hangs is asked again later.
const PATIENCE: Duration = Duration::from_secs(5);

/// One look at one instance that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    /// Of one core.
    pub(crate) cpu: Option<f64>,
    pub(crate) memory_bytes: f64,
    pub(crate) restarts: u64,
}

impl Sample {
    /// None of an instance that does not run.
    pub(crate) fn of(one: &InstanceSummary, at: Instant) -> Option<Self> {
        let cpu = one.cpu_centipercent.map(|cpu| f64::from(cpu) / 100.0);
        Some(Self { at, cpu, memory_bytes: one.rss_bytes? as f64, restarts: one.restarts })
    }
}

/// All that is kept.
#[derive(Debug, Default)]
pub(crate) struct History {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    series: BTreeMap<u32, VecDeque<Sample>>,
    /// When somebody asked last; none: nothing is sampled.
    asked: Option<Instant>,
}

impl History {
    /// From now on it is sampled, if it was not before.
    pub(crate) fn want(self: &Arc<Self>, home: &Home) {
        let mut inner = self.inner();
        if inner.asked.replace(Instant::now()).is_some() {
            return;
        }
        let (history, home) = (Arc::downgrade(self), home.clone());
        let thread = std::thread::Builder::new().name("history".to_owned());
        if thread.spawn(move || watch(&history, &home)).is_err() {
            // Tried again with the next question; until then each answers from its own samples.
            inner.asked = None;
        }
    }

    /// The samples of an instance that are not older than this, oldest first.
    pub(crate) fn of(&self, id: u32, window: Duration) -> Vec<Sample> {
        let inner = self.inner();
        let samples = inner.series.get(&id).into_iter().flatten();
        samples.filter(|sample| sample.at.elapsed() <= window).copied().collect()
    }

    /// Remember what was seen; what is not in the list any more is forgotten, if it is the whole list.
    pub(crate) fn add(&self, instances: &[InstanceSummary], at: Instant, is_whole: bool) {
        let mut inner = self.inner();
        if is_whole {
            inner.series.retain(|id, _| instances.iter().any(|one| one.id.0 == *id));
        }
        for one in instances {
            let has_room = inner.series.len() < INSTANCES_MAX || inner.series.contains_key(&one.id.0);
            let Some(sample) = Sample::of(one, at).filter(|_| has_room) else { continue };
            let samples = inner.series.entry(one.id.0).or_default();
            samples.push_back(sample);
            while samples.len() > SAMPLES_MAX
                || samples.front().is_some_and(|first| at.saturating_duration_since(first.at) > KEPT)
            {
                samples.pop_front();
            }
        }
    }

    /// Nobody needs it any more.
    fn is_over(&self) -> bool {
        let mut inner = self.inner();
        let is_over = inner.asked.is_none_or(|asked| asked.elapsed() > IDLE);
        if is_over {
            *inner = Inner::default();
        }
        is_over
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Samples are whole or not there; a panic elsewhere changes nothing about them.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sample until nobody asks any more or the server is gone.
fn watch(history: &Weak<History>, home: &Home) {
    let mut client: Option<Client> = None;
    loop {
        std::thread::sleep(EVERY);
        let Some(history) = history.upgrade() else { return };
        if history.is_over() {
            return;
        }
        let list = look(&mut client, home);
        match list {
            Some(list) => history.add(&list.instances, Instant::now(), true),
            // A gap is all that comes of it.
            None => client = None,
        }
    }
}

/// None while there is no daemon.
fn look(client: &mut Option<Client>, home: &Home) -> Option<ListReply> {
    if client.is_none() {
        *client = Client::connect_within(home, "mcp", PATIENCE).ok()?;
        client.as_mut()?.set_patience(Some(PATIENCE));
    }
    client.as_mut()?.call(method::LIST, &Targets::default()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(id: u32, memory: u64) -> InstanceSummary {
        let value = serde_json::json!({
            "id": id, "name": "api", "namespace": "default", "slot": 0, "phase": "online", "goal": "up",
            "restarts": 0, "user": "me", "script": "x", "out_log": "", "err_log": "", "rss_bytes": memory, "cpu_centipercent": 150,
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_old_or_gone_is_forgotten() {
        let history = History::default();
        let now = Instant::now();
        for second in 0..200 {
            history.add(&[instance(0, second), instance(1, 5)], now + EVERY * second as u32, true);
        }
        let of = |id| history.of(id, KEPT).into_iter().map(|sample| sample.memory_bytes).collect::<Vec<_>>();
        assert_eq!(of(0).len(), 61);
        assert_eq!(of(0).last(), Some(&199.0));
        // A look at some says nothing about the others.
        history.add(&[instance(0, 7)], now + EVERY * 200, false);
        assert!(!of(1).is_empty());
        history.add(&[instance(0, 7)], now + EVERY * 201, true);
        assert!(of(1).is_empty());
        for _ in 0..500 {
            history.add(&[instance(0, 7)], now + EVERY * 201, false);
        }
        assert_eq!(of(0).len(), SAMPLES_MAX);
    }

    #[test]
    fn it_ends_when_nobody_asks() {
        let history = History::default();
        assert!(history.is_over());
        history.inner().asked = Some(Instant::now());
        assert!(!history.is_over());
    }
}
