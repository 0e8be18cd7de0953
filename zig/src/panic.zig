//! A broken promise of ours: one line on stderr, then abort. No symboliser, no unwinding across the border.

const std = @import("std");
const sys = @import("sys.zig");

pub fn panic(message: []const u8, _: ?usize) noreturn {
    _ = sys.write(2, "velos-core: ");
    _ = sys.write(2, message);
    _ = sys.write(2, "\n");
    @trap();
}

pub const handler = std.debug.FullPanic(panic);
