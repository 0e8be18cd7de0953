//! `velos apply`: make what runs equal to what a file declares. Only what changed is restarted.

pub(crate) mod plan;

use std::io::IsTerminal;

use serde::Serialize;
use velos_client::Client;
use velos_core::error::ErrorReply;
use velos_core::instance::InstanceId;
use velos_core::protocol::{Outcome, Outcomes, Refusal, Start as Params, Targets, Update, method};

use self::plan::{Action, Plan, Step};
use super::from_file::{self, Wanted};
use super::select;
use crate::args::Apply;

/// `--machine`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    file: String,
    plan: &'a [Step],
    applied: bool,
    instances: Vec<Outcome>,
    refused: Vec<Refusal>,
}

pub(crate) fn run(context: &super::Context, apply: &Apply) -> super::Result {
    let path = from_file::file_or_standard(apply.file.as_deref())?;
    let wanted = Wanted { profile: apply.env.as_deref(), only: &apply.only, variables: &[], flags: None };
    let mut prepared = from_file::prepare(context, &path, &wanted)?;
    let file = prepared.file.display().to_string();
    let doubts = std::mem::take(&mut prepared.doubts);
    let refused = prepared.refused.clone();
    let mut client = context.daemon()?;
    // Apps that --only leaves out are not gone from the file.
    let plan = Plan::make(&mut client, prepared, apply.prune && apply.only.is_empty())?;
    if !context.machine {
        context.say(&plan.render())?;
    }
    let goes_on = !plan.is_done() && !apply.dry_run && (apply.yes || agreed(context)?);
    let mut outcomes = Outcomes { instances: Vec::new(), refused };
    let begin = select::now_us();
    if goes_on {
        converge(&mut client, &plan, &mut outcomes)?;
    }
    if context.machine {
        let code = select::exit_code(&outcomes);
        let Outcomes { instances, refused } = outcomes;
        let applied = goes_on || plan.is_done();
        crate::output::print_json(&Document { file, plan: &plan.steps, applied, instances, refused })?;
        return Ok(code);
    }
    if plan.is_done() && outcomes.refused.is_empty() {
        context.say("[OK] Nothing to do\n")?;
    }
    let done = |outcome: &Outcome| match outcome.pid {
        Some(pid) => format!("started (PID: {pid})"),
        None => "deleted".to_owned(),
    };
    if goes_on {
        context.say(&updated(&plan))?;
    }
    let code = select::tell(context, &outcomes, begin, done)?;
    if code != 0 {
        doubts.iter().for_each(|doubt| super::note(&format!("note: {doubt}\n")));
    }
    Ok(code)
}

/// Those that run on have no instance of which something could be told.
fn updated(plan: &Plan) -> String {
    let steps = plan.steps.iter().filter(|step| step.action == Action::Update);
    steps.map(|step| format!("[OK] App \"{}\" updated\n", step.name)).collect()
}

/// Ask a person; without one to ask it must have been said.
fn agreed(context: &super::Context) -> Result<bool, ErrorReply> {
    if context.machine || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(super::usage(
            "apply asks before it changes something, and there is no terminal to ask on",
        )
        .hint("add --yes to do it, --dry-run to see the plan only"));
    }
    super::note("Do it? [y/N] ");
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| super::failed(format!("cannot read the answer: {error}")))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Deletions first, so that ports and names are free; then stops; then all starts in one request.
fn converge(client: &mut Client, plan: &Plan, outcomes: &mut Outcomes) -> Result<(), ErrorReply> {
    let ids_of = |action: Action| -> Vec<InstanceId> {
        plan.steps.iter().filter(|step| step.action == action).flat_map(|step| step.ids.clone()).collect()
    };
    let mut add = |more: Outcomes| {
        outcomes.instances.extend(more.instances);
        outcomes.refused.extend(more.refused);
    };
    let deleted = ids_of(Action::Delete);
    if !deleted.is_empty() {
        add(client.call(method::DELETE, &targets(&deleted))?);
    }
    let changing = plan.steps.iter().filter(|step| step.action == Action::Change);
    let stopping: Vec<InstanceId> = changing.flat_map(|step| step.running.clone()).collect();
    stop(client, &stopping)?;
    let is_new = |step: &&Step| matches!(step.action, Action::Create | Action::Change);
    let apps: Vec<_> = plan.steps.iter().filter(is_new).filter_map(|step| step.spec.clone()).collect();
    if !apps.is_empty() {
        add(client.call(method::START, &Params { apps, targets: Vec::new() })?);
    }
    let updated = plan.steps.iter().filter(|step| step.action == Action::Update);
    let apps: Vec<_> = updated.filter_map(|step| step.spec.clone()).collect();
    if !apps.is_empty() {
        add(client.call(method::UPDATE, &Update { apps })?);
    }
    let resting = ids_of(Action::Start);
    if !resting.is_empty() {
        let params = Params { apps: Vec::new(), targets: targets(&resting).targets };
        add(client.call(method::START, &params)?);
    }
    Ok(())
}

/// Stop what must not run while its declaration is replaced.
pub(crate) fn stop(client: &mut Client, ids: &[InstanceId]) -> Result<(), ErrorReply> {
    if ids.is_empty() {
        return Ok(());
    }
    let stopped: Outcomes = client.call(method::STOP, &targets(ids))?;
    match stopped.instances.iter().find(|outcome| !outcome.ok) {
        None => Ok(()),
        Some(outcome) => {
            let reason = outcome.reason.as_deref().unwrap_or("no reason is known");
            Err(super::failed(format!("cannot stop {}: {reason}", outcome.name))
                .hint(format!("see `velos why {}`", outcome.id.0)))
        }
    }
}

fn targets(ids: &[InstanceId]) -> Targets {
    Targets { targets: ids.iter().map(|id| id.0.to_string()).collect() }
}
