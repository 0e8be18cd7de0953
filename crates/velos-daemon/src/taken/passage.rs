//! From a descriptor that somebody else read to the FIFO of the instance.
//!
//! Such a descriptor may be a socket, which a capture cannot look into, so its bytes are passed on into the FIFO. The next
//! run of the app writes into the FIFO itself.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use velos_core::instance::{InstanceId, Token};

/// Bytes of one read, and reads before others have their turn.
const BLOCK: usize = 64 * 1024;
const TURNS: usize = 4;

/// From a descriptor to a FIFO.
#[derive(Debug)]
pub(super) struct Passage {
    pub(super) token: Token,
    /// `out` or `err`.
    pub(super) stream: &'static str,
    source: File,
    pub(super) instance: InstanceId,
    /// Once there is one.
    fifo: Option<PathBuf>,
    sink: Option<File>,
    /// Read and not passed on.
    pending: Vec<u8>,
    /// Whether the loop tells when there is more.
    pub(super) is_watched: bool,
    pub(super) is_open: bool,
}

impl Passage {
    pub(super) fn new(
        token: Token,
        instance: InstanceId,
        stream: &'static str,
        source: OwnedFd,
    ) -> nix::Result<Self> {
        // Shared with whoever had it before, who is about to end.
        let flags = fcntl(&source, FcntlArg::F_GETFL).map_or(OFlag::empty(), OFlag::from_bits_truncate);
        fcntl(&source, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Self {
            token,
            stream,
            source: File::from(source),
            instance,
            fifo: None,
            sink: None,
            pending: Vec::new(),
            is_watched: false,
            is_open: true,
        })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.source.as_raw_fd()
    }

    /// What the guardian keeps its descriptor as.
    pub(super) fn name(&self) -> String {
        name(self.token, self.stream)
    }

    /// Whether something was read and not passed on.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn wants_fifo(&self) -> bool {
        self.fifo.is_none()
    }

    /// The FIFO is there, if it is.
    pub(super) fn lead_to(&mut self, fifo: Option<PathBuf>) {
        self.fifo = self.fifo.take().or(fifo);
    }

    /// Pass on what there is, as far as the FIFO has room.
    pub(super) fn work(&mut self) {
        let mut buffer = vec![0; BLOCK];
        for _ in 0..TURNS {
            if !self.write_out() {
                return;
            }
            match self.source.read(&mut buffer) {
                Ok(0) => {
                    self.is_open = false;
                    return;
                }
                Ok(n) => self.pending.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.is_open = false;
                    return;
                }
            }
        }
        self.write_out();
    }

    /// Whether nothing is left to write.
    fn write_out(&mut self) -> bool {
        while !self.pending.is_empty() {
            let sink = match &mut self.sink {
                Some(sink) => sink,
                None => {
                    // The writer thread makes it; a write-only end before that is refused.
                    let Some(fifo) = &self.fifo else { return false };
                    let opened = File::options()
                        .write(true)
                        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC)
                        .open(fifo);
                    let Ok(opened) = opened else { return false };
                    self.sink.insert(opened)
                }
            };
            match sink.write(&self.pending) {
                Ok(n) => drop(self.pending.drain(..n)),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                Err(_) => {
                    // Nobody reads the FIFO any more.
                    self.sink = None;
                    return false;
                }
            }
        }
        true
    }
}

/// What the guardian keeps the descriptor of a stream as while there is no daemon.
pub(super) fn name(token: Token, stream: &str) -> String {
    format!("taken-{}.{stream}", token.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn nothing_is_lost_while_the_fifo_is_full() {
        let folder = std::env::temp_dir().join(format!("velos-taken-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let fifo = folder.join("x.out");
        let (mut app, ours) = UnixStream::pair().unwrap();
        let mut passage = Passage::new(Token(1), InstanceId(0), "out", OwnedFd::from(ours)).unwrap();
        assert_eq!(passage.name(), "taken-1.out");
        passage.lead_to(Some(fifo.clone()));
        app.write_all(b"before there is a FIFO\n").unwrap();
        passage.work();
        assert!(passage.has_pending());
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut reader = File::options().read(true).write(true).open(&fifo).unwrap();
        let sent: Vec<u8> = (0..200_000u32).map(|n| b'a' + (n % 26) as u8).collect();
        let writer = std::thread::spawn({
            let sent = sent.clone();
            move || app.write_all(&sent).unwrap()
        });
        let mut expected = b"before there is a FIFO\n".to_vec();
        expected.extend(&sent);
        let mut got = Vec::new();
        while got.len() < expected.len() {
            passage.work();
            let mut buffer = vec![0; 4096];
            if nix::poll::poll(
                &mut [nix::poll::PollFd::new(
                    std::os::fd::AsFd::as_fd(&reader),
                    nix::poll::PollFlags::POLLIN,
                )],
                1u8,
            )
            .unwrap()
                > 0
            {
                let n = reader.read(&mut buffer).unwrap();
                got.extend_from_slice(&buffer[..n]);
            }
        }
        assert!(got == expected);
        writer.join().unwrap();
        passage.work();
        assert!(!passage.is_open, "the other end is gone");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
