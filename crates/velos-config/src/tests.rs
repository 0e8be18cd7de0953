//! Whole files: what is said arrives, what cannot be is refused with its place.

use std::path::Path;

use velos_core::app::{Condition, ExecMode, Kind, Probe, Resource};

use crate::keys::{KEYS, Shape};
use crate::{Config, ConfigError, Options, load, load_text};

fn read(file: &str, text: &str) -> Result<Config, ConfigError> {
    load_text(Path::new("/srv/shop").join(file).as_path(), text, &Options::default())
}

fn good(file: &str, text: &str) -> Config {
    read(file, text).unwrap_or_else(|error| panic!("{error}"))
}

/// A value of each kind that is never the standard one.
fn sample(shape: Shape, path: &str) -> String {
    let text = match shape {
        Shape::Number(low, high) => return (low + 7).min(high).to_string(),
        Shape::Switch => {
            return (!matches!(
                path,
                "autostart"
                    | "autorestart"
                    | "treekill"
                    | "watch.follow_symlinks"
                    | "logs.compress"
                    | "source_map_support"
            ))
            .to_string();
        }
        Shape::Time => "\"7777ms\"",
        Shape::Size => "\"77M\"",
        Shape::Choice(words) => return format!("{:?}", words[1]),
        Shape::Instances => "3",
        Shape::Codes => "[7]",
        Shape::Variables => "{ A = \"1\" }",
        Shape::Filter => "[\"AWS_*\"]",
        Shape::Cron => "\"0 3 * * *\"",
        Shape::Depends => "{ db = \"healthy\" }",
        Shape::Hook => "{ command = \"true\", timeout = \"7s\" }",
        Shape::Limit => "{ soft = 7, hard = \"unlimited\" }",
        Shape::User | Shape::Group => "7",
        Shape::Groups => "[7]",
        Shape::Mode => "\"027\"",
        Shape::Cores => "1.5",
        Shape::TimeForm => "true",
        _ => match path {
            "health.http" => "\"http://127.0.0.1/\"",
            "health.tcp" => "\"127.0.0.1:7\"",
            "kill_signal" => "\"SIGINT\"",
            "env_file" => "\"/dev/null/none\"",
            _ => "\"seven\"",
        },
    };
    text.to_owned()
}

#[test]
fn every_key_does_something() {
    for key in KEYS.iter().filter(|key| key.has_effect()) {
        let sample = sample(key.shape, key.path);
        // Some speak only together with others.
        let needs = match key.path {
            "script" | "command" => "",
            "schedule" => "script = \"x\"\nkind = \"task\"\n",
            "timezone" => "script = \"x\"\ncron_restart = \"@daily\"\n",
            path if path.starts_with("health.") && !matches!(key.shape, Shape::Text) => {
                "script = \"x\"\nhealth.tcp = \"127.0.0.1:1\"\n"
            }
            path if path.starts_with("watch.") && path != "watch.enabled" => {
                "script = \"x\"\nwatch.enabled = true\n"
            }
            "append_env_to_name" => "script = \"x\"\n",
            _ => "script = \"x\"\n",
        };
        let options = Options { profile: Some("dev".into()), defaults: None, json_is_script: false };
        let path = Path::new("/srv/velos.toml");
        let text = |line: &str| format!("[apps.a]\n{needs}{line}\n");
        let without = load_text(path, &text(if needs.is_empty() { "script = \"y\"" } else { "" }), &options);
        let with = load_text(path, &text(&format!("{} = {sample}", key.path)), &options);
        if key.path == "env_file" {
            assert!(with.unwrap_err().to_string().contains("env_file"));
            continue;
        }
        let (without, with) =
            (without.unwrap(), with.unwrap_or_else(|error| panic!("{}: {error}", key.path)));
        assert_ne!(without.apps, with.apps, "{} does nothing", key.path);
        for alias in key.aliases {
            let line = format!("{alias} = {sample}");
            let again =
                load_text(path, &text(&line), &options).unwrap_or_else(|error| panic!("{alias}: {error}"));
            assert_eq!(again.apps, with.apps, "{alias}");
        }
    }
}

const SHOP: &str = r#"
[defaults]
namespace = "shop"
max_restarts = 5
env = { LOG = "info", SHARED = "1" }
health.tcp = "127.0.0.1:1"
health.interval = "1s"

[apps.api]
script = "server.js"
args = "--port 3000 'two words'"
instances = -100
env = { LOG = "debug", OBJECT = { a = [1] } }
depends_on = { db = "healthy" }
[apps.api.health]
http = "http://127.0.0.1:${PORT}/"
[apps.api.limits]
nofile = 1024
cpu_max = "150%"

[apps.db]
command = "exec ./db"
cwd = "data"

[apps.report]
script = "report.py"
kind = "task"
schedule = "0 3 * * *"
timezone = "Europe/Berlin"
"#;

