//! Start, stop, restart, delete, and what becomes of an app in between.

use std::time::Duration;

use serde_json::Value;
use velos_core::instance::{Exit, Phase};
use velos_testkit::{SOON, processes, wait_until};

use crate::env;

#[test]
fn start_stop_start_restart_delete() {
    let env = env();
    let told = env.start("api", &[], &["sleep"]);
    let first = env.instance("api");
    assert_eq!(told.stdout, format!("[OK] Process \"api\" started (PID: {})\n", first.pid.unwrap()));
    assert_eq!((first.phase, first.restarts), (Phase::Online, 0));
    assert!(processes::is_alive(first.pid.unwrap()));

    let told = env.run(&["stop", "api"]).ok();
    assert_eq!(told.stdout, "[OK] Process \"api\" stopped\n");
    assert!(!processes::is_alive(first.pid.unwrap()));
    assert_eq!((env.instance("api").phase, env.instance("api").pid), (Phase::Stopped, None));

    let told = env.run(&["stop", "api"]).ok();
    assert_eq!(told.stdout, "[OK] Process \"api\" was stopped already\n");

    env.run(&["start", "api"]).ok();
    let second = env.pid("api");
    assert_ne!(Some(second), first.pid);

    env.run(&["restart", "api"]).ok();
    let third = env.instance("api");
    assert_ne!(third.pid, Some(second));
    assert!(!processes::is_alive(second));
    assert_eq!((third.phase, third.restarts, third.id), (Phase::Online, 1, first.id));

    env.run(&["delete", "api"]).ok();
    assert!(env.list().is_empty());
    assert!(!processes::is_alive(third.pid.unwrap()));
    assert!(env.out_log("api").exists(), "the logs of a deleted app stay");
    assert_eq!(processes::of_app(env.home(), "api"), [0; 0]);
}

#[test]
fn a_known_name_starts_what_is_stopped_and_restarts_what_runs() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let before = env.pid("api");
    env.run(&["start", "api"]).ok();
    assert_ne!(env.pid("api"), before);
    env.run(&["stop", "0"]).ok();
    env.run(&["start", "0"]).ok();
    assert_eq!(env.instance("api").phase, Phase::Online);
    assert_eq!(env.list().len(), 1);
}

#[test]
fn an_app_that_dies_comes_back_at_once() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    for round in 1..=3 {
        let before = env.pid("api");
        // Long enough alive to be stable, so that the next start is immediate each time.
        wait_until("the app is stable", SOON, || env.instance("api").uptime_ms.is_some_and(|ms| ms > 1_000));
        processes::signal(before, nix::sys::signal::Signal::SIGKILL);
        let now = env.wait_instance("api", "runs again", |one| one.pid.is_some_and(|pid| pid != before));
        assert_eq!(now.restarts, round);
        assert_eq!(now.exit, Some(Exit::Signal(9)));
    }
}

#[test]
fn a_crash_loop_backs_off_and_is_given_up() {
    let env = env();
    env.try_start("bad", &["--max-restarts", "3"], &["exit", "7", "--err", "no database"]);
    let given_up = env.wait_instance("bad", "is errored", |one| one.phase == Phase::Errored);
    assert_eq!((given_up.restarts, given_up.exit), (3, Some(Exit::Code(7))));
    let list = env.run(&["list"]).ok();
    assert!(
        list.stdout.contains(
            "! bad is errored: it ended with exit code 7, saying \"no database\"; see `velos why bad`"
        ),
        "{}",
        list.stdout
    );
    let why = env.run(&["why", "bad"]).ok();
    for words in
        ["bad is errored", "it ended with exit code 7 after", "no database", "next: nothing: it was given up"]
    {
        assert!(why.stdout.contains(words), "no {words:?} in {}", why.stdout);
    }
    env.try_start("bad", &["--max-restarts", "0"], &["exit", "7"]);
    env.wait_instance("bad", "is errored again", |one| one.phase == Phase::Errored);
}

#[test]
fn without_autorestart_it_stays_stopped() {
    let env = env();
    env.try_start("job", &["--no-autorestart"], &["crash-after", "50", "--code", "3"]);
    let ended = env.wait_instance("job", "is stopped", |one| one.phase == Phase::Stopped);
    assert_eq!((ended.restarts, ended.exit), (0, Some(Exit::Code(3))));
    env.try_start("done", &["--stop-exit-codes", "0,3"], &["crash-after", "50", "--code", "3"]);
    env.wait_instance("done", "is stopped", |one| one.phase == Phase::Stopped);
}

