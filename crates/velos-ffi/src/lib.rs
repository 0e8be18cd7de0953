//! Safe Rust over `zig/include/velos_core.h`: tokens, bytes and error numbers.
//!
//! The only crate with `unsafe`. It knows nothing of apps; it turns the rules of the header into types: a
//! [`Reactor`] stays on its thread, a batch of [`Event`]s borrows it, errors are [`Errno`].

mod event;
mod layout;
pub mod process;
mod reactor;
mod rights;
mod spec;
mod sys;

pub use event::{Event, Exit};
pub use reactor::{Options, Reactor, abi_version, give_back_memory, now_ns, signal_mask};
pub use rights::Rights;
pub use spec::{
    CaptureSpec, CaptureStats, FileFlags, LineForm, Sample, Scope, SpawnError, SpawnSpec, Spawned, Stage,
    Stream,
};

/// A positive error number of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::io::Error::from_raw_os_error(self.0).fmt(f)
    }
}

impl std::error::Error for Errno {}

/// A result of the border: 0 or a count, or -errno.
fn check(result: i32) -> Result<i32, Errno> {
    if result < 0 { Err(Errno(-result)) } else { Ok(result) }
}
