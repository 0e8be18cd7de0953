//! The `.vix` index beside a log: when which bytes were written. Little-endian, see docs/logs.md.

const std = @import("std");
const sys = @import("../sys.zig");

pub const magic = "VLIX0001";
pub const header_bytes = 64;
pub const record_bytes = 32;
/// A record covers at most so many bytes before it is closed.
pub const record_span = 64 << 10;

pub const flag = struct {
    pub const starts_inside: u8 = 1;
    pub const ends_inside: u8 = 2;
    pub const clock_stepped: u8 = 4;
    pub const started: u8 = 8;
    pub const dropped_before: u8 = 16;
    pub const recovered: u8 = 32;
};

pub const Record = struct {
    offset: u64,
    time_us: u64,
    len: u32,
    lines: u32,
    stream: u8,
    flags: u8,

    pub fn encode(record: Record) [record_bytes]u8 {
        var out: [record_bytes]u8 = @splat(0);
        std.mem.writeInt(u64, out[0..8], record.offset, .little);
        std.mem.writeInt(u64, out[8..16], record.time_us, .little);
        std.mem.writeInt(u32, out[16..20], record.len, .little);
        std.mem.writeInt(u32, out[20..24], record.lines, .little);
        out[24] = record.stream;
        out[25] = record.flags;
        std.mem.writeInt(u32, out[28..32], crc(out[0..28]), .little);
        return out;
    }

    pub fn decode(bytes: *const [record_bytes]u8) ?Record {
        if (std.mem.readInt(u32, bytes[28..32], .little) != crc(bytes[0..28])) return null;
        return .{
            .offset = std.mem.readInt(u64, bytes[0..8], .little),
            .time_us = std.mem.readInt(u64, bytes[8..16], .little),
            .len = std.mem.readInt(u32, bytes[16..20], .little),
            .lines = std.mem.readInt(u32, bytes[20..24], .little),
            .stream = bytes[24],
            .flags = bytes[25],
        };
    }
};

pub const Header = struct {
    segment: u64,
    created_us: u64,
    first_line: u64,

    pub fn encode(header: Header) [header_bytes]u8 {
        var out: [header_bytes]u8 = @splat(0);
        @memcpy(out[0..8], magic);
        std.mem.writeInt(u64, out[8..16], header.segment, .little);
        std.mem.writeInt(u64, out[16..24], header.created_us, .little);
        std.mem.writeInt(u64, out[24..32], header.first_line, .little);
        std.mem.writeInt(u32, out[60..64], crc(out[0..60]), .little);
        return out;
    }

    pub fn decode(bytes: *const [header_bytes]u8) ?Header {
        if (!std.mem.eql(u8, bytes[0..8], magic)) return null;
        if (std.mem.readInt(u32, bytes[60..64], .little) != crc(bytes[0..60])) return null;
        return .{
            .segment = std.mem.readInt(u64, bytes[8..16], .little),
            .created_us = std.mem.readInt(u64, bytes[16..24], .little),
            .first_line = std.mem.readInt(u64, bytes[24..32], .little),
        };
    }
};

fn crc(bytes: []const u8) u32 {
    return std.hash.crc.Crc32Iscsi.hash(bytes);
}

pub fn count_lines(bytes: []const u8) u32 {
    const width = 32;
    const newline: @Vector(width, u8) = @splat('\n');
    var total: u32 = 0;
    var rest = bytes;
    while (rest.len >= width) : (rest = rest[width..]) {
        const block: @Vector(width, u8) = rest[0..width].*;
        total += @popCount(@as(u32, @bitCast(block == newline)));
    }
    for (rest) |byte| total += @intFromBool(byte == '\n');
    return total;
}

/// What an index says about a log of this size.
pub const Found = struct {
    header: ?Header,
    /// Where the next record goes.
    end: u64,
    /// How far the log is covered.
    covered: u64,
    lines: u64,
};

/// Walk back over records that are torn or reach beyond the log; `end` says what to cut.
pub fn examine(fd: i32, log_size: u64) Found {
    var found: Found = .{ .header = null, .end = header_bytes, .covered = 0, .lines = 0 };
    var head: [header_bytes]u8 = undefined;
    if (sys.pread(fd, &head, 0) != header_bytes) return found;
    found.header = Header.decode(&head) orelse return found;
    var stat: sys.Stat = undefined;
    if (sys.stat_fd(fd, &stat) != 0 or stat.size < header_bytes) return found;
    var count = (stat.size - header_bytes) / record_bytes;
    while (count > 0) : (count -= 1) {
        const at = header_bytes + (count - 1) * record_bytes;
        var bytes: [record_bytes]u8 = undefined;
        if (sys.pread(fd, &bytes, at) != record_bytes) continue;
        const record = Record.decode(&bytes) orelse continue;
        if (record.offset + record.len > log_size) continue;
        found.end = at + record_bytes;
        found.covered = record.offset + record.len;
        return found;
    }
    return found;
}

test "records and headers survive a round trip and notice a flipped bit" {
    const record: Record = .{ .offset = 7, .time_us = 1_700_000_000_000_000, .len = 9, .lines = 2, .stream = 2, .flags = 8 };
    var bytes = record.encode();
    try std.testing.expectEqual(record, Record.decode(&bytes).?);
    for (0..record_bytes * 8) |bit| {
        var torn = bytes;
        torn[bit / 8] ^= @as(u8, 1) << @intCast(bit % 8);
        try std.testing.expectEqual(null, Record.decode(&torn));
    }
    const header: Header = .{ .segment = 3, .created_us = 5, .first_line = 11 };
    const encoded = header.encode();
    try std.testing.expectEqual(header, Header.decode(&encoded).?);
}

test "the bytes of a record are fixed" {
    const record: Record = .{ .offset = 1, .time_us = 2, .len = 3, .lines = 4, .stream = 1, .flags = 0 };
    const bytes = record.encode();
    const head = [_]u8{ 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0 };
    try std.testing.expectEqualSlices(u8, &head, bytes[0..28]);
    try std.testing.expectEqual(std.hash.crc.Crc32Iscsi.hash(&head), std.mem.readInt(u32, bytes[28..32], .little));
}

test "lines are counted in blocks and in the rest" {
    var text: [1000]u8 = @splat('x');
    var expected: u32 = 0;
    for (0..text.len) |n| {
        if (n % 7 == 0) {
            text[n] = '\n';
            expected += 1;
        }
        try std.testing.expectEqual(expected, count_lines(text[0 .. n + 1]));
    }
}
