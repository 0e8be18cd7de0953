//! Files on the command line: start, check, init, import.

use serde_json::Value;
use velos_core::instance::Phase;

use crate::env;

#[test]
fn start_of_a_file() {
    let env = env();
    let file = "[apps.api]\ncommand = \"echo mode=$MODE log=$LOG; exec sleep 1000\"\nenv = { MODE = \"plain\" }\nenv_prod = { MODE = \"fast\" }\n[apps.db]\ncommand = \"exec sleep 1000\"\n";
    env.file("velos.toml", file, 0o644);
    env.run(&["start", "velos.toml", "--only", "api", "--env", "prod", "-e", "LOG=x"]).ok();
    assert_eq!(env.list().len(), 1);
    env.wait_log("api", "mode=fast log=x");
    let first = env.pid("api");
    // Without a target the file of the folder is meant; a profile that is not asked for again is gone.
    env.run(&["start"]).ok();
    assert_ne!(env.pid("api"), first);
    env.wait_log("api", "mode=plain log=");
    assert_eq!(env.instance("db").phase, Phase::Online);
    // A file stands for its apps; `restart` takes its settings.
    env.run(&["stop", "velos.toml"]).ok();
    assert!(env.list().iter().all(|one| one.phase == Phase::Stopped));
    env.file("velos.toml", &file.replace("plain", "changed"), 0o644);
    env.run(&["restart", "velos.toml"]).ok();
    env.wait_log("api", "mode=changed");
    env.run(&["start", "velos.toml", "-i", "2"]).fails(2, &["says itself", "write that into the file"]);
    env.run(&["start", "velos.toml", "other"]).fails(2, &["cannot be mixed"]);
    env.run(&["delete", "velos.toml"]).ok();
    env.run(&["stop", "velos.toml"]).fails(3, &["none of the apps of velos.toml is known"]);
    std::fs::remove_file(env.work().join("velos.toml")).unwrap();
    env.run(&["start"]).fails(2, &["no target given, and there is no configuration file"]);
    env.run(&["start", "sleep", "--only", "api"]).fails(2, &["--only"]);
}

#[test]
fn an_ecosystem_file_is_understood() {
    let env = env();
    env.file(
        "app.js",
        "setInterval(() => {}, 1000); console.log('args', process.argv.slice(2).join())",
        0o644,
    );
    env.file(
        "ecosystem.config.js",
        "module.exports = { apps: [{ name: 'web', script: './app.js', args: 'a \"b c\"', max_restarts: 3, bogus_key: 1 }] }",
        0o644,
    );
    if velos_testkit::program("node").is_none() {
        return velos_testkit::skipped("there is no node");
    }
    let started = env.run(&["start", "ecosystem.config.js"]).ok();
    assert!(started.stderr.contains("there is no key \"bogus_key\""), "{}", started.stderr);
    env.wait_log("web", "args a,b c");
    let info: Value = env.json(&["info", "web"]);
    assert_eq!(info[0]["spec"]["restart"]["max_restarts"], 3);
}

#[test]
fn check_and_show() {
    let env = env();
    env.run(&["config", "check"]).fails(1, &["no configuration file in this folder", "velos init"]);
    env.file("velos.toml", "[apps.api]\ncomand = \"x\"\n", 0o644);
    env.run(&["config", "check"]).fails(
        1,
        &[
            "velos.toml:2:1: there is no key \"comand\" (did you mean \"command\"?)",
            "needs a script or a command",
        ],
    );
    env.file(
        "velos.toml",
        "[apps.api]\ncommand = \"exec sleep 9\"\nenv = { API_KEY = \"hunter2\" }\n",
        0o644,
    );
    assert!(env.run(&["config", "check"]).ok().stdout.contains("[OK] velos.toml: 1 app"));
    let shown = env.run(&["config", "show"]).ok().stdout;
    assert!(shown.contains("exec sleep 9") && shown.contains("***") && !shown.contains("hunter2"), "{shown}");
    env.file("velos.toml", "[apps.api]\nscript = \"gone.py\"\n", 0o644);
    env.run(&["config", "check"]).fails(1, &["velos.toml: app \"api\": cannot start gone.py"]);
    let schema: Value = serde_json::from_str(&env.run(&["config", "schema"]).ok().stdout).unwrap();
    assert_eq!(schema["title"], "velos.toml");
    assert!(!env.home().exists(), "no daemon is needed for any of that");
}

#[test]
fn init_writes_what_apply_takes() {
    let env = env();
    env.file("Procfile", "web: exec sleep 1000\nworker: exec sleep 1000\n", 0o644);
    env.run(&["init"]).ok();
    env.run(&["init"]).fails(1, &["is there already", "--force"]);
    env.run(&["apply", "--yes"]).ok();
    assert_eq!(env.list().len(), 2);
}

#[test]
fn what_pm2_saved_is_started() {
    let env = env();
    let work = env.work().display().to_string();
    let dump = format!(
        r#"[{{"name":"job","pm_exec_path":"/bin/sleep","args":["1000"],"exec_interpreter":"none","exec_mode":"fork_mode","pm_cwd":"{work}"}}]"#
    );
    env.file("dump.pm2", &dump, 0o644);
    env.run(&["import", "pm2", "dump.pm2", "-o", "velos.toml"]).ok();
    env.run(&["apply", "--yes"]).ok();
    assert_eq!(env.instance("job").phase, Phase::Online);
    env.run(&["import", "pm2", "nothing.js"]).fails(1, &["cannot read it"]);
}
