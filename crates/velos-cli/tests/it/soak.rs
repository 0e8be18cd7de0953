//! `make soak`: real processes and a daemon that is killed, for as long as told. `VELOS_SOAK_SECONDS` says how long,
//! `VELOS_SOAK_SEED` which way.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use velos_core::instance::{Goal, Phase};
use velos_testkit::numbered::line;
use velos_testkit::{SOON, TestEnv, processes, wait_until};

use crate::env;

const WRITERS: usize = 12;
const SLEEPERS: usize = 6;
const SIZE: usize = 60;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// xorshift64*, Vigna 2016.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(2_685_821_657_736_338_717) >> 33) % limit
    }
}

/// Every run's lines from the first to its last, which says how many there were.
fn check_runs(log: &[u8]) -> Result<u64, String> {
    let (mut next, mut all) = (1, 0);
    for found in log.split_inclusive(|byte| *byte == b'\n') {
        match found.strip_prefix(b"end ") {
            Some(count) if String::from_utf8_lossy(count).trim() == (next - 1).to_string() => next = 1,
            None if found == line(next, SIZE) => (next, all) = (next + 1, all + 1),
            _ => {
                let found = String::from_utf8_lossy(&found[..found.len().min(40)]);
                return Err(format!("after {} lines of a run: {found:?}", next - 1));
            }
        }
    }
    if next == 1 { Ok(all) } else { Err(format!("the last run ends after line {}", next - 1)) }
}

fn start_all(env: &TestEnv) {
    for writer in 0..WRITERS {
        let rate = if writer % 4 == 0 { "2000" } else { "200" };
        let words = ["lines", "0", "--size", &SIZE.to_string(), "--rate", rate];
        env.start(&format!("writer{writer}"), &["--kill-timeout", "20s"], &words);
    }
    for sleeper in 0..SLEEPERS {
        env.start(&format!("sleeper{sleeper}"), &["-i", "2"], &["sleep"]);
    }
    for (name, ms) in [("crash0", "40"), ("crash1", "1500")] {
        env.start(name, &["--max-restarts", "100000"], &["crash-after", ms]);
    }
    env.wait_saved();
}

/// At most one process of each instance, and each where the list says it is.
fn nobody_is_twice(env: &TestEnv) {
    let list = env.list();
    for one in list.iter().filter(|one| one.name.starts_with("writer")) {
        let mut alive = Vec::new();
        wait_until("one process of a writer at most", SOON, || {
            alive = processes::of_app(env.home(), &one.name);
            alive.len() <= 1
        });
    }
}

/// How many lines the writers wrote, all of which are there.
fn all_lines(env: &TestEnv, seed: u64) -> u64 {
    let mut lines = 0;
    for writer in 0..WRITERS {
        let name = format!("writer{writer}");
        // Closed segments are compressed after a while; the command reads those as well.
        let whole =
            || env.run(&["logs", &name, "--out", "--raw", "--nostream", "--lines", "100000000"]).ok().stdout;
        let mut verdict = Ok(0);
        let begin = Instant::now();
        // The last lines are on their way to the disk.
        while begin.elapsed() < SOON {
            verdict = check_runs(whole().as_bytes());
            if verdict.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        lines += verdict.unwrap_or_else(|why| panic!("writer{writer}, seed {seed}: {why}"));
    }
    lines
}

#[test]
#[ignore = "as long as told: make soak"]
fn for_as_long_as_told() {
    let seed = number("VELOS_SOAK_SEED", u64::from(std::process::id()) | 1);
    let seconds = number("VELOS_SOAK_SECONDS", 60);
    println!("VELOS_SOAK_SEED={seed} VELOS_SOAK_SECONDS={seconds}");
    let mut random = Random(seed.max(1));
    let env = env();
    start_all(&env);
    let (guardian, begin) = (env.hello().guardian_pid, Instant::now());
    let (mut kills, mut actions) = (0, 0);
    let descriptors = processes::descriptors(guardian);
    while begin.elapsed() < Duration::from_secs(seconds) {
        actions += 1;
        let writer = format!("writer{}", random.below(WRITERS as u64));
        let sleeper = format!("sleeper{}", random.below(SLEEPERS as u64));
        match random.below(10) {
            0 | 1 => {
                env.kill_daemon();
                kills += 1;
            }
            2 => drop(env.run(&["rotate", &writer]).ok()),
            3 | 4 => drop(env.run(&["restart", &writer]).ok()),
            5 => {
                env.run(&["stop", &writer]).ok();
                assert_eq!(processes::of_app(env.home(), &writer), [0; 0]);
                env.run(&["start", &writer]).ok();
            }
            6 => drop(env.run(&["reload", &sleeper]).ok()),
            7 => {
                let pid = env.list().into_iter().find(|one| one.name == sleeper).and_then(|one| one.pid);
                pid.into_iter().for_each(|pid| processes::signal(pid, Signal::SIGKILL));
            }
            8 => {
                // A daemon that dies over a request.
                let mut stop = env
                    .command(&["restart", &writer])
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::null())
                    .spawn()
                    .unwrap();
                env.kill_daemon();
                kills += 1;
                stop.wait().unwrap();
            }
            _ => nobody_is_twice(&env),
        }
    }
    nobody_is_twice(&env);
    assert_eq!(env.hello().guardian_pid, guardian);
    // But for what is left of a reload whose daemon was killed.
    wait_until("all are wanted up", SOON, || {
        env.list().iter().all(|one| one.goal == Goal::Up || one.name.starts_with("crash"))
    });
    env.run(&["stop", "all"]).ok();
    assert!(env.list().iter().all(|one| one.phase == Phase::Stopped && one.dropped_lines == 0));
    let lines = all_lines(&env, seed);
    wait_until("the guardian holds no more than before", SOON, || {
        processes::descriptors(guardian) <= descriptors + 2
    });
    let daemon = env.hello().pid;
    let zombies = processes::all().into_iter().filter(|pid| {
        let parent = processes::parent(*pid);
        (parent == Some(daemon) || parent == Some(guardian)) && processes::state(*pid) == Some('Z')
    });
    assert_eq!(zombies.collect::<Vec<_>>(), [0; 0]);
    println!("{actions} actions, {kills} daemons killed, {lines} lines, none lost and none twice");
}
