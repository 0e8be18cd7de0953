//! `velos kill`

use std::fs::File;
use std::time::Duration;

use velos_client::{Client, Home};
use velos_core::protocol::{Outcome, Outcomes, Targets, method};

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
            Some(outcomes.instances)
        }
    };
    let ended = stopped.is_some();
    let (stopped, stuck): (Vec<Outcome>, Vec<Outcome>) =
        stopped.unwrap_or_default().into_iter().filter(|one| !one.unchanged).partition(|one| one.ok);
    let stuck = Outcomes { instances: stuck, refused: Vec::new() };
    if context.machine {
        let (stopped, left) = (stopped.len(), stuck.instances.len());
        crate::output::print_json(
            &serde_json::json!({ "daemon_ran": ended, "stopped": stopped, "left": left }),
        )?;
        return Ok(super::select::exit_code(&stuck));
    }
    context.say(&match ended {
        false => "[OK] No daemon runs\n".to_owned(),
        true => format!("[OK] Daemon ended, {} processes stopped\n", stopped.len()),
    })?;
    super::select::tell(context, &stuck, super::select::now_us(), |_| String::new())
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
