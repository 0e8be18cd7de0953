//! The daemon: one loop thread that turns events into inputs, inputs into decisions and decisions into effects.
//!
//! Theory of operation. [`run`] prepares the home, takes the lock, binds the socket and forks once: the parent becomes
//! the [`guardian`], the child the [`control`] loop. The loop waits in the Zig reactor, decodes a batch of events,
//! feeds the pure supervisor and carries out what it wants done. It never writes a regular file: the reactor's
//! writer thread does. When the loop's process dies, the guardian forks a new one that inherits every descriptor and
//! adopts the running processes; when a new binary is to take over, the loop executes it in place.
//! `docs/architecture.md` says what each module is for, and follows a start, a crash and an upgrade through them.

mod adopt;
mod answers;
mod boot;
mod capture_paths;
mod captures;
mod cgroup;
mod clients;
mod control;
mod declaration;
mod ears;
mod effects;
mod environment;
mod exits;
mod feed;
mod following;
mod guardian;
mod handover;
mod happened;
mod health;
mod held;
mod home;
mod hooks;
mod identity;
mod interpreter;
mod journal_log;
mod leaving;
mod link;
mod live;
mod live_logs;
mod log_work;
mod messages;
mod owner;
mod packing;
mod pid_files;
mod pipes;
mod processes;
mod questions;
mod recover;
mod release;
mod rest;
mod rights;
mod saving;
mod schedule;
mod serve;
mod spawning;
mod state_file;
mod taken;
mod timers;
mod tokens;
mod trial;
mod untold;
mod update;
mod upgrade;
mod usage;
mod view;
mod watch;

use std::path::PathBuf;

/// How `velos daemon` was called.
#[derive(Debug)]
pub struct Config {
    /// `$VELOS_HOME`.
    pub home: PathBuf,
    /// Detach: own session, standard streams to `daemon.log`.
    pub background: bool,
    /// End when the other end of standard input is closed, and forget what was started.
    pub owned: bool,
}

/// Run the daemon until it is shut down. Returns the exit code of the process.
///
/// Tells its starter over the descriptor in `VELOS_READY_FD`, when that is set: one byte `R` once the socket listens,
/// or one line that says why it could not.
pub fn run(config: &Config) -> i32 {
    velos_ffi::process::survive_file_size_limit();
    boot::run(config)
}

/// The guardian's part of `velos upgrade`: go on with the table at this descriptor of the image before (`is_trial`: only see
/// whether that is possible). Returns the exit code of the process.
pub fn run_guardian(config: &Config, table: std::os::fd::RawFd, is_trial: bool) -> i32 {
    velos_ffi::process::survive_file_size_limit();
    let mut home = home::Home::open(&config.home);
    home.is_foreground = !config.background;
    home.is_owned = config.owned;
    if is_trial { guardian::try_out(&home, table) } else { guardian::resume(&home, table) }
}

/// Prove to the daemon that runs on this home that this binary can take its place (`velos upgrade`), then wait to be
/// ended by it. Returns the exit code of the process.
pub fn run_trial(home: &std::path::Path) -> i32 {
    trial::run(home)
}
