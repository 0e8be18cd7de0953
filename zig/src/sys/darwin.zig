//! macOS: the calls of libSystem, the only stable interface of that system. Errors come back as -errno.

const std = @import("std");
const c = std.c;
const sys = @import("../sys.zig");

pub const E = c.E;

pub const signal_kill: u32 = 9;
pub const signal_term: u32 = 15;
pub const signal_cont: u32 = 19;

extern "c" fn getpeereid(fd: c_int, uid: *c.uid_t, gid: *c.gid_t) c_int;

fn errno() c.E {
    return @enumFromInt(c._errno().*);
}

fn result(rc: c_int) i32 {
    return if (rc < 0) sys.negative(errno()) else rc;
}

fn long(rc: isize) i64 {
    return if (rc < 0) sys.negative(errno()) else rc;
}

/// Whether a signal interrupted it, so that it is tried again.
fn again(rc: anytype) bool {
    return rc < 0 and errno() == .INTR;
}

pub fn open(path: [*:0]const u8, flags: sys.OpenFlags, mode: u32) i32 {
    while (true) {
        const rc = c.open(path, .{
            .ACCMODE = if (flags.read_write) .RDWR else if (flags.write) .WRONLY else .RDONLY,
            .APPEND = flags.append,
            .CREAT = flags.create,
            .EXCL = flags.exclusive,
            .TRUNC = flags.truncate,
            .NOFOLLOW = flags.no_follow,
            .NONBLOCK = flags.nonblock,
            .DIRECTORY = flags.directory,
            .CLOEXEC = true,
        }, @as(c_uint, mode));
        if (!again(rc)) return result(rc);
    }
}

pub fn close(fd: i32) void {
    // Nothing can be done about an error.
    _ = c.close(fd);
}

pub fn read(fd: i32, buffer: []u8) i64 {
    while (true) {
        const rc = c.read(fd, buffer.ptr, buffer.len);
        if (!again(rc)) return long(rc);
    }
}

pub fn write(fd: i32, bytes: []const u8) i64 {
    while (true) {
        const rc = c.write(fd, bytes.ptr, bytes.len);
        if (!again(rc)) return long(rc);
    }
}

pub fn pread(fd: i32, buffer: []u8, offset: u64) i64 {
    while (true) {
        const rc = c.pread(fd, buffer.ptr, buffer.len, @intCast(offset));
        if (!again(rc)) return long(rc);
    }
}

pub fn pwrite(fd: i32, bytes: []const u8, offset: u64) i64 {
    while (true) {
        const rc = c.pwrite(fd, bytes.ptr, bytes.len, @intCast(offset));
        if (!again(rc)) return long(rc);
    }
}

pub fn seek_end(fd: i32) i64 {
    return long(@intCast(c.lseek(fd, 0, c.SEEK.END)));
}

pub const Stat = struct { size: u64, inode: u64, device: u64, links: u64, is_fifo: bool, is_regular: bool };

fn translate(raw: *const c.Stat, out: *Stat) void {
    const kind = raw.mode & c.S.IFMT;
    out.* = .{
        .size = @intCast(raw.size),
        .inode = raw.ino,
        .device = @as(u32, @bitCast(raw.dev)),
        .links = raw.nlink,
        .is_fifo = kind == c.S.IFIFO,
        .is_regular = kind == c.S.IFREG,
    };
}

pub fn stat_fd(fd: i32, out: *Stat) i32 {
    var raw: c.Stat = undefined;
    const rc = c.fstat(fd, &raw);
    if (rc != 0) return result(rc);
    translate(&raw, out);
    return 0;
}

/// Of the name itself: a symbolic link is not followed.
pub fn stat_path(path: [*:0]const u8, out: *Stat) i32 {
    var raw: c.Stat = undefined;
    const rc = c.fstatat(c.AT.FDCWD, path, &raw, c.AT.SYMLINK_NOFOLLOW);
    if (rc != 0) return result(rc);
    translate(&raw, out);
    return 0;
}

