//! A few instances in different states, for tests of what is printed and drawn.

use velos_core::app::AppSpec;
use velos_core::instance::{Exit, Goal, InstanceId, Phase, SpawnFailure, SpawnStage};
use velos_core::name::AppName;
use velos_core::protocol::{HelloReply, InstanceSummary};

/// 2026-03-01 10:05:03 UTC.
pub const NOW_MS: i64 = 1_772_359_503_000;

fn online(id: u32, name: &str, slot: u32) -> InstanceSummary {
    InstanceSummary {
        id: InstanceId(id),
        name: name.into(),
        namespace: "default".into(),
        slot,
        version: (name == "api").then(|| "1.14.2".to_owned()),
        phase: Phase::Online,
        goal: Goal::Up,
        pid: Some(12_345),
        uptime_ms: Some(7_500_000),
        restarts: 2,
        cpu_centipercent: Some(210),
        rss_bytes: Some(47_290_778),
        user: "alice".into(),
        mode: velos_core::app::ExecMode::Fork,
        watching: id == 1,
        declared_in: None,
        declared_ms: None,
        script: "/srv/api/server.js".into(),
        exit: None,
        spawn_failure: None,
        next_try_ms: None,
        waits_for: None,
        healthy: None,
        dropped_lines: 0,
        log_errno: None,
        out_log: "/home/alice/.velos/logs/x-out.log".into(),
        err_log: "/home/alice/.velos/logs/x-error.log".into(),
    }
}

fn without_process(one: InstanceSummary, phase: Phase) -> InstanceSummary {
    InstanceSummary { phase, pid: None, uptime_ms: None, cpu_centipercent: None, rss_bytes: None, ..one }
}

/// One of each state that looks different.
pub fn instances() -> Vec<InstanceSummary> {
    vec![
        online(0, "api", 0),
        InstanceSummary { uptime_ms: Some(999), rss_bytes: Some(812), ..online(1, "api", 1) },
        InstanceSummary {
            goal: Goal::Down,
            namespace: "jobs".into(),
            ..without_process(online(2, "日本語", 0), Phase::Stopped)
        },
        InstanceSummary {
            exit: Some(Exit::Code(1)),
            next_try_ms: Some(NOW_MS + 400),
            ..without_process(online(3, "a-worker-with-quite-a-long-name", 0), Phase::Backoff)
        },
        InstanceSummary {
            spawn_failure: Some(SpawnFailure { stage: SpawnStage::Exec, errno: 2 }),
            ..without_process(online(4, "broken", 0), Phase::Errored)
        },
        InstanceSummary { dropped_lines: 12, log_errno: Some(28), ..online(5, "chatty", 0) },
    ]
}

/// A declaration with a secret in it.
pub fn spec() -> AppSpec {
    let variable = |(key, value): (&str, &str)| (key.into(), value.into());
    AppSpec {
        script: "/srv/api/server.js".into(),
        interpreter: Some("node".into()),
        argv: ["/usr/bin/node", "/srv/api/server.js", "--port", "3000"].map(Into::into).to_vec(),
        args: ["--port", "3000"].map(Into::into).to_vec(),
        cwd: "/srv/api".into(),
        env: [("HOME", "/home/alice"), ("API_TOKEN", "hunter2"), ("PORT", "3000")].map(variable).into(),
        env_declared: ["API_TOKEN", "PORT"].map(Into::into).to_vec(),
        ..AppSpec::new(AppName::new("api").expect("a name"), "/usr/bin/node")
    }
}

/// What a daemon says of itself.
pub fn hello() -> HelloReply {
    HelloReply {
        version: 1,
        product: "0.1.0".into(),
        core_abi: 1,
        pid: 100,
        guardian_pid: 99,
        uptime_ms: 7_500_000,
        rss_bytes: 1_249_280,
        executable: "/usr/bin/velos".into(),
    }
}
