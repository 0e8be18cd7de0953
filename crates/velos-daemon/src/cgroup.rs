//! Limits that only a cgroup (v2) can give: memory, CPU and processes of an instance with all it starts.
//!
//! The daemon makes a cgroup `velos` inside its own and in it one for each instance that has such a limit. The process is
//! put there right after its start, so what it starts in its first microseconds is outside.

use std::io;
use std::path::{Path, PathBuf};

use velos_core::app::Limits;

/// Length of a period of `cpu.max`, microseconds; the standard of the kernel.
const PERIOD_US: u64 = 100_000;

/// The cgroup of this process, if there is a hierarchy of version 2.
pub(crate) fn own() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    place(&mounts, &groups)
}

/// See proc_pid_mountinfo(5) and cgroups(7).
fn place(mounts: &str, groups: &str) -> Option<PathBuf> {
    let mount = mounts.lines().find_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        let point = front.split(' ').nth(4)?;
        back.starts_with("cgroup2 ").then_some(point)
    })?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(mount).join(path))
}

/// Why these limits cannot be given here, if they cannot.
pub(crate) fn refusal(own: Option<&Path>, limits: &Limits) -> Option<String> {
    let Some(own) = own else { return Some("this machine has no cgroup v2".to_owned()) };
    let available = std::fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
    let has = |name: &str| available.split_whitespace().any(|one| one == name);
    let missing: Vec<&str> = controllers(limits).into_iter().filter(|name| !has(name)).collect();
    match &missing[..] {
        [] => None,
        [one] => Some(format!("the cgroup controller {one} is not given to this daemon")),
        several => {
            Some(format!("the cgroup controllers {} are not given to this daemon", several.join(", ")))
        }
    }
}

fn controllers(limits: &Limits) -> Vec<&'static str> {
    let memory = limits.memory_max_bytes.is_some() || limits.memory_high_bytes.is_some();
    let wanted =
        [("memory", memory), ("cpu", limits.cpu_max_percent.is_some()), ("pids", limits.pids_max.is_some())];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect()
}

/// Make the cgroup of an instance, with its limits. `ours` are processes that may be moved out of the way: a cgroup
/// that gives controllers on must be empty.
pub(crate) fn prepare(own: &Path, stem: &str, limits: &Limits, ours: &[i32]) -> io::Result<PathBuf> {
    let parent = own.join("velos");
    make(&parent)?;
    let wanted: Vec<String> = controllers(limits).iter().map(|name| format!("+{name}")).collect();
    let wanted = wanted.join(" ");
    if give(own, &wanted).is_err() {
        let aside = own.join("velos-daemon");
        make(&aside)?;
        for pid in ours {
            write(&aside, "cgroup.procs", &pid.to_string())?;
        }
        give(own, &wanted)?;
    }
    give(&parent, &wanted)?;
    let folder = folder(own, stem);
    make(&folder)?;
    let bytes = |value: Option<u64>| value.map_or("max".to_owned(), |bytes| bytes.to_string());
    if controllers(limits).contains(&"memory") {
        write(&folder, "memory.max", &bytes(limits.memory_max_bytes))?;
        write(&folder, "memory.high", &bytes(limits.memory_high_bytes))?;
    }
    if let Some(percent) = limits.cpu_max_percent {
        write(&folder, "cpu.max", &format!("{} {PERIOD_US}", u64::from(percent) * PERIOD_US / 100))?;
    }
    if let Some(most) = limits.pids_max {
        write(&folder, "pids.max", &most.to_string())?;
    }
    Ok(folder)
}

/// Where the cgroup of an instance is.
pub(crate) fn folder(own: &Path, stem: &str) -> PathBuf {
    own.join("velos").join(stem)
}

/// Put a process there; what it starts from now on is there too.
pub(crate) fn enter(folder: &Path, pid: i32) -> io::Result<()> {
    write(folder, "cgroup.procs", &pid.to_string())
}

/// The instance is gone. One that still holds a process stays.
pub(crate) fn remove(folder: &Path) {
    let _ = std::fs::remove_dir(folder);
}

fn give(folder: &Path, controllers: &str) -> io::Result<()> {
    write(folder, "cgroup.subtree_control", controllers)
}

fn make(folder: &Path) -> io::Result<()> {
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn write(folder: &Path, file: &str, text: &str) -> io::Result<()> {
    std::fs::write(folder.join(file), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_our_own_is() {
        let mounts = "25 20 0:22 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      26 20 0:23 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw\n";
        let groups = "4:memory:/x\n0::/system.slice/velos.service\n";
        assert_eq!(place(mounts, groups), Some("/sys/fs/cgroup/unified/system.slice/velos.service".into()));
        assert_eq!(place(mounts, "4:memory:/x\n"), None);
        assert_eq!(place("", groups), None);
    }

    #[test]
    fn limits_as_the_kernel_wants_them() {
        let own = std::env::temp_dir().join(format!("velos-cgroup-{}", std::process::id()));
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("cgroup.controllers"), "cpu pids\n").unwrap();
        let mut limits = Limits { cpu_max_percent: Some(150), pids_max: Some(20), ..Limits::default() };
        assert_eq!(refusal(Some(&own), &limits), None);
        let folder = prepare(&own, "api-0", &limits, &[]).unwrap();
        enter(&folder, 77).unwrap();
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(
            (read("cpu.max"), read("pids.max"), read("cgroup.procs")),
            ("150000 100000".into(), "20".into(), "77".into())
        );
        assert_eq!(std::fs::read_to_string(own.join("velos/cgroup.subtree_control")).unwrap(), "+cpu +pids");
        assert!(!folder.join("memory.max").exists());
        limits.memory_max_bytes = Some(5);
        assert!(refusal(Some(&own), &limits).unwrap().contains("controller memory is not given"));
        assert!(refusal(None, &limits).unwrap().contains("no cgroup v2"));
        std::fs::remove_dir_all(own).unwrap();
    }
}
