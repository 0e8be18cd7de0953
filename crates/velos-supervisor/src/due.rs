//! What comes by measure or by time: a memory limit that is passed, a moment of a schedule.

use velos_core::event::{Cause, What};
use velos_core::instance::{Goal, InstanceId, Phase, Token};

use crate::{Effect, Effects, Now, Supervisor};

/// A run that passes its limit sooner counts as unstable: the limit may be below what the app needs to start. ms.
const MEMORY_STABLE_MS: u64 = 15_000;

impl Supervisor {
    /// The tree of a run uses more memory than it may: end it and start anew.
    pub(crate) fn over_memory(&mut self, now: Now, token: Token, bytes: u64, out: &mut Effects) {
        let Some(id) = self.of(token) else { return };
        let Some(limit) = self.app_of(id).and_then(|app| app.spec.restart.max_memory_bytes) else { return };
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let runs = matches!(instance.phase, Phase::Online | Phase::Launching) && instance.goal == Goal::Up;
        if !runs || bytes <= limit {
            return;
        }
        let started = instance.started_mono_ns.unwrap_or(now.mono_ns);
        let uptime_ms = now.mono_ns.saturating_sub(started) / 1_000_000;
        instance.unstable = if uptime_ms < MEMORY_STABLE_MS { instance.unstable + 1 } else { 0 };
        self.begin_stop(now, id, Cause::MemoryLimit { bytes, limit }, false, out);
    }

    /// Its health check passes; the first time that is told.
    pub(crate) fn healthy(&mut self, now: Now, token: Token, out: &mut Effects) {
        let Some(id) = self.of(token) else { return };
        let Some(instance) = self.instances.get_mut(&id).filter(|one| one.healthy != Some(true)) else {
            return;
        };
        instance.healthy = Some(true);
        self.record(now, Some(id), What::Health { healthy: true, reason: None }, out);
        out.push(Effect::Persist);
    }

    /// Its health check failed too often: end it and start anew. Each time counts as a short run, so that an app that
    /// never becomes healthy is given up.
    pub(crate) fn unhealthy(&mut self, now: Now, token: Token, reason: String, out: &mut Effects) {
        let Some(id) = self.of(token) else { return };
        let Some(instance) = self.instances.get_mut(&id) else { return };
        if instance.phase != Phase::Online || instance.goal != Goal::Up {
            return;
        }
        instance.unstable = if instance.healthy == Some(true) { 1 } else { instance.unstable + 1 };
        instance.healthy = Some(false);
        self.record(now, Some(id), What::Health { healthy: false, reason: Some(reason.clone()) }, out);
        self.begin_stop(now, id, Cause::Unhealthy { reason }, false, out);
    }

