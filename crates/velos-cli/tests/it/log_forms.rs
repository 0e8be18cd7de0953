//! How lines are stored: with times, as JSON, in one file for both, in compressed segments.

use velos_testkit::{SOON, TestEnv, wait_until};

use crate::env;

fn start(env: &TestEnv, command: &str, logs: &str) {
    env.file(
        "velos.toml",
        &format!("[apps.api]\ncommand = {command:?}\nautorestart = false\n[apps.api.logs]\n{logs}\n"),
        0o644,
    );
    env.run(&["start", "velos.toml"]).ok();
}

#[test]
fn a_time_before_each_line() {
    let env = env();
    start(
        &env,
        "echo one; printf two; sleep 0.1; echo ' and a half'; exec sleep 1000",
        "timestamps = \"YYYY-MM-DD HH:mm:ss.SSS Z\"",
    );
    let log = env.wait_log("api", "half\n");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    for (line, text) in lines.iter().zip(["one", "two and a half"]) {
        let (stamp, rest) = line.split_once(": ").unwrap();
        assert_eq!(rest, text);
        assert!(stamp.len() == "2026-03-01 10:05:03.123 +01:00".len() && stamp.starts_with("20"), "{stamp}");
    }
}

#[test]
fn json_lines_and_a_file_for_both() {
    let env = env();
    start(
        &env,
        "echo 'say \"x\"'; sleep 0.2; echo oops >&2; exec sleep 1000",
        "format = \"json\"\ncombined = \"all.log\"",
    );
    env.wait_log("api", "}\n");
    let all = env.work().join("all.log");
    wait_until("both", SOON, || std::fs::read_to_string(&all).is_ok_and(|text| text.lines().count() == 2));
    let text = std::fs::read_to_string(&all).unwrap();
    let objects: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&objects[0]["message"], &objects[0]["type"]), (&"say \"x\"".into(), &"out".into()));
    assert_eq!((&objects[1]["message"], &objects[1]["type"]), (&"oops".into(), &"err".into()));
    assert_eq!((&objects[0]["app_name"], &objects[0]["process_id"]), (&"api".into(), &0.into()));
    assert!(objects[0]["timestamp"].as_str().unwrap().contains('T'));
    let own = std::fs::read_to_string(env.out_log("api")).unwrap();
    assert_eq!(own.lines().next(), text.lines().next());
}

#[test]
fn old_segments_are_compressed_and_read_as_before() {
    let env = env();
    start(
        &env,
        "i=0; while [ $i -lt 20000 ]; do echo \"request $i handled\"; i=$((i+1)); done; exec sleep 1000",
        "max_size = \"50K\"\nkeep = 20",
    );
    env.wait_log("api", "request 19999 handled\n");
    let logs = env.home().join("logs");
    let names = || -> Vec<String> {
        std::fs::read_dir(&logs)
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    };
    let packed = |names: &[String]| names.iter().filter(|name| name.ends_with(".log.zst")).count();
    let plain = |names: &[String]| {
        names.iter().filter(|name| name.ends_with(".log") && name.starts_with("api-out.")).count()
    };
    wait_until("compression", SOON, || packed(&names()) >= 5 && plain(&names()) <= 2);
    let shown = env.run(&["logs", "api", "--lines", "20000", "--raw", "--out", "--nostream"]).ok().stdout;
    let expected: String = (0..20_000).map(|n| format!("request {n} handled\n")).collect();
    assert!(shown == expected, "{} of {} bytes", shown.len(), expected.len());
    // Retention counts them too, and flush takes them away.
    assert!(names().len() < 60);
    env.run(&["flush", "api"]).ok();
    assert_eq!(packed(&names()), 0, "{:?}", names());
}
