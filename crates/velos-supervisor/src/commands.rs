//! What people ask for: goals change here, phases only where the facts allow it at once.

use velos_core::app::AppSpec;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{Cause, Verb, What};
use velos_core::instance::{Goal, InstanceId, Phase};
use velos_core::protocol::Refusal;
use velos_core::signal::Signal;

use crate::instance::{App, AppId, Instance};
use crate::tickets::{STUCK_ROUNDS, outcome};
use crate::{Command, Effect, Effects, Now, Running, Scope, Supervisor, Ticket};

impl Supervisor {
    pub(crate) fn command(
        &mut self,
        now: Now,
        ticket: Ticket,
        by: &str,
        command: Command,
        out: &mut Effects,
    ) {
        match command {
            Command::Add(specs) => self.add(now, ticket, by, specs, out),
            Command::TakeOver { app, processes } => self.take_over(now, ticket, *app, &processes, out),
            Command::Update(specs) => self.update(now, ticket, by, specs, out),
            Command::Start(ids) => self.each(now, ticket, by, Verb::Start, ids, out),
            Command::Stop(ids) => self.each(now, ticket, by, Verb::Stop, ids, out),
            Command::Restart(ids) => self.each(now, ticket, by, Verb::Restart, ids, out),
            Command::Reload(ids) => self.reload(now, ticket, by, ids, out),
            Command::Reset(ids) => self.reset(ticket, ids, out),
            Command::Signal(ids, signal) => self.signal(ticket, ids, signal, out),
            Command::Delete(ids) => self.each(now, ticket, by, Verb::Delete, ids, out),
            Command::Hurry => self.kill_what_is_stopping(now),
            Command::Shutdown { forget } => {
                self.shutting_down = true;
                let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
                // Youngest first: what was started last may need what was started before.
                let verb = if forget { Verb::Delete } else { Verb::Stop };
                self.tickets.add(ticket, verb, ids.clone(), Vec::new());
                for id in ids.into_iter().rev() {
                    self.apply(now, ticket, by, verb, id, out);
                }
            }
        }
    }

    fn each(
        &mut self,
        now: Now,
        ticket: Ticket,
        by: &str,
        verb: Verb,
        mut ids: Vec<InstanceId>,
        out: &mut Effects,
    ) {
        ids.retain(|id| self.instances.contains_key(id));
        self.tickets.add(ticket, verb, ids.clone(), Vec::new());
        for id in ids {
            self.apply(now, ticket, by, verb, id, out);
        }
    }

    fn add(&mut self, now: Now, ticket: Ticket, by: &str, specs: Vec<AppSpec>, out: &mut Effects) {
        let mut ids = Vec::new();
        let mut refused = Vec::new();
        let cycle = self.refuse_cycle(&specs);
        for spec in specs {
            let name = spec.name.as_str().to_owned();
            let refusal = if self.shutting_down {
                Some(
                    ErrorReply::new(ErrorCode::Refused, "the daemon is shutting down")
                        .hint("try again in a moment"),
                )
            } else {
                cycle.clone().filter(|_| !spec.depends_on.is_empty()).or_else(|| self.refuse_name(&name))
            };
            match refusal {
                Some(error) => refused.push(Refusal { name, error }),
                None => ids.extend(self.declare(now, spec, out)),
            }
        }
        self.tickets.add(ticket, Verb::Start, ids.clone(), refused);
        for id in ids {
            let waits = |spec: &AppSpec| spec.no_autostart || spec.schedule.is_some();
            if self.app_of(id).is_some_and(|app| waits(&app.spec)) {
                self.give_answer(ticket, id, Ok(()));
            } else {
                self.apply(now, ticket, by, Verb::Start, id, out);
            }
        }
        out.push(Effect::Persist);
    }

    fn take_over(
        &mut self,
        now: Now,
        ticket: Ticket,
        mut app: AppSpec,
        processes: &[Running],
        out: &mut Effects,
    ) {
        let name = app.name.as_str().to_owned();
        let known =
            |running: &&Running| self.instances.values().any(|one| one.identity == Some(running.identity));
        let ours = processes.iter().find(known).map(|running| {
            ErrorReply::new(
                ErrorCode::Exists,
                format!("process {} is an app of this daemon already", running.identity.pid),
            )
        });
        if let Some(error) = ours.or_else(|| self.refuse_name(&name)) {
            return self.tickets.add(ticket, Verb::Start, Vec::new(), vec![Refusal { name, error }]);
        }
        app.instances = u32::try_from(processes.len()).unwrap_or(u32::MAX);
        let ids = self.declare(now, app, out);
        self.tickets.add(ticket, Verb::Start, ids.clone(), Vec::new());
        for (id, running) in ids.into_iter().zip(processes) {
            let token = velos_core::instance::Token(self.next_token);
            let Some(instance) = self.instances.get_mut(&id) else { continue };
            self.next_token += 1;
            instance.goal = Goal::Up;
            instance.token = Some(token);
            instance.identity = Some(running.identity);
            instance.started_mono_ns = Some(running.started_mono_ns);
            instance.exit = None;
            instance.spawn_failure = None;
            let age_ms = now.mono_ns.saturating_sub(running.started_mono_ns) / 1_000_000;
            instance.runs.begin(token, running.identity.pid, now.wall_ms.saturating_sub_unsigned(age_ms));
            self.transition(now, id, Phase::Online, Cause::Adopted, out);
            out.push(Effect::Adopt { token, instance: id });
        }
        out.push(Effect::Persist);
    }

