//! Processes as the kernel shows them: start times, and which runs of ours are alive.

use std::path::Path;

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

/// Session leaders whose environment says that they were started for an instance on this home.
pub(crate) fn find_runs(home: &Path) -> Vec<Found> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| inspect(pid, home)).collect()
}

fn inspect(pid: i32, home: &Path) -> Option<Found> {
    // Only the process that we started leads its session; what it forked does not.
    let leader = nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid))).ok()?.as_raw() == pid;
    let environ = if leader { std::fs::read(format!("/proc/{pid}/environ")).ok()? } else { return None };
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
    fn our_own_start_time_is_known_and_a_missing_process_has_none() {
        assert!(start_ticks(std::process::id() as i32).unwrap() > 0);
        assert_eq!(start_ticks(i32::MAX), None);
    }
}
