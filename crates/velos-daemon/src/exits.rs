//! How processes ended that are not children of this daemon: the guardian, their parent, collects and tells.
//!
//! An adopted process's end is seen by us, its exit code only by who reaps it. Both come on their own ways, so what the
//! guardian told is kept until somebody asks.

use std::collections::BTreeMap;

use velos_core::instance::{Exit, Token};

use crate::control::Control;
use crate::link::{self, Packet, Reaped, Received};

/// More than that the guardian tells of orphans that nobody asks about.
const KEPT_MAX: usize = 1024;
/// How often, a millisecond apart, we ask how a process ended that we came too late to adopt.
const GAP_LOOKS: u32 = 20;

/// What the guardian told and nobody has asked for, by pid.
#[derive(Debug, Default)]
pub(crate) struct Exits(BTreeMap<i32, Reaped>);

impl Exits {
    pub(crate) fn new(told: &[Reaped]) -> Self {
        Self(told.iter().map(|reaped| (reaped.pid, *reaped)).collect())
    }

    fn told(&mut self, reaped: Reaped) {
        while self.0.len() >= KEPT_MAX {
            self.0.pop_first();
        }
        self.0.insert(reaped.pid, reaped);
    }

    fn knows(&self, pid: i32) -> bool {
        self.0.contains_key(&pid)
    }

    /// Asked once: a pid comes again, with another time of start.
    fn take(&mut self, pid: i32, start_ticks: u64) -> Exit {
        let reaped = self.0.remove(&pid).filter(|reaped| reaped.start_ticks == start_ticks);
        reaped.map_or(Exit::Unknown, |reaped| reaped.exit)
    }
}

impl Control {
    /// An adopted process's exit may be known to the guardian only.
    pub(crate) fn known_exit(&mut self, token: Token, exit: Exit) -> Exit {
        let identity = self
            .supervisor
            .instance_by_token(token)
            .and_then(|id| self.supervisor.instance(id))
            .and_then(|instance| instance.identity);
        let Some(identity) = identity else { return exit };
        self.read_link();
        let told = self.exits.take(identity.pid, identity.start_ticks);
        if exit == Exit::Unknown { told } else { exit }
    }

    /// How a process ended that was gone before it could be adopted.
    pub(crate) fn exit_in_the_gap(&mut self, pid: i32, start_ticks: u64) -> Exit {
        // The guardian collects first and tells then; only at the start of a daemon do we wait for it.
        for _ in 0..GAP_LOOKS {
            self.read_link();
            if self.exits.knows(pid) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        self.exits.take(pid, start_ticks)
    }

    /// Take in what the guardian has told so far.
    pub(crate) fn read_link(&mut self) {
        loop {
            match link::receive(&self.handover.link) {
                Ok(Received::Packet(Packet::Reaped(reaped), _)) => self.exits.told(reaped),
                Ok(Received::Packet(..) | Received::Unknown) => {}
                // A guardian that is gone cannot be had back; the next command line call starts anew if we go too.
                Ok(Received::Empty | Received::Closed) | Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaped(pid: i32, code: i32) -> Reaped {
        Reaped { pid, start_ticks: 100, exit: Exit::Code(code) }
    }

    #[test]
    fn an_exit_is_told_once_and_only_of_the_same_process() {
        let mut exits = Exits::new(&[reaped(7, 3), reaped(8, 4)]);
        assert!(exits.knows(7));
        assert_eq!(exits.take(7, 100), Exit::Code(3));
        assert_eq!(exits.take(7, 100), Exit::Unknown);
        assert_eq!(exits.take(8, 101), Exit::Unknown, "a later process of the same pid");
        assert!(!exits.knows(8));
    }

    #[test]
    fn orphans_that_nobody_asks_about_have_a_bound() {
        let mut exits = Exits::default();
        (0..2 * KEPT_MAX as i32).for_each(|pid| exits.told(reaped(pid, 0)));
        assert_eq!(exits.0.len(), KEPT_MAX);
        assert!(exits.knows(2 * KEPT_MAX as i32 - 1), "the newest is there");
    }
}
