//! Rolling reload: one instance after the other gets a new process, and the old one goes only when the new one is good.
//!
//! The new process starts in a stand-in, an instance of its own that writes to the logs of the one it stands in for. Once
//! it has proved itself the two change places, so that people keep seeing the same id, and the stand-in is deleted with
//! the old process. A stand-in that fails is deleted with the new one, and the rollout ends there.

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{Cause, Verb, What};
use velos_core::instance::{Goal, InstanceId, Phase};
use velos_core::protocol::Refusal;

use crate::instance::Instance;
use crate::tickets::outcome;
use crate::{Effect, Effects, Now, Supervisor, Ticket};

/// One request under way.
#[derive(Clone, Debug)]
pub(crate) struct Reload {
    ticket: Ticket,
    by: String,
    /// Still to do, in order.
    queue: Vec<InstanceId>,
    /// Of those, what did not run: it was started when the reload was asked for.
    started: Vec<InstanceId>,
    stage: Stage,
    /// Why it ends before its time.
    failure: String,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Take the next one.
    Next,
    /// The stand-in has to prove itself.
    Proving { old: InstanceId, new: InstanceId },
    /// The stand-in has the old process now; who asked hears when that is gone.
    Retiring { old: InstanceId, new: InstanceId },
    /// The stand-in failed and is on its way out; who asked hears when nothing of it is left.
    Dropping { old: InstanceId, new: InstanceId },
    /// It did not run, so it is just started.
    Starting { id: InstanceId },
}

impl Supervisor {
    pub(crate) fn reload(
        &mut self,
        now: Now,
        ticket: Ticket,
        by: &str,
        ids: Vec<InstanceId>,
        out: &mut Effects,
    ) {
        let known =
            |id: &InstanceId| self.instances.get(id).is_some_and(|instance| instance.stands_in_for.is_none());
        let (busy, queue): (Vec<InstanceId>, Vec<InstanceId>) =
            ids.into_iter().filter(known).partition(|id| self.is_reloaded(*id));
        let refused = self.refuse_busy(&busy);
        self.tickets.add(ticket, Verb::Reload, queue.clone(), refused);
        let runs = |id: &InstanceId| {
            self.instances.get(id).is_some_and(|one| one.goal == Goal::Up && one.phase == Phase::Online)
        };
        let started: Vec<InstanceId> = queue.iter().copied().filter(|id| !runs(id)).collect();
        for id in &started {
            self.apply(now, ticket, by, Verb::Restart, *id, out);
        }
        let (by, stage, failure) = (by.to_owned(), Stage::Next, String::new());
        self.reloads.push(Reload { ticket, by, queue, started, stage, failure });
        self.advance_reloads(now, out);
    }

    /// Whether a rollout has it in hand or before it. What waits for its end is each app's own affair: others go on.
    fn is_reloaded(&self, id: InstanceId) -> bool {
        self.reloads.iter().any(|reload| {
            let in_hand = match reload.stage {
                Stage::Proving { old, .. } | Stage::Dropping { old, .. } => old == id,
                Stage::Starting { id: started } => started == id,
                Stage::Retiring { .. } | Stage::Next => false,
            };
            in_hand || reload.queue.contains(&id)
        })
    }

    fn refuse_busy(&self, busy: &[InstanceId]) -> Vec<Refusal> {
        let mut names: Vec<&str> =
            busy.iter().filter_map(|id| self.named(*id)).map(|(_, name)| name).collect();
        names.dedup();
        let refusal = |name: &str| {
            let error = ErrorReply::new(ErrorCode::Busy, format!("a reload of \"{name}\" is in progress"))
                .hint(format!("wait for it: velos events -f {name}; `velos stop {name}` ends it"));
            Refusal { name: name.to_owned(), error }
        };
        names.into_iter().map(refusal).collect()
    }

