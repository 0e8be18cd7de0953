//! What the supervisor wants done, done.

use velos_core::event::{Event, What};
use velos_core::instance::{InstanceId, Phase, Token};
use velos_core::signal::Signal;
use velos_supervisor::{Effect, Input, Scope};

use crate::control::Control;

impl Control {
    pub(crate) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { token, instance } => self.spawn_when_captured(token, instance),
            Effect::Adopt { token, instance } => self.adopt_running(token, instance),
            Effect::Signal { token, signal, scope } if self.hold_signal(token, signal, scope) => {}
            Effect::Signal { token, signal, scope } => self.send_signal(token, signal, scope),
            Effect::WatchTree { token } => {
                if self.reactor.tree_watch(token.0).is_err() {
                    self.inputs.push(Input::TreeEmpty { token });
                }
            }
            Effect::ForgetProcess { token } => {
                self.close_ears(token);
                self.close_passages(token);
                // Already unknown is what we want.
                let _ = self.reactor.process_forget(token.0);
            }
            Effect::ForgetInstance { instance } => self.forget_instance(instance),
            Effect::Reply { ticket, outcomes, refused } => self.reply_outcomes(ticket, outcomes, refused),
            Effect::Record(event) => self.record(&event),
            Effect::Persist => self.mark_dirty(),
            Effect::Shutdown => self.shutdown = true,
        }
    }

    pub(crate) fn send_signal(&mut self, token: Token, signal: Signal, scope: Scope) {
        if self.is_asked_by_message(token, signal) {
            return;
        }
        let scope = match scope {
            Scope::Process => velos_ffi::Scope::Process,
            Scope::Tree => velos_ffi::Scope::Tree,
        };
        // Nobody left to signal: the exit is on its way, or TreeEmpty tells.
        if let Err(errno) = self.reactor.signal(token.0, signal.0, scope) {
            self.log.debug(&format!("signal {signal} to run {}: {errno}", token.0));
        }
    }

    /// The app wants to be asked over its channel, and was.
    fn is_asked_by_message(&mut self, token: Token, signal: Signal) -> bool {
        let Some(id) = self.supervisor.instance_by_token(token) else { return false };
        let is_polite = self.supervisor.app_of(id).is_some_and(|app| {
            app.spec.stop.with_message
                && app.spec.stop.kill_signal == signal
                && signal.0 != nix::libc::SIGKILL
        });
        let is_stopping =
            self.supervisor.instance(id).is_some_and(|instance| instance.phase == Phase::Stopping);
        is_polite && is_stopping && self.say_shutdown(token)
    }

    fn forget_instance(&mut self, instance: InstanceId) {
        self.usage.forget(instance);
        self.last_look(instance);
        self.close_capture(instance);
    }

    fn record(&mut self, event: &Event) {
        self.pid_file_follows(event);
        self.log.event(event);
        if let (What::Added, Some(id)) = (&event.what, event.instance) {
            self.widen_subscriptions(id);
        }
        self.broadcast(event);
        self.hooks_of_event(event);
        self.end_with_critical(event);
    }
}
