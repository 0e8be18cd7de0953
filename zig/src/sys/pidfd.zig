//! Linux pidfds: a handle on one process that no other can inherit.

const std = @import("std");
const linux = std.os.linux;
const abi = @import("../abi.zig");
const procfs = @import("procfs_linux.zig");

pub fn open(pid: i32) i32 {
    return @intCast(@as(isize, @bitCast(linux.pidfd_open(pid, 0))));
}

pub fn signal(fd: i32, _: i32, number: u32) i32 {
    const rc = linux.syscall4(.pidfd_send_signal, @intCast(fd), number, 0, 0);
    return @intCast(@as(isize, @bitCast(rc)));
}

/// Collect a child of ours that has ended; false when it has not.
pub fn reap(fd: i32, _: i32, out: *abi.Event) bool {
    return collect(fd, linux.W.EXITED | linux.W.NOHANG, out);
}

/// The same, waiting for the end.
pub fn wait(fd: i32, _: i32, out: *abi.Event) bool {
    return collect(fd, linux.W.EXITED, out);
}

fn collect(fd: i32, flags: u32, out: *abi.Event) bool {
    var info: linux.siginfo_t = std.mem.zeroes(linux.siginfo_t);
    var usage: linux.rusage = std.mem.zeroes(linux.rusage);
    while (true) {
        const rc = linux.waitid(.PIDFD, fd, &info, flags, &usage);
        switch (linux.errno(rc)) {
            .SUCCESS => break,
            .INTR => continue,
            else => return false,
        }
    }
    if (info.fields.common.first.piduid.pid == 0) return false;
    const CLD_EXITED = 1;
    const CLD_DUMPED = 3;
    out.code = info.fields.common.second.sigchld.status;
    if (info.code != CLD_EXITED) out.flags |= abi.flag.exit_signaled;
    if (info.code == CLD_DUMPED) out.flags |= abi.flag.exit_core;
    out.value = micros(usage.utime) + micros(usage.stime);
    // Counted in KiB here, see getrusage(2).
    out.more = @as(u64, @intCast(@max(0, usage.maxrss))) * 1024;
    return true;
}

fn micros(time: linux.timeval) u64 {
    return @as(u64, @intCast(time.sec)) * std.time.us_per_s + @as(u64, @intCast(time.usec));
}

/// struct pidfd_info of linux/pidfd.h as far as we read it (PIDFD_INFO_SIZE_VER0).
const Info = extern struct {
    mask: u64,
    cgroup_id: u64 = 0,
    pid: u32 = 0,
    tgid: u32 = 0,
    ppid: u32 = 0,
    ids: [8]u32 = @splat(0),
    exit_code: i32 = 0,
};

/// How a process ended whose parent is another. While that parent has not collected it, the process table tells;
/// afterwards the kernel does, from Linux 6.15 on.
pub fn status_of_stranger(fd: i32, pid: i32, out: *abi.Event) bool {
    if (collected_status(fd)) |status| {
        decode(status, out);
        return true;
    }
    const status = procfs.status_of_zombie(pid) orelse return false;
    // Still uncollected now, so the number was its own when we looked.
    if (signal(fd, pid, 0) != 0) return false;
    decode(status, out);
    return true;
}

fn collected_status(fd: i32) ?u32 {
    const PIDFD_INFO_EXIT = 1 << 3;
    const PIDFD_GET_INFO = 0xC040FF0B;
    comptime std.debug.assert(@sizeOf(Info) == 64);
    var info: Info = .{ .mask = PIDFD_INFO_EXIT };
    const rc = linux.ioctl(fd, PIDFD_GET_INFO, @intFromPtr(&info));
    if (linux.errno(rc) != .SUCCESS or info.mask & PIDFD_INFO_EXIT == 0) return null;
    return @bitCast(info.exit_code);
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
