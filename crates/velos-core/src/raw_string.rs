//! Text as the operating system has it: bytes that are usually, but not always, UTF-8.
//!
//! On the wire it is a MessagePack string when it is UTF-8 and a binary value when it is not; readers accept both.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path, an argument or an environment value: any bytes (without NUL once validated).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RawString(Vec<u8>);

impl RawString {
    /// Wrap bytes as they are.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For the standard library.
    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }

    /// As a path.
    pub fn as_path(&self) -> &Path {
        Path::new(self.as_os_str())
    }

    /// For people: invalid UTF-8 becomes U+FFFD.
    pub fn to_text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// Whether a NUL byte would end it early in a system call.
    pub fn has_nul(&self) -> bool {
        self.0.contains(&0)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for RawString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

impl From<&str> for RawString {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for RawString {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<std::ffi::OsString> for RawString {
    fn from(text: std::ffi::OsString) -> Self {
        Self(text.into_vec())
    }
}

impl From<std::path::PathBuf> for RawString {
    fn from(path: std::path::PathBuf) -> Self {
        path.into_os_string().into()
    }
}

impl From<&Path> for RawString {
    fn from(path: &Path) -> Self {
        Self(path.as_os_str().as_bytes().to_vec())
    }
}

impl Serialize for RawString {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) if serializer.is_human_readable() => serializer.serialize_str(&self.to_text()),
            Err(_) => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for RawString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = RawString;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or bytes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawString, E> {
                Ok(text.into())
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<RawString, E> {
                Ok(RawString(bytes.to_vec()))
            }
        }
        deserializer.deserialize_any(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_travels_as_text_and_other_bytes_as_binary() {
        for bytes in [b"plain".to_vec(), vec![b'a', 0xff, b'b'], Vec::new()] {
            let before = RawString::from_bytes(bytes);
            let wire = rmp_serde::to_vec(&before).unwrap();
            let after: RawString = rmp_serde::from_slice(&wire).unwrap();
            assert_eq!(before, after);
        }
        assert_eq!(serde_json::to_string(&RawString::from_bytes(vec![0xff])).unwrap(), "\"\u{fffd}\"");
    }
}
