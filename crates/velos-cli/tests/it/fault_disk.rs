//! The disk of the logs is full, hangs, or goes away: apps run on, `list` answers, what is lost is counted.

use std::os::unix::fs::DirBuilderExt;
use std::time::{Duration, Instant};

use velos_core::event::What;
use velos_core::instance::Phase;
use velos_core::protocol::{EventsParams, EventsReply, ListReply, Targets, method};
use velos_testkit::disks::Disk;
use velos_testkit::numbered::{line, whole_log};
use velos_testkit::{SOON, TestEnv, is_root, processes, skipped, wait_until};

use crate::env;

/// Longer than the daemon waits before it begins to drop.
const STALL_OVER: Duration = Duration::from_secs(30);
const ENOSPC: i32 = 28;

fn make_logs_folder(env: &TestEnv) -> std::path::PathBuf {
    let logs = env.home().join("logs");
    std::fs::DirBuilder::new().mode(0o700).recursive(true).create(&logs).unwrap();
    logs
}

/// What a log says of itself: lines that are there, lines that its markers say are lost, and the number the app told.
/// Between two numbers that do not follow each other stands a marker of just that many.
fn account(log: &[u8], size: usize) -> Result<(u64, u64, Option<u64>), String> {
    let (mut next, mut there, mut lost, mut marked) = (1, 0, 0, 0);
    for found in log.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(found);
        if let Some(rest) = text.strip_prefix("[velos] ") {
            let count: u64 =
                rest.split(' ').next().and_then(|word| word.parse().ok()).ok_or(text.to_string())?;
            lost += count;
            marked += count;
        } else if let Some(count) = text.strip_prefix("end ") {
            let count: u64 = count.trim().parse().map_err(|_| text.to_string())?;
            return if count + 1 == next + marked {
                Ok((there, lost, Some(count)))
            } else {
                Err(format!("{there} lines, {lost} lost, but the app wrote {count}"))
            };
        } else {
            let number: u64 =
                text.get(..10).and_then(|word| word.parse().ok()).ok_or(format!("torn line {text:?}"))?;
            if number != next + marked || found != line(number, size) {
                return Err(format!("{number} follows {}, {marked} are marked as lost", next - 1));
            }
            (next, there, marked) = (number + 1, there + 1, 0);
        }
    }
    Ok((there, lost, None))
}

#[test]
fn a_full_disk() {
    let env = env();
    let logs = make_logs_folder(&env);
    let _disk = match Disk::small(&logs, 16 << 20) {
        Ok(disk) => disk,
        Err(why) => return skipped(&format!("a disk of 16 MiB: {why}")),
    };
    let filler = logs.join("filler");
    std::fs::write(&filler, vec![b'x'; (16 << 20) - (200 << 10)]).unwrap();
    env.start("api", &[], &["lines", "0", "--rate", "3000", "--size", "100"]);
    let pid = env.pid("api");
    env.wait_instance("api", "cannot be written", |one| one.log_errno == Some(ENOSPC));
    let lossy = velos_testkit::wait_for("lines are dropped", STALL_OVER, || {
        Some(env.instance("api")).filter(|one| one.dropped_lines > 0)
    });
    assert_eq!((lossy.phase, lossy.pid), (Phase::Online, Some(pid)), "the app runs on");
    let list = env.run(&["list"]).ok();
    assert!(
        list.stdout.contains("the output of api cannot be written: No space left on device"),
        "{}",
        list.stdout
    );
    let more = lossy.dropped_lines;
    wait_until("the app is not held up", SOON, || env.instance("api").dropped_lines > more + 1_000);

    std::fs::remove_file(&filler).unwrap();
    let log = env.out_log("api");
    wait_until("a line tells of the loss", SOON, || {
        String::from_utf8_lossy(&whole_log(&log)).contains("[velos] ")
    });
    env.wait_instance("api", "is written again", |one| one.log_errno.is_none());
    env.run(&["stop", "api"]).ok();
    wait_until("the last line", SOON, || {
        whole_log(&log).split(|byte| *byte == b'\n').any(|line| line.starts_with(b"end "))
    });
    let (there, lost, wrote) = account(&whole_log(&log), 100).unwrap();
    assert_eq!(Some(there + lost), wrote, "{there} lines there, {lost} lost");
    assert_eq!(env.instance("api").dropped_lines, lost, "the list tells the same number");
    let events: EventsReply = env.wire().call(method::EVENTS, &EventsParams::default()).unwrap();
    let failed = events
        .events
        .iter()
        .filter(|event| matches!(event.what, What::CaptureFailed { errno: ENOSPC }))
        .count();
    let recovered =
        events.events.iter().filter(|event| matches!(event.what, What::CaptureRecovered { .. })).count();
    assert_eq!((failed, recovered), (1, 1), "said once each");
}

