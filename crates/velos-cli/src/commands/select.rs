//! `velos stop`, `restart`, `reload`, `reset`, `delete`: one request on selected instances.

use std::io::Write;
use std::time::{Duration, SystemTime};

use velos_core::error::ErrorCode;
use velos_core::instance::Phase;
use velos_core::protocol::{Outcome, Outcomes, Targets as Params, method};
use velos_core::raw_string::RawString;

use crate::args::{Ending, Restart, Targets};

/// Last words of an app that did not start.
const WORDS_MAX: usize = 10;
/// How often, and how far apart, we look for them.
const WORDS_LOOKS: u32 = 10;
const WORDS_PAUSE: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Stop,
    Restart,
    Reload,
    Reset,
    Delete,
}

/// `restart` and `reload`: with flags, what they say holds from now on.
pub(crate) fn again(context: &super::Context, verb: Verb, restart: &Restart) -> super::Result {
    if super::start_file::are_files(&restart.targets)? {
        let (profile, variables) = super::start_file::profile_and_variables(&restart.env)?;
        let wanted = super::from_file::Wanted {
            profile,
            only: &restart.only,
            variables: &variables,
            flags: Some(&restart.flags),
        };
        let settle = super::settle::time(context, restart.settle.as_deref())?;
        return super::start_file::converge(context, &restart.targets, &wanted, verb == Verb::Reload, settle);
    }
    if !restart.only.is_empty() {
        return Err(super::usage("--only chooses apps of a configuration file, and none is given"));
    }
    if let Some(name) = &restart.name {
        return super::rename::run(context, verb, restart, name);
    }
    let says_something = restart.update_env
        || !restart.env.is_empty()
        || restart.interpreter_args.is_some()
        || restart.flags != crate::args::AppFlags::default();
    if says_something {
        let mut client = context.daemon()?;
        change(&mut client, restart)?;
    }
    let settle = super::settle::time(context, restart.settle.as_deref())?;
    run_only(context, verb, &restart.targets, &[], settle)
}

/// `stop` and `delete`.
pub(crate) fn end(context: &super::Context, verb: Verb, ending: &Ending) -> super::Result {
    if !ending.only.is_empty() && !super::start_file::are_files(&ending.targets)? {
        return Err(super::usage("--only chooses apps of a configuration file, and none is given"));
    }
    run_only(context, verb, &ending.targets, &ending.only, Duration::ZERO)
}

/// Put flags and variables into the declarations; what runs goes on until it is started anew.
pub(crate) fn change(
    client: &mut velos_client::Client,
    restart: &Restart,
) -> Result<(), velos_core::error::ErrorReply> {
    let here = super::here()?;
    let declared =
        restart.env.iter().map(|entry| super::declare::variable(entry)).collect::<Result<Vec<_>, _>>()?;
    let info: velos_core::protocol::InfoReply =
        client.call(method::INFO, &Params { targets: restart.targets.clone() })?;
    let mut apps: Vec<velos_core::app::AppSpec> = Vec::new();
    for instance in info.instances {
        if apps.iter().any(|app| app.name == instance.spec.name) {
            continue;
        }
        let mut spec = instance.spec;
        put_into(restart, &declared, &here, &mut spec)?;
        apps.push(spec);
    }
    let update = velos_core::protocol::Update { apps };
    let outcomes: Outcomes = client.call(method::UPDATE, &update)?;
    match outcomes.refused.into_iter().next() {
        Some(refusal) => Err(refusal.error),
        None => Ok(()),
    }
}

/// What the flags of a restart say of one app.
pub(super) fn put_into(
    restart: &Restart,
    declared: &[(RawString, RawString)],
    here: &std::path::Path,
    spec: &mut velos_core::app::AppSpec,
) -> Result<(), velos_core::error::ErrorReply> {
    if restart.update_env {
        renew_environment(spec);
    }
    for (key, value) in declared {
        spec.env.insert(key.clone(), value.clone());
        spec.env_origin.insert(key.clone(), super::from_file::COMMAND_LINE.to_owned());
        if !spec.env_declared.contains(key) {
            spec.env_declared.push(key.clone());
        }
    }
    if let Some(words) = &restart.interpreter_args {
        replace_interpreter_args(words, spec)?;
    }
    super::amend::amend(&restart.flags, spec, here)
}

