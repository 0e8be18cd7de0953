//! The life of an instance: facts come in, phases change in `transition` and nowhere else.

use velos_core::app::Kind;
use velos_core::event::{Cause, Event, What};
use velos_core::instance::{Exit, Goal, InstanceId, Phase, ProcessIdentity, SpawnFailure, Token};
use velos_core::signal::Signal;

use crate::restart::{Verdict, judge_exit, judge_spawn_failure};
use crate::{Effect, Effects, Instance, Now, Scope, Supervisor};

const MS: u64 = 1_000_000;
/// Pause between two SIGKILL rounds.
const KILL_AGAIN_NS: u64 = 1_000 * MS;

impl Supervisor {
    // ---- facts ------------------------------------------------------------------------------------

    pub(crate) fn spawned(&mut self, now: Now, token: Token, pid: i32, start_ticks: u64, out: &mut Effects) {
        let Some(id) = self.of(token) else { return };
        let readiness = self.app_of(id).map(|app| app.spec.readiness.clone()).unwrap_or_default();
        let Some(instance) = self.instances.get_mut(&id).filter(|i| i.phase == Phase::Starting) else {
            return;
        };
        instance.identity = Some(ProcessIdentity { pid, start_ticks });
        instance.started_mono_ns = Some(now.mono_ns);
        instance.spawn_failure = None;
        instance.runs.begin(token, pid, now.wall_ms);
        let goal = instance.goal;
        self.transition(now, id, Phase::Launching, Cause::Spawned, out);
        if goal == Goal::Down {
            self.begin_stop(now, id, Cause::Spawned, true, out);
        } else if readiness.wait_ready || readiness.sd_notify {
            self.set_deadline(id, now.mono_ns + readiness.listen_timeout_ms * MS);
        } else {
            self.transition(now, id, Phase::Online, Cause::Spawned, out);
        }
    }

    pub(crate) fn spawn_failed(&mut self, now: Now, token: Token, failure: SpawnFailure, out: &mut Effects) {
        let Some(id) = self.of(token) else { return };
        let Some(policy) = self.app_of(id).map(|app| app.spec.restart.clone()) else { return };
        let Some(instance) = self.instances.get_mut(&id).filter(|i| i.phase == Phase::Starting) else {
            return;
        };
        instance.token = None;
        instance.spawn_failure = Some(failure);
        let cause = Cause::SpawnFailed { failure };
        if instance.goal == Goal::Down {
            return self.come_to_rest(now, id, Phase::Stopped, cause, out);
        }
        let verdict = judge_spawn_failure(&policy, failure, &mut instance.unstable);
        self.carry_out(now, id, verdict, cause, out);
    }

    pub(crate) fn ready(&mut self, now: Now, token: Token, out: &mut Effects) {
        let Some(id) = self.of(token) else { return };
        if self.instances.get(&id).is_some_and(|instance| instance.phase == Phase::Launching) {
            self.transition(now, id, Phase::Online, Cause::Ready, out);
        }
    }

    pub(crate) fn adopted(&mut self, now: Now, token: Token, out: &mut Effects) {
        let Some(id) = self.of(token) else { return };
        let Some(instance) = self.instances.get(&id) else { return };
        let what = What::Transition {
            from: instance.phase,
            to: instance.phase,
            cause: Cause::Adopted,
            pid: instance.identity.map(|identity| identity.pid),
            next_try_ms: None,
        };
        self.record(now, Some(id), what, out);
    }

    pub(crate) fn exited(&mut self, now: Now, token: Token, exit: Exit, leftovers: bool, out: &mut Effects) {
        let Some(id) = self.of(token) else { return };
        let Some((policy, treekill)) =
            self.app_of(id).map(|app| (app.spec.restart.clone(), app.spec.stop.treekill))
        else {
            return;
        };
        let is_done = exit == Exit::Code(0) && self.app_of(id).is_some_and(|app| app.spec.kind == Kind::Task);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let started = instance.started_mono_ns.unwrap_or(now.mono_ns);
        let uptime_ms = now.mono_ns.saturating_sub(started) / MS;
        instance.identity = None;
        instance.exit = Some(exit);
        let cause = Cause::Exited { exit, uptime_ms };
        match instance.phase {
            Phase::Stopping => {
                if treekill {
                    // The leader is gone; the stop ends when the rest is.
                    out.push(Effect::WatchTree { token });
                } else {
                    self.end_run(now, id, cause, out);
                }
            }
            Phase::Starting | Phase::Launching | Phase::Online => {
                let verdict = match instance.goal {
                    Goal::Down => Verdict::Stay,
                    Goal::Up if is_done => Verdict::Stay,
                    Goal::Up => judge_exit(&policy, exit, uptime_ms, &mut instance.unstable),
                };
                match verdict {
                    // A fresh run must not meet what the last one left behind.
                    Verdict::Again(_) if leftovers && treekill => {
                        self.begin_stop(now, id, cause, false, out);
                        out.push(Effect::WatchTree { token });
                    }
                    Verdict::Stay | Verdict::GiveUp if leftovers => {
                        instance.leftovers = true;
                        self.carry_out(now, id, verdict, cause, out);
                    }
                    Verdict::Stay | Verdict::GiveUp | Verdict::Again(_) => {
                        self.drop_token(id, out);
                        self.carry_out(now, id, verdict, cause, out);
                    }
                }
            }
            Phase::Stopped | Phase::Backoff | Phase::Waiting | Phase::Errored => self.stale_inputs += 1,
        }
    }