    fn refuse_name(&self, name: &str) -> Option<ErrorReply> {
        let (id, _) = self.apps.iter().find(|(_, app)| app.spec.name.as_str() == name)?;
        let idle = |instance: &Instance| {
            matches!(instance.phase, Phase::Stopped | Phase::Errored)
                && !instance.deleting
                && !instance.leftovers
        };
        if self.instances.values().filter(|instance| instance.app == *id).all(idle) {
            return None;
        }
        let message = format!("an app named \"{name}\" runs already");
        let hint =
            format!("restart it with `velos restart {name}`, or give the new one another name with --name");
        Some(ErrorReply::new(ErrorCode::Exists, message).hint(hint))
    }

    /// Enter the declaration; the instances that are to be started.
    fn declare(&mut self, now: Now, spec: AppSpec, out: &mut Effects) -> Vec<InstanceId> {
        let wanted = spec.instances.max(1);
        let known = self.apps.iter().find(|(_, app)| app.spec.name == spec.name).map(|(id, _)| *id);
        let app = match known {
            Some(app) => app,
            None => {
                self.next_app += 1;
                AppId(self.next_app)
            }
        };
        self.apps.insert(app, App { spec });
        let mut ids: Vec<InstanceId> = self
            .instances
            .values()
            .filter(|instance| instance.app == app)
            .map(|instance| instance.id)
            .collect();
        for surplus in ids.split_off(ids.len().min(wanted as usize)) {
            self.forget(now, surplus, out);
        }
        for slot in ids.len() as u32..wanted {
            let id = InstanceId(self.instances.keys().next_back().map_or(0, |last| last.0 + 1));
            self.instances.insert(id, Instance::new(id, app, slot, now.wall_ms));
            self.record(now, Some(id), What::Added, out);
            ids.push(id);
        }
        for id in &ids {
            if let Some(instance) = self.instances.get_mut(id) {
                instance.unstable = 0;
            }
        }
        ids
    }

    pub(crate) fn apply(
        &mut self,
        now: Now,
        ticket: Ticket,
        by: &str,
        verb: Verb,
        id: InstanceId,
        out: &mut Effects,
    ) {
        let cause = Cause::Command { verb, by: by.to_owned() };
        match verb {
            Verb::Start => self.want_up(now, ticket, id, cause, out),
            Verb::Restart | Verb::Reload => self.want_restart(now, id, cause, out),
            Verb::Stop | Verb::Shutdown => self.want_down(now, ticket, id, cause, out),
            Verb::Delete => {
                if let Some(instance) = self.instances.get_mut(&id) {
                    instance.deleting = true;
                }
                self.want_down(now, ticket, id, cause, out);
                self.forget_if_stopped(now, id, out);
            }
        }
        out.push(Effect::Persist);
    }

