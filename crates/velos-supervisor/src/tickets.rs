//! Requests that wait: for which instances, for what.

use std::collections::BTreeMap;

use velos_core::event::Verb;
use velos_core::instance::{InstanceId, Phase};
use velos_core::protocol::{Outcome, Refusal};

use crate::{Effect, Effects, Instance, Supervisor, Ticket};

/// After so many rounds of SIGKILL, a second apart, whoever waits is told that it does not end.
pub(crate) const STUCK_ROUNDS: u32 = 3;

#[derive(Clone, Debug)]
struct Open {
    verb: Verb,
    waiting: Vec<InstanceId>,
    settled: Vec<Outcome>,
    refused: Vec<Refusal>,
}

/// The open ones, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tickets {
    open: BTreeMap<Ticket, Open>,
}

impl Tickets {
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn add(
        &mut self,
        ticket: Ticket,
        verb: Verb,
        waiting: Vec<InstanceId>,
        refused: Vec<Refusal>,
    ) {
        self.open.insert(ticket, Open { verb, waiting, settled: Vec::new(), refused });
    }

    /// An instance had what was asked for already.
    pub(crate) fn unchanged(&mut self, ticket: Ticket, outcome: Outcome) {
        if let Some(open) = self.open.get_mut(&ticket) {
            open.waiting.retain(|id| *id != outcome.id);
            open.settled.push(outcome);
        }
    }

    /// The instance is forgotten: whoever waited for it has an answer.
    pub(crate) fn forgotten(&mut self, outcome: &Outcome) {
        for open in self.open.values_mut().filter(|open| open.waiting.contains(&outcome.id)) {
            open.waiting.retain(|id| *id != outcome.id);
            let mut outcome = outcome.clone();
            if !matches!(open.verb, Verb::Stop | Verb::Delete | Verb::Shutdown) {
                outcome.ok = false;
                outcome.reason = Some("it was deleted meanwhile".to_owned());
            }
            open.settled.push(outcome);
        }
    }
}

impl Supervisor {
    /// Answer every request that has nothing left to wait for.
    pub(crate) fn settle_tickets(&mut self, out: &mut Effects) {
        let mut done = Vec::new();
        for (ticket, open) in &mut self.tickets.open {
            let instances = &self.instances;
            let apps = &self.apps;
            open.waiting.retain(|id| {
                let Some(instance) = instances.get(id) else { return false };
                let name = apps.get(&instance.app).map_or("", |app| app.spec.name.as_str());
                match verdict(open.verb, instance) {
                    None => true,
                    Some(result) => {
                        open.settled.push(outcome(instance, name, result, false));
                        false
                    }
                }
            });
            if open.waiting.is_empty() {
                done.push(*ticket);
            }
        }
        for ticket in done {
            if let Some(mut open) = self.tickets.open.remove(&ticket) {
                open.settled.sort_by_key(|outcome| outcome.id);
                out.push(Effect::Reply { ticket, outcomes: open.settled, refused: open.refused });
            }
        }
    }
}

/// Whether a request has its answer for this instance.
fn verdict(verb: Verb, instance: &Instance) -> Option<Result<(), String>> {
    match (verb, instance.phase) {
        // The attempts go on; when it ends after all, what was asked for is done.
        (Verb::Stop | Verb::Delete | Verb::Start | Verb::Restart, Phase::Stopping)
            if instance.kill_rounds >= STUCK_ROUNDS =>
        {
            Some(Err(format!(
                "it does not end: SIGKILL was sent {} times, and the kernel does not let go of it; that goes on",
                instance.kill_rounds
            )))
        }
        (Verb::Start | Verb::Restart, Phase::Online) => Some(Ok(())),
        (Verb::Start | Verb::Restart, Phase::Stopped | Phase::Errored | Phase::Backoff) => {
            Some(Err(why_not(instance)))
        }
        (Verb::Start | Verb::Restart, Phase::Waiting) if instance.waits_in_vain => {
            let what = instance.waits_for.as_deref().unwrap_or("a dependency");
            Some(Err(format!(
                "it waits for {what}, and nothing starts that; it goes on by itself when that happens"
            )))
        }
        (
            Verb::Start | Verb::Restart,
            Phase::Waiting | Phase::Starting | Phase::Launching | Phase::Stopping,
        ) => None,
        (Verb::Stop | Verb::Shutdown, Phase::Stopped | Phase::Errored) => Some(Ok(())),
        (
            Verb::Stop,
            Phase::Starting | Phase::Launching | Phase::Online | Phase::Backoff | Phase::Waiting,
        ) if instance.goal == velos_core::instance::Goal::Up => {
            Some(Err("it was started again meanwhile".to_owned()))
        }
        // A reload answers for itself.
        (Verb::Stop | Verb::Shutdown | Verb::Delete | Verb::Reload, _) => None,
    }
}

fn why_not(instance: &Instance) -> String {
    match (instance.spawn_failure, instance.exit) {
        (Some(failure), _) => format!("spawn failed: {failure}"),
        (None, Some(exit)) => format!("it ended with {exit} before it was ready"),
        (None, None) => "it was stopped meanwhile".to_owned(),
    }
}

pub(crate) fn outcome(
    instance: &Instance,
    name: &str,
    result: Result<(), String>,
    unchanged: bool,
) -> Outcome {
    Outcome {
        id: instance.id,
        name: name.to_owned(),
        slot: instance.slot,
        phase: instance.phase,
        pid: instance.identity.map(|identity| identity.pid),
        ok: result.is_ok(),
        unchanged,
        reason: result.err(),
        exit: instance.exit,
        err_log: None,
    }
}
