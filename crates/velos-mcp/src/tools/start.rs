//! `process_start` and `process_restart`: what does not come up says its exit and its last words.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use velos_client::Client;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::instance::Phase;
use velos_core::protocol::{InstanceSummary, Outcomes, Start as Params, method};
use velos_log_engine::Stream;

use super::change::{ids, name_of};
use super::{Formatted, pattern, usage};
use crate::compact::{self, Keep};
use crate::condition::{self, End, Until};
use crate::declare::NewApp;
use crate::logs::{self, Selected};
use crate::reply::{Outcome, Reply, Trouble};
use crate::stack;
use crate::toolbox::{Call, unreadable};

/// Without a condition, an app that dies within this time has failed to start.
const SETTLE: Duration = Duration::from_millis(500);
/// Of the first output and of the last words.
const OUTPUT_LINES: usize = 8;
const ERROR_LINES: usize = 20;
const ERROR_TOKENS: usize = 500;
/// How often its last words are looked for.
const WORDS_LOOKS: u32 = 10;
const WORDS_PAUSE: Duration = Duration::from_millis(25);
/// What an app may take to become ready or to stop, as its declaration says; the daemon has its own limits.
const PATIENCE: Duration = Duration::from_secs(50);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    name: Option<String>,
    command: Option<String>,
    cwd: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, Value>,
    instances: Option<u32>,
    autorestart: Option<bool>,
    max_memory: Option<String>,
    #[serde(default)]
    replace: bool,
    wait_log: Option<String>,
    wait_port: Option<u16>,
    timeout_ms: Option<u64>,
}

