//! Many apps that crash, and others that move log files away while they are written.

use std::time::{Duration, Instant};

use velos_core::instance::Phase;
use velos_core::protocol::{ListReply, Targets, method};
use velos_testkit::numbered::check;
use velos_testkit::{SOON, processes, wait_until};

use crate::env;

#[test]
fn fifty_apps_in_a_crash_loop() {
    let env = env();
    let apps: String = (0..50)
        .map(|number| {
            format!("[apps.crash{number}]\ncommand = \"exit 3\"\nexp_backoff_restart_delay = \"100ms\"\n")
        })
        .collect();
    env.file("velos.toml", &apps, 0o644);
    env.start("good", &[], &["sleep"]);
    let pid = env.pid("good");
    env.run(&["start", "velos.toml"]);
    let (daemon, begin) = (env.hello().pid, Instant::now());
    let before = processes::cpu_ticks(daemon);
    let mut wire = env.wire();
    let mut times = Vec::new();
    while begin.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        let _: ListReply = wire.call(method::LIST, &Targets::default()).unwrap();
        times.push(asked.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    times.sort();
    assert!(times[times.len() / 2] < Duration::from_millis(10), "list takes {:?}", times[times.len() / 2]);
    // The pauses of 0, 100, 150, 225, 337, 505, 758, 1137 ms leave room for so many, and not for a storm.
    let list = env.list();
    let crashing = || list.iter().filter(|one| one.name.starts_with("crash"));
    assert!(
        crashing().all(|one| (2..=9).contains(&one.restarts)),
        "{:?}",
        crashing().map(|one| one.restarts)
    );
    let used = processes::cpu_ticks(daemon) - before;
    assert!(used < 100, "{used} ticks of 300 in a build without optimisation");
    assert_eq!((env.instance("good").phase, env.pid("good")), (Phase::Online, pid));
}

/// So many that signalling them takes as long as they have: what has ended meanwhile is not killed once more.
#[test]
fn a_stop_of_hundreds_does_not_kill_the_dead() {
    let env = env();
    env.start("app", &["-i", "300", "--kill-timeout", "300ms"], &["sleep"]);
    let stop = env.run(&["delete", "all"]).ok();
    let killed = env.daemon_log().matches("Killed {").count();
    // The last of them may have been too late.
    assert!(killed < 100, "{killed} of 300 got SIGKILL, in {:?}", stop.elapsed);
    assert!(env.list().is_empty());
}

#[test]
fn a_log_that_another_program_moves_away() {
    let env = env();
    env.start("api", &[], &["lines", "0", "--rate", "3000", "--size", "60"]);
    let log = env.out_log("api");
    let mut parts = Vec::new();
    for round in 0..5 {
        wait_until("it writes", SOON, || log.metadata().is_ok_and(|meta| meta.len() > 20_000));
        let part = env.work().join(format!("moved-{round}"));
        std::fs::rename(&log, &part).unwrap();
        parts.push(part);
        if round == 2 {
            env.kill_daemon();
        }
    }
    wait_until("it goes on in a file of the same name", SOON, || {
        log.metadata().is_ok_and(|meta| meta.len() > 0)
    });
    env.run(&["stop", "api"]).ok();
    parts.push(log.clone());
    wait_until("the last line", SOON, || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains("\nend ") || text.starts_with("end "))
    });
    let whole: Vec<u8> = parts.iter().flat_map(|part| std::fs::read(part).unwrap()).collect();
    assert!(check(&whole, 60).unwrap() > 1_000);
    assert_eq!(env.instance("api").dropped_lines, 0);
}

#[test]
fn a_log_that_another_program_truncates() {
    let env = env();
    env.start("api", &[], &["lines", "0", "--rate", "3000", "--size", "60"]);
    let log = env.out_log("api");
    wait_until("it writes", SOON, || log.metadata().is_ok_and(|meta| meta.len() > 20_000));
    std::fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    wait_until("it goes on", SOON, || log.metadata().is_ok_and(|meta| meta.len() > 5_000));
    env.run(&["stop", "api"]).ok();
    let text = std::fs::read(&log).unwrap();
    assert!(!text.contains(&0), "no hole where the old lines were");
    let shown = env.run(&["logs", "api", "--nostream", "--lines", "3", "--raw"]).ok();
    assert!(shown.stdout.contains("end "), "{}", shown.stdout);
}

#[test]
fn the_daemons_own_log_says_as_much_as_is_wanted() {
    for (level, wanted, unwanted) in [
        ("error", &[][..], &[" info ", " debug "][..]),
        ("info", &[" info event="][..], &[" debug "]),
        ("debug", &[" info event=", " debug "], &[]),
    ] {
        let env = env();
        env.set_variable("VELOS_LOG", level);
        env.start("api", &[], &["sleep"]);
        env.run(&["stop", "api"]).ok();
        // A client that talks nonsense is for those who look closely.
        let mut stream = velos_testkit::wire::Wire::silent(env.home());
        std::io::Write::write_all(&mut stream, &velos_testkit::wire::framed(&[0xc1])).unwrap();
        assert!(velos_testkit::wire::is_hung_up(&mut stream, SOON));
        env.run(&["kill"]).ok();
        let log = env.daemon_log();
        assert!(log.contains(" error daemon ends"), "{level}: {log}");
        assert!(wanted.iter().all(|word| log.contains(word)), "{level}: {log}");
        assert!(!unwanted.iter().any(|word| log.contains(word)), "{level}: {log}");
    }
}
