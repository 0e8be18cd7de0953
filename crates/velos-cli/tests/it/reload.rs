//! Reload: never without a process, never with a bad one.

use velos_core::instance::Phase;
use velos_testkit::{SOON, TestEnv, processes, wait_until};

use crate::env;

/// An app that ends at once while there is a file named `broken`.
fn start_app(env: &TestEnv, instances: &str) {
    let script = env.work().join("app.sh");
    std::fs::write(
        &script,
        "#!/bin/sh\nif [ -f broken ]; then echo it is broken >&2; exit 3; fi\nexec sleep 1000\n",
    )
    .unwrap();
    env.run(&["start", "app.sh", "--name", "api", "-i", instances, "--min-uptime", "150ms"]).ok();
    // Before that it has not looked yet whether it is broken.
    let looked = |pid: i32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.starts_with(b"sleep"))
    };
    wait_until("all have looked", SOON, || pids(env).iter().all(|(_, pid)| looked(*pid)));
}

fn pids(env: &TestEnv) -> Vec<(u32, i32)> {
    env.list().into_iter().filter_map(|one| Some((one.id.0, one.pid?))).collect()
}

#[test]
fn every_instance_gets_a_new_process_under_its_id() {
    let env = env();
    start_app(&env, "3");
    let before = pids(&env);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut fewest = usize::MAX;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let online = env.list().into_iter().filter(|one| one.phase == Phase::Online).count();
                fewest = fewest.min(online);
            }
            fewest
        });
        let output = env.run(&["reload", "api"]).ok();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(watch.join().unwrap(), 3, "there are always three that work");
        assert_eq!(output.stdout.matches("reloaded (PID: ").count(), 3, "{output:?}");
    });
    let after = pids(&env);
    assert_eq!(after.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [0, 1, 2]);
    for ((_, old), (id, new)) in before.iter().zip(&after) {
        assert_ne!(old, new, "instance {id}");
        assert!(!processes::is_alive(*old) && processes::is_alive(*new));
    }
    assert!(env.list().iter().all(|one| one.restarts == 1));
    let file = env.home().join("pids/api-1.pid");
    wait_until("the pid file follows", SOON, || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.trim() == after[1].1.to_string())
    });
}

#[test]
fn a_new_process_that_fails_leaves_the_old_ones() {
    let env = env();
    start_app(&env, "2");
    let before = pids(&env);
    std::fs::write(env.work().join("broken"), "").unwrap();
    let output = env.run(&["reload", "api"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("the new process failed: it ended with exit code 3; the old one goes on"));
    assert!(output.stderr.contains("not reloaded, because the one before it failed"), "{}", output.stderr);
    assert_eq!(pids(&env), before, "nothing was touched and nothing is left");
    assert!(env.list().iter().all(|one| one.restarts == 0));
    std::fs::remove_file(env.work().join("broken")).unwrap();
    env.run(&["reload", "api:1"]).ok();
    let after = pids(&env);
    assert_eq!(after[0], before[0]);
    assert_ne!(after[1], before[1]);
}

#[test]
fn output_before_and_after_is_in_one_log() {
    let env = env();
    std::fs::write(env.work().join("talk.sh"), "#!/bin/sh\necho pid $$ speaks\nexec sleep 1000\n").unwrap();
    env.run(&["start", "talk.sh", "--name", "api", "--min-uptime", "50ms"]).ok();
    env.wait_log("api", "speaks\n");
    let old = env.pid("api");
    env.run(&["reload", "api"]).ok();
    let new = env.pid("api");
    for pid in [old, new] {
        env.wait_log("api", &format!("pid {pid} speaks\n"));
    }
    // The log is still written by the process that took over, also for a later daemon.
    env.wait_saved();
    env.kill_daemon();
    assert_eq!(env.pid("api"), new, "adopted");
    env.run(&["restart", "api"]).ok();
    env.wait_log("api", &format!("pid {} speaks\n", env.pid("api")));
}

#[test]
fn a_daemon_that_dies_in_the_middle_keeps_the_old_process() {
    let env = env();
    start_app(&env, "1");
    env.run(&["delete", "api"]).ok();
    env.run(&["start", "app.sh", "--name", "api", "--min-uptime", "20s"]).ok();
    let old = env.pid("api");
    let mut reload = env.command(&["reload", "api"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait_until("the stand-in runs", SOON, || pids(&env).len() == 2);
    env.wait_saved();
    env.kill_daemon();
    assert_ne!(reload.wait().unwrap().code(), Some(0));
    wait_until("the stand-in is gone", SOON, || env.list().len() == 1);
    assert_eq!(env.pid("api"), old);
    assert_eq!(processes::of_app(env.home(), "api"), [old]);
}

#[test]
fn a_stop_ends_a_reload() {
    let env = env();
    start_app(&env, "1");
    env.run(&["delete", "api"]).ok();
    env.run(&["start", "app.sh", "--name", "api", "--min-uptime", "20s"]).ok();
    let reload = env.command(&["reload", "api"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    wait_until("the stand-in runs", SOON, || pids(&env).len() == 2);
    env.run(&["stop", "api"]).ok();
    let output = reload.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(processes::of_app(env.home(), "api").is_empty());
    wait_until("the stand-in is gone", SOON, || env.list().len() == 1);
}

#[test]
fn what_does_not_run_is_started() {
    let env = env();
    start_app(&env, "1");
    env.run(&["stop", "api"]).ok();
    env.run(&["reload", "api"]).ok();
    assert_eq!(env.instance("api").phase, Phase::Online);
}
