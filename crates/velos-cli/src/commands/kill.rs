//! `velos kill`

use std::fs::File;
use std::time::Duration;

use velos_client::{Client, Home};
use velos_core::protocol::{Outcomes, Targets, method};

/// How long the guardian may take to leave after its daemon: half a second in all.
const PAUSES_MS: [u64; 10] = [0, 1, 1, 2, 4, 8, 16, 64, 128, 256];

pub(crate) fn run(context: &super::Context) -> super::Result {
    let home = Home::from_environment()?;
    let stopped = match Client::connect(&home, "cli")? {
        None => None,
        Some(mut client) => {
            let outcomes: Outcomes = client.call(method::SHUTDOWN, &Targets::default())?;
            client.wait_for_end();
            wait_for_guardian(&home);
            Some(outcomes.instances.iter().filter(|outcome| !outcome.unchanged).count())
        }
    };
    if context.machine {
        let document =
            serde_json::json!({ "daemon_ran": stopped.is_some(), "stopped": stopped.unwrap_or(0) });
        crate::output::print_json(&document)?;
        return Ok(0);
    }
    context.say(&match stopped {
        None => "[OK] No daemon runs\n".to_owned(),
        Some(count) => format!("[OK] Daemon ended, {count} processes stopped\n"),
    })?;
    Ok(0)
}

/// It holds the lock until it is gone, a moment after the daemon: who looks for processes then shall find none.
fn wait_for_guardian(home: &Home) {
    let Ok(lock) = File::open(home.pid_file()) else { return };
    for pause in PAUSES_MS {
        std::thread::sleep(Duration::from_millis(pause));
        if lock.try_lock_shared().is_ok() {
            return;
        }
    }
}
