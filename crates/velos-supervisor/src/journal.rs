//! The newest events, numbered without gaps.

use std::collections::VecDeque;

use velos_core::event::Event;

/// Events kept in memory.
const KEPT: usize = 1024;

/// A ring of events.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    events: VecDeque<Event>,
    newest: u64,
}

impl Journal {
    pub(crate) fn starting_after(newest: u64) -> Self {
        Self { events: VecDeque::new(), newest }
    }

    /// Number the event and keep it.
    pub(crate) fn add(&mut self, mut event: Event) -> Event {
        self.newest += 1;
        event.sequence = self.newest;
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event.clone());
        event
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.events.iter()
    }

    /// Number of the newest event there ever was.
    pub fn newest(&self) -> u64 {
        self.newest
    }

    /// Number of the oldest event that is kept; one more than the newest when none is.
    pub fn oldest(&self) -> u64 {
        self.events.front().map_or(self.newest + 1, |event| event.sequence)
    }
}
