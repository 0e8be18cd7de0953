//! Linux: /proc/PID/stat, /proc/PID/environ and /proc/PID/task/PID/children, see proc(5).

const std = @import("std");
const linux = std.os.linux;
const sys = @import("../sys.zig");
const Entry = @import("../signal_tree.zig").Entry;

pub const Status = struct {
    state: u8,
    parent: i32,
    group: i32,
    session: i32,
    /// user + system, own and of reaped children, in clock ticks of 10 ms.
    cpu_ticks: u64,
    reaped_cpu_ticks: u64,
    threads: u32,
    start_ticks: u64,
    rss_pages: u64,
};

pub fn read_status(pid: i32, out: *Status) bool {
    var path: [32]u8 = undefined;
    const name = std.fmt.bufPrintZ(&path, "/proc/{d}/stat", .{pid}) catch return false;
    var buffer: [1024]u8 = undefined;
    const text = read_file(name, &buffer) orelse return false;
    return parse(text, out);
}

/// Wait status of a process that has ended and was not collected yet: field 52, told to its own user and to root.
pub fn status_of_zombie(pid: i32) ?u32 {
    var path: [32]u8 = undefined;
    const name = std.fmt.bufPrintZ(&path, "/proc/{d}/stat", .{pid}) catch return null;
    var buffer: [1024]u8 = undefined;
    const text = read_file(name, &buffer) orelse return null;
    const end = std.mem.lastIndexOfScalar(u8, text, ')') orelse return null;
    if (text.len < end + 4 or text[end + 2] != 'Z') return null;
    const last = std.mem.lastIndexOfScalar(u8, std.mem.trimEnd(u8, text, "\n"), ' ') orelse return null;
    const field = std.mem.trim(u8, text[last..], " \n");
    return std.fmt.parseInt(u32, field, 10) catch null;
}

fn read_file(path: [*:0]const u8, buffer: []u8) ?[]u8 {
    const fd = sys.open(path, .{ .no_follow = false }, 0);
    if (fd < 0) return null;
    defer sys.close(fd);
    const n = sys.read(fd, buffer);
    return if (n > 0) buffer[0..@intCast(n)] else null;
}

fn parse(text: []const u8, out: *Status) bool {
    // The name stands in parentheses and may hold anything, also parentheses.
    const end = std.mem.lastIndexOfScalar(u8, text, ')') orelse return false;
    if (text.len < end + 4) return false;
    var fields = std.mem.tokenizeAny(u8, text[end + 2 ..], " \n");
    var values: [22]i64 = @splat(0);
    const state = fields.next() orelse return false;
    out.state = state[0];
    for (&values) |*value| {
        const field = fields.next() orelse return false;
        value.* = std.fmt.parseInt(i64, field, 10) catch std.math.maxInt(i64);
    }
    // values[0] is field 4 of proc_pid_stat(5).
    out.parent = @intCast(values[0]);
    out.group = @intCast(values[1]);
    out.session = @intCast(values[2]);
    out.cpu_ticks = natural(values[10]) + natural(values[11]);
    out.reaped_cpu_ticks = natural(values[12]) + natural(values[13]);
    out.threads = @intCast(@min(natural(values[16]), std.math.maxInt(u32)));
    out.start_ticks = natural(values[18]);
    out.rss_pages = natural(values[20]);
    return true;
}

fn natural(value: i64) u64 {
    return if (value < 0) 0 else @intCast(value);
}

