//! The cgroups (v2) that a daemon in a test makes: where they are, what is in them, and that none is left.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use velos_core::cgroup::folder_of;

/// Where a daemon that we start has its cgroups; `None` where it may make none.
pub fn of_home(home: &Path) -> Option<PathBuf> {
    let own = own()?;
    let probe = own.join(format!("velos-probe-{}", std::process::id()));
    std::fs::create_dir(&probe).or_else(ignore_existing).ok()?;
    // Another test may be asking the same at this moment.
    let _ = std::fs::remove_dir(&probe);
    Some(own.join(folder_of(home)))
}

fn ignore_existing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
}

fn own() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(line.split(' ').nth(4)?).join(path))
}

/// One folder for each run that has or had one.
pub fn runs(home: &Path) -> Vec<PathBuf> {
    let entries = of_home(home).and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Those of them that hold something alive; some are made ahead for runs to come.
pub fn in_use(home: &Path) -> Vec<PathBuf> {
    let holds = |run: &PathBuf| {
        std::fs::read_to_string(run.join("cgroup.events")).is_ok_and(|text| text.contains("populated 1"))
    };
    runs(home).into_iter().filter(holds).collect()
}

/// The cgroup (v2) that a process is in.
pub fn of_process(pid: i32) -> String {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned()
}

/// End what is left in those of a home, and remove them.
pub fn end_all_of(home: &Path) {
    let Some(folder) = own().map(|own| own.join(folder_of(home))).filter(|folder| folder.exists()) else {
        return;
    };
    let begin = Instant::now();
    while folder.exists() && begin.elapsed() < Duration::from_secs(5) {
        for run in runs(home) {
            // What is not there needs no end.
            let _ = std::fs::write(run.join("cgroup.kill"), "1");
            let _ = std::fs::remove_dir(run);
        }
        // Only once all in it are gone.
        let _ = std::fs::remove_dir(&folder);
        std::thread::sleep(Duration::from_millis(1));
    }
}
