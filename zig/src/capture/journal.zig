//! One record that says which bytes are being moved from a FIFO to a log, so that a daemon that is killed between
//! "written" and "taken out" does not leave them in both places. A mapped page of a regular file: it survives us.

const std = @import("std");
const sys = @import("../sys.zig");
const Peeker = @import("fifo.zig").Peeker;

const Intent = extern struct {
    fifo: u64,
    inode: u64,
    offset: u64,
    len: u64,
    /// Written last when it opens, first when it closes.
    open: u64,
};

pub const Journal = struct {
    intent: *volatile Intent,
    memory: []align(std.heap.page_size_min) u8,

    pub fn init(path: [:0]const u8) ?Journal {
        const fd = sys.open(path, .{ .read_write = true, .create = true }, sys.mode_private);
        if (fd < 0) return null;
        defer sys.close(fd);
        if (sys.truncate(fd, std.heap.page_size_min) != 0) return null;
        const memory = sys.map_file(fd, std.heap.page_size_min) orelse return null;
        return .{ .intent = @ptrCast(memory.ptr), .memory = memory };
    }

    pub fn deinit(journal: *Journal) void {
        sys.unmap(journal.memory);
    }

    pub fn begin(journal: *Journal, fifo: u64, inode: u64, offset: u64, len: u64) void {
        journal.intent.fifo = fifo;
        journal.intent.inode = inode;
        journal.intent.offset = offset;
        journal.intent.len = len;
        @atomicStore(u64, @volatileCast(&journal.intent.open), 1, .release);
    }

    pub fn end(journal: *Journal) void {
        @atomicStore(u64, @volatileCast(&journal.intent.open), 0, .release);
    }

    /// What the daemon before us was doing with this FIFO: bytes that are in the log already are taken out.
    pub fn settle(journal: *Journal, fifo: u64, fifo_fd: i32, log_fd: i32, inode: u64, size: u64, peeker: *Peeker) void {
        const intent = journal.intent.*;
        if (intent.open == 0 or intent.fifo != fifo or intent.inode != inode) return;
        defer journal.end();
        if (size <= intent.offset) return;
        const written: usize = @intCast(@min(size - intent.offset, intent.len));
        const head = peeker.peek(fifo_fd);
        if (head.len < written) return;
        var compared: usize = 0;
        var block: [4096]u8 = undefined;
        while (compared < written) {
            const n = sys.pread(log_fd, block[0..@min(block.len, written - compared)], intent.offset + compared);
            if (n <= 0) return;
            const got: usize = @intCast(n);
            if (!std.mem.eql(u8, block[0..got], head[compared..][0..got])) return;
            compared += got;
        }
        peeker.consume(fifo_fd, written);
    }
};

pub fn name_of(path: []const u8) u64 {
    return std.hash.Wyhash.hash(0, path);
}
