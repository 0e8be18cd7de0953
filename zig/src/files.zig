//! The daemon's own files: replaced as a whole, appended to, removed. Carried out by the writer thread.

const std = @import("std");
const abi = @import("abi.zig");
const sys = @import("sys.zig");

const path_max = 4096;

pub const Operation = enum { put, append, remove };

pub const Job = struct {
    operation: Operation,
    token: u64 = 0,
    path: [:0]const u8,
    data: []const u8 = &.{},
    flags: u32 = 0,
    max_bytes: u64 = 0,
};

pub fn run(job: Job) i32 {
    return switch (job.operation) {
        .put => put(job),
        .append => append(job),
        .remove => sys.unlink(job.path),
    };
}

fn put(job: Job) i32 {
    var buffer: [path_max]u8 = undefined;
    const temporary = std.fmt.bufPrintZ(&buffer, "{s}.tmp", .{job.path}) catch return sys.negative(.NAMETOOLONG);
    const spare = job.flags & abi.file_flag.spare != 0;
    var fd = if (spare) open_spare(temporary, job.data.len) else sys.negative(.NOENT);
    if (fd < 0) {
        // Whatever lies there is ours from an attempt that was cut short; a link is not followed.
        _ = sys.unlink(temporary);
        fd = sys.open(temporary, .{ .write = true, .create = true, .exclusive = true }, sys.mode_private);
    }
    if (fd < 0) return fd;
    const durable = job.flags & abi.file_flag.durable != 0;
    var rc = write_all(fd, job.data);
    if (rc == 0 and durable) rc = sys.sync_all(fd);
    sys.close(fd);
    if (rc == 0 and durable and job.flags & abi.file_flag.keep_older != 0) rc = keep_older(job.path, temporary);
    if (rc == 0) rc = replace(temporary, job.path, spare);
    if (rc != 0) {
        _ = sys.unlink(temporary);
        return rc;
    }
    return if (durable) sync_folder(job.path) else 0;
}

/// What the last write left: to make a name and to give one up costs more than to write. Not when the content has
/// another name too, which has to keep it.
fn open_spare(temporary: [*:0]const u8, length: usize) i32 {
    const fd = sys.open(temporary, .{ .write = true }, 0);
    if (fd < 0) return fd;
    var stat: sys.Stat = undefined;
    var rc = sys.stat_fd(fd, &stat);
    if (rc == 0 and (!stat.is_regular or stat.links != 1)) rc = sys.negative(.EXIST);
    if (rc == 0 and stat.size > length) rc = sys.truncate(fd, length);
    if (rc == 0) return fd;
    sys.close(fd);
    return rc;
}

fn replace(temporary: [*:0]const u8, path: [*:0]const u8, spare: bool) i32 {
    // The first time there is nothing to exchange with, and not every file system can.
    if (spare and sys.exchange(temporary, path) == 0) return 0;
    return sys.rename(temporary, path);
}

/// The same content once more as PATH.1, so that a torn PATH finds it.
fn keep_older(path: [:0]const u8, temporary: [:0]const u8) i32 {
    var buffer: [path_max]u8 = undefined;
    var link_buffer: [path_max]u8 = undefined;
    const older = std.fmt.bufPrintZ(&buffer, "{s}.1", .{path}) catch return sys.negative(.NAMETOOLONG);
    const linked = std.fmt.bufPrintZ(&link_buffer, "{s}.1.tmp", .{path}) catch return sys.negative(.NAMETOOLONG);
    _ = sys.unlink(linked);
    const rc = sys.link(temporary, linked);
    return if (rc != 0) rc else sys.rename(linked, older);
}

fn sync_folder(path: [:0]const u8) i32 {
    var buffer: [path_max]u8 = undefined;
    const end = std.mem.lastIndexOfScalar(u8, path, '/') orelse return 0;
    const folder = std.fmt.bufPrintZ(&buffer, "{s}", .{path[0..@max(end, 1)]}) catch return sys.negative(.NAMETOOLONG);
    const fd = sys.open(folder, .{ .directory = true, .no_follow = false }, 0);
    if (fd < 0) return fd;
    defer sys.close(fd);
    return sys.sync_all(fd);
}

fn append(job: Job) i32 {
    const flags: sys.OpenFlags = .{ .write = true, .append = true, .create = true };
    var fd = sys.open(job.path, flags, sys.mode_private);
    if (fd < 0) return fd;
    var stat: sys.Stat = undefined;
    const full = job.max_bytes > 0 and sys.stat_fd(fd, &stat) == 0 and stat.size + job.data.len > job.max_bytes;
    if (full) {
        sys.close(fd);
        var buffer: [path_max]u8 = undefined;
        const older = std.fmt.bufPrintZ(&buffer, "{s}.1", .{job.path}) catch return sys.negative(.NAMETOOLONG);
        const rc = sys.rename(job.path, older);
        if (rc != 0) return rc;
        fd = sys.open(job.path, flags, sys.mode_private);
        if (fd < 0) return fd;
    }
    defer sys.close(fd);
    return write_all(fd, job.data);
}

fn write_all(fd: i32, data: []const u8) i32 {
    var done: usize = 0;
    while (done < data.len) {
        const n = sys.write(fd, data[done..]);
        if (n < 0) return @intCast(n);
        done += @intCast(n);
    }
    return 0;
}

test "what is replaced leaves its room to the next" {
    var folder = std.testing.tmpDir(.{});
    defer folder.cleanup();
    var buffer: [path_max]u8 = undefined;
    const path = try std.fmt.bufPrintZ(&buffer, ".zig-cache/tmp/{s}/table", .{folder.sub_path});
    const flags = abi.file_flag.spare;
    for ([_][]const u8{ "first", "the second", "3rd" }) |content| {
        try std.testing.expectEqual(@as(i32, 0), put(.{ .operation = .put, .path = path, .data = content, .flags = flags }));
        try expect_content(path, content);
    }
    var spare_buffer: [path_max]u8 = undefined;
    const spare = try std.fmt.bufPrintZ(&spare_buffer, "{s}.tmp", .{path});
    if (@import("builtin").os.tag == .linux) try expect_content(spare, "the second");
    // What PATH.1 shares is not written over.
    const durable = abi.file_flag.durable | abi.file_flag.keep_older | flags;
    try std.testing.expectEqual(@as(i32, 0), put(.{ .operation = .put, .path = path, .data = "kept", .flags = durable }));
    for ([_][]const u8{ "a", "b", "c" }) |content| {
        try std.testing.expectEqual(@as(i32, 0), put(.{ .operation = .put, .path = path, .data = content, .flags = flags }));
    }
    const older = try std.fmt.bufPrintZ(&spare_buffer, "{s}.1", .{path});
    try expect_content(older, "kept");
}

fn expect_content(path: [*:0]const u8, content: []const u8) !void {
    const fd = sys.open(path, .{}, 0);
    defer sys.close(fd);
    var buffer: [64]u8 = undefined;
    const n = sys.read(fd, &buffer);
    try std.testing.expectEqualStrings(content, buffer[0..@intCast(@max(n, 0))]);
}
