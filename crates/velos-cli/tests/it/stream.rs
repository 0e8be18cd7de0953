//! Live updates: readings, lines over rotation and crashes, readers that are slow, and silence when nobody listens.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use velos_core::error::ErrorCode;
use velos_core::frame::{self, Message};
use velos_core::live::{Kind, LogStream, Logs, Samples, SubscribeParams, Subscribed};
use velos_core::protocol::{Lost, Targets, method};
use velos_testkit::numbered::check;
use velos_testkit::wire::Wire;
use velos_testkit::{SOON, TestEnv, processes, wait_until};

use crate::env;

/// `velos events --follow`, row by row.
struct Follower {
    child: Child,
    rows: Receiver<Value>,
}

impl Follower {
    fn new(env: &TestEnv, words: &[&str]) -> Self {
        let words = [&["--machine", "events", "--follow"], words].concat();
        let mut child = env.command(&words).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, rows) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if send.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, rows }
    }

    #[track_caller]
    fn next(&self) -> Value {
        self.rows.recv_timeout(SOON).expect("another row")
    }

    /// The next row that has this key.
    #[track_caller]
    fn until(&self, key: &str) -> Value {
        loop {
            let row = self.next();
            if row.get(key).is_some() {
                return row;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        processes::signal(i32::try_from(self.child.id()).unwrap(), Signal::SIGKILL);
        // It is gone either way.
        let _ = self.child.wait();
    }
}

fn params(kinds: &[Kind], interval_ms: Option<u32>) -> SubscribeParams {
    SubscribeParams { kinds: kinds.to_vec(), interval_ms, ..SubscribeParams::default() }
}

#[test]
fn readings_come_at_their_interval() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    // The program of a process that has only just begun has no memory yet.
    env.wait_instance("api", "has memory", |one| one.rss_bytes > Some(100_000));
    let pid = env.pid("api");
    let follower = Follower::new(&env, &["--with", "samples", "--interval", "250ms"]);
    let mut times = Vec::new();
    while times.len() < 4 {
        let row = follower.until("samples");
        let one = &row["samples"]["instances"][0];
        assert_eq!((one["name"].as_str(), one["phase"].as_str()), (Some("api"), Some("online")), "{row}");
        assert_eq!(one["pid"].as_i64(), Some(pid.into()));
        assert!(one["rss_bytes"].as_u64() > Some(100_000) && one["cpu_centipercent"].is_number(), "{row}");
        times.push(row["samples"]["at_ms"].as_i64().unwrap());
    }
    // The first comes at once; the others not before they are due, however late one of them was.
    assert!(times.is_sorted() && times[3] - times[0] > 400, "{times:?}");
    env.run(&["stop", "api"]).ok();
    loop {
        let row = follower.until("samples");
        if row["samples"]["instances"][0]["phase"] == "stopped" {
            assert!(row["samples"]["instances"][0].get("pid").is_none(), "{row}");
            break;
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    env.run(&["events", "-f", "--with", "samples", "--interval", "10ms"])
        .fails(2, &["--interval: 10ms is too short", "250ms to 60s"]);
    env.run(&["events", "-f", "--with", "weather"]).fails(2, &["weather"]);
    env.run(&["events", "--with", "samples"]).fails(2, &["--follow"]);
    env.run(&["events", "-f", "--with", "logs", "nobody"]).fails(3, &["nobody"]);
    let mut wire = env.wire();
    let odd = serde_json::json!({ "kinds": ["weather"] });
    let error = wire.call::<_, Subscribed>(method::SUBSCRIBE, &odd).unwrap_err();
    assert!(error.code == ErrorCode::Usage && error.message.contains("weather"), "{error:?}");
    let reply: Subscribed = wire.call(method::SUBSCRIBE, &Targets::default()).unwrap();
    assert_eq!(reply, Subscribed::default(), "as it always was for who names no kinds");
}

#[test]
fn no_line_is_lost_or_doubled_over_rotation_and_crashes() {
    let env = env();
    env.run(&["ping"]).ok();
    let follower = Follower::new(&env, &["--with", "logs"]);
    follower.until("here");
    env.start("api", &["--no-autorestart"], &["lines", "0", "--err", "--size", "60", "--rate", "3000"]);
    for round in 0..6 {
        let begin = Instant::now();
        wait_until("it wrote on", SOON, || begin.elapsed() > Duration::from_millis(250));
        match round {
            1 | 3 => drop(env.kill_daemon()),
            5 => drop(env.run(&["upgrade"]).ok()),
            _ => drop(env.run(&["rotate"]).ok()),
        }
    }
    env.run(&["stop", "api"]).ok();
    let (mut out, mut err, mut aways, mut sequences) = (Vec::new(), Vec::new(), 0, Vec::new());
    let is_whole = |log: &[u8]| log.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"end "));
    while !(is_whole(&out[out.len().saturating_sub(40)..]) && is_whole(&err[err.len().saturating_sub(40)..]))
    {
        let row = follower.next();
        assert!(row.get("lost").is_none(), "{row}");
        aways += u32::from(row.get("away").is_some());
        sequences.extend(row.get("sequence").and_then(Value::as_u64));
        let Some(line) = row.get("line") else { continue };
        assert_eq!(line["app"], "api");
        let log = if line["stream"] == "err" { &mut err } else { &mut out };
        log.extend(line["text"].as_str().unwrap().bytes().chain([b'\n']));
    }
    let lines = check(&out, 60).unwrap_or_else(|why| panic!("out: {why}"));
    assert_eq!(check(&err, 60), Ok(lines), "both streams have the same lines");
    assert!(lines > 500 && aways == 3, "{lines} lines, the daemon was away {aways} times");
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]) && sequences.len() > 8, "{sequences:?}");
}

