//! Dependencies: who has to wait, who is let go, and what a restart or an end of one means for the others.

use velos_core::app::{AppSpec, Condition, Kind, Propagate};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{Cause, Verb};
use velos_core::instance::{Exit, Goal, InstanceId, Phase};

use crate::instance::Instance;
use crate::{Effects, Now, Supervisor};

/// What keeps an instance from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blocker {
    /// "db to be online"
    pub(crate) text: String,
    /// Nothing that is under way will change it.
    pub(crate) is_hopeless: bool,
}

impl Supervisor {
    /// The first dependency that has not come far enough.
    pub(crate) fn blocker(&self, id: InstanceId) -> Option<Blocker> {
        let instance = self.instances.get(&id).filter(|instance| instance.stands_in_for.is_none())?;
        let spec = &self.apps.get(&instance.app)?.spec;
        spec.depends_on.iter().find_map(|dependency| {
            let name = dependency.app.as_str();
            let instances: Vec<&Instance> = self.instances_of(name).collect();
            let is_met = |instance: &&Instance| match dependency.condition {
                Condition::Started => instance.phase == Phase::Online,
                Condition::Healthy => instance.phase == Phase::Online && instance.healthy != Some(false),
                Condition::Completed => {
                    instance.phase == Phase::Stopped && instance.exit == Some(Exit::Code(0))
                }
            };
            if !instances.is_empty() && instances.iter().all(is_met) {
                return None;
            }
            let what = match dependency.condition {
                Condition::Started => "online",
                Condition::Healthy => "healthy",
                Condition::Completed => "completed",
            };
            let runs_on = |instance: &Instance| {
                dependency.condition == Condition::Completed
                    && instance.phase == Phase::Online
                    && self.apps.get(&instance.app).is_some_and(|app| app.spec.kind == Kind::Service)
            };
            let is_lost = |instance: &&Instance| {
                let is_down = instance.goal == Goal::Down || instance.waits_in_vain;
                !is_met(instance) && (is_down || runs_on(instance))
            };
            Some(Blocker {
                text: format!("{name} to be {what}"),
                is_hopeless: instances.is_empty() || instances.iter().any(is_lost),
            })
        })
    }

    fn instances_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Instance> {
        self.instances.values().filter(move |instance| {
            instance.stands_in_for.is_none()
                && self.apps.get(&instance.app).is_some_and(|app| app.spec.name.as_str() == name)
        })
    }

    /// Let go whom nothing keeps any more, and pass on restarts and ends where that was asked for.
    pub(crate) fn follow_dependencies(&mut self, now: Now, out: &mut Effects) {
        // A declaration may have lost its dependencies while an instance waits for them.
        let is_waiting = self.instances.values().any(|one| one.phase == Phase::Waiting);
        if !is_waiting && self.apps.values().all(|app| app.spec.depends_on.is_empty()) {
            return;
        }
        let waiting: Vec<InstanceId> =
            self.instances.values().filter(|one| one.phase == Phase::Waiting).map(|one| one.id).collect();
        for id in waiting {
            let blocker = self.blocker(id);
            if blocker.is_none() {
                self.launch_now(now, id, Cause::DependenciesMet, out);
            } else if let Some(instance) = self.instances.get_mut(&id) {
                instance.waits_for = blocker.as_ref().map(|blocker| blocker.text.clone());
                instance.waits_in_vain = blocker.is_some_and(|blocker| blocker.is_hopeless);
            }
        }
        let online: Vec<InstanceId> = self
            .instances
            .values()
            .filter(|one| one.phase == Phase::Online && one.goal == Goal::Up && one.stands_in_for.is_none())
            .map(|one| one.id)
            .collect();
        for id in online {
            if let Some((verb, because)) = self.passed_on(id) {
                let cause = Cause::Command { verb, by: format!("dependency {because}") };
                match verb {
                    Verb::Restart => self.want_restart(now, id, cause, out),
                    _ => self.begin_stop_for_dependency(now, id, cause, out),
                }
            }
        }
    }

    /// What a dependency's fate means for a running instance.
    fn passed_on(&self, id: InstanceId) -> Option<(Verb, String)> {
        let instance = self.instances.get(&id)?;
        let spec = &self.apps.get(&instance.app)?.spec;
        spec.depends_on.iter().filter(|one| one.condition != Condition::Completed).find_map(|dependency| {
            let name = dependency.app.as_str();
            match spec.propagate {
                Propagate::None => None,
                Propagate::Restart => self
                    .instances_of(name)
                    .any(|other| {
                        other.phase == Phase::Online && other.started_mono_ns > instance.started_mono_ns
                    })
                    .then(|| (Verb::Restart, format!("{name} started anew"))),
                Propagate::Stop => self
                    .instances_of(name)
                    .any(|other| {
                        matches!(other.phase, Phase::Stopped | Phase::Errored) && other.goal == Goal::Down
                    })
                    .then(|| (Verb::Stop, format!("{name} ended"))),
            }
        })
    }

    fn begin_stop_for_dependency(&mut self, now: Now, id: InstanceId, cause: Cause, out: &mut Effects) {
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.goal = Goal::Down;
        }
        self.begin_stop(now, id, cause, true, out);
    }

    /// A chain of dependencies that comes back to an app that is to be declared.
    pub(crate) fn refuse_cycle(&self, specs: &[AppSpec]) -> Option<ErrorReply> {
        let needs = |name: &str| -> Vec<String> {
            let new = specs.iter().find(|spec| spec.name.as_str() == name);
            let known = self.apps.values().map(|app| &app.spec).find(|spec| spec.name.as_str() == name);
            let found = new.or(known).map(|spec| spec.depends_on.iter());
            found.into_iter().flatten().map(|dependency| dependency.app.as_str().to_owned()).collect()
        };
        for spec in specs {
            let start = spec.name.as_str().to_owned();
            // Depth first; a name is looked into once, as a diamond has many ways to the same place.
            let mut seen = std::collections::BTreeSet::new();
            let mut paths = vec![vec![start.clone()]];
            while let Some(path) = paths.pop() {
                let Some(last) = path.last() else { continue };
                for next in needs(last) {
                    let mut longer = path.clone();
                    longer.push(next.clone());
                    if next == start {
                        let chain = longer.join(" -> ");
                        return Some(
                            ErrorReply::new(
                                ErrorCode::Usage,
                                format!("dependencies go in a circle: {chain}"),
                            )
                            .hint("take one of them out of depends_on"),
                        );
                    }
                    if seen.insert(next) {
                        paths.push(longer);
                    }
                }
            }
        }
        None
    }
}
