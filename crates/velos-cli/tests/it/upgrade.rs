//! `velos upgrade`: the daemon's binary is swapped under running apps, or the old one goes on and says why.

use std::path::Path;

use nix::sys::signal::Signal;
use velos_core::event::{DaemonStart, What};
use velos_core::instance::{Exit, Phase};
use velos_core::protocol::{EventsParams, EventsReply, method};
use velos_testkit::numbered::{check, whole_log};
use velos_testkit::{SOON, TestEnv, processes, wait_until};

use crate::env;

fn events(env: &TestEnv) -> Vec<What> {
    let reply: EventsReply = env.wire().call(method::EVENTS, &EventsParams::default()).unwrap();
    reply.events.into_iter().map(|event| event.what).collect()
}

#[test]
fn to_the_same_binary_again_and_again() {
    let env = env();
    env.start("writer", &["-i", "3"], &["lines", "0", "--rate", "3000", "--size", "60"]);
    env.start("quiet", &[], &["sleep"]);
    let picture = |env: &TestEnv| -> Vec<_> {
        env.list().into_iter().map(|one| (one.id, one.pid, one.restarts, one.phase)).collect()
    };
    let (before, hello) = (picture(&env), env.hello());
    let copy = env.work().join("velos-next");
    std::fs::copy(env!("CARGO_BIN_EXE_velos"), &copy).unwrap();
    for round in 0..3 {
        let told = if round == 1 {
            env.run(&["upgrade", copy.to_str().unwrap()]).ok()
        } else {
            env.run(&["upgrade"]).ok()
        };
        assert!(told.stdout.contains("nothing was stopped"), "{}", told.stdout);
        assert_eq!(picture(&env), before, "the same processes, no restart");
        let said = What::DaemonStarted { how: DaemonStart::Upgrade, adopted: 4 };
        assert!(events(&env).contains(&said), "round {round}");
    }
    let now = env.hello();
    assert_eq!((now.pid, now.guardian_pid), (hello.pid, hello.guardian_pid), "in place");
    assert!(now.uptime_ms >= hello.uptime_ms, "an upgrade does not reset the uptime");
    // Everything still works: commands, capture, restarts, a crash.
    env.run(&["restart", "quiet"]).ok();
    env.kill_daemon();
    env.run(&["stop", "all"]).ok();
    for slot in 0..3 {
        let log = env.home().join(format!("logs/writer-out-{slot}.log"));
        wait_until("the last line", SOON, || String::from_utf8_lossy(&whole_log(&log)).contains("\nend "));
        assert!(check(&whole_log(&log), 60).unwrap() > 100);
    }
}

/// The old daemon goes on, says why, and nothing of the apps changed.
#[track_caller]
fn is_refused(env: &TestEnv, binary: &Path, reasons: &[&str]) {
    let (before, pid) = (env.hello(), env.pid("api"));
    let output = env.run(&["upgrade", binary.to_str().unwrap()]);
    output.fails(1, reasons);
    let after = env.hello();
    assert_eq!((after.pid, after.executable), (before.pid, before.executable));
    assert!(after.uptime_ms >= before.uptime_ms);
    let api = env.instance("api");
    assert_eq!((api.pid, api.restarts, api.phase), (Some(pid), 0, Phase::Online));
}

#[test]
fn to_what_is_no_velos() {
    let env = env();
    env.start("api", &[], &["lines", "0", "--rate", "300"]);
    let failures =
        |env: &TestEnv| events(env).iter().filter(|what| matches!(what, What::UpgradeFailed { .. })).count();
    is_refused(
        &env,
        Path::new("/bin/false"),
        &["did not prove itself", "ended with exit code 1", "the old daemon goes on"],
    );
    assert_eq!(failures(&env), 1);
    let crash = env.file("crash", "#!/bin/sh\nsleep 1\nexit 3\n", 0o755);
    is_refused(&env, &crash, &["did not prove itself", "exit code 3"]);
    assert_eq!(failures(&env), 2);
    is_refused(&env, Path::new("/no/such/velos"), &["cannot execute /no/such/velos", "No such file"]);
    is_refused(&env, &env.file("text", "text", 0o644), &["cannot execute", "Permission denied"]);
    is_refused(&env, &env.work(), &["cannot execute"]);
    env.run(&["stop", "api"]).ok();
    assert!(check(&whole_log(&env.out_log("api")), 0).unwrap() > 300);
}

