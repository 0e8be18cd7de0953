//! A cgroup (v2) for each run, where the daemon may make some: nothing that an app starts gets out of it, whatever it does
//! to its parents, its session and its environment. Also what gives limits to an instance with all that it starts.
//!
//! The daemon makes one folder for its home inside its own cgroup, and in it one for each run, named by the run's number.
//! Processes are started in theirs, signalled and counted there by the core; here is decided where they are, what their
//! limits are, and what of former daemons is swept away.

mod ahead;
mod limits;
mod place;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use velos_core::app::AppSpec;
use velos_core::cgroup::folder_of;
use velos_core::instance::Token;

pub(crate) use ahead::Ahead;
use limits::prepare;
pub(crate) use limits::refusal;
pub(crate) use place::is_inside_an_app;
use place::{ASIDE, current, is_given, outside};

/// So many are made ahead.
const SPARES: u64 = 4;
/// In the environment of the daemon: 0 keeps apps without limits out of cgroups, 1 gives each of them one wherever it can.
const SWITCH: &str = "VELOS_CGROUPS";

/// Where this daemon makes cgroups.
#[derive(Debug, Default)]
pub(crate) struct Cgroups {
    /// That of the daemon, where it has one.
    own: Option<PathBuf>,
    /// What our folder in it is called.
    name: String,
    /// That folder; `None`: it is not made yet, or may not be.
    base: Option<PathBuf>,
    /// The core does not know it yet.
    is_news: bool,
    /// Every run gets one, not only those with limits.
    for_all: bool,
    /// Made ahead, for runs to come.
    spares: BTreeSet<Token>,
    /// It was looked where we are.
    is_settled: bool,
}

impl Cgroups {
    /// Look where we are, and make our folder there. `ours`: this process and its guardian.
    pub(crate) fn find(home: &Path, ours: &[i32]) -> Self {
        let nowhere = Self { is_settled: true, ..Self::default() };
        let Some(here) = current() else { return nowhere };
        let own = outside(&here);
        if is_inside_an_app() {
            // Its end must not be ours.
            if move_all(&own, ours).is_err()
                && make(&own.join(ASIDE)).and_then(|()| move_all(&own.join(ASIDE), ours)).is_err()
            {
                return nowhere;
            }
        }
        let name = folder_of(home);
        let base = own.join(&name);
        let wanted = match std::env::var_os(SWITCH) {
            Some(value) => value != "0",
            None => is_given(&own),
        };
        // One that is there may hold runs of a daemon before us.
        let is_there = if wanted { make(&base).is_ok() } else { base.is_dir() };
        let base = Some(base).filter(|_| is_there);
        Self { own: Some(own), name, for_all: wanted && is_there, is_news: is_there, base, ..nowhere }
    }

    /// Whether it is known where they are.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Make those of the next runs while nobody waits for them, and remove those that were not taken.
    pub(crate) fn make_spares(&mut self, next: Token) {
        let Some(base) = self.base.as_ref().filter(|_| self.for_all) else { return };
        let wanted: BTreeSet<Token> = (0..SPARES).map(|ahead| Token(next.0 + ahead)).collect();
        for stale in self.spares.difference(&wanted) {
            // One that is in use cannot be removed.
            let _ = std::fs::remove_dir(base.join(stale.0.to_string()));
        }
        // Where one cannot be made ahead it cannot be made later either.
        wanted.difference(&self.spares).for_each(|token| drop(make(&base.join(token.0.to_string()))));
        self.spares = wanted;
    }

    /// For the core, once when there is one.
    pub(crate) fn take_descriptor(&mut self) -> Option<OwnedFd> {
        std::mem::take(&mut self.is_news)
            .then(|| File::open(self.base.as_ref()?).ok().map(OwnedFd::from))
            .flatten()
    }

    /// Whether this run is to have one; with its limits in it, if it has some.
    ///
    /// # Errors
    /// It needs one and cannot have it.
    pub(crate) fn for_run(&mut self, token: Token, spec: &AppSpec, ours: &[i32]) -> io::Result<bool> {
        if !spec.limits.need_cgroup() {
            // Who wants only the main process stopped wants the others to live.
            let wanted = self.for_all && spec.stop.treekill;
            if wanted {
                self.spares.remove(&token);
            }
            return Ok(wanted);
        }
        self.spares.remove(&token);
        let own = self.own.as_ref().ok_or(io::ErrorKind::NotFound)?;
        if self.base.is_none() {
            let base = own.join(&self.name);
            make(&base)?;
            (self.base, self.is_news) = (Some(base), true);
        }
        let base = self.base.as_ref().ok_or(io::ErrorKind::NotFound)?;
        prepare(own, base, token, &spec.limits, ours).map(|()| true)
    }

