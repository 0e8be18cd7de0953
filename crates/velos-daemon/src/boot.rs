//! From a command line to a running pair of guardian and daemon.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::OnceLock;

use nix::sys::stat::{Mode, umask};
use velos_core::event::DaemonStart;
use velos_ffi::process::{Fork, adopt_fd, fork};

use crate::handover::{HANDOVER_VARIABLE, Handover};
use crate::home::{Home, HomeError};
use crate::{Config, control, guardian, link};

/// Environment variable with the descriptor on which our starter waits.
pub(crate) const READY_VARIABLE: &str = "VELOS_READY_FD";
/// Exit code of a daemon that could not even begin: the guardian does not try again.
pub(crate) const EXIT_CANNOT_BEGIN: i32 = 71;

/// Tells the starter how it went; says nothing when nobody waits.
#[derive(Debug, Default)]
pub(crate) struct Starter(Option<File>);

impl Starter {
    fn from_environment() -> Self {
        let number = std::env::var(READY_VARIABLE).ok().and_then(|text| text.parse().ok());
        Self(number.and_then(|number| adopt_fd(number).ok()).map(File::from))
    }

    /// The socket listens.
    pub(crate) fn ready(self) {
        self.tell("R");
    }

    /// It will not.
    pub(crate) fn failed(self, reason: &str) {
        self.tell(&format!("{reason}\n"));
    }

    fn tell(self, text: &str) {
        if let Some(mut file) = self.0 {
            // A starter that went away does not need to know.
            let _ = file.write_all(text.as_bytes());
        }
    }
}

pub(crate) fn run(config: &Config) -> i32 {
    raise_descriptor_limit();
    if let Some(number) = std::env::var(HANDOVER_VARIABLE).ok().and_then(|text| text.parse().ok()) {
        let mut home = Home::open(&config.home);
        home.is_foreground = !config.background;
        home.is_owned = config.owned;
        return match Handover::read(number) {
            Ok(handover) => control::run(&home, handover, Starter::default()),
            Err(error) => {
                complain(&home, &format!("cannot take over from the daemon before: {error}"));
                EXIT_CANNOT_BEGIN
            }
        };
    }
    if config.background {
        close_inherited();
    }
    let starter = Starter::from_environment();
    match begin(config) {
        Ok(Begun::RunsAlready) if config.background => {
            starter.ready();
            0
        }
        Ok(Begun::RunsAlready) => {
            let reason = format!("a daemon runs already on {}", config.home.display());
            starter.failed(&reason);
            tell_terminal(&reason);
            1
        }
        Ok(Begun::Fresh { home, listener, lock, start_lock }) => {
            split(&home, listener, lock, start_lock, starter)
        }
        Err(error) => {
            let reason = error.to_string();
            starter.failed(&reason);
            tell_terminal(&reason);
            match error {
                HomeError::Owner { .. } | HomeError::Mode { .. } => 6,
                _ => 4,
            }
        }
    }
}

/// Whatever our starter had open: a lock or a pipe of its that a daemon kept open would never be free again.
fn close_inherited() {
    let starter = std::env::var(READY_VARIABLE).ok();
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    // First all of them, so that what reads them is closed by then.
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    for name in names.iter().filter_map(|name| name.to_str()).filter(|name| Some(*name) != starter.as_deref())
    {
        if let Ok(number) = name.parse::<i32>()
            && number > 2
        {
            // Closed already, or closed here.
            drop(adopt_fd(number));
        }
    }
}

enum Begun {
    RunsAlready,
    Fresh { home: Home, listener: OwnedFd, lock: OwnedFd, start_lock: File },
}

fn begin(config: &Config) -> Result<Begun, HomeError> {
    let mut home = Home::prepare(&config.home)?;
    home.is_foreground = !config.background;
    home.is_owned = config.owned;
    let start_lock = home.lock_start()?;
    let Some(lock) = home.lock_daemon()? else { return Ok(Begun::RunsAlready) };
    if config.background {
        detach(&home)?;
    }
    let listener = bind(&home.socket())?;
    Ok(Begun::Fresh { home, listener, lock: OwnedFd::from(lock), start_lock })
}

