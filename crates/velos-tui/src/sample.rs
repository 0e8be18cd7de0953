//! Processes, lines and events for tests.

use velos_core::instance::{Exit, InstanceId, Token};
use velos_core::protocol::{InstanceInfo, InstanceSummary};
use velos_core::run::{Run, Used};
use velos_log_engine::Stream;
use velos_log_engine::level::classify;
use velos_log_engine::query::{Reader, Window};
use velos_log_engine::summary::{Analyst, Period, Plan};

use crate::Clock;
use crate::digest::Digest;
use crate::logs::LogLine;
use crate::model::{Look, Model};
use crate::msg::{EventLine, Host, Msg, RunLine};
use crate::update::update;

pub(crate) use velos_testkit::sample::{NOW_MS, hello};

/// One of each state that looks different.
pub(crate) fn instances() -> Vec<InstanceSummary> {
    let mut all = velos_testkit::sample::instances();
    for one in &mut all {
        (one.out_log, one.err_log) = ("/logs/x-out.log".into(), "/logs/x-error.log".into());
        one.watching = false;
        match one.id.0 {
            1 => one.healthy = Some(true),
            3 => (one.name, one.restarts) = ("worker".to_owned(), 9),
            5 => (one.cpu_centipercent, one.log_errno) = (Some(9_870), None),
            _ => {}
        }
    }
    all
}

/// The whole of an instance, with a secret that was hidden.
pub(crate) fn info(id: u32) -> InstanceInfo {
    let mut spec = velos_testkit::sample::spec();
    spec.env.insert("API_TOKEN".into(), "***".into());
    InstanceInfo {
        summary: instances().swap_remove(id as usize),
        spec,
        created_ms: NOW_MS - 86_400_000,
        unstable: 0,
        processes: Some(2),
        threads: Some(12),
        next_run_ms: None,
        input: "/home/me/.velos/run/api-0.in".into(),
        captured_bytes: 5_000_000,
    }
}

/// What a daemon tells of the processes of an instance.
pub(crate) fn runs() -> Vec<RunLine> {
    let run = |number, from_s: i64, ended: Option<(i64, Exit)>, because: Option<&str>| RunLine {
        run: Run {
            number,
            token: Token(number),
            pid: 4_000 + number as i32,
            started_ms: NOW_MS - from_s * 1_000,
            ended_ms: ended.map(|(to_s, _)| NOW_MS - to_s * 1_000),
            exit: ended.map(|(_, exit)| exit),
            ended_by: None,
            used: ended.map(|_| Used { cpu_us: 1_230_000, peak_rss_bytes: 45 << 20 }),
        },
        because: because.map(str::to_owned),
    };
    vec![
        run(3, 90, Some((89, Exit::Code(3))), None),
        run(4, 80, Some((20, Exit::Signal(15))), Some("restart asked by cli uid=0 pid=7")),
        run(5, 20, None, None),
    ]
}

/// A log with all levels.
pub(crate) fn log_lines() -> Vec<LogLine> {
    let texts = [
        "INFO  server listens on 3000",
        "DEBUG cache warm after 12 ms",
        "INFO  GET /users 200 in 3 ms, a line that is longer than the terminal is wide, so that it has to be cut or \
         wrapped somewhere",
        "WARN  slow query: 812 ms",
        "ERROR cannot reach db at 10.0.0.1: connection refused",
        "    at connect (/srv/api/db.js:10:5)",
        "INFO  retry in 500 ms",
        "FATAL out of memory",
    ];
    let line = |(n, text): (usize, &&str)| LogLine {
        time_us: Some(NOW_MS as u64 * 1_000 + n as u64 * 1_000_000),
        is_err: (4..6).contains(&n),
        level: classify(text.as_bytes()).level,
        text: (*text).to_owned(),
    };
    texts.iter().enumerate().map(line).collect()
}

/// What a log says as a whole.
pub(crate) fn digest() -> Digest {
    let now_us = NOW_MS as u64 * 1_000;
    let minute_us = 60_000_000;
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("api-out.log");
    let trace = "ERROR TypeError: cannot read 'id' of undefined\n    at total (/srv/api/order.js:12:5)\n    at \
                 checkout (/srv/api/cart.js:44:9)\n";
    let mut text = String::new();
    for n in 0..40 {
        let time = Clock::utc().date(NOW_MS - 40 * 60_000 + n * 60_000).replace(' ', "T");
        text.push_str(&format!("{time}Z INFO GET /users/{n} 200 in {} ms\n", n * 7 % 50));
        if n % 9 == 0 {
            text.push_str(&format!("{time}Z WARN slow query: {n} ms\n{time}Z {trace}"));
        }
        if n == 20 {
            text.push_str(&format!("{time}Z FATAL cannot reach db at 10.0.0.{n}\n"));
        }
    }
    std::fs::write(&log, text).unwrap();
    let period = Period { label: "last 1h".to_owned(), from_us: now_us - 60 * minute_us, until_us: now_us };
    let plan = Plan { app: "api".to_owned(), history_us: period.from_us, period };
    let mut analyst = Analyst::new(plan);
    let window = Window { since_us: None, until_us: None };
    analyst.read(Reader::open(&log, Stream::Out, window).unwrap()).unwrap();
    let times = (0..40).map(|n| now_us - (40 - n) * minute_us);
    Digest::new(analyst.finish(), times, None)
}

/// Some things that happened.
pub(crate) fn events() -> Vec<EventLine> {
    let event = |sequence: u64, instance: u32, text: &str, is_bad| EventLine {
        sequence,
        at_ms: NOW_MS + sequence as i64 * 1_000,
        instance: Some(InstanceId(instance)),
        text: Some(text.to_owned()),
        phase: None,
        is_bad,
        is_crash: is_bad,
    };
    vec![
        event(1, 0, "api: added", false),
        event(2, 0, "api: launching -> online: it says that it is ready (PID 12345)", false),
        event(3, 3, "worker: online -> waiting restart: it ended with exit code 1 after 12 ms", true),
    ]
}

/// With everything there is.
pub(crate) fn model(width: u16, height: u16) -> Model {
    let look = Look { colour: true, unicode: true };
    let mut model = Model::new((width, height), look, Clock::utc(), NOW_MS);
    let host = Host { cpu_percent: 37.5, used_bytes: 3 << 30, total_bytes: 8 << 30, processors: 4 };
    update(&mut model, Msg::Here(Box::new(hello())));
    for n in 0..40 {
        let mut instances = instances();
        for one in instances.iter_mut().filter(|one| one.pid.is_some()) {
            one.cpu_centipercent = Some(n * n * 5 % 9_000);
            one.rss_bytes = one.rss_bytes.map(|bytes| bytes + u64::from(n) * 1_000_000);
        }
        update(&mut model, Msg::List(instances));
        update(&mut model, Msg::Host(Host { cpu_percent: n as f32, ..host }));
    }
    update(&mut model, Msg::List(instances()));
    update(&mut model, Msg::Host(host));
    update(&mut model, Msg::Events(events()));
    model.logs.add(log_lines());
    model
}
