//! `velos logs` and `velos flush`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;
use velos_testkit::{SOON, wait_until};

use crate::env;

/// The text behind `[time] `.
fn texts(stdout: &str) -> Vec<&str> {
    stdout.lines().map(|line| line.split_once("] ").map_or(line, |(_, text)| text)).collect()
}

#[test]
fn the_last_lines_of_either_stream() {
    let env = env();
    env.start("api", &[], &["lines", "30", "--err", "--stay"]);
    env.wait_log("api", "end 30\n");
    wait_until("errors are there", SOON, || {
        std::fs::read(env.err_log("api")).is_ok_and(|log| log.ends_with(b"end 30\n"))
    });
    let output = env.run(&["logs", "api", "--nostream", "--lines", "3", "--out"]).ok();
    assert_eq!(texts(&output.stdout), ["0000000029", "0000000030", "end 30"], "{}", output.stdout);
    let output = env.run(&["logs", "api", "--nostream", "--lines", "2", "--err"]).ok();
    assert_eq!(texts(&output.stdout), ["0000000030", "end 30"]);
    let both = env.run(&["logs", "0", "--nostream", "--lines", "2"]).ok();
    assert!(both.stdout.matches("end 30").count() >= 1, "{}", both.stdout);
    let raw = env.run(&["logs", "api", "--nostream", "--raw", "--out", "-n", "100"]).ok();
    assert_eq!(raw.stdout.as_bytes(), std::fs::read(env.out_log("api")).unwrap());
    let document = env.run(&["logs", "api", "--nostream", "--out", "-n", "1", "--json"]).ok();
    assert!(document.stdout.contains("end 30"), "{}", document.stdout);
    serde_json::from_str::<Value>(&document.stdout).unwrap();
}

#[test]
fn following_shows_what_comes() {
    let env = env();
    env.file(
        "talk.sh",
        "echo first; while read -r line; do echo \"$line\"; done < feed; exec sleep 1000",
        0o644,
    );
    nix_mkfifo(&env.work().join("feed"));
    env.run(&["start", "talk.sh"]).ok();
    env.wait_log("talk", "first\n");
    let mut follower = env.command(&["logs", "talk", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(texts(&next()), ["first"]);
    {
        use std::io::Write;
        let mut feed = std::fs::OpenOptions::new().write(true).open(env.work().join("feed")).unwrap();
        for number in 0..3 {
            writeln!(feed, "line {number}").unwrap();
            assert_eq!(texts(&next()), [format!("line {number}")]);
        }
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
}

fn nix_mkfifo(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[test]
fn logs_outlive_app_and_daemon() {
    let env = env();
    env.start("api", &[], &["lines", "5", "--stay"]);
    env.wait_log("api", "end 5\n");
    env.run(&["delete", "api"]).ok();
    let read = || env.run(&["logs", "api", "--nostream", "-n", "1"]).ok().stdout;
    assert_eq!(texts(&read()), ["end 5"]);
    env.run(&["kill"]).ok();
    assert_eq!(texts(&read()), ["end 5"]);
    assert!(velos_testkit::wire::Wire::try_greeted(env.home()).is_none(), "reading logs starts no daemon");
    env.run(&["logs", "nothing", "--nostream"]).fails(3, &["nothing"]);
}

#[test]
fn control_sequences_of_apps_do_not_reach_the_terminal() {
    let env = env();
    env.file("evil.sh", "printf '\\033]52;c;ZXZpbA==\\007 \\033[2Jhello\\n'; exec sleep 1000", 0o644);
    env.run(&["start", "evil.sh"]).ok();
    env.wait_log("evil", "hello\n");
    let shown = env.run(&["logs", "evil", "--nostream"]).ok().stdout;
    assert!(shown.contains("hello") && !shown.contains(['\x1b', '\x07']), "{shown:?}");
}

#[test]
fn flush_empties_and_writing_goes_on() {
    let env = env();
    env.start("api", &[], &["lines", "0", "--rate", "500"]);
    env.start("quiet", &[], &["lines", "3", "--stay"]);
    env.wait_log("quiet", "end 3\n");
    env.wait_log("api", "0000000100\n");
    env.run(&["flush", "quiet"]).ok();
    assert_eq!(std::fs::read(env.out_log("quiet")).unwrap(), b"");
    env.run(&["flush"]).ok();
    // Behind a flush stands what came later, whole and from the first byte.
    wait_until("it goes on", SOON, || std::fs::read(env.out_log("api")).is_ok_and(|log| log.len() > 1_000));
    let log = std::fs::read_to_string(env.out_log("api")).unwrap();
    let numbers: Vec<u64> = log.lines().take(50).map(|line| line.parse().unwrap()).collect();
    assert!(numbers[0] > 100 && numbers.is_sorted_by(|a, b| a + 1 == *b), "{numbers:?}");
}

/// The end of a long log is read backwards; what comes of it must be the end of what a whole reading gives.
#[test]
fn the_last_that_match_are_those_of_the_whole_log() {
    let env = env();
    let script = r#"
        awk 'BEGIN { for (n = 0; n < 60000; n++) {
            level = n % 997 == 0 ? "ERROR" : n % 89 == 0 ? "WARN " : "INFO "
            printf "2026-03-01 10:%02d:%02d %s worker %d did what it had to do %d\n", n / 1000, n % 60, level, n % 7, n
            if (n % 997 == 0) print "java.lang.IllegalStateException: no\n\tat a.B.c(B.java:" n ")"
            if (n % 5000 == 0) print "stderr too: ERROR " n > "/dev/stderr"
        } print "end" }'
        exec sleep 1000
    "#;
    env.file("talk.sh", script, 0o644);
    env.run(&["start", "talk.sh"]).ok();
    wait_until("the log is written", SOON, || {
        std::fs::read(env.out_log("talk")).is_ok_and(|log| log.ends_with(b"end\n"))
    });
    assert!(std::fs::metadata(env.out_log("talk")).unwrap().len() > 3 << 20);
    // What is newest has its time once the index is written: by then the streams stand in their final order.
    env.run(&["kill"]).ok();
    for filters in [
        &["--level", "error"][..],
        &["--level", "warn+"],
        &["--level", "fatal"],
        &["--grep", "worker 3 .* 59\\d*$", "-C", "2"],
        &["--grep", "did what it had to do 3", "-C", "1", "--level", "warn"],
        &["--grep", "B.java:[1-9]"],
        &["--level", "error", "--dedupe"],
    ] {
        let base = [&["logs", "talk", "--nostream", "--raw"][..], filters].concat();
        let all = env.run(&base).ok().stdout;
        for count in ["1", "7", "40", "100000"] {
            let some = env.run(&[&base[..], &["-n", count]].concat()).ok().stdout;
            let is_end = all.ends_with(&some);
            let lines = some.lines().filter(|line| *line != "--" && !line.starts_with('…')).count();
            let most = all.lines().filter(|line| *line != "--" && !line.starts_with('…')).count();
            assert!(is_end && lines == most.min(count.parse().unwrap()), "{filters:?} {count}: {some}");
        }
    }
}
