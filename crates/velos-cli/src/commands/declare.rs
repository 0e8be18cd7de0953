//! From flags and a target to the declaration of an app, complete, so that the daemon looks nothing up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use velos_core::app::AppSpec;
use velos_core::error::ErrorReply;
use velos_core::name::{AppName, NAME_BYTES_MAX};
use velos_core::raw_string::RawString;

use super::{failed, usage};
use crate::args::Start;
use crate::target::{self, Wishes};

/// As many as one app may have.
const INSTANCES_MAX: u32 = 4096;

/// What all targets of one command have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) cwd: PathBuf,
    /// Something was said that only a declaration can hold.
    pub(crate) has_options: bool,
    search: String,
    interpreter_words: Vec<String>,
    declared: Vec<(RawString, RawString)>,
    instances: u32,
}

impl Shared {
    /// Check everything before anything is done.
    pub(crate) fn new(start: &Start) -> Result<Self, ErrorReply> {
        let here = super::here()?;
        let cwd = start.cwd.as_ref().map_or_else(|| here.clone(), |cwd| here.join(cwd));
        if !cwd.is_dir() {
            return Err(failed(format!("the working directory {} is not a directory", cwd.display()))
                .hint("give an existing one with --cwd"));
        }
        AppName::new(start.namespace.as_str()).map_err(|_| {
            usage(format!("{:?} is no namespace", start.namespace)).hint("the rules of app names hold")
        })?;
        let words = start.interpreter_args.iter().flat_map(|text| text.split_whitespace());
        Ok(Self {
            cwd: std::path::absolute(&cwd).unwrap_or(cwd),
            has_options: start.has_options(),
            search: std::env::var("PATH").unwrap_or_default(),
            interpreter_words: words.map(str::to_owned).collect(),
            declared: start.env.iter().map(|entry| variable(entry)).collect::<Result<_, _>>()?,
            instances: start.instances.as_deref().map_or(Ok(1), instances)?,
        })
    }
}

/// The app that a target means, and why it will hardly start, if we know.
pub(crate) fn declare(
    start: &Start,
    shared: &Shared,
    target: &str,
) -> Result<(AppSpec, Option<String>), ErrorReply> {
    let wishes = Wishes {
        cwd: &shared.cwd,
        interpreter: start.interpreter.as_deref(),
        arguments: &shared.interpreter_words,
        search: &shared.search,
        source_maps: !start.flags.disable_source_map_support,
    };
    let resolved = target::resolve(target, wishes)?;
    let name = match &start.name {
        Some(name) => name.clone(),
        None if resolved.is_command_line => name_of_command_line(target),
        None => name_of_file(&resolved.script),
    };
    let name = AppName::new(name).map_err(|error| usage(error.to_string()))?;
    let doubt = resolved.doubt.map(|doubt| format!("{}: {doubt}", resolved.program.display()));
    let mut argv = vec![RawString::from(resolved.program.clone())];
    argv.extend(resolved.leading.into_iter().map(RawString::from));
    let args: Vec<RawString> = start.args.iter().cloned().map(RawString::from).collect();
    if let Some(shell) =
        resolved.interpreter.as_deref().filter(|_| resolved.is_command_line && !args.is_empty())
    {
        // For the command line these are $1, $2, ...; this is its $0.
        argv.push(shell.into());
    }
    argv.extend(args.iter().cloned());
    let settings = super::settings::app(&shared.cwd)?;
    let mut env = environment(shared, resolved.interpreter.as_deref());
    let mut env_origin = BTreeMap::new();
    for (key, value) in settings.variables {
        let key = RawString::from(key);
        if let std::collections::btree_map::Entry::Vacant(place) = env.entry(key) {
            env_origin.insert(place.key().clone(), "your defaults".to_owned());
            place.insert(value.into());
        }
    }
    let mut env_declared: Vec<RawString> = env_origin.keys().cloned().collect();
    for (key, _) in &shared.declared {
        env_origin.remove(key);
        env_declared.push(key.clone());
    }
    env_declared.sort();
    env_declared.dedup();
    let mut app = AppSpec {
        name,
        namespace: start.namespace.clone(),
        script: resolved.script.into(),
        program: resolved.program.into(),
        found_in_path: resolved.found_in_path,
        follows_venv: resolved.follows_venv,
        env,
        interpreter: resolved.interpreter,
        argv,
        args,
        cwd: shared.cwd.clone().into(),
        env_declared,
        env_origin,
        instances: shared.instances,
        declared_in: None,
        ..settings.spec
    };
    super::amend::complete(&start.flags, &mut app, &shared.cwd)?;
    Ok((app, doubt))
}

