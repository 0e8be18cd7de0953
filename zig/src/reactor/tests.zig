//! One suite for every poller.

const std = @import("std");
const sys = @import("../sys.zig");
const Source = @import("../source.zig").Source;
const poller_module = @import("../poller.zig");
const Poller = poller_module.Poller;
const Ready = poller_module.Ready;

const testing = std.testing;

fn source(index: u32) u64 {
    return @bitCast(Source{ .kind = .client, .generation = 1, .index = index });
}

test "readable, writable, one-shot, and removed" {
    var poller: Poller = undefined;
    try testing.expectEqual(@as(i32, 0), Poller.init(&poller));
    defer poller.deinit();
    var pair: [2]i32 = undefined;
    try testing.expectEqual(@as(i32, 0), sys.socket_pair(&pair));
    defer for (pair) |fd| sys.close(fd);
    var ready: [8]Ready = undefined;

    try testing.expectEqual(@as(i32, 0), poller.add(pair[0], .{ .read = true, .oneshot = true }, source(5)));
    try testing.expectEqual(@as(usize, 0), poller.wait(0, 0, &ready));
    try testing.expectEqual(@as(i64, 2), sys.write(pair[1], "hi"));
    try testing.expectEqual(@as(usize, 1), poller.wait(std.math.maxInt(u64), 0, &ready));
    try testing.expect(ready[0].readable and ready[0].source == source(5));
    try testing.expectEqual(@as(usize, 0), poller.wait(0, 0, &ready));
    try testing.expectEqual(@as(i32, 0), poller.modify(pair[0], .{ .read = true, .write = true }, source(6)));
    try testing.expectEqual(@as(usize, 1), poller.wait(std.math.maxInt(u64), 0, &ready));
    try testing.expect(ready[0].readable and ready[0].writable and ready[0].source == source(6));
    poller.remove(pair[0]);
    try testing.expectEqual(@as(usize, 0), poller.wait(0, 0, &ready));
}

test "a wake-up before the wait is not lost, and a deadline ends a wait" {
    var poller: Poller = undefined;
    try testing.expectEqual(@as(i32, 0), Poller.init(&poller));
    defer poller.deinit();
    var ready: [8]Ready = undefined;
    try testing.expectEqual(@as(i32, 0), poller.wake());
    try testing.expectEqual(@as(i32, 0), poller.wake());
    try testing.expectEqual(@as(usize, 1), poller.wait(std.math.maxInt(u64), 0, &ready));
    const kind = @as(Source, @bitCast(ready[0].source)).kind;
    try testing.expectEqual(.wake, kind);
    const before = sys.monotonic_ns();
    try testing.expectEqual(@as(usize, 0), poller.wait(before + 3 * std.time.ns_per_ms, before, &ready));
    try testing.expect(sys.monotonic_ns() - before >= 3 * std.time.ns_per_ms);
}
