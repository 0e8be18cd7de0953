//! When the table is written: soon after a change, on stable storage a second later, and before the answers that follow
//! from it leave.
//!
//! [`Saving`] knows no clock and no file. It is told of changes and of writes, says which write is due, and keeps the
//! answers that wait for one. The methods of `Control` below do what it says.

use velos_core::event::What;
use velos_ffi::FileFlags;

use crate::control::Control;
use crate::held::{Answer, Held};
use crate::state_file::{self, Saved};

/// Pause between two writes of the table while it keeps changing, ns.
const PAUSE_NS: u64 = 20_000_000;
/// A change is on stable storage after this, and a write that failed is tried again, ns.
const DURABLE_AFTER_NS: u64 = 1_000_000_000;
/// Completion token of writes of the table.
pub(crate) const REQUEST: u64 = u64::MAX;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// For the next daemon on this machine as it runs: a crash of ours loses nothing.
    Soon,
    /// Through to the disk: a loss of power loses nothing either.
    Durable,
}

impl Write {
    fn flags(self) -> FileFlags {
        match self {
            Self::Soon => FileFlags::SPARE,
            Self::Durable => FileFlags::DURABLE_KEEP_OLDER,
        }
    }
}

/// What is known of the table on disk.
#[derive(Debug, Default)]
pub(crate) struct Saving {
    /// It differs from what was given to the writer last.
    dirty: bool,
    /// The writer has one in hand.
    writing: bool,
    not_before_ns: u64,
    durable_at_ns: Option<u64>,
    failing: bool,
    held: Held,
}

impl Saving {
    /// The table has changed.
    pub(crate) fn changed(&mut self, now_ns: u64) {
        self.dirty = true;
        self.durable_at_ns.get_or_insert(now_ns + DURABLE_AFTER_NS);
    }

    /// The write that is to begin now. One at a time; somebody who waits for it does not wait for the pause as well.
    pub(crate) fn due(&self, now_ns: u64) -> Option<Write> {
        if self.writing {
            return None;
        }
        if self.durable_at_ns.is_some_and(|at_ns| at_ns <= now_ns) {
            return Some(Write::Durable);
        }
        let is_time = self.not_before_ns <= now_ns || self.held.wants_write();
        (self.dirty && is_time).then_some(Write::Soon)
    }

    /// The writer was asked; whether it `took` the table.
    pub(crate) fn asked(&mut self, write: Write, took: bool, now_ns: u64) {
        self.dirty = !took;
        self.not_before_ns = now_ns + PAUSE_NS;
        if took {
            self.writing = true;
            self.held.write_begins();
            self.durable_at_ns.take_if(|_| write == Write::Durable);
        }
    }

    /// The writer has answered. Gives the answers that waited for it.
    pub(crate) fn ended(&mut self, is_well: bool, now_ns: u64) -> Vec<Answer> {
        self.writing = false;
        if !is_well {
            self.dirty = true;
            self.not_before_ns = now_ns + DURABLE_AFTER_NS;
            // What was to be on stable storage is owed still, a while after a write that works.
            self.durable_at_ns = Some(self.not_before_ns + DURABLE_AFTER_NS);
        }
        self.held.write_ended()
    }

    /// Whether it is news that writes fail, or that they do no longer.
    pub(crate) fn is_news(&mut self, failing: bool) -> bool {
        std::mem::replace(&mut self.failing, failing) != failing
    }

    /// Keep an answer until what it tells is written. Gives it back when it need not wait.
    pub(crate) fn hold(&mut self, answer: Answer, now_ns: u64) -> Option<Answer> {
        if self.failing || !(self.dirty || self.writing) {
            return Some(answer);
        }
        self.held.hold(answer, !self.dirty, now_ns);
        None
    }

    /// Answers that have waited long enough for a slow disk.
    pub(crate) fn overdue(&mut self, now_ns: u64) -> Vec<Answer> {
        self.held.overdue(now_ns)
    }

    /// All that wait, when nothing more is written.
    pub(crate) fn all_held(&mut self) -> Vec<Answer> {
        self.held.all()
    }

    /// When to look again, ns.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let write_ns = match self {
            Self { writing: true, .. } => None,
            Self { dirty: true, not_before_ns, .. } => Some(*not_before_ns),
            Self { durable_at_ns, .. } => *durable_at_ns,
        };
        write_ns.into_iter().chain(self.held.deadline()).min()
    }
}

impl Control {
    /// The table is another than on disk.
    pub(crate) fn mark_dirty(&mut self) {
        self.watch.is_stale = true;
        self.saving.changed(velos_ffi::now_ns());
    }

    /// The table as a later daemon reads it.
    pub(crate) fn encode_state(&self) -> Result<Vec<u8>, String> {
        let saved = Saved {
            boot_id: self.identity.boot_id.clone(),
            state: self.supervisor.snapshot(),
            is_last: self.shutdown,
        };
        state_file::encode(&saved).map_err(|error| error.to_string())
    }

    pub(crate) fn save_if_due(&mut self) {
        let now_ns = velos_ffi::now_ns();
        for answer in self.saving.overdue(now_ns) {
            self.send_bytes(&answer);
        }
        let Some(write) = self.saving.due(now_ns) else { return };
        let bytes = match self.encode_state() {
            Ok(bytes) => bytes,
            Err(error) => {
                self.log.line(&format!("cannot encode the state: {error}"));
                // As a write that failed: told once, and tried again after a pause.
                self.saving.asked(write, true, now_ns);
                return self.saved(nix::libc::EINVAL);
            }
        };
        let asked = self.reactor.file_put(REQUEST, &self.home.state(), &bytes, write.flags());
        self.saving.asked(write, asked.is_ok(), now_ns);
    }