/// They stand between the interpreter and the script.
fn replace_interpreter_args(
    words: &str,
    spec: &mut velos_core::app::AppSpec,
) -> Result<(), velos_core::error::ErrorReply> {
    let script = spec.argv.iter().position(|word| *word == spec.script).filter(|at| *at > 0);
    let Some(script) = script else {
        let name = spec.name.as_str();
        return Err(super::usage(format!(
            "{name} is run by no interpreter, so there is nobody to give arguments to"
        )));
    };
    let words = if words == "null" { "" } else { words };
    spec.argv.splice(1..script, words.split_whitespace().map(RawString::from));
    Ok(())
}

/// The caller's environment takes the place of the one it was started from; what was declared stays.
fn renew_environment(spec: &mut velos_core::app::AppSpec) {
    let mut env = super::from_file::callers_environment();
    env.retain(|key, _| !spec.filter_env.drops(&key.to_text()));
    for key in &spec.env_declared {
        if let Some(value) = spec.env.get(key) {
            env.insert(key.clone(), value.clone());
        }
    }
    super::declare::unbuffer(spec.interpreter.as_deref(), &mut env);
    spec.env = env;
}

pub(crate) fn run(context: &super::Context, verb: Verb, targets: &Targets) -> super::Result {
    run_only(context, verb, &targets.targets, &[], Duration::ZERO)
}

fn run_only(
    context: &super::Context,
    verb: Verb,
    targets: &[String],
    only: &[String],
    settle: Duration,
) -> super::Result {
    let method = match verb {
        Verb::Stop => method::STOP,
        Verb::Restart => method::RESTART,
        Verb::Reload => method::RELOAD,
        Verb::Reset => method::RESET,
        Verb::Delete => method::DELETE,
    };
    let mut client = context.daemon()?;
    let targets = super::from_file::expand(context, &mut client, targets, only)?;
    let begin = now_us();
    if verb == Verb::Stop && super::is_pm2_compatible() {
        unwatch(&mut client, &targets)?;
    }
    let outcomes: Outcomes = client.call(method, &Params { targets })?;
    super::settle::tell(context, outcomes, begin, settle, |outcome| match verb {
        Verb::Stop if outcome.unchanged => "was stopped already".to_owned(),
        Verb::Stop => "stopped".to_owned(),
        Verb::Delete => "deleted".to_owned(),
        Verb::Reset => "reset".to_owned(),
        Verb::Reload => format!("reloaded (PID: {})", outcome.pid.unwrap_or_default()),
        Verb::Restart => format!("restarted (PID: {})", outcome.pid.unwrap_or_default()),
    })
}

/// PM2 ends the watch of what is stopped.
fn unwatch(
    client: &mut velos_client::Client,
    targets: &[String],
) -> Result<(), velos_core::error::ErrorReply> {
    let info: velos_core::protocol::InfoReply =
        client.call(method::INFO, &Params { targets: targets.to_vec() })?;
    let mut apps: Vec<velos_core::app::AppSpec> = Vec::new();
    for instance in info.instances {
        if instance.spec.watch.is_some() && !apps.iter().any(|app| app.name == instance.spec.name) {
            apps.push(velos_core::app::AppSpec { watch: None, ..instance.spec });
        }
    }
    if !apps.is_empty() {
        client.call::<_, Outcomes>(method::UPDATE, &velos_core::protocol::Update { apps })?;
    }
    Ok(())
}

/// Wall clock, for what an app said since.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A line per instance; what did not work goes to stderr with the last words of the app.
pub(crate) fn tell(
    context: &super::Context,
    outcomes: &Outcomes,
    begin_us: u64,
    done: impl Fn(&Outcome) -> String,
) -> super::Result {
    if context.machine {
        crate::output::print_json(outcomes)?;
        return Ok(exit_code(outcomes));
    }
    let (good, bad) = render(outcomes, done, |outcome| last_words(outcome, begin_us));
    context.say(&good)?;
    // A closed stderr changes nothing about the exit code.
    let _ = std::io::stderr().write_all(bad.as_bytes());
    Ok(exit_code(outcomes))
}

/// Of what was refused, else of the first that went wrong.
pub(crate) fn exit_code(outcomes: &Outcomes) -> u8 {
    let refused = outcomes.refused.first().map(|refusal| refusal.error.code);
    let failed = outcomes.instances.iter().find(|outcome| !outcome.ok).map(|outcome| match outcome.phase {
        Phase::Launching => ErrorCode::NotReady,
        _ => ErrorCode::Failed,
    });
    refused.or(failed).map_or(0, ErrorCode::exit_code)
}

