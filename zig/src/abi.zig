//! The structs of include/velos_core.h as Zig sees them, held equal to the header at compile time.

const std = @import("std");
const header = @import("header");

pub const version: u32 = header.VELOS_ABI_VERSION;
pub const forever: u64 = std.math.maxInt(u64);

pub const Kind = enum(u32) {
    exited = header.VELOS_EVENT_EXITED,
    tree_empty = header.VELOS_EVENT_TREE_EMPTY,
    capture_opened = header.VELOS_EVENT_CAPTURE_OPENED,
    capture_failed = header.VELOS_EVENT_CAPTURE_FAILED,
    capture_recovered = header.VELOS_EVENT_CAPTURE_RECOVERED,
    rotated = header.VELOS_EVENT_ROTATED,
    ipc_opened = header.VELOS_EVENT_IPC_OPENED,
    ipc_frame = header.VELOS_EVENT_IPC_FRAME,
    ipc_closed = header.VELOS_EVENT_IPC_CLOSED,
    ipc_drained = header.VELOS_EVENT_IPC_DRAINED,
    file_done = header.VELOS_EVENT_FILE_DONE,
    signal = header.VELOS_EVENT_SIGNAL,
    woken = header.VELOS_EVENT_WOKEN,
    fd_ready = header.VELOS_EVENT_FD_READY,
};

pub const flag = struct {
    pub const exit_signaled: u32 = header.VELOS_EXIT_SIGNALED;
    pub const exit_core: u32 = header.VELOS_EXIT_CORE;
    pub const exit_unknown: u32 = header.VELOS_EXIT_UNKNOWN;
    pub const exit_leftovers: u32 = header.VELOS_EXIT_LEFTOVERS;
    pub const stdout: u32 = header.VELOS_STREAM_STDOUT;
    pub const stderr: u32 = header.VELOS_STREAM_STDERR;
    pub const stdin: u32 = header.VELOS_STREAM_STDIN;
};

pub const Stage = enum(u32) {
    none = header.VELOS_STAGE_NONE,
    fork = header.VELOS_STAGE_FORK,
    session = header.VELOS_STAGE_SESSION,
    fds = header.VELOS_STAGE_FDS,
    rlimit = header.VELOS_STAGE_RLIMIT,
    groups = header.VELOS_STAGE_GROUPS,
    gid = header.VELOS_STAGE_GID,
    uid = header.VELOS_STAGE_UID,
    cwd = header.VELOS_STAGE_CWD,
    exec = header.VELOS_STAGE_EXEC,
    capture = header.VELOS_STAGE_CAPTURE,
};

pub const Scope = enum(u32) {
    process = header.VELOS_SCOPE_PROCESS,
    group = header.VELOS_SCOPE_GROUP,
    tree = header.VELOS_SCOPE_TREE,
};

pub const spawn_flag = struct {
    pub const has_uid: u32 = header.VELOS_SPAWN_HAS_UID;
    pub const has_gid: u32 = header.VELOS_SPAWN_HAS_GID;
    pub const has_groups: u32 = header.VELOS_SPAWN_HAS_GROUPS;
    pub const has_umask: u32 = header.VELOS_SPAWN_HAS_UMASK;
    pub const has_nice: u32 = header.VELOS_SPAWN_HAS_NICE;
    pub const no_new_privs: u32 = header.VELOS_SPAWN_NO_NEW_PRIVS;
    pub const cgroup: u32 = header.VELOS_SPAWN_CGROUP;
};

pub const file_flag = struct {
    pub const durable: u32 = header.VELOS_FILE_DURABLE;
    pub const keep_older: u32 = header.VELOS_FILE_KEEP_OLDER;
    pub const spare: u32 = header.VELOS_FILE_SPARE;
};

pub const Event = extern struct {
    kind: Kind,
    flags: u32 = 0,
    token: u64 = 0,
    at_ns: u64 = 0,
    code: i32 = 0,
    fd: i32 = -1,
    data: ?[*]const u8 = null,
    len: u64 = 0,
    value: u64 = 0,
    more: u64 = 0,
};

pub const Options = extern struct {
    size: u32 = @sizeOf(Options),
    processes_max: u32 = 0,
    captures_max: u32 = 0,
    clients_max: u32 = 0,
    frame_bytes_max: u32 = 0,
    ipc_bytes_max: u32 = 0,
    client_queue_bytes_max: u32 = 0,
    frame_timeout_ms: u32 = 0,
    write_stall_ms: u32 = 0,
    index_interval_ms: u32 = 0,
    partial_line_ms: u32 = 0,
    sync_interval_ms: u32 = 0,
    signals: u64 = 0,

    /// Every zero replaced by the default that the header promises.
    pub fn with_defaults(given: Options) Options {
        var options = given;
        const defaults: Options = .{
            .processes_max = 4096,
            .captures_max = 4096,
            .clients_max = 1200,
            .frame_bytes_max = 16 << 20,
            .ipc_bytes_max = 4 << 20,
            .client_queue_bytes_max = 2 << 20,
            .frame_timeout_ms = 10_000,
            .write_stall_ms = 5_000,
            .index_interval_ms = 250,
            .partial_line_ms = 1_000,
            .sync_interval_ms = 5_000,
        };
        inline for (@typeInfo(Options).@"struct".fields) |field| {
            if (@field(options, field.name) == 0) @field(options, field.name) = @field(defaults, field.name);
        }
        return options;
    }
};

