//! The daemon dies at any moment: no line is lost or doubled, the processes are the same, exits in the gap are known.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use velos_core::event::{DaemonStart, What};
use velos_core::instance::{Exit, Phase};
use velos_core::protocol::{EventsParams, EventsReply, method};
use velos_testkit::numbered::{check, whole_log};
use velos_testkit::{SOON, TestEnv, processes, wait_until};

use crate::env;

const APPS: usize = 20;
const SIZE: &str = "60";

fn name(number: usize) -> String {
    format!("app{number}")
}

/// Twenty apps that write numbered lines to both streams until they are asked to end.
fn start_writers(env: &TestEnv, code: impl Fn(usize) -> i32) {
    let starters: Vec<_> = (0..APPS)
        .map(|number| {
            let (name, code) = (name(number), code(number).to_string());
            // Every fourth as fast as it can, the others at a pace.
            let rate = if number % 4 == 0 { "4000" } else { "300" };
            let words = ["lines", "0", "--err", "--size", SIZE, "--rate", rate, "--code", &code];
            let flags = ["--name", &name, "--no-autorestart", "--"];
            env.command(&[&["start", env.fixture()], &flags[..], &words].concat())
                .stdout(std::process::Stdio::null())
                .spawn()
        })
        .collect();
    for starter in starters {
        assert!(starter.unwrap().wait().unwrap().success());
    }
    env.wait_saved();
}

fn pids(env: &TestEnv) -> Vec<(String, Option<i32>)> {
    let mut pids: Vec<_> = env.list().into_iter().map(|one| (one.name, one.pid)).collect();
    pids.sort();
    pids
}

/// Both logs of an app hold every line that it wrote, once, in order, up to its last.
#[track_caller]
fn is_complete(env: &TestEnv, name: &str) -> u64 {
    let mut counts = Vec::new();
    for log in [env.out_log(name), env.err_log(name)] {
        wait_until(&format!("the last line in {}", log.display()), SOON, || {
            let whole = whole_log(&log);
            let last = whole.strip_suffix(b"\n").and_then(|rest| rest.rsplit(|byte| *byte == b'\n').next());
            last.is_some_and(|last| last.starts_with(b"end "))
        });
        counts.push(
            check(&whole_log(&log), SIZE.parse().unwrap())
                .unwrap_or_else(|why| panic!("{}: {why}", log.display())),
        );
    }
    assert_eq!(counts[0], counts[1], "{name}: both streams have the same lines");
    counts[0]
}

#[test]
fn sigkill_of_the_daemon_at_any_moment() {
    let env = env();
    start_writers(&env, |_| 0);
    let before = pids(&env);
    let guardian = env.hello().guardian_pid;
    let mut slowest = Duration::ZERO;
    for round in 0..6u32 {
        // A moment that differs from round to round and from run to run; some come while it is still starting.
        let moment = (std::process::id().wrapping_mul(2_654_435_761).wrapping_add(round * 40_503) >> 7) % 150;
        let begin = Instant::now();
        wait_until("the moment has come", SOON, || {
            begin.elapsed() >= Duration::from_millis(u64::from(moment))
        });
        let killed = Instant::now();
        let now = env.kill_daemon();
        slowest = slowest.max(killed.elapsed());
        assert_eq!(now.guardian_pid, guardian);
    }
    assert_eq!(pids(&env), before, "the same processes, adopted");
    let list = env.list();
    assert!(list.iter().all(|one| one.phase == Phase::Online && one.restarts == 0 && one.dropped_lines == 0));
    assert!(slowest < Duration::from_secs(2), "a daemon was back after {slowest:?}");
    let app = before.first().and_then(|(_, pid)| *pid).unwrap();
    assert_eq!(processes::parent(app), Some(guardian), "the guardian is their parent now");
    env.run(&["stop", "all"]).ok();
    let lines: u64 = (0..APPS).map(|number| is_complete(&env, &name(number))).sum();
    assert!(lines > 1_000, "{lines} lines");
    let events: EventsReply = env.wire().call(method::EVENTS, &EventsParams::default()).unwrap();
    let sequences: Vec<u64> = events.events.iter().map(|event| event.sequence).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
}

