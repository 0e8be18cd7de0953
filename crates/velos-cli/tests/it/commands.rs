//! The small commands: scale, signal, reset, rotate, env, pid, id, save, resurrect.

use velos_core::instance::Phase;
use velos_testkit::{SOON, processes, wait_until};

use crate::env;

#[test]
fn scale_leaves_those_that_stay() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let first = env.pid("api");
    env.run(&["scale", "api", "3"]).ok();
    assert_eq!(env.list().len(), 3);
    assert_eq!(env.pid("api"), first);
    env.run(&["scale", "api", "+1"]).ok();
    assert_eq!(env.list().iter().filter(|one| one.phase == Phase::Online).count(), 4);
    env.run(&["scale", "api", "-3"]).ok();
    wait_until("three are gone", SOON, || env.list().len() == 1);
    assert_eq!(env.pid("api"), first);
    assert_eq!(processes::of_app(env.home(), "api"), [first]);
    env.run(&["scale", "api", "-1"]).fails(2, &["1 to 4096"]);
    env.run(&["scale", "api", "many"]).fails(2, &["no number of instances"]);
    env.run(&["scale", "nobody", "2"]).fails(3, &["nobody"]);
}

#[test]
fn a_signal_reaches_the_main_process() {
    let env = env();
    let script = "trap 'echo got it' USR1; echo armed; while :; do sleep 0.05; done";
    env.run(&["start", script, "--name", "api"]).ok();
    env.wait_log("api", "armed\n");
    env.run(&["signal", "SIGUSR1", "api"]).ok();
    env.wait_log("api", "got it\n");
    env.run(&["sendSignal", "USR1", "api"]).ok();
    env.run(&["signal", "SIGNONE", "api"]).fails(2, &["no signal"]);
    env.run(&["stop", "api"]).ok();
    env.run(&["signal", "HUP", "api"]).fails(1, &["it does not run"]);
}

#[test]
fn reset_forgets_restarts() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    env.run(&["restart", "api"]).ok();
    assert_eq!(env.instance("api").restarts, 1);
    env.run(&["reset", "api"]).ok();
    assert_eq!((env.instance("api").restarts, env.instance("api").phase), (0, Phase::Online));
}

#[test]
fn rotate_begins_new_files() {
    let env = env();
    env.start("api", &[], &["lines", "3", "--stay"]);
    env.wait_log("api", "end 3\n");
    env.run(&["rotate", "api"]).ok();
    // It is done when the command says so: nothing is waited for.
    let rotated = std::fs::read(env.home().join("logs/api-out.1.log")).unwrap();
    assert!(rotated.ends_with(b"end 3\n"), "closed under its number");
    assert!(std::fs::read(env.out_log("api")).unwrap().is_empty(), "a new one is there");
}

#[test]
fn rotate_says_when_it_cannot() {
    let env = env();
    env.start("api", &[], &["lines", "3", "--stay"]);
    env.wait_log("api", "end 3\n");
    let (logs, away) = (env.home().join("logs"), env.home().join("away"));
    std::fs::rename(&logs, &away).unwrap();
    std::fs::write(&logs, "a file in the way").unwrap();
    let done = env.run(&["rotate", "api"]);
    std::fs::remove_file(&logs).unwrap();
    std::fs::rename(&away, &logs).unwrap();
    assert_ne!(done.code, 0, "{}", done.stdout);
    assert!(done.stderr.contains("cannot begin new logs: Not a directory"), "{}", done.stderr);
}

#[test]
fn env_tells_where_a_variable_comes_from_and_masks_secrets() {
    let env = env();
    env.start("api", &["-e", "API_TOKEN=hunter2", "-e", "TEXT=a=b"], &["sleep"]);
    let shown = env.run(&["env", "api"]).ok().stdout;
    let declared = "(declared: the command line)";
    assert!(shown.contains(&format!("API_TOKEN=***  {declared}\nTEXT=a=b  {declared}\n")), "{shown}");
    assert!(shown.contains("PATH=") && shown.contains("(inherited)") && !shown.contains("hunter2"));
    assert!(env.run(&["env", "api", "--show-secrets"]).ok().stdout.contains("API_TOKEN=hunter2"));
    let dotenv = env.file(".env", "FROM_FILE=1\nOVER=1\n", 0o600);
    let text = "[apps.web]\ncommand = \"exec sleep 1000\"\nenv_file = \".env\"\nport = 8123\nenv = { OVER = \"2\" }\nenv_prod = { MODE = \"fast\" }\n";
    let file = env.file("velos.toml", text, 0o600);
    env.run(&["start", "velos.toml", "--env", "prod", "-e", "GIVEN=1"]).ok();
    let info = env.run(&["info", "web"]).ok().stdout;
    let (dotenv, file) = (dotenv.display(), file.display());
    for line in [
        format!("FROM_FILE=1  (from {dotenv})"),
        format!("OVER=2  (from {file})"),
        format!("MODE=fast  (from env_prod in {file})"),
        format!("PORT=8123  (from port in {file})"),
        "GIVEN=1  (from the command line)".to_owned(),
    ] {
        assert!(info.contains(&line), "{line} is not in\n{info}");
    }
}

