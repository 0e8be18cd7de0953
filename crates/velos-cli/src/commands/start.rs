//! `velos start`: resolve what was typed, send it, wait until it is online or has failed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use velos_client::Client;
use velos_core::app::{AppSpec, LogSpec};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::instance::{InstanceId, Phase};
use velos_core::name::AppName;
use velos_core::policy::{RestartPolicy, StopPolicy};
use velos_core::protocol::{ListReply, Outcomes, Start as Params, Targets, method};
use velos_core::raw_string::RawString;
use velos_core::selector::{self, Candidate};
use velos_core::units::parse_duration_ms;

use crate::args::Start;
use crate::interpreter;

pub(crate) fn run(context: &super::Context, start: &Start) -> super::Result {
    if start.name.is_some() && start.targets.len() > 1 {
        return Err(
            usage("--name names one app, but several targets are given").hint("start them one by one")
        );
    }
    let mut client = context.daemon()?;
    let known: ListReply = client.call(method::LIST, &Targets::default())?;
    let mut outcomes = Outcomes::default();
    let mut apps = Vec::new();
    for target in &start.targets {
        match known_instances(start, target, &known) {
            Some(ids) => merge(&mut outcomes, start_known(&mut client, &ids, &known)?),
            None => apps.push(declare(start, target)?),
        }
    }
    if !apps.is_empty() {
        let params = Params { apps, targets: Vec::new() };
        merge(&mut outcomes, client.call(method::START, &params)?);
    }
    super::select::tell(context, &outcomes, |outcome| {
        format!("started (PID: {})", outcome.pid.unwrap_or_default())
    })
}

fn merge(into: &mut Outcomes, mut more: Outcomes) {
    into.instances.append(&mut more.instances);
    into.refused.append(&mut more.refused);
}

/// A name, id or the like of something in the list; a file that is there is never taken for a name.
fn known_instances(start: &Start, target: &str, known: &ListReply) -> Option<Vec<InstanceId>> {
    if start.name.is_some()
        || target.contains(char::is_whitespace)
        || target.contains('/') && !target.starts_with('/')
    {
        return None;
    }
    if Path::new(target).is_file() {
        return None;
    }
    let candidates: Vec<Candidate<'_>> = known
        .instances
        .iter()
        .map(|one| Candidate {
            id: one.id,
            name: &one.name,
            namespace: &one.namespace,
            slot: one.slot,
            script: &one.script,
        })
        .collect();
    selector::resolve(&[target.to_owned()], &candidates).ok()
}

/// As under PM2: what runs is restarted, what does not is started.
fn start_known(client: &mut Client, ids: &[InstanceId], known: &ListReply) -> Result<Outcomes, ErrorReply> {
    let runs =
        |id: &InstanceId| known.instances.iter().any(|one| one.id == *id && one.phase == Phase::Online);
    let (online, others): (Vec<InstanceId>, Vec<InstanceId>) = ids.iter().partition(|id| runs(id));
    let mut outcomes = Outcomes::default();
    for (method, ids) in [(method::RESTART, online), (method::START, others)] {
        if ids.is_empty() {
            continue;
        }
        let targets = ids.iter().map(|id| id.0.to_string()).collect();
        merge(&mut outcomes, client.call(method, &Targets { targets })?);
    }
    Ok(outcomes)
}

