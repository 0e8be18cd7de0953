//! `velos logs` with windows, filters and views, and `velos health`, over logs on disk: no daemon runs.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use velos_testkit::TestEnv;

use crate::env;

const MINUTE: u64 = 60_000_000;

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

/// A log and its index as the daemon writes them: minutes before now, and text.
pub(crate) fn write(env: &TestEnv, file: &str, stream: u8, lines: &[(u64, &str)]) {
    let folder = env.home().join("logs");
    std::fs::create_dir_all(&folder).unwrap();
    let now = now_us();
    let (mut text, mut index) = (Vec::new(), vec![0_u8; 64]);
    index[..8].copy_from_slice(b"VLIX0001");
    for (number, (before, line)) in lines.iter().enumerate() {
        let mut record = Vec::new();
        record.extend((text.len() as u64).to_le_bytes());
        record.extend((now - before * MINUTE - 1_000_000 + number as u64).to_le_bytes());
        record.extend((line.len() as u32 + 1).to_le_bytes());
        record.extend(1_u32.to_le_bytes());
        record.extend([stream, 0, 0, 0]);
        record.extend(crc32c::crc32c(&record).to_le_bytes());
        index.extend(record);
        text.extend(line.bytes());
        text.push(b'\n');
    }
    std::fs::write(folder.join(file), text).unwrap();
    std::fs::write(folder.join(format!("{file}.vix")), index).unwrap();
}

fn shop(env: &TestEnv) {
    write(
        env,
        "shop-out.log",
        1,
        &[
            (180, "INFO listening on 3000"),
            (50, "INFO order 1 took 12ms"),
            (49, "INFO order 2 took 13ms"),
            (48, "INFO order 3 took 9ms"),
            (47, "WARN stock is low for item 5"),
            (20, "INFO order 4 took 15ms"),
            (1, "INFO order 5 took 11ms"),
        ],
    );
    write(
        env,
        "shop-error.log",
        2,
        &[
            (30, "TypeError: price is undefined"),
            (30, "    at total (/srv/shop/cart.js:7:3)"),
            (30, "    at checkout (/srv/shop/order.js:31:9)"),
            (10, "TypeError: price is undefined"),
            (10, "    at total (/srv/shop/cart.js:8:3)"),
            (10, "    at checkout (/srv/shop/order.js:35:9)"),
        ],
    );
}

/// The text behind `[time] `.
fn texts(stdout: &str) -> Vec<&str> {
    stdout.lines().map(|line| line.split_once("] ").map_or(line, |(_, text)| text)).collect()
}

#[track_caller]
fn check(env: &TestEnv, args: &[&str], expected: &[&str]) {
    let mut words = vec!["logs", "shop"];
    words.extend(args);
    let output = env.run(&words).ok();
    assert_eq!(texts(&output.stdout), expected, "{words:?}");
}

#[test]
fn windows_filters_and_levels_combine() {
    let env = env();
    shop(&env);
    check(
        &env,
        &["--since", "25m"],
        &[
            "INFO order 4 took 15ms",
            "TypeError: price is undefined",
            "    at total (/srv/shop/cart.js:8:3)",
            "    at checkout (/srv/shop/order.js:35:9)",
            "INFO order 5 took 11ms",
        ],
    );
    check(
        &env,
        &["--since", "1h", "--until", "48m30s"],
        &["INFO order 1 took 12ms", "INFO order 2 took 13ms"],
    );
    check(&env, &["--grep", "order [12]"], &["INFO order 1 took 12ms", "INFO order 2 took 13ms"]);
    check(&env, &["--grep", "ORDER", "-i", "-n", "1"], &["INFO order 5 took 11ms"]);
    check(&env, &["--grep", "info", "-iv", "--out"], &["WARN stock is low for item 5"]);
    check(
        &env,
        &["--grep", "stock", "-C", "1", "--out"],
        &["INFO order 3 took 9ms", "WARN stock is low for item 5", "INFO order 4 took 15ms"],
    );
    check(&env, &["--level", "warn"], &["WARN stock is low for item 5"]);
    check(
        &env,
        &["--level", "warn+", "--since", "15m"],
        &[
            "TypeError: price is undefined",
            "    at total (/srv/shop/cart.js:8:3)",
            "    at checkout (/srv/shop/order.js:35:9)",
        ],
    );
    let folded = env.run(&["logs", "shop", "--dedupe", "--out", "-n", "50"]).ok().stdout;
    let folded = texts(&folded);
    assert_eq!(folded[..2], ["INFO listening on 3000", "INFO order 1 took 12ms"]);
    assert!(folded[2].starts_with("… 2 more like this, the last at "), "{folded:?}");
    let line =
        env.run(&["logs", "shop", "--grep", "stock", "--format", "{level}|{app}|{stream}|{text}"]).ok();
    assert_eq!(line.stdout, "warn|shop|out|WARN stock is low for item 5\n");
    let documents: Vec<Value> = env.json(&["logs", "shop", "--level", "warn", "--json"]);
    assert_eq!((documents.len(), documents[0]["level"].as_str()), (1, Some("warn")));
    let lines = env.run(&["logs", "shop", "-n", "2", "--format", "json"]).ok().stdout;
    let documents: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents.len(), 2);
    let exact = env.run(&["logs", "shop", "-n", "1", "--timestamps"]).ok().stdout;
    assert_eq!(exact.find(']'), Some("[2026-03-01T10:05:03.120+00:00".len()), "{exact}");
}