    /// Whether there is a cgroup of this run.
    pub(crate) fn has(&self, token: Token) -> bool {
        self.folder(token).is_some_and(|folder| folder.exists())
    }

    /// End what a run has left alive whose main process is gone and unknown to the core.
    pub(crate) fn end(&self, token: Token) {
        if let Some(folder) = self.folder(token) {
            // Without a cgroup there is nothing to end.
            let _ = write(&folder, "cgroup.kill", "1");
        }
    }

    /// Remove what former daemons left behind; what holds a process stays.
    pub(crate) fn sweep(&self) {
        let Some(entries) = self.base.as_ref().and_then(|base| std::fs::read_dir(base).ok()) else { return };
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            // A folder that is in use cannot be removed.
            let _ = std::fs::remove_dir(entry.path());
        }
    }

    /// The daemon leaves and nothing of it runs: not even its folder is to stay.
    pub(crate) fn leave(&self) {
        self.sweep();
        if let Some(base) = &self.base {
            // Something may run on, as when apps outlive the daemon.
            let _ = std::fs::remove_dir(base);
        }
    }

    fn folder(&self, token: Token) -> Option<PathBuf> {
        Some(self.base.as_ref()?.join(token.0.to_string()))
    }
}

fn move_all(folder: &Path, pids: &[i32]) -> io::Result<()> {
    pids.iter().try_for_each(|pid| write(folder, "cgroup.procs", &pid.to_string()))
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
    use velos_core::app::Limits;
    use velos_core::name::AppName;

    use crate::cgroup::limits::refusal_in;

    #[test]
    fn limits_as_the_kernel_wants_them() {
        let own = std::env::temp_dir().join(format!("velos-cgroup-{}", std::process::id()));
        let base = own.join("velos-0123456789abcdef");
        std::fs::create_dir_all(&base).unwrap();
        std::fs::write(own.join("cgroup.controllers"), "cpu pids\n").unwrap();
        let limits = Limits { cpu_max_percent: Some(150), pids_max: Some(20), ..Limits::default() };
        assert_eq!(refusal_in(Some(&own), &limits), None);
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        let mut cgroups =
            Cgroups { own: Some(own.clone()), base: Some(base.clone()), for_all: true, ..Cgroups::default() };
        let token = Token(77);
        assert!(cgroups.for_run(token, &spec, &[]).unwrap() && !cgroups.has(token));
        spec.stop.treekill = false;
        assert!(!cgroups.for_run(token, &spec, &[]).unwrap(), "its children are to live on");
        spec.limits = limits;
        assert!(cgroups.for_run(token, &spec, &[]).unwrap() && cgroups.has(token));
        let read = |file: &str| std::fs::read_to_string(base.join("77").join(file)).unwrap();
        assert_eq!((read("cpu.max"), read("pids.max")), ("150000 100000".into(), "20".into()));
        assert_eq!(std::fs::read_to_string(base.join("cgroup.subtree_control")).unwrap(), "+cpu +pids");
        assert!(!base.join("77/memory.max").exists());
        spec.limits.memory_max_bytes = Some(5);
        assert!(refusal_in(Some(&own), &spec.limits).unwrap().contains("controller memory is not given"));
        assert!(refusal_in(None, &spec.limits).unwrap().contains("no cgroup v2"));
        assert!(Cgroups::default().for_run(token, &spec, &[]).is_err());
        std::fs::remove_dir_all(own).unwrap();
    }

    #[test]
    fn those_of_runs_to_come_are_made_ahead() {
        let base = std::env::temp_dir().join(format!("velos-spares-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        let mut cgroups = Cgroups { base: Some(base.clone()), for_all: true, ..Cgroups::default() };
        let there = || (0..20).filter(|token| base.join(token.to_string()).exists()).collect::<Vec<u64>>();
        cgroups.make_spares(Token(7));
        assert_eq!(there(), [7, 8, 9, 10]);
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        assert!(cgroups.for_run(Token(7), &spec, &[]).unwrap());
        spec.stop.treekill = false;
        assert!(!cgroups.for_run(Token(8), &spec, &[]).unwrap());
        cgroups.make_spares(Token(9));
        assert_eq!(there(), [7, 9, 10, 11, 12], "7 is a run's, 8 was not wanted");
        cgroups.for_all = false;
        cgroups.make_spares(Token(30));
        assert_eq!(there().len(), 5);
        std::fs::remove_dir_all(base).unwrap();
    }
}