pub fn rename(old: [*:0]const u8, new: [*:0]const u8) i32 {
    return result(c.rename(old, new));
}

/// Not in libc here: who asks renames instead.
pub fn exchange(_: [*:0]const u8, _: [*:0]const u8) i32 {
    return sys.negative(.INVAL);
}

pub fn link(old: [*:0]const u8, new: [*:0]const u8) i32 {
    return result(c.link(old, new));
}

pub fn unlink(path: [*:0]const u8) i32 {
    return result(c.unlink(path));
}

pub fn mkdir(path: [*:0]const u8, mode: u32) i32 {
    return result(c.mkdir(path, @intCast(mode)));
}

pub fn mkfifo(path: [*:0]const u8, mode: u32) i32 {
    const libc = struct {
        extern "c" fn mkfifo(path: [*:0]const u8, mode: c.mode_t) c_int;
    };
    return result(libc.mkfifo(path, @intCast(mode)));
}

/// Nothing leads from a descriptor to both ends of a pipe here.
pub fn nameless_fifo() i32 {
    return sys.negative(.NOENT);
}

pub fn truncate(fd: i32, size: u64) i32 {
    return result(c.ftruncate(fd, @intCast(size)));
}

/// fsync(2) of macOS hands the data to the drive; F_FULLFSYNC would also empty the drive's cache.
pub fn sync_data(fd: i32) i32 {
    return result(c.fsync(fd));
}

pub fn sync_all(fd: i32) i32 {
    const full = 51; // F_FULLFSYNC
    const rc = c.fcntl(fd, full, @as(c_int, 0));
    return if (rc == 0) 0 else result(c.fsync(fd));
}

/// Close on exec, and never wait.
fn prepare(fd: i32) void {
    // A descriptor that is open takes both flags.
    _ = c.fcntl(fd, c.F.SETFD, @as(c_int, c.FD_CLOEXEC));
    const flags = c.fcntl(fd, c.F.GETFL, @as(c_int, 0));
    const nonblock: c_int = @bitCast(c.O{ .NONBLOCK = true });
    _ = c.fcntl(fd, c.F.SETFL, flags | nonblock);
}

fn prepare_socket(fd: i32) void {
    prepare(fd);
    const so_nosigpipe = 0x1022;
    const on: c_int = 1;
    // There is no MSG_NOSIGNAL here.
    _ = c.setsockopt(fd, c.SOL.SOCKET, so_nosigpipe, &on, @sizeOf(c_int));
}

pub fn accept(listener: i32) i32 {
    while (true) {
        const rc = c.accept(listener, null, null);
        if (again(rc)) continue;
        if (rc >= 0) prepare_socket(rc);
        return result(rc);
    }
}

const dont_wait = 0x80; // MSG_DONTWAIT

pub fn send(fd: i32, bytes: []const u8) i64 {
    while (true) {
        const rc = c.send(fd, bytes.ptr, bytes.len, dont_wait);
        if (!again(rc)) return long(rc);
    }
}

/// Two parts as one.
pub fn send_two(fd: i32, first: []const u8, second: []const u8) i64 {
    const parts = [2]std.posix.iovec_const{
        .{ .base = first.ptr, .len = first.len },
        .{ .base = second.ptr, .len = second.len },
    };
    while (true) {
        const rc = c.writev(fd, &parts, parts.len);
        if (!again(rc)) return long(rc);
    }
}

pub fn recv(fd: i32, buffer: []u8) i64 {
    while (true) {
        const rc = c.recv(fd, buffer.ptr, buffer.len, dont_wait);
        if (!again(rc)) return long(rc);
    }
}

pub const Peer = struct { uid: u32, pid: i32 };

pub fn peer(fd: i32, out: *Peer) i32 {
    var uid: c.uid_t = undefined;
    var gid: c.gid_t = undefined;
    const rc = getpeereid(fd, &uid, &gid);
    if (rc != 0) return result(rc);
    const sol_local = 0;
    const local_peerpid = 2;
    var pid: c_int = 0;
    var length: c.socklen_t = @sizeOf(c_int);
    const got = c.getsockopt(fd, sol_local, local_peerpid, &pid, &length);
    if (got != 0) return result(got);
    out.* = .{ .uid = uid, .pid = pid };
    return 0;
}

