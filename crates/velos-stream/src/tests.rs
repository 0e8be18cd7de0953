//! Followed logs on a disk, without a daemon.

use std::io::Write;
use std::path::{Path, PathBuf};

use velos_core::instance::InstanceId;
use velos_core::live::{LogPosition, LogStream, Place};

use crate::logs::{Logs, Read};

struct Disk {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Disk {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api-out.log");
        std::fs::write(&path, text).unwrap();
        Self { _folder: folder, path }
    }

    fn append(&self, text: &str) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&self.path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rotate(&self, number: u32) {
        std::fs::rename(&self.path, self.path.with_file_name(format!("api-out.{number}.log"))).unwrap();
    }
}

fn position(path: &Path, id: u32, from: u64, to: u64) -> LogPosition {
    let at = |offset| Place { segment: 1, offset };
    let (name, stream) = ("api".into(), LogStream::Out);
    let path = path.to_path_buf().into();
    LogPosition { id: InstanceId(id), name, slot: 0, stream, path, from: at(from), to: at(to), lines: 1 }
}

async fn read(logs: &mut Logs) -> Vec<String> {
    let mut seen = Vec::new();
    while logs.has_more() {
        for read in logs.read_next().await {
            seen.push(match read {
                Read::Line(line) => String::from_utf8(line.bytes).unwrap(),
                Read::Failed(error) => format!("failed: {}", error.message),
            });
        }
    }
    seen
}

#[tokio::test]
async fn lines_from_where_the_daemon_said_over_rotation_and_a_new_daemon() {
    let disk = Disk::new("old\n");
    let mut logs = Logs::new(0);
    logs.here(vec![position(&disk.path, 1, 4, 4)]);
    disk.append("one\n");
    logs.grown(vec![position(&disk.path, 1, 4, 8)]);
    assert_eq!(read(&mut logs).await, ["one"]);
    disk.append("two\n");
    disk.rotate(1);
    disk.append("three\n");
    // Another daemon, which knows nothing of what was told.
    logs.here(vec![position(&disk.path, 1, 6, 6)]);
    assert_eq!(read(&mut logs).await, ["two", "three"]);
    logs.grown(vec![position(&disk.path, 1, 0, 6), position(&disk.path, 1, 0, 6)]);
    assert!(read(&mut logs).await.is_empty(), "nothing twice");
}

#[tokio::test]
async fn a_log_that_is_new_is_read_from_where_it_began() {
    let disk = Disk::new("of another life\n");
    let mut logs = Logs::new(0);
    logs.here(Vec::new());
    disk.append("first\n");
    logs.grown(vec![position(&disk.path, 1, 16, 22)]);
    assert_eq!(read(&mut logs).await, ["first"]);
}

#[tokio::test]
async fn the_end_of_what_is_there_on_demand() {
    let disk = Disk::new("one\ntwo\nthree\n");
    let mut logs = Logs::new(2);
    logs.here(vec![position(&disk.path, 1, 0, 0)]);
    assert_eq!(read(&mut logs).await, ["two", "three"]);
    logs.here(vec![position(&disk.path, 1, 0, 0)]);
    assert!(read(&mut logs).await.is_empty(), "once");
}

#[tokio::test]
async fn a_log_is_let_go_with_the_last_who_writes_to_it() {
    let disk = Disk::new("");
    let mut logs = Logs::new(0);
    logs.here(vec![position(&disk.path, 1, 0, 0), position(&disk.path, 2, 0, 0)]);
    logs.deleted(InstanceId(1));
    disk.append("one\n");
    logs.grown(vec![position(&disk.path, 2, 0, 4)]);
    assert_eq!(read(&mut logs).await, ["one"]);
    disk.append("last\n");
    logs.deleted(InstanceId(2));
    assert_eq!(read(&mut logs).await, ["last"]);
    disk.append("not ours\n");
    logs.here(Vec::new());
    assert!(read(&mut logs).await.is_empty());
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_told_once() {
    let disk = Disk::new("");
    let folder = disk.path.with_file_name("a-folder.log");
    std::fs::create_dir(&folder).unwrap();
    let mut logs = Logs::new(0);
    for round in 0..2 {
        logs.grown(vec![position(&folder, 1, 0, 4), position(&disk.path, 2, 0, 0)]);
        let seen = read(&mut logs).await;
        assert_eq!(seen.len(), 1 - round, "{seen:?}");
        assert!(seen.iter().all(|line| line.contains("cannot read") && line.contains("a-folder.log")));
    }
}

#[tokio::test]
async fn times_do_not_step_back_for_a_moment() {
    let disk = Disk::new("");
    let mut logs = Logs::new(0);
    logs.here(vec![position(&disk.path, 1, 0, 0)]);
    let index = |records: &[(u64, u32, u64)]| {
        let mut bytes = vec![0_u8; 64];
        bytes[..8].copy_from_slice(b"VLIX0001");
        for (offset, length, time_us) in records {
            let mut record = Vec::new();
            record.extend(offset.to_le_bytes());
            record.extend(time_us.to_le_bytes());
            record.extend(length.to_le_bytes());
            record.extend([1, 0, 0, 0, 1, 0, 0, 0]);
            record.extend(crc32c::crc32c(&record).to_le_bytes());
            bytes.extend(record);
        }
        std::fs::write(disk.path.with_file_name("api-out.log.vix"), bytes).unwrap();
    };
    disk.append("one\ntwo\nthree\n");
    index(&[(0, 4, 5_000_000), (4, 4, 4_900_000), (8, 6, 1_000_000)]);
    logs.grown(vec![position(&disk.path, 1, 0, 14)]);
    let mut times = Vec::new();
    for read in logs.read_next().await {
        let Read::Line(line) = read else { panic!("it can be read") };
        times.push(line.time_us.unwrap());
    }
    assert_eq!(times, [5_000_000, 5_000_000, 1_000_000], "but a clock that was set back is believed");
}
