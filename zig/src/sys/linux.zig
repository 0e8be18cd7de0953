//! Linux: raw system calls, so that nothing depends on a thread-local errno.

const std = @import("std");
const linux = std.os.linux;
const sys = @import("../sys.zig");

pub const E = linux.E;

pub const signal_kill: u32 = @intFromEnum(linux.SIG.KILL);
pub const signal_term: u32 = @intFromEnum(linux.SIG.TERM);
pub const signal_cont: u32 = @intFromEnum(linux.SIG.CONT);

fn result(rc: usize) i32 {
    return @intCast(@as(isize, @bitCast(rc)));
}

fn long(rc: usize) i64 {
    return @as(isize, @bitCast(rc));
}

/// Retry what a signal interrupted.
fn again(rc: usize) bool {
    return linux.errno(rc) == .INTR;
}

pub fn open(path: [*:0]const u8, flags: sys.OpenFlags, mode: u32) i32 {
    while (true) {
        const rc = linux.open(path, .{
            .ACCMODE = if (flags.read_write) .RDWR else if (flags.write) .WRONLY else .RDONLY,
            .APPEND = flags.append,
            .CREAT = flags.create,
            .EXCL = flags.exclusive,
            .TRUNC = flags.truncate,
            .NOFOLLOW = flags.no_follow,
            .NONBLOCK = flags.nonblock,
            .DIRECTORY = flags.directory,
            .CLOEXEC = true,
        }, mode);
        if (!again(rc)) return result(rc);
    }
}

pub fn close(fd: i32) void {
    // EINTR closes on Linux as well; nothing else can be done about any error.
    _ = linux.close(fd);
}

pub fn read(fd: i32, buffer: []u8) i64 {
    while (true) {
        const rc = linux.read(fd, buffer.ptr, buffer.len);
        if (!again(rc)) return long(rc);
    }
}

pub fn write(fd: i32, bytes: []const u8) i64 {
    while (true) {
        const rc = linux.write(fd, bytes.ptr, bytes.len);
        if (!again(rc)) return long(rc);
    }
}

pub fn pread(fd: i32, buffer: []u8, offset: u64) i64 {
    while (true) {
        const rc = linux.pread(fd, buffer.ptr, buffer.len, @intCast(offset));
        if (!again(rc)) return long(rc);
    }
}

pub fn pwrite(fd: i32, bytes: []const u8, offset: u64) i64 {
    while (true) {
        const rc = linux.pwrite(fd, bytes.ptr, bytes.len, @intCast(offset));
        if (!again(rc)) return long(rc);
    }
}

pub fn seek_end(fd: i32) i64 {
    return long(linux.lseek(fd, 0, linux.SEEK.END));
}

pub const Stat = struct { size: u64, inode: u64, device: u64, links: u64, is_fifo: bool, is_regular: bool };

fn statx(dirfd: i32, path: [*:0]const u8, flags: u32, out: *Stat) i32 {
    var raw: linux.Statx = undefined;
    const rc = linux.statx(dirfd, path, flags, .{ .TYPE = true, .MODE = true, .INO = true, .SIZE = true, .NLINK = true }, &raw);
    if (linux.errno(rc) != .SUCCESS) return result(rc);
    const kind = raw.mode & linux.S.IFMT;
    out.* = .{
        .size = raw.size,
        .inode = raw.ino,
        .device = (@as(u64, raw.dev_major) << 32) | raw.dev_minor,
        .links = raw.nlink,
        .is_fifo = kind == linux.S.IFIFO,
        .is_regular = kind == linux.S.IFREG,
    };
    return 0;
}

pub fn stat_fd(fd: i32, out: *Stat) i32 {
    return statx(fd, "", linux.AT.EMPTY_PATH, out);
}

/// Of the name itself: a symbolic link is not followed.
pub fn stat_path(path: [*:0]const u8, out: *Stat) i32 {
    return statx(linux.AT.FDCWD, path, linux.AT.SYMLINK_NOFOLLOW, out);
}

pub fn rename(old: [*:0]const u8, new: [*:0]const u8) i32 {
    return result(linux.rename(old, new));
}

