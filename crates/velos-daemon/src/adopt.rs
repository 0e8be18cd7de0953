//! Taking over from a daemon that is gone: the table, and every process in it that is alive.

use std::collections::BTreeMap;

use velos_core::event::{DaemonStart, What};
use velos_core::instance::{Exit, InstanceId, Phase, ProcessIdentity, Token};
use velos_supervisor::{Effects, Input, State, Supervisor};

use crate::control::{Control, now};
use crate::processes::{self, Found};
use crate::recover;
use crate::state_file::{self, Saved};

impl Control {
    /// Read the table and adopt what it names. Without a table there is nothing to adopt.
    pub(crate) fn restore(&mut self) {
        let (mut saved, mut complaints) = self.find_state();
        if saved.is_none() && !complaints.is_empty() {
            saved = self.recover(&mut complaints);
        }
        if self.home.is_owned {
            // After a boot nothing of it runs, and nobody asked for it now.
            saved = saved.filter(|saved| saved.boot_id == self.identity.boot_id);
        }
        for complaint in complaints {
            self.log.line(&format!("state: {complaint}"));
            self.note(None, What::Note { text: format!("state: {complaint}") });
        }
        let mut adopted = 0;
        if let Some(saved) = saved {
            self.settle_cgroups();
            let same_boot = saved.boot_id == self.identity.boot_id;
            let mut state = saved.state;
            // What the file says is older than what is known from here on: processes that were found, a table that was handed
            // over, a daemon that is not the last any more.
            self.mark_dirty();
            if !saved.is_last && same_boot && self.handover.how != DaemonStart::Upgrade {
                self.fill_gaps(&mut state);
            }
            let mut effects = Effects::new();
            self.supervisor = Supervisor::restore(state, now(), same_boot, &mut effects);
            let running = self.live_runs();
            // Also of what has ended: its last words may still be in the FIFO that the guardian kept.
            let all: Vec<InstanceId> = self.supervisor.instances().map(|instance| instance.id).collect();
            for id in all {
                let runs = running.iter().any(|(live, _, identity)| *live == id && identity.is_some());
                if self.supervisor.writes_as(id) == id && (runs || self.capture_is_inherited(id)) {
                    let leader = running.iter().find(|(live, ..)| *live == id);
                    self.find_fifos(id, leader.and_then(|(_, _, identity)| *identity));
                    self.open_capture(id, Vec::new());
                }
            }
            for effect in effects {
                self.perform(effect);
            }
            for (_, token, identity) in running {
                adopted += u32::from(self.adopt(token, identity));
            }
        }
        let how = match self.handover.how {
            DaemonStart::Cold if adopted > 0 => DaemonStart::Crash,
            how => how,
        };
        self.handover.how = how;
        self.watch.is_stale = true;
        self.handover.fifos.clear();
        self.cgroups.sweep();
        self.note(None, What::DaemonStarted { how, adopted });
    }

    /// There are tables and none can be read. They are kept, and what runs tells what there is.
    fn recover(&self, complaints: &mut Vec<String>) -> Option<Saved> {
        let path = self.home.state();
        for bad in [state_file::older(&path), path] {
            complaints.extend(recover::put_aside(&bad));
        }
        let (state, count) = recover::table(self.home.root(), now())?;
        complaints.push(format!(
            "{count} running processes are taken for what there was; how their apps are restarted and the like is lost: start them anew"
        ));
        Some(Saved { boot_id: self.identity.boot_id.clone(), state, is_last: false })
    }

    fn find_state(&mut self) -> (Option<Saved>, Vec<String>) {
        match self.handover.state.take() {
            Some(bytes) => match state_file::decode(&bytes) {
                Ok(saved) => (Some(saved), Vec::new()),
                Err(reason) => {
                    let loaded = state_file::load(&self.home.state());
                    (loaded.saved, vec![format!("handed over: {reason}; the file is used instead")])
                }
            },
            None => {
                let loaded = state_file::load(&self.home.state());
                (loaded.saved, loaded.complaints)
            }
        }
    }

