//! `velos adopt`: from a process to the declaration that would start it again.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use velos_core::app::AppSpec;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::name::AppName;
use velos_core::protocol::{AdoptParams, AdoptProcess, Outcome, Outcomes, method};
use velos_core::raw_string::RawString;

use super::select;
use crate::args::Adopt;

/// Longer than an execve(2) takes on a busy machine.
const EXECUTION_MAX: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

pub(crate) fn run(context: &super::Context, adopt: &Adopt) -> super::Result {
    let mut app = declaration(Path::new("/proc"), adopt.process, adopt.name.as_deref())?;
    let cwd = app.cwd.as_path().to_path_buf();
    super::amend::complete(&adopt.flags, &mut app, &cwd)?;
    let process = AdoptProcess { pid: adopt.process, input: None, out: None, err: None, channel: None };
    let mut client = context.daemon()?;
    let begin = select::now_us();
    let outcomes: Outcomes = client.call(method::ADOPT, &AdoptParams { app, processes: vec![process] })?;
    let code = select::tell(context, &outcomes, begin, |outcome: &Outcome| {
        format!("is watched over (PID: {})", outcome.pid.unwrap_or_default())
    })?;
    if code == 0 && !context.machine && !context.quiet {
        super::note("note: what it prints goes where it went; from its next start on it is in the logs\n");
    }
    Ok(code)
}

/// What the kernel tells of it.
fn declaration(proc: &Path, pid: i32, name: Option<&str>) -> Result<AppSpec, ErrorReply> {
    let folder = proc.join(pid.to_string());
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            ErrorReply::new(ErrorCode::NotFound, format!("there is no process {pid}"))
        }
        _ => ErrorReply::new(ErrorCode::Refused, format!("cannot look at process {pid}: {error}"))
            .hint("it must be a process of the same user"),
    };
    let words = |file: &str| -> Result<Vec<RawString>, ErrorReply> {
        let bytes = std::fs::read(folder.join(file)).map_err(cannot)?;
        let words = bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec);
        Ok(words.map(|word| RawString::from(PathBuf::from(std::ffi::OsString::from_vec(word)))).collect())
    };
    let mut argv = words("cmdline")?;
    let begin = Instant::now();
    // What has begun to execute a program has no words for a moment, and its starter has gone on already.
    while argv.len() < 2 && folder.join("exe").read_link().is_ok() && begin.elapsed() < EXECUTION_MAX {
        std::thread::sleep(LOOK_AGAIN);
        argv = words("cmdline")?;
    }
    // Each word ends in NUL, so nothing follows the last.
    argv.pop();
    let program = std::fs::read_link(folder.join("exe")).map_err(cannot)?;
    if argv.is_empty() {
        return Err(super::failed(format!("process {pid} is none of a program")));
    }
    if program.to_string_lossy().ends_with(" (deleted)") {
        return Err(super::failed(format!(
            "the program of process {pid} is not there any more: {}",
            program.display()
        ))
        .hint("it could not be started again; start the new one instead"));
    }
    let cwd = std::fs::read_link(folder.join("cwd")).map_err(cannot)?;
    let shown = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // `node app.js` is better known as app.
    let script = argv.iter().skip(1).map(RawString::to_text).find(|word| !word.starts_with('-'));
    let script = script.map(|word| cwd.join(word)).filter(|path| path.is_file());
    let stem =
        script.as_ref().and_then(|path| path.file_stem()).map(|stem| stem.to_string_lossy().into_owned());
    let name = name.map(str::to_owned).or(stem).unwrap_or_else(|| shown.clone());
    let name =
        AppName::new(name).map_err(|error| super::usage(error.to_string()).hint("give one with --name"))?;
    let env = words("environ")?.into_iter().filter_map(|entry| {
        let text = entry.to_text();
        let (key, value) = text.split_once('=')?;
        let is_own = velos_core::app::OWN_VARIABLES.contains(&key) || key == "VELOS_HOME";
        (!is_own && !key.is_empty()).then(|| (RawString::from(key), RawString::from(value)))
    });
    Ok(AppSpec {
        script: script.clone().unwrap_or_else(|| program.clone()).into(),
        interpreter: script.map(|_| shown),
        env: env.collect(),
        args: argv.iter().skip(1).cloned().collect(),
        argv,
        cwd: cwd.into(),
        ..AppSpec::new(name, program)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_just_started_is_known_whole() {
        for _ in 0..50 {
            let mut command = std::process::Command::new("sleep");
            let mut child = command.arg("100").env("MARK", "a=b").spawn().unwrap();
            let app = declaration(Path::new("/proc"), i32::try_from(child.id()).unwrap(), Some("new"));
            child.kill().unwrap();
            child.wait().unwrap();
            let app = app.unwrap();
            assert_eq!(app.args, ["100".into()]);
            assert_eq!(app.env.get(&"MARK".into()), Some(&"a=b".into()));
        }
    }

    #[test]
    fn this_process_would_be_started_again_as_it_is() {
        let pid = std::process::id() as i32;
        let app = declaration(Path::new("/proc"), pid, Some("me")).unwrap();
        assert_eq!(app.program.as_path(), std::env::current_exe().unwrap());
        assert_eq!(app.cwd.as_path(), std::env::current_dir().unwrap());
        assert_eq!(app.argv.len(), std::env::args_os().count());
        assert!(app.env.contains_key(&"PATH".into()));
        assert_eq!(declaration(Path::new("/proc"), i32::MAX, None).unwrap_err().code, ErrorCode::NotFound);
    }
}
