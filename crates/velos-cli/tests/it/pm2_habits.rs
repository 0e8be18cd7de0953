//! What people and scripts that come from PM2 type, each with what they expect of it.

use velos_core::instance::Phase;
use velos_testkit::{SOON, TestEnv, processes, wait_for, wait_until};

use crate::env;

const SHOP: &str = "[apps.api]\ncommand = \"exec sleep 1000\"\n[apps.db]\ncommand = \"exec sleep 1000\"\n";

fn names(env: &TestEnv) -> Vec<String> {
    env.list().into_iter().map(|one| one.name).collect()
}

fn files(folder: &std::path::Path, end: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(end));
    names.sort();
    names
}

#[test]
fn a_file_by_flag_and_how_many_started() {
    let env = env();
    env.file("shop.toml", SHOP, 0o644);
    let told = env.run(&["start", "--config", "shop.toml"]).ok().stdout;
    assert!(told.ends_with("[OK] Started 2 processes from shop.toml\n"), "{told}");
    env.run(&["start", "--config", "shop.toml", "other"]).fails(2, &["--config"]);
    env.run(&["start", "--config", "none.toml"]).fails(1, &["none.toml"]);
}

#[test]
fn only_some_of_a_file_end() {
    let env = env();
    env.file("shop.toml", SHOP, 0o644);
    env.run(&["start", "shop.toml"]).ok();
    env.run(&["stop", "shop.toml", "--only", "api"]).ok();
    assert_eq!(env.instance("api").phase, Phase::Stopped);
    assert_eq!(env.instance("db").phase, Phase::Online);
    env.run(&["delete", "shop.toml", "--only", "api,none"]).fails(1, &["no app \"none\"", "api, db"]);
    env.run(&["delete", "shop.toml", "--only", "api"]).ok();
    assert_eq!(names(&env), ["db"]);
    env.run(&["stop", "db", "--only", "db"]).fails(2, &["--only"]);
}

#[test]
fn instances_with_files_of_their_own() {
    let env = env();
    let script = env.file("say.sh", "#!/bin/sh\necho out; echo err >&2; exec sleep 1000\n", 0o755);
    let script = script.display().to_string();
    env.run(&["start", &script, "-i", "2", "-o", "a.log", "--error", "b.err", "-l", "all.log"]).ok();
    for log in ["a-0.log", "a-1.log", "all-0.log", "all-1.log"] {
        wait_until(log, SOON, || {
            std::fs::read_to_string(env.work().join(log)).is_ok_and(|log| log.contains("out\n"))
        });
    }
    assert_eq!(files(&env.work(), ".err"), ["b-0.err", "b-1.err"]);
    env.run(&["delete", "all"]).ok();
    env.run(&["start", &script, "--name", "both", "-i", "2", "-o", "m.log", "--merge-logs"]).ok();
    wait_until("one file for both", SOON, || {
        std::fs::read_to_string(env.work().join("m.log")).is_ok_and(|log| log == "out\nout\n")
    });
    env.run(&["start", &script, "--name", "one", "--log"]).ok();
    wait_until("its standard place", SOON, || {
        std::fs::read_to_string(env.home().join("logs/one.log")).is_ok_and(|log| log.lines().count() == 2)
    });
}

#[test]
fn as_many_as_there_are_cores_and_none_at_all() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    env.run(&["scale", "api", "max"]).ok();
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(env.list().len(), cores);
    env.run(&["scale", "api", "many"]).fails(2, &["\"many\""]);
    env.run(&["scale", "api", "0"]).ok();
    assert!(env.list().is_empty());
    env.run(&["scale", "api", "2"]).fails(3, &["api"]);
    env.set_variable("VELOS_PM2_COMPAT", "1");
    env.start("api", &[], &["sleep"]);
    env.run(&["scale", "api", "1"]).fails(1, &["nothing to do"]);
}

