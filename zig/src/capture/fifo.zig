//! Looking into a FIFO without taking anything out: what was seen is taken only once it is safe in a file.

const std = @import("std");
const builtin = @import("builtin");
const sys = @import("../sys.zig");

pub const Peeker = switch (builtin.os.tag) {
    .linux => @import("peek_tee.zig").Peeker,
    .macos => @import("peek_read.zig").Peeker,
    else => @compileError("this platform is not supported"),
};

/// Open a FIFO so that neither end ever sees the other go away. When it is not there, one without a name is made where
/// the system can: that costs a tenth of what a new name in a folder does.
pub fn open(path: [*:0]const u8) i32 {
    var fd = sys.open(path, .{ .read_write = true }, 0);
    if (sys.is(fd, .NOENT)) {
        const nameless = sys.nameless_fifo();
        if (nameless >= 0) return nameless;
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

test "a FIFO without a name has both ends" {
    const fd = open("/nonexistent/velos-fifo");
    if (builtin.os.tag != .linux) return error.SkipZigTest;
    defer sys.close(fd);
    try std.testing.expect(fd >= 0);
    try std.testing.expectEqual(@as(i64, 4), sys.write(fd, "both"));
    var buffer: [8]u8 = undefined;
    try std.testing.expectEqualStrings("both", buffer[0..@intCast(sys.read(fd, &buffer))]);
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
    if (!Peeker.takes_out) try std.testing.expectEqual(@as(i32, 6), sys.readable_bytes(ends[0]));
}
