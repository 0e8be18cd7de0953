//! The way out: who asks the daemon to end, with which exit code, and what it still does when all is stopped.

use velos_core::event::{Event, What};
use velos_core::instance::{Exit, Phase};

use crate::control::Control;
use crate::link::{self, Packet};

/// With what the daemon leaves after a critical app did.
fn code_after(exit: Option<Exit>) -> i32 {
    match exit {
        Some(Exit::Code(code)) => code,
        // As shells tell of a signal.
        Some(Exit::Signal(number)) => 128 + number,
        Some(Exit::Unknown) | None => 1,
    }
}

impl Control {
    pub(crate) fn shutdown_by_signal(&mut self, number: i32) {
        self.shut_down(&velos_core::signal::Signal(number).to_string());
    }

    /// In the foreground the end of a critical app is the end of all, with its exit code.
    pub(crate) fn end_with_critical(&mut self, event: &Event) {
        let (What::Transition { from, to, .. }, Some(id)) = (&event.what, event.instance) else { return };
        let rests = matches!(to, Phase::Stopped | Phase::Errored);
        let Some((instance, app)) = self.supervisor.instance(id).zip(self.supervisor.app_of(id)) else {
            return;
        };
        let by_itself = !instance.stopped_by_command && from != to;
        if !(self.home.is_foreground && rests && app.spec.critical && by_itself) {
            return;
        }
        self.exit_code = code_after(instance.exit);
        let text = format!("it is critical and ended, so all ends with code {}", self.exit_code);
        self.note(Some(id), What::Note { text });
        self.shutdown_by_signal(nix::libc::SIGTERM);
    }

    /// All is stopped: the last words and the way out. Returns the exit code.
    pub(crate) fn leave(mut self) -> i32 {
        // Past all that waits: none of it matters any more. An exit code of 0 says the same to a guardian that has no room.
        let _ = link::send(&self.handover.link, &Packet::Orderly, &[]);
        if self.has_nothing_to_keep() {
            self.forget_table();
        } else {
            self.save_last();
        }
        self.send_all_held();
        self.log.line("daemon ends");
        // The socket goes first, so that who comes now starts a new daemon instead of waiting for us.
        if let Err(error) = std::fs::remove_file(self.home.socket()) {
            self.log.line(&format!("cannot remove the socket: {error}"));
        }
        self.log.flush(&mut self.reactor);
        self.cgroups.leave();
        // Writes what is queued, then hangs up.
        drop(self.reactor);
        self.exit_code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_end_as_the_critical_app_did() {
        assert_eq!(code_after(Some(Exit::Code(0))), 0);
        assert_eq!(code_after(Some(Exit::Code(7))), 7);
        assert_eq!(code_after(Some(Exit::Signal(9))), 137);
        assert_eq!(code_after(Some(Exit::Unknown)), 1);
        assert_eq!(code_after(None), 1);
    }
}