#[test]
fn mistakes_are_explained() {
    let env = env();
    shop(&env);
    let fails = |args: &[&str], words: &[&str]| {
        let mut all = vec!["logs", "shop"];
        all.extend(args);
        env.run(&all).fails(2, words)
    };
    let output = fails(&["--grep", "a(b"], &["unclosed group at character 2"]);
    assert!(output.stderr.contains("a(b\n       ^ here"), "{}", output.stderr);
    fails(&["--since", "5x"], &["\"x\" is no unit", "10:30"]);
    fails(&["--since", "1h", "--until", "2h"], &["--since is later than --until"]);
    fails(&["--level", "loud"], &["\"loud\" is no level", "warn+"]);
    fails(&["--format", "{what}"], &["no field \"{what}\""]);
    fails(&["--summary", "--follow"], &["cannot be used with"]);
    fails(&["-f", "--until", "1h"], &["--until"]);
}

#[test]
fn summary_patterns_errors_and_health() {
    let env = env();
    shop(&env);
    let summary = env.run(&["logs", "shop", "--summary"]).ok().stdout;
    let lines: Vec<&str> = summary.lines().collect();
    assert_eq!(lines[0], "Process: shop | Period: last 1h | Health: 73/100");
    assert_eq!(lines[1], "Lines: 12 | Errors: 2 | Warnings: 1");
    assert_eq!(lines[2..4], ["Top patterns:", "  1. \"INFO order <N> took <N>ms\" (x5, stable)"]);
    assert_eq!(lines.last(), Some(&"Last error: \"TypeError: price is undefined\" (10min ago)"));
    let documents: Vec<Value> = env.json(&["logs", "shop", "--summary", "--json"]);
    assert_eq!(documents[0]["health"]["score"], 73);
    let errors = env.run(&["logs", "shop", "--errors"]).ok().stdout;
    assert!(
        errors.contains("  x2  first ") && errors.contains("(10min ago)\n    TypeError: price"),
        "{errors}"
    );
    assert_eq!(errors.lines().count(), 4, "{errors}");
    let patterns = env.run(&["logs", "shop", "--patterns", "--level", "info"]).ok().stdout;
    assert!(patterns.contains("5  83.3%") && patterns.contains("INFO order <N> took <N>ms"), "{patterns}");
    let health = env.run(&["health", "shop"]).ok().stdout;
    let told: Vec<&str> = health.lines().collect();
    assert_eq!(told[0], "shop: 73/100 (last 1h, 12 lines)");
    assert!(told[1].starts_with("  -21.3  errors      2 errors in 12 lines"), "{health}");
    env.run(&["health", "shop", "--fail-below", "90"]).fails(1, &[]);
    env.run(&["health", "shop", "--fail-below", "50"]).ok();
    env.run(&["health", "nothing"]).fails(3, &["nothing"]);
}

#[test]
fn several_apps_merge_by_time() {
    let env = env();
    write(&env, "a-out.log", 1, &[(9, "one"), (7, "three")]);
    write(&env, "b-out.log", 1, &[(8, "two"), (6, "four")]);
    let output = env.run(&["logs", "--since", "1h"]).ok();
    assert_eq!(texts(&output.stdout), ["a | one", "b | two", "a | three", "b | four"]);
    let last = env.run(&["logs", "-n", "1"]).ok();
    assert_eq!(texts(&last.stdout), ["a | three", "b | four"]);
}

