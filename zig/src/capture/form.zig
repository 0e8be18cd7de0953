//! Lines that are not stored as they were written: a time before each, or a JSON object of each.

const std = @import("std");
const sys = @import("../sys.zig");

/// The longest time that a form makes; what is longer is cut.
const stamp_max = 96;
/// The longest escape of a byte: `\u0000`.
const escape_max = 6;

const Tm = extern struct {
    sec: c_int,
    min: c_int,
    hour: c_int,
    mday: c_int,
    mon: c_int,
    year: c_int,
    wday: c_int,
    yday: c_int,
    isdst: c_int,
    gmtoff: c_long,
    zone: ?[*:0]const u8,
};
extern "c" fn localtime_r(time: *const i64, out: *Tm) ?*Tm;

pub const Made = struct {
    /// Bytes of the source that are in it.
    consumed: usize,
    len: usize,
};

pub const Form = struct {
    json: bool,
    /// PM2's form of a time (`YYYY-MM-DD HH:mm:ss.SSS Z`); empty: none, and in JSON that of RFC 3339.
    stamp: [:0]const u8,
    /// JSON text of the app's name, without quotes.
    name: [:0]const u8,
    id: u64,

    /// Make as many lines as fit. `inside`: the first continues one that was begun.
    pub fn render(form: *const Form, out: []u8, bytes: []const u8, inside: bool, is_err: bool, wall_us: u64) Made {
        var buffer: [stamp_max]u8 = undefined;
        const rfc3339 = "YYYY-MM-DDTHH:mm:ss.SSSZ";
        const pattern = if (form.json and form.stamp.len == 0) rfc3339 else form.stamp;
        const stamp = write_stamp(&buffer, pattern, wall_us);
        var made: Made = .{ .consumed = 0, .len = 0 };
        var starts_inside = inside;
        while (made.consumed < bytes.len) {
            const rest = bytes[made.consumed..];
            const end = if (std.mem.indexOfScalar(u8, rest, '\n')) |at| at + 1 else rest.len;
            const room = out[made.len..];
            const piece = form.fitting(rest[0..end], room.len, stamp.len) orelse break;
            const n = if (form.json) form.object(room, piece, stamp, is_err) else prefixed(room, piece, stamp, starts_inside);
            made.len += n;
            made.consumed += piece.len;
            starts_inside = piece[piece.len - 1] != '\n';
        }
        return made;
    }

    /// As much of a line as fits; null when that is nothing. Only a line that no buffer holds is cut.
    fn fitting(form: *const Form, line: []const u8, room: usize, stamp: usize) ?[]const u8 {
        const around = stamp + escape_max * stamp_max + form.name.len + 160;
        if (room <= around) return null;
        const factor: usize = if (form.json) escape_max else 1;
        const most = (room - around) / factor;
        if (line.len <= most) return line;
        // The next buffer is empty and holds more.
        return if (most >= 8 << 10) line[0..most] else null;
    }

    fn object(form: *const Form, out: []u8, line: []const u8, stamp: []const u8, is_err: bool) usize {
        var writer: Cursor = .{ .out = out };
        writer.text("{\"message\":\"");
        writer.escaped(std.mem.trimEnd(u8, line, "\n"));
        writer.text("\",\"timestamp\":\"");
        writer.escaped(stamp);
        writer.text(if (is_err) "\",\"type\":\"err\"" else "\",\"type\":\"out\"");
        var number: [20]u8 = undefined;
        writer.text(",\"process_id\":");
        writer.text(std.fmt.bufPrint(&number, "{d}", .{form.id}) catch unreachable);
        writer.text(",\"app_name\":\"");
        writer.text(form.name);
        writer.text("\"}\n");
        return writer.len;
    }
};

fn prefixed(out: []u8, line: []const u8, stamp: []const u8, inside: bool) usize {
    var writer: Cursor = .{ .out = out };
    if (!inside and stamp.len > 0) {
        writer.text(stamp);
        writer.text(": ");
    }
    writer.text(line);
    return writer.len;
}

/// Writes where `fitting` made sure that there is room.
const Cursor = struct {
    out: []u8,
    len: usize = 0,

    fn text(self: *Cursor, bytes: []const u8) void {
        @memcpy(self.out[self.len..][0..bytes.len], bytes);
        self.len += bytes.len;
    }

    /// What is no UTF-8 becomes U+FFFD, as every reader of JSON would refuse it.
    fn escaped(self: *Cursor, bytes: []const u8) void {
        var at: usize = 0;
        while (at < bytes.len) {
            const byte = bytes[at];
            const length: usize = std.unicode.utf8ByteSequenceLength(byte) catch 0;
            if (length == 0 or at + length > bytes.len or !std.unicode.utf8ValidateSlice(bytes[at..][0..length])) {
                self.text("\u{fffd}");
                at += 1;
                continue;
            }
            switch (byte) {
                '"' => self.text("\\\""),
                '\\' => self.text("\\\\"),
                '\t' => self.text("\\t"),
                '\r' => self.text("\\r"),
                0...8, 10...12, 14...0x1f => {
                    var code: [escape_max]u8 = undefined;
                    self.text(std.fmt.bufPrint(&code, "\\u{x:0>4}", .{byte}) catch unreachable);
                },
                else => self.text(bytes[at..][0..length]),
            }
            at += length;
        }
    }
};

