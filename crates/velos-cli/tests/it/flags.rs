//! Flags of how an app is run, the user's defaults, and what PM2's users type.

use velos_core::instance::Phase;
use velos_core::protocol::InstanceInfo;
use velos_testkit::{SOON, TestEnv, wait_until};

use crate::env;

fn info(env: &TestEnv, name: &str) -> InstanceInfo {
    env.json::<Vec<InstanceInfo>>(&["info", name]).swap_remove(0)
}

#[test]
fn what_a_restart_says_holds_from_then_on() {
    let env = env();
    env.start("api", &["-e", "KEPT=1"], &["sleep"]);
    env.run(&[
        "restart",
        "api",
        "--max-memory-restart",
        "900M",
        "--cron",
        "0 3 * * *",
        "-k",
        "5s",
        "-e",
        "MORE=2",
    ])
    .ok();
    let spec = info(&env, "api").spec;
    assert_eq!(spec.restart.max_memory_bytes, Some(900 << 20));
    assert_eq!(spec.stop.kill_timeout_ms, 5_000);
    assert!(spec.restart.cron.is_some());
    let names: Vec<String> = spec.env_declared.iter().map(|key| key.to_text()).collect();
    assert_eq!(names, ["KEPT", "MORE"]);
    env.run(&["restart", "api", "--cron-restart", "0", "--max-memory-restart", "null"]).ok();
    let spec = info(&env, "api").spec;
    assert_eq!((spec.restart.max_memory_bytes, spec.restart.cron), (None, None));
    assert_eq!(spec.stop.kill_timeout_ms, 5_000, "what is not said stays");
    env.run(&["restart", "api", "--max-memory-restart", "12X"]).fails(2, &["12X"]);
    // As under PM2, a stopped app takes options with its start.
    env.run(&["stop", "api"]).ok();
    env.run(&["start", "api", "--max-restarts", "3"]).ok();
    assert_eq!(info(&env, "api").spec.restart.max_restarts, 3);
    env.run(&["start", "api", "--cwd", "/"]).fails(2, &["known already"]);
}

#[test]
fn the_environment_of_the_terminal_is_taken_when_asked_for() {
    let env = env();
    let mut start = env.command(&["start", "sleep 1000", "--name", "api", "-e", "DECLARED=1"]);
    start.env("FROM_TERMINAL", "old").env("GONE", "x");
    velos_testkit::run(start).ok();
    let shown = || env.run(&["env", "api"]).ok().stdout;
    let restart = |flags: &[&str]| {
        let mut command = env.command(&[&["restart", "api"], flags].concat());
        command.env("FROM_TERMINAL", "new");
        velos_testkit::run(command).ok();
    };
    restart(&[]);
    assert!(shown().contains("FROM_TERMINAL=old"), "{}", shown());
    restart(&["--update-env"]);
    let text = shown();
    assert!(
        text.contains("FROM_TERMINAL=new") && text.contains("DECLARED=1") && !text.contains("GONE"),
        "{text}"
    );
}

#[test]
fn defaults_of_the_user_hold_for_scripts_and_files() {
    let env = env();
    env.run(&["config", "get", "kill_timeout"]).fails(1, &["kill_timeout is not set"]);
    env.run(&["config", "set", "kill_timeout", "7s"]).ok();
    env.run(&["config", "set", "logs.keep", "3"]).ok();
    assert_eq!(env.run(&["config", "get", "kill_timeout"]).ok().stdout, "7s\n");
    env.run(&["config", "set", "kil_timeout", "7s"]).fails(2, &["kil_timeout", "kill_timeout"]);
    env.run(&["config", "set", "max_restarts", "many"]).fails(2, &["max_restarts"]);
    env.start("api", &[], &["sleep"]);
    let spec = info(&env, "api").spec;
    assert_eq!((spec.stop.kill_timeout_ms, spec.logs.keep), (7_000, 3));
    env.file("velos.toml", "[apps.web]\ncommand = \"exec sleep 1000\"\nlogs = { keep = 5 }\n", 0o644);
    env.run(&["start", "velos.toml"]).ok();
    let spec = info(&env, "web").spec;
    assert_eq!((spec.stop.kill_timeout_ms, spec.logs.keep), (7_000, 5), "the file is nearer");
    env.run(&["config", "unset", "kill_timeout"]).ok();
    env.start("later", &[], &["sleep"]);
    assert_eq!(info(&env, "later").spec.stop.kill_timeout_ms, 1_600);
}

