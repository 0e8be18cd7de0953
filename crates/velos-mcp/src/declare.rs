//! What the command line does for us: it knows interpreters, files and the caller's environment.

use velos_core::app::AppSpec;
use velos_core::error::ErrorReply;

/// An app as an agent describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewApp {
    /// Script, program, or command line for a shell.
    pub command: String,
    /// Name; `None`: made of the command.
    pub name: Option<String>,
    /// Working directory; `None`: that of the server.
    pub cwd: Option<String>,
    /// Variables to set.
    pub env: Vec<(String, String)>,
    /// Number of instances; `None`: one.
    pub instances: Option<u32>,
    /// Whether it is started again when it ends; `None`: yes.
    pub autorestart: Option<bool>,
    /// Restart it when it uses more memory: "300M".
    pub max_memory: Option<String>,
}

/// What the program around the server provides.
pub trait Host: Send + Sync {
    /// The complete declaration of a new app.
    ///
    /// # Errors
    /// When there is no such script or program, or a value makes no sense.
    fn declare(&self, app: &NewApp) -> Result<AppSpec, ErrorReply>;

    /// The user's own defaults for new apps, as text; none are set: `None`.
    ///
    /// # Errors
    /// When they cannot be read.
    fn defaults(&self) -> Result<Option<String>, ErrorReply>;

    /// Set one of them, or take it out; with `dry_run` it is only checked. Gives what it was before.
    ///
    /// # Errors
    /// When there is no such key, the value makes no sense, or it cannot be written.
    fn set_default(
        &self,
        key: &str,
        value: Option<&str>,
        dry_run: bool,
    ) -> Result<Option<String>, ErrorReply>;
}