#[test]
fn numbers_for_scripts() {
    let env = env();
    assert_eq!(env.run(&["pid"]).ok().stdout, "");
    env.start("api", &[], &["sleep"]);
    env.start("web", &[], &["sleep"]);
    env.run(&["stop", "web"]).ok();
    assert_eq!(env.run(&["pid"]).ok().stdout, format!("{}\n0\n", env.pid("api")));
    assert_eq!(env.run(&["pid", "api"]).ok().stdout, format!("{}\n", env.pid("api")));
    assert_eq!(env.run(&["id", "web"]).ok().stdout, "1\n");
    env.run(&["pid", "nobody"]).fails(3, &["nobody"]);
}

#[test]
fn a_saved_list_comes_back() {
    let env = env();
    env.start("api", &["-e", "A=b"], &["print-env", "A"]);
    env.start("web", &[], &["sleep"]);
    env.start("off", &[], &["sleep"]);
    env.run(&["stop", "off"]).ok();
    env.run(&["save"]).ok();
    env.run(&["kill"]).ok();
    let output = env.run(&["resurrect"]).ok();
    assert!(output.stdout.contains("\"web\" started"), "{output:?}");
    let names: Vec<String> = env.list().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["api", "web", "off"], "all, in their order");
    assert_eq!(env.instance("off").phase, Phase::Stopped, "what was stopped is not started");
    let again = env.run(&["resurrect"]).ok();
    assert!(again.stdout.contains("\"web\" runs already"), "{again:?}");
    std::fs::write(env.home().join("dump.json"), "{").unwrap();
    env.run(&["resurrect"]).fails(1, &["is no saved list"]);
}

#[test]
fn wait_for_what_comes() {
    let env = env();
    env.start("api", &["--no-autorestart"], &["crash-after", "300", "--code", "7"]);
    env.run(&["wait", "api"]).ok();
    let ended = env.run(&["wait", "api", "--for", "exit", "--timeout", "20s"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    env.run(&["wait", "api", "--for", "stopped"]).ok();
    env.run(&["wait", "api"]).fails(1, &["will not become"]);
    env.start("web", &[], &["sleep"]);
    env.run(&["wait", "web", "--for", "stopped", "--timeout", "100ms"])
        .fails(5, &["the time is over", "web is online"]);
    env.run(&["wait", "nobody"]).fails(3, &["nobody"]);
}

#[test]
fn the_list_in_other_shapes_and_orders() {
    let env = env();
    assert_eq!(env.run(&["jlist"]).ok().stdout, "[]\n");
    env.start("b", &[], &["sleep"]);
    env.start("a", &[], &["sleep"]);
    let list: serde_json::Value = serde_json::from_str(&env.run(&["jlist"]).ok().stdout).unwrap();
    assert_eq!((&list[0]["name"], &list[0]["pm2_env"]["status"]), (&"b".into(), &"online".into()));
    assert_eq!(list[1]["pid"], env.pid("a"));
    assert!(list[0]["monit"]["memory"].as_u64().unwrap() > 0);
    let sorted = env.run(&["list", "--sort", "name", "--machine"]).ok().stdout;
    assert!(sorted.find("\"a\"").unwrap() < sorted.find("\"b\"").unwrap(), "{sorted}");
    let turned = env.run(&["list", "--sort", "name:desc", "--machine"]).ok().stdout;
    assert!(turned.find("\"b\"").unwrap() < turned.find("\"a\"").unwrap(), "{turned}");
    env.run(&["list", "--sort", "name:up"]).fails(2, &["asc or desc"]);
    env.run(&["list", "--sort", "colour"]).fails(2, &["colour"]);
}

#[test]
fn what_is_declared_without_effect_is_told() {
    let env = env();
    let text = "[apps.api]\ncommand = \"exec sleep 1000\"\nlisten = \"3000\"\nlogs = { out = \"NULL\" }\n";
    std::fs::write(env.work().join("velos.toml"), text).unwrap();
    let output = env.run(&["start", "velos.toml"]).ok();
    assert!(output.stderr.contains("warning: api: listen has no effect yet"), "{output:?}");
    assert!(!env.out_log("api").exists(), "nothing is stored of a stream that is thrown away");
}
