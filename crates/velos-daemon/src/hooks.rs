//! Commands around the life of an instance: a start waits for its `pre_start`, the others run beside.

use std::collections::BTreeMap;

use velos_core::app::Hook;
use velos_core::event::{Cause, Event, What};
use velos_core::instance::{Exit, Goal, InstanceId, Phase, SpawnFailure, SpawnStage, Token};
use velos_core::signal::Signal;
use velos_ffi::SpawnSpec;
use velos_supervisor::{Input, Scope};

use crate::control::Control;
use crate::environment::environment;
use crate::rights;
use crate::tokens::Kind;

/// Hooks that run.
#[derive(Debug, Default)]
pub(crate) struct Running(BTreeMap<u64, One>);

#[derive(Debug)]
struct One {
    moment: &'static str,
    instance: InstanceId,
    /// The start that waits for it.
    start: Option<Token>,
    deadline_ns: Option<u64>,
    timeout_ms: u64,
    called_off: bool,
    /// The polite signal that waits for it.
    signal: Option<(Token, Signal, Scope)>,
}

impl Running {
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.0.values().filter_map(|one| one.deadline_ns).min()
    }
}

/// Which hooks a change of phase calls for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Due {
    post_start: bool,
    on_crash: bool,
    post_stop: bool,
}

impl Due {
    fn of(from: Phase, to: Phase, cause: &Cause) -> Self {
        let ran = matches!(from, Phase::Launching | Phase::Online);
        let rests = matches!(to, Phase::Stopped | Phase::Errored);
        Self {
            post_start: from == Phase::Launching && to == Phase::Online,
            on_crash: ran && matches!(cause, Cause::Exited { .. }) && to != Phase::Stopped,
            post_stop: rests && (ran || from == Phase::Stopping),
        }
    }
}

impl Control {
    /// Run the `pre_start` hook if there is one: then the start goes on, or fails, when it has ended.
    pub(crate) fn hold_for_hook(&mut self, start: Token, id: InstanceId) -> bool {
        let called_off = self.supervisor.instance(id).is_none_or(|instance| instance.token != Some(start));
        let Some(app) = self.supervisor.app_of(id).filter(|_| !called_off) else { return false };
        let Some(hook) = app.spec.hooks.pre_start.clone() else { return false };
        if let Err(failure) = self.run_hook("pre_start", &hook, id, Some(start)) {
            self.inputs.push(Input::SpawnFailed { token: start, failure });
        }
        true
    }

    /// Run the `pre_stop` hook if there is one: the first signal of a stop follows when it has ended.
    pub(crate) fn hold_signal(&mut self, run: Token, signal: Signal, scope: Scope) -> bool {
        let id = self.supervisor.instance_by_token(run);
        let Some((id, known)) = id.and_then(|id| Some((id, self.supervisor.instance(id)?))) else {
            return false;
        };
        let is_first = known.phase == Phase::Stopping && known.kill_rounds == 0 && known.identity.is_some();
        let Some(app) = self.supervisor.app_of(id).filter(|_| is_first) else { return false };
        let Some(hook) = app.spec.hooks.pre_stop.clone() else { return false };
        if let Err(failure) = self.run_hook("pre_stop", &hook, id, None) {
            self.note(Some(id), What::Note { text: format!("the pre_stop hook: {failure}") });
            return false;
        }
        if let Some(mut newest) = self.hooks.0.last_entry() {
            newest.get_mut().signal = Some((run, signal, scope));
        }
        true
    }

    /// Run what a change of phase calls for.
    pub(crate) fn hooks_of_event(&mut self, event: &Event) {
        let (What::Transition { from, to, cause, .. }, Some(id)) = (&event.what, event.instance) else {
            return;
        };
        let Some(app) = self.supervisor.app_of(id) else { return };
        let hooks = app.spec.hooks.clone();
        let due = Due::of(*from, *to, cause);
        for (moment, hook, is_due) in [
            ("post_start", hooks.post_start, due.post_start),
            ("on_crash", hooks.on_crash, due.on_crash),
            ("post_stop", hooks.post_stop, due.post_stop),
        ] {
            let Some(hook) = hook.filter(|_| is_due) else { continue };
            if let Err(failure) = self.run_hook(moment, &hook, id, None) {
                self.note(Some(id), What::Note { text: format!("the {moment} hook: {failure}") });
            }
        }
    }

