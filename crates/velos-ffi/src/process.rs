//! The few process calls that the standard library and nix offer only as unsafe.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Which side of a fork we are on.
#[derive(Debug)]
pub enum Fork {
    /// The new process.
    Child,
    /// The old one, with the pid of the new one.
    Parent(i32),
}

/// Split this process. Refused when it has more than one thread, since the child would have only this one.
pub fn fork() -> io::Result<Fork> {
    if thread_count() > 1 {
        return Err(io::Error::other("fork with several threads"));
    }
    // SAFETY: with a single thread no lock can be held by a thread that the child lacks (fork(2)).
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Child => Ok(Fork::Child),
        nix::unistd::ForkResult::Parent { child } => Ok(Fork::Parent(child.as_raw())),
    }
}

/// Unknown counts as one: only Linux tells cheaply.
fn thread_count() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

/// A file that may not grow any more is an error of the write, not the end of this process. Children that the reactor
/// starts have the default again.
pub fn survive_file_size_limit() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: ignoring installs no handler, so nothing of ours runs in a signal context (signal(2)).
    let _ = unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) };
}

/// Own a descriptor that came from outside (inherited, or received over a socket).
pub fn adopt_fd(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::Error::from_raw_os_error(nix::libc::EBADF));
    }
    // SAFETY: fcntl(F_GETFD) on any number is harmless; the borrow ends before ownership begins.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    nix::fcntl::fcntl(borrowed, nix::fcntl::FcntlArg::F_GETFD)?;
    // SAFETY: the descriptor is open, and the caller was handed it: nobody else in this process closes it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A second descriptor, closed on exec, for one that the reactor owns.
pub fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the number comes from the reactor, which keeps it open during this call (header, velos_capture_fd).
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    borrowed.try_clone_to_owned()
}

/// A duplicate of a descriptor of another process, closed on exec: pidfd_getfd(2), Linux 5.6. The kernel asks for the
/// rights of a debugger.
#[cfg(target_os = "linux")]
pub fn descriptor_of(pid: i32, number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: two system calls with numbers only; each returns a fresh descriptor of ours or -1.
    let pidfd = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, pid, 0) };
    let pidfd = own(pidfd)?;
    let raw = std::os::fd::AsRawFd::as_raw_fd(&pidfd);
    // SAFETY: as above.
    own(unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_getfd, raw, number, 0) })
}

/// There is no such call elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn descriptor_of(_: i32, _: RawFd) -> io::Result<OwnedFd> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

#[cfg(target_os = "linux")]
fn own(result: nix::libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(result) {
        // SAFETY: the kernel made it for us this moment.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