/// The one fork: the parent guards, the child works.
fn split(home: &Home, listener: OwnedFd, lock: OwnedFd, start_lock: File, starter: Starter) -> i32 {
    let (guardian_end, daemon_end) = match link::pair() {
        Ok(ends) => ends,
        Err(errno) => {
            starter.failed(&format!("cannot make a socket pair: {errno}"));
            return EXIT_CANNOT_BEGIN;
        }
    };
    // The child must have a subreaper from its first moment.
    guardian::become_subreaper();
    let guardian_pid = nix::unistd::getpid().as_raw();
    match fork() {
        Ok(Fork::Child) => {
            drop(guardian_end);
            let handover = Handover {
                how: DaemonStart::Cold,
                listener,
                lock,
                link: daemon_end,
                guardian_pid,
                fifos: BTreeMap::new(),
                reaped: Vec::new(),
                state: None,
                started_ns: velos_ffi::now_ns(),
            };
            let code = control::run_then(home, handover, starter, || drop(start_lock));
            leave(code)
        }
        Ok(Fork::Parent(pid)) => {
            drop(starter);
            drop(start_lock);
            drop(daemon_end);
            guardian::run(home, listener, lock, guardian_end, pid)
        }
        Err(error) => {
            starter.failed(&format!("cannot fork: {error}"));
            EXIT_CANNOT_BEGIN
        }
    }
}

/// Environment variable with the soft limit of our starter, for an image that is executed after we raised it.
pub(crate) const DESCRIPTORS_VARIABLE: &str = "VELOS_DESCRIPTORS";

/// Soft and hard limit of descriptors as our starter had them, when we raised the soft one.
static STARTERS_DESCRIPTORS: OnceLock<(u64, u64)> = OnceLock::new();

/// What apps get: they are not to find another limit than in the shell they were started from.
pub(crate) fn starters_descriptors() -> Option<(u64, u64)> {
    STARTERS_DESCRIPTORS.get().copied()
}

/// Descriptors of an instance add up, in the daemon and in the guardian; the hard limit is ours to use. Inherited by all that
/// are forked or executed from here.
pub(crate) fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let told = std::env::var(DESCRIPTORS_VARIABLE).ok().and_then(|text| text.parse().ok());
    let before = told.unwrap_or(soft).min(hard);
    if before < hard {
        // Set once; a second call would find the same.
        let _ = STARTERS_DESCRIPTORS.set((before, hard));
    }
    if soft < hard {
        // With the old limit fewer apps fit; nothing else breaks.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(1 << 20), hard);
    }
}

fn bind(path: &Path) -> Result<OwnedFd, HomeError> {
    // We hold the lock, so whatever lies there belongs to nobody any more.
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(HomeError::Io { path: path.to_path_buf(), source }),
    }
    // Private from its first moment: by umask, not by a later chmod.
    let before = umask(Mode::from_bits_truncate(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    // The reactor accepts until there is nobody left to accept.
    match listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener)) {
        Ok(listener) => Ok(OwnedFd::from(listener)),
        Err(source) => Err(HomeError::Io { path: path.to_path_buf(), source }),
    }
}

/// A session of its own, no terminal, no folder kept busy, streams to the daemon's log.
fn detach(home: &Home) -> Result<(), HomeError> {
    // Fails only for a group leader, which then has a session already.
    let _ = nix::unistd::setsid();
    let path = home.daemon_log();
    let io = |path: &Path, source: std::io::Error| HomeError::Io { path: path.to_path_buf(), source };
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(&path)
        .map_err(|error| io(&path, error))?;
    let null = File::open("/dev/null").map_err(|error| io(Path::new("/dev/null"), error))?;
    nix::unistd::dup2_stdin(&null).map_err(|errno| io(Path::new("/dev/null"), errno.into()))?;
    nix::unistd::dup2_stdout(&log).map_err(|errno| io(&path, errno.into()))?;
    nix::unistd::dup2_stderr(&log).map_err(|errno| io(&path, errno.into()))?;
    std::env::set_current_dir("/").map_err(|error| io(Path::new("/"), error))
}

/// One line into the daemon's log, before or after there is a writer thread.
pub(crate) fn complain(home: &Home, text: &str) {
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(home.daemon_log());
    if let Ok(mut log) = log {
        // There is nowhere left to complain about a log that cannot be written.
        let _ = writeln!(log, "{text}");
    }
}

fn tell_terminal(reason: &str) {
    // A closed stderr is no reason to fail differently.
    let _ = writeln!(std::io::stderr(), "error: {reason}");
}

/// The end of a forked daemon: it must not return into what its parent was doing.
#[expect(clippy::exit, reason = "the one way out of a forked process")]
pub(crate) fn leave(code: i32) -> ! {
    std::process::exit(code)
}
