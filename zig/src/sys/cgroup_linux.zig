//! Linux: cgroups of version 2, see cgroups(7). A run's folder is named by its token.

const std = @import("std");
const linux = std.os.linux;
const procfs = @import("../procfs.zig");
const sys = @import("../sys.zig");

const folder: linux.O = .{ .PATH = true, .DIRECTORY = true, .CLOEXEC = true };
/// More processes of one cgroup are not told apart.
const members_max = 4096;

pub const Cgroups = struct {
    /// The folder in which those of the runs are; -1: there are none.
    base: i32 = -1,

    /// The descriptor passes in.
    pub fn settle(self: *Cgroups, fd: i32) i32 {
        if (self.base >= 0) sys.close(self.base);
        self.base = fd;
        return 0;
    }

    pub fn deinit(self: *Cgroups) void {
        if (self.base >= 0) sys.close(self.base);
    }

    /// Make it, or take the one that is there. A descriptor of its folder, or -errno.
    pub fn open(self: Cgroups, token: u64) i32 {
        if (self.base < 0) return sys.negative(.NOENT);
        var path: [64]u8 = undefined;
        const name = path_of(&path, token, "");
        const ready = self.open_at(name, folder);
        if (!sys.is(ready, .NOENT)) return ready;
        const made = linux.mkdirat(self.base, name, 0o755);
        if (linux.errno(made) != .SUCCESS) return sys.negative(linux.errno(made));
        return self.open_at(name, folder);
    }

    /// Put a process there that was started elsewhere.
    pub fn enter(self: Cgroups, token: u64, pid: i32) bool {
        var text: [16]u8 = undefined;
        const number = std.fmt.bufPrint(&text, "{d}", .{pid}) catch return false;
        return self.put(token, "/cgroup.procs", number);
    }

    pub fn exists(self: Cgroups, token: u64) bool {
        if (self.base < 0) return false;
        var path: [64]u8 = undefined;
        const fd = self.open_at(path_of(&path, token, ""), folder);
        if (fd < 0) return false;
        sys.close(fd);
        return true;
    }

    /// Whether anything in it is alive, also in cgroups that the app made below.
    pub fn is_populated(self: Cgroups, token: u64) bool {
        var buffer: [256]u8 = undefined;
        const fd = self.file(token, "/cgroup.events", .RDONLY);
        if (fd < 0) return false;
        defer sys.close(fd);
        const n = sys.read(fd, &buffer);
        return n > 0 and std.mem.indexOf(u8, buffer[0..@intCast(n)], "populated 1") != null;
    }

    /// Processes that are alive in it, but for ourselves and our parent. Returns how many there are in `out`.
    pub fn members(self: Cgroups, token: u64, out: []i32) usize {
        const n = self.read_members(token, out);
        var kept: usize = 0;
        for (out[0..n]) |pid| {
            if (is_ours(pid)) continue;
            out[kept] = pid;
            kept += 1;
        }
        return kept;
    }

    fn read_members(self: Cgroups, token: u64, out: []i32) usize {
        const fd = self.file(token, "/cgroup.procs", .RDONLY);
        if (fd < 0) return 0;
        defer sys.close(fd);
        var buffer: [4096]u8 = undefined;
        var n: usize = 0;
        var pid: i32 = 0;
        while (true) {
            const got = sys.read(fd, &buffer);
            if (got <= 0) return n;
            for (buffer[0..@intCast(got)]) |byte| {
                if (byte >= '0' and byte <= '9') {
                    pid = pid *% 10 +% @as(i32, byte - '0');
                    continue;
                }
                // A process of another namespace is a 0 here.
                if (pid > 0 and n < out.len) {
                    out[n] = pid;
                    n += 1;
                }
                pid = 0;
            }
        }
    }

    /// SIGKILL for all in it at once: not even a fork bomb is faster. Kernels before 5.14 cannot; theirs are swept.
    pub fn kill(self: Cgroups, token: u64) void {
        var pids: [members_max]i32 = undefined;
        const n = self.read_members(token, &pids);
        // Who moved us there wants something else than our end.
        for (pids[0..n]) |pid| if (is_ours(pid)) return;
        _ = self.put(token, "/cgroup.kill", "1");
    }

    /// Its run is over. One that holds something alive stays.
    pub fn remove(self: Cgroups, token: u64) void {
        if (self.base < 0) return;
        var path: [64]u8 = undefined;
        _ = linux.unlinkat(self.base, path_of(&path, token, ""), linux.AT.REMOVEDIR);
    }

    fn put(self: Cgroups, token: u64, name: []const u8, text: []const u8) bool {
        const fd = self.file(token, name, .WRONLY);
        if (fd < 0) return false;
        defer sys.close(fd);
        return sys.write(fd, text) == text.len;
    }

    fn file(self: Cgroups, token: u64, name: []const u8, mode: std.posix.ACCMODE) i32 {
        if (self.base < 0) return sys.negative(.NOENT);
        var path: [64]u8 = undefined;
        return self.open_at(path_of(&path, token, name), .{ .ACCMODE = mode, .CLOEXEC = true });
    }

    fn open_at(self: Cgroups, path: [*:0]const u8, flags: linux.O) i32 {
        return @intCast(@as(isize, @bitCast(linux.openat(self.base, path, flags, 0))));
    }
};

fn is_ours(pid: i32) bool {
    return pid == procfs.own_pid() or pid == procfs.parent_pid();
}

/// Twenty digits and the longest name of a file fit.
fn path_of(buffer: *[64]u8, token: u64, name: []const u8) [*:0]const u8 {
    return (std.fmt.bufPrintZ(buffer, "{d}{s}", .{ token, name }) catch unreachable).ptr;
}

test "without a place there are none" {
    const none: Cgroups = .{};
    var pids: [4]i32 = undefined;
    try std.testing.expect(none.open(1) < 0);
    try std.testing.expect(!none.exists(1) and !none.is_populated(1) and !none.enter(1, 1));
    try std.testing.expectEqual(@as(usize, 0), none.members(1, &pids));
    none.kill(1);
    none.remove(1);
}

test "names" {
    var buffer: [64]u8 = undefined;
    const longest = path_of(&buffer, std.math.maxInt(u64), "/cgroup.events");
    try std.testing.expectEqualStrings("18446744073709551615/cgroup.events", std.mem.span(longest));
}
