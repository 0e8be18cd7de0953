//! What the end-to-end tests share: [`TestEnv`], a home and everything started in it that is gone afterwards, also when
//! the test fails; a client on the socket that may misbehave; disks that are full or hang; and, as the binary
//! `fixture`, programs that behave badly.
//!
//! Nothing here sleeps for a fixed time: tests wait for conditions.

#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "this is test code: what cannot be done fails the test, with a word on why"
)]

pub mod cgroups;
pub mod disks;
mod env;
pub mod numbered;
pub mod processes;
pub mod sample;
pub mod tmux;
pub mod wire;

pub use env::{Output, TestEnv, run};

use std::time::{Duration, Instant};

/// Long enough for anything that should happen soon, on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(20);

/// Wait until `condition` gives something. Panics with `what` when `timeout` passes.
pub fn wait_for<T>(what: &str, timeout: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begin.elapsed() < timeout, "not within {timeout:?}: {what}");
        std::thread::sleep(pause);
        pause = Duration::from_millis(5);
    }
}

/// Wait until `condition` holds.
pub fn wait_until(what: &str, timeout: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, timeout, || condition().then_some(()));
}

/// Say aloud that a test cannot run here.
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Whether we are root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Where a program is, in the folders where tests look for programs.
pub fn program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(std::env::split_paths("/usr/sbin:/sbin:/usr/bin:/bin"));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}