#[test]
fn a_whole_file() {
    let config = good("velos.toml", SHOP);
    let [api, db, report] = config.apps.as_slice() else { panic!("{config:?}") };
    assert_eq!(api.spec.namespace, "shop");
    assert_eq!(api.spec.instances, 1);
    assert_eq!(api.spec.restart.max_restarts, 5);
    assert_eq!(api.launch.args, ["--port", "3000", "two words"]);
    let health = api.spec.health.as_ref().unwrap();
    assert_eq!(health.probe, Probe::Http("http://127.0.0.1:${PORT}/".into()));
    assert_eq!(health.interval_ms, 1_000);
    assert_eq!(api.spec.limits.rlimits[&Resource::Nofile].hard, Some(1024));
    assert_eq!(api.spec.limits.cpu_max_percent, Some(150));
    assert_eq!(api.spec.depends_on[0].condition, Condition::Healthy);
    let variable = |name: &str| api.variables.iter().find(|(key, _)| key == name).unwrap().1.clone();
    assert_eq!((variable("LOG"), variable("SHARED")), ("debug".into(), "1".into()));
    assert_eq!(variable("OBJECT"), "{\"a\":[1]}");
    assert_eq!(db.spec.cwd.to_text(), "/srv/shop/data");
    assert!(db.launch.is_shell);
    assert_eq!((report.spec.kind, report.spec.restart.stop_exit_codes.clone()), (Kind::Task, vec![0]));
    assert_eq!(report.spec.schedule.as_ref().unwrap().timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(config.warnings, []);
}

#[test]
fn one_meaning_in_all_formats() {
    let json = r#"{ apps: [ { name: 'api', script: './a.js', maxMemoryRestart: '1G', instances: 2, env: {A: 1}, env_dev: {A: 2}, watch: ['src'], error_file: 'NULL', time: true, }, ] }"#;
    let yaml = "apps:\n  - name: api\n    script: ./a.js\n    max_memory_restart: 1G\n    instances: 2\n    env: {A: 1}\n    env_dev: {A: 2}\n    watch: [src]\n    err_file: 'NULL'\n    log_date_format: YYYY-MM-DDTHH:mm:ss\n";
    let toml = "[[apps]]\nname = \"api\"\nscript = \"./a.js\"\nmax_memory_restart = 1073741824\ninstances = \"2\"\nenv.A = 1\nenv_dev.A = 2\nlogs.err = \"/dev/null\"\nlogs.timestamps = true\n[apps.watch]\npaths = [\"src\"]\n";
    let options = Options { profile: Some("dev".into()), defaults: None, json_is_script: false };
    let of = |file: &str, text: &str| {
        let config = load_text(&Path::new("/srv").join(file), text, &options)
            .unwrap_or_else(|error| panic!("{error}"));
        let mut app = config.apps.into_iter().next().unwrap();
        app.spec.declared_in = None;
        app
    };
    let first = of("x.json", json);
    assert_eq!(first.spec.exec_mode, ExecMode::Cluster);
    assert!(first.spec.logs.discard_err && first.spec.profile.as_deref() == Some("dev"));
    assert_eq!(first.variables.last().unwrap(), &("A".to_owned(), "2".to_owned()));
    assert_eq!(first.spec.env_origin.get(&"A".into()).unwrap(), "env_dev");
    assert_eq!(of("x.yaml", yaml), first);
    assert_eq!(of("x.toml", toml), first);
}

#[test]
fn problems_have_a_place_and_a_way_out() {
    let files = [
        (
            "velos.toml",
            "[apps.api]\nscript = \"a.js\"\nmax_memory_restrat = \"1G\"\n[apps.api.helth]\nhttp = \"x\"\n",
        ),
        (
            "velos.toml",
            "[apps.api]\nscript = \"a.js\"\nkill_timeout = \"soon\"\ninstances = \"many\"\numask = \"999\"\n",
        ),
        ("velos.toml", "[apps.api]\nscript = \"a.js\nargs = 1\n"),
        ("velos.toml", "[apps.api]\nargs = [1]\n[app.x]\nscript = \"y\"\n"),
        (
            "velos.toml",
            "[apps.a]\nscript = \"a\"\ndepends_on = \"b\"\n[apps.b]\nscript = \"b\"\ndepends_on = [\"c\"]\n[apps.c]\nscript = \"c\"\ndepends_on = { a = \"healty\", b = \"started\" }\n",
        ),
        (
            "velos.toml",
            "[apps.a]\nscript = \"a\"\ndepends_on = \"b\"\n[apps.b]\nscript = \"b\"\ndepends_on = \"a\"\n",
        ),
        (
            "velos.toml",
            "[apps.a]\nscript = \"a\"\nout = \"x\"\nlogs.out = \"y\"\nhealth = { http = \"ftp://x\" }\nuser = \"no-such-user\"\n",
        ),
        (
            "velos.toml",
            "[apps.\"a/b\"]\nscript = \"a\"\n[apps.b]\nscript = \"b\"\ncron_restart = \"61 * * * *\"\nschedule = \"@daily\"\n",
        ),
        ("x.json", "{\"apps\": [{\"script\": \"a.js\", \"name\": 1,, }]}"),
        ("x.json", "[{\"script\": \"a.js\", \"name\": \"x\"}, {\"script\": \"b.js\", \"name\": \"x\"}]"),
        ("x.yaml", "apps:\n - script: ün\n   watch: {delay: [1]}\n"),
        ("x.yaml", "just a text"),
        ("velos.toml", "include = [\"../outside.toml\", \"/etc/passwd\"]\n"),
    ];
    let mut all = String::new();
    for (file, text) in files {
        let error = read(file, text).unwrap_err().to_string();
        all.push_str(&format!("{text}---\n{error}\n\n"));
    }
    insta::assert_snapshot!("problems", all);
    let config = good("x.json", "[{script: 'a.js', max_memory_restrat: '1G', vizion: false, cmd_line: 1}]");
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("warnings", warnings.join("\n"));
}

#[test]
fn a_text_without_a_name() {
    let texts = [
        "[apps.x]\nscript = 'a'\n",
        "{apps: {x: {script: 'a'}}}",
        "[{name: 'x', script: 'a'}]",
        "apps:\n  x: {script: a}\n",
    ];
    for text in texts {
        let config = crate::load_unnamed(Path::new("/srv"), text, &Options::default());
        let config = config.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(config.apps[0].spec.name.as_str(), "x");
        assert_eq!(config.apps[0].spec.cwd.to_text(), "/srv");
    }
    let broken = crate::load_unnamed(Path::new("/srv"), "[apps.x]\nscript = a\n", &Options::default());
    assert!(broken.unwrap_err().to_string().starts_with("/srv/-:2:10"));
}

#[test]
fn evaluated_files_are_data_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        load(&path, &Options::default())
    };
    let kinds = [
        (
            "a.config.js",
            "console.log('talk'); module.exports = { apps: [{ name: 'x', script: 'a.js', args: ['1'] }] }",
        ),
        ("b.config.cjs", "module.exports = () => ({ apps: [{ name: 'x', script: 'a.js', args: ['1'] }] })"),
        ("c.config.mjs", "export default { apps: [{ name: 'x', script: 'a.js', args: ['1'] }] }"),
        ("d.config.mjs", "export const apps = [{ name: 'x', script: 'a.js', args: ['1'] }]"),
    ];
    for (name, text) in kinds {
        let config = file(name, text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.apps[0].launch.args, ["1"], "{name}");
        assert_eq!(config.apps[0].spec.cwd.as_path(), folder.path());
    }
    let thrown = file("e.config.js", "throw new TypeError('no luck')").unwrap_err().to_string();
    assert!(thrown.contains("TypeError: no luck"), "{thrown}");
    let none = file("f.config.js", "module.exports = 5").unwrap_err().to_string();
    assert!(none.contains("must be a table"), "{none}");
    let huge = file("g.config.js", "module.exports = 'x'.repeat(9e6)").unwrap_err().to_string();
    assert!(huge.contains("at most"), "{huge}");
    let endless = file("h.config.js", "for (;;);").unwrap_err().to_string();
    assert!(endless.contains("within 10 s"), "{endless}");
}

