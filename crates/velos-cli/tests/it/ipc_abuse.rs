//! Clients that are slow, hostile or broken: bounded memory, others unaffected, the offender is closed.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::frame::{self, Message};
use velos_core::protocol::{EventsParams, Hello, HelloReply, ListReply, Targets, method};
use velos_testkit::wire::{Wire, framed, is_hung_up};
use velos_testkit::{SOON, TestEnv, is_root, processes, run, skipped, wait_until};

use crate::env;

/// What all clients together may cost the daemon.
const CLIENTS_BYTES_MAX: u64 = 4 << 20;
/// And its heap besides: one frame under way, allocator slack in a debug build.
const SLACK_BYTES: u64 = 2 << 20;

fn with_daemon() -> TestEnv {
    let env = env();
    env.start("api", &[], &["sleep"]);
    env
}

/// The daemon is the one it was, and answers somebody else.
#[track_caller]
fn unharmed(env: &TestEnv, before: &HelloReply) {
    let now = env.hello();
    assert_eq!(now.pid, before.pid, "the daemon died");
    assert_eq!(env.list().len(), 1);
}

#[test]
fn lengths_that_are_lies() {
    let env = with_daemon();
    let before = env.hello();
    for length in [u32::MAX, 0x8000_0000, (16 << 20) + 1, 0] {
        let mut stream = Wire::silent(env.home());
        stream.write_all(&length.to_be_bytes()).unwrap();
        // The daemon may hang up while we still talk.
        let _ = stream.write_all(&[0x93; 4096]);
        assert!(is_hung_up(&mut stream, SOON), "length {length}");
    }
    unharmed(&env, &before);
    let grown = processes::rss_bytes(before.pid).saturating_sub(before.rss_bytes);
    assert!(grown < SLACK_BYTES, "{grown} bytes for lengths alone");
}

#[test]
fn garbage_and_depth_bombs() {
    let env = with_daemon();
    let before = env.hello();
    let mut bomb = vec![0x94, 0x00, 0x01, 0xa4, b'l', b'i', b's', b't'];
    bomb.extend(std::iter::repeat_n(0x91, 100_000));
    bomb.push(0xc0);
    let wide = [0x94, 0x00, 0x01, 0xa4, b'l', b'i', b's', b't', 0xdd, 0xff, 0xff, 0xff, 0xff];
    let payloads: [&[u8]; 6] = [
        &bomb,
        &wide,
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xc1; 100],
        &[0x93],
        &[0x94, 0x07, 0x01, 0xa1, b'x', 0x80],
    ];
    for payload in payloads {
        let mut stream = Wire::silent(env.home());
        stream.write_all(&framed(payload)).unwrap();
        assert!(is_hung_up(&mut stream, SOON), "{:02x?}", &payload[..payload.len().min(16)]);
    }
    // Also after a hello, and bytes that are not even a frame.
    let mut wire = env.wire();
    wire.stream.write_all(&framed(&bomb)).unwrap();
    assert!(is_hung_up(&mut wire.stream, SOON));
    let mut stream = Wire::silent(env.home());
    let noise = velos_testkit::numbered::burst(1 << 20);
    // It hangs up in the middle of it.
    let _ = stream.write_all(&noise);
    assert!(is_hung_up(&mut stream, SOON));
    unharmed(&env, &before);
}

#[test]
fn half_a_frame_is_not_waited_for_for_ever() {
    let env = with_daemon();
    let before = env.hello();
    let begin = Instant::now();
    let mut half = Wire::silent(env.home());
    half.write_all(&100u32.to_be_bytes()).unwrap();
    half.write_all(&[0x94; 10]).unwrap();
    let mut length = Wire::silent(env.home());
    length.write_all(&[0, 0]).unwrap();
    // One byte at a time is no way around it.
    let mut trickle = env.wire().stream;
    trickle.write_all(&10_000u32.to_be_bytes()).unwrap();
    let trickler = std::thread::spawn(move || {
        while trickle.write_all(&[0x94]).is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
        begin.elapsed()
    });
    unharmed(&env, &before);
    assert!(is_hung_up(&mut half, SOON) && is_hung_up(&mut length, SOON));
    let waited = begin.elapsed();
    assert!(
        waited > Duration::from_secs(9) && waited < Duration::from_secs(14),
        "documented: 10 s; it took {waited:?}; daemon {} was {}: {}",
        env.hello().pid,
        before.pid,
        std::fs::read_to_string(env.home().join("daemon.log")).unwrap_or_default()
    );
    let waited = trickler.join().unwrap();
    assert!(waited < Duration::from_secs(14), "{waited:?}");
    unharmed(&env, &before);
}

