//! The pure supervisor: (state, now, input) -> effects. No I/O, no clock, no threads.
//!
//! Theory of operation. An instance has a *goal* (what people want) and a *phase* (what is). Commands change the goal,
//! only facts change the phase, and the machine does nothing but close the gap. Each spawn attempt has a fresh token;
//! what comes with an unknown token is dropped and counted. Due deadlines fire at the start of every step. Requests wait
//! on tickets; each gets exactly one reply, when what it asked for has come about or cannot any more.

mod commands;
mod depend;
mod due;
mod effect;
mod input;
mod instance;
mod journal;
mod machine;
mod reload;
mod restart;
mod runs;
mod state;
mod tickets;
mod update;

pub use effect::{Effect, Effects, Scope};
pub use input::{Command, Input, Now, Running, Ticket};
pub use instance::{App, AppId, Instance};
pub use journal::Journal;
pub use runs::Runs;
pub use state::{State, Survivor};

use std::collections::BTreeMap;

use velos_core::instance::{InstanceId, Token};

use tickets::Tickets;

/// The whole machine.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    apps: BTreeMap<AppId, App>,
    instances: BTreeMap<InstanceId, Instance>,
    journal: Journal,
    tickets: Tickets,
    reloads: Vec<reload::Reload>,
    /// Stand-ins get ids from here on: one that was forgotten this moment may still stand in an answer.
    stand_in_floor: u32,
    next_token: u64,
    next_app: u32,
    shutting_down: bool,
    stale_inputs: u64,
}

impl Supervisor {
    /// Nothing known, nothing running.
    pub fn new() -> Self {
        Self::starting_at(1)
    }

    /// The same, with the token of the first attempt; later ones count up from there.
    pub fn starting_at(first_token: u64) -> Self {
        Self { next_token: first_token, ..Self::default() }
    }

    /// Take in one thing that happened and append what is to be done. Cannot fail.
    pub fn step(&mut self, now: Now, input: Input, out: &mut Effects) {
        self.fire_deadlines(now, out);
        match input {
            Input::Command { ticket, by, command } => self.command(now, ticket, &by, command, out),
            Input::Spawned { token, pid, start_ticks } => self.spawned(now, token, pid, start_ticks, out),
            Input::SpawnFailed { token, failure } => self.spawn_failed(now, token, failure, out),
            Input::Ready { token } => self.ready(now, token, out),
            Input::Exited { token, exit, leftovers, used } => {
                self.run_ended(now, token, exit, used);
                self.exited(now, token, exit, leftovers, out);
            }
            Input::TreeEmpty { token } => self.tree_empty(now, token, out),
            Input::Adopted { token } => self.adopted(now, token, out),
            Input::OverMemory { token, bytes } => self.over_memory(now, token, bytes, out),
            Input::Healthy { token } => self.healthy(now, token, out),
            Input::Unhealthy { token, reason } => self.unhealthy(now, token, reason, out),
            Input::ScheduleDue { instance } => self.schedule_due(now, instance, out),
            Input::Note { instance, what } => self.record(now, instance, what, out),
            Input::Deadline => {}
        }
        self.follow_dependencies(now, out);
        self.advance_reloads(now, out);
        self.settle_tickets(out);
        self.finish_shutdown(out);
    }

    /// When a step is due without anything happening. CLOCK_MONOTONIC, ns.
    pub fn next_deadline(&self) -> Option<u64> {
        let instances = self.instances.values().filter_map(|instance| instance.deadline_ns);
        instances.chain(self.reload_deadline()).min()
    }

    /// Whether all is being stopped for good.
    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down
    }

    /// All instances by id.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// One instance.
    pub fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.instances.get(&id)
    }

    /// The app of an instance.
    pub fn app_of(&self, id: InstanceId) -> Option<&App> {
        self.apps.get(&self.instances.get(&id)?.app)
    }

    /// The instance whose logs an instance writes: its own, or those of the one it stands in for during a reload.
    pub fn writes_as(&self, id: InstanceId) -> InstanceId {
        self.instances.get(&id).and_then(|instance| instance.stands_in_for).unwrap_or(id)
    }

    /// Whose attempt this is.
    pub fn instance_by_token(&self, token: Token) -> Option<InstanceId> {
        self.instances.values().find(|instance| instance.token == Some(token)).map(|instance| instance.id)
    }

    /// The number of the next attempt.
    pub fn next_run(&self) -> Token {
        Token(self.next_token)
    }

    /// How an instance stands, as the outcome of a request that went well.
    pub fn outcome_of(&self, id: InstanceId) -> Option<velos_core::protocol::Outcome> {
        let (instance, name) = self.named(id)?;
        Some(tickets::outcome(instance, name, Ok(()), false))
    }

    /// What happened lately.
    pub fn events(&self) -> &Journal {
        &self.journal
    }

    /// Inputs that named a token nobody has any more.
    pub fn stale_inputs(&self) -> u64 {
        self.stale_inputs
    }

    /// Requests that wait for an answer.
    pub fn open_tickets(&self) -> usize {
        self.tickets.len()
    }
}
