//! The words between guardian and daemon, over a SOCK_SEQPACKET pair: one message a packet, with its descriptors.
//!
//! The guardian keeps duplicates of the FIFOs, so that what an app wrote before it ended is still there for the next
//! daemon, and tells the daemon how processes ended that it had to reap.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};
use serde::{Deserialize, Serialize};

/// Largest packet, bytes: a name or a path.
const PACKET_BYTES_MAX: usize = 8 * 1024;

/// Most descriptors in a packet.
const DESCRIPTORS_MAX: usize = 4;

/// One packet.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) enum Packet {
    /// Daemon: keep the descriptors that come along under these names.
    Hold(Vec<String>),
    /// Daemon: let them go.
    Release(Vec<String>),
    /// Daemon: the next exit is meant; do not start another daemon.
    Orderly,
    /// Daemon: since an upgrade it executes this binary.
    Executes(velos_core::raw_string::RawString),
    /// Guardian: an orphan ended.
    Reaped(Reaped),
}

/// A process that the guardian reaped.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Reaped {
    pub(crate) pid: i32,
    pub(crate) start_ticks: u64,
    pub(crate) exit: velos_core::instance::Exit,
}

/// Make the pair: (guardian's end, daemon's end). Both close on exec.
pub(crate) fn pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
}

/// Send one packet without waiting. `EAGAIN` when the other side does not keep up.
pub(crate) fn send(link: &OwnedFd, packet: &Packet, fds: &[RawFd]) -> nix::Result<()> {
    let Ok(bytes) = rmp_serde::to_vec_named(packet) else { return Err(nix::errno::Errno::EINVAL) };
    let rights = [ControlMessage::ScmRights(fds)];
    let control = if fds.is_empty() { &[] } else { rights.as_slice() };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(link.as_raw_fd(), &[IoSlice::new(&bytes)], control, flags, None).map(|_| ())
}

/// What came.
#[derive(Debug)]
pub(crate) enum Received {
    Packet(Packet, Vec<OwnedFd>),
    /// Not of this version: ignored.
    Unknown,
    /// The other side is gone.
    Closed,
    /// Nothing now.
    Empty,
}

/// Receive one packet without waiting.
pub(crate) fn receive(link: &OwnedFd) -> nix::Result<Received> {
    let mut bytes = [0u8; PACKET_BYTES_MAX];
    let mut control = cmsg_space!([RawFd; DESCRIPTORS_MAX]);
    let (length, fds) = {
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let message = match recvmsg::<()>(link.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Ok(message) => message,
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => return Ok(Received::Empty),
            Err(nix::errno::Errno::ECONNRESET) => return Ok(Received::Closed),
            Err(errno) => return Err(errno),
        };
        let mut arrived = Vec::new();
        for item in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = item {
                arrived.extend(fds.into_iter().filter_map(|raw| velos_ffi::process::adopt_fd(raw).ok()));
            }
        }
        (message.bytes, arrived)
    };
    if length == 0 {
        return Ok(Received::Closed);
    }
    match rmp_serde::from_slice(bytes.get(..length).unwrap_or_default()) {
        Ok(packet) => Ok(Received::Packet(packet, fds)),
        Err(_) => Ok(Received::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_and_descriptors_arrive() {
        let (ours, theirs) = pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let names = ["api-0.out".to_owned(), "api-0.err".to_owned()];
        send(&ours, &Packet::Hold(names.to_vec()), &[file.as_raw_fd(); 2]).unwrap();
        send(&ours, &Packet::Orderly, &[]).unwrap();
        assert!(matches!(
            receive(&theirs).unwrap(),
            Received::Packet(Packet::Hold(held), fds) if held == names && fds.len() == 2
        ));
        assert!(matches!(
            receive(&theirs).unwrap(),
            Received::Packet(Packet::Orderly, fds) if fds.is_empty()
        ));
        assert!(matches!(receive(&theirs).unwrap(), Received::Empty));
        drop(ours);
        assert!(matches!(receive(&theirs).unwrap(), Received::Closed));
    }
}