pub const Rlimit = extern struct {
    resource: i32,
    reserved: i32,
    soft: u64,
    hard: u64,
};

pub const SpawnSpec = extern struct {
    size: u32 = @sizeOf(SpawnSpec),
    flags: u32 = 0,
    path: ?[*:0]const u8 = null,
    argv: ?[*:null]const ?[*:0]const u8 = null,
    envp: ?[*:null]const ?[*:0]const u8 = null,
    cwd: ?[*:0]const u8 = null,
    capture: u64 = 0,
    rlimits: ?[*]const Rlimit = null,
    groups: ?[*]const u32 = null,
    rlimits_len: u32 = 0,
    groups_len: u32 = 0,
    uid: u32 = 0,
    gid: u32 = 0,
    umask: u32 = 0,
    nice: i32 = 0,
    channel: i32 = -1,
    reserved: i32 = 0,
};

pub const Spawned = extern struct {
    pid: i32 = 0,
    stage: Stage = .none,
    start_ticks: u64 = 0,
};

pub const Sample = extern struct {
    pid: i32,
    @"error": i32 = 0,
    start_ticks: u64 = 0,
    cpu_ns: u64 = 0,
    rss_bytes: u64 = 0,
    processes: u32 = 0,
    threads: u32 = 0,
};

pub const CaptureSpec = extern struct {
    size: u32 = @sizeOf(CaptureSpec),
    out_fd: i32 = -1,
    err_fd: i32 = -1,
    in_fd: i32 = -1,
    keep: u32 = 0,
    reserved: u32 = 0,
    out_fifo: ?[*:0]const u8 = null,
    err_fifo: ?[*:0]const u8 = null,
    in_fifo: ?[*:0]const u8 = null,
    out_log: ?[*:0]const u8 = null,
    err_log: ?[*:0]const u8 = null,
    both_log: ?[*:0]const u8 = null,
    stamp: ?[*:0]const u8 = null,
    name: ?[*:0]const u8 = null,
    id: u64 = 0,
    json: u64 = 0,
    max_bytes: u64 = 0,
};

pub const CaptureStats = extern struct {
    bytes: u64 = 0,
    lines: u64 = 0,
    dropped_lines: u64 = 0,
    dropped_bytes: u64 = 0,
    @"error": i32 = 0,
    segment: u32 = 0,
    offset: u64 = 0,
};

const mirrored = .{
    .{ "VelosEvent", Event, header.VelosEvent },
    .{ "VelosReactorOptions", Options, header.VelosReactorOptions },
    .{ "VelosRlimit", Rlimit, header.VelosRlimit },
    .{ "VelosSpawnSpec", SpawnSpec, header.VelosSpawnSpec },
    .{ "VelosSpawned", Spawned, header.VelosSpawned },
    .{ "VelosSample", Sample, header.VelosSample },
    .{ "VelosCaptureSpec", CaptureSpec, header.VelosCaptureSpec },
    .{ "VelosCaptureStats", CaptureStats, header.VelosCaptureStats },
};

/// What velos_abi_layout returns.
pub const layout: [:0]const u8 = blk: {
    @setEvalBranchQuota(1_000_000);
    var text: [:0]const u8 = "";
    for (mirrored) |entry| {
        const name, const Ours, const Theirs = entry;
        const ours = @typeInfo(Ours).@"struct".fields;
        const theirs = @typeInfo(Theirs).@"struct".fields;
        if (ours.len != theirs.len) @compileError("field count drift: " ++ name);
        if (@sizeOf(Ours) != @sizeOf(Theirs)) @compileError("size drift: " ++ name);
        for (ours, theirs) |our, their| {
            const where = name ++ "." ++ their.name;
            if (!std.mem.eql(u8, our.name, their.name)) @compileError("name drift: " ++ where);
            if (@sizeOf(our.type) != @sizeOf(their.type)) @compileError("type drift: " ++ where);
            const offset = @offsetOf(Ours, our.name);
            if (offset != @offsetOf(Theirs, their.name)) @compileError("offset drift: " ++ where);
            text = text ++ std.fmt.comptimePrint("{s} {d} {d}\n", .{ where, offset, @sizeOf(our.type) });
        }
        text = text ++ std.fmt.comptimePrint("{s} - 0 {d}\n", .{ name, @sizeOf(Ours) });
    }
    break :blk text;
};

test "the event has the size that the border promises" {
    try std.testing.expectEqual(@as(usize, 64), @sizeOf(Event));
    try std.testing.expect(std.mem.indexOf(u8, layout, "VelosEvent.value 48 8\n") != null);
}
