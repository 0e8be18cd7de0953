//! The client against daemons that misbehave.

#![expect(clippy::unwrap_used, reason = "a test that fails here has failed")]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use velos_client::{Client, ErrorCode, ErrorReply, Home, Notice};
use velos_core::event::{Event, What};
use velos_core::frame::{self, Message};
use velos_core::protocol::{EventsParams, HelloReply, ListReply, Lost, Outcomes, Targets, method};

struct Fake {
    folder: tempfile::TempDir,
    home: Home,
    daemon: Option<JoinHandle<()>>,
}

impl Fake {
    /// A daemon that gives its connections to `script`, one after the other.
    fn daemon(script: impl FnOnce(&mut dyn FnMut() -> UnixStream) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        let listener = UnixListener::bind(home.socket()).unwrap();
        let daemon = spawn(move || script(&mut || listener.accept().unwrap().0));
        Self { folder, home, daemon: Some(daemon) }
    }

    fn connect(&self) -> Result<Option<Client>, ErrorReply> {
        Client::connect_within(&self.home, "test", Duration::from_millis(200))
    }

    fn end(mut self) {
        self.daemon.take().unwrap().join().unwrap();
        drop(self.folder);
    }
}

fn write(stream: &mut UnixStream, payload: &[u8]) {
    stream.write_all(&(payload.len() as u32).to_be_bytes()).unwrap();
    stream.write_all(payload).unwrap();
}

fn request(stream: &mut UnixStream) -> (u32, String) {
    let mut length = [0u8; 4];
    stream.read_exact(&mut length).unwrap();
    let mut payload = vec![0u8; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut payload).unwrap();
    match frame::decode(&payload).unwrap() {
        Message::Request { id, method, .. } => (id, method),
        other => panic!("{other:?}"),
    }
}

fn reply<T: serde::Serialize>(stream: &mut UnixStream, id: u32, result: &T) {
    write(stream, &frame::encode_reply(id, Ok(rmp_serde::to_vec_named(result).unwrap())).unwrap());
}

fn hello(stream: &mut UnixStream) {
    let (id, method) = request(stream);
    assert_eq!(method, method::HELLO);
    let hello = HelloReply {
        version: 1,
        product: "0.1.0".into(),
        core_abi: 1,
        pid: 1,
        guardian_pid: 2,
        uptime_ms: 0,
        rss_bytes: 0,
        executable: "/bin/velos".into(),
    };
    reply(stream, id, &hello);
}

#[test]
fn without_a_daemon_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path()).unwrap();
    assert!(Client::connect(&home, "test").unwrap().is_none(), "no socket");
    drop(UnixListener::bind(home.socket()).unwrap());
    assert!(Client::connect(&home, "test").unwrap().is_none(), "a socket left behind");
}

#[test]
fn another_version_is_an_error_with_a_hint() {
    let fake = Fake::daemon(|accept| {
        let mut stream = accept();
        let (id, _) = request(&mut stream);
        let error = ErrorReply::new(ErrorCode::Version, "this daemon speaks 7").hint("run `velos upgrade`");
        write(&mut stream, &frame::encode_reply(id, Err(error)).unwrap());
    });
    let error = fake.connect().unwrap_err();
    assert_eq!((error.code, error.hint.as_deref()), (ErrorCode::Version, Some("run `velos upgrade`")));
    fake.end();
}

#[test]
fn a_daemon_that_hangs_is_given_up() {
    let fake = Fake::daemon(|accept| {
        // Until the client gives up.
        let _ = accept().read_to_end(&mut Vec::new());
    });
    let error = fake.connect().unwrap_err();
    assert_eq!(error.code, ErrorCode::NoDaemon);
    assert!(error.message.contains("does not answer"), "{}", error.message);
    fake.end();
}

#[test]
fn one_that_leaves_is_none() {
    let fake = Fake::daemon(|accept| {
        drop(accept());
        drop(accept());
    });
    assert!(fake.connect().unwrap().is_none());
    fake.end();
}

#[test]
fn a_question_is_asked_again_when_the_daemon_dies_over_it() {
    let fake = Fake::daemon(|accept| {
        let mut first = accept();
        hello(&mut first);
        request(&mut first);
        drop(first);
        let mut second = accept();
        hello(&mut second);
        let (id, method) = request(&mut second);
        assert_eq!(method, method::LIST);
        reply(&mut second, id, &ListReply::default());
    });
    let mut client = fake.connect().unwrap().unwrap();
    let list: ListReply = client.call(method::LIST, &Targets::default()).unwrap();
    assert!(list.instances.is_empty());
    fake.end();
}

#[test]
fn a_command_is_not_given_twice() {
    let fake = Fake::daemon(|accept| {
        let mut first = accept();
        hello(&mut first);
        request(&mut first);
    });
    let mut client = fake.connect().unwrap().unwrap();
    let error = client.call::<_, Outcomes>(method::RESTART, &Targets::default()).unwrap_err();
    assert_eq!(error.message, "the daemon went away before it answered");
    assert!(error.hint.unwrap().contains("velos list"));
    fake.end();
}

#[test]
fn answers_that_make_no_sense_are_errors() {
    let nonsense: [(&str, &[u8]); 3] = [
        ("no MessagePack", &[0, 0, 0, 1, 0xc1]),
        ("4 GiB", &[0xff, 0xff, 0xff, 0xff]),
        ("half a frame", &[0, 0]),
    ];
    for (what, bytes) in nonsense {
        let fake = Fake::daemon(move |accept| {
            let mut stream = accept();
            hello(&mut stream);
            request(&mut stream);
            stream.write_all(bytes).unwrap();
        });
        let mut client = fake.connect().unwrap().unwrap();
        client.call::<_, Outcomes>(method::STOP, &Targets::default()).expect_err(what);
        fake.end();
    }
}

#[test]
fn a_subscription_brings_events_and_says_what_was_lost() {
    let event = |sequence| Event { sequence, at_ms: 0, app: None, instance: None, what: What::Added };
    let fake = Fake::daemon(move |accept| {
        let mut stream = accept();
        hello(&mut stream);
        let (id, method) = request(&mut stream);
        assert_eq!(method, method::SUBSCRIBE);
        reply(&mut stream, id, &Targets::default());
        write(&mut stream, &frame::encode_notification(method::NOTIFY_EVENT, &event(7)).unwrap());
        write(&mut stream, &frame::encode_notification("of a later version", &event(8)).unwrap());
        write(
            &mut stream,
            &frame::encode_notification(method::NOTIFY_LOST, &Lost { count: 3, samples: 0 }).unwrap(),
        );
    });
    let mut client = fake.connect().unwrap().unwrap();
    client.subscribe(&EventsParams::default()).unwrap();
    assert!(matches!(client.next_notice().unwrap(), Notice::Event(event) if event.sequence == 7));
    assert!(matches!(client.next_notice().unwrap(), Notice::Lost(3)));
    assert_eq!(client.next_notice().unwrap_err().code, ErrorCode::Failed);
    fake.end();
}