#[test]
fn variables_and_pm2_choose_the_signal() {
    let env = env();
    let signal = |name: &str, variables: &[(&str, &str)]| {
        let mut command = env.command(&["start", "sleep 1000", "--name", name]);
        command.envs(variables.iter().copied());
        velos_testkit::run(command).ok();
        let stop = info(&env, name).spec.stop;
        (stop.kill_signal.0, stop.kill_timeout_ms)
    };
    assert_eq!(signal("a", &[]), (15, 1_600));
    assert_eq!(signal("b", &[("VELOS_PM2_COMPAT", "1")]), (2, 1_600));
    assert_eq!(signal("c", &[("VELOS_KILL_SIGNAL", "SIGQUIT"), ("VELOS_KILL_TIMEOUT", "9000")]), (3, 9_000));
    let mut command = env.command(&["start", "sleep 1000", "--name", "d", "-e", "err.log"]);
    command.env("VELOS_PM2_COMPAT", "1");
    velos_testkit::run(command).ok();
    assert!(info(&env, "d").spec.logs.err.unwrap().to_text().ends_with("/err.log"));
}

#[test]
fn where_pm2_chooses_otherwise_its_choice_can_be_had() {
    let env = env();
    let pm2 = |args: &[&str]| {
        let mut command = env.command(args);
        command.env("VELOS_PM2_COMPAT", "1");
        velos_testkit::run(command)
    };
    pm2(&["start", "sleep 1000", "--name", "many", "-i", "4"]).ok();
    pm2(&["scale", "many", "2"]).ok();
    let slots: Vec<u32> = env.list().into_iter().map(|one| one.slot).collect();
    assert_eq!(slots, [2, 3], "the oldest went");
    pm2(&["start", "sleep 1000", "--name", "web", "--watch", "--cron", "* * * * * *"]).ok();
    assert!(env.instance("web").watching);
    pm2(&["stop", "web"]).ok();
    assert!(!env.instance("web").watching, "stop ends the watch");
    env.wait_instance("web", "was revived by its schedule", |one| one.phase == Phase::Online);
    env.file(
        "process.json",
        "// a comment\n{ apps: [{ name: 'js' + 1, script: 'sleep', args: ['1000'] }] }\n",
        0o644,
    );
    env.run(&["start", "process.json"]).fails(1, &["process.json"]);
    pm2(&["start", "process.json"]).ok();
    assert_eq!(env.instance("js1").phase, Phase::Online);
}

#[test]
fn what_pm2_users_type() {
    let env = env();
    env.file(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'web', script: 'sleep', args: '1000' }] }\n",
        0o644,
    );
    env.run(&["startOrRestart", "ecosystem.config.js"]).ok();
    env.run(&["startOrGracefulReload", "ecosystem.config.js", "--env", "production"]).ok();
    env.run(&["startOrReload", "web"]).fails(2, &["takes configuration files"]);
    let flags = ["--no-vizion", "--no-pmx", "--source-map-support"];
    let old = env.run(&[&["start", "sleep 1000", "--name", "x"], &flags[..]].concat()).ok();
    assert_eq!(old.stderr, "note: no effect under velos: --no-vizion, --no-pmx\n");
    env.run(&["start", "sleep 1000", "--name", "x", "-f"]).ok();
    let names: Vec<String> = env.list().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["web", "x", "x-1"]);
    env.run(&["save"]).ok();
    env.run(&["cleardump"]).ok();
    let nothing = env.run(&["resurrect"]).ok();
    assert!(nothing.stderr.contains("dump.json"), "{}", nothing.stderr);
    let mini = env.run(&["list", "-m"]).ok().stdout;
    assert!(mini.starts_with("0 web online "), "{mini}");
    env.run(&["start", "sleep 1000", "--name", "many", "-i", "max"]).ok();
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(env.list().into_iter().filter(|one| one.name == "many").count(), cores);
}

#[test]
fn a_changed_file_is_noticed_in_the_list() {
    let env = env();
    let text = "[apps.web]\ncommand = \"exec sleep 1000\"\n[apps.other]\ncommand = \"exec sleep 1000\"\n";
    env.file("velos.toml", text, 0o644);
    env.run(&["start", "velos.toml"]).ok();
    let list = || env.run(&["list"]).ok().stdout;
    assert!(!list().contains("says something else"), "{}", list());
    env.file("velos.toml", &text.replace("[apps.other]", "max_restarts = 3\n[apps.other]"), 0o644);
    let seen = list();
    assert!(
        seen.contains("! the file of web says something else by now; see `velos apply --dry-run`"),
        "{seen}"
    );
    assert!(!seen.contains("file of other"), "{seen}");
    env.run(&["apply", "--yes"]).ok();
    assert!(!list().contains("says something else"), "{}", list());
}