#[test]
fn who_follows_an_app_by_name_follows_it_over_its_end() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    env.start("other", &[], &["sleep"]);
    let follower = Follower::new(&env, &["--with", "logs,samples", "api"]);
    follower.until("here");
    let last = |row: &Value| row["line"]["text"].as_str().is_some_and(|text| text.starts_with("end "));
    for round in 0..3 {
        env.run(&["delete", "api"]).ok();
        env.start("api", &["--no-autorestart"], &["lines", "4", "--code", "0"]);
        let mut lines = 0;
        loop {
            let row = follower.until("line");
            assert_eq!(row["line"]["app"], "api", "round {round}");
            lines += 1;
            if last(&row) {
                break;
            }
        }
        assert_eq!(lines, 5, "all that the new one wrote, and nothing of the old one");
    }
    let row = follower.until("samples");
    let instances = row["samples"]["instances"].as_array().unwrap();
    assert!(instances.iter().all(|one| one["name"] == "api"), "{row}");
}

#[test]
fn instances_that_share_a_file_are_read_once() {
    let env = env();
    env.run(&["ping"]).ok();
    let follower = Follower::new(&env, &["--with", "logs"]);
    follower.until("here");
    env.start(
        "api",
        &["--instances", "3", "--merge-logs", "--no-autorestart"],
        &["lines", "50", "--rate", "200"],
    );
    let (mut ends, mut lines) = (0, 0);
    while ends < 3 {
        let row = follower.until("line");
        ends += u32::from(row["line"]["text"] == "end 50");
        lines += 1;
    }
    assert_eq!(lines, 3 * 51);
}