#[test]
fn sizes_links_and_includes_have_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("in");
    std::fs::create_dir(&inside).unwrap();
    let main = inside.join("velos.toml");
    let with = |text: &str| {
        std::fs::write(&main, text).unwrap();
        load(&main, &Options::default())
    };
    std::fs::write(inside.join("more.toml"), "[apps.more]\nscript = \"x\"\n").unwrap();
    std::fs::write(folder.path().join("out.toml"), "[apps.out]\nscript = \"x\"\n").unwrap();
    std::os::unix::fs::symlink(folder.path().join("out.toml"), inside.join("link.toml")).unwrap();
    let names: Vec<String> = with("include = [\"more.toml\"]\n[apps.own]\nscript = \"y\"\n")
        .unwrap()
        .apps
        .iter()
        .map(|app| app.spec.name.to_string())
        .collect();
    assert_eq!(names, ["own", "more"]);
    for outside in ["../out.toml", "link.toml"] {
        let error = with(&format!("include = [{outside:?}]\n")).unwrap_err().to_string();
        assert!(error.contains("outside the folder"), "{error}");
    }
    // A hundred megabytes are refused by their size, not read.
    let big = inside.join("big.json");
    std::fs::File::create(&big).unwrap().set_len(100 << 20).unwrap();
    let begin = std::time::Instant::now();
    assert!(load(&big, &Options::default()).unwrap_err().to_string().contains("at most"));
    assert!(begin.elapsed().as_millis() < 500);
    assert!(load(Path::new("/dev/zero.json"), &Options::default()).is_err());
    assert!(load(&inside, &Options::default()).is_err());
}

