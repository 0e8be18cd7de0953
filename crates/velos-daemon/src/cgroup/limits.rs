//! The limits of a run, as the kernel wants them told.

use std::io;
use std::path::Path;

use velos_core::app::Limits;
use velos_core::instance::Token;

use super::place::{ASIDE, current, outside};
use super::{make, move_all, write};

/// Length of a period of `cpu.max`, microseconds; the standard of the kernel.
const PERIOD_US: u64 = 100_000;

/// Why these limits cannot be given here, if they cannot.
pub(crate) fn refusal(limits: &Limits) -> Option<String> {
    refusal_in(current().map(|here| outside(&here)).as_deref(), limits)
}

pub(super) fn refusal_in(own: Option<&Path>, limits: &Limits) -> Option<String> {
    let Some(own) = own else { return Some("this machine has no cgroup v2".to_owned()) };
    let available = std::fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
    let has = |name: &str| available.split_whitespace().any(|one| one == name);
    let missing: Vec<&str> = controllers(limits).into_iter().filter(|name| !has(name)).collect();
    match &missing[..] {
        [] => None,
        [one] => Some(format!("the cgroup controller {one} is not given to this daemon")),
        several => {
            Some(format!("the cgroup controllers {} are not given to this daemon", several.join(", ")))
        }
    }
}

fn controllers(limits: &Limits) -> Vec<&'static str> {
    let memory = limits.memory_max_bytes.is_some() || limits.memory_high_bytes.is_some();
    let wanted =
        [("memory", memory), ("cpu", limits.cpu_max_percent.is_some()), ("pids", limits.pids_max.is_some())];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect()
}

/// Make the cgroup of a run, with its limits. `ours` are processes that may be moved out of the way: a cgroup that gives
/// controllers on must be empty.
pub(super) fn prepare(
    own: &Path,
    base: &Path,
    token: Token,
    limits: &Limits,
    ours: &[i32],
) -> io::Result<()> {
    let wanted: Vec<String> = controllers(limits).iter().map(|name| format!("+{name}")).collect();
    let wanted = wanted.join(" ");
    if give(own, &wanted).is_err() {
        let aside = own.join(ASIDE);
        make(&aside)?;
        move_all(&aside, ours)?;
        give(own, &wanted)?;
    }
    give(base, &wanted)?;
    let folder = base.join(token.0.to_string());
    make(&folder)?;
    let bytes = |value: Option<u64>| value.map_or("max".to_owned(), |bytes| bytes.to_string());
    if controllers(limits).contains(&"memory") {
        write(&folder, "memory.max", &bytes(limits.memory_max_bytes))?;
        write(&folder, "memory.high", &bytes(limits.memory_high_bytes))?;
    }
    if let Some(percent) = limits.cpu_max_percent {
        write(&folder, "cpu.max", &format!("{} {PERIOD_US}", u64::from(percent) * PERIOD_US / 100))?;
    }
    if let Some(most) = limits.pids_max {
        write(&folder, "pids.max", &most.to_string())?;
    }
    Ok(())
}

fn give(folder: &Path, controllers: &str) -> io::Result<()> {
    write(folder, "cgroup.subtree_control", controllers)
}
