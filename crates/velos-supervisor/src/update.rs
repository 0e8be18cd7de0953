//! A new declaration for an app that is known, without touching what runs: policies hold from now on, everything else
//! from the next start of each instance on.

use velos_core::app::AppSpec;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{Verb, What};
use velos_core::instance::{Goal, InstanceId};
use velos_core::protocol::Refusal;

use crate::instance::{AppId, Instance};
use crate::{Effect, Effects, Now, Supervisor, Ticket};

impl Supervisor {
    /// Answered when instances that it added are online or have failed. What is too many is deleted; that is not
    /// waited for.
    pub(crate) fn update(
        &mut self,
        now: Now,
        ticket: Ticket,
        by: &str,
        specs: Vec<AppSpec>,
        out: &mut Effects,
    ) {
        let (mut added, mut surplus, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let cycle = self.refuse_cycle(&specs);
        for spec in specs {
            let name = spec.name.as_str().to_owned();
            let known = self.apps.iter().find(|(_, app)| app.spec.name == spec.name);
            // A circle that was there before is no reason against another change.
            let needs_others = known.is_some_and(|(_, app)| app.spec.depends_on != spec.depends_on);
            let known = known.map(|(id, _)| *id);
            if let Some(error) = cycle.clone().filter(|_| needs_others && !spec.depends_on.is_empty()) {
                refused.push(Refusal { name, error });
                continue;
            }
            match known.filter(|_| !self.shutting_down) {
                Some(app) => self.redeclare(now, app, spec, by, &mut added, &mut surplus, out),
                None => {
                    let message = format!("no app named \"{name}\" to update");
                    let error =
                        ErrorReply::new(ErrorCode::NotFound, message).hint("start it instead of updating it");
                    refused.push(Refusal { name, error });
                }
            }
        }
        self.tickets.add(ticket, Verb::Start, added.clone(), refused);
        for id in added {
            self.apply(now, ticket, by, Verb::Start, id, out);
        }
        for id in surplus {
            self.apply(now, ticket, by, Verb::Delete, id, out);
        }
        out.push(Effect::Persist);
    }

    #[expect(clippy::too_many_arguments, reason = "two of them are results for several apps")]
    fn redeclare(
        &mut self,
        now: Now,
        app: AppId,
        spec: AppSpec,
        by: &str,
        added: &mut Vec<InstanceId>,
        surplus: &mut Vec<InstanceId>,
        out: &mut Effects,
    ) {
        let wanted = spec.instances.max(1) as usize;
        if let Some(known) = self.apps.get_mut(&app) {
            known.spec = spec;
        }
        let mut kept: Vec<(u32, InstanceId)> = Vec::new();
        let mut is_wanted_up = false;
        for instance in self.instances.values_mut().filter(|instance| instance.app == app) {
            // Who changes a policy starts counting anew.
            instance.unstable = 0;
            if !instance.deleting && instance.stands_in_for.is_none() {
                is_wanted_up |= instance.goal == Goal::Up;
                kept.push((instance.slot, instance.id));
            }
        }
        kept.sort_unstable();
        let first = kept.first().map(|(_, id)| *id);
        self.record(now, first, What::Note { text: format!("its declaration was changed by {by}") }, out);
        surplus.extend(kept.split_off(kept.len().min(wanted)).into_iter().map(|(_, id)| id));
        for _ in kept.len()..wanted {
            let id = self.add_instance(now, app, out);
            if is_wanted_up {
                added.push(id);
            }
        }
    }

    /// One more, with the lowest slot that is free.
    fn add_instance(&mut self, now: Now, app: AppId, out: &mut Effects) -> InstanceId {
        let taken: Vec<u32> = self
            .instances
            .values()
            .filter(|instance| instance.app == app)
            .map(|instance| instance.slot)
            .collect();
        let slot = (0..).find(|slot| !taken.contains(slot)).unwrap_or_default();
        let id = InstanceId(self.instances.keys().next_back().map_or(0, |last| last.0 + 1));
        self.instances.insert(id, Instance::new(id, app, slot, now.wall_ms));
        self.record(now, Some(id), What::Added, out);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Command, Input};
    use velos_core::app::{Condition, Dependency};
    use velos_core::instance::Phase;
    use velos_core::name::AppName;

    fn spec(instances: u32, max_restarts: u32) -> AppSpec {
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        spec.instances = instances;
        spec.restart.max_restarts = max_restarts;
        spec
    }

    fn give(supervisor: &mut Supervisor, ticket: u64, command: Command) -> Effects {
        let mut out = Effects::new();
        let now = Now { mono_ns: 0, wall_ms: 0 };
        let by = "test".to_owned();
        supervisor.step(now, Input::Command { ticket: Ticket(ticket), by, command }, &mut out);
        let tokens: Vec<_> = supervisor.instances().filter_map(|one| one.token).collect();
        for token in tokens {
            supervisor.step(now, Input::Spawned { token, pid: 1, start_ticks: 1 }, &mut out);
        }
        out
    }

    #[test]
    fn what_runs_goes_on_and_the_count_follows() {
        let mut supervisor = Supervisor::new();
        give(&mut supervisor, 1, Command::Add(vec![spec(2, 16)]));
        let tokens = |supervisor: &Supervisor| {
            supervisor.instances().map(|one| (one.slot, one.phase, one.token)).collect::<Vec<_>>()
        };
        let before = tokens(&supervisor);
        assert!(before.iter().all(|(_, phase, _)| *phase == Phase::Online));
        give(&mut supervisor, 2, Command::Update(vec![spec(2, 3)]));
        assert_eq!(tokens(&supervisor), before, "nothing was touched");
        assert_eq!(supervisor.app_of(InstanceId(0)).unwrap().spec.restart.max_restarts, 3);
        let out = give(&mut supervisor, 3, Command::Update(vec![spec(3, 3)]));
        assert_eq!(tokens(&supervisor)[..2], before);
        assert_eq!(supervisor.instance(InstanceId(2)).unwrap().phase, Phase::Online);
        let answered = |out: &Effects, ticket| {
            out.iter().any(|effect| matches!(effect, Effect::Reply { ticket: t, .. } if *t == Ticket(ticket)))
        };
        assert!(answered(&out, 3));
        give(&mut supervisor, 4, Command::Update(vec![spec(1, 3)]));
        let stopping = supervisor.instances().filter(|one| one.deleting).map(|one| one.slot);
        assert_eq!(stopping.collect::<Vec<_>>(), [1, 2]);
        let mut unknown = spec(1, 3);
        unknown.name = AppName::new("web").unwrap();
        let out = give(&mut supervisor, 5, Command::Update(vec![unknown]));
        assert!(
            out.iter().any(|effect| matches!(effect, Effect::Reply { refused, .. } if refused.len() == 1))
        );
    }

    #[test]
    fn a_circle_is_refused_and_nothing_else() {
        let app = |name: &str, needs: Option<&str>, max_restarts| {
            let app = AppName::new(name).unwrap();
            let mut spec = AppSpec { name: app, ..spec(1, max_restarts) };
            let needs = needs.map(|name| AppName::new(name).unwrap());
            spec.depends_on =
                needs.into_iter().map(|app| Dependency { app, condition: Condition::Started }).collect();
            spec
        };
        let mut supervisor = Supervisor::new();
        give(&mut supervisor, 1, Command::Add(vec![app("db", None, 16), app("api", Some("db"), 16)]));
        let refusals = |out: &Effects| -> Vec<String> {
            let refused = out.iter().filter_map(|effect| match effect {
                Effect::Reply { refused, .. } => Some(refused.iter().map(|one| one.error.message.clone())),
                _ => None,
            });
            refused.flatten().collect()
        };
        let out = give(&mut supervisor, 2, Command::Update(vec![app("db", Some("api"), 3)]));
        assert_eq!(refusals(&out), ["dependencies go in a circle: db -> api -> db"]);
        assert_eq!(supervisor.app_of(InstanceId(0)).unwrap().spec.restart.max_restarts, 16);
        // Both at once may turn round who needs whom.
        let turned = vec![app("db", Some("api"), 3), app("api", None, 3)];
        assert!(refusals(&give(&mut supervisor, 3, Command::Update(turned))).is_empty());
        assert_eq!(supervisor.app_of(InstanceId(0)).unwrap().spec.restart.max_restarts, 3);
    }
}