    pub(crate) fn tree_empty(&mut self, now: Now, token: Token, out: &mut Effects) {
        let Some(id) = self.of(token) else { return };
        let stopping = self
            .instances
            .get(&id)
            .is_some_and(|instance| instance.phase == Phase::Stopping && instance.identity.is_none());
        if stopping {
            self.end_run(now, id, Cause::TreeEmpty, out);
        }
    }

    pub(crate) fn fire_deadlines(&mut self, now: Now, out: &mut Effects) {
        let due: Vec<InstanceId> = self
            .instances
            .values()
            .filter(|instance| instance.deadline_ns.is_some_and(|at| at <= now.mono_ns))
            .map(|instance| instance.id)
            .collect();
        for id in due {
            self.deadline(now, id, out);
        }
    }

    fn deadline(&mut self, now: Now, id: InstanceId, out: &mut Effects) {
        let strict = self.app_of(id).is_some_and(|app| app.spec.readiness.strict);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.deadline_ns = None;
        match instance.phase {
            Phase::Launching if strict => {
                instance.unstable += 1;
                self.begin_stop(now, id, Cause::ListenTimeout, false, out);
            }
            Phase::Launching => self.transition(now, id, Phase::Online, Cause::ListenTimeout, out),
            Phase::Stopping => {
                instance.kill_rounds += 1;
                let rounds = instance.kill_rounds;
                if let Some(token) = instance.token {
                    out.push(Effect::Signal { token, signal: Signal::KILL, scope: self.scope_of(id) });
                }
                self.set_deadline(id, now.mono_ns + KILL_AGAIN_NS);
                self.record(now, Some(id), What::Killed { rounds }, out);
            }
            Phase::Backoff => self.launch(now, id, Cause::BackoffOver, out),
            Phase::Stopped | Phase::Starting | Phase::Online | Phase::Waiting | Phase::Errored => {}
        }
    }

    /// Their deadlines have come.
    pub(crate) fn kill_what_is_stopping(&mut self, now: Now) {
        for instance in self.instances.values_mut().filter(|instance| instance.phase == Phase::Stopping) {
            instance.deadline_ns = Some(now.mono_ns);
        }
    }

    // ---- what follows -----------------------------------------------------------------------------

    /// Start; but first end what an earlier run left behind.
    pub(crate) fn clean_then_launch(&mut self, now: Now, id: InstanceId, cause: Cause, out: &mut Effects) {
        if self.instances.get(&id).is_some_and(|instance| instance.leftovers) {
            self.begin_stop(now, id, cause, true, out);
        } else {
            self.launch(now, id, cause, out);
        }
    }