#[test]
fn a_thousand_idle_clients() {
    let Ok((_, hard)) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE) else {
        return;
    };
    if hard < 2_500
        || nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard.min(8_192), hard)
            .is_err()
    {
        return skipped(&format!("a thousand connections need more than {hard} descriptors"));
    }
    let env = with_daemon();
    let before = env.hello();
    let idle: Vec<UnixStream> = (0..500).map(|_| Wire::silent(env.home())).collect();
    let greeted: Vec<Wire> = (0..500).map(|_| env.wire()).collect();
    let list = env.run(&["list"]).ok();
    assert!(list.elapsed < Duration::from_secs(2), "{:?}", list.elapsed);
    let grown = processes::rss_bytes(before.pid).saturating_sub(before.rss_bytes);
    assert!(grown < CLIENTS_BYTES_MAX, "{grown} bytes for a thousand clients");
    drop((idle, greeted));
    wait_until("the descriptors are free again", SOON, || processes::descriptors(before.pid) < 100);
    unharmed(&env, &before);
}

#[test]
fn more_clients_than_there_is_room_for() {
    let Ok((_, hard)) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE) else {
        return;
    };
    if hard < 2_500
        || nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard.min(8_192), hard)
            .is_err()
    {
        return skipped(&format!("1,300 connections need more than {hard} descriptors"));
    }
    let env = with_daemon();
    let before = env.hello();
    let mut friend = env.wire();
    let crowd: Vec<UnixStream> = (0..1_300).map(|_| Wire::silent(env.home())).collect();
    let list: ListReply = friend.call(method::LIST, &Targets::default()).unwrap();
    assert_eq!(list.instances.len(), 1, "who was there first is served");
    drop(crowd);
    wait_until("there is room again", SOON, || Wire::try_greeted(env.home()).is_some());
    unharmed(&env, &before);
}

#[test]
fn a_client_that_asks_and_never_reads() {
    let env = with_daemon();
    let before = env.hello();
    let mut greedy = env.wire();
    greedy.stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    let request = framed(&frame::encode_request(9, method::EVENTS, &EventsParams::default()).unwrap());
    let mut most = 0;
    for round in 0..200_000 {
        if greedy.stream.write_all(&request).is_err() {
            break;
        }
        if round % 500 == 0 {
            most = most.max(processes::rss_bytes(before.pid));
        }
    }
    most = most.max(processes::rss_bytes(before.pid));
    let grown = most.saturating_sub(before.rss_bytes);
    assert!(grown < CLIENTS_BYTES_MAX + SLACK_BYTES, "{grown} bytes for one client that does not read");
    assert!(is_hung_up(&mut greedy.stream, SOON), "a reply is not dropped silently: the connection ends");
    unharmed(&env, &before);
}

