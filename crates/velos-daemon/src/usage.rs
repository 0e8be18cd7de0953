//! CPU and memory of the running instances, read when somebody asks.
//!
//! A reading younger than [`FRESH_NS`] is given again, so that many askers cost no more than one. CPU is the share
//! since the reading before, or since the start of the process for the first one.

use std::collections::BTreeMap;

use velos_core::instance::{InstanceId, ProcessIdentity};
use velos_ffi::{Reactor, Sample};

/// A younger reading is given to whoever asks, ns.
pub(crate) const FRESH_NS: u64 = 500_000_000;

/// What a reading says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Hundredths of a percent of one core.
    pub(crate) cpu_centipercent: u32,
    pub(crate) rss_bytes: u64,
    pub(crate) processes: u32,
    pub(crate) threads: u32,
}

#[derive(Debug)]
struct Reading {
    identity: ProcessIdentity,
    at_ns: u64,
    cpu_ns: u64,
    usage: Usage,
}

/// Readings by instance.
#[derive(Debug, Default)]
pub(crate) struct UsageCache {
    readings: BTreeMap<InstanceId, Reading>,
    buffer: Vec<Sample>,
}

/// A running process to read: whose, which, and since when it runs (CLOCK_MONOTONIC).
pub(crate) type Running = (InstanceId, ProcessIdentity, u64);

impl UsageCache {
    /// Read those of `running` whose last reading is older than `fresh_ns`.
    pub(crate) fn refresh(&mut self, reactor: &mut Reactor, running: &[Running], now_ns: u64, fresh_ns: u64) {
        let stale: Vec<&Running> = running
            .iter()
            .filter(|(id, identity, _)| {
                !self.readings.get(id).is_some_and(|reading| {
                    reading.identity == *identity && now_ns.saturating_sub(reading.at_ns) < fresh_ns
                })
            })
            .collect();
        if stale.is_empty() {
            return;
        }
        self.buffer.clear();
        self.buffer
            .extend(stale.iter().map(|(_, identity, _)| Sample::new(identity.pid, identity.start_ticks)));
        if reactor.sample(&mut self.buffer).is_err() {
            return;
        }
        for ((id, identity, started_ns), sample) in stale.into_iter().zip(&self.buffer) {
            if !sample.is_ok() {
                self.readings.remove(id);
                continue;
            }
            let before = self.readings.get(id).filter(|reading| reading.identity == *identity);
            let (since_ns, cpu_before) =
                before.map_or((*started_ns, 0), |reading| (reading.at_ns, reading.cpu_ns));
            let elapsed = now_ns.saturating_sub(since_ns).max(1);
            let share = u128::from(sample.cpu_ns().saturating_sub(cpu_before)) * 10_000 / u128::from(elapsed);
            let usage = Usage {
                cpu_centipercent: u32::try_from(share).unwrap_or(u32::MAX),
                rss_bytes: sample.rss_bytes(),
                processes: sample.processes(),
                threads: sample.threads(),
            };
            let reading = Reading { identity: *identity, at_ns: now_ns, cpu_ns: sample.cpu_ns(), usage };
            self.readings.insert(*id, reading);
        }
    }

    /// The last reading of an instance, when it is of this process.
    pub(crate) fn get(&self, id: InstanceId, identity: ProcessIdentity) -> Option<Usage> {
        self.readings.get(&id).filter(|reading| reading.identity == identity).map(|reading| reading.usage)
    }

    pub(crate) fn forget(&mut self, id: InstanceId) {
        self.readings.remove(&id);
    }
}