    /// Processes that were started after the table was last written carry their run in their environment.
    fn fill_gaps(&mut self, state: &mut State) {
        let mut newest: BTreeMap<u32, Found> = BTreeMap::new();
        let mut strangers = Vec::new();
        for found in processes::find_runs(self.home.root()) {
            // After a reload the process of an instance carries the number of its stand-in.
            if state.has_run(Token(found.token)) {
                continue;
            }
            if !state.has_instance(InstanceId(found.instance)) {
                strangers.push(found);
                continue;
            }
            let known = newest.entry(found.instance).or_insert(found);
            // A later attempt wins; within one attempt the first process is the one that we started.
            if (found.token, std::cmp::Reverse(found.start_ticks))
                > (known.token, std::cmp::Reverse(known.start_ticks))
            {
                *known = found;
            }
        }
        for found in newest.values() {
            let identity = ProcessIdentity { pid: found.pid, start_ticks: found.start_ticks };
            state.patch_running(
                InstanceId(found.instance),
                Token(found.token),
                identity,
                crate::control::now(),
            );
        }
        for found in strangers {
            self.end_stranger(found);
        }
    }

    /// Started for an app that was never written down, so nobody was told that it runs: end it.
    fn end_stranger(&mut self, found: Found) {
        let text = format!("process {} belongs to an app that was not recorded; it is ended", found.pid);
        self.note(None, What::Note { text });
        if self.reactor.adopt(found.token, found.pid, found.start_ticks, None).is_ok() {
            // It may end by itself this instant.
            let _ = self.reactor.signal(found.token, nix::libc::SIGKILL, velos_ffi::Scope::Tree);
        }
    }

    /// Runs that the table believes alive, and attempts of which it knows only the token.
    fn live_runs(&self) -> Vec<(InstanceId, Token, Option<ProcessIdentity>)> {
        let believed = self
            .supervisor
            .instances()
            .filter(|instance| instance.identity.is_some() || matches!(instance.phase, Phase::Starting));
        believed.filter_map(|instance| Some((instance.id, instance.token?, instance.identity))).collect()
    }

    fn capture_is_inherited(&self, id: InstanceId) -> bool {
        self.capture_paths(id)
            .is_some_and(|paths| self.handover.fifos.contains_key(&format!("{}.out", paths.stem)))
    }

    /// When the guardian is gone as well, the FIFOs live on in the process alone.
    fn find_fifos(&mut self, id: InstanceId, identity: Option<ProcessIdentity>) {
        let Some((identity, paths)) = identity.zip(self.capture_paths(id)) else { return };
        let is_same = processes::start_ticks(identity.pid) == Some(identity.start_ticks);
        if self.capture_is_inherited(id) || !is_same {
            return;
        }
        let found = crate::pipes::of_session(identity.pid);
        for (suffix, fd) in ["in", "out", "err"].into_iter().zip(found) {
            if let Some(fd) = fd {
                self.handover.fifos.insert(format!("{}.{suffix}", paths.stem), fd);
            }
        }
    }

    fn adopt(&mut self, token: Token, identity: Option<ProcessIdentity>) -> bool {
        let Some(ProcessIdentity { pid, start_ticks }) = identity else {
            // The attempt left no process behind.
            self.inputs.push(Input::Exited { token, exit: Exit::Unknown, leftovers: false, used: None });
            return false;
        };
        let capture = self
            .supervisor
            .instance_by_token(token)
            .and_then(|id| self.captures.get(&self.supervisor.writes_as(id)))
            .map(|capture| capture.token);
        match self.reactor.adopt(token.0, pid, start_ticks, capture) {
            Ok(()) => {
                if let Some(id) = self.supervisor.instance_by_token(token) {
                    self.note_adopted_release(token, id);
                    self.open_ears_again(id, token);
                    self.open_passages_again(id, token);
                }
                self.inputs.push(Input::Adopted { token });
                true
            }
            Err(_) => {
                // A fresh run must not meet what this one left behind.
                self.cgroups.end(token);
                let exit = self.exit_in_the_gap(pid, start_ticks);
                self.inputs.push(Input::Exited { token, exit, leftovers: false, used: None });
                false
            }
        }
    }
}
