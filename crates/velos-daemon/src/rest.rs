//! When the daemon gives back the memory that it needed for its last work.

/// Rest comes so long after the last request, ns; by then the table is on stable storage.
const AFTER_REQUEST_NS: u64 = 2_000_000_000;
/// And so long after an app has crashed, ns: where one crash was there is often another, and what a restart needs would
/// have to be mapped again, 85 page faults or 0.3 ms of it.
const AFTER_CRASH_NS: u64 = 10_000_000_000;
/// A shorter sleep is no rest, ns.
const FROM_NS: u64 = 500_000_000;

/// Whether the daemon is at rest, or when it will be.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    at_ns: Option<u64>,
    is_resting: bool,
}

impl Rest {
    /// Somebody asks for something: what that touches stays until the questions end.
    pub(crate) fn asked(&mut self, now_ns: u64) {
        self.wait_until(now_ns + AFTER_REQUEST_NS);
    }

    /// An app has ended unasked and may be started again.
    pub(crate) fn crashed(&mut self, now_ns: u64) {
        self.wait_until(now_ns + AFTER_CRASH_NS);
    }

    fn wait_until(&mut self, at_ns: u64) {
        self.is_resting = false;
        self.at_ns = self.at_ns.max(Some(at_ns));
    }

    /// When to look again, ns.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.at_ns
    }

    /// Whether the sleep until `next_ns` is one to give memory back for. Once at rest, every wake-up that nobody asked
    /// for ends with it too.
    pub(crate) fn is_due(&mut self, now_ns: u64, next_ns: Option<u64>) -> bool {
        self.is_resting |= self.at_ns.take_if(|at_ns| *at_ns <= now_ns).is_some();
        self.is_resting && next_ns.is_none_or(|at_ns| at_ns.saturating_sub(now_ns) >= FROM_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn it_rests_two_seconds_after_the_last_request() {
        let mut rest = Rest::default();
        assert!(!rest.is_due(0, None), "nothing was touched yet");
        rest.asked(0);
        rest.asked(SECOND_NS);
        assert!(!rest.is_due(2 * SECOND_NS, None));
        assert_eq!(rest.deadline(), Some(3 * SECOND_NS));
        assert!(rest.is_due(3 * SECOND_NS, None));
        assert_eq!(rest.deadline(), None, "no wake-up for the rest itself");
    }

    #[test]
    fn a_timer_at_rest_ends_with_rest_but_not_when_the_next_is_near() {
        let mut rest = Rest::default();
        rest.asked(0);
        assert!(!rest.is_due(2 * SECOND_NS, Some(2 * SECOND_NS + 1)));
        assert!(rest.is_due(3 * SECOND_NS, Some(60 * SECOND_NS)));
        assert!(rest.is_due(60 * SECOND_NS, None));
    }

    #[test]
    fn what_a_crash_needs_stays_longer_than_a_question_that_follows() {
        let mut rest = Rest::default();
        rest.crashed(0);
        rest.asked(SECOND_NS);
        assert!(!rest.is_due(9 * SECOND_NS, None));
        assert!(rest.is_due(10 * SECOND_NS, None));
        rest.crashed(20 * SECOND_NS);
        assert!(!rest.is_due(29 * SECOND_NS, None), "a crash ends the rest");
    }
}
