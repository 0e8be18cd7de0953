//! `velos kill`

use std::fs::File;
use std::time::Duration;

use velos_client::{Client, Home};
use velos_core::protocol::{Outcome, Outcomes, Targets, method};

/// How long the guardian may take to leave after its daemon: two seconds in all, for a busy machine.
const PAUSES_MS: [u64; 12] = [0, 1, 1, 2, 4, 8, 16, 64, 128, 256, 512, 1024];

pub(crate) fn run(context: &super::Context) -> super::Result {
    let home = Home::from_environment()?;
    let stopped = match Client::connect(&home, "cli")? {
        None => None,
        Some(mut client) => {
            let outcomes: Outcomes = client.call(method::SHUTDOWN, &Targets::default())?;
            let guardian = client.hello().guardian_pid;
            client.wait_for_end();
            wait_for_guardian(&home, guardian);
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

/// It leaves a moment after the daemon: who looks for processes then shall find none. The kernel takes its lock away before
/// it is gone.
fn wait_for_guardian(home: &Home, pid: i32) {
    let Ok(lock) = File::open(home.pid_file()) else { return };
    for pause in PAUSES_MS {
        std::thread::sleep(Duration::from_millis(pause));
        if lock.try_lock_shared().is_ok() && !runs(pid) {
            return;
        }
    }
}

/// Neither gone nor a zombie: the letter behind the name in `/proc/PID/stat`, see proc_pid_stat(5).
fn runs(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
