//! Linux: tee(2) refers to the pages of the FIFO from a private pipe; reading that one leaves the FIFO as it was.

const std = @import("std");
const linux = std.os.linux;
const sys = @import("../sys.zig");

const splice_nonblock = 2;

pub const Peeker = struct {
    /// What was peeked and not consumed is still in the FIFO when this process dies.
    pub const takes_out = false;
    pub const buffer_bytes = 128 << 10;

    ends: [2]i32,
    null_fd: i32,
    buffer: []align(std.heap.page_size_min) u8,

    pub fn init() ?Peeker {
        var ends: [2]i32 = undefined;
        if (sys.pipe(&ends) != 0) return null;
        sys.grow_pipe(ends[0], buffer_bytes);
        const null_fd = sys.open("/dev/null", .{ .write = true }, 0);
        if (null_fd < 0) return null;
        return .{ .ends = ends, .null_fd = null_fd, .buffer = sys.map(buffer_bytes) orelse return null };
    }

    pub fn deinit(peeker: *Peeker) void {
        for (peeker.ends) |fd| sys.close(fd);
        sys.close(peeker.null_fd);
        sys.unmap(peeker.buffer);
    }

    /// What stands at the head of the FIFO; empty when nothing does. Valid until the next call.
    pub fn peek(peeker: *Peeker, fifo: i32) []const u8 {
        const seen = linux.syscall4(.tee, @intCast(fifo), @intCast(peeker.ends[1]), peeker.buffer.len, splice_nonblock);
        if (linux.errno(seen) != .SUCCESS) return peeker.buffer[0..0];
        var got: usize = 0;
        while (got < seen) {
            const n = sys.read(peeker.ends[0], peeker.buffer[got..seen]);
            // What was teed is there to be read; anything else is our mistake.
            std.debug.assert(n > 0);
            got += @intCast(n);
        }
        return peeker.buffer[0..got];
    }

    /// Take this many bytes out. They are there: we are the only reader.
    pub fn consume(peeker: *Peeker, fifo: i32, length: usize) void {
        var left = length;
        while (left > 0) {
            const rc = linux.syscall6(.splice, @intCast(fifo), 0, @intCast(peeker.null_fd), 0, left, splice_nonblock);
            switch (linux.errno(rc)) {
                .SUCCESS => {
                    if (rc == 0) return;
                    left -= rc;
                },
                .INTR => {},
                else => return,
            }
        }
    }

    /// Give the pages back while nothing flows.
    pub fn rest(peeker: *Peeker) void {
        sys.discard_pages(peeker.buffer);
    }
};
