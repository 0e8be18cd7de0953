//! Events on their way to the caller of wait: a ring that only the loop thread touches.

const std = @import("std");
const abi = @import("abi.zig");
const sys = @import("sys.zig");

pub const EventQueue = struct {
    pub const capacity = 32 * 1024;
    /// Producers that can wait stop at this, so that exits always find room.
    pub const comfortable = capacity / 2;

    memory: []align(std.heap.page_size_min) u8,
    ring: []abi.Event,
    head: usize = 0,
    count: usize = 0,
    /// Frames among them: their bytes are borrowed until the caller has seen them.
    frames: usize = 0,

    pub fn init() ?EventQueue {
        const memory = sys.map(capacity * @sizeOf(abi.Event)) orelse return null;
        const first: [*]abi.Event = @ptrCast(@alignCast(memory.ptr));
        return .{ .memory = memory, .ring = first[0..capacity] };
    }

    pub fn deinit(queue: *EventQueue) void {
        sys.unmap(queue.memory);
        queue.* = undefined;
    }

    pub fn push(queue: *EventQueue, event: abi.Event) void {
        // Every producer is bounded by a pool or asks has_room first; more would be our mistake.
        std.debug.assert(queue.count < capacity);
        queue.ring[(queue.head + queue.count) % capacity] = event;
        queue.count += 1;
        if (event.kind == .ipc_frame) queue.frames += 1;
    }

    pub fn has_room(queue: *const EventQueue) bool {
        return queue.count < comfortable;
    }

    pub fn take(queue: *EventQueue, out: []abi.Event, at_ns: u64) usize {
        const n = @min(queue.count, out.len);
        for (out[0..n]) |*slot| {
            slot.* = queue.ring[queue.head];
            slot.at_ns = at_ns;
            if (slot.kind == .ipc_frame) queue.frames -= 1;
            queue.head = (queue.head + 1) % capacity;
        }
        queue.count -= n;
        // Start over at the beginning, so that a quiet daemon touches one page only.
        if (queue.count == 0) queue.head = 0;
        return n;
    }
};

test "events come out in order and the ring wraps" {
    var queue = EventQueue.init().?;
    defer queue.deinit();
    var out: [3]abi.Event = undefined;
    var next: u64 = 0;
    for (0..EventQueue.capacity) |n| {
        queue.push(.{ .kind = .woken, .value = n });
        if (n % 2 == 1) {
            try std.testing.expectEqual(@as(usize, 1), queue.take(out[0..1], 7));
            try std.testing.expectEqual(next, out[0].value);
            next += 1;
        }
    }
    while (queue.take(&out, 0) > 0) next += 1;
    try std.testing.expect(next > EventQueue.capacity / 2);
}
