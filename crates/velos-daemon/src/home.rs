//! The daemon's folder: where everything is, and whether it may be trusted.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Longest path of a Unix socket, bytes without the final NUL (`sun_path` is 108 on Linux).
pub(crate) const SOCKET_PATH_MAX: usize = 107;

/// Why the daemon cannot use its folder.
#[derive(Debug, Error)]
pub(crate) enum HomeError {
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{} belongs to user {owner}, not to you ({own}); set VELOS_HOME to a folder of yours", path.display())]
    Owner { path: PathBuf, owner: u32, own: u32 },
    #[error("others may write to {} (mode {mode:o}); run: chmod 700 {}", path.display(), path.display())]
    Mode { path: PathBuf, mode: u32 },
    #[error("{} is not a folder; set VELOS_HOME to one", path.display())]
    NotAFolder { path: PathBuf },
    #[error(
        "the socket path {} has {} bytes, at most {SOCKET_PATH_MAX} are possible; set VELOS_HOME to a shorter path",
        path.display(), path.as_os_str().len()
    )]
    SocketPath { path: PathBuf },
}

/// Paths below `$VELOS_HOME`.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    root: PathBuf,
    /// The daemon was not detached: somebody waits for its end.
    pub(crate) is_foreground: bool,
    /// Whoever started the daemon holds a pipe whose other end is our standard input: with him it ends. It knows only
    /// what it is told itself; the list of the daemon in the background stays as it is.
    pub(crate) is_owned: bool,
}

impl Home {
    /// Make the folder and its sub-folders if needed and check that nobody else can write there.
    pub(crate) fn prepare(root: &Path) -> Result<Self, HomeError> {
        let home = Self { root: root.to_path_buf(), is_foreground: false, is_owned: false };
        make_private(root)?;
        check(root)?;
        for path in [home.logs(), home.run(), home.pids()] {
            make_private(&path)?;
            check(&path)?;
        }
        if home.socket().as_os_str().len() > SOCKET_PATH_MAX {
            return Err(HomeError::SocketPath { path: home.socket() });
        }
        Ok(home)
    }

    pub(crate) fn open(root: &Path) -> Self {
        Self { root: root.to_path_buf(), is_foreground: false, is_owned: false }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.root.join("velos.sock")
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.root.join("velos.pid")
    }

    pub(crate) fn daemon_log(&self) -> PathBuf {
        self.root.join("daemon.log")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.join(if self.is_owned { "foreground.mp" } else { "state.mp" })
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn pids(&self) -> PathBuf {
        self.root.join("pids")
    }

    /// Take turns with others that start a daemon on this home; held until the file is closed in every process.
    pub(crate) fn lock_start(&self) -> Result<File, HomeError> {
        let path = self.root.join("start.lock");
        let file = open_private(&path)?;
        match file.lock() {
            Ok(()) => Ok(file),
            Err(source) => Err(HomeError::Io { path, source }),
        }
    }

    /// Take the lock of the running daemon: `None` when one runs.
    pub(crate) fn lock_daemon(&self) -> Result<Option<File>, HomeError> {
        let path = self.pid_file();
        let file = open_private(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(HomeError::Io { path, source }),
        }
    }
}

/// Write a pid into the pid file whose lock is held.
pub(crate) fn write_pid(mut file: &File, pid: i32) -> std::io::Result<()> {
    use std::io::Seek;
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{pid}")
}

/// The boot id of this machine, or an empty string where there is none.
pub(crate) fn boot_id() -> String {
    let mut text = String::new();
    if let Ok(mut file) = File::open("/proc/sys/kernel/random/boot_id") {
        // Unreadable means unknown: compared with itself it still tells "same", which errs towards adoption by start time.
        let _ = file.read_to_string(&mut text);
    }
    text.trim().to_owned()
}

fn make_private(path: &Path) -> Result<(), HomeError> {
    match DirBuilder::new().mode(0o700).recursive(true).create(path) {
        Ok(()) => Ok(()),
        Err(_) if path.exists() && !path.is_dir() => Err(HomeError::NotAFolder { path: path.to_path_buf() }),
        Err(source) => Err(HomeError::Io { path: path.to_path_buf(), source }),
    }
}

fn check(path: &Path) -> Result<(), HomeError> {
    let io = |source| HomeError::Io { path: path.to_path_buf(), source };
    let meta = path.metadata().map_err(io)?;
    if !meta.is_dir() {
        return Err(HomeError::NotAFolder { path: path.to_path_buf() });
    }
    let own = nix::unistd::geteuid().as_raw();
    if meta.uid() != own {
        return Err(HomeError::Owner { path: path.to_path_buf(), owner: meta.uid(), own });
    }
    if meta.mode() & 0o022 != 0 {
        return Err(HomeError::Mode { path: path.to_path_buf(), mode: meta.mode() & 0o7777 });
    }
    Ok(())
}

fn open_private(path: &Path) -> Result<File, HomeError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)
        .map_err(|source| HomeError::Io { path: path.to_path_buf(), source })
}
