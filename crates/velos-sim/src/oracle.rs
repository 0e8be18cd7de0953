//! What must hold after every step.

use std::collections::{BTreeMap, BTreeSet};

use velos_core::instance::{Goal, InstanceId, Phase, Token};
use velos_supervisor::{Now, Supervisor};

use crate::world::Process;

const MS: u64 = 1_000_000;
/// What a stop may take beyond its kill_timeout when the world obeys SIGKILL: rounds of a second and a starved loop.
const STOP_SLACK_NS: u64 = 20_000 * MS;

/// Check; the first thing that does not hold.
pub(crate) fn check(
    supervisor: &Supervisor,
    processes: &BTreeMap<u64, Process>,
    stopping_since: &BTreeMap<InstanceId, u64>,
    now: Now,
) -> Result<(), String> {
    let leaders = leaders(supervisor, processes)?;
    for instance in supervisor.instances() {
        let alive = leaders.contains(&instance.id);
        match instance.phase {
            Phase::Stopped | Phase::Errored | Phase::Backoff | Phase::Waiting if alive => {
                return Err(format!(
                    "instance {} is {:?} and its process is alive",
                    instance.id.0, instance.phase
                ));
            }
            Phase::Backoff | Phase::Waiting if instance.goal == Goal::Down => {
                return Err(format!("instance {} waits for a restart that nobody wants", instance.id.0));
            }
            Phase::Stopped | Phase::Errored if instance.deleting => {
                return Err(format!("instance {} is to be deleted and stays", instance.id.0));
            }
            Phase::Backoff | Phase::Stopping if instance.deadline_ns.is_none() => {
                return Err(format!("instance {} is {:?} without a deadline", instance.id.0, instance.phase));
            }
            _ => {}
        }
        if let Some(other) = instance.stands_in_for {
            let lonely = supervisor.instance(other).is_none_or(|other| other.app != instance.app);
            if lonely && !instance.deleting {
                return Err(format!("instance {} stands in for nobody", instance.id.0));
            }
        }
        if instance.phase == Phase::Launching && instance.deadline_ns.is_none() {
            return Err(format!("instance {} is launching without a deadline", instance.id.0));
        }
        let policy =
            supervisor.app_of(instance.id).map(|app| (app.spec.restart.clone(), app.spec.stop.clone()));
        let Some((restart, stop)) = policy else {
            return Err(format!("instance {} has no app", instance.id.0));
        };
        if instance.unstable > restart.max_restarts + 1 {
            return Err(format!("instance {} was restarted more often than allowed", instance.id.0));
        }
        if let Some(since) = stopping_since.get(&instance.id)
            && now.mono_ns.saturating_sub(*since) > stop.kill_timeout_ms * MS + STOP_SLACK_NS
        {
            return Err(format!("the stop of instance {} does not end", instance.id.0));
        }
    }
    if let Some(at) = supervisor.next_deadline()
        && now.mono_ns > at
    {
        return Err("a due deadline was passed over".to_owned());
    }
    Ok(())
}

/// Whose main process is alive: each has one at most, and each is somebody's.
fn leaders(
    supervisor: &Supervisor,
    processes: &BTreeMap<u64, Process>,
) -> Result<BTreeSet<InstanceId>, String> {
    // As the world counts them, whatever the supervisor makes of it.
    let mut started: BTreeMap<InstanceId, u32> = BTreeMap::new();
    for process in processes.values().filter(|process| process.leader_alive) {
        *started.entry(process.instance).or_default() += 1;
    }
    if let Some((instance, count)) = started.iter().find(|(_, count)| **count > 1) {
        return Err(format!("instance {} has {count} live processes", instance.0));
    }
    let mut leaders: BTreeSet<InstanceId> = BTreeSet::new();
    for (token, process) in processes.iter().filter(|(_, process)| process.leader_alive) {
        // A reload hands a process to another instance, so the token tells whose it is.
        let Some(owner) = supervisor.instance_by_token(Token(*token)) else {
            return Err(format!("run {token} of instance {} is alive and nobody's", process.instance.0));
        };
        leaders.insert(owner);
    }
    Ok(leaders)
}