fn declare(start: &Start, target: &str) -> Result<AppSpec, ErrorReply> {
    let here = std::env::current_dir()
        .map_err(|error| super::failed(format!("cannot tell where we are: {error}")))?;
    let cwd = start.cwd.as_ref().map_or_else(|| here.clone(), |cwd| here.join(cwd));
    if !cwd.is_dir() {
        return Err(super::failed(format!("cannot start {target}: {} is not a directory", cwd.display()))
            .hint("give an existing one with --cwd"));
    }
    let search = std::env::var("PATH").unwrap_or_default();
    let words: Vec<String> =
        start.interpreter_args.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
    let resolved = interpreter::resolve(target, &cwd, start.interpreter.as_deref(), &words, &search)?;
    let name = match &start.name {
        Some(name) => AppName::new(name.as_str()),
        None => AppName::new(default_name(target, &resolved.script)),
    };
    let name = name.map_err(|error| usage(error.to_string()))?;
    let (env, env_declared) = environment(start, resolved.interpreter.as_deref())?;
    let argv0 = RawString::from(resolved.program.clone());
    let args: Vec<RawString> = start.args.iter().cloned().map(RawString::from).collect();
    let leading = resolved.leading.into_iter().map(RawString::from);
    Ok(AppSpec {
        name,
        namespace: start.namespace.clone(),
        script: resolved.script.into(),
        interpreter: resolved.interpreter,
        program: resolved.program.into(),
        argv: std::iter::once(argv0).chain(leading).chain(args.iter().cloned()).collect(),
        args,
        cwd: cwd.clone().into(),
        env,
        env_declared,
        instances: start.instances,
        restart: restart_policy(start)?,
        stop: stop_policy(start)?,
        readiness: Default::default(),
        logs: LogSpec {
            out: log(start.output.as_deref(), &cwd),
            err: log(start.error.as_deref(), &cwd),
            ..LogSpec::default()
        },
    })
}

/// The file's name without its last extension; a command line as a whole.
fn default_name(target: &str, script: &Path) -> String {
    if target.contains(char::is_whitespace) && !script.is_absolute() {
        return target.chars().take(velos_core::name::NAME_BYTES_MAX / 4).filter(|c| *c != '/').collect();
    }
    script.file_stem().map_or_else(|| target.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

type Environment = (BTreeMap<RawString, RawString>, Vec<RawString>);

/// The caller's environment, then what was declared.
fn environment(start: &Start, interpreter: Option<&str>) -> Result<Environment, ErrorReply> {
    let mut env: BTreeMap<RawString, RawString> =
        std::env::vars_os().map(|(key, value)| (RawString::from(key), RawString::from(value))).collect();
    // Of an app inside which we were called: not this app's.
    for own in ["VELOS_RUN", "VELOS_ID", "VELOS_INSTANCE_ID", "VELOS_NAME", "NODE_APP_INSTANCE"] {
        env.remove(&RawString::from(own));
    }
    if interpreter.is_some_and(|name| name.starts_with("python")) {
        // Or nothing is seen of its output until a block is full.
        env.entry("PYTHONUNBUFFERED".into()).or_insert_with(|| "1".into());
    }
    let mut declared = Vec::new();
    for entry in &start.env {
        let Some((key, value)) = entry.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(usage(format!("-e {entry:?} is no variable")).hint("write it as -e KEY=VALUE"));
        };
        env.insert(key.into(), value.into());
        declared.push(RawString::from(key));
    }
    Ok((env, declared))
}

fn restart_policy(start: &Start) -> Result<RestartPolicy, ErrorReply> {
    let mut policy = RestartPolicy { autorestart: !start.no_autorestart, ..RestartPolicy::default() };
    if let Some(max) = start.max_restarts {
        policy.max_restarts = max;
    }
    if let Some(text) = &start.min_uptime {
        policy.min_uptime_ms = duration("--min-uptime", text)?;
    }
    if let Some(text) = &start.restart_delay {
        policy.restart_delay_ms = duration("--restart-delay", text)?;
    }
    policy.stop_exit_codes.clone_from(&start.stop_exit_codes);
    Ok(policy)
}

fn stop_policy(start: &Start) -> Result<StopPolicy, ErrorReply> {
    let mut policy = StopPolicy::default();
    if let Some(text) = &start.kill_timeout {
        policy.kill_timeout_ms = duration("--kill-timeout", text)?;
    }
    if let Some(text) = &start.kill_signal {
        policy.kill_signal = text.parse().map_err(|error| usage(format!("--kill-signal: {error}")))?;
    }
    Ok(policy)
}

fn duration(flag: &str, text: &str) -> Result<u64, ErrorReply> {
    parse_duration_ms(text).map_err(|error| usage(format!("{flag}: {error}")))
}

fn log(given: Option<&str>, cwd: &Path) -> Option<RawString> {
    given.map(|path| RawString::from(PathBuf::from(cwd).join(path)))
}

fn usage(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::Usage, message)
}