#[test]
fn another_name_and_other_arguments_of_the_interpreter() {
    let env = env();
    env.file("app.sh", "echo \"options $-\"; exec sleep 1000\n", 0o644);
    env.run(&["start", "app.sh", "--interpreter", "sh"]).ok();
    assert!(!env.wait_log("app", "options").contains('u'));
    let pid = env.pid("app");
    env.run(&["restart", "app", "--name", "web", "--node-args=-u -e"]).ok();
    assert_eq!(names(&env), ["web"]);
    assert!(!processes::is_alive(pid));
    let log = env.wait_log("web", "options");
    let options = log.trim().trim_start_matches("options ");
    assert!(options.contains('u') && options.contains('e'), "{log}");
    env.run(&["restart", "web", "--node-args=null"]).ok();
    wait_until("none again", SOON, || {
        let log = std::fs::read_to_string(env.out_log("web")).unwrap();
        log.lines().nth(1).is_some_and(|line| !line.trim_start_matches("options ").contains('u'))
    });
    env.start("api", &[], &["sleep"]);
    env.run(&["restart", "web", "--name", "api"]).fails(1, &["api", "already"]);
    env.run(&["restart", "all", "--name", "x"]).fails(2, &["several"]);
    env.run(&["reload", "web", "--name", "x"]).fails(2, &["restart"]);
    env.run(&["restart", "api", "--node-args=-u"]).fails(2, &["no interpreter"]);
    assert_eq!(names(&env), ["web", "api"]);
}

#[test]
fn null_takes_back_what_was_said() {
    let env = env();
    env.start("api", &["--kill-timeout", "9s", "--min-uptime", "9s", "-o", "x.log"], &["sleep"]);
    let info = || env.run(&["info", "api"]).ok().stdout;
    assert!(info().contains("9000 ms") && info().contains("x.log"));
    env.run(&["restart", "api", "--kill-timeout", "null", "--min-uptime", "null", "-o", "null"]).ok();
    assert!(info().contains("1600 ms") && !info().contains("x.log"), "{}", info());
}

#[test]
fn a_folder_behind_watch_and_extensions() {
    let env = env();
    std::fs::create_dir(env.work().join("src")).unwrap();
    env.run(&["start", "sleep 1000", "--name", "api", "--watch", "src", "--ext", "js,json"]).ok();
    assert_eq!(names(&env), ["api"]);
    std::fs::write(env.work().join("src/notes.txt"), "1").unwrap();
    std::fs::write(env.work().join("src/app.js"), "1").unwrap();
    env.wait_instance("api", "was restarted", |one| one.restarts == 1 && one.phase == Phase::Online);
    assert!(env.run(&["why", "api"]).ok().stdout.contains("app.js"));
    env.run(&["start", "sleep 1000", "--name", "no", "--ext", "js"]).fails(2, &["--ext", "--watch"]);
}

#[test]
fn a_line_for_the_program() {
    let env = env();
    let script = "while read -r line; do echo \"got $line\"; done";
    env.run(&["start", script, "--name", "reader"]).ok();
    env.run(&["send", "reader", "one two", "--stdin"]).ok();
    env.wait_log("reader", "got one two\n");
    env.set_variable("VELOS_PM2_COMPAT", "1");
    env.run(&["send", "0", "three"]).ok();
    env.wait_log("reader", "got three\n");
    env.run(&["stop", "reader"]).ok();
    env.run(&["send", "reader", "four"]).fails(1, &["reader is stopped"]);
    env.run(&["send", "77", "five"]).fails(3, &["77"]);
}

