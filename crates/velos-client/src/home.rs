//! Where the daemon lives, and whether the place may be trusted.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use velos_core::error::{ErrorCode, ErrorReply};

/// Longest path of a Unix socket, bytes.
const SOCKET_PATH_MAX: usize = 107;

/// `$VELOS_HOME`, or `~/.velos`.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// From the environment.
    pub fn from_environment() -> Result<Self, ErrorReply> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let path = match (variable("VELOS_HOME"), variable("HOME")) {
            (Some(path), _) => path,
            (None, Some(home)) => home.join(".velos"),
            (None, None) => {
                return Err(
                    refused("neither VELOS_HOME nor HOME is set").hint("set VELOS_HOME to a folder of yours")
                );
            }
        };
        Self::at(path)
    }

    /// This folder; it need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Result<Self, ErrorReply> {
        let path = std::path::absolute(path.into()).map_err(|error| refused(error.to_string()))?;
        let home = Self(path);
        let socket = home.socket();
        if socket.as_os_str().len() > SOCKET_PATH_MAX {
            let message = format!(
                "the socket path {} has {} bytes, at most {SOCKET_PATH_MAX} are possible",
                socket.display(),
                socket.as_os_str().len()
            );
            return Err(refused(message).hint("set VELOS_HOME to a shorter path"));
        }
        home.check()?;
        Ok(home)
    }

    /// A folder that others can write to, or that is somebody else's, is not trusted.
    fn check(&self) -> Result<(), ErrorReply> {
        let Ok(meta) = self.0.symlink_metadata() else { return Ok(()) };
        let shown = self.0.display();
        let hint = "set VELOS_HOME to a folder of yours, mode 0700";
        if meta.is_symlink() {
            return Err(
                refused(format!("{shown} is a symbolic link, which somebody else may turn")).hint(hint)
            );
        }
        if !meta.is_dir() {
            return Err(refused(format!("{shown} is not a folder")).hint(hint));
        }
        let own = nix::unistd::geteuid().as_raw();
        if meta.uid() != own {
            return Err(refused(format!("{shown} belongs to user {}, you are {own}", meta.uid())).hint(hint));
        }
        if meta.mode() & 0o022 != 0 {
            let message = format!("others may write to {shown} (mode {:o})", meta.mode() & 0o777);
            return Err(refused(message).hint(format!("run: chmod 700 {shown}")));
        }
        Ok(())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.0.join("velos.sock")
    }

    /// Locked for as long as a daemon runs.
    pub fn pid_file(&self) -> PathBuf {
        self.0.join("velos.pid")
    }

    /// What the daemon says of itself.
    pub fn daemon_log(&self) -> PathBuf {
        self.0.join("daemon.log")
    }

    /// Where logs are kept.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }
}

fn refused(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::Refused, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn refusal(path: &Path) -> String {
        let error = Home::at(path).unwrap_err();
        assert_eq!(error.code, ErrorCode::Refused);
        assert!(error.hint.is_some(), "{}", error.message);
        error.message
    }

    #[test]
    fn a_folder_that_cannot_be_trusted_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(Home::at(path("not-there-yet")).is_ok());
        std::fs::create_dir(path("good")).unwrap();
        std::fs::set_permissions(path("good"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Home::at(path("good")).is_ok());
        for mode in [0o777, 0o770, 0o702] {
            std::fs::set_permissions(path("good"), std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(refusal(&path("good")).contains("others may write"), "{mode:o}");
        }
        symlink(path("good"), path("link")).unwrap();
        assert!(refusal(&path("link")).contains("symbolic link"));
        std::fs::write(path("file"), "").unwrap();
        assert!(refusal(&path("file")).contains("not a folder"));
        if nix::unistd::geteuid().is_root() {
            std::fs::create_dir(path("other")).unwrap();
            std::os::unix::fs::chown(path("other"), Some(65_534), None).unwrap();
            assert!(refusal(&path("other")).contains("belongs to user 65534, you are 0"));
        }
    }

    #[test]
    fn a_socket_path_has_107_bytes_at_most() {
        let root = "/nonexistent/";
        let of_length =
            |length: usize| PathBuf::from(format!("{root}{}", "x".repeat(length - root.len() - 11)));
        assert!(Home::at(of_length(107)).is_ok());
        assert!(refusal(&of_length(108)).contains("has 108 bytes, at most 107"));
    }
}
