//! Processes as the kernel shows them: start times, and which runs of ours are alive.

use std::path::Path;
use std::time::Duration;

/// A process of ours that a former daemon started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) pid: i32,
    pub(crate) start_ticks: u64,
    /// `VELOS_RUN`.
    pub(crate) token: u64,
    /// `VELOS_ID`.
    pub(crate) instance: u32,
}

/// Start time of a process in kernel ticks, zombies included: field 22 of `/proc/PID/stat`, see proc_pid_stat(5).
pub(crate) fn start_ticks(pid: i32) -> Option<u64> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses and may hold anything, parentheses too.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 2..)?).ok()?;
    rest.split(' ').nth(19)?.parse().ok()
}

/// In the middle of execve(2) a process has neither words nor environment, for milliseconds on a busy machine, and its
/// starter has gone on already. This long all of those together are waited for.
const EXECUTION_MAX: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Session leaders whose environment says that they were started for an instance on this home.
pub(crate) fn find_runs(home: &Path) -> Vec<Found> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut patience = EXECUTION_MAX;
    pids.filter_map(|pid| inspect(pid, home, &mut patience)).collect()
}

/// What a process was started with, once it is started.
fn environ(pid: i32, patience: &mut Duration) -> Option<Vec<u8>> {
    let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).ok();
    loop {
        // The words come first, the environment right behind them. A zombie has no program.
        let is_executed =
            !read("cmdline")?.is_empty() || std::fs::read_link(format!("/proc/{pid}/exe")).is_err();
        let environ = read("environ")?;
        if !environ.is_empty() || patience.is_zero() {
            return Some(environ);
        }
        std::thread::sleep(LOOK_AGAIN);
        *patience = patience.saturating_sub(LOOK_AGAIN);
        if is_executed {
            return read("environ");
        }
    }
}

fn inspect(pid: i32, home: &Path, patience: &mut Duration) -> Option<Found> {
    // Only the process that we started leads its session; what it forked does not.
    let leader = nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid))).ok()?.as_raw() == pid;
    let environ = if leader { environ(pid, patience)? } else { return None };
    let value = |key: &[u8]| {
        environ.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(key)?.strip_prefix(b"="))
    };
    if value(b"VELOS_HOME")? != std::os::unix::ffi::OsStrExt::as_bytes(home.as_os_str()) {
        return None;
    }
    let number = |key| std::str::from_utf8(value(key)?).ok()?.parse::<u64>().ok();
    Some(Found {
        pid,
        start_ticks: start_ticks(pid)?,
        token: number(b"VELOS_RUN")?,
        instance: u32::try_from(number(b"VELOS_ID")?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_just_executed_is_waited_for() {
        // Of a hundred some are met in the middle; none of them is taken for one without an environment.
        for _ in 0..100 {
            let mut command = std::process::Command::new("sleep");
            let mut child = command.arg("100").env("VELOS_TEST", "x").spawn().unwrap();
            let found = environ(i32::try_from(child.id()).unwrap(), &mut EXECUTION_MAX.clone());
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(found.unwrap().windows(12).any(|entry| entry == b"VELOS_TEST=x"));
        }
        let mut command = std::process::Command::new("sleep");
        let mut bare = command.arg("100").env_clear().spawn().unwrap();
        let found = environ(i32::try_from(bare.id()).unwrap(), &mut EXECUTION_MAX.clone());
        bare.kill().unwrap();
        bare.wait().unwrap();
        assert_eq!(found, Some(Vec::new()));
    }

    #[test]
    fn our_own_start_time_is_known_and_a_missing_process_has_none() {
        assert!(start_ticks(std::process::id() as i32).unwrap() > 0);
        assert_eq!(start_ticks(i32::MAX), None);
    }
}
