//! `velos kill`

use velos_core::protocol::{Outcomes, Targets, method};

pub(crate) fn run(context: &super::Context) -> super::Result {
    let stopped = match context.running_daemon()? {
        None => None,
        Some(mut client) => {
            let outcomes: Outcomes = client.call(method::SHUTDOWN, &Targets::default())?;
            // The daemon hangs up once it is gone: a command after this one starts a new one.
            let _ = client.next_notice();
            Some(outcomes.instances.len())
        }
    };
    if context.machine {
        crate::output::print_json(
            &serde_json::json!({ "daemon_ran": stopped.is_some(), "stopped": stopped.unwrap_or(0) }),
        )?;
        return Ok(0);
    }
    let text = match stopped {
        None => "[OK] No daemon runs\n".to_owned(),
        Some(count) => format!("[OK] Daemon ended, {count} processes stopped\n"),
    };
    context.say(&text)?;
    Ok(0)
}