/// `4`, `max`, `-1`.
pub(crate) fn instances(text: &str) -> Result<u32, ErrorReply> {
    let cores =
        std::thread::available_parallelism().map_or(1, |cores| i64::try_from(cores.get()).unwrap_or(1));
    let count = match (text, text.parse::<i64>()) {
        ("max", _) => cores,
        (_, Ok(number)) if number > 0 => number,
        // 0: all cores; -1: all but one.
        (_, Ok(number)) => cores.saturating_add(number).max(1),
        (_, Err(_)) => {
            return Err(usage(format!("\"{text}\" is no number of instances")).hint("give a number, or max"));
        }
    };
    u32::try_from(count).ok().filter(|count| *count <= INSTANCES_MAX).ok_or_else(|| {
        usage(format!("{count} instances are too many")).hint(format!("{INSTANCES_MAX} are the most"))
    })
}

/// The file's name without its last extension.
fn name_of_file(script: &Path) -> String {
    script.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// The line itself, as far as a name can hold it.
fn name_of_command_line(line: &str) -> String {
    let mut name = String::new();
    for c in line.trim().trim_start_matches('-').chars() {
        let c = if c == '/' || c.is_control() { ' ' } else { c };
        if name.len() + c.len_utf8() > NAME_BYTES_MAX {
            break;
        }
        if c != ' ' || !name.ends_with(' ') && !name.is_empty() {
            name.push(c);
        }
    }
    name.trim_end().to_owned()
}

/// A Python shows nothing of its output until a block is full. A shell may start one.
pub(crate) fn unbuffer(interpreter: Option<&str>, env: &mut BTreeMap<RawString, RawString>) {
    if interpreter.is_some_and(|name| name.starts_with("python") || ["sh", "bash"].contains(&name)) {
        env.entry("PYTHONUNBUFFERED".into()).or_insert_with(|| "1".into());
    }
}

/// The caller's environment, then what was declared.
fn environment(shared: &Shared, interpreter: Option<&str>) -> BTreeMap<RawString, RawString> {
    let mut env = super::from_file::callers_environment();
    unbuffer(interpreter, &mut env);
    env.extend(shared.declared.iter().cloned());
    env
}

pub(crate) fn variable(entry: &str) -> Result<(RawString, RawString), ErrorReply> {
    match entry.split_once('=').filter(|(key, _)| !key.is_empty()) {
        Some((key, value)) => Ok((key.into(), value.into())),
        None => Err(usage(format!("-e {entry:?} is no variable")).hint("write it as -e KEY=VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    use crate::args::{Arguments, Command};

    fn parse(words: &[&str]) -> Start {
        let words = ["velos", "start"].iter().chain(words);
        match Arguments::try_parse_from(words).unwrap().command {
            Some(Command::Start(start)) => start,
            other => panic!("{other:?}"),
        }
    }

    fn declared(words: &[&str]) -> Result<AppSpec, ErrorReply> {
        let start = parse(words);
        let shared = Shared::new(&start)?;
        declare(&start, &shared, &start.targets[0]).map(|(app, _)| app)
    }

    fn texts(words: &[RawString]) -> Vec<String> {
        words.iter().map(RawString::to_text).collect()
    }

    #[test]
    fn flags_become_the_declaration() {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path().to_string_lossy().into_owned();
        std::fs::write(folder.path().join("my.app.sh"), "").unwrap();
        let app = declared(&[
            "my.app.sh",
            "--cwd",
            &cwd,
            "--namespace",
            "jobs",
            "-e",
            "A=1=2",
            "-e",
            "B=",
            "--kill-timeout",
            "3s",
            "--kill-signal",
            "int",
            "--no-autorestart",
            "--max-restarts",
            "3",
            "--min-uptime",
            "500",
            "--restart-delay",
            "2s",
            "--stop-exit-codes",
            "0,42",
            "-o",
            "out.log",
            "--error",
            "/var/err.log",
            "--",
            "--port",
            "30 00",
        ])
        .unwrap();
        assert_eq!(app.name.as_str(), "my.app");
        assert_eq!(app.namespace, "jobs");
        assert_eq!(app.cwd.as_path(), folder.path());
        assert_eq!(app.env[&"A".into()], "1=2".into());
        assert_eq!(texts(&app.env_declared), ["A", "B"]);
        assert_eq!((app.stop.kill_timeout_ms, app.stop.kill_signal.0), (3_000, 2));
        let restart = &app.restart;
        assert_eq!((restart.autorestart, restart.max_restarts, restart.min_uptime_ms), (false, 3, 500));
        assert_eq!((restart.restart_delay_ms, &restart.stop_exit_codes[..]), (2_000, &[0, 42][..]));
        assert_eq!(app.logs.out.unwrap().as_path(), folder.path().join("out.log"));
        assert_eq!(app.logs.err.unwrap().as_path(), Path::new("/var/err.log"));
        assert_eq!(texts(&app.args), ["--port", "30 00"]);
        assert_eq!(texts(&app.argv[2..]), ["--port", "30 00"]);
    }

    #[test]
    fn a_command_line_gets_arguments_and_a_name() {
        let app = declared(&["echo  \"$1\"; ls /tmp", "--", "a b"]).unwrap();
        assert_eq!(app.name.as_str(), "echo \"$1\"; ls tmp");
        assert_eq!(
            texts(&app.argv[1..]),
            ["-c", "echo  \"$1\"; ls /tmp", app.interpreter.as_deref().unwrap(), "a b"]
        );
        assert_eq!(name_of_command_line(&"é ".repeat(200)).len(), NAME_BYTES_MAX);
        assert_eq!(name_of_command_line("while true; do\n\tdate\ndone"), "while true; do date done");
    }

    #[test]
    fn bad_values_are_refused_with_a_reason() {
        let cases: [(&[&str], &str); 9] = [
            (&["-e", "A"], "-e \"A\" is no variable"),
            (&["-e", "=1"], "-e \"=1\" is no variable"),
            (&["--kill-timeout", "soon"], "--kill-timeout: \"soon\" is no duration"),
            (&["--kill-signal", "SIGNONE"], "--kill-signal: \"SIGNONE\" is no signal"),
            (&["--cwd", "/nonexistent"], "the working directory /nonexistent is not a directory"),
            (&["--name", "a/b"], "holds a '/'"),
            (&["--name", ".."], "is a folder"),
            (&["--name", "all"], "means something else"),
            (&["--namespace", "\u{1b}[31m"], "is no namespace"),
        ];
        for (flags, expected) in cases {
            let words: Vec<&str> = ["sh"].iter().chain(flags).copied().collect();
            let error = declared(&words).unwrap_err();
            assert!(error.message.contains(expected), "{flags:?}: {}", error.message);
        }
        let long = "x".repeat(300);
        assert!(declared(&["sh", "--name", &long]).unwrap_err().message.contains("at most 128 bytes"));
    }

    #[test]
    fn options_are_noticed() {
        assert!(!parse(&["api"]).has_options());
        assert!(!parse(&["api", "--name", "x"]).has_options());
        for flags in
            [&["-e", "A=1"][..], &["--cwd", "/"], &["--no-autorestart"], &["--", "x"], &["--namespace", "a"]]
        {
            let words: Vec<&str> = ["api"].iter().chain(flags).copied().collect();
            assert!(parse(&words).has_options(), "{flags:?}");
        }
    }
}