#[test]
fn a_disk_that_hangs() {
    let env = env();
    let logs = make_logs_folder(&env);
    let disk = match Disk::freezable(&logs, &env.work().join("disk")) {
        Ok(disk) => disk,
        Err(why) => return skipped(&format!("a disk that can be frozen: {why}")),
    };
    env.start("api", &["--kill-timeout", "500ms"], &["lines", "0", "--rate", "3000", "--size", "100"]);
    env.start("victim", &["--kill-timeout", "500ms"], &["lines", "0", "--rate", "3000", "--size", "100"]);
    env.start("quiet", &[], &["sleep"]);
    env.wait_log("api", "0000001000");
    if let Err(why) = disk.freeze() {
        return skipped(&format!("freezing a disk: {why}"));
    }
    let mut wire = env.wire();
    let mut list = || {
        let begin = Instant::now();
        let list: ListReply = wire.call(method::LIST, &Targets::default()).unwrap();
        (begin.elapsed(), list)
    };
    // Right after the freeze, and again once the writer is known to hang.
    for state in ["freshly frozen", "dropping"] {
        let mut times: Vec<Duration> = (0..51).map(|_| list().0).collect();
        times.sort();
        assert!(
            times[25] < Duration::from_millis(10),
            "{state}: list takes {:?} in the middle, {:?} at most",
            times[25],
            times[50]
        );
        wait_until("lines are dropped", STALL_OVER, || {
            list().1.instances.iter().any(|one| one.name == "api" && one.dropped_lines > 0)
        });
    }
    let as_process = env.run(&["list"]).ok();
    assert!(as_process.elapsed < Duration::from_millis(500), "{:?}", as_process.elapsed);
    let before = env.instance("api").dropped_lines;
    wait_until("the app is not held up", SOON, || env.instance("api").dropped_lines > before + 1_000);
    for name in ["victim", "quiet"] {
        let pid = env.pid(name);
        let stop = env.run(&["stop", name]).ok();
        assert!(!processes::is_alive(pid));
        assert!(stop.elapsed < Duration::from_millis(2_600), "stop of {name} took {:?}", stop.elapsed);
    }

    disk.thaw().unwrap();
    env.wait_instance("api", "is written again", |one| one.log_errno.is_none());
    let log = env.out_log("api");
    wait_until("a line tells of the loss", SOON, || {
        String::from_utf8_lossy(&whole_log(&log)).contains("[velos] ")
    });
    env.run(&["stop", "api"]).ok();
    wait_until("the last line", SOON, || String::from_utf8_lossy(&whole_log(&log)).contains("\nend "));
    let (there, lost, wrote) = account(&whole_log(&log), 100).unwrap();
    assert_eq!(Some(there + lost), wrote, "{there} lines there, {lost} lost");
}

#[test]
fn a_folder_of_logs_that_is_deleted() {
    let env = env();
    env.start("api", &[], &["lines", "0", "--rate", "500"]);
    env.wait_log("api", "0000000100\n");
    let pid = env.pid("api");
    std::fs::remove_dir_all(env.home().join("logs")).unwrap();
    env.start("later", &["--output", "out.log", "--error", "err.log"], &["lines", "3", "--stay"]);
    wait_until("another app is not affected", SOON, || {
        std::fs::read(env.work().join("out.log")).is_ok_and(|log| log.ends_with(b"end 3\n"))
    });
    assert_eq!((env.instance("api").phase, env.pid("api")), (Phase::Online, pid));
    make_logs_folder(&env);
    env.run(&["restart", "api"]).ok();
    env.run(&["stop", "all"]).ok();
}

#[test]
fn logs_that_may_not_be_opened() {
    let env = env();
    // A symbolic link is not followed, whoever put it there.
    let logs = make_logs_folder(&env);
    let target = env.work().join("precious");
    std::fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, logs.join("api-out.log")).unwrap();
    env.try_start("api", &[], &["lines", "3"]).fails(1, &["cannot open its log files"]);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
    std::fs::remove_file(logs.join("api-out.log")).unwrap();
    std::fs::create_dir(logs.join("dir-out.log")).unwrap();
    env.try_start("dir", &[], &["lines", "3"]).fails(1, &["cannot open its log files"]);
    env.try_start("far", &["--output", "/no/such/folder/x.log"], &["lines", "3"])
        .fails(1, &["cannot open its log files"]);
    assert!(env.run(&["list"]).ok().stdout.contains("api"));
}

#[test]
fn a_home_on_a_full_disk() {
    if !is_root() {
        return skipped("mounting needs root");
    }
    let env = env();
    std::fs::DirBuilder::new().mode(0o700).create(env.home()).unwrap();
    let _disk = match Disk::small(env.home(), 256 << 10) {
        Ok(disk) => disk,
        Err(why) => return skipped(&format!("a disk of 256 KiB: {why}")),
    };
    env.start("api", &[], &["sleep"]);
    let pid = env.pid("api");
    // Everything that is left.
    let filler = env.home().join("filler");
    let _ = std::fs::write(&filler, vec![b'x'; 1 << 20]);
    let state = || std::fs::read(env.home().join("state.mp")).unwrap();
    let good = state();
    env.run(&["stop", "api"]).ok();
    assert!(!processes::is_alive(pid));
    env.run(&["list"]).ok();
    let now = state();
    assert!(
        now == good || now.starts_with(b"VLST0001"),
        "the table on disk is the old or the new one, whole"
    );
    std::fs::remove_file(&filler).unwrap();
    env.run(&["start", "api"]).ok();
    let pid = env.pid("api");
    wait_until("the table is saved again", SOON, || state() != good);
    env.kill_daemon();
    assert_eq!(env.pid("api"), pid);
}
