//! What the world remembers by itself, to hold the supervisor's story against: who said that it is ready, how often each
//! failed, who was stopped by people. It counts rather too much than too little, so that what it refuses is wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use velos_core::event::{Cause, Event, What};
use velos_core::instance::{Goal, InstanceId, Phase, Token};
use velos_core::protocol::Outcome;
use velos_supervisor::{Command, Effect, Input, Now, Supervisor};

const MS: u64 = 1_000_000;
const WINDOW_NS: u64 = 1_000 * MS;
/// Starts by itself in a second beyond those that the policy counts: after a long run, and of what was asked for before.
const STARTS_MORE: usize = 4;

/// A run that began.
#[derive(Clone, Copy, Debug)]
struct Run {
    since_ns: u64,
    /// It is not online before it says so, or this time is over.
    ready_within_ns: Option<u64>,
    said_ready: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    runs: BTreeMap<Token, Run>,
    /// Failures since the last long run.
    failures: BTreeMap<InstanceId, u32>,
    /// The last attempt cannot be mended by another.
    hopeless: BTreeSet<InstanceId>,
    starts: BTreeMap<InstanceId, VecDeque<u64>>,
    /// Stops under way, by ticket.
    stops: BTreeSet<u64>,
    /// Stopped by people, who asked for nothing else since.
    held_down: BTreeSet<InstanceId>,
}

impl Model {
    /// Before the supervisor hears it.
    pub(crate) fn hears(&mut self, supervisor: &Supervisor, now: Now, input: &Input) {
        match input {
            Input::Command { ticket, command, .. } => self.asked(ticket.0, command),
            Input::Spawned { token, .. } => {
                let readiness = supervisor
                    .instance_by_token(*token)
                    .and_then(|id| supervisor.app_of(id))
                    .map(|app| app.spec.readiness.clone())
                    .filter(|readiness| readiness.wait_ready);
                let run = Run {
                    since_ns: now.mono_ns,
                    ready_within_ns: readiness.map(|readiness| readiness.listen_timeout_ms * MS),
                    said_ready: false,
                };
                self.runs.insert(*token, run);
            }
            Input::Ready { token } => {
                if let Some(run) = self.runs.get_mut(token) {
                    run.said_ready = true;
                }
            }
            Input::Exited { token, .. } => self.ended(supervisor, now, *token),
            Input::SpawnFailed { token, failure } => {
                let Some(id) = supervisor.instance_by_token(*token) else { return };
                let tries = supervisor.app_of(id).is_some_and(|app| app.spec.restart.autorestart);
                *self.failures.entry(id).or_default() += 1;
                if failure.is_fatal() || !tries {
                    self.hopeless.insert(id);
                }
            }
            // What comes by measure has rules of its own.
            Input::OverMemory { token, .. } | Input::Unhealthy { token, .. } | Input::Healthy { token } => {
                if let Some(id) = supervisor.instance_by_token(*token) {
                    *self.failures.entry(id).or_default() += 1;
                    self.starts.remove(&id);
                }
            }
            Input::ScheduleDue { instance } => drop(self.starts.remove(instance)),
            Input::TreeEmpty { .. } | Input::Adopted { .. } | Input::Note { .. } | Input::Deadline => {}
        }
    }

    fn asked(&mut self, ticket: u64, command: &Command) {
        self.starts.clear();
        match command {
            Command::Stop(_) => drop(self.stops.insert(ticket)),
            Command::Reset(_) | Command::Signal(..) => {}
            _ => {
                self.stops.clear();
                self.held_down.clear();
            }
        }
    }

    fn ended(&mut self, supervisor: &Supervisor, now: Now, token: Token) {
        let Some(id) = supervisor.instance_by_token(token) else { return };
        let Some((instance, app)) = supervisor.instance(id).zip(supervisor.app_of(id)) else { return };
        let lived_ns = self.runs.get(&token).map_or(0, |run| now.mono_ns.saturating_sub(run.since_ns));
        let was_long = lived_ns >= app.spec.restart.min_uptime_ms * MS;
        // Its time to become ready may be over in this very step; that counts as a failure.
        let is_in_time = instance.deadline_ns.is_none_or(|at| at > now.mono_ns);
        let is_judged = matches!(instance.phase, Phase::Launching | Phase::Online)
            && instance.goal == Goal::Up
            && is_in_time;
        let failures = self.failures.entry(id).or_default();
        *failures = if was_long && is_judged { 0 } else { *failures + 1 };
    }

    /// After the supervisor wants it, and before it is done.
    pub(crate) fn sees(&mut self, supervisor: &Supervisor, now: Now, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Spawn { instance, .. } => self.starts(supervisor, now, *instance),
            Effect::Reply { ticket, outcomes, .. } => {
                if self.stops.remove(&ticket.0) {
                    let rests = |outcome: &&Outcome| outcome.phase == Phase::Stopped;
                    self.held_down.extend(outcomes.iter().filter(rests).map(|outcome| outcome.id));
                }
                Ok(())
            }
            Effect::Record(event) => self.reads(supervisor, now, event),
            _ => Ok(()),
        }
    }

    fn starts(&mut self, supervisor: &Supervisor, now: Now, id: InstanceId) -> Result<(), String> {
        if self.held_down.contains(&id) {
            return Err(format!("instance {} was stopped by people and starts", id.0));
        }
        self.hopeless.remove(&id);
        let Some(app) = supervisor.app_of(id) else { return Ok(()) };
        let starts = self.starts.entry(id).or_default();
        starts.push_back(now.mono_ns);
        while starts.front().is_some_and(|at| now.mono_ns - at > WINDOW_NS) {
            starts.pop_front();
        }
        // One that depends on others is started anew with them, too.
        let most = app.spec.restart.max_restarts as usize + STARTS_MORE;
        if starts.len() > most && app.spec.depends_on.is_empty() {
            return Err(format!(
                "instance {} was started too often: {} times in a second",
                id.0,
                starts.len()
            ));
        }
        Ok(())
    }

    fn reads(&mut self, supervisor: &Supervisor, now: Now, event: &Event) -> Result<(), String> {
        let (What::Transition { from, to, cause, .. }, Some(id)) = (&event.what, event.instance) else {
            return Ok(());
        };
        let Some((instance, app)) = supervisor.instance(id).zip(supervisor.app_of(id)) else { return Ok(()) };
        match to {
            Phase::Online if *from == Phase::Launching => {
                let run = instance.token.and_then(|token| self.runs.get(&token));
                let is_due = run.is_none_or(|run| match run.ready_within_ns {
                    Some(within) => run.said_ready || now.mono_ns >= run.since_ns + within,
                    None => true,
                });
                match is_due {
                    true => Ok(()),
                    false => Err(format!("instance {} is online and was not ready ({cause:?})", id.0)),
                }
            }
            Phase::Errored => {
                let failures = self.failures.get(&id).copied().unwrap_or(0);
                let policy = &app.spec.restart;
                let is_earned = failures > policy.max_restarts
                    || self.hopeless.contains(&id)
                    || !policy.autorestart
                    || matches!(cause, Cause::Rebooted);
                match is_earned {
                    true => Ok(()),
                    false => Err(format!(
                        "instance {} was given up too soon: {failures} failures, {} allowed",
                        id.0, policy.max_restarts
                    )),
                }
            }
            _ => Ok(()),
        }
    }
}