impl Formatted for Start {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restart {
    name: String,
    #[serde(default)]
    graceful: bool,
    wait_log: Option<String>,
    wait_port: Option<u16>,
    timeout_ms: Option<u64>,
}

impl Formatted for Restart {}

/// What is waited for after the daemon has done its part.
struct Wait {
    until: Until,
    timeout: Duration,
}

impl Wait {
    fn new(
        log: Option<&str>,
        port: Option<u16>,
        timeout_ms: Option<u64>,
        call: &Call<'_>,
    ) -> Result<Self, ErrorReply> {
        let until = match (log, port) {
            (Some(_), Some(_)) => {
                return Err(usage("wait_log and wait_port exclude each other").hint("give one of them"));
            }
            (Some(log), None) => Until::Log(pattern("wait_log", log)?),
            (None, Some(port)) => Until::Port(port),
            (None, None) => return Ok(Self { until: Until::NoCrash, timeout: SETTLE }),
        };
        Ok(Self { until, timeout: call.timeout(timeout_ms) })
    }
}

pub(super) fn start(arguments: &Start, call: &Call<'_>) -> Outcome {
    let wait = Wait::new(arguments.wait_log.as_deref(), arguments.wait_port, arguments.timeout_ms, call)?;
    let Some(command) = &arguments.command else {
        return start_known(arguments, call, &wait);
    };
    let env = arguments.env.iter().map(|(key, value)| Ok((key.clone(), variable(key, value)?)));
    let app = NewApp {
        command: command.clone(),
        name: arguments.name.clone(),
        cwd: arguments.cwd.clone(),
        env: env.collect::<Result<_, ErrorReply>>()?,
        instances: arguments.instances,
        autorestart: arguments.autorestart,
        max_memory: arguments.max_memory.clone(),
    };
    let spec = call.toolbox.host.declare(&app)?;
    let name = spec.name.to_string();
    if !call.toolbox.allow.permits(&name) {
        let globs = call.toolbox.allow.shown().unwrap_or_default();
        return Err(ErrorReply::new(ErrorCode::Refused, format!("name: {name:?} is not allowed here"))
            .hint(format!("this server may touch only {globs}; give such a name"))
            .into());
    }
    let mut client = patient(call)?;
    let taken: Vec<InstanceSummary> =
        call.toolbox.instances()?.into_iter().filter(|one| one.name == name).collect();
    let runs = taken.iter().any(|one| !matches!(one.phase, Phase::Stopped | Phase::Errored));
    if runs && !arguments.replace {
        return Err(ErrorReply::new(
            ErrorCode::Exists,
            format!("{name:?} is {} already", condition::state(&taken)),
        )
        .hint("use process_restart, replace=true, or another name")
        .into());
    }
    let event = condition::newest_event(&mut client)?;
    if runs {
        client.call::<_, Outcomes>(method::STOP, &ids(&taken))?;
    }
    let begin_us = crate::clock::now_us();
    let outcomes: Outcomes = client.call(method::START, &Params { apps: vec![spec], targets: Vec::new() })?;
    settle(call, "started", &outcomes, begin_us, event, &wait)
}

fn start_known(arguments: &Start, call: &Call<'_>, wait: &Wait) -> Outcome {
    let Some(name) = &arguments.name else {
        return Err(usage("command: what is to be started?")
            .hint("give a command, or the name of a stopped process")
            .into());
    };
    let given = [
        ("cwd", arguments.cwd.is_some()),
        ("env", !arguments.env.is_empty()),
        ("instances", arguments.instances.is_some()),
        ("autorestart", arguments.autorestart.is_some()),
        ("max_memory", arguments.max_memory.is_some()),
    ];
    if let Some((field, _)) = given.iter().find(|(_, is_given)| *is_given) {
        return Err(usage(format!("{field}: only a new process takes it"))
            .hint("give its command too, or use config_set")
            .into());
    }
    let chosen = call.toolbox.one_app(name)?;
    let runs = |one: &&InstanceSummary| !matches!(one.phase, Phase::Stopped | Phase::Errored);
    if chosen.iter().all(|one| runs(&one)) && !arguments.replace {
        let state = condition::state(&chosen);
        return Ok(Reply::new(
            format!("{name} is {state} already\n"),
            json!({ "result": "unchanged", "instances": rows(&chosen) }),
        ));
    }
    let mut client = patient(call)?;
    let event = condition::newest_event(&mut client)?;
    let begin_us = crate::clock::now_us();
    let outcomes: Outcomes = match arguments.replace && chosen.iter().any(|one| runs(&one)) {
        true => client.call(method::RESTART, &ids(&chosen))?,
        false => {
            let down: Vec<InstanceSummary> = chosen.iter().filter(|one| !runs(one)).cloned().collect();
            client.call(method::START, &Params { apps: Vec::new(), targets: ids(&down).targets })?
        }
    };
    settle(call, "started", &outcomes, begin_us, event, wait)
}

pub(super) fn restart(arguments: &Restart, call: &Call<'_>) -> Outcome {
    let wait = Wait::new(arguments.wait_log.as_deref(), arguments.wait_port, arguments.timeout_ms, call)?;
    let chosen = call.toolbox.one_app(&arguments.name)?;
    let mut client = patient(call)?;
    let event = condition::newest_event(&mut client)?;
    let begin_us = crate::clock::now_us();
    let (verb, word) =
        if arguments.graceful { (method::RELOAD, "reloaded") } else { (method::RESTART, "restarted") };
    let outcomes: Outcomes = client.call(verb, &ids(&chosen))?;
    settle(call, word, &outcomes, begin_us, event, &wait)
}

fn patient(call: &Call<'_>) -> Result<Client, ErrorReply> {
    let mut client = call.toolbox.daemon()?;
    client.set_patience(Some(PATIENCE));
    Ok(client)
}

fn variable(key: &str, value: &Value) -> Result<String, ErrorReply> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(usage(format!("env.{key}: must be a text")).hint("write {\"PORT\":\"3000\"}")),
    }
}

fn rows(instances: &[InstanceSummary]) -> Vec<Value> {
    let row = |one: &InstanceSummary| json!({ "name": crate::toolbox::shown_name(one), "status": one.phase.status(), "pid": one.pid });
    instances.iter().map(row).collect()
}

