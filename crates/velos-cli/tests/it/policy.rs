//! Restarts by measure and by time.

use std::time::Instant;

use velos_core::instance::Phase;
use velos_testkit::{SOON, processes, wait_until};

use crate::env;

/// Takes so many MiB in a child, says so, and stays.
fn hog(mebibytes: u32) -> String {
    format!(
        "python3 -c 'import time; x = bytearray({mebibytes} << 20); print(\"full\", flush=True); time.sleep(1000)'; true"
    )
}

#[test]
fn an_app_that_uses_too_much_memory_is_restarted() {
    let env = env();
    // The child counts as well: the limit is on the whole tree.
    env.run(&["start", &hog(80), "--name", "leak", "--max-memory-restart", "60M", "--kill-timeout", "300ms"])
        .ok();
    let first = env.pid("leak");
    env.wait_log("leak", "full\n");
    let full = Instant::now();
    wait_until("it was stopped", SOON, || !processes::is_alive(first));
    assert!(full.elapsed().as_millis() < 2_500, "{:?}", full.elapsed());
    let why = env.run(&["why", "leak"]).ok().stdout;
    assert!(why.contains("of memory, more than the 60"), "{why}");
    env.run(&["stop", "leak"]).ok();
}

#[test]
fn a_limit_below_the_start_size_is_given_up() {
    let env = env();
    let flags =
        ["--max-memory-restart", "20M", "--max-restarts", "1", "--kill-timeout", "300ms", "--name", "big"];
    env.run(&[&["start", &hog(80)], &flags[..]].concat()).ok();
    env.wait_instance("big", "is given up", |one| one.phase == Phase::Errored);
    assert!(env.run(&["why", "big"]).ok().stdout.contains("more than the 20"));
    assert!(processes::of_app(env.home(), "big").is_empty());
}

#[test]
fn restarts_by_the_clock() {
    let env = env();
    env.start("api", &["--cron-restart", "* * * * * *"], &["sleep"]);
    let first = env.pid("api");
    assert!(env.run(&["info", "api"]).ok().stdout.contains("next run"));
    env.wait_instance("api", "was restarted", |one| one.restarts >= 2 && one.pid != Some(first));
    env.run(&["stop", "api"]).ok();
    let restarts = env.instance("api").restarts;
    let begin = Instant::now();
    wait_until("two moments have passed", SOON, || begin.elapsed().as_millis() > 2_100);
    assert_eq!((env.instance("api").phase, env.instance("api").restarts), (Phase::Stopped, restarts));
    env.try_start("bad", &["--cron-restart", "0 0 31 2 *"], &["sleep"]).fails(2, &["--cron-restart", "31"]);
}

#[test]
fn a_scheduled_task_runs_at_its_moments() {
    let env = env();
    let text = "[apps.job]\ncommand = \"echo ran\"\nkind = \"task\"\nschedule = \"* * * * * *\"\n";
    std::fs::write(env.work().join("velos.toml"), text).unwrap();
    let started = env.run(&["start", "velos.toml"]).ok();
    assert!(started.stdout.contains("job"), "{started:?}");
    env.wait_log("job", "ran\nran\n");
    assert_eq!(env.instance("job").restarts, 0, "a run by the schedule is no restart");
}

#[test]
fn what_is_not_to_start_is_only_listed() {
    let env = env();
    let added = env.try_start("api", &["--no-autostart"], &["sleep"]).ok();
    assert!(added.stdout.contains("added; it is not started now"), "{added:?}");
    assert_eq!(env.instance("api").phase, Phase::Stopped);
    env.run(&["start", "api"]).ok();
    assert_eq!(env.instance("api").phase, Phase::Online);
}
