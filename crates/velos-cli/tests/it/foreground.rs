//! `velos start --no-daemon`: all in the foreground, and nothing left behind.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use velos_core::instance::Phase;
use velos_testkit::{Output, SOON, TestEnv, processes, run, wait_until};

use crate::env;

/// The fixture in the foreground.
fn command(env: &TestEnv, flags: &[&str], words: &[&str]) -> Command {
    env.command(&[&["start", env.fixture(), "--name", "api", "--no-daemon"], flags, &["--"], words].concat())
}

fn spawn(env: &TestEnv, flags: &[&str], words: &[&str]) -> Child {
    command(env, flags, words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

fn wait_online(env: &TestEnv) -> i32 {
    env.wait_instance("api", "is online", |one| one.phase == Phase::Online).pid.unwrap()
}

/// Exit code, standard output, standard error.
fn end(child: Child) -> (i32, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[track_caller]
fn nothing_is_left(env: &TestEnv) {
    wait_until("nothing is left", SOON, || processes::of_home(env.home()).is_empty());
    let names: Vec<String> = std::fs::read_dir(env.home())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("foreground") || name.ends_with(".sock"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn a_signal_ends_all_with_0() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let env = env();
        let child = spawn(&env, &[], &["sleep"]);
        wait_online(&env);
        processes::signal(pid(&child), signal);
        let (code, stdout, stderr) = end(child);
        assert_eq!(code, 0, "{signal}: {stdout}{stderr}");
        assert!(stdout.contains("[OK] Process \"api\" started"), "{stdout}");
        nothing_is_left(&env);
    }
}

#[test]
fn all_that_was_printed_is_shown_and_the_code_is_that_of_the_last_app() {
    let env = env();
    // Each begins with the time.
    let shown = |output: &Output| output.stdout.lines().filter(|line| line.get(9..10) == Some("]")).count();
    let output = run(command(&env, &["--no-autorestart"], &["lines", "500"]));
    assert_eq!((output.code, shown(&output)), (0, 501), "{}", output.stderr);
    nothing_is_left(&env);
    let flags = ["--max-restarts", "2", "--restart-delay", "10ms"];
    let output = run(command(&env, &flags, &["exit", "7"]));
    assert_eq!(output.code, 7, "{}{}", output.stdout, output.stderr);
    nothing_is_left(&env);
    // The same list for machines: a document, then one per line.
    let output = run(command(&env, &["--no-autorestart", "--json"], &["lines", "3"])).ok();
    assert!(output.stdout.lines().count() > 3 && output.stdout.contains("\"stream\":\"out\""));
    run(env.command(&["start", "nothing-of-that-name", "--no-daemon"])).fails(1, &["nothing-of-that-name"]);
    nothing_is_left(&env);
}

#[test]
fn the_kernel_ends_it_with_a_killed_command() {
    let env = env();
    let mut child = spawn(&env, &[], &["children", "2"]);
    wait_online(&env);
    child.kill().unwrap();
    child.wait().unwrap();
    nothing_is_left(&env);
    // Also when the daemon crashed before, and while none runs.
    let mut child = spawn(&env, &[], &["sleep"]);
    let app = wait_online(&env);
    let daemon = env.kill_daemon();
    child.kill().unwrap();
    child.wait().unwrap();
    nothing_is_left(&env);
    assert!(!processes::is_alive(app) && !processes::is_alive(daemon.guardian_pid));
}

#[test]
fn a_second_signal_does_not_wait_for_grace() {
    let env = env();
    let child = spawn(&env, &["--kill-timeout", "50s"], &["ignore-term"]);
    let app = wait_online(&env);
    processes::signal(pid(&child), Signal::SIGINT);
    env.wait_instance("api", "is being stopped", |one| one.phase == Phase::Stopping);
    processes::signal(pid(&child), Signal::SIGINT);
    let (code, ..) = end(child);
    assert_eq!(code, 0);
    assert!(!processes::is_alive(app));
    nothing_is_left(&env);
}

#[test]
fn it_goes_on_over_a_crash_of_its_daemon() {
    let env = env();
    let child = spawn(&env, &[], &["sleep"]);
    let app = wait_online(&env);
    env.kill_daemon();
    assert_eq!(env.pid("api"), app, "adopted");
    processes::signal(pid(&child), Signal::SIGTERM);
    assert_eq!(end(child).0, 0);
    nothing_is_left(&env);
}

#[test]
fn a_daemon_in_the_background_is_in_its_way_and_keeps_its_list() {
    let env = env();
    env.start("old", &[], &["sleep"]);
    run(command(&env, &[], &["sleep"])).fails(6, &["a daemon runs already", "--attach", "VELOS_HOME"]);
    env.run(&["stop", "old"]).ok();
    processes::signal(env.hello().guardian_pid, Signal::SIGTERM);
    wait_until("the end of the daemon", SOON, || processes::of_home(env.home()).is_empty());
    let child = spawn(&env, &[], &["sleep"]);
    wait_online(&env);
    assert_eq!(env.list().len(), 1, "its own list");
    env.run(&["delete", "all"]).ok();
    assert_eq!(end(child).0, 0, "nothing is left to wait for");
    nothing_is_left(&env);
    env.run(&["ping"]).ok();
    assert_eq!(env.instance("old").phase, Phase::Stopped);
}

#[test]
fn a_new_binary_and_a_file_of_apps() {
    let env = env();
    let file = format!(
        "[apps.api]\nscript = \"{0}\"\nargs = [\"sleep\"]\n[apps.once]\nscript = \"{0}\"\nargs = [\"exit\", \"3\"]\nautorestart = false\n",
        env.fixture()
    );
    env.file("velos.toml", &file, 0o644);
    let mut command = env.command(&["start", "--no-daemon"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let app = wait_online(&env);
    env.wait_instance("once", "has ended", |one| one.phase == Phase::Stopped);
    let next = env.work().join("velos-next");
    std::fs::copy(env!("CARGO_BIN_EXE_velos"), &next).unwrap();
    env.run(&["upgrade", next.to_str().unwrap()]).ok();
    assert_eq!(env.pid("api"), app);
    child.kill().unwrap();
    child.wait().unwrap();
    nothing_is_left(&env);
}
