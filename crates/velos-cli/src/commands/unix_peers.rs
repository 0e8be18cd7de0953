//! Which Unix sockets are the two ends of one connection: asked of the kernel as ss(8) does, see sock_diag(7).

use std::collections::HashMap;
use std::io;

#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;

#[cfg(target_os = "linux")]
const SOCK_DIAG_BY_FAMILY: u16 = 20;
#[cfg(target_os = "linux")]
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
#[cfg(target_os = "linux")]
const UDIAG_SHOW_PEER: u32 = 4;
const UNIX_DIAG_PEER: u16 = 2;
/// Bytes of `struct nlmsghdr` and of `struct unix_diag_msg`.
const HEADER: usize = 16;
const MESSAGE: usize = 16;

/// Inode of each connected Unix socket to that of the other end.
///
/// # Errors
/// The kernel does not answer, or is not Linux.
#[cfg(target_os = "linux")]
pub(super) fn all() -> io::Result<HashMap<u64, u64>> {
    use nix::sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
    };
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkSockDiag)?;
    let mut request = Vec::with_capacity(40);
    request.extend_from_slice(&40u32.to_ne_bytes());
    request.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    request.extend_from_slice(&[0; 8]);
    // AF_UNIX, no protocol, every state, every inode, with the peer, no cookie.
    request.extend_from_slice(&[1, 0, 0, 0]);
    request.extend_from_slice(&u32::MAX.to_ne_bytes());
    request.extend_from_slice(&0u32.to_ne_bytes());
    request.extend_from_slice(&UDIAG_SHOW_PEER.to_ne_bytes());
    request.extend_from_slice(&[0xff; 8]);
    sendto(socket.as_raw_fd(), &request, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut peers = HashMap::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        if read_messages(buffer.get(..n).unwrap_or_default(), &mut peers)? {
            return Ok(peers);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn all() -> io::Result<HashMap<u64, u64>> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Whether it was the last.
fn read_messages(mut bytes: &[u8], peers: &mut HashMap<u64, u64>) -> io::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let errno = u32_at(bytes, HEADER).map_or(0, |errno| -(errno.cast_signed()));
                return Err(io::Error::from_raw_os_error(errno));
            }
            _ => {}
        }
        let length = length as usize;
        let Some(message) = bytes.get(HEADER..length) else { break };
        if let Some(inode) = u32_at(message, 4) {
            let mut rest = message.get(MESSAGE..).unwrap_or_default();
            while let (Some(size), Some(attribute)) = (u16_at(rest, 0), u16_at(rest, 2)) {
                if attribute == UNIX_DIAG_PEER
                    && let Some(peer) = u32_at(rest, 4)
                {
                    peers.insert(u64::from(inode), u64::from(peer));
                }
                rest = rest.get(aligned(usize::from(size).max(4))..).unwrap_or_default();
            }
        }
        bytes = bytes.get(aligned(length.max(HEADER))..).unwrap_or_default();
    }
    Ok(false)
}

/// Messages and attributes begin at multiples of four.
fn aligned(length: usize) -> usize {
    length.div_ceil(4) * 4
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::linux::fs::MetadataExt;

    #[test]
    fn the_ends_of_a_pair_know_each_other() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let inode = |socket: &std::os::unix::net::UnixStream| {
            std::fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().st_ino()
        };
        let peers = all().unwrap();
        assert_eq!(peers.get(&inode(&one)), Some(&inode(&other)));
        assert_eq!(peers.get(&inode(&other)), Some(&inode(&one)));
    }

    #[test]
    fn garbage_is_no_answer() {
        let mut peers = HashMap::new();
        assert!(!read_messages(&[0xff; 15], &mut peers).unwrap());
        assert!(!read_messages(&[0; 64], &mut peers).unwrap());
        assert!(read_messages(&[16, 0, 0, 0, 3, 0, 0, 0], &mut peers).unwrap());
        assert!(peers.is_empty());
    }
}