#[test]
fn following_shows_only_what_is_wanted() {
    use std::io::{BufRead, BufReader, Write};
    let env = env();
    shop(&env);
    let log = env.home().join("logs/shop-out.log");
    let mut append = std::fs::OpenOptions::new().append(true).open(&log).unwrap();
    let follow = |args: &[&str]| {
        let mut words = vec!["logs", "shop", "--follow"];
        words.extend(args);
        let mut child = env.command(&words).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines)
    };
    let (mut filtered, mut wanted) = follow(&["--grep", "order 5|refund", "--out"]);
    assert!(wanted.next().unwrap().unwrap().ends_with("INFO order 5 took 11ms"));
    let (mut levelled, mut warnings) =
        follow(&["--level", "warn+", "--since", "60m", "--format", "{level} {text}"]);
    assert_eq!(warnings.next().unwrap().unwrap(), "warn WARN stock is low for item 5");
    for _ in 0..6 {
        warnings.next().unwrap().unwrap();
    }
    let (mut folded, mut once) = follow(&["--dedupe", "-n", "1", "--out"]);
    assert!(once.next().unwrap().unwrap().ends_with("INFO order 4 took 15ms"));
    assert!(once.next().unwrap().unwrap().starts_with("… 1 more like this"));
    writeln!(append, "INFO tick\nINFO refund 1\nINFO tick\nERROR no stock").unwrap();
    assert!(wanted.next().unwrap().unwrap().ends_with("INFO refund 1"));
    assert_eq!(warnings.next().unwrap().unwrap(), "error ERROR no stock");
    for expected in ["INFO tick", "INFO refund 1", "INFO tick", "ERROR no stock"] {
        assert!(once.next().unwrap().unwrap().ends_with(expected));
    }
    writeln!(append, "{}INFO other", "INFO loop 1\n".repeat(5)).unwrap();
    assert!(once.next().unwrap().unwrap().ends_with("INFO loop 1"));
    assert!(once.next().unwrap().unwrap().starts_with("… "));
    for child in [&mut filtered, &mut levelled, &mut folded] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn agents_get_few_tokens_and_no_secrets() {
    let env = env();
    shop(&env);
    write(
        &env,
        "key-out.log",
        1,
        &[(5, "INFO got AWS key AKIAIOSFODNN7EXAMPLE for user 7"), (4, "ERROR password=hunter22x is wrong")],
    );
    let lines: Vec<String> = env.json(&["logs", "key", "--ai"]);
    assert!(lines[0].contains("INFO got AWS key [REDACTED:aws-key:"), "{lines:?}");
    assert!(lines[1].contains(" E ERROR password=[REDACTED:"), "{lines:?}");
    let summaries: Vec<Value> = env.json(&["logs", "shop", "--summary", "--ai"]);
    assert_eq!(
        (&summaries[0]["n"], &summaries[0]["hp"], &summaries[0]["er"]),
        (&"shop".into(), &73.into(), &2.into())
    );
    let errors: Vec<Value> = env.json(&["logs", "shop", "--errors", "--ai"]);
    assert_eq!(errors[0]["top"][0]["x"], 2);
    let health: Vec<Value> = env.json(&["health", "shop", "--ai"]);
    assert_eq!(health[0]["hp"], 73);
    let patterns: Vec<Value> = env.json(&["logs", "shop", "--patterns", "--ai"]);
    assert_eq!(patterns[0]["top"][0][1], 5);
}

#[test]
fn times_in_a_form_of_yours_and_marks() {
    let env = env();
    env.set_variable("TZ", "UTC");
    write(&env, "web-out.log", 0, &[(5, "GET /a 200"), (4, "GET /b 500")]);
    let shown = |args: &[&str]| env.run(&[&["logs", "web", "--nostream"], args].concat()).ok().stdout;
    let now = |form: &str| date(&env, form);
    // Whatever the minute is by now, the day was the same five minutes before, or this test runs at midnight.
    for (form, strftime) in [("[day] YYYY/MM/DD", "day %Y/%m/%d"), ("%Y/%m/%d", "%Y/%m/%d")] {
        let day = now(strftime);
        assert!(shown(&["--timestamp", form]).starts_with(&format!("[{day}] GET /a")), "{form}");
    }
    assert!(
        shown(&["--timestamp"]).lines().all(|line| line.len() == "[2026-03-01-07:05:03] GET /a 200".len())
    );
    let template = shown(&["--timestamp=[T]HH", "--format", "{time}|{text}"]);
    assert!(
        template.starts_with('T') && template.get(3..).unwrap().starts_with("|GET /a 200\n"),
        "{template}"
    );
    let marked = shown(&["--highlight", "GET", "--highlight", "500", "--color", "always"]);
    assert!(marked.contains("\u{1b}[30;43mGET\u{1b}[0m /b \u{1b}[30;43m500\u{1b}[0m"), "{marked:?}");
    assert!(!shown(&["--highlight", "GET"]).contains('\u{1b}'), "not on a terminal");
    for (args, word) in [
        (["--timestamp", "web"], "tells neither"),
        (["--timestamp", "%H%"], "--timestamp"),
        (["--highlight", ""], "empty"),
        (["--highlight", "x"], "for people"),
    ] {
        let machine: &[&str] = if word == "for people" { &["--json"] } else { &[] };
        env.run(&[&["logs"], &args[..], machine].concat()).fails(2, &[word]);
    }
}

/// The time now, as date(1) tells it.
fn date(env: &TestEnv, form: &str) -> String {
    let mut command = std::process::Command::new("date");
    command.arg("-u").arg(format!("+{form}")).current_dir(env.work());
    velos_testkit::run(command).ok().stdout.trim().to_owned()
}