#[test]
fn exits_while_there_is_no_daemon_are_known() {
    let env = env();
    start_writers(&env, |number| 40 + i32::try_from(number).unwrap());
    let before = pids(&env);
    let hello = env.hello();
    // A guardian that cannot act makes the gap as long as we want.
    processes::signal(hello.guardian_pid, Signal::SIGSTOP);
    wait_until("the guardian is stopped", SOON, || processes::state(hello.guardian_pid) == Some('T'));
    processes::signal(hello.pid, Signal::SIGKILL);
    wait_until("the daemon is dead", SOON, || !processes::is_alive(hello.pid));
    let leaving = 10;
    for number in 0..leaving {
        let pid = before.iter().find(|(known, _)| *known == name(number)).and_then(|(_, pid)| *pid).unwrap();
        // Number 9 has no time for last words.
        processes::signal(pid, if number == 9 { Signal::SIGKILL } else { Signal::SIGTERM });
        wait_until("it ended in the gap", SOON, || !processes::is_alive(pid));
    }
    processes::signal(hello.guardian_pid, Signal::SIGCONT);
    env.wait_for_daemon_other_than(hello.pid);
    for number in 0..leaving {
        let ended = env.wait_instance(&name(number), "is stopped", |one| one.phase == Phase::Stopped);
        let expected =
            if number == 9 { Exit::Signal(9) } else { Exit::Code(40 + i32::try_from(number).unwrap()) };
        assert_eq!(ended.exit, Some(expected), "{}", name(number));
        if number != 9 {
            is_complete(&env, &name(number));
        }
    }
    for (name, pid) in pids(&env).iter().filter(|(name, _)| name[3..].parse::<usize>().unwrap() >= leaving) {
        assert!(before.contains(&(name.clone(), *pid)), "{name} is the same process");
    }
    env.run(&["stop", "all"]).ok();
    for number in leaving..APPS {
        is_complete(&env, &name(number));
    }
}

#[test]
fn an_app_that_crashed_in_the_gap_is_started_again() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    env.wait_saved();
    let (hello, pid) = (env.hello(), env.pid("api"));
    processes::signal(hello.guardian_pid, Signal::SIGSTOP);
    processes::signal(hello.pid, Signal::SIGKILL);
    wait_until("the daemon is dead", SOON, || !processes::is_alive(hello.pid));
    processes::signal(pid, Signal::SIGABRT);
    wait_until("the app is dead", SOON, || !processes::is_alive(pid));
    processes::signal(hello.guardian_pid, Signal::SIGCONT);
    env.wait_for_daemon_other_than(hello.pid);
    let now =
        env.wait_instance("api", "runs again", |one| one.phase == Phase::Online && one.pid != Some(pid));
    assert_eq!((now.restarts, now.exit), (1, Some(Exit::Signal(6))));
}

#[test]
fn sigkill_of_daemon_and_guardian() {
    let env = env();
    start_writers(&env, |number| 40 + i32::try_from(number).unwrap());
    let before = pids(&env);
    env.kill_daemon_and_guardian();
    assert!(before.iter().all(|(_, pid)| pid.is_some_and(processes::is_alive)), "apps do not need a daemon");
    // The next command adopts.
    env.run(&["list"]).ok();
    assert_eq!(pids(&env), before, "the same processes");
    assert!(env.list().iter().all(|one| one.phase == Phase::Online && one.restarts == 0));
    let events: EventsReply = env.wire().call(method::EVENTS, &EventsParams::default()).unwrap();
    let started = events.events.iter().rev().find_map(|event| match event.what {
        What::DaemonStarted { how, adopted } => Some((how, adopted)),
        _ => None,
    });
    assert_eq!(started, Some((DaemonStart::Crash, u32::try_from(APPS).unwrap())));
    // They are no children of the new daemon; their exit codes are learnt all the same where the kernel tells.
    let kernel = nix::sys::utsname::uname().unwrap().release().to_string_lossy().into_owned();
    let version: Vec<u32> = kernel.split(['.', '-']).take(2).filter_map(|part| part.parse().ok()).collect();
    for number in 0..5 {
        let name = name(number);
        processes::signal(env.pid(&name), Signal::SIGTERM);
        let ended = env.wait_instance(&name, "is stopped", |one| one.phase == Phase::Stopped);
        if version >= vec![6, 15] {
            assert_eq!(ended.exit, Some(Exit::Code(40 + i32::try_from(number).unwrap())), "{name}");
        } else {
            velos_testkit::skipped(&format!(
                "exit codes of foreign processes: kernel {kernel} does not tell"
            ));
            assert!(matches!(ended.exit, Some(Exit::Unknown | Exit::Code(_))), "{name}");
        }
        is_complete(&env, &name);
    }
    env.run(&["stop", "all"]).ok();
    for number in 5..APPS {
        is_complete(&env, &name(number));
    }
    assert!(before.iter().all(|(_, pid)| pid.is_some_and(|pid| !processes::is_alive(pid))));
}

