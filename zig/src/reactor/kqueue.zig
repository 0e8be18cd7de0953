//! macOS: one kqueue; a user event to wake, EVFILT_SIGNAL for signals. Processes come as descriptors, as on Linux.

const std = @import("std");
const c = std.c;
const poller = @import("../poller.zig");
const sys = @import("../sys.zig");
const Source = @import("../source.zig").Source;

pub const Kqueue = struct {
    const batch = 256;
    const wake_ident = 1;

    fd: i32,

    pub fn init(out: *Kqueue) i32 {
        const fd = c.kqueue();
        if (fd < 0) return errno();
        _ = c.fcntl(fd, c.F.SETFD, @as(c_int, c.FD_CLOEXEC));
        out.* = .{ .fd = fd };
        const source: u64 = @bitCast(Source{ .kind = .wake, .generation = 0, .index = 0 });
        const rc = out.change(wake_ident, c.EVFILT.USER, c.EV.ADD | c.EV.CLEAR, 0, source);
        if (rc != 0) out.deinit();
        return rc;
    }

    pub fn deinit(self: *Kqueue) void {
        _ = c.close(self.fd);
        self.* = undefined;
    }

    /// Hear of the signals of the mask (bit n-1: signal n) here. Ignored signals are still reported to a kqueue.
    pub fn take_signals(self: *Kqueue, mask: u64) i32 {
        const source: u64 = @bitCast(Source{ .kind = .signal, .generation = 0, .index = 0 });
        var number: u7 = 1;
        while (number < 32) : (number += 1) {
            if (mask >> @intCast(number - 1) & 1 == 0) continue;
            const ignore: c.Sigaction = .{ .handler = .{ .handler = c.SIG.IGN }, .mask = 0, .flags = 0 };
            if (c.sigaction(@enumFromInt(number), &ignore, null) != 0) return errno();
            const rc = self.change(number, c.EVFILT.SIGNAL, c.EV.ADD, 0, source);
            if (rc != 0) return rc;
        }
        return 0;
    }

    pub fn add(self: *Kqueue, fd: i32, interest: poller.Interest, source: u64) i32 {
        return self.modify(fd, interest, source);
    }

    /// Also from the writer thread, to arm a one-shot interest again.
    pub fn modify(self: *Kqueue, fd: i32, interest: poller.Interest, source: u64) i32 {
        const ident: usize = @intCast(fd);
        const once: u16 = if (interest.oneshot) c.EV.DISPATCH else 0;
        const filters = [2]struct { filter: i16, wanted: bool }{
            .{ .filter = c.EVFILT.READ, .wanted = interest.read },
            .{ .filter = c.EVFILT.WRITE, .wanted = interest.write },
        };
        for (filters) |one| {
            if (one.wanted) {
                const rc = self.change(ident, one.filter, c.EV.ADD | c.EV.ENABLE | once, 0, source);
                if (rc != 0) return rc;
            } else {
                // What was never there need not be taken away.
                _ = self.change(ident, one.filter, c.EV.DELETE, 0, source);
            }
        }
        return 0;
    }

    pub fn remove(self: *Kqueue, fd: i32) void {
        // Only a descriptor that was never added fails, and then it is not there.
        _ = self.modify(fd, .{}, 0);
    }

    fn change(self: *const Kqueue, ident: usize, filter: i16, flags: u16, fflags: u32, source: u64) i32 {
        const changes = [1]c.Kevent{.{
            .ident = ident,
            .filter = filter,
            .flags = flags,
            .fflags = fflags,
            .data = 0,
            .udata = @intCast(source),
        }};
        var none: [1]c.Kevent = undefined;
        const rc = c.kevent(self.fd, &changes, 1, &none, 0, null);
        return if (rc < 0) errno() else 0;
    }

    /// Fill `out`; an empty result means that the deadline passed or a signal interrupted.
    pub fn wait(self: *Kqueue, deadline_ns: u64, now_ns: u64, out: []poller.Ready) usize {
        var events: [batch]c.Kevent = undefined;
        const none: [1]c.Kevent = undefined;
        const capacity: c_int = @intCast(@min(out.len, events.len));
        const left = deadline_ns -| now_ns;
        const timeout: c.timespec = .{
            .sec = @intCast(@min(left / std.time.ns_per_s, std.math.maxInt(i32))),
            .nsec = @intCast(left % std.time.ns_per_s),
        };
        const limit = if (deadline_ns == std.math.maxInt(u64)) null else &timeout;
        const rc = c.kevent(self.fd, &none, 0, &events, capacity, limit);
        if (rc <= 0) return 0;
        const n: usize = @intCast(rc);
        for (events[0..n], out[0..n]) |event, *ready| {
            const gone = event.flags & c.EV.EOF != 0;
            ready.* = switch (event.filter) {
                c.EVFILT.SIGNAL => .{ .source = event.udata, .signal = @intCast(event.ident) },
                c.EVFILT.USER => .{ .source = event.udata },
                c.EVFILT.WRITE => .{ .source = event.udata, .writable = true, .hangup = gone },
                else => .{ .source = event.udata, .readable = true, .hangup = gone },
            };
        }
        return n;
    }

    /// The one thread-safe, signal-safe call.
    pub fn wake(self: *const Kqueue) i32 {
        const source: Source = .{ .kind = .wake, .generation = 0, .index = 0 };
        return self.change(wake_ident, c.EVFILT.USER, 0, c.NOTE.TRIGGER, @bitCast(source));
    }

    fn errno() i32 {
        return sys.negative(@as(sys.E, @enumFromInt(c._errno().*)));
    }
};
