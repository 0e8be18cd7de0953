//! Which number across the border is whose: the highest bit that is set among the three highest tells captures, trials of
//! an upgrade and hooks from runs of apps, whose numbers the supervisor counts up.

use std::hash::{BuildHasher, RandomState};

const CAPTURE_BIT: u64 = 1 << 63;
const TRIAL_BIT: u64 = 1 << 62;
const HOOK_BIT: u64 = 1 << 61;

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Capture,
    Trial,
    /// Also other helpers that the daemon starts, such as the packer of logs.
    Hook,
    Run,
}

impl Kind {
    pub(crate) fn of(token: u64) -> Self {
        match token {
            CAPTURE_BIT.. => Self::Capture,
            TRIAL_BIT.. => Self::Trial,
            HOOK_BIT.. => Self::Hook,
            _ => Self::Run,
        }
    }

    /// A token of this kind; `fresh` was not used before in this daemon.
    pub(crate) fn token(self, fresh: u64) -> u64 {
        let bit = match self {
            Self::Capture => CAPTURE_BIT,
            Self::Trial => TRIAL_BIT,
            Self::Hook => HOOK_BIT,
            Self::Run => 0,
        };
        bit | fresh
    }
}

/// Where the tokens of runs in a new table begin: two homes on one machine must not share any, because strays are known
/// by the token in their environment. The lower half counts.
pub(crate) fn first_run() -> u64 {
    let random = RandomState::new().hash_one(std::process::id());
    (random >> 35) << 32 | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_knows_its_own() {
        for kind in [Kind::Capture, Kind::Trial, Kind::Hook, Kind::Run] {
            for fresh in [1, HOOK_BIT - 1] {
                assert_eq!(Kind::of(kind.token(fresh)), kind, "{fresh}");
            }
        }
        assert_eq!(Kind::of(HOOK_BIT | TRIAL_BIT), Kind::Trial, "the highest bit counts");
        assert_eq!(Kind::of(u64::MAX), Kind::Capture);
    }

    #[test]
    fn runs_leave_the_highest_bits_to_others() {
        for _ in 0..100 {
            let token = first_run();
            assert_eq!((Kind::of(token), token & u64::from(u32::MAX)), (Kind::Run, 1));
        }
    }
}
