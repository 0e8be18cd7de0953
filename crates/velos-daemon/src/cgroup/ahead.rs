//! Cgroups are looked for and made while nobody waits for them: a little after a start, for the next.

use velos_core::event::What;
use velos_core::instance::{InstanceId, Token};

use super::Cgroups;
use crate::control::Control;

/// The first are made so long after the daemon's start, ns: by then its first client has its answer.
const FIRST_NS: u64 = 20_000_000;
/// And so long after a run took one, ns: long enough for who asked to have the answer.
const AFTER_RUN_NS: u64 = 5_000_000;

/// When to make some ahead.
#[derive(Debug)]
pub(crate) struct Ahead {
    at_ns: Option<u64>,
}

impl Ahead {
    pub(crate) fn after_start_of_daemon(now_ns: u64) -> Self {
        Self { at_ns: Some(now_ns + FIRST_NS) }
    }

    /// A run takes one of those that were made.
    fn taken(&mut self, now_ns: u64) {
        self.at_ns.get_or_insert(now_ns + AFTER_RUN_NS);
    }

    fn is_due(&mut self, now_ns: u64) -> bool {
        self.at_ns.take_if(|at_ns| *at_ns <= now_ns).is_some()
    }

    /// When to look again, ns.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.at_ns
    }
}

impl Control {
    /// Look where cgroups can be made, before the first is needed.
    pub(crate) fn settle_cgroups(&mut self) {
        if self.cgroups.is_settled() {
            return;
        }
        self.cgroups = Cgroups::find(self.home.root(), &self.daemon_and_guardian());
        self.show_cgroups_to_core();
    }

    /// Whether a run that is about to start gets a cgroup, which then has its limits.
    ///
    /// # Errors
    /// It needs one and cannot have it.
    pub(crate) fn place_run(&mut self, token: Token, id: InstanceId) -> std::io::Result<bool> {
        self.settle_cgroups();
        let ours = self.daemon_and_guardian();
        let Some(app) = self.supervisor.app_of(id) else { return Ok(false) };
        let own_cgroup = self.cgroups.for_run(token, &app.spec, &ours)?;
        self.show_cgroups_to_core();
        if own_cgroup {
            self.ahead.taken(velos_ffi::now_ns());
        }
        Ok(own_cgroup)
    }

    /// A run has started: its limits hold, or it is said that they do not.
    pub(crate) fn check_limits_hold(&mut self, token: Token, id: InstanceId) {
        let is_limited = self.supervisor.app_of(id).is_some_and(|app| app.spec.limits.need_cgroup());
        if is_limited && !self.cgroups.has(token) {
            let text = "its limits do not hold: it could not be put into its cgroup".to_owned();
            self.note(Some(id), What::Note { text });
        }
    }

    /// The next start will find its cgroup.
    pub(crate) fn make_spares_if_due(&mut self) {
        if self.ahead.is_due(velos_ffi::now_ns()) {
            self.settle_cgroups();
            self.cgroups.make_spares(self.supervisor.next_run());
        }
    }

    fn show_cgroups_to_core(&mut self) {
        if let Some(folder) = self.cgroups.take_descriptor() {
            // Where there are none, apps run without; that limits do not hold is told when a run has started.
            let _ = self.reactor.cgroups(folder);
        }
    }

    fn daemon_and_guardian(&self) -> [i32; 2] {
        [std::process::id().cast_signed(), self.handover.guardian_pid]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_made_once_after_the_start_and_after_each_row_of_runs() {
        let mut ahead = Ahead::after_start_of_daemon(0);
        assert!(!ahead.is_due(FIRST_NS - 1) && ahead.is_due(FIRST_NS) && !ahead.is_due(FIRST_NS));
        assert_eq!(ahead.deadline(), None);
        ahead.taken(100);
        ahead.taken(200);
        assert_eq!(ahead.deadline(), Some(100 + AFTER_RUN_NS), "the first of a row counts");
    }
}
