//! Answers that wait until the table they follow from is on disk.
//!
//! Who was told that an app runs finds it again after a crash of the daemon. A disk that hangs must not hold the answers
//! for ever, so each waits for a tenth of a second at most.

use crate::clients::Waiting;

/// Longest time an answer waits for the disk, ns.
const PATIENCE_NS: u64 = 100_000_000;

/// An answer ready to go.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) to: Waiting,
    pub(crate) bytes: Vec<u8>,
}

/// All that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// They follow from a table that is being written.
    in_write: Vec<Answer>,
    /// They follow from a change that no write has taken yet.
    unsaved: Vec<Answer>,
    until_ns: Option<u64>,
}

impl Held {
    /// Keep an answer whose change `is_in_write`, or else waits for the next write.
    pub(crate) fn hold(&mut self, answer: Answer, is_in_write: bool, now_ns: u64) {
        let queue = if is_in_write { &mut self.in_write } else { &mut self.unsaved };
        queue.push(answer);
        self.until_ns.get_or_insert(now_ns + PATIENCE_NS);
    }

    /// Somebody waits for a write that has not begun.
    pub(crate) fn wants_write(&self) -> bool {
        !self.unsaved.is_empty()
    }

    /// A write has taken all changes so far.
    pub(crate) fn write_begins(&mut self) {
        self.in_write.append(&mut self.unsaved);
    }

    /// The write has ended, well or badly: an error on the disk is told elsewhere and does not undo what was done.
    pub(crate) fn write_ended(&mut self) -> Vec<Answer> {
        if self.unsaved.is_empty() {
            self.until_ns = None;
        }
        std::mem::take(&mut self.in_write)
    }

    /// Everything, once it has waited long enough.
    pub(crate) fn overdue(&mut self, now_ns: u64) -> Vec<Answer> {
        if self.until_ns.is_none_or(|until| now_ns < until) {
            return Vec::new();
        }
        self.all()
    }

    /// Everything at once.
    pub(crate) fn all(&mut self) -> Vec<Answer> {
        self.until_ns = None;
        let mut all = std::mem::take(&mut self.in_write);
        all.append(&mut self.unsaved);
        all
    }

    /// When `overdue` has something to give. CLOCK_MONOTONIC, ns.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.until_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(message: u32) -> Answer {
        Answer { to: Waiting { client: 1, message }, bytes: Vec::new() }
    }

    fn messages(answers: &[Answer]) -> Vec<u32> {
        answers.iter().map(|answer| answer.to.message).collect()
    }

    #[test]
    fn an_answer_leaves_with_the_write_that_took_its_change() {
        let mut held = Held::default();
        held.hold(answer(1), false, 0);
        assert!(held.wants_write());
        held.write_begins();
        held.hold(answer(2), false, 5);
        assert_eq!(messages(&held.write_ended()), [1]);
        assert!(held.wants_write() && held.deadline().is_some());
        held.write_begins();
        assert_eq!(messages(&held.write_ended()), [2]);
        assert_eq!(held.deadline(), None);
    }

    #[test]
    fn a_disk_that_hangs_holds_nothing_for_ever() {
        let mut held = Held::default();
        held.hold(answer(1), true, 10);
        held.hold(answer(2), false, 20);
        assert!(held.overdue(10 + PATIENCE_NS - 1).is_empty());
        assert_eq!(messages(&held.overdue(10 + PATIENCE_NS)), [1, 2]);
        assert!(!held.wants_write());
    }
}