#[test]
fn a_saved_list_brings_back_all_as_it_was() {
    let env = env();
    assert!(env.run(&["resurrect"]).ok().stderr.contains("nothing was saved yet"));
    assert!(env.run(&["save"]).ok().stderr.contains("nothing to save"));
    env.start("up", &[], &["sleep"]);
    env.start("down", &[], &["sleep"]);
    env.run(&["stop", "down"]).ok();
    env.run(&["save"]).ok();
    env.run(&["kill"]).ok();
    assert!(env.run(&["save"]).ok().stderr.contains("the saved list stays"));
    env.run(&["resurrect"]).ok();
    assert_eq!(env.instance("up").phase, Phase::Online);
    assert_eq!(env.instance("down").phase, Phase::Stopped);
    env.run(&["start", "down"]).ok();
    assert_eq!(env.instance("down").phase, Phase::Online);
    // Twice is once.
    env.run(&["resurrect"]).ok();
    assert_eq!(env.list().len(), 2);
    // A list that was torn is no list; the one before it is.
    env.run(&["save"]).ok();
    std::fs::write(env.home().join("dump.json"), "{\"version\": 1, \"ap").unwrap();
    env.run(&["kill"]).ok();
    assert!(env.run(&["resurrect"]).ok().stderr.contains("saved before"));
    assert_eq!(env.list().len(), 2);
}

#[test]
fn what_pm2_needs_and_velos_does_not() {
    let env = env();
    for words in [&["link", "a", "b"][..], &["unmonitor"], &["install", "pm2-logrotate"], &["plus"]] {
        let output = env.run(words).ok();
        assert!(output.stdout.is_empty() && output.stderr.contains("not needed"), "{words:?}");
    }
    env.run(&["install", "pm2-slack"]).fails(2, &["pm2-slack", "built in"]);
    env.run(&["dashboard"]).fails(2, &["terminal"]);
    env.run(&["ecosystem"]).ok();
    assert!(env.work().join("velos.toml").exists());
}

#[test]
fn one_reload_at_a_time_for_each_app() {
    let env = env();
    env.start("slow", &["--min-uptime", "3s"], &["sleep"]);
    env.start("other", &["--min-uptime", "0"], &["sleep"]);
    let first = env.command(&["reload", "slow"]).spawn().unwrap();
    wait_for("its new process runs", SOON, || {
        (processes::of_app(env.home(), "slow").len() == 2).then_some(())
    });
    env.run(&["reload", "slow"]).fails(1, &["a reload of \"slow\" is in progress"]);
    // Others are not held up.
    env.run(&["reload", "other"]).ok();
    let mut first = first;
    assert!(first.wait().unwrap().success());
    assert_eq!(env.instance("slow").restarts, 1);
}

/// An editor writes a new file beside the old one and renames it: the watch follows the name.
#[test]
fn a_file_that_an_editor_replaces() {
    let env = env();
    env.file("app.conf", "1", 0o644);
    env.run(&["start", "cat app.conf; exec sleep 1000", "--name", "api", "--watch=app.conf"]).ok();
    for round in 1..=3 {
        // What changes right after each start would be taken for the app's own doing.
        env.wait_instance("api", "runs", |one| {
            one.restarts == round - 1 && one.uptime_ms.is_some_and(|ms| ms > 2_200)
        });
        std::fs::write(env.work().join(".app.conf.swp"), format!("{round}0")).unwrap();
        std::fs::rename(env.work().join(".app.conf.swp"), env.work().join("app.conf")).unwrap();
        env.wait_log("api", &format!("{round}0"));
    }
}

#[test]
fn what_hurts_and_what_is_said_last_is_in_the_error_log() {
    let env = env();
    if velos_testkit::program("node").is_none() {
        return velos_testkit::skipped("no node");
    }
    let throws = "process.stderr.write('late words\\n'); setTimeout(() => { throw new Error('broken pipe of dreams') }, 20)";
    env.file("throws.js", throws, 0o644);
    env.file("string.js", "throw 'a thrown text'", 0o644);
    for (name, words) in [
        ("throws", &["late words", "broken pipe of dreams", "throws.js:"][..]),
        ("string", &["a thrown text"]),
    ] {
        let file = format!("{name}.js");
        env.run(&["start", &file, "--no-autorestart", "--min-uptime", "0"]);
        env.wait_instance(name, "ended", |one| !matches!(one.phase, Phase::Online | Phase::Launching));
        let log = std::fs::read_to_string(env.err_log(name)).unwrap();
        for word in words {
            assert!(log.contains(word), "{name}: {log}");
        }
    }
}