#[test]
fn to_one_that_takes_the_table_and_dies_a_second_later() {
    let env = env();
    env.start("api", &[], &["lines", "0", "--rate", "300"]);
    let script = format!(
        "#!/bin/sh\n\"{}\" daemon --trial &\nsleep 1\nkill -9 $!\nexit 9\n",
        env!("CARGO_BIN_EXE_velos")
    );
    let late = env.file("late", &script, 0o755);
    is_refused(
        &env,
        &late,
        &["did not prove itself", "exit code 9", "within two seconds of taking the table"],
    );
    // A later one that is sound is taken.
    env.run(&["upgrade"]).ok();
}

#[test]
fn to_one_that_never_says_anything() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let silent = env.file("silent", "#!/bin/sh\nwhile :; do sleep 0.1; done\n", 0o755);
    let begun = env
        .command(&["upgrade", silent.to_str().unwrap()])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let text = silent.to_string_lossy().into_owned();
    let candidate_runs = || {
        processes::of_home(env.home()).iter().any(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&format!("{text}\0daemon"))
        })
    };
    wait_until("the trial runs", SOON, candidate_runs);
    // Meanwhile everything else goes on, but for a second upgrade.
    env.run(&["upgrade"]).fails(1, &["an upgrade is under way"]);
    env.start("other", &[], &["sleep"]);
    let output = begun.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("did not take the table within five seconds"));
    assert_eq!(output.status.code(), Some(1));
    wait_until("the candidate is gone", SOON, || !candidate_runs());
}

