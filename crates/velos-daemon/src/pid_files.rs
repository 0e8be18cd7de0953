//! Pid files, for programs that look there. They come after the programs themselves: while more are about to start, the
//! writer thread has their logs to open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use velos_core::event::{Cause, Event, What};
use velos_core::instance::{InstanceId, Phase};

use crate::control::Control;

/// Longest time that one waits for others to start, ns.
const PATIENCE_NS: u64 = 100_000_000;

/// Those that are still to be written.
#[derive(Debug, Default)]
pub(crate) struct PidFiles {
    waiting: BTreeMap<PathBuf, i32>,
    until_ns: Option<u64>,
}

impl PidFiles {
    fn want(&mut self, path: PathBuf, pid: i32, now_ns: u64) {
        self.waiting.insert(path, pid);
        self.until_ns.get_or_insert(now_ns + PATIENCE_NS);
    }

    /// What is to be written now; while others start, only once that has lasted long enough.
    fn due(&mut self, others_start: bool, now_ns: u64) -> BTreeMap<PathBuf, i32> {
        if self.until_ns.is_none_or(|until_ns| others_start && now_ns < until_ns) {
            return BTreeMap::new();
        }
        self.until_ns = None;
        std::mem::take(&mut self.waiting)
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        self.until_ns
    }
}

impl Control {
    /// A run that ends takes its file along; after a reload the instance has the pid of another.
    pub(crate) fn pid_file_follows(&mut self, event: &Event) {
        let (What::Transition { to, cause, pid, .. }, Some(id)) = (&event.what, event.instance) else {
            return;
        };
        let rests = matches!(to, Phase::Stopped | Phase::Errored);
        if rests
            && self.supervisor.instance(id).is_some_and(|one| one.stands_in_for.is_none())
            && let Some(path) = self.pid_file(id)
        {
            self.remove_pid_file(&path);
        }
        if let (Cause::Reloaded, Some(pid)) = (cause, pid) {
            self.want_pid_file(id, *pid);
        }
    }

    pub(crate) fn want_pid_file(&mut self, id: InstanceId, pid: i32) {
        let Some(path) = self.pid_file(id) else { return };
        self.pid_files.want(path, pid, velos_ffi::now_ns());
    }

    /// Write what is wanted, before the table is saved and so before who asked is answered.
    pub(crate) fn write_pid_files(&mut self) {
        if self.pid_files.until_ns.is_none() {
            return;
        }
        let others_start = self.captures.values().any(|capture| capture.waiting.is_some());
        for (path, pid) in self.pid_files.due(others_start, velos_ffi::now_ns()) {
            let text = format!("{pid}\n");
            let _ = self.reactor.file_put(0, &path, text.as_bytes(), velos_ffi::FileFlags::PLAIN);
        }
    }

    pub(crate) fn remove_pid_file(&mut self, path: &Path) {
        // One that stays behind names a dead process; the table is the truth.
        self.pid_files.waiting.remove(path);
        let _ = self.reactor.file_remove(path);
    }

    /// Where the pid of an instance stands.
    pub(crate) fn pid_file(&self, id: InstanceId) -> Option<PathBuf> {
        let (instance, app) = self.supervisor.instance(id).zip(self.supervisor.app_of(id))?;
        let Some(given) = &app.spec.pid_file else {
            return Some(self.home.pids().join(format!("{}-{}.pid", app.spec.name.file_stem(), id.0)));
        };
        // Further instances must not overwrite the first one's.
        let mut path = given.as_path().as_os_str().to_owned();
        if instance.slot > 0 {
            path.push(format!(".{}", instance.slot));
        }
        Some(path.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_wait_for_others_to_start_but_not_for_ever() {
        let mut files = PidFiles::default();
        assert!(files.due(false, 0).is_empty());
        files.want("/a.pid".into(), 1, 0);
        files.want("/b.pid".into(), 2, 50);
        files.want("/a.pid".into(), 3, 60);
        assert!(files.due(true, PATIENCE_NS - 1).is_empty());
        assert_eq!(files.deadline(), Some(PATIENCE_NS), "the first one's patience");
        let due = files.due(true, PATIENCE_NS);
        assert_eq!(due, BTreeMap::from([("/a.pid".into(), 3), ("/b.pid".into(), 2)]));
        assert_eq!(files.deadline(), None);
        files.want("/a.pid".into(), 4, PATIENCE_NS);
        assert_eq!(files.due(false, PATIENCE_NS).len(), 1, "at once when nothing else starts");
    }
}
