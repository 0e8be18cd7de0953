//! What clients see of an instance.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use velos_core::app::ExecMode;
use velos_core::instance::{InstanceId, Phase};
use velos_core::protocol::{
    HelloReply, InstanceInfo, InstanceRuns, InstanceSummary, PROTOCOL_VERSION, WhyInstance,
};
use velos_core::raw_string::RawString;
use velos_core::selector::{self, Candidate};
use velos_ffi::Stream;

use crate::control::Control;
use crate::usage::{Running, Usage};

/// Events of `why`.
const WHY_EVENTS_MAX: usize = 20;

impl Control {
    /// Instances that the targets name.
    pub(crate) fn resolve(
        &self,
        targets: &[String],
    ) -> Result<Vec<InstanceId>, velos_core::error::ErrorReply> {
        let candidates: Vec<Candidate<'_>> = self
            .supervisor
            .instances()
            .filter_map(|instance| {
                let spec = &self.supervisor.app_of(instance.id)?.spec;
                Some(Candidate {
                    id: instance.id,
                    name: spec.name.as_str(),
                    namespace: &spec.namespace,
                    slot: instance.slot,
                    script: &spec.script,
                })
            })
            .collect();
        selector::resolve(targets, &candidates)
    }

    pub(crate) fn hello(&self) -> HelloReply {
        HelloReply {
            version: PROTOCOL_VERSION,
            product: velos_core::VERSION.to_owned(),
            core_abi: velos_ffi::abi_version(),
            pid: std::process::id() as i32,
            guardian_pid: self.handover.guardian_pid,
            uptime_ms: velos_ffi::now_ns().saturating_sub(self.handover.started_ns) / 1_000_000,
            rss_bytes: own_rss_bytes(),
            executable: RawString::from(self.identity.executable.clone()),
        }
    }

    pub(crate) fn sample(&mut self, only: Option<&[InstanceId]>) {
        self.sample_younger_than(crate::usage::FRESH_NS, only);
    }

    /// A reading of this age at most.
    pub(crate) fn sample_younger_than(&mut self, fresh_ns: u64, only: Option<&[InstanceId]>) {
        let running: Vec<Running> = self
            .supervisor
            .instances()
            .filter(|instance| only.is_none_or(|ids| ids.contains(&instance.id)))
            .filter_map(|instance| {
                Some((instance.id, instance.identity?, instance.started_mono_ns.unwrap_or(0)))
            })
            .collect();
        self.usage.refresh(&mut self.reactor, &running, velos_ffi::now_ns(), fresh_ns);
    }

    /// The line of `list`; call [`Control::sample`] before.
    pub(crate) fn summary(&self, id: InstanceId) -> Option<InstanceSummary> {
        let instance = self.supervisor.instance(id)?;
        let spec = &self.supervisor.app_of(id)?.spec;
        let paths = self.capture_paths(id)?;
        let usage = instance.identity.and_then(|identity| self.usage.get(id, identity));
        let (dropped_lines, log_errno) = self.losses(id);
        let now = velos_ffi::now_ns();
        Some(InstanceSummary {
            id,
            name: spec.name.as_str().to_owned(),
            namespace: spec.namespace.clone(),
            slot: instance.slot,
            version: self.release(id),
            phase: instance.phase,
            goal: instance.goal,
            pid: instance.identity.map(|identity| identity.pid),
            uptime_ms: instance
                .identity
                .and(instance.started_mono_ns)
                .map(|started| now.saturating_sub(started) / 1_000_000),
            restarts: instance.restarts,
            cpu_centipercent: usage.map(|usage| usage.cpu_centipercent),
            rss_bytes: usage.map(|usage| usage.rss_bytes),
            user: spec.identity.user.clone().unwrap_or_else(|| self.identity.user.clone()),
            // There is no other yet.
            mode: ExecMode::Fork,
            watching: spec.watch.is_some(),
            declared_in: spec.declared_in.clone(),
            declared_ms: spec.declared_ms,
            script: spec.script.clone(),
            exit: instance.exit,
            spawn_failure: instance.spawn_failure,
            next_try_ms: instance.next_try.map(|(_, wall_ms)| wall_ms),
            waits_for: instance.waits_for.clone().filter(|_| instance.phase == Phase::Waiting),
            healthy: instance.healthy.filter(|_| instance.identity.is_some()),
            dropped_lines,
            log_errno,
            out_log: paths.out_log.into(),
            err_log: paths.err_log.into(),
        })
    }

    pub(crate) fn info(&mut self, id: InstanceId) -> Option<InstanceInfo> {
        let instance = self.supervisor.instance(id)?;
        let usage: Option<Usage> = instance.identity.and_then(|identity| self.usage.get(id, identity));
        Some(InstanceInfo {
            summary: self.summary(id)?,
            spec: self.supervisor.app_of(id)?.spec.clone(),
            created_ms: instance.created_ms,
            unstable: instance.unstable,
            processes: usage.map(|usage| usage.processes),
            threads: usage.map(|usage| usage.threads),
            next_run_ms: self.timers.next_run_ms(id),
            input: self.fifo_path(id, "in").unwrap_or_default().into(),
            captured_bytes: self.stats(id).iter().map(|stats| stats.bytes).sum(),
        })
    }

    pub(crate) fn why(&self, id: InstanceId) -> Option<WhyInstance> {
        let instance = self.supervisor.instance(id)?;
        let all = self.supervisor.events().iter().filter(|event| event.instance == Some(id));
        let mut events: Vec<_> = all.cloned().collect();
        events.drain(..events.len().saturating_sub(WHY_EVENTS_MAX));
        Some(WhyInstance {
            summary: self.summary(id)?,
            events,
            restart: self.supervisor.app_of(id)?.spec.restart.clone(),
            unstable: instance.unstable,
        })
    }

    /// What is kept of the runs of an instance.
    pub(crate) fn runs(&self, id: InstanceId) -> Option<InstanceRuns> {
        let instance = self.supervisor.instance(id)?;
        let paths = self.capture_paths(id)?;
        Some(InstanceRuns {
            id,
            name: self.supervisor.app_of(id)?.spec.name.as_str().to_owned(),
            slot: instance.slot,
            out_log: paths.out_log.into(),
            err_log: paths.err_log.into(),
            runs: instance.runs.iter().cloned().collect(),
        })
    }

    fn losses(&self, id: InstanceId) -> (u64, Option<i32>) {
        let stats = self.stats(id);
        let dropped = stats.iter().map(|stats| stats.dropped_lines).sum();
        (dropped, stats.iter().map(|stats| -stats.error).find(|errno| *errno != 0))
    }

    pub(crate) fn stats(&self, id: InstanceId) -> Vec<velos_ffi::CaptureStats> {
        let Some(capture) = self.captures.get(&id) else { return Vec::new() };
        [Stream::Stdout, Stream::Stderr]
            .into_iter()
            .filter_map(|stream| self.reactor.capture_stats(capture.token, stream).ok())
            .collect()
    }
}

/// Our own resident memory: second field of `/proc/self/statm`, in pages, see proc_pid_statm(5). 0 where there is none.
fn own_rss_bytes() -> u64 {
    // Every client asks on its way in, so it stays open.
    static STATM: OnceLock<Option<File>> = OnceLock::new();
    let mut text = [0; 64];
    let file = STATM.get_or_init(|| File::open("/proc/self/statm").ok()).as_ref();
    let length = file.and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
    let fields = text.get(..length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
    let pages: u64 = fields.split(' ').nth(1).and_then(|field| field.parse().ok()).unwrap_or(0);
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096);
    pages * u64::try_from(page).unwrap_or(4096)
}
