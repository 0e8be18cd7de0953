//! Looking into a FIFO without taking anything out: what was seen is taken only once it is safe in a file.
//!
//! tee(2) refers to the pages of the FIFO from a private pipe; reading that one leaves the FIFO as it was.

const std = @import("std");
const linux = std.os.linux;
const sys = @import("../sys.zig");

const splice_nonblock = 2;

pub const Peeker = struct {
    pub const buffer_bytes = 256 << 10;

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

/// Open a FIFO, made when it is not there, so that neither end ever sees the other go away.
pub fn open(path: [*:0]const u8) i32 {
    var fd = sys.open(path, .{ .read_write = true }, 0);
    if (sys.is(fd, .NOENT)) {
        const made = sys.mkfifo(path, sys.mode_private);
        if (made != 0 and !sys.is(made, .EXIST)) return made;
        fd = sys.open(path, .{ .read_write = true }, 0);
    }
    if (fd < 0) return fd;
    var stat: sys.Stat = undefined;
    const rc = sys.stat_fd(fd, &stat);
    if (rc == 0 and stat.is_fifo) return fd;
    sys.close(fd);
    return if (rc != 0) rc else sys.negative(.EXIST);
}

test "what is peeked stays until it is consumed" {
    var peeker = Peeker.init().?;
    defer peeker.deinit();
    var ends: [2]i32 = undefined;
    try std.testing.expectEqual(@as(i32, 0), sys.pipe(&ends));
    defer for (ends) |fd| sys.close(fd);
    try std.testing.expectEqual(@as(usize, 0), peeker.peek(ends[0]).len);
    _ = sys.write(ends[1], "one\ntwo\nthr");
    try std.testing.expectEqualStrings("one\ntwo\nthr", peeker.peek(ends[0]));
    try std.testing.expectEqualStrings("one\ntwo\nthr", peeker.peek(ends[0]));
    peeker.consume(ends[0], 8);
    _ = sys.write(ends[1], "ee\n");
    try std.testing.expectEqualStrings("three\n", peeker.peek(ends[0]));
    try std.testing.expectEqual(@as(i32, 6), sys.readable_bytes(ends[0]));
}
