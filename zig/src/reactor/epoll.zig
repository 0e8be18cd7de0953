//! Linux: epoll, with an eventfd to wake, a signalfd for signals and pidfds for processes.

const std = @import("std");
const linux = std.os.linux;
const poller = @import("../poller.zig");
const Source = @import("../source.zig").Source;

pub const Epoll = struct {
    const batch = 256;

    fd: i32,
    wake_fd: i32,
    signal_fd: i32 = -1,

    pub fn init(out: *Epoll) i32 {
        const fd = linux.epoll_create1(linux.EPOLL.CLOEXEC);
        if (linux.errno(fd) != .SUCCESS) return negative(fd);
        const wake_fd = linux.eventfd(0, linux.EFD.CLOEXEC | linux.EFD.NONBLOCK);
        if (linux.errno(wake_fd) != .SUCCESS) {
            _ = linux.close(@intCast(fd));
            return negative(wake_fd);
        }
        out.* = .{ .fd = @intCast(fd), .wake_fd = @intCast(wake_fd) };
        const rc = out.add(out.wake_fd, .{ .read = true }, @bitCast(Source{ .kind = .wake, .generation = 0, .index = 0 }));
        if (rc != 0) out.deinit();
        return rc;
    }

    pub fn deinit(self: *Epoll) void {
        if (self.signal_fd >= 0) _ = linux.close(self.signal_fd);
        _ = linux.close(self.wake_fd);
        _ = linux.close(self.fd);
        self.* = undefined;
    }

    /// Block the signals of the mask (bit n-1: signal n) and hear of them here.
    pub fn take_signals(self: *Epoll, mask: u64) i32 {
        const set: linux.sigset_t = .{@intCast(mask)};
        const blocked = linux.sigprocmask(linux.SIG.BLOCK, &set, null);
        if (linux.errno(blocked) != .SUCCESS) return negative(blocked);
        const fd = linux.signalfd(-1, &set, linux.SFD.CLOEXEC | linux.SFD.NONBLOCK);
        if (linux.errno(fd) != .SUCCESS) return negative(fd);
        self.signal_fd = @intCast(fd);
        return self.add(self.signal_fd, .{ .read = true }, @bitCast(Source{ .kind = .signal, .generation = 0, .index = 0 }));
    }

    pub fn add(self: *Epoll, fd: i32, interest: poller.Interest, source: u64) i32 {
        return self.control(linux.EPOLL.CTL_ADD, fd, interest, source);
    }

    /// Also from the writer thread, to arm a one-shot interest again.
    pub fn modify(self: *Epoll, fd: i32, interest: poller.Interest, source: u64) i32 {
        return self.control(linux.EPOLL.CTL_MOD, fd, interest, source);
    }

    pub fn remove(self: *Epoll, fd: i32) void {
        // Only a descriptor that was never added fails, and then it is not there.
        _ = linux.epoll_ctl(self.fd, linux.EPOLL.CTL_DEL, fd, null);
    }

    fn control(self: *Epoll, op: u32, fd: i32, interest: poller.Interest, source: u64) i32 {
        var event: linux.epoll_event = .{ .events = 0, .data = .{ .u64 = source } };
        if (interest.read) event.events |= linux.EPOLL.IN;
        if (interest.write) event.events |= linux.EPOLL.OUT;
        if (interest.oneshot) event.events |= linux.EPOLL.ONESHOT;
        return negative(linux.epoll_ctl(self.fd, op, fd, &event));
    }

    /// Fill `out`; an empty result means that the deadline passed or a signal interrupted.
    pub fn wait(self: *Epoll, deadline_ns: u64, now_ns: u64, out: []poller.Ready) usize {
        var events: [batch]linux.epoll_event = undefined;
        const capacity: u32 = @intCast(@min(out.len, events.len));
        const rc = if (deadline_ns == std.math.maxInt(u64))
            linux.epoll_wait(self.fd, &events, capacity, -1)
        else
            self.wait_until(deadline_ns, now_ns, &events, capacity);
        if (linux.errno(rc) != .SUCCESS) return 0;
        var n: usize = 0;
        for (events[0..rc]) |event| {
            const source: Source = @bitCast(event.data.u64);
            switch (source.kind) {
                .wake => {
                    var counter: [8]u8 = undefined;
                    _ = linux.read(self.wake_fd, &counter, counter.len);
                    out[n] = .{ .source = event.data.u64 };
                },
                .signal => {
                    var info: linux.signalfd_siginfo = undefined;
                    const got = linux.read(self.signal_fd, @ptrCast(&info), @sizeOf(linux.signalfd_siginfo));
                    if (linux.errno(got) != .SUCCESS or got != @sizeOf(linux.signalfd_siginfo)) continue;
                    out[n] = .{ .source = event.data.u64, .signal = info.signo, .sender = @bitCast(info.pid) };
                },
                else => out[n] = .{
                    .source = event.data.u64,
                    .readable = event.events & linux.EPOLL.IN != 0,
                    .writable = event.events & linux.EPOLL.OUT != 0,
                    .hangup = event.events & (linux.EPOLL.HUP | linux.EPOLL.ERR) != 0,
                },
            }
            n += 1;
        }
        return n;
    }

    fn wait_until(self: *Epoll, deadline_ns: u64, now_ns: u64, events: []linux.epoll_event, capacity: u32) usize {
        const left = deadline_ns -| now_ns;
        const timeout: linux.timespec = .{
            .sec = @intCast(@min(left / std.time.ns_per_s, std.math.maxInt(i32))),
            .nsec = @intCast(left % std.time.ns_per_s),
        };
        // epoll_pwait2 (Linux 5.11) knows nanoseconds; older kernels round up to the next millisecond.
        const precise = linux.syscall6(
            .epoll_pwait2,
            @intCast(self.fd),
            @intFromPtr(events.ptr),
            capacity,
            @intFromPtr(&timeout),
            0,
            0,
        );
        if (linux.errno(precise) != .NOSYS) return precise;
        const ms = @min((left +| (std.time.ns_per_ms - 1)) / std.time.ns_per_ms, std.math.maxInt(i32));
        return linux.epoll_wait(self.fd, events.ptr, capacity, @intCast(ms));
    }

    /// The one thread-safe, signal-safe call.
    pub fn wake(self: *const Epoll) i32 {
        const one: u64 = 1;
        const rc = linux.write(self.wake_fd, @ptrCast(&one), 8);
        // A full counter is a wake-up that has not been read yet.
        return if (linux.errno(rc) == .AGAIN) 0 else if (linux.errno(rc) != .SUCCESS) negative(rc) else 0;
    }

    fn negative(rc: usize) i32 {
        return @intCast(@as(isize, @bitCast(rc)));
    }
};
