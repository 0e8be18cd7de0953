//! `velos restart api --name web`: the same app under another name. It gets another id, and its logs their own files.

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::name::AppName;
use velos_core::protocol::{InfoReply, ListReply, Outcome, Outcomes, Start, Targets, method};

use super::select::{self, Verb};
use super::{declare, usage};
use crate::args::Restart;

pub(crate) fn run(context: &super::Context, verb: Verb, restart: &Restart, name: &str) -> super::Result {
    if verb == Verb::Reload {
        return Err(usage("--name needs a restart: two names cannot share one app while it is reloaded")
            .hint("use `velos restart`"));
    }
    let new = AppName::new(name).map_err(|error| usage(error.to_string()))?;
    let declared = restart.env.iter().map(|entry| declare::variable(entry)).collect::<Result<Vec<_>, _>>()?;
    let here = super::here()?;
    let mut client = context.daemon()?;
    let begin = select::now_us();
    let known: ListReply = client.call(method::LIST, &Targets::default())?;
    if known.instances.iter().any(|one| one.name == name) {
        return Err(ErrorReply::new(ErrorCode::Exists, format!("an app is called {name:?} already"))
            .hint("choose another name, or delete that one first"));
    }
    let info: InfoReply = client.call(method::INFO, &Targets { targets: restart.targets.clone() })?;
    let Some(first) = info.instances.first() else { return Err(super::failed("nothing is chosen")) };
    let old = first.spec.name.clone();
    if info.instances.iter().any(|one| one.spec.name != old) {
        return Err(usage("--name names one app, but several are chosen").hint("restart them one by one"));
    }
    let mut spec = first.spec.clone();
    // All that can be wrong is found before anything ends.
    select::put_into(restart, &declared, &here, &mut spec)?;
    spec.name = new;
    client.call::<_, Outcomes>(method::DELETE, &Targets { targets: vec![old.as_str().to_owned()] })?;
    let outcomes: Outcomes = client.call(method::START, &Start { apps: vec![spec], targets: Vec::new() })?;
    let started = |outcome: &Outcome| format!("started (PID: {})", outcome.pid.unwrap_or_default());
    select::tell(context, &outcomes, begin, started)
}