    /// Take every rollout as far as the facts allow.
    pub(crate) fn advance_reloads(&mut self, now: Now, out: &mut Effects) {
        let mut reloads = std::mem::take(&mut self.reloads);
        reloads.retain_mut(|reload| self.advance(now, reload, out));
        // A rollout begins no other.
        self.reloads = reloads;
    }

    /// When a stand-in has run for long enough. CLOCK_MONOTONIC, ns.
    pub(crate) fn reload_deadline(&self) -> Option<u64> {
        self.reloads.iter().filter_map(|reload| self.proved_at(reload)).min()
    }

    fn proved_at(&self, reload: &Reload) -> Option<u64> {
        let Stage::Proving { new, .. } = reload.stage else { return None };
        let instance = self.instances.get(&new).filter(|instance| instance.phase == Phase::Online)?;
        let spec = &self.apps.get(&instance.app)?.spec;
        // Who says that it is ready needs no more proof; of the others only time tells.
        let says_ready = spec.readiness.wait_ready || spec.readiness.sd_notify;
        let wait_ms = if says_ready { 0 } else { spec.restart.min_uptime_ms };
        Some(instance.started_mono_ns.unwrap_or(0) + wait_ms * 1_000_000)
    }

    /// Whether it goes on.
    fn advance(&mut self, now: Now, reload: &mut Reload, out: &mut Effects) -> bool {
        loop {
            match reload.stage {
                Stage::Next if reload.queue.is_empty() => return false,
                Stage::Next => {
                    let id = reload.queue.remove(0);
                    reload.stage = self.begin(now, id, reload, out);
                }
                Stage::Proving { old, new } => {
                    if let Some(reason) = self.failure_of(old, new) {
                        self.drop_stand_in(now, new, out);
                        reload.failure = reason;
                        reload.stage = Stage::Dropping { old, new };
                        continue;
                    }
                    if self.proved_at(reload).is_none_or(|at| now.mono_ns < at) {
                        return true;
                    }
                    self.change_places(now, old, new, &reload.by, out);
                    reload.stage = Stage::Retiring { old, new };
                }
                Stage::Dropping { new, .. } if self.instances.contains_key(&new) => return true,
                Stage::Dropping { old, .. } => {
                    let reason = std::mem::take(&mut reload.failure);
                    self.refuse_rest(reload, old, &reason);
                    return false;
                }
                Stage::Retiring { old, new } => match self.instances.get(&new) {
                    Some(retiring) if retiring.phase != Phase::Errored => return true,
                    // One that the kernel does not let go of keeps nobody waiting: the new process serves.
                    _ => {
                        self.answer(reload.ticket, old, Ok(()));
                        reload.stage = Stage::Next;
                    }
                },
                Stage::Starting { id } => match self.instances.get(&id) {
                    None => reload.stage = Stage::Next,
                    Some(instance) if instance.phase == Phase::Online => {
                        self.answer(reload.ticket, id, Ok(()));
                        reload.stage = Stage::Next;
                    }
                    Some(instance) if instance.is_on_its_way() => return true,
                    Some(_) => {
                        self.refuse_rest(reload, id, "it could not be started");
                        return false;
                    }
                },
            }
        }
    }

    fn begin(&mut self, now: Now, id: InstanceId, reload: &Reload, out: &mut Effects) -> Stage {
        let Some(instance) = self.instances.get(&id).filter(|instance| !instance.deleting) else {
            return Stage::Next;
        };
        if instance.goal == Goal::Down {
            self.answer(reload.ticket, id, Err("it was stopped meanwhile".to_owned()));
            return Stage::Next;
        }
        if instance.phase != Phase::Online || reload.started.contains(&id) {
            return Stage::Starting { id };
        }
        let above = self.instances.keys().next_back().map_or(0, |last| last.0 + 1);
        let new = InstanceId(above.max(self.stand_in_floor));
        self.stand_in_floor = new.0 + 1;
        let mut stand_in = Instance::new(new, instance.app, instance.slot, now.wall_ms);
        stand_in.stands_in_for = Some(id);
        stand_in.goal = Goal::Up;
        self.instances.insert(new, stand_in);
        let cause = Cause::Command { verb: Verb::Reload, by: reload.by.clone() };
        self.clean_then_launch(now, new, cause, out);
        Stage::Proving { old: id, new }
    }

