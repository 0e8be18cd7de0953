//! What one daemon process leaves to the next: descriptors by number, and after an upgrade the state itself.
//!
//! A forked successor gets it as a value; an executed one through a memfd whose number stands in `VELOS_HANDOVER_FD`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use serde::{Deserialize, Serialize};
use velos_core::event::DaemonStart;

use crate::link::Reaped;

/// Environment variable with the number of the memfd.
pub(crate) const HANDOVER_VARIABLE: &str = "VELOS_HANDOVER_FD";

/// Everything the daemon process starts with.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) how: DaemonStart,
    /// Listening socket.
    pub(crate) listener: OwnedFd,
    /// Descriptor that holds the lock on the pid file.
    pub(crate) lock: OwnedFd,
    /// Our end of the link to the guardian.
    pub(crate) link: OwnedFd,
    pub(crate) guardian_pid: i32,
    /// FIFOs by name (see `captures::fifos_of`).
    pub(crate) fifos: BTreeMap<String, OwnedFd>,
    /// Exits that the guardian saw while there was no daemon.
    pub(crate) reaped: Vec<Reaped>,
    /// Encoded state after an upgrade; otherwise it is read from disk.
    pub(crate) state: Option<Vec<u8>>,
    /// Start of the first daemon of this line, CLOCK_MONOTONIC.
    pub(crate) started_ns: u64,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    listener: RawFd,
    lock: RawFd,
    link: RawFd,
    guardian_pid: i32,
    fifos: BTreeMap<String, RawFd>,
    #[serde(with = "serde_bytes")]
    state: Vec<u8>,
    started_ns: u64,
}

const VERSION: u32 = 1;

impl Handover {
    /// Write it to a memfd and let every descriptor survive an exec. Returns the memfd.
    pub(crate) fn write_for_exec(&self) -> std::io::Result<OwnedFd> {
        let written = Written {
            version: VERSION,
            listener: self.listener.as_raw_fd(),
            lock: self.lock.as_raw_fd(),
            link: self.link.as_raw_fd(),
            guardian_pid: self.guardian_pid,
            fifos: self.fifos.iter().map(|(name, fd)| (name.clone(), fd.as_raw_fd())).collect(),
            state: self.state.clone().unwrap_or_default(),
            started_ns: self.started_ns,
        };
        let bytes = rmp_serde::to_vec_named(&written).map_err(std::io::Error::other)?;
        let memory = memory_with(&bytes)?;
        for fd in [&self.listener, &self.lock, &self.link].into_iter().chain(self.fifos.values()) {
            keep_on_exec(fd)?;
        }
        Ok(memory)
    }

    /// Undo `write_for_exec` after an exec that failed.
    pub(crate) fn close_on_exec_again(&self) {
        for fd in [&self.listener, &self.lock, &self.link].into_iter().chain(self.fifos.values()) {
            close_on_exec(fd);
        }
    }

    /// Read what the predecessor left at this descriptor number.
    pub(crate) fn read(number: RawFd) -> std::io::Result<Self> {
        let mut file = File::from(velos_ffi::process::adopt_fd(number)?);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let written: Written = rmp_serde::from_slice(&bytes).map_err(std::io::Error::other)?;
        if written.version != VERSION {
            return Err(std::io::Error::other(format!("handover of version {}", written.version)));
        }
        let take = |number: RawFd| {
            let fd = velos_ffi::process::adopt_fd(number)?;
            close_on_exec(&fd);
            Ok::<_, std::io::Error>(fd)
        };
        let mut fifos = BTreeMap::new();
        for (name, number) in written.fifos {
            fifos.insert(name, take(number)?);
        }
        Ok(Self {
            how: DaemonStart::Upgrade,
            listener: take(written.listener)?,
            lock: take(written.lock)?,
            link: take(written.link)?,
            guardian_pid: written.guardian_pid,
            fifos,
            reaped: Vec::new(),
            state: Some(written.state),
            started_ns: written.started_ns,
        })
    }

    /// Take a FIFO out, for the reactor that owns it from then on.
    pub(crate) fn take_fifo(&mut self, name: &str) -> Option<RawFd> {
        self.fifos.remove(name).map(IntoRawFd::into_raw_fd)
    }
}

/// A memfd with these bytes, to be read from its beginning by an image that is executed.
pub(crate) fn memory_with(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let memory = nix::sys::memfd::memfd_create(c"velos-handover", nix::sys::memfd::MFdFlags::empty())?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(OwnedFd::from(file))
}

/// The image that is executed inherits it.
pub(crate) fn keep_on_exec(fd: &OwnedFd) -> std::io::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

pub(crate) fn close_on_exec(fd: &OwnedFd) {
    // It fails only for a descriptor that is not open, which an OwnedFd is.
    let _ = fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
}