/// All processes, in ascending order of pid.
pub fn read_table(out: []Entry) usize {
    const directory = sys.open("/proc", .{ .directory = true, .no_follow = false }, 0);
    if (directory < 0) return 0;
    defer sys.close(directory);
    var buffer: [16 * 1024]u8 align(8) = undefined;
    var n: usize = 0;
    while (true) {
        const got: isize = @bitCast(linux.getdents64(directory, &buffer, buffer.len));
        if (got <= 0) return n;
        var offset: usize = 0;
        while (offset < @as(usize, @intCast(got))) {
            const entry: *align(1) linux.dirent64 = @ptrCast(&buffer[offset]);
            offset += entry.reclen;
            const name = std.mem.sliceTo(@as([*:0]const u8, @ptrCast(&entry.name)), 0);
            const pid = std.fmt.parseInt(i32, name, 10) catch continue;
            var status: Status = undefined;
            if (n == out.len or !read_status(pid, &status)) continue;
            out[n] = .{
                .pid = pid,
                .parent = status.parent,
                .group = status.group,
                .session = status.session,
                .zombie = status.state == 'Z' or status.state == 'X',
            };
            n += 1;
        }
    }
}

/// Whether the environment that a process was started with says `VELOS_RUN=token`.
pub fn carries_run(pid: i32, token: u64) bool {
    var path: [32]u8 = undefined;
    const name = std.fmt.bufPrintZ(&path, "/proc/{d}/environ", .{pid}) catch return false;
    var wanted: [40]u8 = undefined;
    const entry = std.fmt.bufPrint(&wanted, "VELOS_RUN={d}\x00", .{token}) catch return false;
    const fd = sys.open(name, .{ .no_follow = false }, 0);
    if (fd < 0) return false;
    defer sys.close(fd);
    // Read in pieces that overlap by one entry, so that none is cut at a seam.
    var buffer: [8 * 1024]u8 = undefined;
    var kept: usize = 0;
    while (true) {
        const n = sys.read(fd, buffer[kept..]);
        if (n <= 0) return false;
        const have = kept + @as(usize, @intCast(n));
        var from: usize = 0;
        while (std.mem.indexOfPos(u8, buffer[0..have], from, entry)) |at| {
            if (at == 0 or buffer[at - 1] == 0) return true;
            from = at + 1;
        }
        kept = @min(have, entry.len);
        std.mem.copyForwards(u8, buffer[0..kept], buffer[have - kept .. have]);
    }
}

pub fn own_pid() i32 {
    return linux.getpid();
}

pub fn parent_pid() i32 {
    return linux.getppid();
}

/// Direct children of the main thread; kernels without the file have none to tell.
pub fn children(pid: i32, out: []i32) usize {
    var path: [64]u8 = undefined;
    const name = std.fmt.bufPrintZ(&path, "/proc/{d}/task/{d}/children", .{ pid, pid }) catch return 0;
    var buffer: [4096]u8 = undefined;
    const text = read_file(name, &buffer) orelse return 0;
    var n: usize = 0;
    var fields = std.mem.tokenizeScalar(u8, text, ' ');
    while (fields.next()) |field| {
        if (n == out.len) break;
        out[n] = std.fmt.parseInt(i32, field, 10) catch break;
        n += 1;
    }
    return n;
}

test "a name with parentheses and blanks does not confuse the fields" {
    var status: Status = undefined;
    const text = "42 (a) (b c) S 7 8 9 0 -1 4194560 1 2 3 4 11 12 13 14 20 0 5 0 777 1000 66 18446744073709551615 1\n";
    try std.testing.expect(parse(text, &status));
    try std.testing.expectEqual(@as(u8, 'S'), status.state);
    try std.testing.expectEqual(@as(i32, 7), status.parent);
    try std.testing.expectEqual(@as(i32, 9), status.session);
    try std.testing.expectEqual(@as(u64, 23), status.cpu_ticks);
    try std.testing.expectEqual(@as(u64, 27), status.reaped_cpu_ticks);
    try std.testing.expectEqual(@as(u32, 5), status.threads);
    try std.testing.expectEqual(@as(u64, 777), status.start_ticks);
    try std.testing.expectEqual(@as(u64, 66), status.rss_pages);
}

test "we find ourselves in the table" {
    var entries: [4096]Entry = undefined;
    const n = read_table(&entries);
    var found = false;
    for (entries[0..n], 0..) |entry, index| {
        if (entry.pid == own_pid()) found = true;
        if (index > 0) try std.testing.expect(entries[index - 1].pid < entry.pid);
    }
    try std.testing.expect(found);
}
