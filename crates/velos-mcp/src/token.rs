//! The bearer token of the HTTP server: made once, kept in a file that only its owner can read.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use velos_core::error::{ErrorCode, ErrorReply};

const BYTES: usize = 32;

/// A secret that can be compared, and is never shown.
#[derive(Clone)]
pub(crate) struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Read the file, or make it.
    pub(crate) fn at(path: &Path) -> Result<Self, ErrorReply> {
        let wrong = |why: String| {
            ErrorReply::new(ErrorCode::Refused, format!("{}: {why}", path.display()))
                .hint("remove it; the server makes a new one")
        };
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        match made {
            Ok(mut file) => {
                let mut random = [0u8; BYTES];
                let source =
                    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random));
                source.map_err(|error| wrong(error.to_string()))?;
                let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
                file.write_all(format!("{text}\n").as_bytes()).map_err(|error| wrong(error.to_string()))?;
                Ok(Self(text))
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let mut file = std::fs::OpenOptions::new()
                    .read(true)
                    .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
                    .open(path)
                    .map_err(|error| wrong(error.to_string()))?;
                let meta = file.metadata().map_err(|error| wrong(error.to_string()))?;
                if meta.mode() & 0o077 != 0 {
                    return Err(wrong(format!("others may read it (mode {:o})", meta.mode() & 0o777)));
                }
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
                let text = text.trim().to_owned();
                match text.len() >= BYTES {
                    true => Ok(Self(text)),
                    false => Err(wrong("it holds no token".to_owned())),
                }
            }
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// Takes as long for a nearly right one as for a wrong one.
    pub(crate) fn is(&self, given: &str) -> bool {
        let (own, given) = (self.0.as_bytes(), given.as_bytes());
        let mut different = u8::from(own.len() != given.len());
        for (at, byte) in own.iter().enumerate() {
            different |= byte ^ given.get(at).copied().unwrap_or(0);
        }
        std::hint::black_box(different) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_made_once_and_guarded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let token = Token::at(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(token.is(text.trim()) && Token::at(&path).unwrap().is(text.trim()));
        for wrong in ["", "x", &text.trim()[1..], &format!("{}0", text.trim())] {
            assert!(!token.is(wrong));
        }
        assert!(!format!("{token:?}").contains(text.trim()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Token::at(&path).unwrap_err().message.contains("others may read it"));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(Token::at(&path).is_err(), "a link is not followed");
    }
}
