//! A number is no identity: processes that have the pid of one of ours, and tables of another boot.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use velos_core::instance::Phase;
use velos_testkit::{SOON, TestEnv, is_root, processes, run, skipped, wait_for, wait_until};

use crate::env;

/// A process namespace with an init that reaps; everything in it ends with it.
struct Namespace {
    outer: Child,
    init: String,
}

impl Namespace {
    fn new() -> Option<Self> {
        let has = |name| velos_testkit::program(name).is_some();
        if !is_root() || !has("unshare") || !has("nsenter") {
            return None;
        }
        let mut unshare = Command::new("unshare");
        unshare.args(["--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c"]);
        unshare.arg("while :; do sleep 0.05; done").stdin(Stdio::null());
        let mut outer = unshare.spawn().ok()?;
        let pid = i32::try_from(outer.id()).ok()?;
        let init = wait_for("a process namespace", SOON, || match outer.try_wait().unwrap() {
            Some(_) => Some(None),
            None => processes::all()
                .into_iter()
                .find(|child| processes::parent(*child) == Some(pid))
                .map(|init| Some(init.to_string())),
        })?;
        Some(Self { outer, init })
    }

    fn velos(&self, env: &TestEnv, words: &[&str]) -> velos_testkit::Output {
        let inside = ["nsenter", "--target", &self.init, "--pid", "--mount"];
        run(env.command_through(&inside, words))
    }

    fn shell(&self, script: &str) -> velos_testkit::Output {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.init, "--pid", "--mount", "sh", "-c", script]);
        run(command)
    }

    /// A process with this number in the namespace, and its number outside.
    fn stranger(&self, pid: i64) -> Option<i32> {
        let before = processes::all();
        let script = format!(
            "echo {} > /proc/sys/kernel/ns_last_pid || exit 1; sleep 1000 >/dev/null 2>&1 & echo $!",
            pid - 1
        );
        let said = self.shell(&script);
        if said.code != 0 || said.stdout.trim() != pid.to_string() {
            return None;
        }
        let is_it = |pid: &i32| {
            std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"sleep\x001000\0")
        };
        let found = wait_for("the stranger", SOON, || {
            processes::all().into_iter().find(|pid| !before.contains(pid) && is_it(pid))
        });
        Some(found)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // With its init everything in the namespace ends.
        let _ = self.outer.kill();
        let _ = self.outer.wait();
    }
}

fn list(output: velos_testkit::Output) -> Vec<serde_json::Value> {
    serde_json::from_str(&output.ok().stdout).unwrap()
}

#[test]
fn a_stranger_with_the_pid_of_an_app_is_never_touched() {
    let env = env();
    let Some(space) = Namespace::new() else {
        return skipped("a process namespace needs root, unshare and nsenter");
    };
    for name in ["api", "web"] {
        let words = ["start", env.fixture(), "--name", name, "--no-autorestart", "--", "sleep"];
        space.velos(&env, &words).ok();
    }
    let before = list(space.velos(&env, &["list", "--json"]));
    let pid = before.iter().find(|one| one["name"] == "api").unwrap()["pid"].as_i64().unwrap();
    // Daemon and guardian go, then the app, and its number comes again.
    let apps: Vec<i32> = ["api", "web"].iter().flat_map(|name| processes::of_app(env.home(), name)).collect();
    for pid in processes::of_home(env.home()).into_iter().filter(|pid| !apps.contains(pid)) {
        processes::signal(pid, Signal::SIGKILL);
    }
    processes::signal(apps[0], Signal::SIGKILL);
    wait_until("one app is left", SOON, || processes::of_home(env.home()).len() == 1);
    wait_until("the number is free", SOON, || {
        space.shell(&format!("[ -e /proc/{pid} ] && echo there")).stdout.is_empty()
    });
    let Some(stranger) = space.stranger(pid) else {
        return skipped("choosing the next pid of a namespace");
    };
    let after = list(space.velos(&env, &["list", "--json"]));
    let of = |name: &str| after.iter().find(|one| one["name"] == name).unwrap().clone();
    assert_eq!((&of("api")["phase"], &of("api")["pid"]), (&"stopped".into(), &serde_json::Value::Null));
    assert_eq!(of("web")["phase"], "online", "the other is adopted");
    for words in [&["stop", "api"][..], &["restart", "web"], &["delete", "api"], &["kill"]] {
        space.velos(&env, words).ok();
        assert!(processes::is_alive(stranger), "{words:?}");
    }
}

#[test]
fn after_a_restart_of_the_machine_old_numbers_mean_nothing() {
    let env = env();
    if !is_root() || velos_testkit::program("unshare").is_none() {
        return skipped("another boot id needs root and unshare");
    }
    env.start("api", &[], &["sleep"]);
    env.wait_saved();
    let (pid, _) = (env.pid("api"), env.kill_daemon_and_guardian());
    let boot = env.file("boot_id", "00000000-1111-2222-3333-444444444444\n", 0o644);
    let script = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id && shift && exec \"$@\"";
    let rebooted = |words: &[&str]| {
        let boot = boot.to_string_lossy();
        run(env.command_through(&["unshare", "--mount", "sh", "-c", script, "sh", &boot], words))
    };
    let first = rebooted(&["list", "--json"]);
    if first.stderr.contains("mount:") {
        return skipped(&format!("binding over the boot id: {}", first.stderr.trim()));
    }
    let api = env.instance("api");
    assert_eq!((api.phase, api.pid), (Phase::Stopped, None));
    env.run(&["delete", "api"]).ok();
    env.start("api", &[], &["sleep"]);
    assert_eq!(env.instance("api").phase, Phase::Online);
    env.run(&["stop", "api"]).ok();
    assert!(processes::is_alive(pid), "it has the number and the start time of the old one, and is not ours");
}
