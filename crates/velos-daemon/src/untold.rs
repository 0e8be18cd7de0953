//! Words to the guardian that it has no room for at this moment: told later, in order, with duplicates of their descriptors.
//! A guardian that is held up for a while must not miss a FIFO that it is there to keep.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use crate::control::Control;
use crate::link::{self, Packet};

/// How soon we try again, ns.
const PAUSE_NS: u64 = 20_000_000;
/// More than that the apps that are possible have not to tell.
const PACKETS_MAX: usize = 16 * 1024;

/// In order.
#[derive(Debug, Default)]
pub(crate) struct Untold {
    packets: VecDeque<(Packet, Vec<OwnedFd>)>,
    again_ns: Option<u64>,
}

impl Untold {
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.again_ns
    }
}

impl Control {
    pub(crate) fn tell_guardian(&mut self, packet: &Packet, fds: &[RawFd]) {
        if self.untold.packets.is_empty() {
            match link::send(&self.handover.link, packet, fds) {
                Err(Errno::EAGAIN) => {}
                // A guardian that is gone cannot be had back; see `read_link`.
                Ok(()) | Err(_) => return,
            }
        }
        if self.untold.packets.len() >= PACKETS_MAX {
            return self.log.line("the guardian does not listen; a word to it is dropped");
        }
        let copies: std::io::Result<Vec<OwnedFd>> =
            fds.iter().map(|fd| velos_ffi::process::duplicate(*fd)).collect();
        match copies {
            Ok(copies) => {
                self.untold.packets.push_back((packet.clone(), copies));
                self.untold.again_ns.get_or_insert(velos_ffi::now_ns() + PAUSE_NS);
            }
            Err(error) => self.log.line(&format!("the guardian cannot be given a descriptor: {error}")),
        }
    }

    /// Try again what waits, if it is time.
    pub(crate) fn tell_guardian_again(&mut self) {
        if self.untold.again_ns.is_none_or(|at| at > velos_ffi::now_ns()) {
            return;
        }
        while let Some((packet, fds)) = self.untold.packets.front() {
            let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
            match link::send(&self.handover.link, packet, &numbers) {
                Err(Errno::EAGAIN) => break,
                Ok(()) | Err(_) => drop(self.untold.packets.pop_front()),
            }
        }
        let waits = !self.untold.packets.is_empty();
        self.untold.again_ns = waits.then(|| velos_ffi::now_ns() + PAUSE_NS);
    }
}
