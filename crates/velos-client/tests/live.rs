//! The async client against a daemon that is played here.

#![cfg(feature = "async")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails there")]

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use velos_client::Home;
use velos_client::live::{AsyncClient, Missed, Ring, Update, Updates};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{Event, What};
use velos_core::frame::{self, Message};
use velos_core::instance::InstanceId;
use velos_core::live::{Kind, LogPosition, LogStream, Logs, Place, Samples, SubscribeParams, Subscribed};
use velos_core::protocol::{HelloReply, Lost, Targets, method};

struct Stage {
    _folder: tempfile::TempDir,
    home: Home,
    listener: UnixListener,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        let listener = UnixListener::bind(home.socket()).unwrap();
        Self { _folder: folder, home, listener }
    }

    /// The next client, greeted.
    async fn client(&self) -> Actor {
        let (link, _) = self.listener.accept().await.unwrap();
        let mut actor = Actor { link };
        let (id, name, _) = actor.request().await;
        assert_eq!(name, method::HELLO);
        let hello = HelloReply {
            version: 1,
            product: "0".into(),
            core_abi: 1,
            pid: 7,
            guardian_pid: 6,
            uptime_ms: 0,
            rss_bytes: 0,
            executable: Default::default(),
        };
        actor.reply(id, Ok(&hello)).await;
        actor
    }

    /// The next subscriber: what it asks for, and what it gets.
    async fn subscriber(&self, newest: u64, early: &[u64]) -> (Actor, SubscribeParams) {
        let mut actor = self.client().await;
        let params = actor.subscribed(newest, early).await;
        (actor, params)
    }
}

struct Actor {
    link: UnixStream,
}

impl Actor {
    async fn request(&mut self) -> (u32, String, Vec<u8>) {
        let length = self.link.read_u32().await.unwrap();
        let mut payload = vec![0; length as usize];
        self.link.read_exact(&mut payload).await.unwrap();
        match frame::decode(&payload).unwrap() {
            Message::Request { id, method, params } => (id, method, params),
            other => panic!("{other:?}"),
        }
    }

    async fn send(&mut self, payload: &[u8]) {
        self.link.write_u32(u32::try_from(payload.len()).unwrap()).await.unwrap();
        self.link.write_all(payload).await.unwrap();
    }

    async fn reply<T: serde::Serialize>(&mut self, id: u32, result: Result<&T, ErrorReply>) {
        let result = result.map(|value| rmp_serde::to_vec_named(value).unwrap());
        self.send(&frame::encode_reply(id, result).unwrap()).await;
    }

    async fn tell<T: serde::Serialize>(&mut self, method: &str, params: &T) {
        self.send(&frame::encode_notification(method, params).unwrap()).await;
    }

    async fn event(&mut self, sequence: u64) {
        self.tell(method::NOTIFY_EVENT, &event(sequence)).await;
    }

    async fn subscribed(&mut self, newest: u64, early: &[u64]) -> SubscribeParams {
        let (id, name, params) = self.request().await;
        assert_eq!(name, method::SUBSCRIBE);
        for sequence in early {
            self.event(*sequence).await;
        }
        let reply = Subscribed { kinds: vec![Kind::Events], newest: Some(newest), logs: Vec::new() };
        self.reply(id, Ok(&reply)).await;
        frame::params(&params).unwrap()
    }
}

fn event(sequence: u64) -> Event {
    Event { sequence, at_ms: 0, app: None, instance: None, what: What::Added }
}

fn position(from: u64, to: u64) -> Logs {
    let at = |offset| Place { segment: 1, offset };
    let log = LogPosition {
        id: InstanceId(1),
        name: "api".into(),
        slot: 0,
        stream: LogStream::Out,
        path: "/x.log".into(),
        from: at(from),
        to: at(to),
        lines: 1,
    };
    Logs { at_ms: to.cast_signed(), logs: vec![log] }
}

/// In words.
async fn next(updates: &mut Updates) -> String {
    let update = tokio::time::timeout(Duration::from_secs(10), updates.next()).await;
    match update.expect("an update in time").expect("it never ends") {
        Update::Here(_) => "here".into(),
        Update::Away(_) => "away".into(),
        Update::Event(event) => format!("event {}", event.sequence),
        Update::Samples(samples) => format!("samples {}", samples.at_ms),
        Update::Logs(logs) => {
            logs.logs.iter().map(|log| format!("log {}..{}", log.from.offset, log.to.offset)).collect()
        }
        Update::Lost(Missed { events, samples, .. }) => format!("lost {events} {samples}"),
    }
}