/// What the file no longer says is gone: files replace, they are not merged into what was.
#[test]
fn a_variable_that_is_gone_from_the_file_is_gone() {
    let env = env();
    let write = |text: &str| {
        env.file("shop.toml", &format!("[apps.api]\ncommand = \"env; exec sleep 1000\"\n{text}"), 0o644)
    };
    write("env = { OLD = \"1\", KEPT = \"a\" }\n");
    env.run(&["start", "shop.toml"]).ok();
    assert!(env.wait_log("api", "KEPT=a\n").contains("OLD=1\n"));
    write("env = { KEPT = \"b\" }\n");
    env.run(&["restart", "shop.toml"]).ok();
    let log = env.wait_log("api", "KEPT=b\n");
    wait_until("the second run has spoken", SOON, || {
        std::fs::read_to_string(env.out_log("api")).unwrap().matches("VELOS_RUN=").count() == 2
    });
    assert_eq!(std::fs::read_to_string(env.out_log("api")).unwrap().matches("OLD=1\n").count(), 1, "{log}");
}

#[test]
fn a_profile_in_the_name_is_another_app() {
    let env = env();
    let text = "module.exports = { apps: [{ name: 'web', script: 'sleep 1000', append_env_to_name: true, env_dev: { A: 1 }, env_prod: { A: 2 } }] }";
    if velos_testkit::program("node").is_none() {
        return velos_testkit::skipped("no node");
    }
    env.file("ecosystem.config.js", text, 0o644);
    env.run(&["start", "ecosystem.config.js", "--env", "dev"]).ok();
    env.run(&["start", "ecosystem.config.js", "--env", "prod"]).ok();
    assert_eq!(names(&env), ["web-dev", "web-prod"]);
}

/// The usual deploy: `current` is a link to a release, and a restart after the link was switched runs the new one.
#[test]
fn a_link_to_a_release_is_followed_at_each_start() {
    let env = env();
    for release in ["r1", "r2"] {
        std::fs::create_dir(env.work().join(release)).unwrap();
        env.file(&format!("{release}/app.sh"), &format!("echo {release}; pwd -P; exec sleep 1000\n"), 0o644);
        let text = "[apps.filed]\nscript = \"app.sh\"\n";
        env.file(&format!("{release}/velos.toml"), text, 0o644);
    }
    let current = env.work().join("current");
    let switch = |release: &str| {
        let _ = std::fs::remove_file(&current);
        std::os::unix::fs::symlink(env.work().join(release), &current).unwrap();
    };
    switch("r1");
    env.run(&["start", "current/app.sh", "--name", "typed"]).ok();
    for words in [&["start", "app.sh", "--name", "inside"][..], &["start", "velos.toml"]] {
        let mut command = env.command(words);
        // As a shell leaves it that went there by the link.
        command.current_dir(&current).env("PWD", &current);
        velos_testkit::run(command).ok();
    }
    switch("r2");
    env.run(&["restart", "all"]).ok();
    for name in ["typed", "inside", "filed"] {
        wait_until("the new release runs", SOON, || {
            std::fs::read_to_string(env.out_log(name)).unwrap().contains("r2\n")
        });
    }
    assert!(env.wait_log("inside", "/r2\n").contains("/r1\n"), "its folder is that of the release");
}