    /// The writer thread has ended a write of the table.
    pub(crate) fn saved(&mut self, errno: i32) {
        let failing = errno != 0;
        for answer in self.saving.ended(!failing, velos_ffi::now_ns()) {
            self.send_bytes(&answer);
        }
        if self.saving.is_news(failing) {
            let text = if failing {
                let reason = std::io::Error::from_raw_os_error(errno);
                format!("the table cannot be written to {}: {reason}", self.home.state().display())
            } else {
                "the table can be written again".to_owned()
            };
            self.note(None, What::Note { text });
        }
    }

    /// The daemon leaves: one write more, which the writer ends before it goes.
    pub(crate) fn save_last(&mut self) {
        let Ok(bytes) = self.encode_state() else { return };
        if let Err(errno) = self.reactor.file_put(0, &self.home.state(), &bytes, Write::Durable.flags()) {
            self.log.line(&format!("the last table was not written: {errno}"));
        }
    }

    /// Send an answer once a later daemon would know what it tells.
    pub(crate) fn send_when_saved(&mut self, answer: Answer) {
        if let Some(answer) = self.saving.hold(answer, velos_ffi::now_ns()) {
            self.send_bytes(&answer);
        }
    }

    /// Nothing more is written by this image: who waits hears now.
    pub(crate) fn send_all_held(&mut self) {
        for answer in self.saving.all_held() {
            self.send_bytes(&answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Waiting;

    const START_NS: u64 = 5_000_000_000;

    fn answer(message: u32) -> Answer {
        Answer { to: Waiting { client: 1, message }, bytes: Vec::new() }
    }

    fn messages(answers: &[Answer]) -> Vec<u32> {
        answers.iter().map(|answer| answer.to.message).collect()
    }

    #[test]
    fn a_change_is_written_at_once_and_through_to_the_disk_a_second_later() {
        let mut saving = Saving::default();
        assert_eq!((saving.due(START_NS), saving.deadline()), (None, None));
        saving.changed(START_NS);
        assert_eq!(saving.due(START_NS), Some(Write::Soon));
        saving.asked(Write::Soon, true, START_NS);
        assert_eq!((saving.due(START_NS), saving.deadline()), (None, None), "one write at a time");
        saving.ended(true, START_NS + 1);
        let durable_ns = START_NS + DURABLE_AFTER_NS;
        assert_eq!((saving.due(durable_ns - 1), saving.deadline()), (None, Some(durable_ns)));
        assert_eq!(saving.due(durable_ns), Some(Write::Durable));
        saving.asked(Write::Durable, true, durable_ns);
        saving.ended(true, durable_ns + 1);
        assert_eq!((saving.due(u64::MAX), saving.deadline()), (None, None), "nothing is left to write");
    }

    #[test]
    fn who_keeps_changing_it_pauses_but_nobody_waits_for_the_pause() {
        let mut saving = Saving::default();
        saving.changed(START_NS);
        saving.asked(Write::Soon, true, START_NS);
        saving.changed(START_NS + 1);
        saving.ended(true, START_NS + 2);
        assert_eq!((saving.due(START_NS + 3), saving.deadline()), (None, Some(START_NS + PAUSE_NS)));
        assert!(saving.hold(answer(1), START_NS + 3).is_none());
        assert_eq!(saving.due(START_NS + 3), Some(Write::Soon));
    }

    #[test]
    fn an_answer_leaves_with_the_write_that_took_its_change() {
        let mut saving = Saving::default();
        assert_eq!(saving.hold(answer(1), START_NS).map(|answer| answer.to.message), Some(1), "all is saved");
        saving.changed(START_NS);
        assert!(saving.hold(answer(2), START_NS).is_none());
        saving.asked(Write::Soon, true, START_NS);
        saving.changed(START_NS);
        assert!(saving.hold(answer(3), START_NS).is_none());
        assert_eq!(messages(&saving.ended(true, START_NS)), [2]);
        assert_eq!(messages(&saving.all_held()), [3]);
    }

    #[test]
    fn a_writer_without_room_is_asked_again_after_the_pause() {
        let mut saving = Saving::default();
        saving.changed(START_NS);
        saving.asked(Write::Soon, false, START_NS);
        assert_eq!((saving.due(START_NS + 1), saving.deadline()), (None, Some(START_NS + PAUSE_NS)));
        let durable_ns = START_NS + DURABLE_AFTER_NS;
        saving.asked(Write::Durable, false, durable_ns);
        assert_eq!(saving.due(durable_ns + PAUSE_NS), Some(Write::Durable), "still owed");
    }

    #[test]
    fn a_disk_that_fails_holds_nobody_and_is_told_once() {
        let mut saving = Saving::default();
        saving.changed(START_NS);
        saving.asked(Write::Durable, true, START_NS);
        assert!(saving.hold(answer(1), START_NS).is_none());
        assert_eq!(messages(&saving.ended(false, START_NS)), [1]);
        assert!(saving.is_news(true) && !saving.is_news(true));
        assert!(saving.hold(answer(2), START_NS).is_some());
        assert_eq!((saving.due(START_NS), saving.deadline()), (None, Some(START_NS + DURABLE_AFTER_NS)));
        let again_ns = START_NS + DURABLE_AFTER_NS;
        assert_eq!(saving.due(again_ns), Some(Write::Soon));
        assert!(saving.is_news(false));
        saving.asked(Write::Soon, true, again_ns);
        saving.ended(true, again_ns);
        assert_eq!(saving.due(again_ns + DURABLE_AFTER_NS), Some(Write::Durable), "still owed");
    }
}
