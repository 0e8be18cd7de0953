//! `process_stop` and `process_delete`.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use velos_core::error::ErrorReply;
use velos_core::instance::Phase;
use velos_core::protocol::{InstanceSummary, Outcome as Became, Outcomes, SignalParams, Targets, method};
use velos_core::signal::Signal;

use super::Formatted;
use crate::reply::{Outcome, Reply, Trouble};
use crate::sentence;
use crate::toolbox::Call;

/// How long the daemon may take to begin with a stop before SIGKILL is sent.
const BEGIN_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stop {
    name: String,
    #[serde(default)]
    force: bool,
}

impl Formatted for Stop {}

pub(super) fn stop(arguments: &Stop, call: &Call<'_>) -> Outcome {
    let chosen = call.toolbox.one_app(&arguments.name)?;
    let outcomes = match arguments.force {
        false => call.toolbox.daemon()?.call(method::STOP, &ids(&chosen))?,
        true => kill(&chosen, call)?,
    };
    tell(&outcomes, |one| match (one.unchanged, one.exit) {
        (true, _) => "was stopped already".to_owned(),
        (false, Some(exit)) => format!("stopped, {}", sentence::ended(&exit)),
        (false, None) => "stopped".to_owned(),
    })
}

/// The stop makes that it is not started again; SIGKILL makes that it ends now.
fn kill(chosen: &[InstanceSummary], call: &Call<'_>) -> Result<Outcomes, ErrorReply> {
    let mut stopper = call.toolbox.daemon()?;
    let targets = ids(chosen);
    let stopping = std::thread::spawn(move || stopper.call::<_, Outcomes>(method::STOP, &targets));
    let mut client = call.toolbox.daemon()?;
    let begin = Instant::now();
    while begin.elapsed() < BEGIN_WITHIN && !stopping.is_finished() {
        let list: velos_core::protocol::ListReply = client.call(method::LIST, &Targets::default())?;
        let ours = list.instances.iter().filter(|one| chosen.iter().any(|chosen| chosen.id == one.id));
        let stopping: Vec<String> =
            ours.filter(|one| one.phase == Phase::Stopping).map(|one| one.id.0.to_string()).collect();
        if !stopping.is_empty() {
            let params = SignalParams { targets: stopping, signal: Signal(9) };
            // It may be gone by now, which is what we want.
            let _ = client.call::<_, Outcomes>(method::SIGNAL, &params);
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    stopping.join().unwrap_or_else(|_| {
        Err(ErrorReply::new(velos_core::error::ErrorCode::Internal, "the stop was interrupted"))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delete {
    name: String,
}

impl Formatted for Delete {}

pub(super) fn delete(arguments: &Delete, call: &Call<'_>) -> Outcome {
    let chosen = call.toolbox.one_app(&arguments.name)?;
    let outcomes: Outcomes = call.toolbox.daemon()?.call(method::DELETE, &ids(&chosen))?;
    tell(&outcomes, |_| "deleted".to_owned())
}

/// Exactly these instances.
pub(super) fn ids(chosen: &[InstanceSummary]) -> Targets {
    Targets { targets: chosen.iter().map(|one| one.id.0.to_string()).collect() }
}

/// `api`, `api:1`.
pub(super) fn name_of(one: &Became) -> String {
    if one.slot > 0 { format!("{}:{}", one.name, one.slot) } else { one.name.clone() }
}

fn tell(outcomes: &Outcomes, done: impl Fn(&Became) -> String) -> Outcome {
    let mut text = String::new();
    let mut rows: Vec<Value> = Vec::new();
    for one in &outcomes.instances {
        let name = name_of(one);
        let said = match one.ok {
            true => done(one),
            false => format!(
                "is {}: {}",
                one.phase.status(),
                one.reason.as_deref().unwrap_or("no reason is known")
            ),
        };
        text.push_str(&format!("{name} {said}\n"));
        rows.push(json!({ "name": name, "ok": one.ok, "status": one.phase.status(), "detail": said }));
    }
    let data = json!({ "instances": rows });
    match outcomes.instances.iter().all(|one| one.ok) {
        true => Ok(Reply::new(text, data)),
        false => Err(Trouble { text, data }),
    }
}