    /// Why the new process cannot take over, if it cannot any more.
    fn failure_of(&self, old: InstanceId, new: InstanceId) -> Option<String> {
        let Some(instance) = self.instances.get(&new) else {
            return Some("the new process was deleted; the old one goes on".to_owned());
        };
        if !self.instances.get(&old).is_some_and(|old| old.phase == Phase::Online && old.goal == Goal::Up) {
            return Some("it was stopped meanwhile".to_owned());
        }
        let ended = match (instance.spawn_failure, instance.exit) {
            (Some(failure), _) => failure.to_string(),
            (None, Some(exit)) => format!("it ended with {exit}"),
            (None, None) if instance.phase == Phase::Stopping => "it was not ready in time".to_owned(),
            (None, None) if instance.goal == Goal::Down => "it was stopped".to_owned(),
            (None, None) => return None,
        };
        Some(format!("the new process failed: {ended}; the old one goes on"))
    }

    fn drop_stand_in(&mut self, now: Now, new: InstanceId, out: &mut Effects) {
        let Some(instance) = self.instances.get_mut(&new) else { return };
        instance.deleting = true;
        instance.goal = Goal::Down;
        match instance.phase {
            Phase::Launching | Phase::Online => self.begin_stop(now, new, Cause::Reloaded, true, out),
            Phase::Stopped | Phase::Errored if instance.leftovers => {
                self.begin_stop(now, new, Cause::Reloaded, true, out)
            }
            Phase::Backoff | Phase::Waiting | Phase::Errored => {
                self.transition(now, new, Phase::Stopped, Cause::Reloaded, out)
            }
            Phase::Starting | Phase::Stopping => instance.commanded = true,
            Phase::Stopped => {}
        }
        self.forget_if_stopped(now, new, out);
    }

    fn refuse_rest(&mut self, reload: &mut Reload, id: InstanceId, reason: &str) {
        self.answer(reload.ticket, id, Err(reason.to_owned()));
        for id in std::mem::take(&mut reload.queue) {
            self.answer(reload.ticket, id, Err("not reloaded, because the one before it failed".to_owned()));
        }
    }

    fn answer(&mut self, ticket: Ticket, id: InstanceId, result: Result<(), String>) {
        if let Some((instance, name)) = self.named(id) {
            let outcome = outcome(instance, name, result, false);
            self.tickets.unchanged(ticket, outcome);
        }
    }

    /// The id keeps its place and gets the new process; the stand-in gets the old one, to end it.
    fn change_places(&mut self, now: Now, old: InstanceId, new: InstanceId, by: &str, out: &mut Effects) {
        let Some(mut stand_in) = self.instances.remove(&new) else { return };
        if let Some(instance) = self.instances.get_mut(&old) {
            std::mem::swap(&mut instance.token, &mut stand_in.token);
            std::mem::swap(&mut instance.identity, &mut stand_in.identity);
            std::mem::swap(&mut instance.started_mono_ns, &mut stand_in.started_mono_ns);
            instance.runs.take_over(&mut stand_in.runs);
            instance.unstable = 0;
            instance.restarts += 1;
            instance.deadline_ns = None;
        }
        stand_in.deleting = true;
        stand_in.goal = Goal::Down;
        self.instances.insert(new, stand_in);
        let pid =
            self.instances.get(&old).and_then(|instance| instance.identity).map(|identity| identity.pid);
        let (from, to) = (Phase::Online, Phase::Online);
        self.record(
            now,
            Some(old),
            What::Transition { from, to, cause: Cause::Reloaded, pid, next_try_ms: None },
            out,
        );
        let cause = Cause::Command { verb: Verb::Reload, by: by.to_owned() };
        self.begin_stop(now, new, cause, true, out);
        out.push(Effect::Persist);
    }
}