#[test]
fn lines_that_are_not_read_in_time_are_counted() {
    let env = env();
    env.run(&["ping"]).ok();
    let mut command = env.command(&["--machine", "events", "--follow", "--with", "logs"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut rows = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut row = || serde_json::from_str::<Value>(&rows.next().unwrap().unwrap()).unwrap();
    while row().get("here").is_none() {}
    let total = 300_000;
    env.start("api", &["--no-autorestart"], &["lines", &total.to_string(), "--size", "20"]);
    env.wait_log("api", &format!("end {total}"));
    let pid = i32::try_from(child.id()).unwrap();
    // Nobody reads what it prints, and it goes on reading the log until it has seen the end.
    wait_until("it has read the log to its end", SOON, || {
        let before = processes::cpu_ticks(pid);
        std::thread::sleep(Duration::from_millis(600));
        processes::cpu_ticks(pid) == before
    });
    let (mut lines, mut lost, mut last) = (0, 0, 0);
    loop {
        let row = row();
        lost += row["lost_lines"].as_u64().unwrap_or(0);
        let Some(text) = row["line"]["text"].as_str() else { continue };
        if text == format!("end {total}") {
            break;
        }
        let number: u64 = text[..10].parse().unwrap();
        assert!(number > last, "{number} after {last}");
        last = number;
        lines += 1;
    }
    assert!(lost > 100_000, "{lost} of {total}: the queue is bounded");
    assert_eq!((lines + lost, last), (total, total), "the newest are there, the others counted");
    processes::signal(pid, Signal::SIGKILL);
    child.wait().unwrap();
}

#[test]
fn positions_say_where_new_bytes_stand() {
    let env = env();
    env.start("old", &["--no-autorestart"], &["lines", "5", "--size", "20"]);
    let log = env.wait_log("old", "end 5\n");
    let mut wire = env.wire();
    // A position is told a moment after the bytes are there, never before.
    wait_until("the log stands at its end", SOON, || {
        let reply: Subscribed = wire.call(method::SUBSCRIBE, &params(&[Kind::Logs], None)).unwrap();
        assert_eq!(reply.kinds, [Kind::Logs]);
        let out = reply.logs.iter().find(|one| one.name == "old" && one.stream == LogStream::Out).unwrap();
        assert_eq!((out.from, out.lines), (out.to, 0));
        out.to.offset == log.len() as u64
    });
    // One that is new is told from its first byte.
    env.start("new", &["--no-autorestart"], &["lines", "7", "--size", "20"]);
    let (mut from, mut lines) = (None, 0);
    while lines < 7 {
        let Some(Message::Notification { method, params }) = wire.message() else { panic!("no position") };
        assert_eq!(method, method::NOTIFY_LOGS, "no events were wanted");
        let logs: Logs = frame::params(&params).unwrap();
        for one in logs.logs.iter().filter(|one| one.name == "new" && one.stream == LogStream::Out) {
            assert_eq!(one.from.offset, from.unwrap_or(0), "each goes on where the last ended");
            assert_eq!(one.path.as_path(), env.out_log("new"));
            from = Some(one.to.offset);
            lines += one.lines;
        }
    }
    let bytes = std::fs::metadata(env.out_log("new")).unwrap().len();
    assert!(from.is_some_and(|at| at <= bytes), "{from:?} of {bytes}");
}

/// Take the next `count` notifications: times of readings, and how many were lost.
fn readings(wire: &mut Wire, count: usize) -> (Vec<i64>, u64) {
    let (mut times, mut lost) = (Vec::new(), 0);
    while times.len() + (lost as usize) < count {
        let Some(Message::Notification { method, params }) = wire.message() else { continue };
        match method.as_str() {
            method::NOTIFY_SAMPLES => times.push(frame::params::<Samples>(&params).unwrap().at_ms),
            method::NOTIFY_LOST => lost += frame::params::<Lost>(&params).unwrap().samples,
            other => panic!("{other}"),
        }
    }
    (times, lost)
}

#[test]
fn a_slow_reader_gets_the_newest_and_is_told_how_many_he_missed() {
    let env = env();
    // Many instances that do not run make long messages, so that queues are full soon.
    let many = "[apps.many]\nscript = \"/bin/true\"\nautostart = false\ninstances = 1500\n";
    let file = env.file("velos.toml", many, 0o644);
    env.run(&["start", file.to_str().unwrap()]).ok();
    let before = env.hello();
    let wanted = params(&[Kind::Samples], Some(250));
    let [mut quick, mut slow, lazy] = [(); 3].map(|()| {
        let mut wire = env.wire();
        wire.call::<_, Subscribed>(method::SUBSCRIBE, &wanted).unwrap();
        wire
    });
    let (seen, lost) = readings(&mut quick, 24);
    assert_eq!(lost, 0, "who reads loses nothing");
    let grown = processes::rss_bytes(before.pid).saturating_sub(before.rss_bytes);
    assert!(grown < 12 << 20, "{grown} bytes for readers that do not read");
    // Half a second later than the others were: what he gets last must be that young.
    let newest = seen.last().copied().unwrap();
    let (mut times, mut missed) = readings(&mut slow, 1);
    while times.last().is_none_or(|at| *at < newest) {
        let (more, lost) = readings(&mut slow, 1);
        times.extend(more);
        missed += lost;
    }
    let all = times.len() + missed as usize;
    assert!(missed > 0 && all.abs_diff(seen.len()) <= 2, "{} and {missed} of {}", times.len(), seen.len());
    assert!(times.is_sorted(), "{times:?}");
    // One that never reads keeps nobody waiting.
    let begin = Instant::now();
    assert_eq!(env.list().len(), 1_500);
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(env.hello().pid, before.pid);
    lazy.stream.shutdown(std::net::Shutdown::Both).unwrap();
}

/// How often the threads of a process were woken.
fn wake_ups(pid: i32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let statuses = tasks.map(|task| std::fs::read_to_string(task.path().join("status")).unwrap_or_default());
    let counts = statuses.map(|status| {
        let lines = status.lines().filter_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        lines.filter_map(|count| count.trim().parse::<u64>().ok()).sum::<u64>()
    });
    counts.sum()
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_listens_and_the_daemon_sleeps() {
    let env = env();
    for name in ["one", "two", "three"] {
        env.start(name, &[], &["sleep"]);
    }
    let pid = env.hello().pid;
    let pass = |time: Duration| {
        let begin = Instant::now();
        wait_until("time has passed", SOON, || begin.elapsed() > time);
    };
    let mut wire = env.wire();
    let wanted = params(&[Kind::Events, Kind::Samples, Kind::Logs], Some(250));
    wire.call::<_, Subscribed>(method::SUBSCRIBE, &wanted).unwrap();
    let begun = wake_ups(pid);
    pass(Duration::from_secs(2));
    let with = wake_ups(pid) - begun;
    assert!(with >= 10, "{with} times in 2 s with a subscriber");
    wire.call::<_, Subscribed>(method::UNSUBSCRIBE, &Targets::default()).unwrap();
    drop(wire);
    // The daemon goes to rest after the last request.
    pass(Duration::from_secs(4));
    let begun = wake_ups(pid);
    pass(Duration::from_secs(3));
    let without = wake_ups(pid) - begun;
    assert!(without <= 2, "{without} times in 3 s with nobody");
}
