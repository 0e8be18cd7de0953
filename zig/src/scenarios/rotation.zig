//! Logs that grow over their size, and the daemon's own files, written by the writer's thread.

const std = @import("std");
const abi = @import("../abi.zig");
const sys = @import("../sys.zig");
const files = @import("../files.zig");
const scenarios = @import("../scenarios.zig");

const testing = std.testing;

fn read(path: [*:0]const u8, buffer: []u8) ![]const u8 {
    const fd = sys.open(path, .{}, 0);
    if (fd < 0) return error.NotThere;
    defer sys.close(fd);
    return buffer[0..@intCast(sys.read(fd, buffer))];
}

test "a log is rotated by size, no line is cut or lost, and old segments go" {
    var folder = testing.tmpDir(.{});
    defer folder.cleanup();
    var place: [64]u8 = undefined;
    const home = try std.fmt.bufPrint(&place, ".zig-cache/tmp/{s}", .{folder.sub_path});
    const reactor = try scenarios.create();
    defer reactor.destroy();
    var names: [5][96]u8 = undefined;
    const log = try std.fmt.bufPrintZ(&names[0], "{s}/x.log", .{home});
    const spec: abi.CaptureSpec = .{
        .out_fifo = try std.fmt.bufPrintZ(&names[2], "{s}/x.out", .{home}),
        .err_fifo = try std.fmt.bufPrintZ(&names[3], "{s}/x.err", .{home}),
        .out_log = log,
        .err_log = try std.fmt.bufPrintZ(&names[4], "{s}/x-error.log", .{home}),
        .max_bytes = 4096,
        .keep = 3,
    };
    try testing.expectEqual(@as(i32, 0), reactor.captures.open(9, &spec));
    try testing.expectEqual(@as(i32, 0), (try scenarios.expect(reactor, .capture_opened)).code);
    // Twenty runs of fifty lines of twenty bytes, so that they do not all come at once.
    for (0..20) |run| {
        var text: [160]u8 = undefined;
        const script = try std.fmt.bufPrintZ(&text, "n={d}; while [ $n -lt {d} ]; do printf 'line %014d\\n' $n; n=$((n+1)); done", .{ run * 50, run * 50 + 50 });
        _ = try scenarios.shell(reactor, run + 1, script, 9);
        _ = try scenarios.expect(reactor, .exited);
        try testing.expectEqual(@as(i32, 0), reactor.processes.forget(run + 1));
    }
    var stats: abi.CaptureStats = .{};
    try testing.expectEqual(@as(i32, 0), reactor.captures.stats(9, abi.flag.stdout, &stats));
    try testing.expectEqual(@as(u64, 20_000), stats.bytes);
    try testing.expectEqual(@as(u64, 0), stats.dropped_lines);
    try testing.expect(stats.segment >= 3);
    try testing.expectEqual(@as(i32, 0), reactor.captures.close(9));
    // What is kept follows without a gap up to the last line.
    var buffer: [32 << 10]u8 = undefined;
    var last: ?usize = null;
    var segment: usize = stats.segment -| 3;
    while (segment <= stats.segment) : (segment += 1) {
        const path = if (segment == stats.segment) log else try std.fmt.bufPrintZ(&names[1], "{s}/x.{d}.log", .{ home, segment });
        const text = read(path, &buffer) catch continue;
        var lines = std.mem.tokenizeScalar(u8, text, '\n');
        while (lines.next()) |line| {
            try testing.expectEqual(@as(usize, 19), line.len);
            const number = try std.fmt.parseInt(usize, line[5..], 10);
            if (last) |before| try testing.expectEqual(before + 1, number);
            last = number;
        }
    }
    try testing.expectEqual(@as(?usize, 999), last);
}

test "a file is replaced as a whole and the one before is kept" {
    var folder = testing.tmpDir(.{});
    defer folder.cleanup();
    var place: [64]u8 = undefined;
    const home = try std.fmt.bufPrint(&place, ".zig-cache/tmp/{s}", .{folder.sub_path});
    var names: [2][96]u8 = undefined;
    const path = try std.fmt.bufPrintZ(&names[0], "{s}/state", .{home});
    const older = try std.fmt.bufPrintZ(&names[1], "{s}/state.1", .{home});
    var buffer: [64]u8 = undefined;
    const keep = abi.file_flag.durable | abi.file_flag.keep_older;
    for ([_][]const u8{ "one", "the second", "3" }) |data| {
        try testing.expectEqual(@as(i32, 0), files.run(.{ .operation = .put, .path = path, .data = data, .flags = keep }));
        try testing.expectEqualStrings(data, try read(path, &buffer));
    }
    try testing.expectEqualStrings("3", try read(older, &buffer));
    // What is not durable leaves the durable one alone.
    try testing.expectEqual(@as(i32, 0), files.run(.{ .operation = .put, .path = path, .data = "quick", .flags = abi.file_flag.spare }));
    try testing.expectEqualStrings("quick", try read(path, &buffer));
    try testing.expectEqualStrings("3", try read(older, &buffer));
    // A folder that is not there is an error, and nothing is left of the attempt.
    try testing.expect(sys.is(files.run(.{ .operation = .put, .path = "/nonexistent/x", .data = "x" }), .NOENT));
    for ([_][:0]const u8{ path, older }) |one| {
        try testing.expectEqual(@as(i32, 0), files.run(.{ .operation = .remove, .path = one }));
    }
    try testing.expectError(error.NotThere, read(path, &buffer));
}
