//! What apps write is in their logs, byte for byte.

use std::path::Path;

use velos_core::instance::{Exit, Phase};
use velos_testkit::numbered::{burst, long_line, whole_log};
use velos_testkit::{SOON, TestEnv, wait_until};

use crate::env;

/// Start the fixture, which ends, and wait until its exit is known.
fn run_to_end(env: &TestEnv, name: &str, words: &[&str]) {
    env.try_start(name, &["--no-autorestart"], words);
    let ended = env.wait_instance(name, "ended", |one| one.phase == Phase::Stopped);
    assert_eq!(ended.exit, Some(Exit::Code(0)));
}

fn wait_bytes(log: &Path, expected: &[u8]) {
    // An incomplete last line is written a moment after the exit.
    wait_until("all bytes are in the log", SOON, || whole_log(log).len() >= expected.len());
    let found = whole_log(log);
    let differs = found.iter().zip(expected).position(|(a, b)| a != b);
    assert!(
        found == expected,
        "{} bytes of {}, first difference at {differs:?}",
        found.len(),
        expected.len()
    );
}

#[test]
fn a_megabyte_and_gone_within_a_millisecond() {
    let env = env();
    let expected = burst(1_000_000);
    for round in 0..5 {
        let name = format!("burst{round}");
        run_to_end(&env, &name, &["burst", "1000000"]);
        wait_bytes(&env.out_log(&name), &expected);
    }
}

#[test]
fn no_newline_nul_and_invalid_utf8() {
    let env = env();
    let cases: [(&str, &[u8]); 3] = [
        ("no-newline", b"no newline at the end"),
        ("nul", b"a\0b\0\n\0\n"),
        ("invalid-utf8", b"caf\xe9 \xff\xfe \xc3(\n"),
    ];
    for (what, expected) in cases {
        run_to_end(&env, what, &[what]);
        wait_bytes(&env.out_log(what), expected);
        // Also while it goes on running.
        let stays = format!("{what}-stays");
        env.start(&stays, &[], &[what, "--stay"]);
        wait_bytes(&env.out_log(&stays), expected);
        assert_eq!(env.instance(&stays).phase, Phase::Online);
        let shown = env.run(&["logs", what, "--nostream"]).ok();
        assert!(!shown.stdout.contains('\0'), "control characters are neutralised");
    }
}

#[test]
fn a_line_after_a_flood_and_a_silence() {
    let env = env();
    let go = env.home().join("go");
    let script = env.file(
        "wave.py",
        "import os, sys, time\n\
         for wave in range(3):\n\
         \x20   for number in range(30000): os.write(1, b'line %d of %d\\n' % (number, wave))\n\
         \x20   while not os.path.exists(sys.argv[1] + str(wave)): time.sleep(0.05)\n\
         \x20   os.write(1, b'after %d\\n' % wave)\n\
         time.sleep(1000)\n",
        0o644,
    );
    env.run(&["start", script.to_str().expect("UTF-8"), "--name", "wave", "--", go.to_str().expect("UTF-8")])
        .ok();
    for wave in 0..3 {
        // During a flood nobody waits for the pipe to become readable; the first line after it must be seen all the same.
        let last = format!("line 29999 of {wave}\n");
        wait_until(&last, SOON, || whole_log(&env.out_log("wave")).ends_with(last.as_bytes()));
        std::fs::write(format!("{}{wave}", go.display()), "").expect("a file");
        let word = format!("after {wave}\n");
        wait_until(&word, SOON, || {
            let log = whole_log(&env.out_log("wave"));
            log.windows(word.len()).any(|window| window == word.as_bytes())
        });
    }
}

#[test]
fn a_line_of_ten_megabytes() {
    let env = env();
    run_to_end(&env, "long", &["long-line", "10485760"]);
    // Longer than a segment may be: it is cut into files, not into lines.
    wait_bytes(&env.out_log("long"), &long_line(10 << 20));
}

#[test]
fn both_streams_go_to_their_own_file() {
    let env = env();
    env.try_start("both", &["--no-autorestart"], &["lines", "2000", "--err", "--size", "80"]);
    env.wait_instance("both", "ended", |one| one.phase == Phase::Stopped);
    for log in [env.out_log("both"), env.err_log("both")] {
        wait_until("the last line", SOON, || whole_log(&log).ends_with(b"end 2000\n"));
        assert_eq!(velos_testkit::numbered::check(&whole_log(&log), 80), Ok(2000));
    }
}

#[test]
fn a_flood_is_rotated_and_whole() {
    let env = env();
    env.run(&["config", "set", "logs.compress", "false"]).ok();
    // 400,000 lines of 64 bytes: 25 MiB, over two files of 10 MiB.
    env.try_start("flood", &["--no-autorestart"], &["lines", "400000", "--size", "64"]);
    env.wait_instance("flood", "ended", |one| one.phase == Phase::Stopped);
    let log = env.out_log("flood");
    wait_until("the last line", SOON, || std::fs::read(&log).is_ok_and(|log| log.ends_with(b"end 400000\n")));
    assert_eq!(velos_testkit::numbered::check(&whole_log(&log), 64), Ok(400_000));
    assert!(std::fs::metadata(&log).unwrap().len() < 11 << 20);
    assert!(log.with_extension("1.log").exists(), "it was rotated");
}

#[test]
fn output_files_of_ones_own() {
    let env = env();
    let (out, err) = (env.work().join("my.out"), env.work().join("my.err"));
    let files = ["--output", "my.out", "--error", "my.err"];
    env.start("own", &files, &["lines", "10", "--err", "--stay"]);
    for path in [&out, &err] {
        wait_until("the last line", SOON, || std::fs::read(path).is_ok_and(|log| log.ends_with(b"end 10\n")));
    }
    assert!(!env.out_log("own").exists());
}
