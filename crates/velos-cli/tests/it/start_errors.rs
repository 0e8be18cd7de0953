//! What cannot be started, and the words that say why.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use velos_core::error::ErrorCode;
use velos_core::instance::Phase;
use velos_core::protocol::{Outcomes, method};
use velos_testkit::{is_root, run, skipped};

use crate::env;

/// A user that owns nothing here.
const NOBODY: &str = "65534";

#[test]
fn what_is_no_program() {
    let env = env();
    std::fs::create_dir(env.work().join("folder")).unwrap();
    env.file("data", "just text", 0o644);
    env.file("app.py", "", 0o644);
    let cases: &[(&[&str], &[&str])] = &[
        (&["missing.js"], &["cannot start missing.js", "no such file", "hint:"]),
        (&["./nothing"], &["cannot start ./nothing", "no such file"]),
        (&["folder"], &["it is a directory"]),
        (&["./data"], &["not executable", "chmod +x"]),
        (
            &["app.py", "--interpreter", "no-such-interpreter"],
            &["the interpreter \"no-such-interpreter\"", "not in PATH"],
        ),
        (&["app.py", "--cwd", "nowhere"], &["is not a directory"]),
        (&["app.py", "--interpreter", "/no/such/python"], &["/no/such/python"]),
    ];
    for (words, expected) in cases {
        env.run(&[&["start"], *words].concat()).fails(1, expected);
    }
    assert!(env.list().is_empty(), "nothing of that is in the list");
}

#[test]
fn a_program_that_the_kernel_refuses_is_not_tried_again() {
    let env = env();
    env.file("lost", "#!/no/such/interpreter\n", 0o755);
    env.run(&["start", "./lost"]).fails(1, &["\"lost\" is errored", "cannot execute it", "No such file"]);
    let lost = env.instance("lost");
    assert_eq!((lost.phase, lost.restarts), (Phase::Errored, 0));
    env.file("noise", "\u{1}\u{2}no header", 0o755);
    env.run(&["start", "./noise"]).fails(1, &["cannot execute it", "Exec format error"]);
    assert_eq!(env.instance("noise").restarts, 0);
    // Once it is mended the same name starts.
    env.file("lost", "#!/bin/sh\nexec sleep 1000\n", 0o755);
    env.run(&["start", "./lost"]).ok();
    assert_eq!(env.instance("lost").phase, Phase::Online);
}

#[test]
fn names_that_are_none() {
    let env = env();
    let long = "x".repeat(300);
    for name in ["a/b", "..", ".", "../../etc/x", "", "all", "ns:x", "a\nb", "a\u{1b}[31mb", &long] {
        let output = env.run(&["start", env.fixture(), &format!("--name={name}"), "--", "sleep"]);
        output.fails(2, &["app name", "--name"]);
    }
    assert!(env.list().is_empty());
    let folder: Vec<_> = std::fs::read_dir(env.home().join("logs")).unwrap().collect();
    assert!(folder.is_empty(), "{folder:?}");
}

#[test]
fn names_that_only_the_socket_can_bring() {
    let env = env();
    env.start("good", &[], &["sleep"]);
    let mut info: Value = env.json(&["info", "good"]);
    let spec = info[0]["spec"].take();
    let mut wire = env.wire();
    for name in ["a\0b", "\0", "a/b", "..", &"x".repeat(300), "\u{202e}evil"] {
        let mut spec = spec.clone();
        spec["name"] = name.into();
        let error =
            wire.call::<_, Outcomes>(method::START, &serde_json::json!({ "apps": [spec] })).unwrap_err();
        assert_eq!(error.code, ErrorCode::Usage, "{name:?}: {error}");
    }
    let mut with_nul = |field: &str, value: Value| {
        let mut spec = spec.clone();
        spec["name"] = "other".into();
        spec[field] = value;
        let error =
            wire.call::<_, Outcomes>(method::START, &serde_json::json!({ "apps": [spec] })).unwrap_err();
        assert_eq!(error.code, ErrorCode::Usage, "{field}: {error}");
    };
    with_nul("argv", serde_json::json!(["a\0b"]));
    with_nul("argv", serde_json::json!([]));
    with_nul("cwd", "/tmp\0/x".into());
    with_nul("cwd", "relative".into());
    with_nul("program", "relative".into());
    with_nul("env", serde_json::json!({ "A": "b\0c" }));
    with_nul("env", serde_json::json!({ "A=B": "c" }));
    with_nul("instances", 0.into());
    with_nul("instances", 1_000_000.into());
    assert_eq!(env.list().len(), 1);
}

