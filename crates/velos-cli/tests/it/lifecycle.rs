//! Start, list, restart, stop, delete.

use velos_core::instance::{Exit, Phase};
use velos_testkit::processes;

use crate::env;

#[test]
fn start_list_stop_delete() {
    let env = env();
    let output = env.start("api", &[], &["sleep"]);
    let pid = env.pid("api");
    assert!(
        output.stdout.contains(&format!("[OK] Process \"api\" started (PID: {pid})")),
        "{}",
        output.stdout
    );
    assert!(env.run(&["list"]).ok().stdout.contains("│ api "));
    let again = env.run(&["stop", "api"]).ok();
    assert_eq!(again.stdout, "[OK] Process \"api\" stopped\n");
    assert!(!processes::is_alive(pid));
    assert_eq!(env.run(&["stop", "api"]).ok().stdout, "[OK] Process \"api\" was stopped already\n");
    assert_eq!(env.run(&["delete", "api"]).ok().stdout, "[OK] Process \"api\" deleted\n");
    assert!(env.list().is_empty());
    env.run(&["stop", "all"]).fails(3, &["nothing was started yet"]);
}

#[test]
fn a_restart_is_another_process_and_counts() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let before = env.pid("api");
    env.run(&["restart", "api"]).ok();
    let after = env.instance("api");
    assert_ne!(after.pid, Some(before));
    assert_eq!(after.restarts, 1);
    assert!(!processes::is_alive(before));
}

#[test]
fn a_crash_loop_ends_errored_with_the_reason() {
    let env = env();
    env.start("crash", &["--max-restarts", "2"], &["exit", "3"]);
    let crashed = env.wait_instance("crash", "errored", |one| one.phase == Phase::Errored);
    assert_eq!(crashed.exit, Some(Exit::Code(3)));
    assert!(env.run(&["list"]).ok().stdout.contains("! crash is errored: it ended with exit code 3"));
    assert!(env.run(&["why", "crash"]).ok().stdout.contains("exit code 3"));
}

#[test]
fn a_killed_app_comes_back() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let before = env.pid("api");
    processes::signal(before, nix::sys::signal::Signal::SIGKILL);
    env.wait_instance("api", "back", |one| {
        one.phase == Phase::Online && one.pid.is_some_and(|pid| pid != before)
    });
}

#[test]
fn a_second_app_of_the_same_name_is_refused() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    env.try_start("api", &[], &["sleep"]).fails(1, &["runs already", "hint:"]);
}

#[test]
fn sigterm_to_the_daemon_stops_everything() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let pid = env.pid("api");
    let daemon = env.hello().pid;
    processes::signal(daemon, nix::sys::signal::Signal::SIGTERM);
    velos_testkit::wait_until("the end", velos_testkit::SOON, || !processes::is_alive(daemon));
    assert!(!processes::is_alive(pid));
}

#[test]
fn kill_ends_the_daemon_and_is_fine_twice() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let daemon = env.hello().pid;
    env.run(&["kill"]).ok();
    velos_testkit::wait_until("the end", velos_testkit::SOON, || !processes::is_alive(daemon));
    env.run(&["kill"]).ok();
}