    /// A moment of its schedule: start it, or start it anew. What people stopped stays stopped.
    pub(crate) fn schedule_due(&mut self, now: Now, id: InstanceId, out: &mut Effects) {
        let is_task = self.app_of(id).is_some_and(|app| app.spec.schedule.is_some());
        let revives = self.app_of(id).is_some_and(|app| app.spec.restart.cron_revives);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let stays = instance.stopped_by_command && !revives;
        if self.shutting_down || instance.deleting || stays {
            return;
        }
        match instance.phase {
            Phase::Stopped | Phase::Errored | Phase::Backoff | Phase::Waiting => {
                instance.goal = Goal::Up;
                instance.unstable = 0;
                self.clean_then_launch(now, id, Cause::Schedule, out);
            }
            Phase::Online if !is_task => {
                instance.restarts += 1;
                instance.unstable = 0;
                self.begin_stop(now, id, Cause::Schedule, true, out);
            }
            Phase::Online | Phase::Launching | Phase::Starting | Phase::Stopping => {
                let text = "its schedule came while it was busy; this time is left out".to_owned();
                self.record(now, Some(id), What::Note { text }, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Command, Input, Ticket};
    use velos_core::app::{AppSpec, CronSpec, Kind};
    use velos_core::instance::Exit;
    use velos_core::name::AppName;

    const ID: InstanceId = InstanceId(0);

    struct World {
        supervisor: Supervisor,
        now: Now,
        out: Effects,
    }

    impl World {
        fn new(change: impl FnOnce(&mut AppSpec)) -> Self {
            let mut spec = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
            change(&mut spec);
            let now = Now { mono_ns: 1_000_000_000, wall_ms: 0 };
            let mut world = Self { supervisor: Supervisor::new(), now, out: Effects::new() };
            world.ask(Command::Add(vec![spec]));
            world
        }

        fn ask(&mut self, command: Command) {
            self.give(Input::Command { ticket: Ticket(1), by: "test".to_owned(), command });
        }

        fn give(&mut self, input: Input) {
            self.supervisor.step(self.now, input, &mut self.out);
        }

        fn token(&self) -> Token {
            self.supervisor.instance(ID).unwrap().token.unwrap()
        }

        fn phase(&self) -> Phase {
            self.supervisor.instance(ID).unwrap().phase
        }

        fn run(&mut self) {
            let token = self.token();
            self.give(Input::Spawned { token, pid: 7, start_ticks: 7 });
        }

        fn end(&mut self, exit: Exit) {
            let token = self.token();
            self.give(Input::Exited { token, exit, leftovers: false, used: None });
            if self.phase() == Phase::Stopping {
                self.give(Input::TreeEmpty { token });
            }
        }

        fn pass_ms(&mut self, ms: u64) {
            self.now.mono_ns += ms * 1_000_000;
            self.give(Input::Deadline);
        }
    }

    #[test]
    fn a_limit_below_the_start_size_backs_off_and_is_given_up() {
        let mut world = World::new(|spec| {
            spec.restart.max_memory_bytes = Some(100);
            spec.restart.max_restarts = 3;
        });
        let mut rounds = 0;
        while world.phase() != Phase::Errored && rounds < 10 {
            world.run();
            world.pass_ms(900);
            let token = world.token();
            world.give(Input::OverMemory { token, bytes: 100 });
            assert_eq!(world.phase(), Phase::Online, "the limit itself is allowed");
            world.give(Input::OverMemory { token, bytes: 101 });
            assert_eq!(world.phase(), Phase::Stopping);
            world.end(Exit::Signal(15));
            world.pass_ms(20_000);
            rounds += 1;
        }
        assert_eq!((rounds, world.phase()), (4, Phase::Errored));
        let told = |effect: &Effect| {
            matches!(effect, Effect::Record(event) if matches!(&event.what,
                What::Transition { cause: Cause::MemoryLimit { bytes: 101, limit: 100 }, .. }))
        };
        assert!(world.out.iter().any(told));
    }

    #[test]
    fn a_leak_that_takes_long_is_restarted_for_ever() {
        let mut world = World::new(|spec| {
            spec.restart.max_memory_bytes = Some(100);
            spec.restart.max_restarts = 1;
        });
        for round in 1..=5 {
            world.run();
            world.pass_ms(60_000);
            let token = world.token();
            world.give(Input::OverMemory { token, bytes: 500 });
            world.end(Exit::Code(0));
            assert_eq!(world.phase(), Phase::Starting);
            assert_eq!(world.supervisor.instance(ID).unwrap().restarts, round);
        }
    }

    #[test]
    fn a_schedule_restarts_what_runs_and_leaves_what_people_stopped() {
        let cron = CronSpec { expression: "* * * * *".to_owned(), timezone: None };
        let mut world = World::new(|spec| spec.restart.cron = Some(cron));
        world.run();
        world.give(Input::ScheduleDue { instance: ID });
        assert_eq!(world.phase(), Phase::Stopping);
        // Never overlapping: the next moment finds it busy.
        world.give(Input::ScheduleDue { instance: ID });
        world.end(Exit::Signal(15));
        assert_eq!(world.phase(), Phase::Starting);
        world.run();
        world.ask(Command::Stop(vec![ID]));
        world.end(Exit::Signal(15));
        world.give(Input::ScheduleDue { instance: ID });
        assert_eq!(world.phase(), Phase::Stopped);
    }

    #[test]
    fn a_scheduled_task_waits_for_its_moment_and_runs_once() {
        let cron = CronSpec { expression: "* * * * *".to_owned(), timezone: None };
        let mut world = World::new(|spec| {
            spec.kind = Kind::Task;
            spec.schedule = Some(cron);
        });
        assert_eq!(world.phase(), Phase::Stopped, "not started when it is declared");
        assert_eq!(world.supervisor.open_tickets(), 0, "and that is answered");
        for _ in 0..2 {
            world.give(Input::ScheduleDue { instance: ID });
            assert_eq!(world.phase(), Phase::Starting);
            world.run();
            world.give(Input::ScheduleDue { instance: ID });
            assert_eq!(world.phase(), Phase::Online, "a run that lasts is not disturbed");
            world.end(Exit::Code(0));
            assert_eq!(world.phase(), Phase::Stopped);
        }
    }
}
