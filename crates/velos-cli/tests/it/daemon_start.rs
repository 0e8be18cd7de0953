//! How a daemon comes to be, and how it goes.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::sys::signal::Signal;
use velos_core::event::{DaemonStart, What};
use velos_core::instance::Phase;
use velos_core::protocol::{EventsParams, EventsReply, method};
use velos_testkit::wire::Wire;
use velos_testkit::{SOON, TestEnv, processes, wait_until};

use crate::env;

/// Daemons of this home: processes with a guardian or a daemon's command line.
fn daemons(env: &TestEnv) -> Vec<i32> {
    processes::of_home(env.home())
        .into_iter()
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.windows(6).any(|w| w == b"daemon"))
        })
        .collect()
}

#[test]
fn fifty_commands_at_once_start_one_daemon() {
    let env = env();
    let children: Vec<_> = (0..50)
        .map(|_| {
            env.command(&["ping", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut pids = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let hello: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        pids.push(hello["pid"].as_i64().unwrap());
    }
    pids.dedup();
    assert_eq!(pids.len(), 1, "all found the same daemon");
    let hello = env.hello();
    wait_until("one guardian and one daemon", SOON, || {
        let mut found = daemons(&env);
        found.sort_unstable();
        found == [hello.guardian_pid.min(hello.pid), hello.guardian_pid.max(hello.pid)]
    });
    assert_eq!(processes::parent(hello.pid), Some(hello.guardian_pid));
}

#[test]
fn a_stale_pid_file_and_a_socket_left_behind() {
    let env = env();
    env.run(&["ping"]).ok();
    env.kill_daemon_and_guardian();
    assert!(env.home().join("velos.sock").exists() && env.home().join("velos.pid").exists());
    env.run(&["ping"]).ok();
    env.run(&["kill"]).ok();
    // A pid that runs, but is no daemon; and a socket that nobody listens on.
    std::fs::write(env.home().join("velos.pid"), format!("{}\n", std::process::id())).unwrap();
    drop(std::fs::remove_file(env.home().join("velos.sock")));
    drop(std::os::unix::net::UnixListener::bind(env.home().join("velos.sock")).unwrap());
    env.run(&["ping"]).ok();
    let text = std::fs::read_to_string(env.home().join("velos.pid")).unwrap();
    assert_eq!(text.trim().parse(), Ok(env.hello().pid));
    // Not even a socket.
    env.run(&["kill"]).ok();
    drop(std::fs::remove_file(env.home().join("velos.sock")));
    std::fs::write(env.home().join("velos.sock"), "garbage").unwrap();
    std::fs::write(env.home().join("velos.pid"), "garbage").unwrap();
    env.run(&["ping"]).ok();
}

#[test]
fn it_is_detached_and_private() {
    let env = env();
    env.run(&["ping"]).ok();
    let hello = env.hello();
    for pid in [hello.pid, hello.guardian_pid] {
        let session = nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid))).unwrap();
        assert_eq!(session.as_raw(), hello.guardian_pid, "a session of its own");
        let link = |fd: u32| std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
        assert_eq!(link(0).to_str(), Some("/dev/null"));
        assert_eq!((link(1), link(2)), (env.home().join("daemon.log"), env.home().join("daemon.log")));
        assert_eq!(std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap().to_str(), Some("/"));
    }
    let mode = |name: &str| std::fs::metadata(env.home().join(name)).unwrap().permissions().mode() & 0o777;
    env.start("api", &[], &["lines", "3", "--stay"]);
    env.wait_log("api", "end 3\n");
    wait_until("the table is saved", SOON, || env.home().join("state.mp").exists());
    for (name, expected) in [
        ("", 0o700),
        ("logs", 0o700),
        ("run", 0o700),
        ("pids", 0o700),
        ("velos.sock", 0o600),
        ("velos.pid", 0o600),
        ("state.mp", 0o600),
        ("daemon.log", 0o600),
    ] {
        assert_eq!(mode(name), expected, "mode of {name:?}");
    }
}

#[test]
fn it_keeps_nothing_open_that_its_starter_had() {
    let env = env();
    if velos_testkit::program("flock").is_none() {
        return velos_testkit::skipped("a lock of a shell needs flock");
    }
    let lock = env.work().join("lock");
    let script = "exec 9>\"$0\"; flock 9; exec \"$@\"";
    let lock_text = lock.to_string_lossy();
    let output = velos_testkit::run(env.command_through(&["sh", "-c", script, &lock_text], &["ping"]));
    output.ok();
    let file = std::fs::File::open(&lock).unwrap();
    file.try_lock().expect("the lock is free although the daemon lives");
    assert!(processes::is_alive(env.hello().guardian_pid));
}

