//! macOS has no tee(2): what is peeked is read, and kept here until it is consumed. A process that dies in between loses
//! what it kept, at most one buffer for each FIFO.

const std = @import("std");
const sys = @import("../sys.zig");

const allocator = std.heap.c_allocator;

pub const Peeker = struct {
    /// What was peeked is not in the FIFO any more.
    pub const takes_out = true;
    pub const buffer_bytes = 64 << 10;

    const Kept = struct {
        fifo: i32,
        buffer: []align(std.heap.page_size_min) u8,
        start: usize = 0,
        end: usize = 0,
    };

    kept: std.ArrayListUnmanaged(Kept) = .empty,

    pub fn init() ?Peeker {
        return .{};
    }

    pub fn deinit(peeker: *Peeker) void {
        for (peeker.kept.items) |kept| sys.unmap(kept.buffer);
        peeker.kept.deinit(allocator);
    }

    /// What stands at the head of the FIFO; empty when nothing does. Valid until the next call.
    pub fn peek(peeker: *Peeker, fifo: i32) []const u8 {
        const kept = peeker.of(fifo) orelse return "";
        if (kept.start > 0) {
            std.mem.copyForwards(u8, kept.buffer, kept.buffer[kept.start..kept.end]);
            kept.end -= kept.start;
            kept.start = 0;
        }
        // The FIFO is the child's as well, so it cannot be told not to wait: no more is asked for than is there.
        const there = sys.readable_bytes(fifo);
        const room = kept.buffer.len - kept.end;
        if (there > 0 and room > 0) {
            const n = sys.read(fifo, kept.buffer[kept.end..][0..@min(room, @as(usize, @intCast(there)))]);
            if (n > 0) kept.end += @intCast(n);
        }
        return kept.buffer[0..kept.end];
    }

    /// Let go of this many bytes.
    pub fn consume(peeker: *Peeker, fifo: i32, length: usize) void {
        for (peeker.kept.items, 0..) |*kept, position| {
            if (kept.fifo != fifo) continue;
            kept.start = @min(kept.start +| length, kept.end);
            if (kept.start < kept.end) return;
            sys.unmap(kept.buffer);
            _ = peeker.kept.swapRemove(position);
            return;
        }
    }

    /// Nothing is held while nothing flows.
    pub fn rest(_: *Peeker) void {}

    fn of(peeker: *Peeker, fifo: i32) ?*Kept {
        for (peeker.kept.items) |*kept| {
            if (kept.fifo == fifo) return kept;
        }
        if (sys.readable_bytes(fifo) <= 0) return null;
        const buffer = sys.map(buffer_bytes) orelse return null;
        peeker.kept.append(allocator, .{ .fifo = fifo, .buffer = buffer }) catch {
            sys.unmap(buffer);
            return null;
        };
        return &peeker.kept.items[peeker.kept.items.len - 1];
    }
};
