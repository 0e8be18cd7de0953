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
    // Whatever lies there is ours from an attempt that was cut short; a link is not followed.
    _ = sys.unlink(temporary);
    const fd = sys.open(temporary, .{ .write = true, .create = true, .exclusive = true }, sys.mode_private);
    if (fd < 0) return fd;
    const durable = job.flags & abi.file_flag.durable != 0;
    var rc = write_all(fd, job.data);
    if (rc == 0 and durable) rc = sys.sync_all(fd);
    sys.close(fd);
    if (rc == 0 and durable and job.flags & abi.file_flag.keep_older != 0) rc = keep_older(job.path, temporary);
    if (rc == 0) rc = sys.rename(temporary, job.path);
    if (rc != 0) {
        _ = sys.unlink(temporary);
        return rc;
    }
    return if (durable) sync_folder(job.path) else 0;
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
