//! Descriptors: what a child gets, and what happens when there are none left.

use std::time::Duration;

use velos_core::instance::Phase;
use velos_core::protocol::{ListReply, Targets, method};
use velos_testkit::wire::Wire;
use velos_testkit::{SOON, TestEnv, processes, run, skipped, wait_until};

use crate::env;

#[test]
fn a_child_has_three_descriptors() {
    let env = env();
    env.start("busy", &["-i", "5"], &["lines", "0", "--rate", "100"]);
    let clients: Vec<Wire> = (0..50).map(|_| env.wire()).collect();
    for round in 0..3 {
        let name = format!("fds{round}");
        env.start(&name, &[], &["print-fds", "--stay"]);
        let log = env.wait_log(&name, "done\n");
        let numbers: Vec<&str> =
            log.lines().filter_map(|line| line.strip_prefix("fd ")?.split(' ').next()).collect();
        assert_eq!(numbers, ["0", "1", "2"], "{log}");
        // Its input is a FIFO, which nothing on a disk names.
        assert!(log.contains("fd 0 pipe:"), "{log}");
        if round == 1 {
            env.kill_daemon();
        }
    }
    drop(clients);
}

/// Set the daemon's limit of open descriptors.
fn limit(pid: i32, soft: usize) -> bool {
    let mut command = std::process::Command::new("prlimit");
    command.args(["--pid", &pid.to_string(), &format!("--nofile={soft}:")]);
    velos_testkit::program("prlimit").is_some() && run(command).code == 0
}

/// A limit that leaves this many descriptors free, wherever in the table they are.
fn leave_free(env: &TestEnv, pid: i32, free: usize) -> Option<()> {
    let open: Vec<usize> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    let soft = (0..)
        .scan(0, |gaps, number| {
            (*gaps < free || open.contains(&number)).then(|| {
                *gaps += usize::from(!open.contains(&number));
            })
        })
        .count();
    let _ = env;
    limit(pid, soft).then_some(())
}

#[test]
fn no_descriptors_left() {
    let env = env();
    env.start("api", &[], &["lines", "0", "--rate", "500"]);
    let daemon = env.hello().pid;
    let mut friend = env.wire();
    // Room for a client or two, not for the logs of another app.
    if leave_free(&env, daemon, 2).is_none() {
        return skipped("setting a limit of a running process");
    }
    let output = env.try_start("more", &["--no-autorestart"], &["sleep"]);
    output.fails(1, &["Too many open files"]);
    assert!(env.run(&["list"]).ok().stdout.contains("online"), "the others are not disturbed");
    let before = env.instance("api").pid;

    // None at all: who is connected is served, nobody is accepted, and the daemon does not spin.
    leave_free(&env, daemon, 0).unwrap();
    let waiting: Vec<_> = (0..20).map(|_| Wire::silent(env.home())).collect();
    let list: ListReply = friend.call(method::LIST, &Targets::default()).unwrap();
    assert!(
        list.instances.iter().any(|one| one.name == "api" && one.phase == Phase::Online && one.pid == before)
    );
    let used = processes::cpu_ticks(daemon);
    let begin = std::time::Instant::now();
    wait_until("a second has passed", SOON, || begin.elapsed() > Duration::from_secs(1));
    let used = processes::cpu_ticks(daemon) - used;
    assert!(used <= 15, "{used} of 100 ticks in a second of doing nothing");
    env.wait_log("api", "0000000500\n");

    assert!(limit(daemon, 4_096));
    drop(waiting);
    env.start("more", &[], &["sleep"]);
    assert_eq!((env.hello().pid, env.instance("api").pid), (daemon, before));
}

/// Two descriptors and more for each app, in the daemon and in the guardian, and twice as many while one follows another.
#[test]
fn more_apps_than_the_soft_limit_has_room_for() {
    let env = env();
    if velos_testkit::program("prlimit").is_none() {
        return skipped("a low soft limit needs prlimit");
    }
    run(env.command_through(&["prlimit", "--nofile=256:8192"], &["ping"])).ok();
    env.start(
        "app",
        &["-i", "120", "--no-autorestart"],
        &["lines", "0", "--rate", "5", "--size", "60", "--code", "7"],
    );
    env.wait_saved();
    let before: Vec<_> = env.list().into_iter().map(|one| (one.id, one.pid)).collect();
    let hello = env.hello();
    wait_until("the guardian holds all FIFOs", SOON, || pipes(hello.guardian_pid) >= 3 * 120);
    let first = pipes(hello.pid);
    for _ in 0..2 {
        env.kill_daemon();
        let after: Vec<_> = env.list().into_iter().map(|one| (one.id, one.pid)).collect();
        assert_eq!(after, before, "all are adopted");
    }
    wait_until("a later daemon holds no more than the first", SOON, || pipes(env.hello().pid) <= first + 8);
    // What an app says while there is no daemon is heard, whichever it is.
    let (guardian, daemon) = (hello.guardian_pid, env.hello().pid);
    processes::signal(guardian, nix::sys::signal::Signal::SIGSTOP);
    wait_until("the guardian is stopped", SOON, || processes::state(guardian) == Some('T'));
    processes::signal(daemon, nix::sys::signal::Signal::SIGKILL);
    let last = before.last().and_then(|(_, pid)| *pid).unwrap();
    processes::signal(last, nix::sys::signal::Signal::SIGTERM);
    wait_until("both ended", SOON, || !processes::is_alive(daemon) && !processes::is_alive(last));
    processes::signal(guardian, nix::sys::signal::Signal::SIGCONT);
    env.wait_for_daemon_other_than(daemon);
    let log = env.home().join("logs/app-out-119.log");
    wait_until("its last words", SOON, || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains("\nend ") || text.starts_with("end "))
    });
    let ended = env.list().into_iter().find(|one| one.slot == 119).unwrap();
    assert_eq!(ended.exit, Some(velos_core::instance::Exit::Code(7)));
}

