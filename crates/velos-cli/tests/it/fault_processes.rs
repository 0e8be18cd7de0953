//! Apps that misbehave as processes: daemons, deaf ones, stopped ones, orphans, an init that does not reap.

use std::io::Write;
use std::time::Duration;

use nix::sys::signal::Signal;
use velos_core::event::{Cause, What};
use velos_core::instance::{Exit, Phase};
use velos_core::protocol::{EventsParams, EventsReply, method};
use velos_testkit::{SOON, is_root, processes, run, skipped, wait_for, wait_until};

use crate::env;

/// `kill_timeout` by default, and the second that a stop may take on top.
const STOP_MAX: Duration = Duration::from_millis(2_600);

#[test]
fn a_daemonising_child_does_not_escape() {
    let env = env();
    env.start("stray", &[], &["fork-daemon", "--stay"]);
    let log = env.wait_log("stray", "daemon ");
    let daemon: i32 = log.trim().rsplit(' ').next().unwrap().parse().unwrap();
    wait_until("the stray runs", SOON, || processes::of_app(env.home(), "stray").len() == 2);
    assert_ne!(processes::parent(daemon), env.instance("stray").pid);
    let stop = env.run(&["stop", "stray"]).ok();
    assert_eq!(processes::of_app(env.home(), "stray"), [0; 0]);
    assert!(stop.elapsed < STOP_MAX, "{:?}", stop.elapsed);
}

#[test]
fn what_a_leader_left_behind_ends_with_delete() {
    let env = env();
    env.try_start("left", &["--no-autorestart"], &["children", "3", "--own-groups"]);
    env.wait_instance("left", "ended", |one| one.phase == Phase::Stopped);
    env.try_start("stray", &["--no-autorestart"], &["fork-daemon"]);
    env.wait_instance("stray", "ended", |one| one.phase == Phase::Stopped);
    for name in ["left", "stray"] {
        env.run(&["delete", name]).ok();
        assert_eq!(processes::of_app(env.home(), name), [0; 0], "{name}");
    }
}

#[test]
fn a_fresh_run_does_not_meet_the_leftovers_of_the_last() {
    let env = env();
    env.start("tree", &[], &["children", "3", "--stay"]);
    env.wait_log("tree", "3 children\n");
    let leader = env.pid("tree");
    let first = processes::of_app(env.home(), "tree");
    assert_eq!(first.len(), 4);
    processes::signal(leader, Signal::SIGKILL);
    env.wait_instance("tree", "runs again", |one| one.phase == Phase::Online && one.pid != Some(leader));
    assert!(first.iter().all(|pid| !processes::is_alive(*pid)), "nothing of the first run is left");
    wait_until("all of the second", SOON, || processes::of_app(env.home(), "tree").len() == 4);
    env.run(&["restart", "tree"]).ok();
    wait_until("all of the third", SOON, || processes::of_app(env.home(), "tree").len() == 4);
    env.run(&["stop", "tree"]).ok();
    assert_eq!(processes::of_app(env.home(), "tree"), [0; 0]);
}

#[test]
fn deaf_and_stopped_apps_are_stopped() {
    let env = env();
    for (name, word) in [("ignore-term", "deaf\n"), ("stop-self", "stopping\n")] {
        env.start(name, &["--kill-timeout", "600ms"], &[name]);
        env.wait_log(name, word);
        let pid = env.pid(name);
        if name == "stop-self" {
            wait_until("it is stopped by a signal", SOON, || processes::state(pid) == Some('T'));
            assert_eq!(env.instance(name).phase, Phase::Online);
        }
        let stop = env.run(&["stop", name]).ok();
        assert!(!processes::is_alive(pid));
        assert!(stop.elapsed < Duration::from_millis(1_600), "{name}: {:?}", stop.elapsed);
    }
    // Continued, it could act on the polite signal.
    assert_eq!(env.instance("stop-self").exit, Some(Exit::Signal(15)));
}

