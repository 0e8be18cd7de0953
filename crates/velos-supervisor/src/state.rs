//! What a later daemon must know, and how the machine comes back from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use velos_core::app::AppSpec;
use velos_core::event::Cause;
use velos_core::instance::{Goal, InstanceId, Phase, ProcessIdentity, Token};

use crate::instance::{App, AppId, Instance};
use crate::{Effects, Journal, Now, Supervisor};

/// The serialised machine. Open requests are not part of it: their clients are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    apps: BTreeMap<AppId, App>,
    instances: BTreeMap<InstanceId, Instance>,
    sequence: u64,
    next_token: u64,
    next_app: u32,
}

const VERSION: u32 = 1;

/// A living process whose table is lost, as it shows itself.
#[derive(Clone, Debug)]
pub struct Survivor {
    /// What it seems to be an instance of.
    pub app: AppSpec,
    /// Its instance.
    pub id: InstanceId,
    /// Number within the app.
    pub slot: u32,
    /// Its run.
    pub token: Token,
    /// The process.
    pub identity: ProcessIdentity,
}

impl State {
    /// A table of nothing but these, all online. Those of one name are one app, as the first of them shows it.
    pub fn of_survivors(survivors: Vec<Survivor>, now: Now) -> Self {
        let mut state = Self {
            version: VERSION,
            apps: BTreeMap::new(),
            instances: BTreeMap::new(),
            sequence: 0,
            next_token: 1,
            next_app: 0,
        };
        for Survivor { app, id, slot, token, identity } in survivors {
            let known = state.apps.iter().find(|(_, known)| known.spec.name == app.name).map(|(id, _)| *id);
            let app_id = known.unwrap_or_else(|| {
                state.next_app += 1;
                AppId(state.next_app)
            });
            let entry = state.apps.entry(app_id).or_insert(App { spec: AppSpec { instances: 0, ..app } });
            entry.spec.instances += 1;
            let mut instance = Instance::new(id, app_id, slot, now.wall_ms);
            instance.goal = Goal::Up;
            state.instances.insert(id, instance);
            state.patch_running(id, token, identity, now);
        }
        state
    }

    /// Whether some instance is known to be this attempt, with its process.
    pub fn has_run(&self, token: Token) -> bool {
        self.instances.values().any(|one| one.token == Some(token) && one.identity.is_some())
    }

    /// Whether the table has this instance.
    pub fn has_instance(&self, id: InstanceId) -> bool {
        self.instances.contains_key(&id)
    }

    /// A process of an attempt that the table does not know, or knows without its process, was found alive.
    pub fn patch_running(&mut self, id: InstanceId, token: Token, identity: ProcessIdentity, now: Now) {
        self.next_token = self.next_token.max(token.0 + 1);
        let Some(instance) = self.instances.get_mut(&id) else { return };
        let known = instance.token.map_or(0, |token| token.0);
        if known > token.0 || (known == token.0 && instance.identity.is_some()) {
            return;
        }
        instance.token = Some(token);
        instance.identity = Some(identity);
        instance.started_mono_ns = Some(now.mono_ns);
        instance.runs.begin(token, identity.pid, now.wall_ms);
        instance.deadline_ns = None;
        instance.next_try = None;
        // Goal Down with a process is a stop that was not finished.
        instance.phase = Phase::Online;
    }
}

impl Supervisor {
    /// What to keep.
    pub fn snapshot(&self) -> State {
        let mut instances = self.instances.clone();
        for stand_in in instances.values_mut().filter(|one| one.stands_in_for.is_some()) {
            // Its rollout ends with this daemon.
            stand_in.goal = Goal::Down;
            stand_in.deleting = true;
        }
        State {
            version: VERSION,
            apps: self.apps.clone(),
            instances,
            sequence: self.journal.newest(),
            next_token: self.next_token,
            next_app: self.next_app,
        }
    }

    /// Come back. On the same boot live instances keep their token, and `Adopted` or `Exited` must follow for each; on
    /// another boot everything is stopped.
    pub fn restore(state: State, now: Now, same_boot: bool, out: &mut Effects) -> Self {
        let mut machine = Self {
            apps: state.apps,
            instances: state.instances,
            // Events that were told but not saved must not come again under the same number.
            journal: Journal::starting_after(state.sequence),
            next_token: state.next_token,
            next_app: state.next_app,
            ..Self::default()
        };
        let ids: Vec<InstanceId> = machine.instances.keys().copied().collect();
        for id in ids {
            if same_boot {
                machine.resume_goal(now, id, out);
            } else {
                machine.forget_boot(now, id, out);
            }
        }
        machine
    }

    /// A stop that the former daemon began goes on.
    fn resume_goal(&mut self, now: Now, id: InstanceId, out: &mut Effects) {
        let Some(instance) = self.instances.get(&id) else { return };
        if instance.goal == Goal::Down && matches!(instance.phase, Phase::Online | Phase::Launching) {
            self.begin_stop(now, id, Cause::Adopted, true, out);
        }
    }

    fn forget_boot(&mut self, now: Now, id: InstanceId, out: &mut Effects) {
        let Some(instance) = self.instances.get_mut(&id) else { return };
        instance.goal = Goal::Down;
        instance.token = None;
        instance.identity = None;
        instance.leftovers = false;
        instance.deadline_ns = None;
        instance.next_try = None;
        instance.started_mono_ns = None;
        instance.runs.cut_off(now);
        if instance.phase != Phase::Stopped && instance.phase != Phase::Errored {
            self.transition(now, id, Phase::Stopped, Cause::Rebooted, out);
        }
    }
}
