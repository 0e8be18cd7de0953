//! Slots of a fixed number, found by token, each with a generation so that a late notification is recognised.
//! The memory is mapped once and touched only as far as it is used.

const std = @import("std");
const sys = @import("sys.zig");

pub fn Pool(comptime T: type) type {
    return struct {
        const Self = @This();

        pub const Slot = struct {
            token: u64,
            generation: u24,
            used: bool,
            next_free: u32,
            value: T,
        };

        memory: []align(std.heap.page_size_min) u8,
        slots: []Slot,
        /// Slots below this were used at least once; above, the memory is untouched.
        high: u32 = 0,
        free: u32 = none,
        count: u32 = 0,

        const none = std.math.maxInt(u32);

        pub fn init(capacity: u32) ?Self {
            const bytes = std.mem.alignForward(usize, @sizeOf(Slot) * @as(usize, capacity), std.heap.page_size_min);
            const memory = sys.map(bytes) orelse return null;
            const first: [*]Slot = @ptrCast(@alignCast(memory.ptr));
            return .{ .memory = memory, .slots = first[0..capacity] };
        }

        pub fn deinit(pool: *Self) void {
            sys.unmap(pool.memory);
            pool.* = undefined;
        }

        /// The index of a fresh slot, or null when all are taken.
        pub fn add(pool: *Self, token: u64, value: T) ?u32 {
            const index = if (pool.free != none) reuse: {
                const index = pool.free;
                pool.free = pool.slots[index].next_free;
                break :reuse index;
            } else fresh: {
                if (pool.high == pool.slots.len) return null;
                pool.high += 1;
                pool.slots[pool.high - 1].generation = 0;
                break :fresh pool.high - 1;
            };
            const slot = &pool.slots[index];
            slot.* = .{ .token = token, .generation = slot.generation +% 1, .used = true, .next_free = none, .value = value };
            pool.count += 1;
            return index;
        }

        pub fn remove(pool: *Self, index: u32) void {
            const slot = &pool.slots[index];
            std.debug.assert(slot.used);
            slot.used = false;
            slot.next_free = pool.free;
            pool.free = index;
            pool.count -= 1;
        }

        pub fn get(pool: *Self, index: u32, generation: u24) ?*T {
            if (index >= pool.high) return null;
            const slot = &pool.slots[index];
            return if (slot.used and slot.generation == generation) &slot.value else null;
        }

        /// Linear in what is in use: tables here hold tens to a few thousands, and the hot path goes by index.
        pub fn find(pool: *Self, token: u64) ?u32 {
            for (pool.slots[0..pool.high], 0..) |*slot, index| {
                if (slot.used and slot.token == token) return @intCast(index);
            }
            return null;
        }
    };
}

test "slots are reused with a new generation and a full pool says so" {
    var pool = Pool(u32).init(2).?;
    defer pool.deinit();
    const a = pool.add(10, 1).?;
    const generation = pool.slots[a].generation;
    _ = pool.add(11, 2).?;
    try std.testing.expectEqual(null, pool.add(12, 3));
    pool.remove(a);
    try std.testing.expectEqual(null, pool.get(a, generation));
    const b = pool.add(13, 4).?;
    try std.testing.expectEqual(a, b);
    try std.testing.expect(pool.get(b, generation) == null);
    try std.testing.expectEqual(b, pool.find(13).?);
    try std.testing.expectEqual(null, pool.find(10));
}