/// The daemon has answered; see whether it holds.
fn settle(
    call: &Call<'_>,
    word: &str,
    outcomes: &Outcomes,
    begin_us: u64,
    event: u64,
    wait: &Wait,
) -> Outcome {
    if let Some(refusal) = outcomes.refused.first() {
        return Err(refusal.error.clone().into());
    }
    let app = outcomes.instances.first().map_or_else(|| "it".to_owned(), |one| one.name.clone());
    let their: Vec<u32> = outcomes.instances.iter().map(|one| one.id.0).collect();
    if let Some(bad) = outcomes.instances.iter().find(|one| !one.ok) {
        let why = bad.reason.as_deref().unwrap_or("no reason is known");
        return Err(died(
            call,
            &name_of(bad),
            &format!("is {}: {why}", bad.phase.status()),
            &their,
            begin_us,
        ));
    }
    let is_idle = outcomes.instances.iter().all(|one| one.pid.is_none());
    if is_idle && matches!(wait.until, Until::NoCrash) {
        return Ok(Reply::new(
            format!("{app} is known; it is not started now\n"),
            json!({ "result": "added", "instances": [] }),
        ));
    }
    let mut start = condition::Start { event, cursor: Default::default(), since_us: Some(begin_us) };
    let end = condition::wait(call, &their, &wait.until, &mut start, wait.timeout)?;
    let now: Vec<InstanceSummary> =
        call.toolbox.instances()?.into_iter().filter(|one| their.contains(&one.id.0)).collect();
    let sources = logs::sources(&now);
    let wanted = Selected { since_us: Some(begin_us), ..Selected::default() };
    let (lines, cursor) =
        logs::last(&sources, wanted, OUTPUT_LINES, call.toolbox.salt).map_err(unreadable)?;
    let pids: Vec<String> = now.iter().filter_map(|one| one.pid.map(|pid| pid.to_string())).collect();
    let met = match end {
        End::Died(why) => return Err(died(call, &app, &format!("died: {why}"), &their, begin_us)),
        End::TimedOut(state) => format!(
            "{app} is {state}, but not ready within {}ms; wait_for goes on waiting",
            wait.timeout.as_millis()
        ),
        End::Cancelled => format!("{app} {word}; the wait was cancelled"),
        End::Met(_) if matches!(wait.until, Until::NoCrash) => {
            format!("{app} {word}, pid {}", pids.join(" "))
        }
        End::Met(what) => format!("{app} {word}, pid {}; {what}", pids.join(" ")),
    };
    let shown = compact::render(&lines, &sources, ERROR_TOKENS, Keep::Newest);
    let cursor = cursor.to_string();
    let text = format!("{met}\n{}cursor={cursor}\n", shown.text);
    let output: Vec<&str> = lines.iter().map(|row| row.text.as_str()).collect();
    let data = json!({ "result": met, "instances": rows(&now), "output": output, "cursor": cursor });
    Ok(Reply::new(text, data))
}

/// Exit, error, place in the code, last words.
fn died(call: &Call<'_>, name: &str, why: &str, ids: &[u32], begin_us: u64) -> Trouble {
    let now = call.toolbox.instances().unwrap_or_default();
    let ours: Vec<InstanceSummary> = now.into_iter().filter(|one| ids.contains(&one.id.0)).collect();
    let sources = logs::sources(&ours);
    let read = |stream| {
        let wanted = Selected { since_us: Some(begin_us), stream, ..Selected::default() };
        logs::last(&sources, wanted, ERROR_LINES, call.toolbox.salt).map(|(rows, _)| rows).unwrap_or_default()
    };
    let mut rows_said = Vec::new();
    for look in 0..WORDS_LOOKS {
        rows_said = read(Some(Stream::Err));
        if rows_said.is_empty() {
            rows_said = read(None);
        }
        if !rows_said.is_empty() || look + 1 == WORDS_LOOKS {
            break;
        }
        // The end of a process is told before its last bytes are on disk.
        std::thread::sleep(WORDS_PAUSE);
    }
    let found = stack::last_error(&rows_said);
    let place = found.as_ref().and_then(|found| found.place.clone());
    let mut text = format!("{name} {why}\n");
    if let Some(place) = &place {
        text.push_str(&format!("at: {place}\n"));
    }
    match rows_said.is_empty() {
        true => text.push_str("it said nothing\n"),
        false => text.push_str(&compact::render(&rows_said, &sources, ERROR_TOKENS, Keep::Newest).text),
    }
    let next = match ours.iter().any(|one| one.phase == Phase::Backoff || one.phase == Phase::Online) {
        true => "it is being restarted; fix it, then process_restart\n",
        false => "fix it, then process_start with its name\n",
    };
    text.push_str(next);
    let output: Vec<&str> = rows_said.iter().map(|row| row.text.as_str()).collect();
    let error = json!({ "code": "failed", "message": format!("{name} {why}"), "hint": next.trim_end() });
    let data = json!({ "error": error, "instances": rows(&ours), "output": output, "place": place });
    Trouble { text, data }
}
