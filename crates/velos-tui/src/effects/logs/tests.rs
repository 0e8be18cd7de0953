use super::*;
use std::io::Write;
use std::sync::mpsc::{self, Receiver};

struct Log {
    folder: tempfile::TempDir,
    reader: Reader,
    receive: Receiver<Msg>,
}

impl Log {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (send, receive) = mpsc::channel();
        Self { folder, reader: Reader::new(&send), receive }
    }

    fn source(&self, generation: u64) -> LogSource {
        let path = |name| self.folder.path().join(name);
        LogSource {
            generation,
            name: "x".to_owned(),
            out: path("x-out.log"),
            err: path("x-error.log"),
            redact: true,
        }
    }

    fn append(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn next(&self) -> Msg {
        self.receive.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    fn batch(&self) -> LogBatch {
        match self.next() {
            Msg::Log(batch) => batch,
            other => panic!("{other:?}"),
        }
    }
}

fn texts(batch: &LogBatch) -> Vec<&str> {
    batch.lines.iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn the_past_then_what_comes_with_secrets_hidden() {
    let mut log = Log::new();
    log.append("x-out.log", "one\ttab\x1b[31m red\x1b[2J\n");
    log.append("x-error.log", "ERROR bad\n");
    log.reader.follow(Some(log.source(1)));
    let batch = log.batch();
    assert_eq!(texts(&batch), ["one    tab red\u{241b}[2J", "ERROR bad"]);
    let error = batch.lines.last().unwrap();
    assert_eq!((error.is_err, error.level), (true, velos_log_engine::Level::Error));
    log.append("x-out.log", "token ghp_0123456789abcdefghijABCDEFGHIJ012345\n");
    let batch = log.batch();
    assert!(texts(&batch)[0].contains("[REDACTED:"), "{batch:?}");
    assert_eq!((batch.generation, batch.hidden), (1, 1));
    log.append("x-out.log", &format!("{}\n", "x".repeat(10_000)));
    assert!(texts(&log.batch())[0].ends_with("xxx ... and 1808 bytes more"));
    // Another request ends the one before.
    log.reader.follow(Some(LogSource { redact: false, ..log.source(2) }));
    let batch = log.batch();
    assert_eq!(batch.generation, 2);
    assert!(texts(&batch).iter().any(|text| text.contains("ghp_0123")), "{batch:?}");
    log.reader.follow(None);
    // What was on its way still comes.
    while log.receive.recv_timeout(Duration::from_millis(300)).is_ok() {}
    log.append("x-out.log", "nobody reads it\n");
    assert!(log.receive.recv_timeout(Duration::from_millis(300)).is_err());
}

#[test]
fn a_log_that_comes_later() {
    let mut log = Log::new();
    log.reader.follow(Some(log.source(1)));
    // Until the thread sleeps the file may be part of the past, too.
    log.append("x-out.log", "first\n");
    assert_eq!(texts(&log.batch()), ["first"]);
}

#[test]
fn what_comes_too_fast_is_left_out() {
    let mut log = Log::new();
    log.append("x-out.log", "past\n");
    log.reader.follow(Some(log.source(1)));
    assert!(!log.batch().skipped);
    let many: String = (0..100_000).map(|n| format!("line {n}\n")).collect();
    log.append("x-out.log", &many);
    let mut last = log.batch();
    while texts(&last).last() != Some(&"line 99999") {
        last = log.batch();
    }
    assert!(last.skipped && last.lines.len() <= PAST_FAST, "{}", last.lines.len());
}

#[test]
fn a_digest_hides_secrets_before_it_makes_patterns() {
    let log = Log::new();
    log.append("x-out.log", &"key ghp_0123456789abcdefghijABCDEFGHIJ012345 used\n".repeat(3));
    log.append("x-error.log", "ERROR bad\n");
    log.reader.digest(log.source(7));
    let Msg::Digest(7, digest) = log.next() else { panic!() };
    let shown = format!("{digest:?}");
    assert!(!shown.contains("ghp_") && !shown.contains("ghijABCD") && shown.contains("REDACTED"), "{shown}");
    assert_eq!((digest.summary.lines, digest.summary.error_groups.len()), (4, 1));
}
