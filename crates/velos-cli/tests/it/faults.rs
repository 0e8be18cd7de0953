//! Faults as faults: what is killed, full, hung or abused must not take anything else along.

use std::time::{Duration, Instant};

use velos_core::instance::{Exit, Phase};
use velos_testkit::{SOON, is_root, numbered, processes, skipped, wait_until};

use crate::env;

#[test]
fn sigkill_of_the_daemon_loses_no_line_and_keeps_every_process() {
    let env = env();
    let names: Vec<String> = (0..20).map(|n| format!("w{n}")).collect();
    for name in &names {
        env.start(name, &["--no-autorestart"], &["lines", "20000"]);
    }
    // A change is acknowledged a moment before it is on disk; what is shown here begins after that moment.
    let table = env.home().join("state.mp");
    let written = || std::fs::read(&table).is_ok_and(|bytes| bytes.windows(3).any(|name| name == b"w19"));
    wait_until("the table on disk", SOON, written);
    let pids: Vec<i32> = env.list().iter().filter_map(|one| one.pid).collect();
    for _ in 0..4 {
        env.kill_daemon();
    }
    let after: Vec<i32> = env.list().iter().filter_map(|one| one.pid).collect();
    assert!(after.iter().all(|pid| pids.contains(pid)), "{pids:?} {after:?}");
    for name in &names {
        let done = env.wait_instance(name, "done", |one| one.phase == Phase::Stopped);
        // Unknown: collected by a daemon that was killed before it had written that down.
        assert!(matches!(done.exit, Some(Exit::Code(0) | Exit::Unknown)), "{name}: {:?}", done.exit);
        wait_until("the log", SOON, || {
            numbered::whole_log(&env.out_log(name)).ends_with(&numbered::end(20_000))
        });
        numbered::check(&numbered::whole_log(&env.out_log(name)), 0).unwrap();
    }
}

#[test]
fn sigkill_of_daemon_and_guardian_is_survived() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let pid = env.pid("api");
    env.kill_daemon_and_guardian();
    assert!(processes::is_alive(pid));
    env.run(&["list"]).ok();
    assert_eq!(env.pid("api"), pid);
    env.run(&["stop", "api"]).ok();
    assert!(!processes::is_alive(pid));
}

#[test]
fn an_upgrade_keeps_every_process_and_a_bad_one_changes_nothing() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let pid = env.pid("api");
    env.run(&["upgrade", "/bin/false"]).fails(1, &["exit code 1", "goes on"]);
    let crasher = env.file("crasher", "#!/bin/sh\nsleep 1\nexit 9\n", 0o755);
    env.run(&["upgrade", &crasher.to_string_lossy()]).fails(1, &["exit code 9"]);
    let daemon = env.hello().pid;
    env.run(&["upgrade"]).ok();
    assert_eq!(env.hello().pid, daemon);
    assert_eq!((env.pid("api"), env.instance("api").restarts), (pid, 0));
}

#[test]
fn stop_ends_what_ignores_sigterm_and_what_ran_away() {
    let env = env();
    env.start("deaf", &["--kill-timeout", "200"], &["ignore-term"]);
    env.start("forker", &["--kill-timeout", "200"], &["fork-daemon", "--stay"]);
    wait_until("the stray", SOON, || processes::of_app(env.home(), "forker").len() > 1);
    env.run(&["stop", "all"]).ok();
    for name in ["deaf", "forker"] {
        assert!(processes::of_app(env.home(), name).is_empty(), "{name}");
    }
}

#[test]
fn a_burst_before_the_end_is_whole() {
    let env = env();
    env.start("burst", &["--no-autorestart"], &["burst", "1048576"]);
    env.wait_instance("burst", "done", |one| one.phase == Phase::Stopped);
    assert!(numbered::whole_log(&env.out_log("burst")) == numbered::burst(1 << 20));
}

#[test]
fn two_dozen_first_commands_start_one_daemon() {
    let env = env();
    let children: Vec<_> = (0..24).map(|_| env.command(&["ping"]).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let daemons = processes::of_home(env.home());
    assert_eq!(daemons.len(), 2, "a guardian and a daemon: {daemons:?}");
}

#[test]
fn abused_connections_hurt_nobody_else() {
    use std::io::Write;
    let env = env();
    env.start("api", &[], &["sleep"]);
    let idle: Vec<_> = (0..1000).map(|_| velos_testkit::wire::Wire::silent(env.home())).collect();
    let mut huge = velos_testkit::wire::Wire::silent(env.home());
    huge.write_all(&[0xff; 8]).unwrap();
    assert!(velos_testkit::wire::is_hung_up(&mut huge, SOON));
    let mut garbage = velos_testkit::wire::Wire::silent(env.home());
    garbage.write_all(&velos_testkit::wire::framed(b"\xc1\xc1\xc1")).unwrap();
    assert!(velos_testkit::wire::is_hung_up(&mut garbage, SOON));
    let mut half = velos_testkit::wire::Wire::silent(env.home());
    half.write_all(&[0, 0, 1]).unwrap();
    assert_eq!(env.list().len(), 1);
    assert!(processes::rss_bytes(env.hello().pid) < 40 << 20);
    assert!(velos_testkit::wire::is_hung_up(&mut half, Duration::from_secs(15)));
    drop(idle);
}

#[test]
fn a_full_log_disk_is_counted_and_recovers() {
    if !is_root() {
        return skipped("mounting needs root");
    }
    let env = env();
    env.run(&["ping"]).ok();
    let disk = match velos_testkit::disks::Disk::small(&env.home().join("logs"), 1 << 20) {
        Ok(disk) => disk,
        Err(why) => return skipped(&why),
    };
    env.start("api", &[], &["flood"]);
    let lossy = env.wait_instance("api", "losing lines", |one| one.dropped_lines > 0);
    assert!(lossy.log_errno.is_some());
    assert_eq!(lossy.phase, Phase::Online);
    env.run(&["stop", "api"]).ok();
    env.run(&["kill"]).ok();
    drop(disk);
}

#[test]
fn a_hung_log_disk_does_not_hang_the_daemon() {
    if !is_root() {
        return skipped("mounting needs root");
    }
    let env = env();
    env.run(&["ping"]).ok();
    let image = env.work().join("disk.img");
    let disk = match velos_testkit::disks::Disk::freezable(&env.home().join("logs"), &image) {
        Ok(disk) => disk,
        Err(why) => return skipped(&why),
    };
    env.start("api", &[], &["lines", "1000000", "--rate", "1000"]);
    env.wait_log("api", "1");
    if let Err(why) = disk.freeze() {
        return skipped(&why);
    }
    let mut wire = env.wire();
    for _ in 0..20 {
        let before = Instant::now();
        let _: velos_core::protocol::ListReply =
            wire.call(velos_core::protocol::method::LIST, &velos_core::protocol::Targets::default()).unwrap();
        assert!(before.elapsed() < Duration::from_millis(50), "{:?}", before.elapsed());
    }
    let stopped = env.run(&["stop", "api"]);
    disk.thaw().unwrap();
    stopped.ok();
}
