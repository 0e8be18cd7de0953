//! Who and where this daemon is: for `hello`, for the table and for the guardian.

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
}
