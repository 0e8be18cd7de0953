//! The reactor as the daemon uses it, with real processes and files.

const std = @import("std");
const abi = @import("abi.zig");
const sys = @import("sys.zig");
const Reactor = @import("reactor.zig").Reactor;

const testing = std.testing;

pub fn create() !*Reactor {
    var reactor: *Reactor = undefined;
    try testing.expectEqual(@as(i32, 0), Reactor.create(.{ .signals = 1 << 0 }, &reactor));
    return reactor;
}

/// Wait for an event of this kind; others are skipped.
pub fn expect(reactor: *Reactor, kind: abi.Kind) !abi.Event {
    const give_up = sys.monotonic_ns() + 10 * std.time.ns_per_s;
    while (sys.monotonic_ns() < give_up) {
        var events: [1]abi.Event = undefined;
        const n = reactor.wait(give_up, &events);
        if (n == 1 and events[0].kind == kind) return events[0];
    }
    return error.TimedOut;
}

pub fn shell(reactor: *Reactor, token: u64, script: [*:0]const u8, capture: u64) !abi.Spawned {
    const argv = [_:null]?[*:0]const u8{ "sh", "-c", script };
    const envp = [_:null]?[*:0]const u8{"PATH=/usr/bin:/bin"};
    const spec: abi.SpawnSpec = .{ .path = "/bin/sh", .argv = &argv, .envp = &envp, .cwd = "/", .capture = capture };
    var out: abi.Spawned = .{};
    try testing.expectEqual(@as(i32, 0), reactor.processes.start(token, &spec, &out));
    return out;
}

test "exit codes and signals arrive once" {
    const reactor = try create();
    defer reactor.destroy();
    _ = try shell(reactor, 1, "exit 7", 0);
    const exited = try expect(reactor, .exited);
    try testing.expectEqual(@as(i32, 7), exited.code);
    try testing.expectEqual(@as(u64, 1), exited.token);
    _ = try shell(reactor, 2, "kill -9 $$", 0);
    const killed = try expect(reactor, .exited);
    try testing.expectEqual(@as(i32, 9), killed.code);
    try testing.expect(killed.flags & abi.flag.exit_signaled != 0);
}

test "a program that is not there fails at exec and leaves nothing" {
    const reactor = try create();
    defer reactor.destroy();
    const argv = [_:null]?[*:0]const u8{"x"};
    const envp = [_:null]?[*:0]const u8{};
    var spec: abi.SpawnSpec = .{ .path = "/nonexistent", .argv = &argv, .envp = &envp };
    var out: abi.Spawned = .{};
    try testing.expect(sys.is(reactor.processes.start(1, &spec, &out), .NOENT));
    try testing.expectEqual(abi.Stage.exec, out.stage);
    spec.path = "/bin/sh";
    spec.cwd = "/nonexistent";
    try testing.expect(sys.is(reactor.processes.start(2, &spec, &out), .NOENT));
    try testing.expectEqual(abi.Stage.cwd, out.stage);
}

test "output is in the log when the exit is told, and a tree is killed with its strays" {
    var place = testing.tmpDir(.{});
    defer place.cleanup();
    var path: [64]u8 = undefined;
    const folder = try std.fmt.bufPrint(&path, ".zig-cache/tmp/{s}", .{place.sub_path});
    const reactor = try create();
    defer reactor.destroy();
    var names: [5][96]u8 = undefined;
    const spec: abi.CaptureSpec = .{
        .out_fifo = try std.fmt.bufPrintZ(&names[0], "{s}/x.out", .{folder}),
        .err_fifo = try std.fmt.bufPrintZ(&names[1], "{s}/x.err", .{folder}),
        .in_fifo = try std.fmt.bufPrintZ(&names[4], "{s}/x.in", .{folder}),
        .out_log = try std.fmt.bufPrintZ(&names[2], "{s}/x-out.log", .{folder}),
        .err_log = try std.fmt.bufPrintZ(&names[3], "{s}/x-error.log", .{folder}),
    };
    try testing.expectEqual(@as(i32, 0), reactor.captures.open(9, &spec));
    try testing.expectEqual(@as(i32, 0), (try expect(reactor, .capture_opened)).code);
    _ = try shell(reactor, 1, "echo one; echo two >&2; printf three", 9);
    _ = try expect(reactor, .exited);
    var stats: abi.CaptureStats = .{};
    try testing.expectEqual(@as(i32, 0), reactor.captures.stats(9, abi.flag.stdout, &stats));
    try testing.expectEqual(@as(u64, 9), stats.bytes);
    var buffer: [64]u8 = undefined;
    const fd = sys.open(spec.out_log.?, .{}, 0);
    defer sys.close(fd);
    const n: usize = @intCast(sys.read(fd, &buffer));
    try testing.expectEqualStrings("one\nthree", buffer[0..n]);

    _ = try shell(reactor, 2, "(setsid sleep 100 &) ; trap '' TERM; sleep 100 & wait", 9);
    _ = reactor.wait(sys.monotonic_ns() + 50 * std.time.ns_per_ms, &[_]abi.Event{});
    try testing.expect(reactor.processes.signal(2, sys.signal_kill, .tree) > 0);
    _ = try expect(reactor, .exited);
    try testing.expectEqual(@as(i32, 0), reactor.processes.tree_watch(2, sys.monotonic_ns()));
    _ = try expect(reactor, .tree_empty);
    _ = sys.write(reactor.captures.fd(9, abi.flag.stdin), "hello\n");
    _ = try shell(reactor, 3, "read word; echo got $word", 9);
    _ = try expect(reactor, .exited);
    const more: usize = @intCast(sys.read(fd, &buffer));
    try testing.expectEqualStrings("got hello\n", buffer[0..more]);
    try testing.expectEqual(@as(i32, 0), reactor.captures.close(9));
}