#[test]
fn a_deaf_child_of_a_polite_leader_is_killed() {
    let env = env();
    let script = "trap 'exit 0' TERM; (trap '' TERM; echo up; while :; do sleep 0.05; done) & wait; wait";
    env.run(&["start", script, "--name", "polite", "--kill-timeout", "400ms"]).ok();
    env.wait_log("polite", "up\n");
    env.run(&["stop", "polite"]).ok();
    assert_eq!(processes::of_app(env.home(), "polite"), [0; 0]);
}

#[test]
fn a_child_that_closes_its_streams_runs_on() {
    let env = env();
    env.start("closed", &[], &["close-stdout", "--stay"]);
    env.wait_log("closed", "closing\n");
    let one = env.instance("closed");
    assert_eq!(one.phase, Phase::Online);
    let before = processes::cpu_ticks(env.hello().pid);
    for _ in 0..20 {
        env.list();
    }
    assert!(processes::cpu_ticks(env.hello().pid) - before < 50, "no spinning on a closed stream");
    env.run(&["restart", "closed"]).ok();
    wait_until("the next run is captured", SOON, || {
        std::fs::read_to_string(env.out_log("closed")).is_ok_and(|log| log == "closing\nclosing\n")
    });
    env.run(&["stop", "closed"]).ok();
}

#[test]
fn an_exit_is_reported_although_a_grandchild_holds_the_streams() {
    let env = env();
    let mut slowest = 0;
    for round in 0..5 {
        let name = format!("holder{round}");
        env.try_start(&name, &["--no-autorestart"], &["hold-stdout", "3"]);
        let ended = env.wait_instance(&name, "ended", |one| one.phase == Phase::Stopped);
        assert_eq!(ended.exit, Some(Exit::Code(3)));
        let left: i64 = env.wait_log(&name, "leaving ").trim().rsplit(' ').next().unwrap().parse().unwrap();
        let params = EventsParams { targets: vec![name.clone()], ..EventsParams::default() };
        let events: EventsReply = env.wire().call(method::EVENTS, &params).unwrap();
        let at = events.events.iter().find_map(|event| match &event.what {
            What::Transition { cause: Cause::Exited { .. }, .. } => Some(event.at_ms),
            _ => None,
        });
        slowest = slowest.max(at.unwrap() - left);
        env.run(&["delete", &name]).ok();
        assert_eq!(processes::of_app(env.home(), &name), [0; 0]);
    }
    assert!(slowest <= 50, "an exit was reported after {slowest} ms");
}

/// Strays are known by the number of their run, which says nothing unless it differs from home to home.
#[test]
fn homes_on_one_machine_do_not_touch_each_other() {
    let (one, other) = (env(), env());
    one.start("api", &[], &["fork-daemon", "--stay"]);
    other.start("api", &[], &["fork-daemon", "--stay"]);
    for env in [&one, &other] {
        wait_until("app and stray run", SOON, || processes::of_app(env.home(), "api").len() == 2);
        env.wait_saved();
    }
    // Now its apps have a new parent, as strays have.
    other.kill_daemon();
    let before = processes::of_app(other.home(), "api");
    one.run(&["restart", "api"]).ok();
    one.run(&["stop", "api"]).ok();
    one.run(&["kill"]).ok();
    assert_eq!(processes::of_app(other.home(), "api"), before);
    assert_eq!(other.instance("api").restarts, 0);
}

/// A daemon that was started by a command inside an app is no part of that app, also when it is the app's own.
#[test]
fn a_daemon_started_by_an_app_is_not_a_part_of_it() {
    let env = env();
    let other = env.work().join("other");
    let script = format!(
        "echo up; read x; \"$1\" ping; VELOS_HOME={} \"$1\" ping; echo pinged; exec sleep 1000",
        other.display()
    );
    env.run(&["start", &script, "--name", "deploy", "--", env!("CARGO_BIN_EXE_velos")]).ok();
    env.wait_log("deploy", "up\n");
    let pid = env.pid("deploy");
    let input = std::fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/fd/0")).unwrap();
    env.wait_saved();
    env.kill_daemon_and_guardian();
    (&input).write_all(b"go\n").unwrap();
    env.wait_log("deploy", "pinged\n");
    let daemons = |home: &std::path::Path| {
        let hello = velos_testkit::wire::Wire::greeted(home).hello;
        [hello.pid, hello.guardian_pid]
    };
    let before = (daemons(env.home()), daemons(&other));
    env.run(&["stop", "deploy"]).ok();
    assert!(!processes::is_alive(pid));
    assert_eq!((daemons(env.home()), daemons(&other)), before);
    for pid in before.1.into_iter().chain(before.0) {
        assert!(processes::is_alive(pid));
        assert!(!processes::has_variable(pid, b"VELOS_NAME=deploy"));
    }
    processes::end_all_of(&other);
}