#[test]
fn a_second_app_of_the_same_name() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let before = env.instance("api");
    let output = env.try_start("api", &[], &["lines", "3"]);
    output.fails(1, &["an app named \"api\" runs already", "velos restart api", "--name"]);
    assert_eq!((env.list().len(), env.instance("api").pid), (1, before.pid));
    // Once nothing of it runs, its declaration is replaced.
    env.run(&["stop", "api"]).ok();
    env.start("api", &[], &["lines", "3", "--stay"]);
    env.wait_log("api", "end 3\n");
    assert_eq!((env.list().len(), env.instance("api").id), (1, before.id));
}

#[test]
fn errors_for_machines_and_wrong_usage() {
    let env = env();
    let output = env.run(&["--json", "start", "missing.js"]);
    assert_eq!((output.code, output.stdout.as_str()), (1, ""));
    let document: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!(document["error"]["code"], "failed");
    assert!(document["error"]["message"].as_str().unwrap().contains("missing.js"));
    assert!(document["error"]["hint"].is_string());
    for words in [
        &["start"][..],
        &["stop"],
        &["no-such-command"],
        &["start", "x", "--no-such-flag"],
        &["list", "--color", "x"],
    ] {
        assert_eq!(env.run(words).code, 2, "{words:?}");
        let output = env.run(&[&["--json"], words].concat());
        let document: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!((output.code, &document["error"]["code"]), (2, &Value::from("usage")), "{words:?}");
    }
    for flags in [["--kill-timeout", "soon"], ["-e", "NOVALUE"], ["--kill-signal", "SIGNOPE"], ["-i", "many"]]
    {
        assert_eq!(env.try_start("x", &flags, &["sleep"]).code, 2, "{flags:?}");
    }
    assert!(!env.home().join("velos.sock").exists() || env.list().is_empty());
}

#[test]
fn a_home_that_cannot_be_used() {
    let mut env = env();
    let work = env.work();
    let long = work.join("x".repeat(120));
    env.set_home(long);
    env.run(&["list"]).fails(6, &["the socket path", "at most 107", "shorter"]);

    env.set_home(work.join("open"));
    std::fs::create_dir(env.home()).unwrap();
    std::fs::set_permissions(env.home(), std::fs::Permissions::from_mode(0o777)).unwrap();
    env.run(&["list"]).fails(6, &["others may write", "chmod 700"]);

    env.set_home(work.join("link"));
    std::os::unix::fs::symlink("/tmp", env.home()).unwrap();
    env.run(&["list"]).fails(6, &["symbolic link"]);

    env.set_home(work.join("file"));
    std::fs::write(env.home(), "").unwrap();
    env.run(&["list"]).fails(6, &["is not a folder"]);

    env.set_home(work.join("file/below"));
    env.run(&["list"]).fails(4, &["Not a directory"]);
}

#[test]
fn a_socket_path_of_107_bytes_is_enough() {
    let mut env = env();
    let socket = "/velos.sock".len();
    let room = 107 - socket - env.work().as_os_str().len() - 1;
    let home = env.work().join("x".repeat(room));
    assert_eq!(home.as_os_str().len() + socket, 107);
    env.set_home(home);
    env.start("api", &[], &["sleep"]);
    assert_eq!(env.instance("api").phase, Phase::Online);
}

#[test]
fn homes_of_other_users() {
    let mut env = env();
    if !is_root() || velos_testkit::program("setpriv").is_none() {
        return skipped("being another user needs root and setpriv");
    }
    let as_nobody = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
    let work = env.work();
    // Unwritable for the caller.
    let locked = work.join("locked");
    std::fs::create_dir(&locked).unwrap();
    env.set_home(locked.join("home"));
    run(env.command_through(&as_nobody, &["list"])).fails(4, &["none could be started", "Permission denied"]);

    // Somebody else's.
    env.set_home(locked.clone());
    run(env.command_through(&as_nobody, &["list"])).fails(6, &["belongs to user 0, you are 65534"]);

    // And root is not lured into one of a user.
    std::os::unix::fs::chown(&locked, Some(65_534), Some(65_534)).unwrap();
    env.run(&["list"]).fails(6, &["belongs to user 65534, you are 0"]);
    assert!(!locked.join("velos.sock").exists());
}
