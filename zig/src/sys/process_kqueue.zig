//! macOS: a handle on one process. A kqueue of its own that waits for the exit is a descriptor which becomes readable
//! when the process ends, as a pidfd does on Linux.

const std = @import("std");
const c = std.c;
const abi = @import("../abi.zig");
const sys = @import("../sys.zig");

/// Tells an exit status with the exit, see kqueue(2).
const note_exit = 0x8000_0000;
const note_exit_status = 0x0400_0000;
const wait_no_hang = 1;

pub fn open(pid: i32) i32 {
    const fd = c.kqueue();
    if (fd < 0) return errno();
    _ = c.fcntl(fd, c.F.SETFD, @as(c_int, c.FD_CLOEXEC));
    const changes = [1]c.Kevent{.{
        .ident = @intCast(pid),
        .filter = c.EVFILT.PROC,
        .flags = c.EV.ADD,
        .fflags = note_exit | note_exit_status,
        .data = 0,
        .udata = 0,
    }};
    var none: [1]c.Kevent = undefined;
    if (c.kevent(fd, &changes, 1, &none, 0, null) < 0) {
        const rc = errno();
        sys.close(fd);
        return rc;
    }
    return fd;
}

pub fn signal(_: i32, pid: i32, number: u32) i32 {
    return sys.kill(pid, number);
}

/// Collect a child of ours that has ended; false when it has not.
pub fn reap(_: i32, pid: i32, out: *abi.Event) bool {
    return collect(pid, wait_no_hang, out);
}

/// The same, waiting for the end.
pub fn wait(_: i32, pid: i32, out: *abi.Event) bool {
    return collect(pid, 0, out);
}

fn collect(pid: i32, options: c_int, out: *abi.Event) bool {
    var status: c_int = 0;
    var usage: c.rusage = undefined;
    while (true) {
        const rc = c.wait4(pid, &status, options, &usage);
        if (rc == pid) break;
        if (rc < 0 and @as(c.E, @enumFromInt(c._errno().*)) == .INTR) continue;
        return false;
    }
    decode(@bitCast(status), out);
    out.value = micros(usage.utime) + micros(usage.stime);
    // Counted in bytes here.
    out.more = @intCast(@max(0, usage.maxrss));
    return true;
}

fn micros(time: c.timeval) u64 {
    return @as(u64, @intCast(time.sec)) * std.time.us_per_s + @as(u64, @intCast(time.usec));
}

/// How a process ended whose parent is another: the exit event carries it.
pub fn status_of_stranger(fd: i32, _: i32, out: *abi.Event) bool {
    const none: [1]c.Kevent = undefined;
    var events: [1]c.Kevent = undefined;
    const now: c.timespec = .{ .sec = 0, .nsec = 0 };
    if (c.kevent(fd, &none, 0, &events, 1, &now) != 1) return false;
    if (events[0].fflags & note_exit_status == 0) return false;
    decode(@truncate(@as(usize, @bitCast(events[0].data))), out);
    return true;
}

/// A wait status, see wait(2).
fn decode(status: u32, out: *abi.Event) void {
    const number: i32 = @intCast(status & 0x7f);
    if (number == 0) {
        out.code = @intCast((status >> 8) & 0xff);
    } else {
        out.code = number;
        out.flags |= abi.flag.exit_signaled;
        if (status & 0x80 != 0) out.flags |= abi.flag.exit_core;
    }
}

fn errno() i32 {
    return sys.negative(@as(sys.E, @enumFromInt(c._errno().*)));
}
