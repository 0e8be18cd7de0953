//! The process table: /proc on Linux, sysctl and libproc on macOS.

const builtin = @import("builtin");

const platform = switch (builtin.os.tag) {
    .linux => @import("sys/procfs_linux.zig"),
    .macos => @import("sys/procfs_darwin.zig"),
    else => @compileError("this platform is not supported"),
};

pub const Status = platform.Status;
/// One process; false when there is none of this number.
pub const read_status = platform.read_status;
pub const read_table = platform.read_table;
pub const carries_run = platform.carries_run;
pub const own_pid = platform.own_pid;
pub const parent_pid = platform.parent_pid;
pub const children = platform.children;
