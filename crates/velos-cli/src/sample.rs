//! Samples for tests of what is printed.

use velos_core::event::{Cause, Event, Verb, What};
use velos_core::instance::{Exit, InstanceId, Phase, SpawnFailure, SpawnStage};
use velos_core::protocol::WhyInstance;

pub(crate) use velos_testkit::sample::{NOW_MS, hello, instances, spec};

/// One event of each kind, a second apart.
pub(crate) fn events() -> Vec<Event> {
    let exited = Cause::Exited { exit: Exit::Signal(11), uptime_ms: 831 };
    let failure = SpawnFailure { stage: SpawnStage::Cwd, errno: 20 };
    let by = || "cli uid=1000 pid=77".to_owned();
    let transition = |from, to, cause| What::Transition { from, to, cause, pid: None, next_try_ms: None };
    let of_app = [
        What::Added,
        transition(Phase::Stopped, Phase::Starting, Cause::Command { verb: Verb::Start, by: by() }),
        What::Transition {
            from: Phase::Starting,
            to: Phase::Online,
            cause: Cause::Spawned,
            pid: Some(12_345),
            next_try_ms: None,
        },
        What::Transition {
            from: Phase::Online,
            to: Phase::Backoff,
            cause: exited,
            pid: None,
            next_try_ms: Some(NOW_MS + 4_000),
        },
        transition(Phase::Backoff, Phase::Starting, Cause::BackoffOver),
        transition(Phase::Starting, Phase::Errored, Cause::SpawnFailed { failure }),
        transition(Phase::Launching, Phase::Online, Cause::Ready),
        transition(Phase::Launching, Phase::Stopping, Cause::ListenTimeout),
        transition(Phase::Online, Phase::Online, Cause::Adopted),
        transition(Phase::Online, Phase::Stopping, Cause::Command { verb: Verb::Stop, by: by() }),
        What::Killed { rounds: 1 },
        What::Killed { rounds: 2 },
        transition(Phase::Stopping, Phase::Stopped, Cause::TreeEmpty),
        transition(Phase::Online, Phase::Starting, Cause::Rebooted),
        What::CaptureFailed { errno: 28 },
        What::CaptureRecovered { dropped_lines: 3 },
        What::Deleted,
    ];
    let of_daemon = [
        What::DaemonStarted { how: velos_core::event::DaemonStart::Crash, adopted: 3 },
        What::UpgradeFailed { reason: "it ended with exit code 1".into() },
        What::Note { text: "the clock stepped".into() },
    ];
    let app = of_app.into_iter().map(|what| (Some("api".to_owned()), Some(InstanceId(0)), what));
    let daemon = of_daemon.into_iter().map(|what| (None, None, what));
    let numbered = app.chain(daemon).enumerate();
    numbered
        .map(|(n, (app, instance, what))| {
            let step = i64::try_from(n).unwrap_or(0);
            Event { sequence: n as u64 + 1, at_ms: NOW_MS + step * 1_000, app, instance, what }
        })
        .collect()
}

/// What `why` gets for one of [`instances`].
pub(crate) fn why(number: usize) -> WhyInstance {
    WhyInstance {
        summary: instances().swap_remove(number),
        events: events().into_iter().take(4).collect(),
        restart: Default::default(),
        unstable: 3,
    }
}
