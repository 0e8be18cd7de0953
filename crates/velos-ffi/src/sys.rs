//! The declarations of the header, by hand. `layout.rs` holds them equal to the library.

use std::ffi::c_char;

pub(crate) const FOREVER: u64 = u64::MAX;

pub(crate) const EVENT_EXITED: u32 = 1;
pub(crate) const EVENT_TREE_EMPTY: u32 = 2;
pub(crate) const EVENT_CAPTURE_OPENED: u32 = 3;
pub(crate) const EVENT_CAPTURE_FAILED: u32 = 4;
pub(crate) const EVENT_CAPTURE_RECOVERED: u32 = 5;
pub(crate) const EVENT_ROTATED: u32 = 6;
pub(crate) const EVENT_IPC_OPENED: u32 = 7;
pub(crate) const EVENT_IPC_FRAME: u32 = 8;
pub(crate) const EVENT_IPC_CLOSED: u32 = 9;
pub(crate) const EVENT_IPC_DRAINED: u32 = 10;
pub(crate) const EVENT_FILE_DONE: u32 = 11;
pub(crate) const EVENT_SIGNAL: u32 = 12;
pub(crate) const EVENT_WOKEN: u32 = 13;
pub(crate) const EVENT_FD_READY: u32 = 14;

pub(crate) const EXIT_SIGNALED: u32 = 0x1;
pub(crate) const EXIT_CORE: u32 = 0x2;
pub(crate) const EXIT_UNKNOWN: u32 = 0x4;
pub(crate) const EXIT_LEFTOVERS: u32 = 0x8;
pub(crate) const STREAM_STDOUT: u32 = 0x10;
pub(crate) const STREAM_STDERR: u32 = 0x20;
pub(crate) const STREAM_STDIN: u32 = 0x40;

