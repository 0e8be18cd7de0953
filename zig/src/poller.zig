//! Readiness of descriptors and processes, signals and wake-ups, behind one interface for epoll and kqueue.

const builtin = @import("builtin");

pub const Poller = switch (builtin.os.tag) {
    .linux => @import("reactor/epoll.zig").Epoll,
    .macos => @import("reactor/kqueue.zig").Kqueue,
    else => @compileError("this platform is not supported"),
};

pub const Interest = struct {
    read: bool = false,
    write: bool = false,
    /// Tell once, then not again before `modify`.
    oneshot: bool = false,
};

pub const Ready = struct {
    /// As given at `add`.
    source: u64,
    readable: bool = false,
    writable: bool = false,
    hangup: bool = false,
    /// For signals: number and sender.
    signal: u32 = 0,
    sender: i32 = 0,
};

test {
    _ = @import("reactor/tests.zig");
}
