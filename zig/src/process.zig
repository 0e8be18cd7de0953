//! A handle on one process: a descriptor that becomes readable when it ends.

const builtin = @import("builtin");

const platform = switch (builtin.os.tag) {
    .linux => @import("sys/pidfd.zig"),
    .macos => @import("sys/process_kqueue.zig"),
    else => @compileError("this platform is not supported"),
};

pub const open = platform.open;
pub const signal = platform.signal;
pub const reap = platform.reap;
pub const wait = platform.wait;
pub const status_of_stranger = platform.status_of_stranger;
