//! A daemon that belongs to a command, as under `velos start --no-daemon`: the command holds a pipe to our standard input
//! and writes nothing. However it ends, the kernel closes the pipe, and we stop all and leave.

use std::io::Read;
use std::os::fd::AsRawFd;

use velos_supervisor::{Command, Input};

use crate::control::Control;
use crate::state_file;

/// Among watched descriptors.
pub(crate) const TAG: u32 = 3;

impl Control {
    /// A pipe that is closed already tells so at once, so a daemon after a crash learns of it too.
    pub(crate) fn watch_owner(&mut self) -> Result<(), String> {
        if !self.home.is_owned {
            return Ok(());
        }
        let watched = self.reactor.fd_watch(std::io::stdin().as_raw_fd(), TAG);
        watched.map_err(|errno| format!("standard input is no pipe of whom it should end with: {errno}"))
    }

    /// There is something to read, or nobody left to write.
    pub(crate) fn owner_may_be_gone(&mut self) {
        match std::io::stdin().read(&mut [0; 64]) {
            Ok(count) if count > 0 => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            _ => {
                self.reactor.fd_forget(std::io::stdin().as_raw_fd());
                self.shut_down("the end of the command that started it");
            }
        }
    }

    /// Stop all. In the foreground somebody waits, and who asks again does not want to wait any longer.
    pub(crate) fn shut_down(&mut self, by: &str) {
        let ticket = self.clients.internal_ticket();
        let command = if self.home.is_foreground && self.supervisor.is_shutting_down() {
            Command::Hurry
        } else {
            Command::Shutdown { forget: self.home.is_owned }
        };
        self.inputs.push(Input::Command { ticket, by: by.to_owned(), command });
    }

    /// Of a list that nobody will ask for again, and that is empty.
    pub(crate) fn has_nothing_to_keep(&self) -> bool {
        self.home.is_owned && self.supervisor.instances().next().is_none()
    }

    /// With what its writer kept beside it.
    pub(crate) fn forget_table(&mut self) {
        for path in state_file::all_of(&self.home.state()) {
            if let Err(errno) = self.reactor.file_remove(&path) {
                self.log.line(&format!("cannot remove {}: {errno}", path.display()));
            }
        }
    }
}