    fn run_hook(
        &mut self,
        moment: &'static str,
        hook: &Hook,
        id: InstanceId,
        start: Option<Token>,
    ) -> Result<(), SpawnFailure> {
        let token = Kind::Hook.token(self.fresh_request());
        let Some((instance, app)) = self.supervisor.instance(id).zip(self.supervisor.app_of(id)) else {
            return Ok(());
        };
        let run = instance.token.unwrap_or(Token(token));
        let mut variables = environment(&app.spec, run, id, instance.slot, self.home.root());
        // With an id it would be taken for a run of the app by a daemon that looks for those.
        variables.retain(|entry| !entry.starts_with(b"VELOS_ID=") && !entry.starts_with(b"VELOS_RUN="));
        variables.push([b"VELOS_HOOK=", moment.as_bytes()].concat());
        // The app's input is not for its hooks.
        let line = format!("exec </dev/null\n{}", hook.command);
        let spec = SpawnSpec {
            program: b"/bin/sh",
            argv: &[b"sh", b"-c", line.as_bytes()],
            env: &variables,
            cwd: Some(app.spec.cwd.as_bytes()),
            capture: self.captures.get(&self.supervisor.writes_as(id)).map_or(0, |capture| capture.token),
            rights: rights::of(&app.spec),
            channel: None,
            own_cgroup: false,
        };
        self.reactor.spawn(token, &spec).map_err(|error| SpawnFailure {
            stage: crate::spawning::stage(error.stage),
            errno: error.errno.0,
        })?;
        let timeout_ms = hook.timeout_ms;
        let deadline_ns = Some(velos_ffi::now_ns().saturating_add(timeout_ms.saturating_mul(1_000_000)));
        self.hooks.0.insert(
            token,
            One { moment, instance: id, start, deadline_ns, timeout_ms, called_off: false, signal: None },
        );
        Ok(())
    }

    pub(crate) fn hook_ended(&mut self, token: u64, exit: Exit) {
        if self.packing_ended(token) {
            return;
        }
        // Used up; what it left in the background is its own affair.
        let _ = self.reactor.process_forget(token);
        let Some(one) = self.hooks.0.remove(&token) else { return };
        if exit != Exit::Code(0) && !one.called_off {
            let text = match one.deadline_ns {
                Some(_) => format!("the {} hook failed: {exit}", one.moment),
                None => format!("the {} hook was killed after {} ms", one.moment, one.timeout_ms),
            };
            self.note(Some(one.instance), What::Note { text });
        }
        if let Some((run, signal, scope)) = one.signal {
            // It may have ended, or have been killed, while the hook ran.
            self.send_signal(run, signal, scope);
        }
        let Some(start) = one.start else { return };
        match status(exit) {
            0 => self.spawn(start, one.instance),
            errno => {
                let failure = SpawnFailure { stage: SpawnStage::Hook, errno };
                self.inputs.push(Input::SpawnFailed { token: start, failure });
            }
        }
    }

    /// Kill hooks that take too long, and those of a start that was called off.
    pub(crate) fn expire_hooks(&mut self) {
        let now_ns = velos_ffi::now_ns();
        for (token, one) in &mut self.hooks.0 {
            let instance = self.supervisor.instance(one.instance);
            let unwanted = one.start.is_some()
                && instance.is_none_or(|known| known.token != one.start || known.goal == Goal::Down);
            let late = one.deadline_ns.is_some_and(|at| at <= now_ns);
            if one.deadline_ns.is_some() && (unwanted || late) {
                one.deadline_ns = None;
                one.called_off = unwanted;
                // Gone already: its exit is on the way.
                let _ = self.reactor.signal(*token, nix::libc::SIGKILL, velos_ffi::Scope::Tree);
            }
        }
    }
}

/// As a shell tells it: the exit code, or 128 and the signal.
fn status(exit: Exit) -> i32 {
    match exit {
        Exit::Code(code) => code,
        Exit::Signal(number) => 128 + number,
        Exit::Unknown => 255,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_of_phase_calls_for_its_hooks() {
        let exited = Cause::Exited { exit: Exit::Code(1), uptime_ms: 5 };
        for (from, to, cause, expected) in [
            (Phase::Launching, Phase::Online, &Cause::Spawned, "post_start"),
            (Phase::Online, Phase::Backoff, &exited, "on_crash"),
            (Phase::Online, Phase::Errored, &exited, "on_crash post_stop"),
            (Phase::Online, Phase::Stopped, &exited, "post_stop"),
            (Phase::Stopping, Phase::Stopped, &Cause::TreeEmpty, "post_stop"),
            (Phase::Starting, Phase::Launching, &Cause::Spawned, ""),
            (Phase::Backoff, Phase::Errored, &exited, ""),
            (Phase::Online, Phase::Online, &Cause::Reloaded, ""),
        ] {
            let due = Due::of(from, to, cause);
            let all =
                [("post_start", due.post_start), ("on_crash", due.on_crash), ("post_stop", due.post_stop)];
            let names: Vec<&str> = all.into_iter().filter(|(_, due)| *due).map(|(name, _)| name).collect();
            assert_eq!(names.join(" "), expected, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn a_status_is_told_as_shells_do() {
        assert_eq!(status(Exit::Signal(9)), 137);
    }
}