#[test]
fn the_environment_of_an_app() {
    let env = env();
    env.set_variable("FROM_CALLER", "caller");
    env.set_variable("OVERRIDDEN", "caller");
    env.start("api", &["-e", "DECLARED=a=b c", "-e", "OVERRIDDEN=declared"], &["print-env", "--stay"]);
    let log = env.wait_log("api", "done\n");
    let home = format!("VELOS_HOME={}", env.home().display());
    let wanted = [
        "DECLARED=a=b c",
        "OVERRIDDEN=declared",
        "FROM_CALLER=caller",
        "VELOS_NAME=api",
        "VELOS_ID=0",
        "VELOS_INSTANCE_ID=0",
    ];
    for entry in wanted.iter().copied().chain(["NODE_APP_INSTANCE=0", &home]) {
        assert!(log.lines().any(|line| line == entry), "no {entry} in {log}");
    }
    assert!(!log.contains("VELOS_READY_FD") && !log.contains("VELOS_HANDOVER_FD"), "{log}");
}

#[test]
fn arguments_working_directory_interpreter_and_shell_commands() {
    let env = env();
    env.file("say.sh", "echo \"$PWD|$#|$1|$2\"; exec sleep 1000", 0o644);
    std::fs::create_dir(env.work().join("sub")).unwrap();
    env.run(&["start", "say.sh", "--", "one two", "--name"]).ok();
    env.wait_log("say", &format!("{}|2|one two|--name\n", env.work().display()));

    env.file("sub/tool", "echo \"here $PWD\"; exec sleep 1000", 0o644);
    env.run(&["start", "tool", "--cwd", "sub", "--interpreter", "sh"]).ok();
    env.wait_log("tool", &format!("here {}/sub\n", env.work().display()));

    env.file("bang", "#!/bin/sh\necho shebang\nexec sleep 1000\n", 0o755);
    env.run(&["start", "./bang"]).ok();
    env.wait_log("bang", "shebang\n");

    env.run(&["start", "echo shell $((40 + 2)); exec sleep 1000", "--name", "line"]).ok();
    env.wait_log("line", "shell 42\n");
}

#[test]
fn several_instances_of_an_app() {
    let env = env();
    env.start("api", &["-i", "3"], &["print-env", "--stay"]);
    let list = env.list();
    assert_eq!(list.iter().map(|one| one.slot).collect::<Vec<_>>(), [0, 1, 2]);
    for slot in 0..3 {
        let path = env.home().join(format!("logs/api-out-{slot}.log"));
        wait_until("the instance printed", SOON, || {
            std::fs::read_to_string(&path)
                .is_ok_and(|log| log.contains(&format!("NODE_APP_INSTANCE={slot}\n")))
        });
    }
    env.run(&["stop", "api:1"]).ok();
    let phases: Vec<Phase> = env.list().iter().map(|one| one.phase).collect();
    assert_eq!(phases, [Phase::Online, Phase::Stopped, Phase::Online]);
    env.run(&["delete", "api"]).ok();
    assert!(env.list().is_empty());
}

#[test]
fn kill_timeout_is_kept() {
    let env = env();
    env.start("deaf", &["--kill-timeout", "300ms"], &["ignore-term"]);
    env.wait_log("deaf", "deaf\n");
    let pid = env.pid("deaf");
    let stop = env.run(&["stop", "deaf"]).ok();
    assert!(!processes::is_alive(pid));
    assert!(
        stop.elapsed >= Duration::from_millis(300) && stop.elapsed < Duration::from_millis(1_300),
        "{:?}",
        stop.elapsed
    );
    assert_eq!(env.instance("deaf").exit, Some(Exit::Signal(9)));
    let events = env.run(&["events", "deaf"]).ok();
    assert!(events.stdout.contains("did not stop in time: SIGKILL"), "{}", events.stdout);
}

#[test]
fn kill_signal_is_the_polite_one() {
    let env = env();
    env.file("int.sh", "trap 'echo interrupted; exit 5' INT; echo up; while :; do sleep 0.01; done", 0o644);
    env.run(&["start", "int.sh", "--kill-signal", "SIGINT"]).ok();
    env.wait_log("int", "up\n");
    env.run(&["stop", "int"]).ok();
    env.wait_log("int", "interrupted\n");
    assert_eq!(env.instance("int").exit, Some(Exit::Code(5)));
}