fn params(kinds: &[Kind]) -> SubscribeParams {
    SubscribeParams { kinds: kinds.to_vec(), ..SubscribeParams::default() }
}

#[tokio::test]
async fn events_go_on_behind_the_last_one_over_a_crash() {
    let stage = Stage::new();
    let home = stage.home.clone();
    let subscribing =
        tokio::spawn(async move { Updates::subscribe(&home, "test", params(&[Kind::Events])).await });
    let (mut daemon, asked) = stage.subscriber(10, &[]).await;
    assert_eq!(asked.since, None);
    let mut updates = subscribing.await.unwrap().unwrap();
    assert_eq!(next(&mut updates).await, "here");
    daemon.event(11).await;
    daemon.event(12).await;
    assert_eq!(next(&mut updates).await, "event 11");
    drop(daemon);
    // 12 was received whether or not it was taken out; the next daemon tells it again to who asks for it.
    let (mut daemon, asked) = stage.subscriber(14, &[12, 13, 14]).await;
    assert_eq!(asked.since, Some(12));
    for expected in ["event 12", "away", "here", "event 13", "event 14"] {
        assert_eq!(next(&mut updates).await, expected);
    }
    daemon.event(14).await;
    daemon.event(15).await;
    assert_eq!(next(&mut updates).await, "event 15", "never one twice");
}

#[tokio::test]
async fn without_an_event_it_goes_on_behind_the_newest_of_the_beginning() {
    let stage = Stage::new();
    let mut updates = Updates::subscribe_when_here(&stage.home, "test", params(&[Kind::Events]));
    drop(stage.subscriber(10, &[]).await);
    let (_daemon, asked) = stage.subscriber(11, &[11]).await;
    assert_eq!(asked.since, Some(10));
    for expected in ["here", "away", "here", "event 11"] {
        assert_eq!(next(&mut updates).await, expected);
    }
}

#[tokio::test]
async fn a_table_that_begins_anew_is_told_from_its_beginning() {
    let stage = Stage::new();
    let mut updates = Updates::subscribe_when_here(&stage.home, "test", params(&[Kind::Events]));
    drop(stage.subscriber(500, &[]).await);
    let (mut daemon, asked) = stage.subscriber(2, &[]).await;
    assert_eq!(asked.since, Some(500));
    let asked = daemon.subscribed(2, &[1, 2]).await;
    assert_eq!(asked.since, Some(0));
    for expected in ["here", "away", "here", "event 1", "event 2"] {
        assert_eq!(next(&mut updates).await, expected);
    }
}

#[tokio::test]
async fn a_reader_that_sleeps_gets_the_newest_and_a_count_of_the_rest() {
    let stage = Stage::new();
    let mut updates = Updates::subscribe_when_here(&stage.home, "test", params(&[Kind::Events]));
    let (mut daemon, _) = stage.subscriber(0, &[]).await;
    daemon.tell(method::NOTIFY_LOGS, &position(0, 5)).await;
    daemon.tell(method::NOTIFY_LOST, &Lost { count: 2, samples: 3 }).await;
    for sequence in 1..=3_000 {
        daemon.event(sequence).await;
        tokio::task::yield_now().await;
    }
    daemon.tell(method::NOTIFY_LOGS, &position(5, 9)).await;
    daemon.tell(method::NOTIFY_SAMPLES, &Samples { at_ms: 1, instances: Vec::new() }).await;
    daemon.event(3_001).await;
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last| last != "event 3001") {
        // Not before all has come.
        if seen.is_empty() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        seen.push(next(&mut updates).await);
    }
    let events = seen.iter().filter(|one| one.starts_with("event")).count() as u64;
    let lost: u64 = 2 + 3_001 - events;
    assert_eq!(seen[0], format!("lost {lost} 3"), "{:?}", &seen[..3]);
    assert!(events <= 1_024 && seen.contains(&"samples 1".to_owned()), "{events}");
    assert!(seen.contains(&"log 0..9".to_owned()), "positions join, and are never left out");
}

