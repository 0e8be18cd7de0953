//! `velos stop`, `restart`, `delete`: one request on selected instances.

use velos_core::instance::Phase;
use velos_core::protocol::{Outcome, Outcomes, Targets as Params, method};

use crate::args::Targets;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Stop,
    Restart,
    Delete,
}

pub(crate) fn run(context: &super::Context, verb: Verb, targets: &Targets) -> super::Result {
    let method = match verb {
        Verb::Stop => method::STOP,
        Verb::Restart => method::RESTART,
        Verb::Delete => method::DELETE,
    };
    let mut client = context.daemon()?;
    let outcomes: Outcomes = client.call(method, &Params { targets: targets.targets.clone() })?;
    tell(context, &outcomes, |outcome| match verb {
        Verb::Stop if outcome.unchanged => "was stopped already".to_owned(),
        Verb::Stop => "stopped".to_owned(),
        Verb::Delete => "deleted".to_owned(),
        Verb::Restart => format!("restarted (PID: {})", outcome.pid.unwrap_or_default()),
    })
}

/// A line per instance; what did not work goes to stderr with the last words of the app.
pub(crate) fn tell(
    context: &super::Context,
    outcomes: &Outcomes,
    done: impl Fn(&Outcome) -> String,
) -> super::Result {
    let mut code = 0;
    for outcome in outcomes.instances.iter().filter(|outcome| !outcome.ok) {
        code = code.max(if outcome.phase == Phase::Launching { 5 } else { 1 });
    }
    if let Some(refusal) = outcomes.refused.first() {
        code = refusal.error.code.exit_code();
    }
    if context.machine {
        crate::output::print_json(outcomes)?;
        return Ok(code);
    }
    let mut good = String::new();
    let mut bad = String::new();
    for outcome in &outcomes.instances {
        let name = if outcome.slot > 0 {
            format!("{}:{}", outcome.name, outcome.slot)
        } else {
            outcome.name.clone()
        };
        if outcome.ok {
            good.push_str(&format!("[OK] Process \"{name}\" {}\n", done(outcome)));
        } else {
            let reason = outcome.reason.as_deref().unwrap_or("no reason is known");
            bad.push_str(&format!("error: process \"{name}\" is {}: {reason}\n", outcome.phase.status()));
            bad.push_str(&last_words(outcome));
        }
    }
    for refusal in &outcomes.refused {
        bad.push_str(&format!("error: {}\n", refusal.error.message));
        if let Some(hint) = &refusal.error.hint {
            bad.push_str(&format!("hint: {hint}\n"));
        }
    }
    context.say(&good)?;
    // A closed stderr changes nothing about the exit code.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), bad.as_bytes());
    Ok(code)
}

fn last_words(outcome: &Outcome) -> String {
    // A program that never ran has said nothing; what stands in the log is older.
    let (Some(log), Some(_)) = (&outcome.err_log, outcome.exit) else { return String::new() };
    let lines = velos_log_engine::tail(log.as_path(), velos_log_engine::Stream::Err, 10).unwrap_or_default();
    lines.iter().map(|line| format!("  {}\n", velos_log_engine::neutralise(&line.bytes))).collect()
}
