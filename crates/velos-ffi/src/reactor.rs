//! The reactor: every call of the header but the life of events.

use std::ffi::{CString, c_char};
use std::marker::PhantomData;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};

use crate::spec::{
    CaptureSpec, CaptureStats, FileFlags, Sample, Scope, SpawnError, SpawnSpec, Spawned, Stage, Stream,
};
use crate::sys::{
    self, RawCaptureSpec, RawCaptureStats, RawEvent, RawOptions, RawReactor, RawRlimit, RawSpawnSpec,
    RawSpawned,
};
use crate::{Errno, Event, check};

/// Events of one batch.
const BATCH: usize = 256;
/// VELOS_SPAWN_CGROUP.
const SPAWN_CGROUP: u32 = 0x40;

/// Bounds of the reactor; zero takes the default of the header.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Bit n-1: signal n is blocked and arrives as an event.
    pub signals: u64,
    /// Half a frame may take so long. Milliseconds.
    pub frame_timeout_ms: u32,
    /// A write may hang or fail so long before output is dropped. Milliseconds.
    pub write_stall_ms: u32,
}

/// The event loop, its processes, captures and clients. Stays on the thread that made it.
#[derive(Debug)]
pub struct Reactor {
    raw: NonNull<RawReactor>,
    events: Vec<RawEvent>,
    // The header allows one thread only.
    _one_thread: PhantomData<*mut ()>,
}

/// Version of the ABI that the library was built with.
pub fn abi_version() -> u32 {
    sys::velos_abi_version()
}

/// Give back memory that is not in use, before this process sleeps for long. What is needed again comes back by itself.
pub fn give_back_memory() {
    sys::velos_rest();
}

/// CLOCK_MONOTONIC, ns.
pub fn now_ns() -> u64 {
    sys::velos_now_ns()
}

/// The mask for [`Options::signals`].
pub fn signal_mask(signals: &[u32]) -> u64 {
    signals.iter().fold(0, |mask, number| mask | 1 << (number - 1))
}

impl Reactor {
    /// Make it, with its writer thread.
    pub fn new(options: &Options) -> Result<Self, Errno> {
        let raw_options = RawOptions {
            size: size_of::<RawOptions>() as u32,
            processes_max: 0,
            captures_max: 0,
            clients_max: 0,
            frame_bytes_max: 0,
            ipc_bytes_max: 0,
            client_queue_bytes_max: 0,
            frame_timeout_ms: options.frame_timeout_ms,
            write_stall_ms: options.write_stall_ms,
            index_interval_ms: 0,
            partial_line_ms: 0,
            sync_interval_ms: 0,
            signals: options.signals,
        };
        let mut raw = ptr::null_mut();
        // SAFETY: both pointers are valid for the call (header, "Memory"); `size` is that of the struct.
        check(unsafe { sys::velos_reactor_create(&raw_options, &mut raw) })?;
        let raw = NonNull::new(raw).ok_or(Errno(nix::libc::ENOMEM))?;
        Ok(Self { raw, events: Vec::with_capacity(BATCH), _one_thread: PhantomData })
    }

