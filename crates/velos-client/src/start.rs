//! Start a daemon when none runs, without polling: it says on a pipe that it listens, or why it does not.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use velos_core::error::{ErrorCode, ErrorReply};

use crate::client::Failure;
use crate::{Client, Home};

/// How long a daemon may take to say hello.
const PATIENCE: Duration = Duration::from_secs(10);
/// What an app carries inside which we may have been called: a daemon belongs to no run, and must not end with one.
const OF_A_RUN: [&str; 4] = ["VELOS_RUN", "VELOS_ID", "VELOS_INSTANCE_ID", "VELOS_NAME"];
/// How often a daemon that is just leaving may make us begin again, and how long we wait then the first time. It
/// doubles, so that all in all it has half a second to be gone.
const ATTEMPTS: u32 = 9;
const PAUSE_FIRST: Duration = Duration::from_millis(1);

/// The same as [`connect_or_start`], but the daemon's hello is read with the answer to the first call, which therefore
/// costs one turn of the daemon in all.
pub fn connect_ahead(home: &Home, name: &str) -> Result<Client, ErrorReply> {
    attempt(home, || Client::open(home, name))
}

/// Connect, starting `velos daemon` of this very binary if needed.
pub fn connect_or_start(home: &Home, name: &str) -> Result<Client, ErrorReply> {
    attempt(home, || Client::greet(home, name, PATIENCE))
}

fn attempt(home: &Home, connect: impl Fn() -> Result<Client, Failure>) -> Result<Client, ErrorReply> {
    for attempt in 0..ATTEMPTS {
        match connect() {
            Ok(client) => return Ok(client),
            Err(Failure::Other(error)) => return Err(error),
            Err(Failure::NoDaemon) => start(home)?,
            // It took the connection, but ends: another has to follow it.
            Err(Failure::HungUp) => {}
        }
        if attempt > 0 {
            std::thread::sleep(PAUSE_FIRST.saturating_mul(1 << (attempt - 1)));
        }
    }
    Err(no_daemon(home, "it started and was gone again"))
}

fn start(home: &Home) -> Result<(), ErrorReply> {
    let executable =
        std::env::current_exe().map_err(|error| no_daemon(home, &format!("cannot find myself: {error}")))?;
    let mut command = Command::new(&executable);
    command.args(["daemon", "--background"]);
    launch(home, command)
}

/// Run a command that becomes a daemon, until it says that it listens.
fn launch(home: &Home, mut command: Command) -> Result<(), ErrorReply> {
    let program = command.get_program().to_os_string();
    let failed = |error: std::io::Error| {
        no_daemon(home, &format!("cannot run {}: {error}", std::path::Path::new(&program).display()))
    };
    let (mut ours, theirs) = std::io::pipe().map_err(failed)?;
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|errno| failed(errno.into()))?;
    for variable in OF_A_RUN {
        command.env_remove(variable);
    }
    let child = command
        .env("VELOS_HOME", home.path())
        .env("VELOS_READY_FD", theirs.as_raw_fd().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    drop(theirs);
    // It outlives us; nobody waits for it here.
    drop(child);
    let mut answer = String::new();
    ours.read_to_string(&mut answer).map_err(failed)?;
    match answer.trim() {
        "R" => Ok(()),
        "" => Err(no_daemon(home, "it ended without a word")),
        reason => Err(ErrorReply::new(ErrorCode::NoDaemon, message(reason))),
    }
}

fn message(reason: &str) -> String {
    format!("no daemon runs and none could be started: {reason}")
}

/// With its last words, if it left any.
fn no_daemon(home: &Home, reason: &str) -> ErrorReply {
    let log = home.daemon_log();
    let text = std::fs::read(&log).unwrap_or_default();
    let last = String::from_utf8_lossy(&text).trim_end().lines().next_back().map(str::to_owned);
    let said = last.map_or(String::new(), |line| format!("; its log ends with: {line}"));
    ErrorReply::new(ErrorCode::NoDaemon, message(&format!("{reason}{said}")))
        .hint(format!("see {}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch_shell(script: &str) -> (tempfile::TempDir, Result<(), ErrorReply>) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let result = launch(&home, command);
        (folder, result)
    }

    #[test]
    fn what_a_starting_daemon_says() {
        let (_folder, ready) =
            launch_shell("eval \"printf R >&$VELOS_READY_FD\"; eval \"exec $VELOS_READY_FD>&-\"; sleep 0.1");
        assert!(ready.is_ok(), "{ready:?}");
        let (_folder, refused) = launch_shell("eval \"echo the disk is full >&$VELOS_READY_FD\"");
        let message = refused.unwrap_err().message;
        assert_eq!(message, "no daemon runs and none could be started: the disk is full");
        let (_folder, silent) =
            launch_shell("echo first > $VELOS_HOME/daemon.log; echo panicked >> $VELOS_HOME/daemon.log");
        let error = silent.unwrap_err();
        assert_eq!(error.code, ErrorCode::NoDaemon);
        assert!(
            error.message.ends_with("it ended without a word; its log ends with: panicked"),
            "{}",
            error.message
        );
    }

    #[test]
    fn a_binary_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        let error = launch(&home, Command::new("/nonexistent/velos")).unwrap_err();
        assert!(error.message.contains("cannot run /nonexistent/velos"), "{}", error.message);
    }
}
