//! What the cgroups of a home are called.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What such a name begins with.
pub const PREFIX: &str = "velos-";
/// Hexadecimal digits behind that.
pub const DIGITS: usize = 16;

/// The folder of a home, inside the cgroup of its daemon; two homes in one cgroup have two. (FNV-1a of the path.)
pub fn folder_of(home: &Path) -> String {
    let hash = home.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{PREFIX}{hash:016x}")
}

/// Whether a name is one of those.
pub fn is_folder(name: &str) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|hash| hash.len() == DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = folder_of(Path::new("/srv/.velos"));
        assert_ne!(name, folder_of(Path::new("/srv/.velos2")));
        assert!(is_folder(&name) && is_folder(&folder_of(Path::new(""))));
        for other in ["velos-daemon", "velos-api.service", "velos-0123", ""] {
            assert!(!is_folder(other), "{other}");
        }
    }
}
