//! What hides its origin: a process with another parent, a session of its own and an empty environment belongs to nobody
//! but its cgroup.

use nix::sys::signal::Signal;
use velos_core::instance::Phase;
use velos_testkit::{SOON, TestEnv, cgroups, processes, skipped, wait_for, wait_until};

use crate::env;

/// An env whose daemon makes cgroups, if the machine has them.
fn caged() -> Option<TestEnv> {
    let env = env();
    if cgroups::of_home(env.home()).is_none() {
        skipped("no cgroup v2 in which a daemon may make others");
        return None;
    }
    // The machine may have us in the root of the hierarchy.
    env.set_variable("VELOS_CGROUPS", "1");
    Some(env)
}

/// The number of the newest one that got away, once it runs on its own.
fn escaped(env: &TestEnv, name: &str, which: usize) -> i32 {
    let pid = wait_for("a process that hides", SOON, || {
        let log = std::fs::read_to_string(env.out_log(name)).ok()?;
        let line = log.lines().filter(|line| line.starts_with("daemon ")).nth(which)?;
        line.rsplit(' ').next()?.parse().ok()
    });
    let leader = env.hello();
    wait_until("its parents are gone", SOON, || processes::parent(pid) == Some(leader.guardian_pid));
    assert!(std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| environment.is_empty()));
    pid
}

#[test]
fn what_hides_its_origin_ends_with_the_app() {
    let Some(env) = caged() else { return };
    env.start("stray", &[], &["fork-daemon", "--clean", "--stay"]);
    let first = escaped(&env, "stray", 0);
    assert_eq!(cgroups::of_process(first), cgroups::of_process(env.pid("stray")));
    env.run(&["restart", "stray"]).ok();
    assert!(!processes::is_alive(first), "a restart ends all of the run before");
    let second = escaped(&env, "stray", 1);
    // The main process dies by itself: the next run must not meet what it left.
    processes::signal(env.pid("stray"), Signal::SIGKILL);
    env.wait_instance("stray", "runs again", |one| one.phase == Phase::Online && one.restarts == 2);
    assert!(!processes::is_alive(second), "nor does a crash leave any");
    let third = escaped(&env, "stray", 2);
    let [run] = &cgroups::in_use(env.home())[..] else { panic!("one run is alive") };
    env.run(&["stop", "stray"]).ok();
    assert!(!processes::is_alive(third), "and none outlives a stop");
    assert!(!run.exists(), "no cgroup is left of what ended");
    env.run(&["kill"]).ok();
    wait_until("its folder is gone", SOON, || !cgroups::of_home(env.home()).unwrap().exists());
}

#[test]
fn it_is_asked_before_it_is_killed() {
    let Some(env) = caged() else { return };
    let script = "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    let file = env.file("polite.sh", script, 0o755).display().to_string();
    let line = format!("(env -i setsid sh {file} & ) ; exec sleep 1000");
    env.run(&["start", &line, "--name", "polite", "--kill-timeout", "10s"]).ok();
    env.wait_log("polite", "up\n");
    env.run(&["stop", "polite"]).ok();
    env.wait_log("polite", "asked\n");
    assert_eq!(cgroups::in_use(env.home()).len(), 0);
}

#[test]
fn later_daemons_know_it_too() {
    let Some(env) = caged() else { return };
    env.start("stray", &[], &["fork-daemon", "--clean", "--stay"]);
    let hidden = escaped(&env, "stray", 0);
    env.wait_saved();
    env.kill_daemon();
    assert!(processes::is_alive(hidden), "a daemon that dies stops nothing");
    env.run(&["stop", "stray"]).ok();
    assert!(!processes::is_alive(hidden));
    env.run(&["start", "stray"]).ok();
    let hidden = escaped(&env, "stray", 1);
    env.run(&["upgrade"]).ok();
    assert!(processes::is_alive(hidden), "an upgrade stops nothing");
    env.run(&["delete", "stray"]).ok();
    assert!(!processes::is_alive(hidden));
}

#[test]
fn without_treekill_it_lives_on() {
    let Some(env) = caged() else { return };
    env.start("stray", &["--no-treekill"], &["fork-daemon", "--clean", "--stay"]);
    let hidden = escaped(&env, "stray", 0);
    env.run(&["stop", "stray"]).ok();
    assert!(processes::is_alive(hidden), "only the main process was to end");
    processes::signal(hidden, Signal::SIGKILL);
}

#[test]
fn a_reload_ends_the_old_run_only() {
    let Some(env) = caged() else { return };
    env.start("stray", &["--min-uptime", "200ms"], &["fork-daemon", "--clean", "--stay"]);
    let old = escaped(&env, "stray", 0);
    env.run(&["reload", "stray"]).ok();
    let new = escaped(&env, "stray", 1);
    wait_until("the old one is gone", SOON, || !processes::is_alive(old));
    assert!(processes::is_alive(new) && processes::is_alive(env.pid("stray")));
    env.run(&["delete", "stray"]).ok();
    assert!(!processes::is_alive(new));
}

/// A deploy script under velos may start another daemon: that is nothing of the app's.
#[test]
fn a_daemon_that_an_app_started_outlives_the_app() {
    let Some(env) = caged() else { return };
    let mut other = crate::env();
    other.set_home(other.work().join("h"));
    let velos = env!("CARGO_BIN_EXE_velos");
    let line = format!(
        "VELOS_HOME={} {velos} start 'sleep 1000' --name inner > inner.txt 2>&1; echo started; exec sleep 1000",
        other.home().display()
    );
    env.run(&["start", &line, "--name", "outer"]).ok();
    env.wait_log("outer", "started\n");
    let inner = other.pid("inner");
    env.run(&["stop", "outer"]).ok();
    assert!(processes::is_alive(inner) && processes::is_alive(other.hello().pid));
    other.run(&["kill"]).ok();
}
