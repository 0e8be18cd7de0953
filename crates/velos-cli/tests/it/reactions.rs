//! What follows from what. The bounds are wide: they tell the right way from one that is wrong by its order, on a machine that
//! does other things too. How fast it is, the benchmarks measure.

use std::fmt::Write;
use std::time::{Duration, Instant};

use velos_core::event::{Cause, Event, What};
use velos_core::instance::Phase;
use velos_core::protocol::{EventsParams, EventsReply, method};
use velos_testkit::{SOON, TestEnv, wait_for, wait_until};

use crate::env;

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

fn events(env: &TestEnv, name: &str) -> Vec<Event> {
    let params = EventsParams { targets: vec![name.to_owned()], ..EventsParams::default() };
    let reply: EventsReply = env.wire().call(method::EVENTS, &params).unwrap();
    reply.events
}

#[test]
fn a_change_restarts_after_its_quiet_time() {
    const QUIET_MS: i64 = 100;
    let env = env();
    std::fs::create_dir(env.work().join("src")).unwrap();
    env.run(&["start", "sleep 1000", "--name", "api", "--watch=src", "--watch-delay", "100ms"]).ok();
    let mut best = i64::MAX;
    for round in 1..=5 {
        let begin = now_ms();
        // Always the same one would be taken for the app's own doing.
        std::fs::write(env.work().join(format!("src/f{round}")), "x").unwrap();
        env.wait_instance("api", "was restarted", |one| one.restarts == round && one.phase == Phase::Online);
        let stopping = |event: &&Event| matches!(event.what, What::Transition { to: Phase::Stopping, .. });
        let at = events(&env, "api").iter().rfind(stopping).unwrap().at_ms;
        best = best.min(at - begin);
    }
    assert!((QUIET_MS - 1..=QUIET_MS * 10).contains(&best), "the restart began {best} ms after the change");
}

#[test]
fn too_much_memory_is_noticed_soon() {
    let env = env();
    // Shells cannot take memory on demand; this one does at a moment that it tells.
    let script = "import time\ntime.sleep(0.3)\nhog = bytearray(90 << 20)\nprint('taken', int(time.time() * 1000), flush=True)\ntime.sleep(1000)\n";
    if velos_testkit::program("python3").is_none() {
        return velos_testkit::skipped("no python3");
    }
    env.file("hog.py", script, 0o644);
    env.run(&["start", "hog.py", "--max-memory-restart", "60M"]).ok();
    let log = env.wait_log("hog", "taken ");
    let taken: i64 = log.trim().rsplit(' ').next().unwrap().parse().unwrap();
    let at = wait_for("its end", SOON, || {
        let over =
            |event: &Event| matches!(event.what, What::Transition { cause: Cause::MemoryLimit { .. }, .. });
        events(&env, "hog").iter().find(|event| over(event)).map(|event| event.at_ms)
    });
    assert!(at - taken <= 10_000, "it was noticed after {} ms", at - taken);
}

/// Ten levels of ten: whoever starts them one after the other needs ten times as long.
#[test]
fn a_deep_graph_takes_as_long_as_its_longest_way() {
    const LEVELS: usize = 10;
    const WIDTH: usize = 10;
    const STEP: Duration = Duration::from_millis(500);
    let env = env();
    let mut text = String::new();
    for level in 0..LEVELS {
        for number in 0..WIDTH {
            writeln!(text, "[apps.l{level}n{number}]\ncommand = \"exec sleep 0.5\"\nkind = \"task\"")
                .unwrap();
            if level > 0 {
                let below: Vec<String> =
                    (0..WIDTH).map(|one| format!("l{}n{one} = \"completed\"", level - 1)).collect();
                writeln!(text, "depends_on = {{ {} }}", below.join(", ")).unwrap();
            }
        }
    }
    env.file("velos.toml", &text, 0o644);
    let way = STEP * u32::try_from(LEVELS).unwrap();
    env.run(&["ping"]).ok();
    let begin = Instant::now();
    env.run(&["start", "velos.toml"]).ok();
    wait_until("the last level is done", SOON, || {
        env.list().iter().filter(|one| one.phase == Phase::Stopped).count() == LEVELS * WIDTH
    });
    let took = begin.elapsed();
    eprintln!("{LEVELS} levels of {WIDTH}: {took:?} for a longest way of {way:?}");
    assert!(took <= way * 3, "{took:?} for a longest way of {way:?}");
}

#[test]
fn a_thousand_apps_of_one_file() {
    const APPS: usize = 1_000;
    let env = env();
    let mut text = String::new();
    for number in 0..APPS {
        writeln!(text, "[apps.a{number}]\nscript = \"/bin/sleep\"\nargs = \"1000\"").unwrap();
    }
    env.file("velos.toml", &text, 0o644);
    env.run(&["ping"]).ok();
    let start = env.run(&["start", "velos.toml"]).ok();
    assert_eq!(env.list().iter().filter(|one| one.phase == Phase::Online).count(), APPS);
    eprintln!("{APPS} apps: {:?}", start.elapsed);
    // One after the other, each until it is ready, would take minutes.
    assert!(start.elapsed < Duration::from_secs(40), "{:?}", start.elapsed);
    env.run(&["kill"]).ok();
}