#[test]
fn a_subscriber_that_never_reads_is_told_what_it_missed() {
    let env = env();
    env.start("api", &["--kill-timeout", "100ms"], &["sleep"]);
    let before = env.hello();
    let mut lazy = env.wire();
    lazy.send(method::SUBSCRIBE, &EventsParams::default());
    // Its socket and its queue are full after some thousand events; those come from a quick app.
    let mut driver = env.wire();
    let newest = |wire: &mut Wire| {
        let params = EventsParams { limit: 1, ..EventsParams::default() };
        wire.call::<_, velos_core::protocol::EventsReply>(method::EVENTS, &params).unwrap().newest
    };
    let first = newest(&mut driver);
    let stop = Targets { targets: vec!["api".to_owned()] };
    let begin = Instant::now();
    while newest(&mut driver) < first + 3_000 && begin.elapsed() < Duration::from_secs(20) {
        for _ in 0..50 {
            driver.call::<_, velos_core::protocol::Outcomes>(method::RESTART, &stop).unwrap();
        }
    }
    let events = newest(&mut driver) - first;
    let grown = processes::rss_bytes(before.pid).saturating_sub(before.rss_bytes);
    assert!(grown < CLIENTS_BYTES_MAX + SLACK_BYTES, "{grown} bytes after {events} events");
    // When it reads after all it gets every event or a count of those it missed.
    let (mut got, mut lost) = (0, 0);
    while got + lost < events {
        let Some(Message::Notification { method, params }) = lazy.message() else { continue };
        match method.as_str() {
            method::NOTIFY_EVENT => got += 1,
            method::NOTIFY_LOST => {
                lost += frame::params::<velos_core::protocol::Lost>(&params).unwrap().count
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(got + lost, events);
    unharmed(&env, &before);
}

#[test]
fn what_is_no_conversation() {
    let env = with_daemon();
    let before = env.hello();
    // Not hello first.
    let mut stream = Wire::silent(env.home());
    stream.write_all(&framed(&frame::encode_request(1, method::LIST, &Targets::default()).unwrap())).unwrap();
    assert_eq!(refusal(&mut stream).code, ErrorCode::Usage);
    // Versions we do not speak.
    for (version, oldest) in [(99, 99), (0, 0)] {
        let mut stream = Wire::silent(env.home());
        let hello = Hello { version, oldest, client: "test".to_owned() };
        stream.write_all(&framed(&frame::encode_request(1, method::HELLO, &hello).unwrap())).unwrap();
        let error = refusal(&mut stream);
        assert_eq!(error.code, ErrorCode::Version);
        assert!(error.hint.is_some_and(|hint| hint.contains("velos upgrade")));
    }
    // A newer client that still speaks ours.
    let mut stream = Wire::silent(env.home());
    let hello = Hello { version: 99, oldest: 1, client: "test".to_owned() };
    stream.write_all(&framed(&frame::encode_request(1, method::HELLO, &hello).unwrap())).unwrap();
    assert!(reply(&mut stream).is_ok());
    // Unknown methods and params of another shape are answered; the connection goes on.
    let mut wire = env.wire();
    let error = wire.call::<_, ListReply>("system.multicall", &Targets::default()).unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    let error = wire.call::<_, ListReply>(method::STOP, &"text").unwrap_err();
    assert_eq!(error.code, ErrorCode::Usage);
    let error = wire.call::<_, ListReply>(method::STOP, &Targets::default()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Usage);
    let list: ListReply =
        wire.call(method::LIST, &serde_json::json!({ "a field of the future": 1 })).unwrap();
    assert_eq!(list.instances.len(), 1);
    unharmed(&env, &before);
}

fn reply(stream: &mut UnixStream) -> Result<Vec<u8>, ErrorReply> {
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut length = [0u8; 4];
    stream.read_exact(&mut length).unwrap();
    let mut payload = vec![0u8; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut payload).unwrap();
    match frame::decode(&payload).unwrap() {
        Message::Reply { result, .. } => result,
        other => panic!("{other:?}"),
    }
}

fn refusal(stream: &mut UnixStream) -> ErrorReply {
    reply(stream).unwrap_err()
}

#[test]
fn hanging_up_in_the_middle_of_a_request_does_what_was_asked() {
    let env = with_daemon();
    let pid = env.pid("api");
    let mut wire = env.wire();
    wire.send(method::STOP, &Targets { targets: vec!["api".to_owned()] });
    drop(wire);
    wait_until("it is stopped", SOON, || !processes::is_alive(pid));
}

#[test]
fn a_daemon_of_another_version() {
    let env = env();
    std::fs::create_dir(env.home()).unwrap();
    std::fs::set_permissions(env.home(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(env.home().join("velos.sock")).unwrap();
    let answers: [fn() -> Vec<u8>; 3] = [
        || {
            let error = ErrorReply::new(
                ErrorCode::Version,
                "the client speaks protocol 1 to 1, this daemon (9.0) speaks 7 to 9",
            )
            .hint("swap the daemon's binary with `velos upgrade`; nothing stops");
            frame::encode_reply(1, Err(error)).unwrap()
        },
        // A map where none of the fields is known.
        || frame::encode_reply(1, Ok(vec![0x81, 0xa1, b'x', 0x01])).unwrap(),
        || b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ];
    let daemon = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut length = [0u8; 4];
            stream.read_exact(&mut length).unwrap();
            let mut request = vec![0u8; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(&framed(&answer())).unwrap();
            assert!(is_hung_up(&mut stream, SOON), "the client leaves");
        }
    });
    env.run(&["list"]).fails(1, &["speaks 7 to 9", "velos upgrade"]);
    env.run(&["list"]).fails(1, &["cannot be read", "another version"]);
    env.run(&["list"]).fails(1, &["cannot be read", "another version"]);
    daemon.join().unwrap();
    assert!(!env.home().join("velos.pid").exists(), "no second daemon was started beside it");
}

#[test]
fn another_user_is_not_heard() {
    let env = with_daemon();
    if !is_root() || velos_testkit::program("setpriv").is_none() {
        return skipped("being another user needs root and setpriv");
    }
    let socket = env.home().join("velos.sock");
    let connect = |env: &TestEnv| {
        let mut command = std::process::Command::new("setpriv");
        command
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", env.fixture(), "connect"])
            .arg(&socket);
        run(command).stdout
    };
    assert_eq!(connect(&env), "refused\n");
    // Even with the doors open the daemon looks who it is.
    let open = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    open(env.home(), 0o711);
    open(&socket, 0o666);
    assert_eq!(connect(&env), "hung up\n");
    open(env.home(), 0o700);
    assert_eq!(env.list().len(), 1);
}