#[test]
fn es_modules_and_commonjs_run_as_under_plain_node() {
    let env = env();
    if velos_testkit::program("node").is_none() {
        return velos_testkit::skipped("no node");
    }
    let stays = "setInterval(() => {}, 1000);";
    let esm = format!(
        "import fs from 'node:fs'; console.log('esm', typeof fs.stat, import.meta.url.endsWith('.mjs')); {stays}"
    );
    let cjs =
        format!("console.log('cjs', require.main === module, __filename.endsWith('plain.cjs')); {stays}");
    std::fs::create_dir(env.work().join("typed")).unwrap();
    env.file("typed/package.json", "{\"type\": \"module\"}", 0o644);
    env.file(
        "typed/in.js",
        &format!("import os from 'node:os'; console.log('typed', typeof os.cpus); {stays}"),
        0o644,
    );
    env.file("a.mjs", &esm, 0o644);
    env.file("plain.cjs", &cjs, 0o644);
    let config = "export default { apps: [{ name: 'esm', script: 'a.mjs' }, { name: 'cjs', script: 'plain.cjs' }, { name: 'typed', script: 'typed/in.js', instances: 2 }] }";
    env.file("ecosystem.config.mjs", config, 0o644);
    env.run(&["start", "ecosystem.config.mjs"]).ok();
    env.wait_log("esm", "esm function true\n");
    env.wait_log("cjs", "cjs true true\n");
    wait_until("both instances", SOON, || {
        (0..2).all(|slot| {
            let log = env.home().join(format!("logs/typed-out-{slot}.log"));
            std::fs::read_to_string(log).is_ok_and(|log| log.contains("typed function\n"))
        })
    });
}

#[test]
fn a_python_below_a_shell_is_heard_at_once() {
    let env = env();
    if velos_testkit::program("python3").is_none() {
        return velos_testkit::skipped("no python3");
    }
    env.file("talk.py", "import time\nprint('hello')\ntime.sleep(1000)\n", 0o644);
    env.run(&["start", "cd . && python3 talk.py", "--name", "line"]).ok();
    env.run(&["start", "talk.py"]).ok();
    env.wait_log("line", "hello\n");
    env.wait_log("talk", "hello\n");
}

#[test]
fn a_schedule_ends_with_its_app() {
    let env = env();
    env.start("ticks", &["--cron", "* * * * * *"], &["sleep"]);
    env.wait_instance("ticks", "was restarted by the clock", |one| one.restarts > 0);
    env.run(&["delete", "ticks"]).ok();
    let begin = std::time::Instant::now();
    wait_until("two more moments have passed", SOON, || begin.elapsed().as_millis() > 2_100);
    assert!(env.list().is_empty());
    assert_eq!(processes::of_app(env.home(), "ticks"), [0; 0]);
}

/// What was made from TypeScript or minified tells in its stack where the source is.
#[test]
fn stacks_name_the_sources() {
    let env = env();
    if velos_testkit::program("node").is_none() {
        return velos_testkit::skipped("no node");
    }
    // One line of output that came from line 7 of the source: mappings "AAMA".
    let map = r#"{"version":3,"file":"made.js","sources":["origin.ts"],"names":[],"mappings":"AAMA"}"#;
    env.file("made.js.map", map, 0o644);
    env.file("made.js", "throw new Error('made');\n//# sourceMappingURL=made.js.map\n", 0o644);
    let words = |flags: &[&str]| {
        env.run(&[&["start", "made.js", "--no-autorestart"], flags].concat());
        env.wait_instance("made", "ended", |one| {
            !matches!(one.phase, Phase::Online | Phase::Launching | Phase::Starting)
        });
        let log = std::fs::read_to_string(env.err_log("made")).unwrap();
        env.run(&["delete", "made"]).ok();
        std::fs::write(env.err_log("made"), "").unwrap();
        log
    };
    let log = words(&[]);
    assert!(log.contains("origin.ts:7"), "{log}");
    let log = words(&["--disable-source-map-support"]);
    assert!(!log.contains("origin.ts") && log.contains("made.js:1"), "{log}");
    env.file(
        "eco.config.cjs",
        "module.exports = [{ script: 'made.js', autorestart: false, source_map_support: false }]",
        0o644,
    );
    env.run(&["start", "eco.config.cjs"]);
    let info = env.run(&["info", "made"]).ok().stdout;
    assert!(!info.contains("--enable-source-maps"), "{info}");
}

