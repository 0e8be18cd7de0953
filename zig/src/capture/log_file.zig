//! One log file and its index: append, rotate, notice what others did to it. Only the writer thread comes here.

const std = @import("std");
const sys = @import("../sys.zig");
const index = @import("index.zig");
const Eraser = @import("../eraser.zig").Eraser;

/// How often we look whether the name still leads to our file.
const identity_check_ns = 250 * std.time.ns_per_ms;
const path_max = 4096;
/// As many segments may wait to be removed when a daemon is killed.
const left_behind_max = 4;

pub const Clock = struct {
    last_us: u64 = 0,

    /// Wall clock, unique and increasing; `stepped` when the clock went back.
    pub fn stamp(clock: *Clock, stepped: *bool) u64 {
        const now = sys.wall_us();
        stepped.* = now + 1_000_000 < clock.last_us;
        clock.last_us = @max(now, clock.last_us + 1);
        return clock.last_us;
    }
};

pub const Written = struct {
    /// Bytes that are in the file now.
    len: usize,
    /// 0, or why not all are.
    rc: i32,
    /// Ends of lines in them.
    lines: u32 = 0,
};

pub const LogFile = struct {
    path: [:0]const u8,
    references: u32 = 1,
    fd: i32 = -1,
    index_fd: i32 = -1,
    /// It is made when it is needed.
    index_later: bool = false,
    size: u64 = 0,
    index_end: u64 = 0,
    inode: u64 = 0,
    device: u64 = 0,
    segment: u64 = 1,
    lines: u64 = 0,
    max_bytes: u64,
    keep: u32,
    /// Who removes segments that are too old; null: we do.
    eraser: ?*Eraser = null,
    record: ?index.Record = null,
    record_since_ns: u64 = 0,
    checked_ns: u64 = 0,
    dirty_since_ns: u64 = 0,
    rotated: u32 = 0,

    pub fn open(self: *LogFile, clock: *Clock) i32 {
        self.close();
        var fd = sys.open(self.path, .{ .read_write = true, .append = true, .create = true }, sys.mode_private);
        if (sys.is(fd, .NOENT)) {
            // The folder was deleted under us.
            self.make_folder();
            fd = sys.open(self.path, .{ .read_write = true, .append = true, .create = true }, sys.mode_private);
        }
        if (fd < 0) return fd;
        var stat: sys.Stat = undefined;
        const rc = sys.stat_fd(fd, &stat);
        if (rc != 0) {
            sys.close(fd);
            return rc;
        }
        self.fd = fd;
        self.set_size(stat.size);
        self.inode = stat.inode;
        self.device = stat.device;
        if (stat.is_regular) self.open_index(clock);
        return 0;
    }

    fn make_folder(self: *LogFile) void {
        var buffer: [path_max]u8 = undefined;
        const end = std.mem.lastIndexOfScalar(u8, self.path, '/') orelse return;
        const folder = std.fmt.bufPrintZ(&buffer, "{s}", .{self.path[0..end]}) catch return;
        // The open that follows tells why it is not there.
        _ = sys.mkdir(folder, 0o700);
    }

    /// A log without an index still works; readers scan it.
    fn open_index(self: *LogFile, clock: *Clock) void {
        var buffer: [path_max]u8 = undefined;
        const path = std.fmt.bufPrintZ(&buffer, "{s}.vix", .{self.path}) catch return;
        // Most error logs stay empty: the index of a first segment is made with its first bytes.
        const is_later = self.size == 0 and self.segment == 1;
        const fd = sys.open(path, .{ .read_write = true, .create = !is_later }, sys.mode_private);
        self.index_later = is_later and sys.is(fd, .NOENT);
        if (fd < 0) return;
        self.index_fd = fd;
        const found = index.examine(fd, self.size);
        if (found.header) |header| {
            self.set_segment(header.segment);
            self.index_end = found.end;
            // Cut what is torn; a failure leaves garbage that readers recognise.
            _ = sys.truncate(fd, found.end);
            self.recover(found.covered, clock);
        } else {
            self.start_index(clock);
            self.recover(0, clock);
        }
    }

    fn make_index(self: *LogFile, now_us: u64) void {
        self.index_later = false;
        var buffer: [path_max]u8 = undefined;
        const path = std.fmt.bufPrintZ(&buffer, "{s}.vix", .{self.path}) catch return;
        const fd = sys.open(path, .{ .read_write = true, .create = true }, sys.mode_private);
        if (fd < 0) return;
        self.index_fd = fd;
        self.write_header(now_us);
    }

    fn start_index(self: *LogFile, clock: *Clock) void {
        var stepped = false;
        self.write_header(clock.stamp(&stepped));
    }

    fn write_header(self: *LogFile, created_us: u64) void {
        const header: index.Header = .{ .segment = self.segment, .created_us = created_us, .first_line = self.lines };
        _ = sys.truncate(self.index_fd, 0);
        const bytes = header.encode();
        _ = sys.pwrite(self.index_fd, &bytes, 0);
        self.index_end = index.header_bytes;
    }

    /// Bytes that no record covers (the daemon ended before it wrote one): scan them.
    fn recover(self: *LogFile, from: u64, clock: *Clock) void {
        var buffer: [4096]u8 = undefined;
        var offset = from;
        var record: ?index.Record = null;
        while (offset < self.size) {
            const n = sys.pread(self.fd, buffer[0..@min(buffer.len, self.size - offset)], offset);
            if (n <= 0) break;
            const len: usize = @intCast(n);
            if (record == null) {
                var stepped = false;
                record = .{
                    .offset = offset,
                    .time_us = clock.stamp(&stepped),
                    .len = 0,
                    .lines = 0,
                    .stream = 0,
                    .flags = index.flag.recovered,
                };
            }
            record.?.len += @intCast(len);
            record.?.lines += index.count_lines(buffer[0..len]);
            offset += len;
            if (record.?.len >= index.record_span) {
                self.write_record(record.?);
                record = null;
            }
        }
        if (record) |last| self.write_record(last);
    }

    pub const Position = struct { segment: u64, offset: u64 };

    /// How far it is written. The one thing here that the loop thread asks for, while the writer goes on.
    pub fn position(self: *const LogFile) Position {
        while (true) {
            const segment = @atomicLoad(u64, &self.segment, .acquire);
            const offset = @atomicLoad(u64, &self.size, .acquire);
            if (@atomicLoad(u64, &self.segment, .acquire) == segment) return .{ .segment = segment, .offset = offset };
        }
    }

    fn set_size(self: *LogFile, size: u64) void {
        @atomicStore(u64, &self.size, size, .release);
    }

    fn set_segment(self: *LogFile, segment: u64) void {
        @atomicStore(u64, &self.segment, segment, .release);
    }

    pub fn close(self: *LogFile) void {
        self.end_record();
        if (self.fd >= 0) sys.close(self.fd);
        if (self.index_fd >= 0) sys.close(self.index_fd);
        self.fd = -1;
        self.index_fd = -1;
    }

    /// Append whole lines (or a piece of one, as `flags` say).
    pub fn append(self: *LogFile, bytes: []const u8, stream: u8, flags: u8, now_ns: u64, clock: *Clock) Written {
        const ready = self.prepare(bytes.len, now_ns, clock);
        if (ready != 0) return .{ .len = 0, .rc = ready };
        var done: usize = 0;
        var rc: i32 = 0;
        while (done < bytes.len) {
            const n = sys.write(self.fd, bytes[done..]);
            if (n < 0) {
                rc = @intCast(n);
                break;
            }
            done += @intCast(n);
        }
        if (rc != 0) done = self.cut_torn_line(bytes[0..done], flags);
        const lines = index.count_lines(bytes[0..done]);
        if (done > 0) self.note(done, lines, stream, flags, now_ns, clock);
        return .{ .len = done, .rc = rc, .lines = lines };
    }

    /// A full disk took a part: keep whole lines only, as what follows may be dropped. How much is kept.
    fn cut_torn_line(self: *LogFile, written: []const u8, flags: u8) usize {
        const whole = if (std.mem.lastIndexOfScalar(u8, written, '\n')) |at| at + 1 else 0;
        if (whole == written.len) return whole;
        if (whole == 0 and flags & index.flag.starts_inside != 0) return written.len;
        return if (sys.truncate(self.fd, self.size + whole) == 0) whole else written.len;
    }

    fn prepare(self: *LogFile, len: usize, now_ns: u64, clock: *Clock) i32 {
        if (self.fd < 0) {
            const rc = self.open(clock);
            if (rc != 0) return rc;
        }
        if (now_ns - self.checked_ns >= identity_check_ns) {
            self.checked_ns = now_ns;
            const rc = self.check_identity(clock);
            if (rc != 0) return rc;
        }
        // A piece of a line goes where the line began.
        const inside = if (self.record) |record| record.flags & index.flag.ends_inside != 0 else false;
        if (self.max_bytes > 0 and self.size > 0 and self.size + len > self.max_bytes and !inside) {
            return self.rotate(clock);
        }
        return 0;
    }

    /// Renamed, deleted or truncated by somebody else: go on in a new file, or at the new end.
    fn check_identity(self: *LogFile, clock: *Clock) i32 {
        var stat: sys.Stat = undefined;
        if (sys.stat_path(self.path, &stat) != 0 or stat.inode != self.inode or stat.device != self.device) {
            return self.open(clock);
        }
        if (stat.size < self.size) {
            self.record = null;
            self.set_size(stat.size);
            if (self.index_fd >= 0) self.start_index(clock);
            self.recover(0, clock);
        }
        return 0;
    }

    fn note(self: *LogFile, len: usize, lines: u32, stream: u8, flags: u8, now_ns: u64, clock: *Clock) void {
        self.lines += lines;
        if (self.dirty_since_ns == 0) self.dirty_since_ns = now_ns;
        if (self.record) |*open_record| {
            const joins = open_record.stream == stream and flags == 0 and
                open_record.flags & index.flag.ends_inside == 0 and open_record.len + len <= index.record_span;
            if (joins) {
                open_record.len += @intCast(len);
                open_record.lines += lines;
                self.set_size(self.size + len);
                return;
            }
            self.end_record();
        }
        var stepped = false;
        const time_us = clock.stamp(&stepped);
        if (self.index_later) self.make_index(time_us);
        self.record = .{
            .offset = self.size,
            .time_us = time_us,
            .len = @intCast(len),
            .lines = lines,
            .stream = stream,
            .flags = flags | if (stepped) index.flag.clock_stepped else 0,
        };
        self.record_since_ns = now_ns;
        self.set_size(self.size + len);
        if (len >= index.record_span) self.end_record();
    }

    pub fn end_record(self: *LogFile) void {
        const record = self.record orelse return;
        self.record = null;
        self.write_record(record);
    }

    fn write_record(self: *LogFile, record: index.Record) void {
        if (self.index_fd < 0) return;
        const bytes = record.encode();
        // A record that cannot be written is recovered from the log at the next open.
        if (sys.pwrite(self.index_fd, &bytes, self.index_end) == bytes.len) self.index_end += bytes.len;
    }

    pub fn sync(self: *LogFile) void {
        self.dirty_since_ns = 0;
        // The data is in the page cache either way; an error shows again at the next write.
        if (self.fd >= 0) _ = sys.sync_data(self.fd);
    }

    /// Close this segment under its number and begin the next.
    pub fn rotate(self: *LogFile, clock: *Clock) i32 {
        self.end_record();
        var old: [path_max]u8 = undefined;
        var from: [path_max]u8 = undefined;
        var to: [path_max]u8 = undefined;
        var stat: sys.Stat = undefined;
        var target = self.segment_path(&old, self.segment) orelse return sys.negative(.NAMETOOLONG);
        while (sys.stat_path(target, &stat) == 0 or self.is_packed(self.segment)) {
            self.set_segment(self.segment + 1);
            target = self.segment_path(&old, self.segment) orelse return sys.negative(.NAMETOOLONG);
        }
        const rc = sys.rename(self.path, target);
        if (rc != 0 and !sys.is(rc, .NOENT)) return rc;
        const index_from = std.fmt.bufPrintZ(&from, "{s}.vix", .{self.path}) catch return sys.negative(.NAMETOOLONG);
        const index_to = std.fmt.bufPrintZ(&to, "{s}.vix", .{target}) catch return sys.negative(.NAMETOOLONG);
        // A log without its index can still be read.
        _ = sys.rename(index_from, index_to);
        self.remove_old_segments();
        // In this order, so that no position is told that is further than what is there.
        self.set_size(0);
        self.set_segment(self.segment + 1);
        self.rotated +%= 1;
        return self.open(clock);
    }

    fn is_packed(self: *LogFile, segment: u64) bool {
        var buffer: [path_max]u8 = undefined;
        var packed_buffer: [path_max]u8 = undefined;
        var stat: sys.Stat = undefined;
        const path = self.segment_path(&buffer, segment) orelse return false;
        const name = std.fmt.bufPrintZ(&packed_buffer, "{s}.zst", .{path}) catch return false;
        return sys.stat_path(name, &stat) == 0;
    }

    /// Also those before the one that is too old by now: a daemon that was killed may have left them.
    fn remove_old_segments(self: *LogFile) void {
        const newest = self.segment -| self.keep;
        var segment = newest -| left_behind_max;
        while (segment <= newest) : (segment += 1) self.remove_segment(segment, self.eraser);
    }

    fn remove_segment(self: *LogFile, segment: u64, eraser: ?*Eraser) void {
        if (segment == 0) return;
        var buffer: [path_max]u8 = undefined;
        var beside_buffer: [path_max]u8 = undefined;
        const path = self.segment_path(&buffer, segment) orelse return;
        // What is gone already need not be removed.
        inline for (.{ "{s}.vix", "{s}.zst" }) |form| {
            const beside = std.fmt.bufPrintZ(&beside_buffer, form, .{path}) catch return;
            _ = sys.unlink(beside);
        }
        var stat: sys.Stat = undefined;
        if (eraser == null or sys.stat_path(path, &stat) != 0) {
            _ = sys.unlink(path);
        } else {
            eraser.?.erase(path);
        }
    }

    /// `x-out.log` closed as segment 3 is `x-out.3.log`.
    fn segment_path(self: *LogFile, buffer: []u8, segment: u64) ?[:0]const u8 {
        const stem = if (std.mem.endsWith(u8, self.path, ".log")) self.path[0 .. self.path.len - 4] else self.path;
        return std.fmt.bufPrintZ(buffer, "{s}.{d}.log", .{ stem, segment }) catch null;
    }

    /// Empty the log: closed segments go, the live one starts over.
    pub fn flush(self: *LogFile, clock: *Clock) i32 {
        self.record = null;
        var segment = self.segment;
        while (segment > 1 and self.segment - segment <= @as(u64, self.keep) + 1) {
            segment -= 1;
            self.remove_segment(segment, null);
        }
        if (self.fd < 0) return self.open(clock);
        const rc = sys.truncate(self.fd, 0);
        if (rc != 0) return rc;
        self.set_size(0);
        self.lines = 0;
        if (self.index_fd >= 0) self.start_index(clock);
        return 0;
    }
};
