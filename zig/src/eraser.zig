//! Removes files that nobody needs any more, on a thread of its own that lives only while there are some: freeing the
//! pages of a large log takes milliseconds, in which no app's output should wait.

const std = @import("std");
const sys = @import("sys.zig");

const allocator = std.heap.c_allocator;
const path_max = 4096;
const waiting_max = 4;
const stack_bytes = 512 << 10;

pub const Eraser = struct {
    mutex: std.c.pthread_mutex_t = .{},
    // A ring without allocations: the thread needs no arena of its own.
    paths: *[waiting_max][path_max]u8,
    first: usize = 0,
    count: usize = 0,
    running: bool = false,
    /// The last one, for joining.
    thread: ?std.Thread = null,

    pub fn init() ?Eraser {
        const memory = sys.map(waiting_max * path_max) orelse return null;
        return .{ .paths = @ptrCast(memory.ptr) };
    }

    /// What is waiting is removed first. A thread that hangs in a system call is left behind with its memory.
    pub fn deinit(eraser: *Eraser, give_up_ns: u64) void {
        while (eraser.is_busy()) {
            if (sys.monotonic_ns() > give_up_ns) return eraser.thread.?.detach();
            std.Thread.yield() catch {}; // nothing else to do than to look again
        }
        if (eraser.thread) |thread| thread.join();
        const memory: [*]align(std.heap.page_size_min) u8 = @ptrCast(@alignCast(eraser.paths));
        sys.unmap(memory[0 .. waiting_max * path_max]);
    }

    fn is_busy(eraser: *Eraser) bool {
        eraser.lock();
        defer eraser.unlock();
        return eraser.running;
    }

    /// Soon; at once when too many wait or there can be no thread.
    pub fn erase(eraser: *Eraser, path: [:0]const u8) void {
        if (!eraser.hand_over(path)) _ = sys.unlink(path);
    }

    fn hand_over(eraser: *Eraser, path: [:0]const u8) bool {
        eraser.lock();
        defer eraser.unlock();
        if (eraser.count == waiting_max or path.len >= path_max) return false;
        if (!eraser.running) {
            const config: std.Thread.SpawnConfig = .{ .stack_size = stack_bytes, .allocator = allocator };
            // It is past its last look at us.
            if (eraser.thread) |ended| ended.join();
            eraser.thread = null;
            eraser.thread = std.Thread.spawn(config, run, .{eraser}) catch return false;
            eraser.running = true;
        }
        const slot = &eraser.paths[(eraser.first + eraser.count) % waiting_max];
        @memcpy(slot[0..path.len], path);
        slot[path.len] = 0;
        eraser.count += 1;
        return true;
    }

    fn run(eraser: *Eraser) void {
        sys.block_all_signals();
        while (eraser.next()) |path| {
            // What is gone already need not be removed.
            _ = sys.unlink(path);
            eraser.done();
        }
    }

    /// It keeps its place in the ring until it is done.
    fn next(eraser: *Eraser) ?[*:0]const u8 {
        eraser.lock();
        defer eraser.unlock();
        if (eraser.count == 0) {
            eraser.running = false;
            return null;
        }
        return @ptrCast(&eraser.paths[eraser.first]);
    }

    fn done(eraser: *Eraser) void {
        eraser.lock();
        defer eraser.unlock();
        eraser.first = (eraser.first + 1) % waiting_max;
        eraser.count -= 1;
    }

    fn lock(eraser: *Eraser) void {
        std.debug.assert(std.c.pthread_mutex_lock(&eraser.mutex) == .SUCCESS);
    }

    fn unlock(eraser: *Eraser) void {
        std.debug.assert(std.c.pthread_mutex_unlock(&eraser.mutex) == .SUCCESS);
    }
};

test "everything that is handed over is removed, also more than fits" {
    var folder = std.testing.tmpDir(.{});
    defer folder.cleanup();
    var eraser = Eraser.init().?;
    var buffer: [path_max]u8 = undefined;
    for (0..3 * waiting_max) |number| {
        const path = try std.fmt.bufPrintZ(&buffer, ".zig-cache/tmp/{s}/{d}", .{ folder.sub_path, number });
        const fd = sys.open(path, .{ .write = true, .create = true, .exclusive = true }, sys.mode_private);
        try std.testing.expect(fd >= 0);
        sys.close(fd);
        eraser.erase(path);
    }
    eraser.deinit(std.math.maxInt(u64));
    for (0..3 * waiting_max) |number| {
        const path = try std.fmt.bufPrintZ(&buffer, ".zig-cache/tmp/{s}/{d}", .{ folder.sub_path, number });
        var stat: sys.Stat = undefined;
        try std.testing.expect(sys.is(sys.stat_path(path, &stat), .NOENT));
    }
}
