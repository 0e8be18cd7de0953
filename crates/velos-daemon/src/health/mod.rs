//! Health checks: when each is due, and what its result means.

mod probe;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use velos_core::app::HealthSpec;
use velos_core::instance::{InstanceId, Phase, Token};
use velos_supervisor::Input;

use crate::control::Control;
use probe::Task;

/// The tag of our bell among watched descriptors.
pub(crate) const TAG: u32 = 2;
/// Probes at the same time, each in a thread; the others wait.
const AT_ONCE: usize = 32;
const STACK_BYTES: usize = 256 << 10;
const MS: u64 = 1_000_000;

/// All checks of running instances.
#[derive(Debug, Default)]
pub(crate) struct Health {
    checks: BTreeMap<InstanceId, Check>,
    bell: Option<Bell>,
}

#[derive(Debug)]
struct Check {
    token: Token,
    spec: HealthSpec,
    started_ns: u64,
    next_ns: u64,
    is_under_way: bool,
    failures: u32,
    /// Bytes in its logs when it started.
    written_before: [u64; 2],
}

/// How results come back to the loop.
#[derive(Debug)]
struct Bell {
    ours: UnixStream,
    theirs: Arc<UnixStream>,
    results: Receiver<(Token, Result<(), String>)>,
    send: Sender<(Token, Result<(), String>)>,
}

impl Health {
    /// When the next check is due. CLOCK_MONOTONIC, ns.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let idle = self.checks.values().filter(|check| !check.is_under_way);
        idle.map(|check| check.next_ns).min().filter(|_| self.under_way() < AT_ONCE)
    }

    fn under_way(&self) -> usize {
        self.checks.values().filter(|check| check.is_under_way).count()
    }
}

impl Control {
    /// Begin what is due.
    pub(crate) fn check_health(&mut self) {
        self.follow_health_specs();
        let now_ns = velos_ffi::now_ns();
        let due: Vec<InstanceId> = self
            .health
            .checks
            .iter()
            .filter(|(_, check)| !check.is_under_way && check.next_ns <= now_ns)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if self.health.under_way() >= AT_ONCE {
                return;
            }
            self.begin_probe(id);
        }
    }

    /// Checks of runs that are gone go; new runs get theirs.
    fn follow_health_specs(&mut self) {
        let running: Vec<(InstanceId, Token, HealthSpec, u64)> = self
            .supervisor
            .instances()
            .filter(|instance| instance.phase == Phase::Online && instance.identity.is_some())
            .filter_map(|instance| {
                let spec = self.supervisor.app_of(instance.id)?.spec.health.clone()?;
                Some((instance.id, instance.token?, spec, instance.started_mono_ns.unwrap_or(0)))
            })
            .collect();
        if running.is_empty() && self.health.checks.is_empty() {
            return;
        }
        self.health.checks.retain(|id, check| {
            running
                .iter()
                .any(|(other, token, spec, _)| other == id && *token == check.token && *spec == check.spec)
        });
        for (id, token, spec, started_ns) in running {
            if self.health.checks.contains_key(&id) {
                continue;
            }
            let written_before = self.written(id);
            let next_ns = velos_ffi::now_ns();
            let check =
                Check { token, spec, started_ns, next_ns, is_under_way: false, failures: 0, written_before };
            self.health.checks.insert(id, check);
        }
    }

    fn written(&self, id: InstanceId) -> [u64; 2] {
        let stats = self.stats(self.supervisor.writes_as(id));
        [0, 1].map(|stream| stats.get(stream).map_or(0, |stats| stats.bytes))
    }

    fn begin_probe(&mut self, id: InstanceId) {
        let Some(task) = self.task(id) else { return };
        if self.health.bell.is_none() {
            self.health.bell = self.hang_bell();
        }
        let Some(bell) = &self.health.bell else { return };
        let Some(check) = self.health.checks.get_mut(&id) else { return };
        check.next_ns = velos_ffi::now_ns() + check.spec.interval_ms * MS;
        let (token, send, theirs) = (check.token, bell.send.clone(), Arc::clone(&bell.theirs));
        let thread = std::thread::Builder::new().name("health".to_owned()).stack_size(STACK_BYTES);
        let begun = thread.spawn(move || {
            let result = task.run();
            // Nobody listens any more when the daemon ends.
            let _ = send.send((token, result));
            let _ = (&*theirs).write(&[1]);
        });
        // Without a thread it is tried again at its next moment.
        check.is_under_way = begun.is_ok();
    }

    fn task(&self, id: InstanceId) -> Option<Task> {
        let check = self.health.checks.get(&id)?;
        let app = self.supervisor.app_of(id)?;
        let paths = self.capture_paths(self.supervisor.writes_as(id))?;
        let written = self.written(id);
        let since = |stream: usize| written[stream].saturating_sub(check.written_before[stream]);
        let environment = self.environment_of(id)?;
        let env = environment.into_iter().filter_map(|entry| {
            let at = entry.iter().position(|byte| *byte == b'=')?;
            let (key, value) = entry.split_at(at);
            Some((OsString::from_vec(key.to_vec()), OsString::from_vec(value.get(1..)?.to_vec())))
        });
        Some(Task {
            probe: check.spec.probe.clone(),
            timeout: Duration::from_millis(check.spec.timeout_ms),
            cwd: app.spec.cwd.as_path().to_path_buf(),
            env: env.collect(),
            logs: vec![(paths.out_log, since(0)), (paths.err_log, since(1))],
        })
    }

    fn hang_bell(&mut self) -> Option<Bell> {
        let (ours, theirs) = UnixStream::pair().ok()?;
        ours.set_nonblocking(true).ok()?;
        theirs.set_nonblocking(true).ok()?;
        self.reactor.fd_watch(ours.as_raw_fd(), TAG).ok()?;
        let (send, results) = channel();
        Some(Bell { ours, theirs: Arc::new(theirs), results, send })
    }

    /// Results are there.
    pub(crate) fn probes_ended(&mut self) {
        let Some(bell) = &self.health.bell else { return };
        let mut bytes = [0u8; 64];
        while matches!((&bell.ours).read(&mut bytes), Ok(n) if n > 0) {}
        let results: Vec<_> = bell.results.try_iter().collect();
        for (token, result) in results {
            self.probe_ended(token, result);
        }
    }

    fn probe_ended(&mut self, token: Token, result: Result<(), String>) {
        // Of a run that is gone: nobody wants to know.
        let Some(check) = self.health.checks.values_mut().find(|check| check.token == token) else { return };
        check.is_under_way = false;
        match result {
            Ok(()) => {
                check.failures = 0;
                self.inputs.push(Input::Healthy { token });
            }
            Err(reason) => {
                let uptime_ns = velos_ffi::now_ns().saturating_sub(check.started_ns);
                if uptime_ns < check.spec.start_period_ms * MS {
                    return;
                }
                check.failures += 1;
                if check.failures >= check.spec.retries {
                    check.failures = 0;
                    self.inputs.push(Input::Unhealthy { token, reason });
                }
            }
        }
    }
}
