//! How an app says that it is ready, and how it is asked to end.

use std::time::Instant;

use velos_core::instance::Phase;
use velos_testkit::{SOON, TestEnv, skipped, wait_until};

use crate::env;

fn has_node() -> bool {
    velos_testkit::program("node").is_some()
}

fn write(env: &TestEnv, name: &str, text: &str) {
    std::fs::write(env.work().join(name), text).unwrap();
}

const SLOW: &str = "setTimeout(() => process.send('ready'), 300);\n\
    process.on('message', message => { if (message === 'shutdown') { console.log('told'); process.exit(7); } });\n\
    setInterval(() => {}, 1000);\n";

#[test]
fn a_node_app_says_that_it_is_ready() {
    if !has_node() {
        return skipped("no node here");
    }
    let env = env();
    write(&env, "app.js", SLOW);
    let begin = Instant::now();
    env.run(&["start", "app.js", "--name", "api", "--wait-ready", "--listen-timeout", "20s"]).ok();
    let took = begin.elapsed();
    assert!(took.as_millis() >= 300 && took.as_secs() < 15, "{took:?}");
    assert_eq!(env.instance("api").phase, Phase::Online);
    assert!(env.run(&["why", "api"]).ok().stdout.contains("it says that it is ready"));
}

#[test]
fn a_node_app_is_asked_by_message_also_by_a_later_daemon() {
    if !has_node() {
        return skipped("no node here");
    }
    let env = env();
    write(&env, "app.js", SLOW);
    let flags = ["--name", "api", "--wait-ready", "--shutdown-with-message", "--kill-timeout", "10s"];
    env.run(&[&["start", "app.js"], &flags[..]].concat()).ok();
    env.run(&["stop", "api"]).ok();
    env.wait_log("api", "told\n");
    assert_eq!(env.instance("api").exit, Some(velos_core::instance::Exit::Code(7)));
    env.run(&["start", "api"]).ok();
    let pid = env.pid("api");
    env.wait_saved();
    env.kill_daemon();
    assert_eq!(env.pid("api"), pid, "the channel did not hang up");
    env.run(&["stop", "api"]).ok();
    env.wait_log("api", "told\ntold\n");
}

#[test]
fn who_is_late_is_online_or_has_failed_as_declared() {
    let env = env();
    write(
        &env,
        "velos.toml",
        "[apps.late]\ncommand = \"exec sleep 1000\"\nwait_ready = true\nlisten_timeout = \"200ms\"\n[apps.strict]\ncommand = \"exec sleep 1000\"\nwait_ready = true\nlisten_timeout = \"200ms\"\nready_required = true\nmax_restarts = 0\nkill_timeout = \"300ms\"\n",
    );
    let output = env.run(&["start", "velos.toml"]);
    assert_ne!(output.code, 0, "{output:?}");
    assert_eq!(env.instance("late").phase, Phase::Online);
    assert_eq!(env.instance("strict").phase, Phase::Errored);
}

#[test]
fn any_language_says_ready_by_sd_notify() {
    let env = env();
    let app = "import os, socket, time\ntime.sleep(0.3)\n\
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
        sock.connect(os.environ['NOTIFY_SOCKET'])\nsock.send(b'STATUS=up\\nREADY=1')\ntime.sleep(1000)\n";
    write(&env, "app.py", app);
    write(
        &env,
        "velos.toml",
        "[apps.api]\nscript = \"app.py\"\nsd_notify = true\nlisten_timeout = \"20s\"\n",
    );
    let begin = Instant::now();
    env.run(&["start", "velos.toml"]).ok();
    assert!(begin.elapsed().as_millis() >= 300 && begin.elapsed().as_secs() < 15, "{:?}", begin.elapsed());
    assert!(env.run(&["why", "api"]).ok().stdout.contains("it says that it is ready"));
    env.run(&["stop", "api"]).ok();
    wait_until("no socket is left", SOON, || !env.home().join("run/0.notify").exists());
}

#[test]
fn a_child_that_floods_its_channel_hurts_nobody() {
    if !has_node() {
        return skipped("no node here");
    }
    let env = env();
    let text = "const big = 'x'.repeat(3 << 20);\nprocess.send(big, () => {});\nsetInterval(() => {}, 1000);\nprocess.on('disconnect', () => console.log('cut off'));\n";
    write(&env, "app.js", text);
    env.run(&["start", "app.js", "--name", "api"]).ok();
    env.wait_log("api", "cut off\n");
    assert_eq!(env.instance("api").phase, Phase::Online);
    let begin = Instant::now();
    env.list();
    assert!(begin.elapsed().as_millis() < 500);
}

#[test]
fn who_stops_saying_that_it_is_alive_is_restarted() {
    let env = env();
    let app = "import os, socket, time\nsock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
        sock.connect(os.environ['NOTIFY_SOCKET'])\nsock.send(b'READY=1')\n\
        every = int(os.environ['WATCHDOG_USEC']) / 2e6\n\
        for _ in range(8):\n    time.sleep(every)\n    sock.send(b'WATCHDOG=1')\n\
        print('now it hangs', flush=True)\ntime.sleep(1000)\n";
    write(&env, "app.py", app);
    write(
        &env,
        "velos.toml",
        "[apps.api]\nscript = \"app.py\"\nwatchdog = \"400ms\"\nlisten_timeout = \"20s\"\n",
    );
    env.run(&["start", "velos.toml"]).ok();
    env.wait_log("api", "now it hangs\n");
    assert_eq!(env.instance("api").restarts, 0, "it spoke in time");
    env.wait_instance("api", "was restarted", |one| one.restarts > 0);
    let why = env.run(&["why", "api"]).ok().stdout;
    assert!(why.contains("it did not say WATCHDOG=1 for 400 ms"), "{why}");
}
