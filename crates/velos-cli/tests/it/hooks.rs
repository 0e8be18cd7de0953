//! Commands around the life of an app.

use velos_testkit::{SOON, wait_for, wait_until};

use crate::env;

#[test]
fn hooks_run_in_their_moments() {
    let env = env();
    let text = "[apps.a]\ncommand = \"echo run >> order; exec sleep 1000\"\n[apps.a.hooks]\n\
                pre_start = \"sleep 0.2; echo pre >> order\"\npost_start = \"touch started\"\npost_stop = \"touch stopped\"\n\
                on_crash = \"touch crashed\"\n";
    env.file("velos.toml", text, 0o644);
    env.run(&["apply", "--yes"]).ok();
    let order = env.work().join("order");
    wait_until("the app ran", SOON, || {
        std::fs::read_to_string(&order).is_ok_and(|text| text == "pre\nrun\n")
    });
    wait_until("post_start", SOON, || env.work().join("started").exists());
    assert!(!env.work().join("stopped").exists() && !env.work().join("crashed").exists());
    let pid = nix::unistd::Pid::from_raw(env.pid("a"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_until("on_crash", SOON, || env.work().join("crashed").exists());
    let again = "pre\nrun\npre\nrun\n";
    wait_until("the next run", SOON, || std::fs::read_to_string(&order).is_ok_and(|text| text == again));
    assert!(!env.work().join("stopped").exists());
    env.run(&["stop", "a"]).ok();
    wait_until("post_stop", SOON, || env.work().join("stopped").exists());
}

#[test]
fn a_failing_or_endless_pre_start_is_a_failed_start() {
    let env = env();
    let app = |hook: &str| {
        format!(
            "[apps.a]\ncommand = \"touch ran; exec sleep 1000\"\nautorestart = false\n[apps.a.hooks]\npre_start = {hook}\n"
        )
    };
    env.file("velos.toml", &app("\"echo no database >&2; exit 3\""), 0o644);
    env.run(&["apply", "--yes"]).fails(1, &["pre_start hook failed with status 3"]);
    wait_for("its words", SOON, || {
        std::fs::read_to_string(env.err_log("a")).ok().filter(|text| text.contains("no database"))
    });
    env.run(&["delete", "a"]).ok();
    env.file("velos.toml", &app("{ command = \"sleep 1000\", timeout = \"200ms\" }"), 0o644);
    env.run(&["apply", "--yes"]).fails(1, &["pre_start hook failed with status 137"]);
    assert!(!env.work().join("ran").exists());
}

#[test]
fn a_stop_does_not_wait_for_a_pre_start_hook() {
    let env = env();
    let text = "[apps.a]\ncommand = \"touch ran; exec sleep 1000\"\n[apps.a.hooks]\n\
                pre_start = \"touch begun; sleep 1000\"\n";
    env.file("velos.toml", text, 0o644);
    let mut starting = env.command(&["apply", "--yes"]).spawn().unwrap();
    wait_until("the hook", SOON, || env.work().join("begun").exists());
    env.run(&["stop", "a"]).ok();
    starting.wait().unwrap();
    assert!(!env.work().join("ran").exists());
}

#[test]
fn pre_stop_comes_before_the_signal() {
    let env = env();
    let text = "[apps.a]\ncommand = \"trap 'echo signal >> order; exit' TERM; touch up; while :; do sleep 0.01; done\"\n\
                kill_timeout = \"20s\"\n[apps.a.hooks]\npre_stop = \"sleep 0.2; echo hook >> order; exit 1\"\n";
    env.file("velos.toml", text, 0o644);
    env.run(&["apply", "--yes"]).ok();
    wait_until("the app", SOON, || env.work().join("up").exists());
    env.run(&["stop", "a"]).ok();
    assert_eq!(std::fs::read_to_string(env.work().join("order")).unwrap(), "hook\nsignal\n");
}
