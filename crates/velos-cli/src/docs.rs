//! Holds `docs/` to the code: what can be generated is, and every field that machines read is described.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::CommandFactory;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::protocol::{InstanceInfo, Outcome, Outcomes, Refusal};

use crate::args::Arguments;
use crate::sample;

/// What each exit code means; `ErrorCode::exit_code` decides which it is.
const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done"),
    (1, "it failed"),
    (2, "wrong usage"),
    (3, "no such process"),
    (4, "no daemon, and none could be started"),
    (5, "it did not become ready in time"),
    (6, "refused (permission)"),
];

const MARK: &str = "<!-- What follows is generated";

/// A match without a wildcard: a new code does not compile until it is in the table.
fn all_codes() -> Vec<ErrorCode> {
    use ErrorCode::*;
    let all = [Failed, Usage, NotFound, NoDaemon, NotReady, Refused, Exists, Version, Busy, Internal];
    for code in all {
        match code {
            Failed | Usage | NotFound | NoDaemon | NotReady | Refused | Exists | Version | Busy
            | Internal => {}
        }
    }
    all.to_vec()
}

fn docs(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file)
}

fn word(code: ErrorCode) -> String {
    serde_json::to_value(code).unwrap().as_str().unwrap().to_owned()
}

fn generated() -> String {
    let mut text = String::from("\n## Exit codes\n\n| code | meaning | `error.code` |\n|---|---|---|\n");
    for (exit, meaning) in EXIT_CODES {
        let codes = all_codes().into_iter().filter(|code| code.exit_code() == *exit);
        let words: Vec<String> = codes.map(|code| format!("`{}`", word(code))).collect();
        text.push_str(&format!("| {exit} | {meaning} | {} |\n", words.join(" ")));
    }
    text.push_str("\n## Commands\n");
    let mut command = Arguments::command().term_width(100);
    command.build();
    let main = command.render_help().to_string();
    text.push_str(&format!("\n```\n{}\n```\n", main.trim_end()));
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names {
        let help = command.find_subcommand_mut(&name).unwrap().render_help().to_string();
        // The options that all commands have stand above.
        let own = help.split("\nGlobal options:\n").next().unwrap_or_default();
        text.push_str(&format!("\n### `velos {name}`\n\n```\n{}\n```\n", own.trim_end()));
    }
    text
}

#[test]
fn the_page_of_the_command_line_is_current() {
    let path = docs("cli.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mark = page.find(MARK).unwrap();
    let line_end = mark + page[mark..].find('\n').unwrap() + 1;
    let expected = format!("{}{}", &page[..line_end], generated());
    if std::env::var_os("VELOS_GENERATE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    } else {
        assert!(page == expected, "docs/cli.md is out of date; run the command that stands in it");
    }
}

#[test]
fn every_exit_code_has_a_meaning_and_every_error_a_code() {
    let exits: BTreeSet<u8> = EXIT_CODES.iter().map(|(exit, _)| *exit).collect();
    assert_eq!(exits.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    for code in all_codes() {
        assert!(EXIT_CODES.iter().any(|(exit, _)| *exit == code.exit_code() && *exit > 0), "{code:?}");
    }
}

/// Keys of objects, but for those below `env`, which are not ours.
fn keys(value: &serde_json::Value, into: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                into.insert(key.clone());
                if !key.starts_with("env") {
                    keys(value, into);
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

/// A declaration in which nothing is left out.
fn declared_with_everything() -> Vec<velos_core::app::AppSpec> {
    let text = r#"
[apps.db]
command = "x"
[apps.api]
command = "x"
kind = "task"
schedule = "@daily"
timezone = "UTC"
cron_restart = "@daily"
autostart = false
exec_mode = "cluster"
listen = "3000"
depends_on = { db = "healthy" }
propagate = "stop"
critical = true
filter_env = "AWS"
instance_var = "N"
increment_var = "M"
port = 3000
env_dev.A = "1"
max_memory_restart = "1G"
shutdown_with_message = true
sd_notify = true
pid_file = "/x"
health = { exec = "x" }
limits = { memory_max = "1G", memory_high = "1G", cpu_max = 1, pids_max = 1, nofile = 1, core = 1, nproc = 1, stack = 1, memlock = 1, as = 1, cpu = 1, fsize = 1, data = 1, nice = 1, oom_score_adj = 1 }
user = { uid = 0, gid = 1, groups = [1], umask = "022", no_new_privileges = true }
watch = true
logs = { combined = "/x", merge = true, format = "json", timestamps = true, compress = true, err = "NULL", out = "NULL" }
hooks = { pre_start = "x", post_start = "x", pre_stop = "x", post_stop = "x", on_crash = "x" }
"#;
    let options =
        velos_config::Options { profile: Some("dev".to_owned()), defaults: None, json_is_script: false };
    let path = PathBuf::from("/srv/velos.toml");
    let config = velos_config::load_text(&path, text, &options).unwrap_or_else(|error| panic!("{error}"));
    let mut specs: Vec<_> = config.apps.into_iter().map(|app| app.spec).collect();
    specs.iter_mut().for_each(|spec| spec.env_file.push("/x".into()));
    specs
}

#[test]
fn every_field_that_machines_read_is_described() {
    let summary = sample::instances().swap_remove(3);
    let outcome = Outcome {
        id: summary.id,
        name: summary.name.clone(),
        slot: 0,
        phase: summary.phase,
        pid: None,
        ok: false,
        unchanged: false,
        reason: Some("x".into()),
        exit: summary.exit,
        err_log: Some("x".into()),
    };
    let error = ErrorReply::new(ErrorCode::Exists, "x").hint("x");
    let outcomes = Outcomes { instances: vec![outcome], refused: vec![Refusal { name: "x".into(), error }] };
    let info = InstanceInfo {
        summary,
        spec: sample::spec(),
        created_ms: 0,
        unstable: 0,
        processes: Some(1),
        threads: Some(1),
        next_run_ms: Some(0),
        input: "/home/me/.velos/run/api-0.in".into(),
        captured_bytes: 0,
    };
    let documents = serde_json::json!([
        sample::instances(),
        sample::events(),
        sample::why(3),
        outcomes,
        info,
        sample::hello(),
        declared_with_everything(),
    ]);
    let mut seen = BTreeSet::new();
    keys(&documents, &mut seen);
    let pages =
        ["output.md", "protocol.md"].map(|page| std::fs::read_to_string(docs(page)).unwrap()).concat();
    let words: BTreeSet<&str> = pages.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let missing: Vec<&String> = seen.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "docs/output.md does not tell of {missing:?}");
}
