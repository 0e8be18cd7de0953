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
        let given = std::env::var_os("VELOS_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let path = match given {
            Some(path) => std::path::absolute(path).map_err(|error| refused(error.to_string()))?,
            None => {
                let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).ok_or_else(|| {
                    refused("neither VELOS_HOME nor HOME is set").hint("set VELOS_HOME to a folder of yours")
                })?;
                PathBuf::from(home).join(".velos")
            }
        };
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
        if meta.uid() != own && own != 0 || meta.uid() != own && meta.uid() != 0 {
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

    /// Where logs are kept.
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }
}

fn refused(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::Refused, message)
}