#[tokio::test]
async fn what_the_daemon_refuses_and_what_is_not_there() {
    let stage = Stage::new();
    let home = stage.home.clone();
    let subscribing = tokio::spawn(async move { Updates::subscribe(&home, "test", params(&[])).await });
    let mut daemon = stage.client().await;
    let (id, ..) = daemon.request().await;
    daemon.reply::<()>(id, Err(ErrorReply::new(ErrorCode::NotFound, "no process"))).await;
    assert_eq!(subscribing.await.unwrap().unwrap_err().code, ErrorCode::NotFound);
    // A daemon that does not know kinds answers as it always did.
    let home = stage.home.clone();
    let subscribing =
        tokio::spawn(async move { Updates::subscribe(&home, "test", params(&[Kind::Samples])).await });
    let mut daemon = stage.client().await;
    let (id, ..) = daemon.request().await;
    daemon.reply(id, Ok(&Subscribed::default())).await;
    let error = subscribing.await.unwrap().unwrap_err();
    assert!(error.code == ErrorCode::Version && error.hint.is_some(), "{error:?}");
    let folder = tempfile::tempdir().unwrap();
    let nobody = Home::at(folder.path()).unwrap();
    let error = Updates::subscribe(&nobody, "test", params(&[])).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NoDaemon);
    assert_eq!(AsyncClient::connect(&nobody, "test").await.unwrap_err().code, ErrorCode::NoDaemon);
}

#[tokio::test]
async fn many_calls_on_one_connection_and_one_that_is_dropped() {
    let stage = Stage::new();
    let home = stage.home.clone();
    let connecting = tokio::spawn(async move { AsyncClient::connect(&home, "test").await });
    let mut daemon = stage.client().await;
    let client = connecting.await.unwrap().unwrap();
    assert_eq!(client.hello().pid, 7);
    let calls: Vec<_> = ["first", "second", "third"]
        .map(|name| {
            let client = client.clone();
            tokio::spawn(async move { client.call::<_, String>(name, &Targets::default()).await })
        })
        .into_iter()
        .collect();
    let mut asked = Vec::new();
    for _ in 0..3 {
        let (id, name, _) = daemon.request().await;
        asked.push((id, name));
    }
    calls[1].abort();
    // Answered the other way round, each gets its own.
    for (id, name) in asked.iter().rev() {
        daemon.reply(*id, Ok(&format!("to {name}"))).await;
    }
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.ok().map(|answer| answer.unwrap()));
    }
    assert_eq!(answers[0].as_deref(), Some("to first"));
    assert_eq!(answers[2].as_deref(), Some("to third"));
    let waits = tokio::spawn({
        let client = client.clone();
        async move { client.call::<_, String>("last", &Targets::default()).await }
    });
    daemon.request().await;
    drop(daemon);
    assert!(waits.await.unwrap().unwrap_err().message.contains("went away"));
    let error = client.call::<_, String>("more", &Targets::default()).await.unwrap_err();
    assert!(error.message.contains("went away"), "{error:?}");
}

/// Any order of writing and reading: what was read and what was missed is all there was, in order, and no byte of a log
/// is left out.
#[test]
fn nothing_vanishes_whatever_the_reader_does() {
    for seed in 1..500_u64 {
        // xorshift64 (Marsaglia, 2003)
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let ring = Ring::new(1 + random(8) as usize);
        let mut context = Context::from_waker(Waker::noop());
        let (mut events, mut samples, mut at) = (0, 0, 0);
        let (mut seen_events, mut seen_samples, mut last, mut read_to) = (0, 0, 0, 0);
        let mut take = |update| match update {
            Update::Event(event) => {
                assert!(event.sequence > last, "seed {seed}");
                (seen_events, last) = (seen_events + 1, event.sequence);
            }
            Update::Samples(_) => seen_samples += 1,
            Update::Logs(logs) => {
                assert_eq!(logs.logs[0].from.offset, read_to, "seed {seed}");
                read_to = logs.logs[0].to.offset;
            }
            Update::Lost(missed) => {
                seen_events += missed.events;
                seen_samples += missed.samples;
            }
            other => panic!("{other:?}"),
        };
        for _ in 0..200 {
            match random(4) {
                0 => {
                    events += 1;
                    ring.push(Update::Event(Box::new(event(events))));
                }
                1 => {
                    samples += 1;
                    ring.push(Update::Samples(Samples { at_ms: 0, instances: Vec::new() }));
                }
                2 => {
                    let to = at + 1 + random(100);
                    ring.push(Update::Logs(position(at, to)));
                    at = to;
                }
                _ => {
                    if let Poll::Ready(Some(update)) = ring.poll(&mut context) {
                        take(update);
                    }
                }
            }
        }
        while let Poll::Ready(Some(update)) = ring.poll(&mut context) {
            take(update);
        }
        assert_eq!((seen_events, seen_samples, read_to), (events, samples, at), "seed {seed}");
    }
}