/// What is typed, and whether it goes well; a | stands for a blank in a word.
const LINES: &str = "
    + start ./a.sh
    - start ./a.sh
    + start ./a.sh -f
    + start ./a.sh --name other
    - start ./none.sh
    - start none.json
    - start broken.json
    - start two.json
    - start ./a.sh --name c1 --cron nonsense
    - start ./a.sh --name c2 --max-memory-restart 12X
    - start ./a.sh --name c3 --interpreter nosuch
    - start ./a.sh --name c4 --nonsense
    + start unknown.json
    - stop nobody
    - restart nobody
    - reload nobody
    - delete nobody
    - describe nobody
    - env 99
    - restart a --env X
    + stop a
    + stop a
    + start a
    + start sp|ace.sh --name spaced
    + restart other --update-env
    + scale other 2
    - scale other 2
    - scale nobody 2
    - scale other abc
    - sendSignal SIGUSR1 nobody
    - sendSignal SIGNONE other
    + sendSignal SIGCONT other
    - send 99 x
    + id other
    + pid other
    - reset nobody
    + reset other
    + reloadLogs
    + save
    + ls -m
    + jlist
    + stop all
    + delete all
    - stop all
    - restart all
    - delete all
    + save
    + save --force
    + resurrect
    + ping
    - nonsense
    + kill
    + kill";

/// In this order, as PM2 7.0.4 answers the same lines; only what its own users call defects is left out. Which of our codes
/// it is says more than its 1.
#[test]
fn success_and_failure_are_told_as_by_pm2() {
    let env = env();
    env.set_variable("VELOS_PM2_COMPAT", "1");
    for name in ["a.sh", "sp ace.sh"] {
        env.file(name, "#!/bin/sh\nexec sleep 1000\n", 0o755);
    }
    let two = r#"{"apps":[{"name":"good","script":"./a.sh"},{"name":"bad","script":"./none.sh"}]}"#;
    env.file("two.json", two, 0o644);
    env.file("broken.json", "{\"apps\":[{", 0o644);
    env.file(
        "unknown.json",
        r#"{"apps":[{"name":"unk","script":"./a.sh","max_memory_restrat":"1G"}]}"#,
        0o644,
    );
    for line in LINES.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (expected, words) = line.split_once(' ').unwrap();
        let words: Vec<String> = words.split(' ').map(|word| word.replace('|', " ")).collect();
        let output = env.run(&words);
        assert_eq!(output.code == 0, expected == "+", "{line}: {output:?}");
    }
}

#[test]
fn the_version_is_that_of_what_was_started() {
    let env = env();
    let version = || env.instance("api").version;
    let package = |version: &str| {
        env.file("package.json", &format!("{{\"name\": \"x\", \"version\": \"{version}\"}}"), 0o644);
    };
    package("1.4.0");
    std::fs::create_dir(env.work().join("bin")).unwrap();
    env.file("bin/api.sh", "while :; do sleep 1; done\n", 0o644);
    env.run(&["start", "bin/api.sh", "-i", "2"]).ok();
    assert_eq!(version().as_deref(), Some("1.4.0"));
    let list: serde_json::Value = serde_json::from_str(&env.run(&["jlist"]).ok().stdout).unwrap();
    assert_eq!(list[1]["pm2_env"]["version"], "1.4.0");
    assert!(env.run(&["info", "api"]).ok().stdout.contains("version         1.4.0\n"));
    let wide = env.run(&["list"]).ok().stdout;
    assert!(wide.contains("│ 1.4.0") || !wide.contains("mode"), "{wide}");
    // A daemon after this one knows as much.
    env.kill_daemon();
    assert_eq!(version().as_deref(), Some("1.4.0"));
    // What was unpacked since runs after a restart only.
    package("1.5.0");
    assert_eq!(version().as_deref(), Some("1.4.0"));
    env.run(&["restart", "api:0"]).ok();
    let all: Vec<_> = env.list().into_iter().map(|one| one.version.unwrap()).collect();
    assert_eq!(all, ["1.5.0", "1.4.0"]);
    env.run(&["stop", "api"]).ok();
    assert_eq!(version().as_deref(), Some("1.5.0"));
    std::fs::remove_file(env.work().join("package.json")).unwrap();
    env.run(&["start", "api"]).ok();
    assert_eq!(version(), None);
}