/// The daemon raises its own limit, not that of what it starts; also not after an upgrade of both.
#[test]
fn apps_have_the_limit_of_the_shell() {
    let env = env();
    if velos_testkit::program("prlimit").is_none() {
        return skipped("a low soft limit needs prlimit");
    }
    run(env.command_through(&["prlimit", "--nofile=300:4000"], &["ping"])).ok();
    let says = |name: &str| {
        let script = "echo files $(ulimit -S -n) $(ulimit -H -n); exec sleep 1000";
        env.run(&["start", script, "--name", name]).ok();
        env.wait_log(name, "files 300 4000\n");
    };
    says("first");
    let next = env.work().join("velos-next");
    std::fs::copy(env!("CARGO_BIN_EXE_velos"), &next).unwrap();
    env.run(&["upgrade", next.to_str().unwrap()]).ok();
    says("second");
    let guardian = env.hello().guardian_pid;
    wait_until("the guardian follows", SOON, || {
        std::fs::read_link(format!("/proc/{guardian}/exe")).is_ok_and(|path| path == next)
    });
    env.kill_daemon();
    says("third");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", env.hello().pid)).unwrap();
    assert!(limits.lines().any(|line| line.starts_with("Max open files            4000")), "{limits}");
}

/// Descriptors of pipes that a process holds.
fn pipes(pid: i32) -> usize {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let names = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    names.filter(|to| to.to_string_lossy().starts_with("pipe:")).count()
}

#[test]
fn a_guardian_that_is_held_up_misses_nothing() {
    let env = env();
    env.run(&["ping"]).ok();
    let guardian = env.hello().guardian_pid;
    processes::signal(guardian, nix::sys::signal::Signal::SIGSTOP);
    wait_until("the guardian is stopped", SOON, || processes::state(guardian) == Some('T'));
    env.start("app", &["-i", "300", "--kill-timeout", "300ms"], &["sleep"]);
    assert_eq!(env.list().len(), 300, "the daemon does not wait for it");
    let daemon = env.hello().pid;
    processes::signal(guardian, nix::sys::signal::Signal::SIGCONT);
    wait_until("it holds all FIFOs", SOON, || pipes(guardian) >= 3 * 300);
    wait_until("and the daemon no copies for it", SOON, || pipes(daemon) <= 3 * 300 + 8);
    env.run(&["delete", "all"]).ok();
    wait_until("it lets go of them", SOON, || pipes(guardian) == 0);
}

#[test]
fn nothing_leaks() {
    let env = env();
    env.start("api", &["--kill-timeout", "200ms"], &["lines", "5", "--stay"]);
    env.run(&["list"]).ok();
    env.run(&["restart", "api"]).ok();
    let daemon = env.hello().pid;
    let settled = || {
        let mut last = 0;
        wait_until("the number of descriptors settles", SOON, || {
            let now = processes::descriptors(daemon);
            std::mem::replace(&mut last, now) == now
        });
        last
    };
    let before = settled();
    for round in 0..15 {
        env.run(&["restart", "api"]).ok();
        let name = format!("short{round}");
        env.try_start(&name, &["--no-autorestart"], &["exit", "0"]);
        env.run(&["delete", &name]).ok();
    }
    wait_until("as many descriptors as before", SOON, || processes::descriptors(daemon) <= before + 1);
    let zombies = processes::all()
        .into_iter()
        .filter(|pid| processes::parent(*pid) == Some(daemon) && processes::state(*pid) == Some('Z'));
    assert_eq!(zombies.collect::<Vec<_>>(), [0; 0]);
    let left: Vec<_> =
        std::fs::read_dir(env.home().join("run")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("short")), "{left:?}");
}
