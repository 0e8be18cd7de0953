//! Restarts when files change.

use serde::{Deserialize, Serialize};

use crate::raw_string::RawString;

/// Which files, and how patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchSpec {
    /// Files and folders, absolute; at least one.
    pub paths: Vec<RawString>,
    /// What is ignored in them: lines of a gitignore file. Own log and pid files are always ignored.
    pub ignore: Vec<String>,
    /// Quiet time after the last change before the restart. Milliseconds.
    pub debounce_ms: u64,
    /// Follow symbolic links to folders.
    pub follow_symlinks: bool,
    /// Look at the files in this rhythm instead of asking the kernel (network file systems). Milliseconds; 0: ask.
    pub poll_ms: u64,
}

impl Default for WatchSpec {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            ignore: vec![".*".to_owned(), "node_modules".to_owned()],
            debounce_ms: 200,
            follow_symlinks: true,
            poll_ms: 0,
        }
    }
}
