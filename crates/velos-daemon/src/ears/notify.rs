//! `NOTIFY_SOCKET`: the datagram protocol of sd_notify(3), with the watchdog that an app can ask for.

use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::TURNS;
use crate::home::SOCKET_PATH_MAX;

/// Our end of it. The file goes with it.
#[derive(Debug)]
pub(super) struct Notify {
    socket: UnixDatagram,
    path: PathBuf,
    pub(super) watchdog: Option<Watchdog>,
}

impl Notify {
    /// Bind it, in place of the one of the run before.
    pub(super) fn bind(path: &Path, watchdog: Option<Watchdog>) -> std::io::Result<Self> {
        if path.as_os_str().len() > SOCKET_PATH_MAX {
            return Err(std::io::Error::other(format!("{} is too long for a socket", path.display())));
        }
        // Mostly there is none.
        let _ = std::fs::remove_file(path);
        let socket = UnixDatagram::bind(path)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, path: path.to_path_buf(), watchdog })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// `READY=1`, `WATCHDOG=1`, `STOPPING=1`; all else is not for us.
    pub(super) fn hear(&mut self, now_ns: u64) -> Said {
        let mut said = Said::default();
        let mut buffer = [0u8; 4096];
        for _ in 0..TURNS {
            let Ok(n) = self.socket.recv(&mut buffer) else { break };
            said.take_in(buffer.get(..n).unwrap_or_default());
        }
        if let Some(watchdog) = self.watchdog.as_mut().filter(|_| said.is_alive || said.is_ready) {
            watchdog.heard(now_ns);
        }
        said
    }

    /// The run is over; the next one binds its own.
    pub(super) fn remove(self) {
        // Gone already is as good.
        let _ = std::fs::remove_file(self.path);
    }
}

/// What datagrams say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) is_ready: bool,
    pub(super) is_alive: bool,
    pub(super) is_stopping: bool,
}

impl Said {
    fn take_in(&mut self, datagram: &[u8]) {
        for line in datagram.split(|byte| *byte == b'\n') {
            self.is_ready |= line == b"READY=1";
            self.is_alive |= line == b"WATCHDOG=1";
            self.is_stopping |= line == b"STOPPING=1";
        }
    }
}

/// How long an app may be silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watchdog {
    patience_ns: u64,
    pub(super) at_ns: u64,
}

impl Watchdog {
    pub(super) fn new(patience_ms: u64, now_ns: u64) -> Self {
        let patience_ns = patience_ms.saturating_mul(1_000_000);
        Self { patience_ns, at_ns: now_ns.saturating_add(patience_ns) }
    }

    fn heard(&mut self, now_ns: u64) {
        self.at_ns = now_ns.saturating_add(self.patience_ns);
    }

    /// What to say when it was silent for too long. It then has the same time again.
    pub(super) fn complaint(&mut self, now_ns: u64) -> Option<String> {
        if self.at_ns > now_ns {
            return None;
        }
        self.heard(now_ns);
        Some(format!("it did not say WATCHDOG=1 for {} ms", self.patience_ns / 1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications() {
        let folder = std::env::temp_dir().join(format!("velos-ears-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("s");
        let mut notify = Notify::bind(&path, Some(Watchdog::new(1, 0))).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.send_to(b"STATUS=READY=1 soon", &path).unwrap();
        assert_eq!(notify.hear(7), Said::default());
        assert_eq!(
            notify.watchdog.map(|watchdog| watchdog.at_ns),
            Some(1_000_000),
            "that is no sign of life"
        );
        client.send_to(b"STATUS=up\nREADY=1\n", &path).unwrap();
        client.send_to(b"WATCHDOG=1", &path).unwrap();
        assert_eq!(notify.hear(7), Said { is_ready: true, is_alive: true, is_stopping: false });
        assert_eq!(notify.watchdog.map(|watchdog| watchdog.at_ns), Some(1_000_007));
        client.send_to(b"STOPPING=1\n", &path).unwrap();
        assert!(notify.hear(7).is_stopping);
        notify.remove();
        assert!(!path.exists());
        assert!(Notify::bind(&folder.join("x".repeat(SOCKET_PATH_MAX)), None).is_err());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn who_is_silent_is_complained_of_once_in_each_period() {
        let mut watchdog = Watchdog::new(2, 100);
        assert_eq!(watchdog.complaint(2_000_099), None);
        let complaint = watchdog.complaint(2_000_100);
        assert_eq!(complaint.as_deref(), Some("it did not say WATCHDOG=1 for 2 ms"));
        assert_eq!(watchdog.complaint(4_000_099), None);
        assert!(watchdog.complaint(4_000_100).is_some());
    }
}