/// What goes to stdout and what to stderr.
fn render(
    outcomes: &Outcomes,
    done: impl Fn(&Outcome) -> String,
    words: impl Fn(&Outcome) -> Vec<String>,
) -> (String, String) {
    let mut good = String::new();
    let mut bad = String::new();
    for outcome in &outcomes.instances {
        let name = super::shown_name(&outcome.name, outcome.slot);
        if outcome.ok {
            good.push_str(&format!("[OK] Process \"{name}\" {}\n", done(outcome)));
            continue;
        }
        let reason = outcome.reason.as_deref().unwrap_or("no reason is known");
        bad.push_str(&format!("error: process \"{name}\" is {}: {reason}\n", outcome.phase.status()));
        if outcome.phase == Phase::Stopping {
            bad.extend(outcome.pid.and_then(where_it_hangs));
        }
        bad.push_str(&words_and_hint(outcome, &words(outcome)));
    }
    for refusal in &outcomes.refused {
        bad.push_str(&format!("error: {}\n", refusal.error.message));
        if let Some(hint) = &refusal.error.hint {
            bad.push_str(&format!("hint: {hint}\n"));
        }
    }
    (good, bad)
}

/// What the kernel says of a process that does not end.
fn where_it_hangs(pid: i32) -> Option<String> {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    let state = read("stat")?.rsplit_once(')')?.1.trim_start().chars().next()?;
    let at = read("wchan").filter(|name| !name.is_empty() && name != "0");
    let at = at.map(|name| format!(", in {}", name.trim())).unwrap_or_default();
    Some(format!("process {pid} is in state {state}{at}\n"))
}

/// What follows the line that says how one failed.
pub(crate) fn words_and_hint(outcome: &Outcome, words: &[String]) -> String {
    let mut text = String::new();
    if !words.is_empty() {
        text.push_str("from its error log:\n");
        text.extend(words.iter().map(|line| format!("  {line}\n")));
    }
    let typed = super::typed_name(&outcome.name, outcome.slot, outcome.id);
    text.push_str(&format!("hint: see `velos why {typed}` and `velos logs {typed}`\n"));
    text
}

/// What it wrote to its error log since we asked.
pub(crate) fn last_words(outcome: &Outcome, begin_us: u64) -> Vec<String> {
    // A program that never ran has said nothing; what stands in the log is older.
    let (Some(log), Some(_)) = (&outcome.err_log, outcome.exit) else { return Vec::new() };
    for _ in 0..WORDS_LOOKS {
        let words = super::last_words::lines(log.as_path(), Some(begin_us), WORDS_MAX);
        if !words.is_empty() {
            return words;
        }
        // An end is told before the last words are on disk.
        std::thread::sleep(WORDS_PAUSE);
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::error::ErrorReply;
    use velos_core::instance::{Exit, InstanceId};
    use velos_core::protocol::Refusal;

    fn outcome(id: u32, phase: Phase, ok: bool) -> Outcome {
        Outcome {
            id: InstanceId(id),
            name: "api".into(),
            slot: id,
            phase,
            pid: ok.then_some(12_345),
            ok,
            unchanged: false,
            reason: (!ok).then(|| "it ended with exit code 3 after 12 ms".to_owned()),
            exit: (!ok).then_some(Exit::Code(3)),
            err_log: None,
        }
    }

    #[test]
    fn a_start_that_half_failed() {
        let refusal = Refusal {
            name: "web".into(),
            error: ErrorReply::new(ErrorCode::Exists, "app \"web\" is online already")
                .hint("give another --name"),
        };
        let mut outcomes = Outcomes {
            instances: vec![outcome(0, Phase::Online, true), outcome(1, Phase::Errored, false)],
            refused: vec![refusal],
        };
        let words = |_: &Outcome| vec!["Error: Cannot find module 'x'".to_owned()];
        let (good, bad) =
            render(&outcomes, |outcome| format!("started (PID: {})", outcome.pid.unwrap_or(0)), words);
        insta::assert_snapshot!("outcomes", format!("stdout:\n{good}stderr:\n{bad}"));
        insta::assert_snapshot!("outcomes_machine", serde_json::to_string_pretty(&outcomes).unwrap());
        assert_eq!(exit_code(&outcomes), 1);
        outcomes.refused.clear();
        outcomes.instances = vec![outcome(0, Phase::Launching, false)];
        assert_eq!(exit_code(&outcomes), 5);
        outcomes.instances = vec![outcome(0, Phase::Online, true)];
        assert_eq!(exit_code(&outcomes), 0);
    }
}
