//! Start a daemon when none runs, without polling: it says on a pipe that it listens, or why it does not.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use velos_core::error::{ErrorCode, ErrorReply};

use crate::client::Failure;
use crate::{Client, Home};

/// How long a daemon may take to say hello.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a daemon that is just leaving may make us begin again, and how long we wait then the first time. It
/// doubles, so that all in all it has half a second to be gone.
const ATTEMPTS: u32 = 9;
const PAUSE_FIRST: Duration = Duration::from_millis(1);

/// The same as [`connect_or_start`], but the daemon's hello is read with the answer to the first call, which therefore
/// costs one turn of the daemon in all.
pub fn connect_ahead(home: &Home, name: &str) -> Result<Client, ErrorReply> {
    attempt(home, true, || Client::open(home, name))
}

/// The same, where only one daemon will do: none is started.
pub fn connect_ahead_to_running(home: &Home, name: &str) -> Result<Client, ErrorReply> {
    attempt(home, false, || Client::open(home, name))
}

/// Connect, starting `velos daemon` of this very binary if needed.
pub fn connect_or_start(home: &Home, name: &str) -> Result<Client, ErrorReply> {
    attempt(home, true, || Client::greet(home, name, PATIENCE))
}

fn attempt(
    home: &Home,
    may_start: bool,
    connect: impl Fn() -> Result<Client, Failure>,
) -> Result<Client, ErrorReply> {
    for attempt in 0..ATTEMPTS {
        match connect() {
            Ok(client) => return Ok(client),
            Err(Failure::Other(error)) => return Err(error),
            Err(Failure::NoDaemon) if may_start => start(home)?,
            Err(Failure::NoDaemon) => return Err(Failure::NoDaemon.into()),
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
    command.args(["daemon", "--background"]).stdin(Stdio::null());
    // It outlives us; nobody waits for it here.
    launch(home, command).map(drop)
}

/// Start a daemon that ends when the standard input of this child is closed, which the kernel does when we end, however
/// that comes. Refused when a daemon runs already.
pub fn start_owned(home: &Home) -> Result<Child, ErrorReply> {
    let executable =
        std::env::current_exe().map_err(|error| no_daemon(home, &format!("cannot find myself: {error}")))?;
    let mut command = Command::new(&executable);
    // What is typed at our terminal is for us, and we tell it.
    command.args(["daemon", "--owned"]).stdin(Stdio::piped()).process_group(0);
    launch(home, command)
}

/// Run a command that becomes a daemon, until it says that it listens.
fn launch(home: &Home, mut command: Command) -> Result<Child, ErrorReply> {
    let program = command.get_program().to_os_string();
    let failed = |error: std::io::Error| {
        no_daemon(home, &format!("cannot run {}: {error}", std::path::Path::new(&program).display()))
    };
    let (mut ours, theirs) = std::io::pipe().map_err(failed)?;
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|errno| failed(errno.into()))?;
    for key in velos_core::app::OWN_VARIABLES {
        command.env_remove(key);
    }
    let mut child = command
        .env("VELOS_HOME", home.path())
        .env("VELOS_READY_FD", theirs.as_raw_fd().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    drop(theirs);
    let mut answer = String::new();
    ours.read_to_string(&mut answer).map_err(failed)?;
    if answer.trim() == "R" {
        return Ok(child);
    }
    // It is as good as gone.
    drop(child.stdin.take());
    Err(match answer.trim() {
        "" => no_daemon(home, "it ended without a word"),
        reason => ErrorReply::new(ErrorCode::NoDaemon, message(reason)),
    })
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
        command.args(["-c", script]).stdin(Stdio::null());
        let result = launch(&home, command).map(drop);
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