/// Declares a struct of the header and tells its layout to `layout.rs`.
macro_rules! abi_struct {
    ($(#[$meta:meta])* $name:ident = $header:literal { $($field:ident: $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }

        impl $name {
            #[cfg(test)]
            pub(crate) fn layout() -> String {
                let mut text = String::new();
                $(
                    let size = {
                        fn size_of_field<T, F>(_: fn(&T) -> &F) -> usize { std::mem::size_of::<F>() }
                        size_of_field(|value: &Self| &value.$field)
                    };
                    let name = stringify!($field).trim_start_matches("r#");
                    let offset = std::mem::offset_of!(Self, $field);
                    text.push_str(&format!("{}.{name} {offset} {size}\n", $header));
                )*
                text.push_str(&format!("{} - 0 {}\n", $header, std::mem::size_of::<Self>()));
                text
            }
        }
    };
}

abi_struct!(RawEvent = "VelosEvent" {
    kind: u32,
    flags: u32,
    token: u64,
    at_ns: u64,
    code: i32,
    fd: i32,
    data: *const u8,
    len: u64,
    value: u64,
    more: u64,
});

abi_struct!(RawOptions = "VelosReactorOptions" {
    size: u32,
    processes_max: u32,
    captures_max: u32,
    clients_max: u32,
    frame_bytes_max: u32,
    ipc_bytes_max: u32,
    client_queue_bytes_max: u32,
    frame_timeout_ms: u32,
    write_stall_ms: u32,
    index_interval_ms: u32,
    partial_line_ms: u32,
    sync_interval_ms: u32,
    signals: u64,
});

abi_struct!(RawRlimit = "VelosRlimit" { resource: i32, reserved: i32, soft: u64, hard: u64 });

abi_struct!(RawSpawnSpec = "VelosSpawnSpec" {
    size: u32,
    flags: u32,
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    cwd: *const c_char,
    capture: u64,
    rlimits: *const RawRlimit,
    groups: *const u32,
    rlimits_len: u32,
    groups_len: u32,
    uid: u32,
    gid: u32,
    umask: u32,
    nice: i32,
    channel: i32,
    reserved: i32,
});

abi_struct!(RawSpawned = "VelosSpawned" { pid: i32, stage: u32, start_ticks: u64 });

abi_struct!(RawSample = "VelosSample" {
    pid: i32,
    error: i32,
    start_ticks: u64,
    cpu_ns: u64,
    rss_bytes: u64,
    processes: u32,
    threads: u32,
});

abi_struct!(RawCaptureSpec = "VelosCaptureSpec" {
    size: u32,
    out_fd: i32,
    err_fd: i32,
    in_fd: i32,
    keep: u32,
    reserved: u32,
    out_fifo: *const c_char,
    err_fifo: *const c_char,
    in_fifo: *const c_char,
    out_log: *const c_char,
    err_log: *const c_char,
    both_log: *const c_char,
    stamp: *const c_char,
    name: *const c_char,
    id: u64,
    json: u64,
    max_bytes: u64,
});

abi_struct!(RawCaptureStats = "VelosCaptureStats" {
    bytes: u64,
    lines: u64,
    dropped_lines: u64,
    dropped_bytes: u64,
    error: i32,
    segment: u32,
    offset: u64,
});

/// The reactor behind its pointer.
#[repr(C)]
pub(crate) struct RawReactor {
    _opaque: [u8; 0],
}

// The signatures are those of zig/include/velos_core.h.
unsafe extern "C" {
    pub(crate) safe fn velos_abi_version() -> u32;
    #[cfg(test)]
    pub(crate) safe fn velos_abi_layout() -> *const c_char;
    pub(crate) safe fn velos_now_ns() -> u64;
    pub(crate) fn velos_reactor_create(options: *const RawOptions, out: *mut *mut RawReactor) -> i32;
    pub(crate) fn velos_reactor_destroy(reactor: *mut RawReactor);
    pub(crate) fn velos_reactor_wait(
        r: *mut RawReactor,
        deadline_ns: u64,
        out: *mut RawEvent,
        capacity: u32,
    ) -> i32;
    pub(crate) fn velos_spawn(
        r: *mut RawReactor,
        token: u64,
        spec: *const RawSpawnSpec,
        out: *mut RawSpawned,
    ) -> i32;
    pub(crate) fn velos_cgroups(r: *mut RawReactor, fd: i32) -> i32;
    pub(crate) fn velos_adopt(
        r: *mut RawReactor,
        token: u64,
        pid: i32,
        start_ticks: u64,
        capture: u64,
    ) -> i32;
    pub(crate) fn velos_signal(r: *mut RawReactor, token: u64, signo: i32, scope: u32) -> i32;
    pub(crate) fn velos_tree_watch(r: *mut RawReactor, token: u64) -> i32;
    pub(crate) fn velos_process_forget(r: *mut RawReactor, token: u64) -> i32;
    pub(crate) fn velos_sample(samples: *mut RawSample, count: u32) -> i32;
    pub(crate) fn velos_capture_open(r: *mut RawReactor, token: u64, spec: *const RawCaptureSpec) -> i32;
    pub(crate) fn velos_capture_fd(r: *mut RawReactor, token: u64, stream: u32) -> i32;
    pub(crate) fn velos_capture_rotate(r: *mut RawReactor, token: u64, request: u64) -> i32;
    pub(crate) fn velos_capture_flush(r: *mut RawReactor, token: u64, request: u64) -> i32;
    pub(crate) fn velos_capture_close(r: *mut RawReactor, token: u64) -> i32;
    pub(crate) fn velos_capture_stats(
        r: *mut RawReactor,
        token: u64,
        stream: u32,
        out: *mut RawCaptureStats,
    ) -> i32;
    pub(crate) fn velos_file_put(
        r: *mut RawReactor,
        token: u64,
        path: *const c_char,
        data: *const u8,
        len: u64,
        flags: u32,
    ) -> i32;
    pub(crate) fn velos_file_append(
        r: *mut RawReactor,
        path: *const c_char,
        data: *const u8,
        len: u64,
        max_bytes: u64,
    ) -> i32;
    pub(crate) fn velos_file_remove(r: *mut RawReactor, path: *const c_char) -> i32;
    pub(crate) fn velos_writer_stall_ns(r: *mut RawReactor) -> u64;
    pub(crate) fn velos_fd_watch(r: *mut RawReactor, fd: i32, tag: u32) -> i32;
    pub(crate) fn velos_fd_forget(r: *mut RawReactor, fd: i32);
    pub(crate) safe fn velos_rest();
    pub(crate) fn velos_ipc_listen(r: *mut RawReactor, fd: i32) -> i32;
    pub(crate) fn velos_ipc_offer(r: *mut RawReactor, client: u64, data: *const u8, len: u64) -> i32;
    pub(crate) fn velos_ipc_send(r: *mut RawReactor, client: u64, data: *const u8, len: u64) -> i32;
    pub(crate) fn velos_ipc_close(r: *mut RawReactor, client: u64, flush: u32) -> i32;
}
