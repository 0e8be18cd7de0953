//! Limits of the machine: processes, sizes of files and of arguments, and a kernel that does not let go of a process.

use std::time::Duration;

use serde_json::Value;
use velos_core::instance::Phase;
use velos_core::protocol::{Outcomes, method};
use velos_testkit::disks::Disk;
use velos_testkit::{SOON, is_root, processes, run, skipped, wait_until};

use crate::env;

/// A user with no processes but those of the test.
const LONELY: &str = "64731";

#[test]
fn no_more_processes() {
    let env = env();
    let has = |name| velos_testkit::program(name).is_some();
    if !is_root() || !has("setpriv") || !has("prlimit") {
        return skipped("a limit on processes needs root, setpriv and prlimit");
    }
    let lonely: u32 = LONELY.parse().unwrap();
    for folder in [env.work(), env.work().parent().unwrap().to_path_buf()] {
        std::os::unix::fs::chown(folder, Some(lonely), Some(lonely)).unwrap();
    }
    let as_lonely = ["setpriv", "--reuid", LONELY, "--regid", LONELY, "--clear-groups"];
    let velos = |words: &[&str]| run(env.command_through(&as_lonely, words));
    if velos(&["ping"]).code != 0 {
        return skipped("the binary is not within reach of another user");
    }
    let start =
        |name: &str| velos(&["start", env.fixture(), "--name", name, "--no-autorestart", "--", "sleep"]);
    start("first").ok();
    let list = |words: &[&str]| -> Vec<Value> { serde_json::from_str(&velos(words).ok().stdout).unwrap() };
    let ping: Value = serde_json::from_str(&velos(&["ping", "--json"]).ok().stdout).unwrap();
    let daemon = ping["pid"].to_string();
    let limit = |soft: &str| {
        // As the user itself: root in a container may not.
        let mut command = std::process::Command::new("setpriv");
        command.args(&as_lonely[1..]);
        command.args(["prlimit", "--pid", &daemon, &format!("--nproc={soft}:")]);
        run(command).ok();
    };
    limit("1");
    start("second").fails(1, &["\"second\" is errored", "Resource temporarily unavailable"]);
    let before = list(&["list", "--json"]);
    assert_eq!(before[0]["phase"], "online", "nothing else is disturbed");
    limit("500");
    start("second").ok();
    let after = list(&["list", "--json"]);
    assert_eq!(after[0]["pid"], before[0]["pid"]);
    assert_eq!(after[1]["phase"], "online");
    velos(&["kill"]).ok();
}

#[test]
fn a_file_that_may_not_grow() {
    let env = env();
    if velos_testkit::program("prlimit").is_none() {
        return skipped("a limit on the size of files needs prlimit");
    }
    // The daemon inherits it from whoever starts it; what it starts as well.
    run(env.command_through(&["prlimit", "--fsize=200000"], &["ping"])).ok();
    let hello = env.hello();
    env.start("api", &[], &["lines", "0", "--rate", "5000", "--size", "100"]);
    let pid = env.pid("api");
    const EFBIG: i32 = 27;
    env.wait_instance("api", "cannot be written", |one| one.log_errno == Some(EFBIG));
    wait_until("loss is counted", Duration::from_secs(30), || env.instance("api").dropped_lines > 0);
    assert_eq!((env.hello().pid, env.pid("api")), (hello.pid, pid), "nobody died of it");
    assert!(env.run(&["list"]).ok().stdout.contains("File too large"));
    env.run(&["stop", "api"]).ok();
}

#[test]
fn arguments_that_the_kernel_does_not_take() {
    let env = env();
    env.start("good", &[], &["sleep"]);
    let info: Value = env.json(&["info", "good"]);
    for field in ["argv", "env"] {
        let mut spec = info[0]["spec"].clone();
        spec["name"] = field.into();
        let huge = "x".repeat(200_000);
        match field {
            "argv" => spec[field].as_array_mut().unwrap().push(huge.into()),
            _ => spec[field]["HUGE"] = huge.into(),
        }
        let params = serde_json::json!({ "apps": [spec] });
        let outcomes: Outcomes = env.wire().call(method::START, &params).unwrap();
        let reason = outcomes.instances[0].reason.clone().unwrap();
        assert!(reason.contains("Argument list too long"), "{reason}");
        // Trying again would not make it shorter.
        let one = env.instance(field);
        assert_eq!((one.phase, one.restarts), (Phase::Errored, 0));
    }
}

#[test]
fn a_process_that_the_kernel_does_not_let_go_of() {
    let env = env();
    let folder = env.work().join("frozen");
    std::fs::create_dir(&folder).unwrap();
    let disk = match Disk::freezable(&folder, &env.work().join("image")) {
        Ok(disk) => disk,
        Err(why) => return skipped(&format!("a disk that can be frozen: {why}")),
    };
    let script = format!("while :; do echo x > {}/file; done", folder.display());
    env.run(&["start", &script, "--name", "writer", "--kill-timeout", "200ms"]).ok();
    env.start("other", &[], &["sleep"]);
    let pid = env.pid("writer");
    wait_until("it writes", SOON, || folder.join("file").exists());
    if let Err(why) = disk.freeze() {
        return skipped(&format!("freezing a disk: {why}"));
    }
    wait_until("it hangs in the kernel", SOON, || processes::state(pid) == Some('D'));
    let stop = env.run(&["stop", "writer"]);
    assert!(stop.elapsed < Duration::from_secs(10), "{:?}", stop.elapsed);
    stop.fails(1, &["\"writer\" is stopping", "it does not end: SIGKILL was sent 3 times", "is in state D"]);
    // Never a second one beside it.
    env.run(&["restart", "writer"]).fails(1, &["it does not end"]);
    let writer = env.instance("writer");
    assert_eq!((writer.phase, writer.pid), (Phase::Stopping, Some(pid)));
    let hello = env.hello();
    // It does not hold up the end of the daemon either, and the next one knows it.
    let kill = env.run(&["kill"]);
    assert!(kill.stdout.contains("Daemon ended, 1 processes stopped"), "{}", kill.stdout);
    kill.fails(1, &["\"writer\" is stopping", "it does not end"]);
    wait_until("the daemon is gone", SOON, || {
        !processes::is_alive(hello.pid) && !processes::is_alive(hello.guardian_pid)
    });
    assert_eq!(processes::state(pid), Some('D'));
    env.run(&["ping"]).ok();
    let writer = env.instance("writer");
    assert_eq!((writer.phase, writer.pid), (Phase::Stopping, Some(pid)));
    disk.thaw().unwrap();
    wait_until("it is forgotten", SOON, || env.list().is_empty());
    assert!(!processes::is_alive(pid));
    env.run(&["start", &script, "--name", "writer", "--kill-timeout", "200ms"]).ok();
    let pid = env.pid("writer");
    disk.freeze().unwrap();
    wait_until("it hangs again", SOON, || processes::state(pid) == Some('D'));
    env.run(&["restart", "writer"]).fails(1, &["it does not end"]);
    disk.thaw().unwrap();
    // The last thing that was asked for was a restart.
    env.wait_instance("writer", "runs again", |one| one.phase == Phase::Online && one.pid != Some(pid));
    env.run(&["stop", "writer"]).ok();
}