#[test]
fn an_upgrade_of_the_interpreter_is_seen() {
    let env = env();
    let interpreter = |folder: &str, word: &str| {
        env.file(&format!("{folder}/fakenode"), &format!("#!/bin/sh\necho {word}\nexec sleep 1000\n"), 0o755);
    };
    for folder in ["first", "second"] {
        std::fs::create_dir_all(env.work().join(folder)).unwrap();
    }
    interpreter("second", "old");
    env.file("app.js", "", 0o644);
    let mut start = env.command(&["start", "app.js", "--interpreter", "fakenode"]);
    let path = std::env::var("PATH").unwrap();
    let work = env.work().display().to_string();
    start.env("PATH", format!("{work}/first:{work}/second:{path}"));
    velos_testkit::run(start).ok();
    env.wait_log("app", "old\n");
    interpreter("first", "new");
    env.run(&["restart", "app"]).ok();
    env.wait_log("app", "new\n");
}

/// As a version manager lays it out: a link for the shell that started the app, gone with the shell.
#[test]
fn the_default_of_fnm_is_followed_at_each_start() {
    let env = env();
    let data = env.work().join("fnm");
    for version in ["v18.1.0", "v22.2.0"] {
        let bin = data.join(format!("node-versions/{version}/installation/bin"));
        std::fs::create_dir_all(&bin).unwrap();
        let name = format!("fnm/node-versions/{version}/installation/bin/node");
        env.file(&name, &format!("#!/bin/sh\necho {version}\nexec sleep 1000\n"), 0o755);
    }
    let default = |version: &str| {
        std::fs::create_dir_all(data.join("aliases")).unwrap();
        let _ = std::fs::remove_file(data.join("aliases/default"));
        let to = data.join(format!("node-versions/{version}/installation"));
        std::os::unix::fs::symlink(to, data.join("aliases/default")).unwrap();
    };
    default("v18.1.0");
    let shell = env.work().join("run/fnm_multishells/99_1700000000000");
    std::fs::create_dir_all(shell.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(data.join("aliases/default"), &shell).unwrap();
    env.file("app.js", "", 0o644);
    let mut start = env.command(&["start", "app.js"]);
    start.env("PATH", format!("{}/bin:/usr/bin:/bin", shell.display())).env("FNM_DIR", &data);
    velos_testkit::run(start).ok();
    env.wait_log("app", "v18.1.0\n");
    std::fs::remove_file(&shell).unwrap();
    default("v22.2.0");
    env.run(&["restart", "app"]).ok();
    env.wait_log("app", "v22.2.0\n");
    env.file(".node-version", "18\n", 0o644);
    env.run(&["restart", "app"]).ok();
    wait_until("that of the project", SOON, || {
        std::fs::read_to_string(env.out_log("app")).unwrap().matches("v18.1.0\n").count() == 2
    });
}

/// The same with fnm itself, where it is installed: its own links, its own PATH.
#[test]
fn fnm_itself_is_followed() {
    let env = env();
    let Some(fnm) = velos_testkit::program("fnm") else {
        return velos_testkit::skipped("no fnm in PATH (cargo install fnm)");
    };
    let data = env.work().join("data");
    for version in ["v18.1.0", "v22.2.0"] {
        let bin = format!("data/node-versions/{version}/installation/bin");
        std::fs::create_dir_all(env.work().join(&bin)).unwrap();
        env.file(&format!("{bin}/node"), &format!("#!/bin/sh\necho {version}\nexec sleep 1000\n"), 0o755);
    }
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(&fnm);
        command.args(words).env("FNM_DIR", &data).env("HOME", env.work()).current_dir(env.work());
        command.env("XDG_RUNTIME_DIR", env.work()).env("PATH", "/usr/bin:/bin");
        velos_testkit::run(command).ok().stdout
    };
    run(&["default", "v18.1.0"]);
    let said = run(&["env", "--shell", "bash"]);
    let value = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
        line.unwrap_or_else(|| panic!("no {name} in {said}")).split('"').nth(1).unwrap().to_owned()
    };
    env.file("app.js", "", 0o644);
    let mut start = env.command(&["start", "app.js"]);
    start.env("PATH", format!("{}:/usr/bin:/bin", value("PATH"))).env("FNM_DIR", value("FNM_DIR"));
    velos_testkit::run(start).ok();
    env.wait_log("app", "v18.1.0\n");
    run(&["default", "v22.2.0"]);
    std::fs::remove_file(value("FNM_MULTISHELL_PATH")).unwrap();
    env.run(&["restart", "app"]).ok();
    env.wait_log("app", "v22.2.0\n");
    run(&["alias", "v18.1.0", "lts-hydrogen"]);
    env.file(".node-version", "lts/hydrogen\n", 0o644);
    env.run(&["restart", "app"]).ok();
    wait_until("the alias of the project", SOON, || {
        std::fs::read_to_string(env.out_log("app")).unwrap().matches("v18.1.0\n").count() == 2
    });
}