pub fn pipe(out: *[2]i32) i32 {
    const rc = c.pipe(out);
    if (rc != 0) return result(rc);
    for (out) |fd| prepare(fd);
    return 0;
}

/// A pipe that waits, closed on exec.
pub fn waiting_pipe(out: *[2]i32) i32 {
    const rc = c.pipe(out);
    if (rc != 0) return result(rc);
    for (out) |fd| _ = c.fcntl(fd, c.F.SETFD, @as(c_int, c.FD_CLOEXEC));
    return 0;
}

/// Zeroed memory that costs nothing until it is touched.
pub fn map(length: usize) ?[]align(std.heap.page_size_min) u8 {
    return map_with(length, .{ .TYPE = .PRIVATE, .ANONYMOUS = true }, -1);
}

fn map_with(length: usize, flags: c.MAP, fd: i32) ?[]align(std.heap.page_size_min) u8 {
    const memory = c.mmap(null, length, .{ .READ = true, .WRITE = true }, flags, fd, 0);
    if (memory == c.MAP_FAILED) return null;
    const pointer: [*]align(std.heap.page_size_min) u8 = @ptrCast(@alignCast(memory));
    return pointer[0..length];
}

pub fn unmap(memory: []align(std.heap.page_size_min) u8) void {
    // Fails only for a range that was never mapped: our mistake, which the tests would show.
    _ = c.munmap(memory.ptr, memory.len);
}

/// Tell that the pages are not needed now. What they hold afterwards is not defined.
pub fn discard_pages(memory: []align(std.heap.page_size_min) u8) void {
    const free = 5; // MADV_FREE
    // Only a hint for the size of the process.
    _ = c.madvise(memory.ptr, memory.len, free);
}

pub fn map_file(fd: i32, length: usize) ?[]align(std.heap.page_size_min) u8 {
    return map_with(length, .{ .TYPE = .SHARED }, fd);
}

/// The system compresses what is not used; there is nothing to give back.
pub fn give_back_memory() void {}

/// How many bytes wait in a pipe.
pub fn readable_bytes(fd: i32) i32 {
    const fionread = 0x4004667f;
    var count: c_int = 0;
    const rc = c.ioctl(fd, fionread, &count);
    return if (rc < 0) result(rc) else count;
}

/// Pipes grow by themselves here.
pub fn grow_pipe(_: i32, _: usize) void {}

pub fn kill(pid: i32, signal: u32) i32 {
    return result(c.kill(pid, @enumFromInt(signal)));
}

pub fn effective_uid() u32 {
    return c.geteuid();
}

/// Goes on while the machine sleeps, unlike CLOCK_UPTIME_RAW.
pub fn monotonic_ns() u64 {
    return clock(.MONOTONIC);
}

pub fn wall_us() u64 {
    return clock(.REALTIME) / std.time.ns_per_us;
}

fn clock(id: c.clockid_t) u64 {
    var now: c.timespec = undefined;
    const rc = c.clock_gettime(id, &now);
    std.debug.assert(rc == 0);
    return @as(u64, @intCast(now.sec)) * std.time.ns_per_s + @as(u64, @intCast(now.nsec));
}

/// A connected pair of stream sockets; for tests.
pub fn socket_pair(out: *[2]i32) i32 {
    const rc = c.socketpair(c.AF.UNIX, c.SOCK.STREAM, 0, out);
    if (rc != 0) return result(rc);
    for (out) |fd| prepare_socket(fd);
    return 0;
}

/// For the writer thread: signals are the loop's business.
pub fn block_all_signals() void {
    const all: c.sigset_t = std.math.maxInt(c.sigset_t);
    var before: c.sigset_t = 0;
    _ = c.pthread_sigmask(c.SIG.BLOCK, &all, &before);
}
