//! `velos start`: resolve what was typed, send it, wait until it is online or has failed.

use std::io::Write;

use velos_client::Client;
use velos_core::app::AppSpec;
use velos_core::error::ErrorReply;
use velos_core::instance::{InstanceId, Phase};
use velos_core::name::AppName;
use velos_core::protocol::{ListReply, Outcome, Outcomes, Refusal, Start as Params, Targets, method};
use velos_core::selector;

use super::{declare, select};
use crate::args::{Logs, Restart, Start};

pub(crate) fn run(context: &super::Context, start: &Start) -> super::Result {
    if !start.config.is_empty() {
        return run_files(context, start);
    }
    if start.targets.is_empty() {
        let file = super::from_file::file_or_standard(None).map_err(|error| ErrorReply {
            code: velos_core::error::ErrorCode::Usage,
            message: format!("no target given, and {}", error.message),
            hint: Some(
                "give a script, a program or a configuration file; see `velos start --help`".to_owned(),
            ),
        })?;
        return super::start_file::run(context, start, &[file.to_string_lossy().into_owned()]);
    }
    if super::start_file::is_meant(start)? {
        return super::start_file::run(context, start, &start.targets);
    }
    if !start.only.is_empty() {
        return Err(super::usage("--only chooses apps of a configuration file, and none is given"));
    }
    if start.name.is_some() && start.targets.len() > 1 {
        return Err(super::usage("--name names one app, but several targets are given")
            .hint("start them one by one, each with its --name"));
    }
    let settle = super::settle::time(context, start.settle())?;
    let shared = declare::Shared::new(start)?;
    let mut client = context.daemon()?;
    // Who names a file and no name that may be taken needs not know what there is.
    let may_be_known = |target: &String| start.force || can_be_a_name(start, &shared, target);
    let known = match start.targets.iter().any(may_be_known) {
        true => client.call(method::LIST, &Targets::default())?,
        false => ListReply::default(),
    };
    let begin = select::now_us();
    let Begun { mut outcomes, apps, doubts } = begin_all(&mut client, start, &shared, &known)?;
    if !apps.is_empty() {
        let params = Params { apps, targets: Vec::new() };
        merge(&mut outcomes, client.call(method::START, &params)?);
    }
    if outcomes.instances.is_empty() && outcomes.refused.len() == 1 && start.targets.len() == 1 {
        return Err(outcomes.refused.remove(0).error);
    }
    let done = |outcome: &Outcome| match outcome.pid {
        Some(pid) => format!("started (PID: {pid})"),
        None => "added; it is not started now".to_owned(),
    };
    let started: Vec<String> = outcomes.instances.iter().map(|outcome| outcome.id.0.to_string()).collect();
    let code = super::settle::tell(context, outcomes, begin, settle, done)?;
    if code != 0 && !context.machine {
        // A closed stderr changes nothing about the exit code.
        let _ = std::io::stderr().write_all(doubts.as_bytes());
    }
    if code == 0 && start.attach && !start.no_daemon && !context.machine {
        let logs = Logs { targets: started, follow: true, since: Some(moment(begin)), ..Logs::default() };
        return super::logs::run(context, &logs);
    }
    Ok(code)
}

/// What became of the targets: what is known is started, the rest is to be declared to the daemon.
#[derive(Default)]
struct Begun {
    outcomes: Outcomes,
    apps: Vec<AppSpec>,
    /// Said when they do not stay up.
    doubts: String,
}