/// Each gets the other's name; both must be there.
pub fn exchange(one: [*:0]const u8, other: [*:0]const u8) i32 {
    return result(linux.renameat2(linux.AT.FDCWD, one, linux.AT.FDCWD, other, .{ .EXCHANGE = true }));
}

pub fn link(old: [*:0]const u8, new: [*:0]const u8) i32 {
    return result(linux.link(old, new));
}

pub fn unlink(path: [*:0]const u8) i32 {
    return result(linux.unlink(path));
}

pub fn mkdir(path: [*:0]const u8, mode: u32) i32 {
    return result(linux.mkdir(path, mode));
}

pub fn mkfifo(path: [*:0]const u8, mode: u32) i32 {
    return result(linux.mknod(path, linux.S.IFIFO | mode, 0));
}

/// A pipe behind one descriptor for both ends, as an opened FIFO is, without a name on any disk.
pub fn nameless_fifo() i32 {
    var ends: [2]i32 = undefined;
    // Waiting or not is for those who read and write; the descriptor below does not share it.
    const rc = pipe(&ends);
    if (rc != 0) return rc;
    defer for (ends) |fd| close(fd);
    var buffer: [32]u8 = undefined;
    const path = std.fmt.bufPrintZ(&buffer, "/proc/self/fd/{d}", .{ends[0]}) catch unreachable; // it has room
    return open(path, .{ .read_write = true, .no_follow = false }, 0);
}

pub fn truncate(fd: i32, size: u64) i32 {
    return result(linux.ftruncate(fd, @intCast(size)));
}

pub fn sync_data(fd: i32) i32 {
    return result(linux.fdatasync(fd));
}

pub fn sync_all(fd: i32) i32 {
    return result(linux.fsync(fd));
}

pub fn accept(listener: i32) i32 {
    while (true) {
        const rc = linux.accept4(listener, null, null, linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK);
        if (!again(rc)) return result(rc);
    }
}

pub fn send(fd: i32, bytes: []const u8) i64 {
    while (true) {
        const rc = linux.sendto(fd, bytes.ptr, bytes.len, linux.MSG.NOSIGNAL | linux.MSG.DONTWAIT, null, 0);
        if (!again(rc)) return long(rc);
    }
}

/// Two parts as one.
pub fn send_two(fd: i32, first: []const u8, second: []const u8) i64 {
    const parts = [2]std.posix.iovec_const{
        .{ .base = first.ptr, .len = first.len },
        .{ .base = second.ptr, .len = second.len },
    };
    const message: linux.msghdr_const = .{
        .name = null,
        .namelen = 0,
        .iov = &parts,
        .iovlen = parts.len,
        .control = null,
        .controllen = 0,
        .flags = 0,
    };
    while (true) {
        const rc = linux.sendmsg(fd, &message, linux.MSG.NOSIGNAL | linux.MSG.DONTWAIT);
        if (!again(rc)) return long(rc);
    }
}

pub fn recv(fd: i32, buffer: []u8) i64 {
    while (true) {
        const rc = linux.recvfrom(fd, buffer.ptr, buffer.len, linux.MSG.DONTWAIT, null, null);
        if (!again(rc)) return long(rc);
    }
}

pub const Peer = struct { uid: u32, pid: i32 };

pub fn peer(fd: i32, out: *Peer) i32 {
    const Ucred = extern struct { pid: i32, uid: u32, gid: u32 };
    var raw: Ucred = undefined;
    var length: linux.socklen_t = @sizeOf(Ucred);
    const rc = linux.getsockopt(fd, linux.SOL.SOCKET, linux.SO.PEERCRED, @ptrCast(&raw), &length);
    if (linux.errno(rc) != .SUCCESS) return result(rc);
    out.* = .{ .uid = raw.uid, .pid = raw.pid };
    return 0;
}

pub fn pipe(out: *[2]i32) i32 {
    return result(linux.pipe2(out, .{ .CLOEXEC = true, .NONBLOCK = true }));
}

