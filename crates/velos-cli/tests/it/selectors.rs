//! Names, ids, patterns: what people point at apps with.

use velos_core::instance::Phase;

use crate::env;

#[test]
fn every_kind_of_target() {
    let env = env();
    env.start("api", &["-i", "2", "--namespace", "web"], &["sleep"]);
    env.start("worker-mail", &[], &["sleep"]);
    env.start("worker-sms", &[], &["sleep"]);
    let stopped = || -> Vec<String> {
        let stopped = env.list().into_iter().filter(|one| one.phase == Phase::Stopped);
        stopped.map(|one| format!("{}:{}", one.name, one.slot)).collect()
    };
    let cases: &[(&[&str], &[&str])] = &[
        (&["api"], &["api:0", "api:1"]),
        (&["api:1"], &["api:1"]),
        (&["2"], &["worker-mail:0"]),
        (&["3", "0"], &["api:0", "worker-sms:0"]),
        (&["/^worker-/"], &["worker-mail:0", "worker-sms:0"]),
        (&["worker-s*"], &["worker-sms:0"]),
        (&["ns:web"], &["api:0", "api:1"]),
        (&["web"], &["api:0", "api:1"]),
        (&["api:0", "api", "0"], &["api:0", "api:1"]),
        (&["all"], &["api:0", "api:1", "worker-mail:0", "worker-sms:0"]),
    ];
    for (targets, expected) in cases {
        env.run(&[&["stop"], *targets].concat()).ok();
        assert_eq!(stopped(), *expected, "{targets:?}");
        env.run(&["start", "all"]).ok();
        assert_eq!(stopped(), [""; 0]);
    }
}

#[test]
fn what_is_not_there() {
    let env = env();
    for command in ["stop", "restart", "delete", "info", "why"] {
        env.run(&[command, "api"]).fails(3, &["no process \"api\"", "nothing was started yet"]);
    }
    env.start("api", &[], &["sleep"]);
    env.run(&["stop", "apj"]).fails(3, &["no process \"apj\"", "did you mean \"api\"?"]);
    env.run(&["stop", "7"]).fails(3, &["no process \"7\""]);
    env.run(&["stop", "/^x/"]).fails(3, &["no process"]);
    env.run(&["stop", "/(/"]).fails(2, &["is no regular expression"]);
    env.run(&["stop", &format!("/{}/", "(a*)*".repeat(400))]).fails(2, &["at most"]);
    // One wrong target of several: nothing is done.
    env.run(&["stop", "api", "nothing"]).fails(3, &["no process \"nothing\""]);
    assert_eq!(env.instance("api").phase, Phase::Online);
}