    /// Wait until something happened or CLOCK_MONOTONIC passes `deadline_ns`.
    pub fn wait(&mut self, deadline_ns: Option<u64>) -> Result<impl Iterator<Item = Event<'_>>, Errno> {
        let deadline = deadline_ns.unwrap_or(sys::FOREVER);
        self.events.clear();
        let out = self.events.spare_capacity_mut();
        // SAFETY: `out` has room for BATCH events (header, velos_reactor_wait fills at most `capacity`).
        let filled = unsafe {
            sys::velos_reactor_wait(self.raw.as_ptr(), deadline, out.as_mut_ptr().cast(), BATCH as u32)
        };
        let filled = check(filled)? as usize;
        // SAFETY: the call has initialised the first `filled` events.
        unsafe { self.events.set_len(filled) };
        Ok(self.events.iter().map(|raw| Event::from_raw(raw, PhantomData)))
    }

    /// Start a program.
    pub fn spawn(&mut self, token: u64, spec: &SpawnSpec<'_>) -> Result<Spawned, SpawnError> {
        let invalid = |_| SpawnError { stage: Stage::Exec, errno: Errno(nix::libc::EINVAL) };
        let path = CString::new(spec.program).map_err(invalid)?;
        let argv = terminated(spec.argv.iter().copied()).map_err(invalid)?;
        let envp = terminated(spec.env.iter().map(Vec::as_slice)).map_err(invalid)?;
        let cwd = spec.cwd.map(CString::new).transpose().map_err(invalid)?;
        let rights = &spec.rights;
        let rlimits: Vec<RawRlimit> = rights
            .rlimits
            .iter()
            .map(|(resource, soft, hard)| RawRlimit {
                resource: *resource,
                reserved: 0,
                soft: *soft,
                hard: *hard,
            })
            .collect();
        let groups = rights.groups.as_deref().unwrap_or_default();
        let raw_spec = RawSpawnSpec {
            size: size_of::<RawSpawnSpec>() as u32,
            flags: rights.flags() | if spec.own_cgroup { SPAWN_CGROUP } else { 0 },
            path: path.as_ptr(),
            argv: argv.pointers.as_ptr(),
            envp: envp.pointers.as_ptr(),
            cwd: cwd.as_ref().map_or(ptr::null(), |cwd| cwd.as_ptr()),
            capture: spec.capture,
            rlimits: rlimits.as_ptr(),
            groups: groups.as_ptr(),
            rlimits_len: rlimits.len() as u32,
            groups_len: groups.len() as u32,
            uid: rights.uid.unwrap_or(0),
            gid: rights.gid.unwrap_or(0),
            umask: rights.umask.unwrap_or(0),
            nice: rights.nice.unwrap_or(0),
            channel: spec.channel.unwrap_or(-1),
            reserved: 0,
        };
        let mut out = RawSpawned { pid: 0, stage: 0, start_ticks: 0 };
        // SAFETY: all strings and lists outlive the call and end in NUL (header, velos_spawn, "in-parameters").
        let result = unsafe { sys::velos_spawn(self.raw.as_ptr(), token, &raw_spec, &mut out) };
        match check(result) {
            Ok(_) => Ok(Spawned { pid: out.pid, start_ticks: out.start_ticks }),
            Err(errno) => Err(SpawnError { stage: Stage::from_raw(out.stage), errno }),
        }
    }

    /// Where runs get cgroups of their own: a folder of a cgroup v2 hierarchy.
    pub fn cgroups(&mut self, folder: OwnedFd) -> Result<(), Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop; the descriptor passes in (header).
        check(unsafe { sys::velos_cgroups(self.raw.as_ptr(), folder.into_raw_fd()) }).map(|_| ())
    }

    /// Take over a running process.
    pub fn adopt(
        &mut self,
        token: u64,
        pid: i32,
        start_ticks: u64,
        capture: Option<u64>,
    ) -> Result<(), Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        let result =
            unsafe { sys::velos_adopt(self.raw.as_ptr(), token, pid, start_ticks, capture.unwrap_or(0)) };
        check(result).map(|_| ())
    }

    /// Signal; returns how many processes were reached.
    pub fn signal(&mut self, token: u64, number: i32, scope: Scope) -> Result<i32, Errno> {
        let scope = match scope {
            Scope::Process => 0,
            Scope::Group => 1,
            Scope::Tree => 2,
        };
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_signal(self.raw.as_ptr(), token, number, scope) })
    }

    /// Tell with `TreeEmpty` when nothing is left of this run.
    pub fn tree_watch(&mut self, token: u64) -> Result<(), Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_tree_watch(self.raw.as_ptr(), token) }).map(|_| ())
    }

    /// The token is done with.
    pub fn process_forget(&mut self, token: u64) -> Result<(), Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_process_forget(self.raw.as_ptr(), token) }).map(|_| ())
    }

    /// Read CPU and memory.
    pub fn sample(&mut self, samples: &mut [Sample]) -> Result<(), Errno> {
        let count = u32::try_from(samples.len()).map_err(|_| Errno(nix::libc::EINVAL))?;
        // SAFETY: Sample is a transparent wrapper of the header's struct, and `count` is the length of the slice.
        check(unsafe { sys::velos_sample(samples.as_mut_ptr().cast(), count) }).map(|_| ())
    }

    /// Make FIFOs and logs; answered by `CaptureOpened`.
    pub fn capture_open(&mut self, token: u64, spec: &CaptureSpec<'_>) -> Result<(), Errno> {
        let out_fifo = path(spec.out_fifo)?;
        let err_fifo = path(spec.err_fifo)?;
        let in_fifo = spec.in_fifo.map(path).transpose()?;
        let out_log = spec.out_log.map(path).transpose()?;
        let err_log = spec.err_log.map(path).transpose()?;
        let both_log = spec.both_log.map(path).transpose()?;
        let text =
            |text: Option<&str>| text.map(CString::new).transpose().map_err(|_| Errno(nix::libc::EINVAL));
        let stamp = text(spec.form.and_then(|form| form.stamp))?;
        let name = text(spec.form.and_then(|form| form.json_name))?;
        let pointer = |path: &Option<CString>| path.as_ref().map_or(ptr::null(), |path| path.as_ptr());
        let raw = RawCaptureSpec {
            size: size_of::<RawCaptureSpec>() as u32,
            out_fd: spec.out_fd.unwrap_or(-1),
            err_fd: spec.err_fd.unwrap_or(-1),
            in_fd: spec.in_fd.unwrap_or(-1),
            keep: spec.keep,
            reserved: 0,
            out_fifo: out_fifo.as_ptr(),
            err_fifo: err_fifo.as_ptr(),
            in_fifo: pointer(&in_fifo),
            out_log: pointer(&out_log),
            err_log: pointer(&err_log),
            both_log: pointer(&both_log),
            stamp: pointer(&stamp),
            name: pointer(&name),
            id: spec.form.map_or(0, |form| form.id),
            json: u64::from(name.is_some()),
            max_bytes: spec.max_bytes,
        };
        // SAFETY: the paths outlive the call, which copies them (header, velos_capture_open, "in-parameters").
        check(unsafe { sys::velos_capture_open(self.raw.as_ptr(), token, &raw) }).map(|_| ())
    }

    /// The descriptor of a FIFO; it stays the reactor's.
    pub fn capture_fd(&self, token: u64, stream: Stream) -> Result<RawFd, Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_capture_fd(self.raw.as_ptr(), token, stream_bit(stream)) })
    }

    /// The descriptor of the FIFO that is standard input; it stays the reactor's.
    pub fn capture_input_fd(&self, token: u64) -> Result<RawFd, Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_capture_fd(self.raw.as_ptr(), token, sys::STREAM_STDIN) })
    }

    /// Begin new segments; answered by `FileDone` with `request`.
    pub fn capture_rotate(&mut self, token: u64, request: u64) -> Result<(), Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_capture_rotate(self.raw.as_ptr(), token, request) }).map(|_| ())
    }

    /// Empty the logs; answered by `FileDone` with `request`.
    pub fn capture_flush(&mut self, token: u64, request: u64) -> Result<(), Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_capture_flush(self.raw.as_ptr(), token, request) }).map(|_| ())
    }

    /// Drain, close, remove the FIFOs.
    pub fn capture_close(&mut self, token: u64) -> Result<(), Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_capture_close(self.raw.as_ptr(), token) }).map(|_| ())
    }

    /// Counters of a stream.
    pub fn capture_stats(&self, token: u64, stream: Stream) -> Result<CaptureStats, Errno> {
        let mut raw = RawCaptureStats {
            bytes: 0,
            lines: 0,
            dropped_lines: 0,
            dropped_bytes: 0,
            error: 0,
            segment: 0,
            offset: 0,
        };
        // SAFETY: `raw` is valid for the call (header, velos_capture_stats).
        check(unsafe { sys::velos_capture_stats(self.raw.as_ptr(), token, stream_bit(stream), &mut raw) })?;
        Ok(CaptureStats {
            bytes: raw.bytes,
            lines: raw.lines,
            dropped_lines: raw.dropped_lines,
            dropped_bytes: raw.dropped_bytes,
            error: raw.error,
            segment: raw.segment,
            offset: raw.offset,
        })
    }

    /// Replace a file as a whole; answered by `FileDone` unless `token` is 0.
    pub fn file_put(&mut self, token: u64, file: &Path, data: &[u8], flags: FileFlags) -> Result<(), Errno> {
        let file = path(file)?;
        // SAFETY: path and data outlive the call, which copies them (header, velos_file_put).
        let result = unsafe {
            sys::velos_file_put(
                self.raw.as_ptr(),
                token,
                file.as_ptr(),
                data.as_ptr(),
                data.len() as u64,
                flags.0,
            )
        };
        check(result).map(|_| ())
    }

    /// Append; at `max_bytes` the file becomes `PATH.1` first.
    pub fn file_append(&mut self, file: &Path, data: &[u8], max_bytes: u64) -> Result<(), Errno> {
        let file = path(file)?;
        // SAFETY: path and data outlive the call, which copies them (header, velos_file_append).
        let result = unsafe {
            sys::velos_file_append(
                self.raw.as_ptr(),
                file.as_ptr(),
                data.as_ptr(),
                data.len() as u64,
                max_bytes,
            )
        };
        check(result).map(|_| ())
    }

    /// Remove a file.
    pub fn file_remove(&mut self, file: &Path) -> Result<(), Errno> {
        let file = path(file)?;
        // SAFETY: the path outlives the call, which copies it (header, velos_file_remove).
        check(unsafe { sys::velos_file_remove(self.raw.as_ptr(), file.as_ptr()) }).map(|_| ())
    }

    /// How long the writer thread has been in one operation, ns.
    pub fn writer_stall_ns(&self) -> u64 {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        unsafe { sys::velos_writer_stall_ns(self.raw.as_ptr()) }
    }

    /// Tell with `FdReady` while there is something to read on a descriptor of ours that does not wait.
    pub fn fd_watch(&mut self, fd: RawFd, tag: u32) -> Result<(), Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_fd_watch(self.raw.as_ptr(), fd, tag) }).map(|_| ())
    }

    /// The opposite, before the descriptor is closed.
    pub fn fd_forget(&mut self, fd: RawFd) {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        unsafe { sys::velos_fd_forget(self.raw.as_ptr(), fd) }
    }

    /// Accept clients on a listening socket, which stays the caller's.
    pub fn ipc_listen(&mut self, fd: RawFd) -> Result<(), Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_ipc_listen(self.raw.as_ptr(), fd) }).map(|_| ())
    }

    /// Queue one frame.
    pub fn ipc_send(&mut self, client: u64, data: &[u8]) -> Result<(), Errno> {
        // SAFETY: data outlives the call, which copies what it cannot send (header, velos_ipc_send).
        check(unsafe { sys::velos_ipc_send(self.raw.as_ptr(), client, data.as_ptr(), data.len() as u64) })
            .map(|_| ())
    }

    /// The same, only when nothing waits to be read by this client; else `IpcDrained` follows once nothing does.
    pub fn ipc_offer(&mut self, client: u64, data: &[u8]) -> Result<(), Errno> {
        // SAFETY: data outlives the call, which copies what it cannot send (header, velos_ipc_offer).
        check(unsafe { sys::velos_ipc_offer(self.raw.as_ptr(), client, data.as_ptr(), data.len() as u64) })
            .map(|_| ())
    }

    /// Close a client, after its queue is empty if `flush`.
    pub fn ipc_close(&mut self, client: u64, flush: bool) -> Result<(), Errno> {
        // SAFETY: no pointers but the reactor, which is alive until drop.
        check(unsafe { sys::velos_ipc_close(self.raw.as_ptr(), client, u32::from(flush)) }).map(|_| ())
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        // SAFETY: the pointer came from velos_reactor_create and is used no more.
        unsafe { sys::velos_reactor_destroy(self.raw.as_ptr()) }
    }
}

fn stream_bit(stream: Stream) -> u32 {
    match stream {
        Stream::Stdout => sys::STREAM_STDOUT,
        Stream::Stderr => sys::STREAM_STDERR,
    }
}

fn path(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno(nix::libc::EINVAL))
}

/// A NULL-terminated list of NUL-terminated strings in one block of memory.
struct Terminated {
    _bytes: Vec<u8>,
    pointers: Vec<*const c_char>,
}

fn terminated<'a>(items: impl Iterator<Item = &'a [u8]> + Clone) -> Result<Terminated, std::ffi::NulError> {
    let total = items.clone().map(|item| item.len() + 1).sum();
    let mut bytes = Vec::with_capacity(total);
    let mut offsets = Vec::new();
    for item in items {
        if item.contains(&0) {
            CString::new(item)?;
        }
        offsets.push(bytes.len());
        bytes.extend_from_slice(item);
        bytes.push(0);
    }
    let base: *const u8 = bytes.as_ptr();
    let mut pointers: Vec<*const c_char> =
        offsets.iter().map(|offset| base.wrapping_add(*offset).cast()).collect();
    pointers.push(ptr::null());
    Ok(Terminated { _bytes: bytes, pointers })
}