#[test]
fn a_file_that_is_no_configuration_takes_no_time() {
    let pairs: String = (0..300_000).map(|number| format!("\"k{number}\":1,")).collect();
    let chain: String = (0..9_999)
        .map(|number| format!("[apps.a{number}]\ncommand = \"x\"\ndepends_on = \"a{}\"\n", number + 1))
        .collect();
    let begin = std::time::Instant::now();
    assert!(read("x.json", &format!("{{\"apps\":[{{\"script\":\"x\",{pairs}}}]}}")).is_ok());
    assert!(read("velos.toml", &format!("[apps.x]\n{}", "a = 1\n".repeat(100_000))).is_err());
    let yaml: String = (0..100_000).map(|number| format!("k{number}: 1\n")).collect();
    assert!(read("x.yaml", &yaml).is_err());
    assert_eq!(good("velos.toml", &chain).apps.len(), 9_999);
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}

#[test]
fn what_pm2_saved_becomes_a_file_that_means_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.pm2");
    std::fs::write(&dump, r#"[
      {"name":"api","pm_exec_path":"/srv/api.js","pm_cwd":"/srv","exec_interpreter":"node","exec_mode":"cluster_mode","instances":2,
       "args":["--port","3000"],"max_memory_restart":314572800,"autorestart":true,"watch":false,"namespace":"default",
       "pm_out_log_path":"/home/a/.pm2/logs/api-out.log","pm_err_log_path":"/var/log/api.err","env":{"PORT":"3000","SHLVL":"1","PM2_HOME":"/x","api":"{}"}},
      {"name":"api","pm_exec_path":"/srv/api.js","pm_cwd":"/srv","exec_interpreter":"node","exec_mode":"cluster_mode","instances":2},
      {"name":"web server","pm_exec_path":"/usr/bin/bash","args":["-c","python3 -m http.server"],"exec_interpreter":"none","exec_mode":"fork_mode","pm_cwd":"/srv"},
      {"name":"pm2-logrotate","pm_exec_path":"/x","pmx_module":true}
    ]"#).unwrap();
    let (text, warnings) = crate::import(&dump).unwrap();
    assert_eq!(warnings, []);
    insta::assert_snapshot!("imported", text.replace(&dump.display().to_string(), "DUMP"));
    let config = good("velos.toml", &text);
    assert_eq!(config.apps.len(), 2);
    assert_eq!((config.apps[0].spec.instances, config.apps[0].spec.exec_mode), (2, ExecMode::Cluster));
    std::fs::write(&dump, "{\"not\": \"a list\"}").unwrap();
    assert!(crate::import(&dump).is_err());
}

#[test]
fn a_thousand_apps_are_read_fast() {
    let mut text = String::new();
    for number in 0..1_000 {
        text.push_str(&format!("[apps.app{number}]\nscript = \"a.js\"\ninstances = 2\nenv = {{ PORT = \"{number}\" }}\nhealth.tcp = \"127.0.0.1:{number}\"\n"));
    }
    let begin = std::time::Instant::now();
    assert_eq!(good("velos.toml", &text).apps.len(), 1_000);
    let took = begin.elapsed();
    println!("1,000 apps in {took:?}");
    assert!(took.as_secs() < 5, "{took:?}");
}

#[test]
fn what_pm2_hands_to_its_watcher_is_read() {
    let read = |options: &str| {
        let text = format!("{{ apps: [{{ script: 'a', watch: true, watch_options: {options} }}] }}");
        let config = good("x.json", &text);
        let watch = config.apps[0].spec.watch.clone().unwrap();
        (watch.poll_ms, watch.follow_symlinks, config.warnings.len())
    };
    assert_eq!(read("{ usePolling: true, interval: 300, followSymlinks: false }"), (300, false, 0));
    assert_eq!(read("{ use_polling: true }"), (1_000, true, 0));
    assert_eq!(read("{ usePolling: false, interval: 5 }"), (0, true, 0));
    assert_eq!(read("{ atomic: true }"), (0, true, 1), "what has no effect is told");
}

#[test]
fn a_file_for_both_streams_in_its_standard_place() {
    let combined = |value: &str| {
        let config = good("x.json", &format!("{{ apps: [{{ script: 'a', log_file: {value} }}] }}"));
        config.apps[0].spec.logs.combined.clone()
    };
    assert_eq!(combined("true"), Some("".into()));
    assert_eq!(combined("'all.log'"), Some("/srv/shop/all.log".into()));
    assert_eq!((combined("false"), combined("'NULL'")), (None, None));
}
