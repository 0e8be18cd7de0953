//! A record that says which bytes are being moved from a FIFO to a log, so that a daemon that is killed between
//! "written" and "taken out" does not leave them in both places. A mapped page of a regular file: it survives us.
//!
//! We use one record at a time. Those of daemons before us stay until their FIFO is opened: others may be opened, and
//! worked, first.

const std = @import("std");
const sys = @import("../sys.zig");
const Peeker = @import("fifo.zig").Peeker;

const Intent = extern struct {
    fifo: u64,
    inode: u64,
    offset: u64,
    len: u64,
    /// Written last when it opens, first when it closes.
    open: u64,
};

/// More daemons than this do not die in a row before the captures of the first are open again.
const slots = 16;

pub const Journal = struct {
    intents: *volatile [slots]Intent,
    /// Ours.
    intent: *volatile Intent,
    memory: []align(std.heap.page_size_min) u8,

    pub fn init(path: [:0]const u8) ?Journal {
        const fd = sys.open(path, .{ .read_write = true, .create = true }, sys.mode_private);
        if (fd < 0) return null;
        defer sys.close(fd);
        if (sys.truncate(fd, std.heap.page_size_min) != 0) return null;
        const memory = sys.map_file(fd, std.heap.page_size_min) orelse return null;
        const intents: *volatile [slots]Intent = @ptrCast(memory.ptr);
        var ours = &intents[0];
        for (intents) |*intent| {
            if (intent.open != 0) continue;
            ours = intent;
            break;
        }
        ours.open = 0;
        return .{ .intents = intents, .intent = ours, .memory = memory };
    }

    pub fn deinit(journal: *Journal) void {
        sys.unmap(journal.memory);
    }

    pub fn begin(journal: *Journal, fifo: u64, inode: u64, offset: u64, len: u64) void {
        journal.intent.fifo = fifo;
        journal.intent.inode = inode;
        journal.intent.offset = offset;
        journal.intent.len = len;
        @atomicStore(u64, @volatileCast(&journal.intent.open), 1, .release);
    }

    pub fn end(journal: *Journal) void {
        @atomicStore(u64, @volatileCast(&journal.intent.open), 0, .release);
    }

    /// What the daemons before us were doing with this FIFO: bytes that are in the log already are taken out.
    pub fn settle(journal: *Journal, fifo: u64, fifo_fd: i32, log_fd: i32, inode: u64, size: u64, peeker: *Peeker) void {
        for (journal.intents) |*slot| {
            const intent = slot.*;
            if (intent.open == 0 or intent.fifo != fifo) continue;
            // It is about what the FIFO held until now, and about nothing later.
            @atomicStore(u64, @volatileCast(&slot.open), 0, .release);
            if (intent.inode == inode) take_out(intent, fifo_fd, log_fd, size, peeker);
        }
    }

    fn take_out(intent: Intent, fifo_fd: i32, log_fd: i32, size: u64, peeker: *Peeker) void {
        if (size <= intent.offset) return;
        const written: usize = @intCast(@min(size - intent.offset, intent.len));
        const head = peeker.peek(fifo_fd);
        if (head.len < written) return;
        var compared: usize = 0;
        var block: [4096]u8 = undefined;
        while (compared < written) {
            const n = sys.pread(log_fd, block[0..@min(block.len, written - compared)], intent.offset + compared);
            if (n <= 0) return;
            const got: usize = @intCast(n);
            if (!std.mem.eql(u8, block[0..got], head[compared..][0..got])) return;
            compared += got;
        }
        peeker.consume(fifo_fd, written);
    }
};

test "what a daemon before us wrote is taken out, also when others are worked first" {
    var buffer: [64]u8 = undefined;
    const path = try std.fmt.bufPrintZ(&buffer, "/tmp/velos-journal-{d}", .{@import("../procfs.zig").own_pid()});
    defer _ = sys.unlink(path);
    var peeker = Peeker.init() orelse return error.NoPeeker;
    defer peeker.deinit();
    if (Peeker.takes_out) return;
    var ends: [2]i32 = undefined;
    try std.testing.expectEqual(@as(i32, 0), sys.pipe(&ends));
    defer for (ends) |fd| sys.close(fd);
    _ = sys.write(ends[1], "one\ntwo\n");
    const log = sys.open(path, .{ .read_write = true, .create = true }, sys.mode_private);
    defer sys.close(log);
    var journal_path: [80]u8 = undefined;
    const file = try std.fmt.bufPrintZ(&journal_path, "{s}.journal", .{path});
    defer _ = sys.unlink(file);
    {
        var killed = Journal.init(file) orelse return error.NoJournal;
        defer killed.deinit();
        killed.begin(7, 99, 0, 4);
        _ = sys.write(log, "one\n");
    }
    var journal = Journal.init(file) orelse return error.NoJournal;
    defer journal.deinit();
    // Another stream comes first.
    journal.settle(8, ends[0], log, 99, 4, &peeker);
    journal.begin(8, 99, 500, 10);
    journal.end();
    journal.settle(7, ends[0], log, 99, 4, &peeker);
    try std.testing.expectEqualStrings("two\n", peeker.peek(ends[0]));
    // Told once.
    journal.settle(7, ends[0], log, 99, 4, &peeker);
    try std.testing.expectEqualStrings("two\n", peeker.peek(ends[0]));
}

pub fn name_of(path: []const u8) u64 {
    return std.hash.Wyhash.hash(0, path);
}