    fn launch(&mut self, now: Now, id: InstanceId, cause: Cause, out: &mut Effects) {
        let Some(blocker) = self.blocker(id) else { return self.launch_now(now, id, cause, out) };
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.stopped_by_command = false;
            instance.waits_for = Some(blocker.text.clone());
            instance.waits_in_vain = false;
        }
        self.transition(now, id, Phase::Waiting, Cause::DependenciesMissing { first: blocker.text }, out);
    }

    pub(crate) fn launch_now(&mut self, now: Now, id: InstanceId, cause: Cause, out: &mut Effects) {
        let has_check = self.app_of(id).is_some_and(|app| app.spec.health.is_some());
        let token = Token(self.next_token);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        self.next_token += 1;
        instance.token = Some(token);
        instance.next_try = None;
        instance.kill_rounds = 0;
        instance.stopped_by_command = false;
        instance.waits_for = None;
        instance.waits_in_vain = false;
        instance.healthy = has_check.then_some(false);
        self.transition(now, id, Phase::Starting, cause, out);
        out.push(Effect::Spawn { token, instance: id });
        out.push(Effect::Persist);
    }

    /// Ask the run to end: the signal now, SIGKILL at the deadline.
    pub(crate) fn begin_stop(
        &mut self,
        now: Now,
        id: InstanceId,
        cause: Cause,
        commanded: bool,
        out: &mut Effects,
    ) {
        let Some(stop) = self.app_of(id).map(|app| app.spec.stop.clone()) else { return };
        let scope = self.scope_of(id);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let Some(token) = instance.token else { return };
        instance.commanded = commanded;
        instance.kill_rounds = 0;
        // Only the tree can be watched when the leader is gone already.
        let leaderless = std::mem::take(&mut instance.leftovers);
        self.run_is_ended_by(token, &cause);
        self.transition(now, id, Phase::Stopping, cause, out);
        self.set_deadline(id, now.mono_ns + stop.kill_timeout_ms * MS);
        let scope = if leaderless { Scope::Tree } else { scope };
        out.push(Effect::Signal { token, signal: stop.kill_signal, scope });
        if leaderless {
            out.push(Effect::WatchTree { token });
        }
    }

    /// Nothing of the run is left.
    fn end_run(&mut self, now: Now, id: InstanceId, cause: Cause, out: &mut Effects) {
        self.drop_token(id, out);
        let Some(policy) = self.app_of(id).map(|app| app.spec.restart.clone()) else { return };
        let Some(instance) = self.instances.get_mut(&id) else { return };
        match (instance.goal, instance.commanded) {
            (Goal::Down, _) => self.come_to_rest(now, id, Phase::Stopped, cause, out),
            (Goal::Up, true) => self.launch(now, id, cause, out),
            // The failure was judged when the leader ended; its pause starts now.
            (Goal::Up, false) => {
                let pause = match instance.unstable {
                    0 | 1 => 0,
                    n => crate::restart::backoff_ms(&policy, n - 1),
                };
                let verdict = if instance.unstable > policy.max_restarts || !policy.autorestart {
                    Verdict::GiveUp
                } else {
                    Verdict::Again(pause.max(policy.restart_delay_ms))
                };
                self.carry_out(now, id, verdict, cause, out);
            }
        }
    }

    fn carry_out(&mut self, now: Now, id: InstanceId, verdict: Verdict, cause: Cause, out: &mut Effects) {
        match verdict {
            Verdict::Stay => self.come_to_rest(now, id, Phase::Stopped, cause, out),
            Verdict::GiveUp => self.come_to_rest(now, id, Phase::Errored, cause, out),
            Verdict::Again(pause_ms) => {
                if let Some(instance) = self.instances.get_mut(&id)
                    && !matches!(cause, Cause::SpawnFailed { .. })
                {
                    instance.restarts += 1;
                }
                if pause_ms == 0 {
                    return self.launch(now, id, cause, out);
                }
                let at = now.mono_ns + pause_ms * MS;
                if let Some(instance) = self.instances.get_mut(&id) {
                    instance.next_try = Some((at, now.wall_ms.saturating_add_unsigned(pause_ms)));
                }
                self.transition(now, id, Phase::Backoff, cause, out);
                self.set_deadline(id, at);
                out.push(Effect::Persist);
            }
        }
    }

    fn come_to_rest(&mut self, now: Now, id: InstanceId, phase: Phase, cause: Cause, out: &mut Effects) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.goal = Goal::Down;
            instance.next_try = None;
        }
        self.transition(now, id, phase, cause, out);
        out.push(Effect::Persist);
        self.forget_if_stopped(now, id, out);
    }

    // ---- the one place where a phase changes --------------------------------------------------------

    pub(crate) fn transition(
        &mut self,
        now: Now,
        id: InstanceId,
        to: Phase,
        cause: Cause,
        out: &mut Effects,
    ) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let from = std::mem::replace(&mut instance.phase, to);
        instance.deadline_ns = None;
        if !matches!(to, Phase::Backoff) {
            instance.next_try = None;
        }
        let pid = instance.identity.map(|identity| identity.pid);
        let next_try_ms = instance.next_try.map(|(_, wall_ms)| wall_ms);
        self.record(now, Some(id), What::Transition { from, to, cause, pid, next_try_ms }, out);
        out.push(Effect::Persist);
    }

    fn set_deadline(&mut self, id: InstanceId, at_ns: u64) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.deadline_ns = Some(at_ns);
        }
    }

    fn drop_token(&mut self, id: InstanceId, out: &mut Effects) {
        if let Some(token) = self.instances.get_mut(&id).and_then(|instance| instance.token.take()) {
            out.push(Effect::ForgetProcess { token });
        }
    }

    fn scope_of(&self, id: InstanceId) -> Scope {
        let treekill = self.app_of(id).is_none_or(|app| app.spec.stop.treekill);
        if treekill { Scope::Tree } else { Scope::Process }
    }

    /// The instance with this attempt; an unknown one is counted.
    pub(crate) fn of(&mut self, token: Token) -> Option<InstanceId> {
        let found = self.instance_by_token(token);
        self.stale_inputs += u64::from(found.is_none());
        found
    }

    pub(crate) fn record(&mut self, now: Now, id: Option<InstanceId>, what: What, out: &mut Effects) {
        let app = id.and_then(|id| self.named(id)).map(|(_, name): (&Instance, &str)| name.to_owned());
        let event = Event { sequence: 0, at_ms: now.wall_ms, app, instance: id, what };
        out.push(Effect::Record(self.journal.add(event)));
    }
}