#[test]
fn sigkill_of_the_guardian_alone() {
    let env = env();
    env.start("api", &[], &["lines", "0", "--rate", "500", "--size", SIZE, "--err"]);
    let (hello, pid) = (env.hello(), env.pid("api"));
    processes::signal(hello.guardian_pid, Signal::SIGKILL);
    wait_until("it is dead", SOON, || !processes::is_alive(hello.guardian_pid));
    env.start("other", &[], &["sleep"]);
    assert_eq!((env.hello().pid, env.pid("api")), (hello.pid, pid), "the daemon goes on without one");
    env.run(&["stop", "api"]).ok();
    is_complete(&env, "api");
}

#[test]
fn a_command_in_flight_is_told_that_the_daemon_went() {
    let env = env();
    env.start("deaf", &["--kill-timeout", "20s"], &["ignore-term"]);
    env.wait_log("deaf", "deaf\n");
    let stop = env.command(&["stop", "deaf"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    env.wait_instance("deaf", "is stopping", |one| one.phase == Phase::Stopping);
    env.kill_daemon();
    let output = stop.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("went away before it answered") && stderr.contains("try again"), "{stderr}");
    // Asked again it goes through.
    processes::signal(env.pid("deaf"), Signal::SIGKILL);
    env.run(&["stop", "deaf"]).ok();
}

#[test]
fn a_stop_under_way_is_finished_by_the_next_daemon() {
    let env = env();
    env.start("deaf", &["--kill-timeout", "1s"], &["ignore-term"]);
    env.wait_log("deaf", "deaf\n");
    let pid = env.pid("deaf");
    let mut stop = env.command(&["stop", "deaf"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    env.wait_instance("deaf", "is stopping", |one| one.phase == Phase::Stopping);
    env.wait_saved();
    env.kill_daemon();
    assert_eq!(env.instance("deaf").goal, velos_core::instance::Goal::Down);
    env.wait_instance("deaf", "is stopped", |one| one.phase == Phase::Stopped);
    assert!(!processes::is_alive(pid));
    stop.wait().unwrap();
}

#[test]
fn a_daemon_that_dies_at_its_start_again_and_again() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let pid = env.pid("api");
    let mut last = env.hello().pid;
    for _ in 0..4 {
        processes::signal(last, Signal::SIGKILL);
        last = env.wait_for_daemon_other_than(last).pid;
    }
    assert_eq!(env.pid("api"), pid);
    assert!(env.daemon_log().contains("next try in"), "{}", env.daemon_log());
}

#[test]
fn a_guardian_that_waits_to_try_again_ends_when_asked() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let (pid, guardian) = (env.pid("api"), env.hello().guardian_pid);
    // Each pause is longer than the one before; one of them is long enough to be met.
    wait_until("it ended in a pause", SOON, || {
        let text = std::fs::read_to_string(env.home().join("velos.pid")).unwrap();
        match text.trim().parse().ok().filter(|daemon| processes::is_alive(*daemon)) {
            Some(daemon) => processes::signal(daemon, Signal::SIGKILL),
            None if env.daemon_log().contains("next try in 1") => {
                processes::signal(guardian, Signal::SIGTERM)
            }
            None => {}
        }
        env.daemon_log().contains("asked to end while no daemon runs")
    });
    wait_until("it is gone", SOON, || !processes::is_alive(guardian));
    env.run(&["list"]).ok();
    assert_eq!(env.pid("api"), pid, "adopted by the next");
}