fn begin_all(
    client: &mut Client,
    start: &Start,
    shared: &declare::Shared,
    known: &ListReply,
) -> Result<Begun, ErrorReply> {
    let mut begun = Begun::default();
    for target in &start.targets {
        match known_instances(start, shared, target, known) {
            Some(_) if start.says_what_it_is() => {
                return Err(super::usage(format!(
                    "{target} is known already; it does not become another program"
                ))
                .hint("give its script instead of its name, or delete it first"));
            }
            Some(ids) => {
                if shared.has_options {
                    select::change(client, &with_options(start, &ids))?;
                }
                merge(&mut begun.outcomes, start_known(client, &ids, known)?);
            }
            None => match declare::declare(start, shared, target) {
                Ok((mut app, doubt)) => {
                    if start.force {
                        app.name = free_name(app.name, known, &begun.apps)?;
                    }
                    begun.apps.push(app);
                    begun.doubts.extend(doubt.map(|doubt| format!("note: {doubt}\n")));
                }
                // One that cannot be started does not keep the others.
                Err(error) => begun.outcomes.refused.push(Refusal { name: target.clone(), error }),
            },
        }
    }
    Ok(begun)
}

/// The options of this start, for instances that are there.
fn with_options(start: &Start, ids: &[InstanceId]) -> Restart {
    Restart {
        targets: ids.iter().map(|id| id.0.to_string()).collect(),
        name: None,
        interpreter_args: None,
        update_env: false,
        env: start.env.clone(),
        only: Vec::new(),
        settle: None,
        flags: start.flags.clone(),
    }
}

/// `--config FILE` means a file whatever it is called.
fn run_files(context: &super::Context, start: &Start) -> super::Result {
    if !start.targets.is_empty() && !super::start_file::is_meant(start)? {
        return Err(super::usage("--config names a configuration, and another target is given too")
            .hint("start them one by one"));
    }
    let files = [start.config.as_slice(), start.targets.as_slice()].concat();
    super::start_file::run(context, start, &files)
}

/// As `--since` takes it.
pub(crate) fn moment(us: u64) -> String {
    let us = i64::try_from(us).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(us).map(|time| time.to_string()).unwrap_or_default()
}

/// The name, or `name-1`, `name-2`, ... when others have it.
fn free_name(name: AppName, known: &ListReply, apps: &[AppSpec]) -> Result<AppName, ErrorReply> {
    let is_taken = |name: &str| {
        known.instances.iter().any(|one| one.name == name) || apps.iter().any(|app| app.name.as_str() == name)
    };
    let numbered = (1..).map(|number| format!("{}-{number}", name.as_str()));
    let free = std::iter::once(name.as_str().to_owned()).chain(numbered).find(|name| !is_taken(name));
    AppName::new(free.unwrap_or_default()).map_err(|error| super::usage(error.to_string()))
}

fn merge(into: &mut Outcomes, mut more: Outcomes) {
    into.instances.append(&mut more.instances);
    into.refused.append(&mut more.refused);
}

/// A file that is there is never taken for a name.
fn can_be_a_name(start: &Start, shared: &declare::Shared, target: &str) -> bool {
    let is_path = target.contains('/') && !target.starts_with('/');
    !(start.name.is_some() || is_path || shared.cwd.join(target).is_file())
}

/// A name, id or the like of something in the list; a file that is there is never taken for a name.
fn known_instances(
    start: &Start,
    shared: &declare::Shared,
    target: &str,
    known: &ListReply,
) -> Option<Vec<InstanceId>> {
    if !can_be_a_name(start, shared, target) {
        return None;
    }
    let candidates: Vec<_> = known.instances.iter().map(super::candidate).collect();
    selector::resolve(&[target.to_owned()], &candidates).ok()
}

/// As under PM2: what runs is restarted, what does not is started.
fn start_known(client: &mut Client, ids: &[InstanceId], known: &ListReply) -> Result<Outcomes, ErrorReply> {
    let runs =
        |id: &InstanceId| known.instances.iter().any(|one| one.id == *id && one.phase == Phase::Online);
    let (online, others): (Vec<InstanceId>, Vec<InstanceId>) = ids.iter().partition(|id| runs(id));
    let mut outcomes = Outcomes::default();
    for (method, ids) in [(method::RESTART, online), (method::START, others)] {
        if !ids.is_empty() {
            let targets = ids.iter().map(|id| id.0.to_string()).collect();
            merge(&mut outcomes, client.call(method, &Targets { targets })?);
        }
    }
    Ok(outcomes)
}
