//! Names of apps: what people type, what files are called.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name, bytes. With `-error.<segment>.log.vix` behind it a file name stays under 255.
pub const NAME_BYTES_MAX: usize = 128;

/// A valid app name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppName(String);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing.
    #[error("an app name cannot be empty; give one with --name")]
    Empty,
    /// Too long for a file name.
    #[error(
        "an app name has at most {NAME_BYTES_MAX} bytes, this one has {0}; give a shorter one with --name"
    )]
    TooLong(usize),
    /// A path, not a name.
    #[error("the app name {0:?} holds a '/' or is a folder; give one without with --name")]
    Path(String),
    /// NUL, newline, escape and the like.
    #[error("the app name {0:?} holds a control character; give one without with --name")]
    Control(String),
    /// Means something else on the command line.
    #[error("the app name {0:?} means something else to velos; give another with --name")]
    Reserved(String),
}

impl AppName {
    /// Check and wrap.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong(text.len()));
        }
        if text.chars().any(is_unfit) {
            return Err(NameError::Control(text));
        }
        if text.contains('/') || text == "." || text == ".." {
            return Err(NameError::Path(text));
        }
        if text == "all" || text.starts_with('-') || text.starts_with("ns:") {
            return Err(NameError::Reserved(text));
        }
        Ok(Self(text))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For file names: characters outside `[A-Za-z0-9.-]` become `-`, as under PM2.
    pub fn file_stem(&self) -> String {
        let fit = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '-' };
        self.0.chars().map(fit).collect()
    }
}

/// Control characters, and those that turn text around or hide in it.
fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl TryFrom<String> for AppName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<AppName> for String {
    fn from(name: AppName) -> String {
        name.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_and_bad_names() {
        for good in ["api", "455", "my app", "ünïcode", "a.b-c_d"] {
            assert_eq!(AppName::new(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(300);
        for bad in
            ["", "a/b", "..", ".", "a\0b", "a\nb", "\x1b[31m", "all", "-x", "ns:x", "a\u{202e}b", &long]
        {
            assert!(AppName::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(AppName::new("my app_1").unwrap().file_stem(), "my-app-1");
    }
}
