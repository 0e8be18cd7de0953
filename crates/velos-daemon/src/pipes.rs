//! The FIFOs of a live process, found through its descriptors: when daemon and guardian ended together, nobody else is
//! left who has them.
//!
//! They have no name on any disk. Everything that we start gets them as 0, 1 and 2, open for reading and writing at once,
//! which a pipe of anybody else is not.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::libc;

/// Standard input, output and error of a session, each from its leader or else from another process in it.
pub(crate) fn of_session(leader: i32) -> [Option<OwnedFd>; 3] {
    let mut members = None;
    [0, 1, 2].map(|number| {
        open(leader, number).or_else(|| {
            // The leader closed it or put something else there; what it started may have it still.
            let members = members.get_or_insert_with(|| others_in(leader));
            members.iter().find_map(|pid| open(*pid, number))
        })
    })
}

fn open(pid: i32, number: u32) -> Option<OwnedFd> {
    let path = PathBuf::from(format!("/proc/{pid}/fd/{number}"));
    let is_pipe = std::fs::read_link(&path).ok()?.to_str()?.starts_with("pipe:");
    if !is_pipe || !has_both_ends(pid, number)? {
        return None;
    }
    let opened = OpenOptions::new().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(path);
    opened.ok().map(OwnedFd::from)
}

/// Field `flags` of proc_pid_fdinfo(5), octal.
fn has_both_ends(pid: i32, number: u32) -> Option<bool> {
    let info = std::fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}")).ok()?;
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?.trim();
    Some(i32::from_str_radix(flags, 8).ok()? & libc::O_ACCMODE == libc::O_RDWR)
}

fn others_in(leader: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_member = |pid: &i32| {
        let session = nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(*pid)));
        *pid != leader && session.is_ok_and(|session| session.as_raw() == leader)
    };
    pids.filter(is_member).collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};

    #[test]
    fn a_pipe_with_both_ends_is_found_and_an_ordinary_one_is_not() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let both = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let both = || OpenOptions::new().read(true).write(true).open(&both).unwrap();
        let mut leader = Command::new("setsid");
        // Its own output is away; what it started has ours.
        leader.args(["sh", "-c", "exec 3>&1 >/dev/null; (echo >&3; exec sleep 60) >&3 & wait"]);
        leader.stdin(Stdio::piped()).stdout(both()).stderr(Stdio::null());
        let mut child = leader.spawn().unwrap();
        let pid = child.id() as i32;
        let mut byte = [0];
        // Everything is in its place once it says so.
        both().read_exact(&mut byte).unwrap();
        let [input, output, errors] = of_session(pid);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(-pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        assert!(input.is_none() && errors.is_none());
        let mut output = std::fs::File::from(output.unwrap());
        both().write_all(b"x").unwrap();
        output.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    }
}
