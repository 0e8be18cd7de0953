//! The reactor with real clients on a Unix socket: whole frames, who they come from, what is bounded, and signals.

const std = @import("std");
const abi = @import("../abi.zig");
const sys = @import("../sys.zig");
const own_pid = @import("../procfs.zig").own_pid;
const Reactor = @import("../reactor.zig").Reactor;
const expect = @import("../scenarios.zig").expect;

const testing = std.testing;
const Address = std.c.sockaddr.un;

/// A reactor that listens, and the way to it.
const House = struct {
    reactor: *Reactor,
    listener: i32,
    path: [64]u8,
    len: usize,

    fn open(name: []const u8, options: abi.Options) !House {
        var house: House = undefined;
        const path = try std.fmt.bufPrintZ(&house.path, "/tmp/velos-zig-{d}-{s}.sock", .{ own_pid(), name });
        house.len = path.len;
        _ = sys.unlink(path);
        house.listener = std.c.socket(std.c.AF.UNIX, std.c.SOCK.STREAM | std.c.SOCK.NONBLOCK, 0);
        try testing.expect(house.listener >= 0);
        const at = address(path);
        try testing.expectEqual(0, std.c.bind(house.listener, @ptrCast(&at), @sizeOf(Address)));
        try testing.expectEqual(0, std.c.listen(house.listener, 8));
        try testing.expectEqual(@as(i32, 0), Reactor.create(options, &house.reactor));
        try testing.expectEqual(@as(i32, 0), house.reactor.ipc.listen(house.listener));
        return house;
    }

    fn close(house: *House) void {
        house.reactor.destroy();
        sys.close(house.listener);
        house.path[house.len] = 0;
        _ = sys.unlink(house.path[0..house.len :0]);
    }

    /// A client that waits when it reads and writes.
    fn visit(house: *House) !i32 {
        const fd = std.c.socket(std.c.AF.UNIX, std.c.SOCK.STREAM, 0);
        const at = address(house.path[0..house.len]);
        try testing.expectEqual(0, std.c.connect(fd, @ptrCast(&at), @sizeOf(Address)));
        return fd;
    }
};

fn address(path: []const u8) Address {
    var at: Address = .{ .family = std.c.AF.UNIX, .path = @splat(0) };
    @memcpy(at.path[0..path.len], path);
    return at;
}

fn say(fd: i32, bytes: []const u8) !void {
    try testing.expectEqual(@as(i64, @intCast(bytes.len)), sys.write(fd, bytes));
}

/// Nothing of this kind comes within some rounds of the loop.
fn is_silent(reactor: *Reactor, kind: abi.Kind) bool {
    for (0..3) |_| {
        var events: [8]abi.Event = undefined;
        const n = reactor.wait(sys.monotonic_ns() + 2 * std.time.ns_per_ms, &events);
        for (events[0..n]) |event| if (event.kind == kind) return false;
    }
    return true;
}

test "frames are whole, however they come, and it is known from whom" {
    var house = try House.open("frames", .{});
    defer house.close();
    const fd = try house.visit();
    defer sys.close(fd);
    const opened = try expect(house.reactor, .ipc_opened);
    try testing.expectEqual(sys.effective_uid(), @as(u32, @bitCast(opened.code)));
    try testing.expectEqual(@as(u64, @intCast(own_pid())), opened.value);
    // Byte by byte, and two at once.
    for ("\x00\x00\x00\x03ab") |byte| {
        try say(fd, &.{byte});
        try testing.expect(is_silent(house.reactor, .ipc_frame));
    }
    try say(fd, "c\x00\x00\x00\x01d\x00\x00\x00\x02e");
    for ([_][]const u8{ "abc", "d" }) |wanted| {
        const frame = try expect(house.reactor, .ipc_frame);
        try testing.expectEqual(opened.token, frame.token);
        try testing.expectEqualStrings(wanted, frame.data.?[0..frame.len]);
    }
    try testing.expectEqual(@as(i32, 0), house.reactor.ipc.send(opened.token, "answer"));
    var buffer: [16]u8 = undefined;
    const n: usize = @intCast(sys.read(fd, &buffer));
    try testing.expectEqualStrings("\x00\x00\x00\x06answer", buffer[0..n]);
    // Half a frame is not waited for: the end of the stream is an error of the client.
    _ = std.c.shutdown(fd, 1);
    const closed = try expect(house.reactor, .ipc_closed);
    try testing.expect(sys.is(closed.code, .PROTO));
    try testing.expect(sys.is(house.reactor.ipc.send(opened.token, "x"), .SRCH));
}

test "lengths that are lies and halves that never end close one client and no other" {
    var house = try House.open("lies", .{ .frame_bytes_max = 1 << 10, .frame_timeout_ms = 5 });
    defer house.close();
    const friend = try house.visit();
    defer sys.close(friend);
    const good = (try expect(house.reactor, .ipc_opened)).token;
    for ([_][]const u8{ "\xff\xff\xff\xff", "\x00\x00\x04\x01", "\x00\x00\x00\x00", "\x00\x00\x00\x09half" }) |bytes| {
        const fd = try house.visit();
        defer sys.close(fd);
        const bad = (try expect(house.reactor, .ipc_opened)).token;
        try say(fd, bytes);
        const closed = try expect(house.reactor, .ipc_closed);
        try testing.expectEqual(bad, closed.token);
        var byte: [1]u8 = undefined;
        try testing.expect(sys.read(fd, &byte) <= 0);
    }
    try say(friend, "\x00\x00\x00\x01x");
    try testing.expectEqual(good, (try expect(house.reactor, .ipc_frame)).token);
}

test "who does not read fills a queue, is refused, and told when there is room" {
    var house = try House.open("queue", .{ .client_queue_bytes_max = 256 << 10 });
    defer house.close();
    const fd = try house.visit();
    defer sys.close(fd);
    const token = (try expect(house.reactor, .ipc_opened)).token;
    const frame: [32 << 10]u8 = @splat('x');
    var sent: usize = 0;
    while (house.reactor.ipc.send(token, &frame) == 0) sent += 1;
    try testing.expect(sent > 8 and sent < 64);
    try testing.expect(sys.is(house.reactor.ipc.offer(token, "later"), .NOBUFS));
    // Everything that was taken arrives, whole and in order.
    var buffer: [32 << 10]u8 = undefined;
    var left = sent * (frame.len + 4);
    var drained = false;
    while (left > 0) {
        left -= @intCast(sys.read(fd, &buffer));
        var events: [4]abi.Event = undefined;
        const n = house.reactor.wait(0, &events);
        for (events[0..n]) |event| drained = drained or event.kind == .ipc_drained;
    }
    if (!drained) _ = try expect(house.reactor, .ipc_drained);
    try testing.expectEqual(@as(i32, 0), house.reactor.ipc.offer(token, "now"));
}

test "signals come as events, with who sent them" {
    var house = try House.open("signals", .{ .signals = 1 << 9 });
    defer house.close();
    const user_one = 10;
    try testing.expectEqual(@as(i32, 0), sys.kill(own_pid(), user_one));
    const event = try expect(house.reactor, .signal);
    try testing.expectEqual(@as(i32, user_one), event.code);
    try testing.expectEqual(@as(u64, @intCast(own_pid())), event.value);
}
