//! Dependencies: who waits for whom, and what an end or a restart means for the others.

use std::time::Instant;

use velos_core::instance::Phase;
use velos_testkit::{SOON, TestEnv, wait_until};

use crate::env;

fn write(env: &TestEnv, text: &str) {
    std::fs::write(env.work().join("velos.toml"), text).unwrap();
}

fn started_ms(env: &TestEnv, name: &str) -> u64 {
    let log = std::fs::read_to_string(env.out_log(name)).unwrap();
    log.trim().parse().unwrap()
}

#[test]
fn a_migration_runs_before_the_server() {
    let env = env();
    write(
        &env,
        r#"
[apps.api]
command = "test -f migrated && echo fine || echo early; exec sleep 1000"
depends_on = { migrate = "completed", db = "started" }
[apps.migrate]
command = "sleep 0.3; touch migrated"
kind = "task"
[apps.db]
command = "exec sleep 1000"
"#,
    );
    env.run(&["start", "velos.toml"]).ok();
    env.wait_log("api", "fine\n");
    assert_eq!(env.instance("migrate").phase, Phase::Stopped);
}

#[test]
fn what_it_waits_for_is_told_and_it_goes_on_by_itself() {
    let env = env();
    write(
        &env,
        "[apps.db]\ncommand = \"exec sleep 1000\"\nautostart = false\n[apps.api]\ncommand = \"exec sleep 1000\"\ndepends_on = [\"db\"]\n",
    );
    let output = env.run(&["start", "velos.toml"]);
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stderr.contains("waits for db to be online"), "{output:?}");
    assert_eq!(env.instance("api").phase, Phase::Waiting);
    let why = env.run(&["why", "api"]).ok().stdout;
    assert!(why.contains("it waits for db to be online"), "{why}");
    env.run(&["start", "db"]).ok();
    env.wait_instance("api", "runs now", |one| one.phase == Phase::Online);
    env.run(&["stop", "api"]).ok();
    env.run(&["stop", "db"]).ok();
    env.run(&["start", "api"]).fails(1, &["waits for db"]);
    env.run(&["stop", "api"]).ok();
    assert_eq!(env.instance("api").phase, Phase::Stopped);
}

#[test]
fn circles_are_shown() {
    let env = env();
    write(
        &env,
        "[apps.a]\ncommand = \"x\"\ndepends_on = [\"b\"]\n[apps.b]\ncommand = \"x\"\ndepends_on = [\"c\"]\n[apps.c]\ncommand = \"x\"\ndepends_on = [\"a\"]\n",
    );
    let output = env.run(&["start", "velos.toml"]);
    assert_ne!(output.code, 0);
    assert!(output.stderr.contains("a -> b -> c -> a"), "{output:?}");
}

#[test]
fn a_restart_is_passed_on_where_asked_for() {
    let env = env();
    write(
        &env,
        r#"
[apps.db]
command = "exec sleep 1000"
[apps.close]
command = "exec sleep 1000"
depends_on = ["db"]
propagate = "restart"
[apps.loose]
command = "exec sleep 1000"
depends_on = ["db"]
[apps.tied]
command = "exec sleep 1000"
depends_on = ["db"]
propagate = "stop"
"#,
    );
    env.run(&["start", "velos.toml"]).ok();
    let (close, loose) = (env.pid("close"), env.pid("loose"));
    env.run(&["restart", "db"]).ok();
    env.wait_instance("close", "was restarted", |one| one.phase == Phase::Online && one.pid != Some(close));
    assert_eq!(env.pid("loose"), loose);
    assert!(env.run(&["why", "close"]).ok().stdout.contains("dependency db started anew"));
    env.run(&["stop", "db"]).ok();
    env.wait_instance("tied", "is stopped", |one| one.phase == Phase::Stopped);
    assert_eq!((env.instance("close").phase, env.pid("loose")), (Phase::Online, loose));
}

#[test]
fn fifty_in_a_diamond_start_side_by_side() {
    let env = env();
    let mut text = "[apps.first]\ncommand = \"sleep 0.2\"\nkind = \"task\"\n".to_owned();
    for number in 0..48 {
        text += &format!(
            "[apps.m{number}]\ncommand = \"sleep 0.3\"\nkind = \"task\"\ndepends_on = {{ first = \"completed\" }}\n"
        );
    }
    let all: Vec<String> = (0..48).map(|number| format!("m{number} = \"completed\"")).collect();
    text += &format!(
        "[apps.last]\ncommand = \"date +%s%3N; exec sleep 1000\"\ndepends_on = {{ {} }}\n",
        all.join(", ")
    );
    write(&env, &text);
    env.run(&["ping"]).ok();
    let begin = Instant::now();
    env.run(&["start", "velos.toml"]).ok();
    let took = begin.elapsed();
    wait_until("the last speaks", SOON, || {
        std::fs::read(env.out_log("last")).is_ok_and(|log| !log.is_empty())
    });
    assert!(started_ms(&env, "last") > 0);
    // One after the other would take 15 s; the longest way takes 0.5 s.
    assert!(took.as_secs() < 5, "{took:?}");
}
