//! `velos pid` and `velos id`: one number a line, for scripts.

use velos_core::protocol::{ListReply, Targets, method};
use velos_core::selector;

use crate::args::OptionalTargets;

/// Which number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Pid,
    Id,
}

/// Process ids are those of what runs; an instance without a process has a 0, as a script must not take another's.
pub(crate) fn run(context: &super::Context, number: Number, targets: &OptionalTargets) -> super::Result {
    let mut client = context.daemon()?;
    let list: ListReply = client.call(method::LIST, &Targets::default())?;
    let candidates: Vec<_> = list.instances.iter().map(super::candidate).collect();
    let all = ["all".to_owned()];
    let wanted = if targets.targets.is_empty() { &all } else { targets.targets.as_slice() };
    let ids = if candidates.is_empty() && targets.targets.is_empty() {
        Vec::new()
    } else {
        selector::resolve(wanted, &candidates)?
    };
    let chosen = list.instances.iter().filter(|one| ids.contains(&one.id));
    let numbers: Vec<i64> = chosen
        .map(|one| match number {
            Number::Pid => i64::from(one.pid.unwrap_or(0)),
            Number::Id => i64::from(one.id.0),
        })
        .collect();
    if context.machine {
        crate::output::print_json(&numbers)?;
    } else {
        let lines: String = numbers.iter().map(|number| format!("{number}\n")).collect();
        crate::output::print(&lines)?;
    }
    Ok(0)
}
