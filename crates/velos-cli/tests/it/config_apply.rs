//! `velos apply`: only what changed is touched.

use serde_json::Value;
use velos_core::instance::Phase;

use crate::env;

fn three(second: &str) -> String {
    format!(
        "[defaults]\ncommand_is = 1\n[apps.a]\ncommand = \"exec sleep 1000\"\n[apps.b]\ncommand = \"exec sleep 1000\"\n{second}\n[apps.c]\ncommand = \"exec sleep 1000\"\ninstances = 2\n"
    )
    .replace("[defaults]\ncommand_is = 1\n", "")
}

#[test]
fn only_what_changed_restarts() {
    let env = env();
    env.file("velos.toml", &three(""), 0o644);
    let dry = env.run(&["apply", "--dry-run"]).ok();
    assert!(dry.stdout.contains("+ a  new") && dry.stdout.contains("+ c  new"), "{}", dry.stdout);
    assert!(env.list().is_empty(), "a dry run does nothing");
    // Nobody to ask: nothing is done.
    env.run(&["apply"]).fails(2, &["no terminal", "--yes"]);
    env.run(&["apply", "--yes"]).ok();
    assert_eq!(env.list().len(), 4);
    let pids = || env.list().iter().map(|one| (one.name.clone(), one.pid)).collect::<Vec<_>>();
    let before = pids();
    let again = env.run(&["apply"]).ok();
    assert!(again.stdout.contains("Nothing to do"), "{}", again.stdout);
    env.file("velos.toml", &three("env = { MODE = \"x\", API_TOKEN = \"hunter2\" }"), 0o644);
    let plan = env.run(&["apply", "--dry-run"]).ok().stdout;
    assert!(plan.contains("~ b  restarts: ") && plan.contains("env.MODE none -> x"), "{plan}");
    assert!(plan.contains("2 unchanged") && !plan.contains("hunter2"), "{plan}");
    let machine: Value = env.json(&["apply", "--yes"]);
    assert_eq!(machine["applied"], true);
    assert_eq!(machine["plan"][1]["action"], "change");
    for (old, new) in before.iter().zip(pids()) {
        assert_eq!(*old == new, old.0 != "b", "{old:?} {new:?}");
    }
    assert!(env.run(&["apply"]).ok().stdout.contains("Nothing to do"));
    // Policies and a further instance leave alone what runs.
    let before = pids();
    let text = three("max_restarts = 3\nenv = { MODE = \"x\", API_TOKEN = \"hunter2\" }");
    env.file("velos.toml", &text.replace("instances = 2", "instances = 3"), 0o644);
    let plan = env.run(&["apply", "--dry-run"]).ok().stdout;
    assert!(plan.contains("~ b  restart.max_restarts 16 -> 3"), "{plan}");
    env.run(&["apply", "--yes"]).ok();
    assert_eq!(pids()[..4], before[..4]);
    assert_eq!(env.list().len(), 5);
    assert!(env.run(&["apply"]).ok().stdout.contains("Nothing to do"));
}

#[test]
fn what_is_gone_from_the_file_goes_only_when_asked() {
    let env = env();
    env.start("other", &[], &["sleep"]);
    env.file("velos.toml", &three(""), 0o644);
    env.run(&["apply", "--yes"]).ok();
    env.file("velos.toml", "[apps.a]\ncommand = \"exec sleep 1000\"\n", 0o644);
    assert!(env.run(&["apply", "--yes"]).ok().stdout.contains("Nothing to do"));
    assert_eq!(env.list().len(), 5);
    let plan = env.run(&["apply", "--prune", "--dry-run"]).ok().stdout;
    assert!(plan.contains("- b  is deleted") && plan.contains("- c  is deleted"), "{plan}");
    env.run(&["apply", "--prune", "--yes"]).ok();
    let names: Vec<String> = env.list().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["other", "a"], "what others started stays");
}

#[test]
fn one_that_cannot_start_does_not_keep_the_others() {
    let env = env();
    let text = "[apps.good]\ncommand = \"exec sleep 1000\"\n[apps.bad]\nscript = \"missing.js\"\n";
    env.file("velos.toml", text, 0o644);
    env.run(&["apply", "--yes"]).fails(1, &["app \"bad\": cannot start missing.js"]);
    assert_eq!(env.instance("good").phase, Phase::Online);
    env.run(&["apply", "--prune", "--yes"]).fails(1, &["missing.js"]);
    assert_eq!(env.list().len(), 1);
    // What stands still is started, when it is declared.
    env.run(&["stop", "good"]).ok();
    env.run(&["apply", "--yes", "--only", "good"]).ok();
    assert_eq!(env.instance("good").phase, Phase::Online);
    env.run(&["apply", "--only", "nobody"]).fails(1, &["declares no app \"nobody\"", "good, bad"]);
}

#[test]
fn a_hundred_unchanged_apps_are_planned_fast() {
    let env = env();
    let apps = (0..100).map(|number| format!("[apps.app{number}]\ncommand = \"exec sleep 1000\"\n"));
    env.file("velos.toml", &apps.collect::<String>(), 0o644);
    env.run(&["apply", "--yes"]).ok();
    let mut best = u128::MAX;
    for _ in 0..5 {
        let begin = std::time::Instant::now();
        assert!(env.run(&["apply", "--dry-run"]).ok().stdout.contains("100 unchanged"));
        best = best.min(begin.elapsed().as_millis());
    }
    println!("plan of 100 unchanged apps: {best} ms");
    // Debug builds on a busy machine get room; the number for the books comes from a release build.
    assert!(best < 2_000, "{best} ms");
}