/// The tokens of day.js that tell date and time; `[text]` stands for itself, as does everything else.
fn write_stamp(buffer: *[stamp_max]u8, pattern: []const u8, wall_us: u64) []const u8 {
    const seconds: i64 = @intCast(wall_us / std.time.us_per_s);
    var tm: Tm = std.mem.zeroes(Tm);
    _ = localtime_r(&seconds, &tm);
    const offset: i64 = @divTrunc(tm.gmtoff, 60);
    const minutes: u64 = @abs(offset);
    const sign = if (offset < 0) "-" else "+";
    var len: usize = 0;
    var rest = pattern;
    while (rest.len > 0) {
        var piece: [16]u8 = undefined;
        var taken: usize = 1;
        const text: []const u8 = for ([_]struct { []const u8, u8 }{
            .{ "YYYY", 'Y' }, .{ "YY", 'y' },  .{ "MM", 'M' }, .{ "DD", 'D' }, .{ "HH", 'H' },
            .{ "mm", 'm' },   .{ "SSS", 'S' }, .{ "ss", 's' }, .{ "ZZ", 'z' }, .{ "Z", 'Z' },
        }) |token| {
            if (!std.mem.startsWith(u8, rest, token[0])) continue;
            taken = token[0].len;
            break switch (token[1]) {
                'Y' => padded(&piece, @intCast(@max(0, tm.year + 1900)), 4),
                'y' => padded(&piece, @intCast(@mod(tm.year, 100)), 2),
                'M' => padded(&piece, @intCast(tm.mon + 1), 2),
                'D' => padded(&piece, @intCast(tm.mday), 2),
                'H' => padded(&piece, @intCast(tm.hour), 2),
                'm' => padded(&piece, @intCast(tm.min), 2),
                's' => padded(&piece, @intCast(tm.sec), 2),
                'S' => padded(&piece, wall_us / 1000 % 1000, 3),
                'z' => std.fmt.bufPrint(&piece, "{s}{d:0>2}{d:0>2}", .{ sign, minutes / 60, minutes % 60 }) catch "",
                else => std.fmt.bufPrint(&piece, "{s}{d:0>2}:{d:0>2}", .{ sign, minutes / 60, minutes % 60 }) catch "",
            };
        } else blk: {
            const close = if (rest[0] == '[') std.mem.indexOfScalar(u8, rest, ']') else null;
            if (close) |at| {
                taken = at + 1;
                break :blk rest[1..at];
            }
            break :blk rest[0..1];
        };
        if (len + text.len > buffer.len) break;
        @memcpy(buffer[len..][0..text.len], text);
        len += text.len;
        rest = rest[taken..];
    }
    return buffer[0..len];
}

fn padded(buffer: []u8, number: u64, comptime width: usize) []const u8 {
    return std.fmt.bufPrint(buffer, "{d:0>" ++ std.fmt.comptimePrint("{d}", .{width}) ++ "}", .{number}) catch "";
}

test "a time before each line, and none inside one" {
    const form: Form = .{ .json = false, .stamp = "[at] SSS", .name = "", .id = 0 };
    var out: [4096]u8 = undefined;
    const made = form.render(&out, "rest\none\ntwo\nthr", true, false, 5_123_000);
    try std.testing.expectEqual(@as(usize, 16), made.consumed);
    try std.testing.expectEqualStrings("rest\nat 123: one\nat 123: two\nat 123: thr", out[0..made.len]);
    var buffer: [stamp_max]u8 = undefined;
    // Some day, in whatever zone this runs.
    const stamp = write_stamp(&buffer, "YYYY-MM-DDTHH:mm:ss", 1_772_359_503_000_000);
    try std.testing.expect(std.mem.startsWith(u8, stamp, "2026-0") and stamp.len == 19);
    try std.testing.expectEqualStrings("Q?{}", write_stamp(&buffer, "Q?{}", 0));
    try std.testing.expect(write_stamp(&buffer, "x" ** 500, 0).len <= stamp_max);
}

test "an object of each line, whatever is in it" {
    const form: Form = .{ .json = true, .stamp = "SSS", .name = "a\\\"b", .id = 7 };
    var out: [8192]u8 = undefined;
    const made = form.render(&out, "say \"x\"\\\x00\xff\té\n", false, true, 1_000);
    try std.testing.expectEqualStrings(
        "{\"message\":\"say \\\"x\\\"\\\\\\u0000\u{fffd}\\té\",\"timestamp\":\"001\",\"type\":\"err\",\"process_id\":7,\"app_name\":\"a\\\"b\"}\n",
        out[0..made.len],
    );
}

test "what does not fit waits, and a line that never fits is cut" {
    const form: Form = .{ .json = true, .stamp = "", .name = "a", .id = 0 };
    var out: [64 << 10]u8 = undefined;
    const lines = ("x" ** 200 ++ "\n") ** 500;
    const made = form.render(&out, lines, false, false, 0);
    try std.testing.expect(made.consumed > 0 and made.consumed < lines.len and made.consumed % 201 == 0);
    const long: [100_000]u8 = @splat(0);
    const piece = form.render(&out, &long, false, false, 0);
    try std.testing.expect(piece.consumed > 8000 and piece.len <= out.len);
}
