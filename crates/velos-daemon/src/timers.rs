//! What the daemon looks at by time: the memory of apps that have a limit, and the moments of their schedules.

use std::collections::BTreeMap;

use velos_core::app::CronSpec;
use velos_core::event::What;
use velos_core::instance::InstanceId;
use velos_supervisor::Input;

use crate::control::{Control, now};
use crate::schedule::Moments;

/// Memory is looked at so often, ns.
const MEMORY_EVERY_NS: u64 = 1_000_000_000;
/// While there are schedules we look at the wall clock at least so often, as it may be set, ns.
const WALL_EVERY_NS: u64 = 30_000_000_000;

/// Next looks.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    memory_at_ns: Option<u64>,
    schedules_at_ns: Option<u64>,
    schedules: Moments,
}

impl Timers {
    pub(crate) fn deadline(&self) -> Option<u64> {
        [self.memory_at_ns, self.schedules_at_ns].into_iter().flatten().min()
    }

    /// When an instance is started again or run by its schedule, ms since 1970.
    pub(crate) fn next_run_ms(&self, id: InstanceId) -> Option<i64> {
        self.schedules.of(id)
    }
}

impl Control {
    /// Look at what is due.
    pub(crate) fn tick(&mut self) {
        self.watch_memory();
        self.follow_watches();
        self.check_health();
        self.follow_schedules();
        self.expire_hooks();
        self.say_on();
        self.pass_on_all();
        self.pack_next();
        self.watch_dogs();
        self.tick_live();
        self.make_spares_if_due();
    }

    fn watch_memory(&mut self) {
        let limited: Vec<InstanceId> = self
            .supervisor
            .instances()
            .filter(|instance| instance.identity.is_some())
            .filter(|instance| self.limit_of(instance.id).is_some())
            .map(|instance| instance.id)
            .collect();
        let now_ns = velos_ffi::now_ns();
        if limited.is_empty() {
            self.timers.memory_at_ns = None;
            return;
        }
        let at = *self.timers.memory_at_ns.get_or_insert(now_ns + MEMORY_EVERY_NS);
        if now_ns < at {
            return;
        }
        self.timers.memory_at_ns = Some(now_ns + MEMORY_EVERY_NS);
        self.sample(Some(&limited));
        for id in limited {
            let Some(instance) = self.supervisor.instance(id) else { continue };
            let (Some(token), Some(identity), Some(limit)) =
                (instance.token, instance.identity, self.limit_of(id))
            else {
                continue;
            };
            if let Some(usage) = self.usage.get(id, identity).filter(|usage| usage.rss_bytes > limit) {
                self.inputs.push(Input::OverMemory { token, bytes: usage.rss_bytes });
            }
        }
    }

    fn limit_of(&self, id: InstanceId) -> Option<u64> {
        self.supervisor.app_of(id)?.spec.restart.max_memory_bytes
    }

    fn follow_schedules(&mut self) {
        let crons: BTreeMap<InstanceId, CronSpec> = self
            .supervisor
            .instances()
            .filter(|instance| instance.stands_in_for.is_none())
            .filter_map(|instance| {
                let spec = &self.supervisor.app_of(instance.id)?.spec;
                let cron = spec.schedule.as_ref().or(spec.restart.cron.as_ref())?;
                Some((instance.id, cron.clone()))
            })
            .collect();
        if crons.is_empty() && self.timers.schedules.is_empty() {
            return;
        }
        let wall_ms = now().wall_ms;
        let passed = self.timers.schedules.pass(crons, wall_ms);
        self.inputs.extend(passed.due.into_iter().map(|instance| Input::ScheduleDue { instance }));
        for (id, cron) in passed.never {
            let zone = cron.timezone.as_deref().unwrap_or("local time");
            let text = format!(
                "its schedule {:?} ({zone}) never comes; is the time zone installed?",
                cron.expression
            );
            self.note(Some(id), What::Note { text });
        }
        let next_ms = self.timers.schedules.next();
        self.timers.schedules_at_ns = next_ms.map(|at_ms| {
            let wait_ms = u64::try_from(at_ms.saturating_sub(wall_ms)).unwrap_or(0);
            velos_ffi::now_ns() + wait_ms.saturating_mul(1_000_000).min(WALL_EVERY_NS)
        });
    }
}
