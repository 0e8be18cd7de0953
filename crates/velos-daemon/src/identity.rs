//! Who and where this daemon is: for `hello`, for children, and for the numbers it gives to processes.

use std::hash::{BuildHasher, RandomState};

use crate::home;

/// It does not change while the daemon runs.
#[derive(Debug)]
pub(crate) struct Identity {
    /// Name of our user, or the number when /etc/passwd does not tell.
    pub(crate) user: String,
    pub(crate) executable: std::path::PathBuf,
    pub(crate) boot_id: String,
}

impl Identity {
    pub(crate) fn find() -> Self {
        let uid = nix::unistd::geteuid().as_raw().to_string();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self {
            user: user_of(&passwd, &uid).unwrap_or(&uid).to_owned(),
            executable: std::env::current_exe().unwrap_or_default(),
            boot_id: home::boot_id(),
        }
    }
}

/// See passwd(5).
fn user_of<'a>(passwd: &'a str, uid: &str) -> Option<&'a str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then_some(name)
    })
}

/// Where the tokens of a new table begin: two homes on one machine must not share any, because strays are known by the
/// token in their environment. The three highest bits tell captures, trials and hooks from processes and the lower half counts.
pub(crate) fn first_token() -> u64 {
    let random = RandomState::new().hash_one(std::process::id());
    (random >> 35) << 32 | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_user() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nann:x:1000:0::/home/ann:/bin/sh\n";
        assert_eq!(user_of(passwd, "1000"), Some("ann"));
        assert_eq!(user_of(passwd, "0"), Some("root"));
        assert_eq!(user_of(passwd, "1"), None);
    }

    #[test]
    fn tokens_of_processes_leave_the_highest_bits_to_others() {
        for _ in 0..100 {
            let token = first_token();
            assert_eq!((token >> 61, token & u64::from(u32::MAX)), (0, 1));
        }
    }
}
