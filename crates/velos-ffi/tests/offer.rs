//! Offering: nothing is added to what a client has not read, and the caller hears when there is room again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};

use velos_ffi::{Event, Options, Reactor, now_ns};

/// The next event of a client that is wanted.
fn wait_for(reactor: &mut Reactor, mut wanted: impl FnMut(Event<'_>) -> Option<u64>) -> u64 {
    let until = now_ns() + 10_000_000_000;
    while now_ns() < until {
        for event in reactor.wait(Some(until)).unwrap() {
            if let Some(client) = wanted(event) {
                return client;
            }
        }
    }
    panic!("not within ten seconds");
}

#[test]
fn an_offer_is_refused_while_anything_waits_to_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("s")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut reactor = Reactor::new(&Options::default()).unwrap();
    reactor.ipc_listen(listener.as_raw_fd()).unwrap();
    let mut friend = UnixStream::connect(folder.path().join("s")).unwrap();
    let client = wait_for(&mut reactor, |event| match event {
        Event::IpcOpened { client, .. } => Some(client),
        _ => None,
    });
    let frame = [7_u8; 10_000];
    let mut taken = 0;
    while reactor.ipc_offer(client, &frame).is_ok() {
        taken += 1;
        assert!(taken < 1_000, "a socket is bounded");
    }
    assert!(reactor.ipc_offer(client, b"x").is_err(), "and stays refused");
    // What must not be left out is queued all the same.
    reactor.ipc_send(client, b"reply").unwrap();
    let reading = std::thread::spawn(move || {
        let mut bytes = vec![0_u8; taken * (frame.len() + 4) + 9];
        friend.read_exact(&mut bytes).unwrap();
        assert!(bytes.ends_with(b"\0\0\0\x05reply"), "in the order in which it was taken");
        friend
    });
    let drained = wait_for(&mut reactor, |event| match event {
        Event::IpcDrained { client } => Some(client),
        _ => None,
    });
    assert_eq!(drained, client);
    let mut friend = reading.join().unwrap();
    reactor.ipc_offer(client, b"new").unwrap();
    let mut bytes = [0_u8; 7];
    friend.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"\0\0\0\x03new");
}