/// And with mise: what it says itself is what runs.
#[test]
fn mise_itself_is_followed() {
    let env = env();
    let Some(mise) = velos_testkit::program("mise") else {
        return velos_testkit::skipped("no mise in PATH (npm install @jdxcode/mise)");
    };
    for version in ["18.1.0", "22.2.0", "22.9.0"] {
        let bin = format!("share/mise/installs/node/{version}/bin");
        std::fs::create_dir_all(env.work().join(&bin)).unwrap();
        env.file(&format!("{bin}/node"), &format!("#!/bin/sh\necho v{version}\nexec sleep 1000\n"), 0o755);
    }
    std::fs::create_dir(env.work().join("app")).unwrap();
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(&mise);
        command.args(words).env_clear().env("HOME", env.work()).env("PATH", "/usr/bin:/bin");
        command.env("MISE_OFFLINE", "1").env("MISE_DATA_DIR", env.work().join("share/mise"));
        command.current_dir(env.work().join("app"));
        velos_testkit::run(command).ok().stdout
    };
    let runs = |starts: usize, version: &str| {
        let said = run(&["which", "node"]);
        assert!(said.contains(&format!("/{version}/")), "{said}");
        wait_until(version, SOON, || {
            let log = std::fs::read_to_string(env.out_log("app")).unwrap_or_default();
            log.lines().count() == starts
                && log.lines().last().is_some_and(|last| last.starts_with(&format!("v{version}")))
        });
    };
    run(&["use", "-g", "node@18"]);
    let said = run(&["env", "-s", "bash"]);
    let path =
        said.lines().find_map(|line| line.strip_prefix("export PATH='")).unwrap().trim_end_matches('\'');
    env.file("app/app.js", "", 0o644);
    let mut start = env.command(&["start", "app.js"]);
    start.env("PATH", path).env("HOME", env.work()).current_dir(env.work().join("app"));
    velos_testkit::run(start).ok();
    runs(1, "18");
    run(&["use", "-g", "node@22.2"]);
    env.run(&["restart", "app"]).ok();
    runs(2, "22.2");
    env.file("app/.tool-versions", "node 18.1.0\n", 0o644);
    env.run(&["restart", "app"]).ok();
    runs(3, "18.1.0");
}

#[test]
fn a_virtual_environment_made_later_is_found() {
    let env = env();
    env.file("app.py", "", 0o644);
    let python = |folder: &str, name: &str, word: &str| {
        std::fs::create_dir_all(env.work().join(folder)).unwrap();
        env.file(&format!("{folder}/{name}"), &format!("#!/bin/sh\necho {word}\nexec sleep 1000\n"), 0o755);
    };
    python("bin", "python3", "general");
    let mut start = env.command(&["start", "app.py"]);
    start.env("PATH", format!("{}/bin:/usr/bin:/bin", env.work().display()));
    velos_testkit::run(start).ok();
    env.wait_log("app", "general\n");
    python(".venv/bin", "python", "local");
    env.run(&["restart", "app"]).ok();
    env.wait_log("app", "local\n");
    std::fs::remove_dir_all(env.work().join(".venv")).unwrap();
    env.run(&["restart", "app"]).ok();
    wait_until("general again", SOON, || {
        std::fs::read_to_string(env.out_log("app")).unwrap() == "general\nlocal\ngeneral\n"
    });
}

#[test]
fn few_tokens_for_agents() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let list: serde_json::Value = serde_json::from_str(&env.run(&["list", "--ai"]).ok().stdout).unwrap();
    assert_eq!((&list[0]["n"], &list[0]["s"]), (&"api".into(), &"on".into()));
    assert!(list[0]["m"].is_string() && list[0]["c"].is_number(), "{list}");
    let stopped = env.run(&["stop", "api", "--ai"]).ok().stdout;
    assert_eq!(
        stopped,
        "{\"is\":[{\"id\":0,\"n\":\"api\",\"s\":\"off\",\"x\":-15,\"err_log\":\"PATH\"}]}\n"
            .replace("PATH", &env.err_log("api").to_string_lossy())
    );
    let error: serde_json::Value = serde_json::from_str(&env.run(&["info", "apj", "--ai"]).stderr).unwrap();
    assert_eq!(error["error"]["code"], "not_found");
    assert!(env.run(&["ai-keys"]).ok().stdout.contains("memory of all its processes"));
    assert_eq!(env.instance("api").phase, Phase::Stopped);
}
