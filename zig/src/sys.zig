//! System calls as this library uses them: a result of 0 or more, or -errno. One file per platform behind it.

const std = @import("std");
const builtin = @import("builtin");

const platform = switch (builtin.os.tag) {
    .linux => @import("sys/linux.zig"),
    .macos => @import("sys/darwin.zig"),
    else => @compileError("this platform is not supported"),
};

pub const E = platform.E;
pub const Stat = platform.Stat;
pub const open = platform.open;
pub const close = platform.close;
pub const read = platform.read;
pub const write = platform.write;
pub const pread = platform.pread;
pub const pwrite = platform.pwrite;
pub const seek_end = platform.seek_end;
pub const stat_fd = platform.stat_fd;
pub const stat_path = platform.stat_path;
pub const rename = platform.rename;
pub const exchange = platform.exchange;
pub const link = platform.link;
pub const unlink = platform.unlink;
pub const mkdir = platform.mkdir;
pub const mkfifo = platform.mkfifo;
pub const nameless_fifo = platform.nameless_fifo;
pub const truncate = platform.truncate;
pub const sync_data = platform.sync_data;
pub const sync_all = platform.sync_all;
pub const accept = platform.accept;
pub const send = platform.send;
pub const send_two = platform.send_two;
pub const recv = platform.recv;
pub const Peer = platform.Peer;
pub const peer = platform.peer;
pub const pipe = platform.pipe;
pub const map = platform.map;
pub const unmap = platform.unmap;
pub const discard_pages = platform.discard_pages;
pub const map_file = platform.map_file;
pub const give_back_memory = platform.give_back_memory;
pub const readable_bytes = platform.readable_bytes;
pub const grow_pipe = platform.grow_pipe;
pub const kill = platform.kill;
pub const effective_uid = platform.effective_uid;
pub const monotonic_ns = platform.monotonic_ns;
pub const wall_us = platform.wall_us;
pub const socket_pair = platform.socket_pair;
pub const block_all_signals = platform.block_all_signals;

pub const signal_kill = platform.signal_kill;
pub const signal_term = platform.signal_term;
pub const signal_cont = platform.signal_cont;

pub const OpenFlags = struct {
    write: bool = false,
    read_write: bool = false,
    append: bool = false,
    create: bool = false,
    exclusive: bool = false,
    truncate: bool = false,
    no_follow: bool = true,
    nonblock: bool = false,
    directory: bool = false,
};

pub const mode_private: u32 = 0o600;

/// -errno of a positive error number.
pub fn negative(e: E) i32 {
    return -@as(i32, @intCast(@intFromEnum(e)));
}

/// Whether a result is this error.
pub fn is(result: anytype, e: E) bool {
    return result == negative(e);
}

test "errors come back as negative numbers" {
    const result = open("/nonexistent/velos", .{}, 0);
    try std.testing.expect(is(result, .NOENT));
}