#[test]
fn sigterm_is_a_graceful_stop() {
    for to_guardian in [false, true] {
        let env = env();
        env.start("api", &[], &["lines", "0", "--rate", "200"]);
        env.wait_log("api", "0000000020\n");
        let (hello, app) = (env.hello(), env.pid("api"));
        processes::signal(if to_guardian { hello.guardian_pid } else { hello.pid }, Signal::SIGTERM);
        wait_until("all ended", SOON, || {
            [hello.pid, hello.guardian_pid, app].iter().all(|pid| !processes::is_alive(*pid))
        });
        let log = std::fs::read(env.out_log("api")).unwrap();
        assert!(log.windows(4).any(|window| window == b"end "), "the app was asked to end, not killed");
        velos_testkit::numbered::check(&log, 0).unwrap();
        // The app is known to the next daemon, and is not started by itself.
        env.run(&["list"]).ok();
        assert_eq!(env.instance("api").phase, Phase::Stopped);
        env.run(&["start", "api"]).ok();
    }
}

#[test]
fn a_daemon_in_the_foreground() {
    let env = env();
    let mut daemon = env.command(&["daemon"]).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("it answers", SOON, || Wire::try_greeted(env.home()).is_some());
    env.run(&["daemon"]).fails(1, &["a daemon runs already"]);
    env.start("api", &[], &["sleep"]);
    assert_eq!(env.hello().guardian_pid, i32::try_from(daemon.id()).unwrap());
    env.run(&["kill"]).ok();
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn a_torn_table_is_replaced_by_the_older_one() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let pid = env.pid("api");
    let state = env.home().join("state.mp");
    let older = env.home().join("state.mp.1");
    wait_until("both generations are on disk", SOON, || state.exists() && older.exists());
    env.kill_daemon_and_guardian();
    // In its place, as a write that was cut short; the older generation may be the same file on disk.
    let whole = std::fs::read(&state).unwrap();
    std::fs::remove_file(&state).unwrap();
    std::fs::write(&state, &whole[..whole.len() / 2]).unwrap();
    env.run(&["list"]).ok();
    assert_eq!(env.instance("api").pid, Some(pid), "adopted from the older table");
    let events: EventsReply = env.wire().call(method::EVENTS, &EventsParams::default()).unwrap();
    let said = |event: &velos_core::event::Event| matches!(&event.what, What::Note { text } if text.contains("state"));
    assert!(events.events.iter().any(said), "and it is said");
    let how = events.events.iter().find_map(|event| match &event.what {
        What::DaemonStarted { how, adopted } => Some((*how, *adopted)),
        _ => None,
    });
    assert_eq!(how, Some((DaemonStart::Crash, 1)));
}

#[test]
fn without_a_readable_table_what_runs_tells_what_there_is() {
    let env = env();
    env.start("api", &["-i", "2"], &["lines", "0", "--rate", "500", "--size", "60"]);
    env.start("web", &["-e", "GREETING=hello"], &["print-env", "GREETING", "--stay"]);
    env.wait_saved();
    let before: Vec<_> = env.list().into_iter().map(|one| (one.id, one.name, one.slot, one.pid)).collect();
    env.kill_daemon_and_guardian();
    for name in ["state.mp", "state.mp.1"] {
        // A new file: both names may stand for the same one.
        let path = env.home().join(name);
        let _ = std::fs::remove_file(&path);
        std::fs::write(path, "no table").unwrap();
    }
    env.run(&["list"]).ok();
    let after: Vec<_> = env.list().into_iter().map(|one| (one.id, one.name, one.slot, one.pid)).collect();
    assert_eq!(after, before, "adopted by what the processes show");
    assert!(env.list().iter().all(|one| one.phase == Phase::Online));
    assert_eq!(std::fs::read(env.home().join("state.mp.bad")).unwrap(), b"no table");
    assert!(env.daemon_log().contains("3 running processes are taken for what there was"));
    // They are apps again: stopped, started, and not a line is lost.
    let pid = env.pid("web");
    env.run(&["restart", "web"]).ok();
    assert_ne!(env.pid("web"), pid);
    wait_until("it is what it was", SOON, || {
        std::fs::read_to_string(env.out_log("web"))
            .is_ok_and(|log| log.matches("GREETING=hello").count() == 2)
    });
    env.run(&["stop", "api"]).ok();
    for slot in 0..2 {
        let log = env.home().join(format!("logs/api-out-{slot}.log"));
        let whole = || velos_testkit::numbered::whole_log(&log);
        wait_until("the last line", SOON, || String::from_utf8_lossy(&whole()).contains("\nend "));
        assert!(velos_testkit::numbered::check(&whole(), 60).unwrap() > 10);
    }
    // And the next table is a good one.
    env.wait_saved();
    env.kill_daemon();
    assert_eq!(env.list().len(), 3);
}

#[test]
fn a_critical_app_ends_a_daemon_in_the_foreground_with_its_code() {
    let env = env();
    let mut daemon = env
        .command(&["daemon"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the socket", SOON, || env.home().join("velos.sock").exists());
    let text = "[apps.beside]\ncommand = \"exec sleep 1000\"\n[apps.main]\ncommand = \"read word; exit 7\"\n\
                autorestart = false\ncritical = true\n";
    env.file("velos.toml", text, 0o644);
    env.run(&["start", "velos.toml"]).ok();
    let beside = env.pid("beside");
    env.run_with_input(&["attach", "main"], "go\n");
    assert_eq!(daemon.wait().unwrap().code(), Some(7));
    assert!(!velos_testkit::processes::is_alive(beside));
}
