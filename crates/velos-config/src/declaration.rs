//! An app as a file declares it: complete but for what only the caller knows.

use velos_core::app::AppSpec;

/// One app of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// All that the file says. `script`, `program`, `argv` and `env` are still to be found out from `launch`
    /// and `variables`.
    pub spec: AppSpec,
    /// How it is started.
    pub launch: Launch,
    /// Declared variables in order of growing weight: `env_file`, `env`, profile, PORT.
    pub variables: Vec<(String, String)>,
}

/// What is executed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// Script, program or command line, as it was written.
    pub target: String,
    /// It is a command line, whatever it looks like.
    pub is_shell: bool,
    /// As it was written; "none": the script itself is executed.
    pub interpreter: Option<String>,
    /// Before the script.
    pub interpreter_args: Vec<String>,
    /// Behind it.
    pub args: Vec<String>,
    /// Node is to show places of sources.
    pub source_maps: bool,
}