#[test]
fn list_info_events_and_ping_in_both_forms() {
    let env = env();
    assert_eq!(env.run(&["list"]).ok().stdout, "Nothing was started yet. Try: velos start app.js\n");
    assert_eq!(env.json::<Value>(&["list"]), serde_json::json!([]));
    env.start("api", &["-e", "API_TOKEN=canary", "-e", "COLOUR=red"], &["sleep"]);
    let list = env.run(&["list"]).ok();
    for word in ["│", "api", "online", "restarts"] {
        assert!(list.stdout.contains(word), "{}", list.stdout);
    }
    assert!(list.stdout.lines().all(|line| line.chars().count() <= 100), "{}", list.stdout);
    assert!(!list.stdout.contains('\x1b'), "no colour outside a terminal");
    assert_eq!(env.json::<Value>(&["list"])[0]["name"], "api");

    let info = env.run(&["info", "api"]).ok();
    let as_json = env.run(&["info", "api", "--json"]).ok();
    assert!(info.stdout.contains("COLOUR=red") && info.stdout.contains("API_TOKEN=***"), "{}", info.stdout);
    assert!(!info.stdout.contains("canary") && !as_json.stdout.contains("canary"), "secrets are masked");

    let events: Value = env.json(&["events"]);
    let kinds: Vec<&str> =
        events["events"].as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    assert!(
        kinds.contains(&"daemon_started") && kinds.contains(&"added") && kinds.contains(&"transition"),
        "{kinds:?}"
    );
    let sequences: Vec<u64> =
        events["events"].as_array().unwrap().iter().filter_map(|event| event["sequence"].as_u64()).collect();
    assert!(sequences.is_sorted_by(|a, b| a + 1 == *b), "{sequences:?}");

    let ping: Value = env.json(&["ping"]);
    assert_eq!(ping["pid"].as_i64(), Some(i64::from(env.hello().pid)));
    let version = env.run(&["--version"]).ok();
    assert!(
        version.stdout.starts_with("Velos ") && version.stdout.contains("Daemon RAM: "),
        "{}",
        version.stdout
    );
}

#[test]
fn kill_ends_all_and_forgets() {
    let env = env();
    env.start("one", &[], &["sleep"]);
    env.start("two", &[], &["sleep"]);
    let hello = env.hello();
    assert_eq!(env.run(&["kill"]).ok().stdout, "[OK] Daemon ended, 2 processes stopped\n");
    wait_until("nothing of the home runs", SOON, || processes::of_home(env.home()).is_empty());
    assert!(!processes::is_alive(hello.pid) && !processes::is_alive(hello.guardian_pid));
    assert_eq!(env.run(&["kill"]).ok().stdout, "[OK] No daemon runs\n");
    assert!(env.run(&["list"]).ok().stdout.starts_with("Nothing was started yet"));
}

#[test]
fn two_hundred_commands_at_once_on_one_app() {
    let env = env();
    env.run(&["ping"]).ok();
    let done = std::sync::atomic::AtomicBool::new(false);
    let fixture = env.fixture();
    let start = ["start", fixture, "--name", "x", "--kill-timeout", "200ms", "--", "sleep"];
    let commands: [&[&str]; 4] = [&start, &["restart", "x"], &["delete", "x"], &["stop", "x"]];
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let found = processes::of_app(env.home(), "x");
                // Seen one after another; only those that are still there were there together.
                let together: Vec<i32> = found.into_iter().filter(|pid| processes::is_alive(*pid)).collect();
                assert!(together.len() <= 1, "two processes of one instance: {together:?}");
                looks += 1;
            }
            looks
        });
        let workers: Vec<_> = (0..20)
            .map(|worker| {
                let env = &env;
                scope.spawn(move || {
                    for round in 0..10 {
                        let output = env.run(commands[(worker + round) % commands.len()]);
                        let fine = matches!(output.code, 0 | 1 | 3);
                        assert!(fine && !output.stderr.contains("panicked"), "{output:?}");
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(watch.join().unwrap() > 0, "nobody looked");
    });
    env.run(&start);
    assert_eq!(env.instance("x").phase, Phase::Online);
    assert_eq!(processes::of_app(env.home(), "x"), [env.pid("x")]);
}