    fn want_up(&mut self, now: Now, ticket: Ticket, id: InstanceId, cause: Cause, out: &mut Effects) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        if self.shutting_down || instance.deleting {
            return self.give_answer(ticket, id, Err("it is being deleted".to_owned()));
        }
        instance.goal = Goal::Up;
        match instance.phase {
            Phase::Stopped | Phase::Errored | Phase::Backoff | Phase::Waiting => {
                instance.unstable = 0;
                self.clean_then_launch(now, id, cause, out);
            }
            Phase::Online => {
                if let Some((instance, name)) = self.named(id) {
                    let outcome = outcome(instance, name, Ok(()), true);
                    self.tickets.unchanged(ticket, outcome);
                }
            }
            // The next run is one that somebody asked for: it starts with a clean slate.
            Phase::Stopping => {
                instance.commanded = true;
                instance.unstable = 0;
            }
            Phase::Starting | Phase::Launching => {}
        }
    }

    pub(crate) fn want_restart(&mut self, now: Now, id: InstanceId, cause: Cause, out: &mut Effects) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        if self.shutting_down || instance.deleting {
            return;
        }
        instance.goal = Goal::Up;
        instance.unstable = 0;
        match instance.phase {
            Phase::Stopped | Phase::Errored | Phase::Backoff | Phase::Waiting => {
                self.clean_then_launch(now, id, cause, out)
            }
            Phase::Launching | Phase::Online => {
                instance.restarts += 1;
                self.begin_stop(now, id, cause, true, out);
            }
            Phase::Stopping => instance.commanded = true,
            // The attempt under way is as fresh as a restart would be.
            Phase::Starting => {}
        }
    }

    fn want_down(&mut self, now: Now, ticket: Ticket, id: InstanceId, cause: Cause, out: &mut Effects) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.goal = Goal::Down;
        instance.stopped_by_command = true;
        instance.waits_in_vain = false;
        match instance.phase {
            Phase::Stopped | Phase::Errored if instance.leftovers => {
                self.begin_stop(now, id, cause, true, out)
            }
            Phase::Stopped => {
                if let Some((instance, name)) = self.named(id)
                    && !instance.deleting
                {
                    let outcome = outcome(instance, name, Ok(()), true);
                    self.tickets.unchanged(ticket, outcome);
                }
            }
            Phase::Errored | Phase::Backoff | Phase::Waiting => {
                self.transition(now, id, Phase::Stopped, cause, out)
            }
            Phase::Launching | Phase::Online => self.begin_stop(now, id, cause, true, out),
            // `Spawned` finds the goal Down; a stop under way goes on.
            Phase::Starting | Phase::Stopping => instance.commanded = true,
        }
    }

    fn reset(&mut self, ticket: Ticket, ids: Vec<InstanceId>, out: &mut Effects) {
        self.tickets.add(ticket, Verb::Start, ids.clone(), Vec::new());
        for id in ids {
            if let Some(instance) = self.instances.get_mut(&id) {
                instance.restarts = 0;
                instance.unstable = 0;
            }
            self.give_answer(ticket, id, Ok(()));
        }
        out.push(Effect::Persist);
    }

    fn signal(&mut self, ticket: Ticket, ids: Vec<InstanceId>, signal: Signal, out: &mut Effects) {
        self.tickets.add(ticket, Verb::Start, ids.clone(), Vec::new());
        for id in ids {
            let live = self.instances.get(&id).filter(|instance| instance.identity.is_some());
            let result = match live.and_then(|instance| instance.token) {
                Some(token) => {
                    out.push(Effect::Signal { token, signal, scope: Scope::Process });
                    Ok(())
                }
                None => Err("it does not run".to_owned()),
            };
            self.give_answer(ticket, id, result);
        }
    }

    fn give_answer(&mut self, ticket: Ticket, id: InstanceId, result: Result<(), String>) {
        if let Some((instance, name)) = self.named(id) {
            let outcome = outcome(instance, name, result, false);
            self.tickets.unchanged(ticket, outcome);
        }
    }

    pub(crate) fn named(&self, id: InstanceId) -> Option<(&Instance, &str)> {
        let instance = self.instances.get(&id)?;
        Some((instance, self.apps.get(&instance.app)?.spec.name.as_str()))
    }

    pub(crate) fn forget_if_stopped(&mut self, now: Now, id: InstanceId, out: &mut Effects) {
        let gone = self.instances.get(&id).is_some_and(|instance| {
            instance.deleting
                && !instance.leftovers
                && matches!(instance.phase, Phase::Stopped | Phase::Errored)
        });
        if gone {
            self.forget(now, id, out);
        }
    }

    fn forget(&mut self, now: Now, id: InstanceId, out: &mut Effects) {
        let Some((instance, name)) = self.named(id) else { return };
        let (app, answer) = (instance.app, outcome(instance, name, Ok(()), false));
        self.tickets.forgotten(&answer);
        self.record(now, Some(id), What::Deleted, out);
        self.instances.remove(&id);
        self.stand_in_floor = self.stand_in_floor.max(id.0 + 1);
        if !self.instances.values().any(|instance| instance.app == app) {
            self.apps.remove(&app);
        }
        out.push(Effect::ForgetInstance { instance: id });
        out.push(Effect::Persist);
    }

    pub(crate) fn finish_shutdown(&mut self, out: &mut Effects) {
        // One that the kernel does not let go of keeps nobody; the next daemon goes on with it.
        let rests = |instance: &Instance| match instance.phase {
            Phase::Stopped | Phase::Errored => !instance.leftovers,
            Phase::Stopping => instance.kill_rounds >= STUCK_ROUNDS,
            _ => false,
        };
        if self.shutting_down && self.instances.values().all(rests) {
            self.shutting_down = false;
            out.push(Effect::Persist);
            out.push(Effect::Shutdown);
        }
    }
}