fn executable_of(pid: i32) -> std::path::PathBuf {
    std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

/// A copy of the binary under another name.
fn copy(env: &TestEnv, name: &str) -> std::path::PathBuf {
    let path = env.work().join(name);
    std::fs::copy(env!("CARGO_BIN_EXE_velos"), &path).unwrap();
    path
}

#[test]
fn the_guardian_follows_and_still_loses_nothing() {
    let env = env();
    for number in 0..4 {
        let code = (40 + number).to_string();
        let words = ["lines", "0", "--err", "--rate", "2000", "--size", "60", "--code", &code];
        env.start(&format!("app{number}"), &["--no-autorestart"], &words);
    }
    let guardian = env.hello().guardian_pid;
    let picture = |env: &TestEnv| -> Vec<_> {
        env.list().into_iter().map(|one| (one.id, one.pid, one.restarts, one.phase)).collect()
    };
    let before = picture(&env);
    // An orphan whose end only the guardian's first image has seen.
    let daemon = env.kill_daemon();
    assert_eq!(daemon.guardian_pid, guardian);
    let next = copy(&env, "velos-next");
    env.run(&["upgrade", next.to_str().unwrap()]).ok();
    assert_ne!(executable_of(guardian), next, "not before the daemon has lived with it for a while");
    wait_until("the guardian executes the new binary", SOON, || executable_of(guardian) == next);
    wait_until("and says so", SOON, || env.daemon_log().contains("guardian: runs "));
    assert_eq!(env.hello().guardian_pid, guardian);
    assert_eq!(picture(&env), before);

    // Now the daemon dies, and while there is none, so does an app.
    let hello = env.hello();
    processes::signal(guardian, Signal::SIGSTOP);
    wait_until("the guardian is stopped", SOON, || processes::state(guardian) == Some('T'));
    processes::signal(hello.pid, Signal::SIGKILL);
    let app = env_pid(&before, 0);
    processes::signal(app, Signal::SIGTERM);
    wait_until("both ended", SOON, || !processes::is_alive(hello.pid) && !processes::is_alive(app));
    processes::signal(guardian, Signal::SIGCONT);
    let now = env.wait_for_daemon_other_than(hello.pid);
    assert_eq!((now.guardian_pid, now.executable.as_path()), (guardian, next.as_path()));
    let ended = env.wait_instance("app0", "is stopped", |one| one.phase == Phase::Stopped);
    assert_eq!(ended.exit, Some(Exit::Code(40)), "the guardian collected it");
    assert_eq!(picture(&env)[1..], before[1..], "the same processes");
    assert_eq!(processes::parent(env_pid(&before, 1)), Some(guardian));

    // And once more, to a third binary, and to the end.
    let third = copy(&env, "velos-third");
    env.run(&["upgrade", third.to_str().unwrap()]).ok();
    wait_until("the guardian follows again", SOON, || executable_of(guardian) == third);
    env.kill_daemon();
    env.run(&["stop", "all"]).ok();
    for number in 0..4 {
        let name = format!("app{number}");
        assert_eq!(env.instance(&name).exit, Some(Exit::Code(40 + number)), "{name}");
        for log in [env.out_log(&name), env.err_log(&name)] {
            wait_until("the last line", SOON, || {
                String::from_utf8_lossy(&whole_log(&log)).contains("\nend ")
            });
            assert!(check(&whole_log(&log), 60).unwrap() > 100);
        }
    }
    env.run(&["kill"]).ok();
    wait_until("the guardian ends with its daemon", SOON, || !processes::is_alive(guardian));
}

fn env_pid(picture: &[(velos_core::instance::InstanceId, Option<i32>, u64, Phase)], index: usize) -> i32 {
    picture[index].1.unwrap()
}

#[test]
fn the_guardian_stays_what_it_is_where_it_cannot_follow() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let (guardian, pid) = (env.hello().guardian_pid, env.pid("api"));
    let old = executable_of(guardian);
    let says = |text: &str| wait_until(text, SOON, || env.daemon_log().contains(text));
    // A file that was replaced is not what the daemon has proved.
    let next = copy(&env, "velos-next");
    env.run(&["upgrade", next.to_str().unwrap()]).ok();
    std::fs::remove_file(&next).unwrap();
    std::fs::copy("/bin/sh", &next).unwrap();
    says("it is not what the daemon executes any more; it goes on with the binary it has");
    // One that may not be executed any more.
    let third = copy(&env, "velos-third");
    env.run(&["upgrade", third.to_str().unwrap()]).ok();
    std::fs::set_permissions(&third, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    says("velos-third: Permission denied");
    says("its trial ended with exit code 71; it goes on");
    // A daemon that dies with its new binary within the probation is followed by one of the old.
    let fourth = copy(&env, "velos-fourth");
    env.run(&["upgrade", fourth.to_str().unwrap()]).ok();
    let daemon = env.kill_daemon();
    assert_eq!((daemon.guardian_pid, daemon.executable.as_path()), (guardian, old.as_path()));
    assert_eq!(executable_of(guardian), old);
    assert_eq!(env.pid("api"), pid);
    // It still does what it is for, and can still follow.
    env.run(&["upgrade", copy(&env, "velos-fifth").to_str().unwrap()]).ok();
    wait_until("it follows", SOON, || executable_of(guardian).ends_with("velos-fifth"));
    env.kill_daemon();
    assert_eq!(env.pid("api"), pid);
}

#[test]
fn without_a_daemon_there_is_nothing_to_do() {
    let env = env();
    assert_eq!(
        env.run(&["upgrade"]).ok().stdout,
        "[OK] No daemon runs; the next command starts the new binary\n"
    );
    assert!(!env.home().join("velos.sock").exists());
}
