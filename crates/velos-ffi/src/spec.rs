//! What goes into the calls, and what comes out, as plain Rust.

use std::os::fd::RawFd;
use std::path::Path;

use crate::{Errno, Rights};

/// One of the two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Whom a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The main process.
    Process,
    /// Its process group.
    Group,
    /// Everything that belongs to the run.
    Tree,
}

/// The step of a spawn that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the steps in the header")]
pub enum Stage {
    Fork,
    Session,
    Fds,
    Rlimit,
    Groups,
    Gid,
    Uid,
    Cwd,
    Exec,
    Capture,
}

impl Stage {
    pub(crate) fn from_raw(stage: u32) -> Self {
        match stage {
            2 => Stage::Session,
            3 => Stage::Fds,
            4 => Stage::Rlimit,
            5 => Stage::Groups,
            6 => Stage::Gid,
            7 => Stage::Uid,
            8 => Stage::Cwd,
            9 => Stage::Exec,
            10 => Stage::Capture,
            _ => Stage::Fork,
        }
    }
}

/// A program to start. Byte strings must be free of NUL.
#[derive(Debug)]
pub struct SpawnSpec<'a> {
    /// Absolute path.
    pub program: &'a [u8],
    /// With `argv[0]`.
    pub argv: &'a [&'a [u8]],
    /// `KEY=VALUE` entries.
    pub env: &'a [Vec<u8>],
    /// Working directory.
    pub cwd: Option<&'a [u8]>,
    /// Token of the capture for both output streams; 0: /dev/null.
    pub capture: u64,
    /// As whom, and what it may use.
    pub rights: Rights,
    /// Becomes descriptor 3 of the program.
    pub channel: Option<RawFd>,
    /// In a cgroup of its own, where there is a place for them.
    pub own_cgroup: bool,
}

/// A process that was started.
#[derive(Clone, Copy, Debug)]
pub struct Spawned {
    /// Process id.
    pub pid: i32,
    /// Start time in kernel ticks.
    pub start_ticks: u64,
}

/// A spawn that failed.
#[derive(Clone, Copy, Debug)]
pub struct SpawnError {
    /// Where.
    pub stage: Stage,
    /// Why.
    pub errno: Errno,
}

/// FIFOs and logs of one instance.
#[derive(Debug)]
pub struct CaptureSpec<'a> {
    /// FIFO kept from an earlier daemon; its ownership passes in.
    pub out_fd: Option<RawFd>,
    /// The same for standard error.
    pub err_fd: Option<RawFd>,
    /// The same for standard input.
    pub in_fd: Option<RawFd>,
    /// Path of the FIFO. When it is not there, Linux makes one without a name.
    pub out_fifo: &'a Path,
    /// Path of the FIFO.
    pub err_fifo: &'a Path,
    /// Path of the FIFO that is the program's standard input; `None`: it has none.
    pub in_fifo: Option<&'a Path>,
    /// Log; `None`: read and thrown away.
    pub out_log: Option<&'a Path>,
    /// Log; `None`: read and thrown away.
    pub err_log: Option<&'a Path>,
    /// Log that gets both streams too.
    pub both_log: Option<&'a Path>,
    /// How lines are stored when not as they came.
    pub form: Option<LineForm<'a>>,
    /// Rotate at this size; 0: never. Bytes.
    pub max_bytes: u64,
    /// Closed segments to keep.
    pub keep: u32,
}

/// Lines in another form.
#[derive(Clone, Copy, Debug)]
pub struct LineForm<'a> {
    /// PM2's form of a time before each line: `YYYY-MM-DD HH:mm:ss`.
    pub stamp: Option<&'a str>,
    /// Each is a JSON object: the app's name as JSON text without quotes.
    pub json_name: Option<&'a str>,
    /// Number of the instance, in JSON.
    pub id: u64,
}

/// Counters of one stream since its capture was opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct CaptureStats {
    /// Bytes written.
    pub bytes: u64,
    /// Lines written.
    pub lines: u64,
    /// Lines that could not be.
    pub dropped_lines: u64,
    /// Their bytes.
    pub dropped_bytes: u64,
    /// -errno of the write that fails right now, or 0.
    pub error: i32,
    /// Number of the live segment.
    pub segment: u32,
    /// Bytes in the live segment, whoever wrote them.
    pub offset: u64,
}

/// How a file is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFlags(pub(crate) u32);

impl FileFlags {
    /// Whole or not at all for readers; not yet on stable storage.
    pub const PLAIN: FileFlags = FileFlags(0);
    /// The same; what was there before stays as `PATH.tmp` and is written over the next time, which is faster.
    pub const SPARE: FileFlags = FileFlags(0x4);
    /// The same, on stable storage when done, and once more under `PATH.1`.
    pub const DURABLE_KEEP_OLDER: FileFlags = FileFlags(0x7);
}

/// A reading of a process tree; `pid` and `start_ticks` go in.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Sample(pub(crate) crate::sys::RawSample);

impl Sample {
    /// Ask for this process; `start_ticks` 0: whoever has the pid.
    pub fn new(pid: i32, start_ticks: u64) -> Self {
        let raw = crate::sys::RawSample {
            pid,
            error: 0,
            start_ticks,
            cpu_ns: 0,
            rss_bytes: 0,
            processes: 0,
            threads: 0,
        };
        Self(raw)
    }

    /// Whether there was such a process.
    pub fn is_ok(&self) -> bool {
        self.0.error == 0
    }

    /// User and system time of the tree, with reaped children, ns.
    pub fn cpu_ns(&self) -> u64 {
        self.0.cpu_ns
    }

    /// Resident memory of the tree, bytes.
    pub fn rss_bytes(&self) -> u64 {
        self.0.rss_bytes
    }

    /// Size of the tree.
    pub fn processes(&self) -> u32 {
        self.0.processes
    }

    /// Threads of the tree.
    pub fn threads(&self) -> u32 {
        self.0.threads
    }
}
