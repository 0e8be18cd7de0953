//! Sleep until a log may have grown, or until nobody reads what we write.
//!
//! On Linux inotify wakes us: the files tell that bytes came, their folders that a file was made, renamed or removed.
//! Elsewhere we look ten times a second.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// Why [`Watcher::wait`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Look at the logs.
    Grown,
    /// Look at the logs, and at what else there is in the folders.
    FolderChanged,
    /// The reader of our output went away.
    NobodyReads,
}

pub use platform::Watcher;

#[cfg(target_os = "linux")]
mod platform {
    use super::{BorrowedFd, PathBuf, Woken, io};
    use std::collections::HashSet;
    use std::os::fd::AsFd;

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

    /// Wakes up when logs change.
    #[derive(Debug)]
    pub struct Watcher {
        inotify: Inotify,
        folders: HashSet<WatchDescriptor>,
    }

    impl Watcher {
        /// Watches nothing yet.
        pub fn new() -> io::Result<Self> {
            let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
            Ok(Self { inotify, folders: HashSet::new() })
        }

        /// Watch a log that may not exist yet. Say it again after the folder changed: another file may have the name.
        pub fn watch(&mut self, log: &std::path::Path) -> io::Result<()> {
            // The folder first: a file that is made between the two is noticed.
            let mut folder: PathBuf = log.parent().unwrap_or(std::path::Path::new(".")).to_path_buf();
            let events = AddWatchFlags::IN_CREATE
                | AddWatchFlags::IN_MOVED_FROM
                | AddWatchFlags::IN_MOVED_TO
                | AddWatchFlags::IN_DELETE
                | AddWatchFlags::IN_DELETE_SELF;
            loop {
                match self.inotify.add_watch(&folder, events) {
                    Ok(descriptor) => {
                        self.folders.insert(descriptor);
                        break;
                    }
                    // Not made yet: its parent tells when it is.
                    Err(Errno::ENOENT) if folder.pop() => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
            match self.inotify.add_watch(log, AddWatchFlags::IN_MODIFY) {
                Ok(_) | Err(Errno::ENOENT) => Ok(()),
                Err(errno) => Err(errno.into()),
            }
        }

        /// Sleep. `output` is where we write to.
        pub fn wait(&mut self, output: BorrowedFd<'_>) -> io::Result<Woken> {
            self.wait_while_all_are_open(&[output])
        }

        /// The same; nobody reads any more when any of these pipes is closed at its other end.
        pub fn wait_while_all_are_open(&mut self, pipes: &[BorrowedFd<'_>]) -> io::Result<Woken> {
            loop {
                let mut fds = vec![PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)];
                fds.extend(pipes.iter().map(|pipe| PollFd::new(*pipe, PollFlags::empty())));
                match poll(&mut fds, PollTimeout::NONE) {
                    Ok(_) => {}
                    Err(Errno::EINTR) => continue,
                    Err(errno) => return Err(errno.into()),
                }
                let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
                let is_gone = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| events.intersects(gone));
                if fds.iter().skip(1).any(is_gone) {
                    return Ok(Woken::NobodyReads);
                }
                match self.inotify.read_events() {
                    Ok(events) => {
                        let overflow = AddWatchFlags::IN_Q_OVERFLOW;
                        let of_folder = events
                            .iter()
                            .any(|event| self.folders.contains(&event.wd) || event.mask.contains(overflow));
                        return Ok(if of_folder { Woken::FolderChanged } else { Woken::Grown });
                    }
                    Err(Errno::EAGAIN | Errno::EINTR) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::{BorrowedFd, Woken, io};

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    /// How often logs are looked at, milliseconds.
    const LOOK_AGAIN_MS: u16 = 100;

    /// Wakes up when logs may have changed.
    #[derive(Debug, Default)]
    pub struct Watcher(());

    impl Watcher {
        /// Watches nothing yet.
        pub fn new() -> io::Result<Self> {
            Ok(Self::default())
        }

        /// Everything is looked at anyway.
        pub fn watch(&mut self, _log: &std::path::Path) -> io::Result<()> {
            Ok(())
        }

        /// Sleep. `output` is where we write to.
        pub fn wait(&mut self, output: BorrowedFd<'_>) -> io::Result<Woken> {
            self.wait_while_all_are_open(&[output])
        }

        /// The same; nobody reads any more when any of these pipes is closed at its other end.
        pub fn wait_while_all_are_open(&mut self, pipes: &[BorrowedFd<'_>]) -> io::Result<Woken> {
            let mut fds: Vec<_> = pipes.iter().map(|pipe| PollFd::new(*pipe, PollFlags::empty())).collect();
            match poll(&mut fds, PollTimeout::from(LOOK_AGAIN_MS)) {
                Ok(0) | Err(Errno::EINTR) => Ok(Woken::FolderChanged),
                Ok(_) => Ok(Woken::NobodyReads),
                Err(errno) => Err(errno.into()),
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn wakes_for_bytes_for_files_and_for_a_closed_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("later/x.log");
        let (reader, writer) = io::pipe().unwrap();
        let mut watcher = Watcher::new().unwrap();
        watcher.watch(&log).unwrap();
        std::fs::create_dir(folder.path().join("later")).unwrap();
        assert_eq!(watcher.wait(writer.as_fd()).unwrap(), Woken::FolderChanged);
        watcher.watch(&log).unwrap();
        let mut file = std::fs::File::create(&log).unwrap();
        assert_eq!(watcher.wait(writer.as_fd()).unwrap(), Woken::FolderChanged);
        watcher.watch(&log).unwrap();
        file.write_all(b"x\n").unwrap();
        assert_eq!(watcher.wait(writer.as_fd()).unwrap(), Woken::Grown);
        drop(reader);
        assert_eq!(watcher.wait(writer.as_fd()).unwrap(), Woken::NobodyReads);
    }
}
