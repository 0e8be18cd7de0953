//! Start a daemon when none runs, without polling: it says on a pipe that it listens, or why it does not.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use velos_core::error::{ErrorCode, ErrorReply};

use crate::{Client, Home};

/// How often a daemon that is just leaving may make us start another.
const ATTEMPTS: usize = 3;

/// Connect, starting `velos daemon` of this very binary if needed.
pub fn connect_or_start(home: &Home, name: &str) -> Result<Client, ErrorReply> {
    for _ in 0..ATTEMPTS {
        if let Some(client) = Client::connect(home, name)? {
            return Ok(client);
        }
        start(home)?;
    }
    Err(no_daemon("the daemon started and was gone again".to_owned()))
}

fn start(home: &Home) -> Result<(), ErrorReply> {
    let executable =
        std::env::current_exe().map_err(|error| no_daemon(format!("cannot find myself: {error}")))?;
    let failed = |error: std::io::Error| no_daemon(format!("cannot start {}: {error}", executable.display()));
    let (mut ours, theirs) = std::io::pipe().map_err(failed)?;
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|errno| failed(errno.into()))?;
    let child = Command::new(&executable)
        .args(["daemon", "--background"])
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
        "" => Err(no_daemon(format!(
            "it ended without a word; see {}",
            home.path().join("daemon.log").display()
        ))),
        reason => Err(no_daemon(reason.to_owned())),
    }
}

fn no_daemon(reason: String) -> ErrorReply {
    ErrorReply::new(ErrorCode::NoDaemon, format!("no daemon runs and none could be started: {reason}"))
}
