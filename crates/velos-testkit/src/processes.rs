//! Looking at processes through `/proc`, and ending those that a test left behind.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// All process ids there are.
pub fn all() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Fields of `/proc/PID/stat` behind the name: state first.
fn stat(pid: i32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// `R`, `S`, `T`, `Z`, ...; `None` when there is no such process.
pub fn state(pid: i32) -> Option<char> {
    stat(pid)?.first()?.chars().next()
}

/// Parent.
pub fn parent(pid: i32) -> Option<i32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// Runs or sleeps: there and no zombie.
pub fn is_alive(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// Time on a CPU so far, user and system, in clock ticks of 10 ms.
pub fn cpu_ticks(pid: i32) -> u64 {
    let field = |fields: &[String], index: usize| {
        fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    stat(pid).map_or(0, |fields| field(&fields, 11) + field(&fields, 12))
}

/// Resident memory, bytes.
pub fn rss_bytes(pid: i32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1_024
}

/// Number of open descriptors.
pub fn descriptors(pid: i32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Whether `entry` (as `KEY=VALUE`) stands in the environment it was started with.
pub fn has_variable(pid: i32, entry: &[u8]) -> bool {
    let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    // In the middle of execve(2) there are neither words nor environment; a zombie has no program either.
    let executes = || read("cmdline").is_empty() && std::fs::read_link(format!("/proc/{pid}/exe")).is_ok();
    for _ in 0..500 {
        if !executes() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    read("environ").split(|byte| *byte == 0).any(|found| found == entry)
}

/// Everything alive that was started with this home.
pub fn of_home(home: &Path) -> Vec<i32> {
    let entry = [b"VELOS_HOME=", home.as_os_str().as_bytes()].concat();
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    all().into_iter().filter(|pid| *pid != own && is_alive(*pid) && has_variable(*pid, &entry)).collect()
}

/// Everything alive of one app in this home.
pub fn of_app(home: &Path, name: &str) -> Vec<i32> {
    let entry = format!("VELOS_NAME={name}");
    of_home(home).into_iter().filter(|pid| has_variable(*pid, entry.as_bytes())).collect()
}

/// Send a signal; one that is gone is no failure.
pub fn signal(pid: i32, signal: Signal) {
    // It may have ended since it was looked up.
    let _ = kill(Pid::from_raw(pid), signal);
}

/// End everything of a home, the parents of daemons first so that they start no other.
pub fn end_all_of(home: &Path) {
    let begin = std::time::Instant::now();
    while begin.elapsed() < std::time::Duration::from_secs(10) {
        let mut left = of_home(home);
        if left.is_empty() {
            return;
        }
        // A guardian has a daemon as its child.
        let parents: Vec<i32> = left.iter().filter_map(|pid| parent(*pid)).collect();
        left.sort_by_key(|pid| !parents.contains(pid));
        for pid in left {
            signal(pid, Signal::SIGKILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    crate::skipped(&format!("ending all of {}: some are left: {:?}", home.display(), of_home(home)));
}
