//! `velos start FILE`: the apps that a file declares. What runs is restarted with the settings of the file.

use std::path::Path;

use velos_core::error::ErrorReply;
use velos_core::protocol::{Outcome, Outcomes, Start as Params, Targets, Update, method};
use velos_core::raw_string::RawString;

use super::apply::plan::{Action, Plan};
use super::from_file::{self, Wanted};
use super::{declare, select};
use crate::args::{Restart, Start};

/// Whether these targets are configuration files; some of them only is a mistake.
pub(crate) fn is_meant(start: &Start) -> Result<bool, ErrorReply> {
    are_files(&start.targets)
}

/// The same for targets of any command.
pub(crate) fn are_files(targets: &[String]) -> Result<bool, ErrorReply> {
    match targets.iter().filter(|target| from_file::is_meant(target)).count() {
        0 => Ok(false),
        count if count == targets.len() => Ok(true),
        _ => Err(super::usage("configuration files and other targets cannot be mixed")
            .hint("start them one by one")),
    }
}

pub(crate) fn run(context: &super::Context, start: &Start, files: &[String]) -> super::Result {
    if start.name.is_some() || start.says_what_it_is() {
        return Err(super::usage(
            "a configuration file says itself what its apps are called, where and how they run",
        )
        .hint("write that into the file; --env, --only and the flags of how an app is run are possible"));
    }
    let (profile, variables) = profile_and_variables(&start.env)?;
    let wanted = Wanted { profile, only: &start.only, variables: &variables, flags: Some(&start.flags) };
    let settle = super::settle::time(context, start.settle())?;
    converge(context, files, &wanted, false, settle)
}

/// Name and value.
type Variable = (RawString, RawString);

/// `--env production` and `--env KEY=VALUE`.
pub(crate) fn profile_and_variables(env: &[String]) -> Result<(Option<&str>, Vec<Variable>), ErrorReply> {
    let (profiles, variables): (Vec<&String>, Vec<&String>) =
        env.iter().partition(|entry| !entry.contains('='));
    let variables = variables.into_iter().map(|entry| declare::variable(entry)).collect::<Result<_, _>>()?;
    Ok((profiles.last().map(|name| name.as_str()), variables))
}

/// PM2's `startOrRestart` and the like.
pub(crate) fn only_files(context: &super::Context, restart: &Restart) -> super::Result {
    if !are_files(&restart.targets)? {
        return Err(
            super::usage("startOrRestart takes configuration files").hint("for what is known: velos restart")
        );
    }
    select::again(context, select::Verb::Restart, restart)
}

/// What runs is restarted, what does not is started, all with the settings of the files.
pub(crate) fn converge(
    context: &super::Context,
    files: &[String],
    wanted: &Wanted<'_>,
    is_reload: bool,
    settle: std::time::Duration,
) -> super::Result {
    let mut all = Outcomes::default();
    let mut doubts = Vec::new();
    let begin = select::now_us();
    let mut client = None;
    for file in files {
        let prepared = from_file::prepare(context, Path::new(file), wanted)?;
        all.refused.extend(prepared.refused.iter().cloned());
        doubts.extend(prepared.doubts.iter().cloned());
        if prepared.apps.is_empty() {
            continue;
        }
        let client = match &mut client {
            Some(client) => client,
            empty => empty.insert(context.daemon()?),
        };
        let plan = Plan::make(client, prepared, false)?;
        let (mut restart, mut apps) = (Vec::new(), Vec::new());
        for step in plan.steps {
            match (step.action, step.spec) {
                // As under PM2: what runs is restarted, also when nothing changed.
                (Action::Keep | Action::Start, _) if !step.running.is_empty() => restart.extend(step.ids),
                // A new process first, where what changed allows it.
                (Action::Change | Action::Update, Some(spec))
                    if is_reload && step.running.len() == step.ids.len() =>
                {
                    answer_to(&mut all, client.call(method::UPDATE, &Update { apps: vec![spec] })?);
                    restart.extend(step.ids);
                }
                (Action::Change | Action::Update, Some(spec)) => {
                    super::apply::stop(client, &step.running)?;
                    apps.push(spec);
                }
                (_, spec) => apps.extend(spec),
            }
        }
        if !restart.is_empty() {
            let targets = restart.iter().map(|id| id.0.to_string()).collect();
            let method = if is_reload { method::RELOAD } else { method::RESTART };
            answer_to(&mut all, client.call(method, &Targets { targets })?);
        }
        if !apps.is_empty() {
            answer_to(&mut all, client.call(method::START, &Params { apps, targets: Vec::new() })?);
        }
    }
    all.instances.sort_by_key(|outcome| outcome.id);
    let good = all.instances.iter().filter(|outcome| outcome.ok && outcome.pid.is_some()).count();
    let done = |outcome: &Outcome| format!("started (PID: {})", outcome.pid.unwrap_or_default());
    let code = super::settle::tell(context, all, begin, settle, done)?;
    if code == 0 && good > 1 && !context.machine {
        let done = if is_reload { "Reloaded" } else { "Started" };
        context.say(&format!("[OK] {done} {good} processes from {}\n", files.join(", ")))?;
    }
    if code != 0 && !context.machine {
        doubts.iter().for_each(|doubt| super::note(&format!("note: {doubt}\n")));
    }
    Ok(code)
}

fn answer_to(all: &mut Outcomes, more: Outcomes) {
    all.instances.extend(more.instances);
    all.refused.extend(more.refused);
}