/// Zeroed memory that costs nothing until it is touched.
pub fn map(length: usize) ?[]align(std.heap.page_size_min) u8 {
    const rc = linux.mmap(null, length, .{ .READ = true, .WRITE = true }, .{
        .TYPE = .PRIVATE,
        .ANONYMOUS = true,
        .NORESERVE = true,
    }, -1, 0);
    if (linux.errno(rc) != .SUCCESS) return null;
    const pointer: [*]align(std.heap.page_size_min) u8 = @ptrFromInt(rc);
    return pointer[0..length];
}

pub fn unmap(memory: []align(std.heap.page_size_min) u8) void {
    // Fails only for a range that was never mapped: our mistake, which the tests would show.
    _ = linux.munmap(memory.ptr, memory.len);
}

/// Give the pages back; they read as zero afterwards.
pub fn discard_pages(memory: []align(std.heap.page_size_min) u8) void {
    // Only a hint for the size of the process.
    _ = linux.madvise(memory.ptr, memory.len, linux.MADV.DONTNEED);
}

pub fn map_file(fd: i32, length: usize) ?[]align(std.heap.page_size_min) u8 {
    const rc = linux.mmap(null, length, .{ .READ = true, .WRITE = true }, .{ .TYPE = .SHARED }, fd, 0);
    if (linux.errno(rc) != .SUCCESS) return null;
    const pointer: [*]align(std.heap.page_size_min) u8 = @ptrFromInt(rc);
    return pointer[0..length];
}

/// Freed heap, and the program's own pages: they are clean copies of a file that the kernel reads again when needed.
/// Start-up touches most of them and the loop hardly any.
pub fn give_back_memory() void {
    if (@extern(?*const fn (usize) callconv(.c) c_int, .{ .name = "malloc_trim", .linkage = .weak })) |trim| _ = trim(0);
    const first = @extern(?*const u8, .{ .name = "__executable_start", .linkage = .weak }) orelse return;
    const last = @extern(?*const u8, .{ .name = "etext", .linkage = .weak }) orelse return;
    const page = std.heap.pageSize();
    const start = std.mem.alignForward(usize, @intFromPtr(first), page);
    const end = std.mem.alignBackward(usize, @intFromPtr(last), page);
    // Only a hint for the size of the process.
    if (start < end) _ = linux.madvise(@ptrFromInt(start), end - start, linux.MADV.DONTNEED);
}

/// How many bytes wait in a pipe.
pub fn readable_bytes(fd: i32) i32 {
    var count: i32 = 0;
    const rc = linux.ioctl(fd, linux.T.FIONREAD, @intFromPtr(&count));
    if (linux.errno(rc) != .SUCCESS) return result(rc);
    return count;
}

/// Best effort: an unprivileged user has a budget of pipe pages.
pub fn grow_pipe(fd: i32, length: usize) void {
    const F_SETPIPE_SZ = 1031;
    _ = linux.fcntl(fd, F_SETPIPE_SZ, length);
}

pub fn kill(pid: i32, signal: u32) i32 {
    return result(linux.syscall2(.kill, @bitCast(@as(isize, pid)), signal));
}

pub fn effective_uid() u32 {
    return linux.geteuid();
}

pub fn monotonic_ns() u64 {
    return clock(.MONOTONIC);
}

pub fn wall_us() u64 {
    return clock(.REALTIME) / std.time.ns_per_us;
}

fn clock(id: linux.clockid_t) u64 {
    var now: linux.timespec = undefined;
    // Through libc, which knows the way past the kernel (vdso(7)).
    const rc = std.c.clock_gettime(id, &now);
    std.debug.assert(rc == 0);
    return @as(u64, @intCast(now.sec)) * std.time.ns_per_s + @as(u64, @intCast(now.nsec));
}

/// A connected pair of stream sockets; for tests.
pub fn socket_pair(out: *[2]i32) i32 {
    return result(linux.socketpair(linux.AF.UNIX, linux.SOCK.STREAM | linux.SOCK.CLOEXEC | linux.SOCK.NONBLOCK, 0, out));
}

/// For the writer thread: signals are the loop's business.
pub fn block_all_signals() void {
    const all: linux.sigset_t = @splat(std.math.maxInt(c_ulong));
    _ = linux.sigprocmask(linux.SIG.BLOCK, &all, null);
}