#[test]
fn many_short_grandchildren_are_reaped() {
    let env = env();
    let script = "n=0; while [ $n -lt 300 ]; do (sleep 0 & ) ; n=$((n+1)); done; echo made; exec sleep 1000";
    env.run(&["start", script, "--name", "maker"]).ok();
    env.wait_log("maker", "made\n");
    let hello = env.hello();
    wait_until("no zombie is left", SOON, || {
        !processes::all().into_iter().any(|pid| {
            processes::state(pid) == Some('Z')
                && processes::parent(pid)
                    .is_some_and(|parent| parent == hello.pid || parent == hello.guardian_pid)
        })
    });
}

#[test]
fn an_init_that_does_not_reap() {
    let env = env();
    if !is_root()
        || velos_testkit::program("unshare").is_none()
        || velos_testkit::program("nsenter").is_none()
    {
        return skipped("a process namespace needs root, unshare and nsenter");
    }
    let mut unshare = std::process::Command::new("unshare");
    unshare.args(["--pid", "--fork", "--mount-proc", "--kill-child", env.fixture(), "no-reap"]);
    let Ok(mut outer) = unshare.stdin(std::process::Stdio::null()).spawn() else {
        return skipped("unshare cannot be started");
    };
    let outer_pid = i32::try_from(outer.id()).unwrap();
    let children =
        |pid: i32| processes::all().into_iter().find(|child| processes::parent(*child) == Some(pid));
    let init = wait_for("a process namespace", SOON, || match outer.try_wait().unwrap() {
        Some(_) => Some(None),
        None => children(outer_pid).map(Some),
    });
    let Some(init) = init else { return skipped("no process namespace can be made here") };
    let init_text = init.to_string();
    let inside = ["nsenter", "--target", &init_text, "--pid", "--mount"];
    let velos = |args: &[&str]| run(env.command_through(&inside, args));

    velos(&[
        "start",
        env.fixture(),
        "--name",
        "api",
        "--no-autorestart",
        "--",
        "crash-after",
        "1500",
        "--code",
        "7",
    ])
    .ok();
    velos(&["start", env.fixture(), "--name", "stays", "--", "sleep"]).ok();
    let apps: Vec<i32> =
        ["api", "stays"].iter().flat_map(|name| processes::of_app(env.home(), name)).collect();
    assert_eq!(apps.len(), 2);
    // Daemon and guardian, seen from outside: everything of the home that is no app.
    for pid in processes::of_home(env.home()).into_iter().filter(|pid| !apps.contains(pid)) {
        processes::signal(pid, Signal::SIGKILL);
    }
    wait_until("only the apps are left", SOON, || processes::of_home(env.home()).len() == apps.len());
    velos(&["list"]).ok();
    // The app ends and stays a zombie for ever, because nobody collects it; it must not count as running.
    let json = wait_for("the exit is seen", SOON, || {
        let list = velos(&["list", "--json"]).ok().stdout;
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        list.into_iter().find(|one| one["name"] == "api" && one["phase"] == "stopped")
    });
    let exit = &json["exit"];
    assert!(*exit == "unknown" || exit["code"] == 7, "it ended with {exit}: never a made-up code");
    // And what runs is still stopped for good.
    velos(&["stop", "stays"]).ok();
    assert_eq!(processes::of_app(env.home(), "stays"), [0; 0]);
    velos(&["kill"]).ok();
    outer.kill().unwrap();
    outer.wait().unwrap();
}
