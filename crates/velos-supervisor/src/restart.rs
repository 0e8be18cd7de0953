//! The failure rule: what follows an end that nobody asked for.

use velos_core::instance::{Exit, SpawnFailure};
use velos_core::policy::RestartPolicy;

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Stay down: the policy says so.
    Stay,
    /// Too often, or hopeless.
    GiveUp,
    /// Start again after so many ms.
    Again(u64),
}

/// Judge an exit after `uptime_ms`; `unstable` counts short runs in a row and is brought up to date.
pub(crate) fn judge_exit(policy: &RestartPolicy, exit: Exit, uptime_ms: u64, unstable: &mut u32) -> Verdict {
    if !policy.autorestart || matches!(exit, Exit::Code(code) if policy.stop_exit_codes.contains(&code)) {
        return Verdict::Stay;
    }
    if uptime_ms >= policy.min_uptime_ms {
        *unstable = 0;
        return Verdict::Again(policy.restart_delay_ms);
    }
    again_after_failure(policy, unstable)
}

/// Judge a spawn that failed: a program that is not there will not appear by trying.
pub(crate) fn judge_spawn_failure(
    policy: &RestartPolicy,
    failure: SpawnFailure,
    unstable: &mut u32,
) -> Verdict {
    if failure.is_fatal() || !policy.autorestart {
        Verdict::GiveUp
    } else {
        again_after_failure(policy, unstable)
    }
}

fn again_after_failure(policy: &RestartPolicy, unstable: &mut u32) -> Verdict {
    *unstable += 1;
    if *unstable > policy.max_restarts {
        return Verdict::GiveUp;
    }
    // The first crash restarts at once, later ones back off.
    let pause = if *unstable == 1 { 0 } else { backoff_ms(policy, *unstable - 1) };
    Verdict::Again(pause.max(policy.restart_delay_ms))
}

/// `min(cap, base * factor^(n-1))` for the n-th pause, in integers.
pub(crate) fn backoff_ms(policy: &RestartPolicy, n: u32) -> u64 {
    let mut pause = u128::from(policy.backoff_base_ms);
    let cap = u128::from(policy.backoff_cap_ms);
    for _ in 1..n {
        pause = pause * u128::from(policy.backoff_factor_percent) / 100;
        if pause >= cap {
            break;
        }
    }
    u64::try_from(pause.min(cap)).unwrap_or(policy.backoff_cap_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_cap() {
        let policy = RestartPolicy::default();
        let pauses: Vec<u64> = (1..=5).map(|n| backoff_ms(&policy, n)).collect();
        assert_eq!(pauses, [100, 150, 225, 337, 505]);
        assert_eq!(backoff_ms(&policy, 1_000), 15_000);
    }

    #[test]
    fn a_crash_loop_ends_in_giving_up_and_a_long_run_forgives() {
        let policy = RestartPolicy { max_restarts: 3, ..RestartPolicy::default() };
        let mut unstable = 0;
        let crash = |unstable: &mut u32| judge_exit(&policy, Exit::Code(1), 5, unstable);
        assert_eq!(crash(&mut unstable), Verdict::Again(0));
        assert_eq!(crash(&mut unstable), Verdict::Again(100));
        assert_eq!(judge_exit(&policy, Exit::Code(1), 1_000, &mut unstable), Verdict::Again(0));
        assert_eq!(unstable, 0);
        for pause in [0, 100, 150] {
            assert_eq!(crash(&mut unstable), Verdict::Again(pause));
        }
        assert_eq!(crash(&mut unstable), Verdict::GiveUp);
    }

    #[test]
    fn policies_that_stay_down() {
        let mut unstable = 0;
        let never = RestartPolicy { autorestart: false, ..RestartPolicy::default() };
        assert_eq!(judge_exit(&never, Exit::Code(1), 5, &mut unstable), Verdict::Stay);
        let codes = RestartPolicy { stop_exit_codes: vec![0, 42], ..RestartPolicy::default() };
        assert_eq!(judge_exit(&codes, Exit::Code(42), 5, &mut unstable), Verdict::Stay);
        assert_eq!(judge_exit(&codes, Exit::Signal(9), 5, &mut unstable), Verdict::Again(0));
    }
}
