//! One output stream of an instance: from its FIFO to its log. The writer thread works it; the loop thread only reads
//! the counters, and takes bytes out itself when the writer hangs.

const std = @import("std");
const abi = @import("../abi.zig");
const sys = @import("../sys.zig");
const index = @import("index.zig");
const journal = @import("journal.zig");
const Form = @import("form.zig").Form;
const LogFile = @import("log_file.zig").LogFile;
const Peeker = @import("fifo.zig").Peeker;

/// A line longer than this is written in pieces.
const piece_bytes = 64 << 10;
/// Batches under this that come at once mean a write per line: look less often.
const small_batch = 32 << 10;
const pace_ns = 700 * std.time.ns_per_us;
/// A flood is looked at when about so much has come: little enough to be still in the cache of the processor.
const paced_batch = 64 << 10;
const pace_min_ns = 100 * std.time.ns_per_us;
const hot_ns = 3 * std.time.ns_per_ms;
const partial_first_ns = 2 * std.time.ns_per_ms;
const partial_max_ns = 128 * std.time.ns_per_ms;
const retry_ns = 100 * std.time.ns_per_ms;
const grown_pipe = 1 << 20;
/// Lines in another form are made in pieces of this size.
const made_bytes = 128 << 10;
/// Turns of one stream before the others have theirs.
const turns_max = 8;

pub const Stream = struct {
    fifo: i32,
    name: u64,
    kind: u8,
    log: ?*LogFile,
    /// Gets what `log` gets.
    both: ?*LogFile = null,
    form: ?*const Form = null,
    has_rotated: bool = false,
    /// Next look by time; forever: the poller tells.
    look_at_ns: u64 = abi.forever,
    pause_ns: u64 = 0,
    partial_since_ns: u64 = 0,
    inside_line: bool = false,
    /// When it was told to wait, and what has come since.
    paced_at_ns: u64 = 0,
    since_pace: u64 = 0,
    last_batch_ns: u64 = 0,
    grown: bool = false,
    /// The poller knows it. While it is paced it does not: each write would pay for a poller that is not asked.
    polled: bool = true,
    started: std.atomic.Value(bool) = .init(false),
    failing_since_ns: u64 = 0,
    told_failure: bool = false,
    /// Lines lost since the last marker.
    owed: std.atomic.Value(u64) = .init(0),
    /// Lines lost that a marker has told of, but no event yet.
    marked: u64 = 0,

    // Shared with the loop thread.
    lock: std.atomic.Value(u32) = .init(0),
    in_flight: usize = 0,
    taken: bool = false,
    busy: std.atomic.Value(bool) = .init(false),
    bytes: std.atomic.Value(u64) = .init(0),
    lines: std.atomic.Value(u64) = .init(0),
    dropped_lines: std.atomic.Value(u64) = .init(0),
    dropped_bytes: std.atomic.Value(u64) = .init(0),
    failure: std.atomic.Value(i32) = .init(0),
    segment: std.atomic.Value(u32) = .init(1),

    pub const Outcome = struct {
        /// Nothing (more) to do now: ask the poller.
        arm: bool = false,
        /// Looked at by time from now on.
        paced: bool = false,
        /// Events for the loop.
        failed: i32 = 0,
        recovered: ?u64 = null,
    };

    pub fn acquire(stream: *Stream) void {
        while (stream.lock.swap(1, .acquire) != 0) std.atomic.spinLoopHint();
    }

    pub fn release(stream: *Stream) void {
        stream.lock.store(0, .release);
    }

    /// Move what is there. `force`: also a line that has no end yet.
    pub fn work(stream: *Stream, writer: anytype, force: bool) Outcome {
        stream.busy.store(true, .release);
        defer stream.busy.store(false, .release);
        var turns: usize = 0;
        while (turns < turns_max) : (turns += 1) {
            const now_ns = sys.monotonic_ns();
            const seen = writer.peeker.peek(stream.fifo);
            if (stream.failing_since_ns != 0 and now_ns - stream.failing_since_ns >= writer.stall_ns) {
                return stream.drop_or_recover(writer, seen, now_ns);
            }
            const marked = stream.mark_loss(writer, now_ns);
            if (marked != 0) return stream.fail(marked, now_ns);
            if (stream.marked > 0) return .{ .recovered = stream.healthy() };
            if (seen.len == 0) return stream.nothing(now_ns);
            const take = stream.portion(seen, force, now_ns, writer.partial_ns) orelse return .{};
            const rc = stream.move(writer, seen[0..take], now_ns);
            if (rc != 0) return stream.fail(rc, now_ns);
            const recovered = stream.healthy();
            if (recovered != null) return .{ .recovered = recovered };
            if (stream.pace(take, now_ns)) return .{ .paced = true };
        }
        // Others first; we are still due.
        stream.look_at_ns = 0;
        return .{};
    }

    fn nothing(stream: *Stream, now_ns: u64) Outcome {
        stream.partial_since_ns = 0;
        if (now_ns - stream.last_batch_ns < hot_ns and stream.last_batch_ns != 0) {
            stream.look_at_ns = now_ns + pace_ns;
            return .{};
        }
        stream.look_at_ns = abi.forever;
        return .{ .arm = true };
    }

    /// How many bytes may go now; null: only the beginning of a line is there.
    fn portion(stream: *Stream, seen: []const u8, force: bool, now_ns: u64, partial_ns: u64) ?usize {
        if (std.mem.lastIndexOfScalar(u8, seen, '\n')) |at| {
            stream.partial_since_ns = 0;
            return at + 1;
        }
        if (seen.len >= piece_bytes or force) return seen.len;
        if (stream.partial_since_ns == 0) {
            stream.partial_since_ns = now_ns;
            stream.pause_ns = partial_first_ns;
        }
        if (now_ns - stream.partial_since_ns >= partial_ns) return seen.len;
        stream.look_at_ns = @min(now_ns + stream.pause_ns, stream.partial_since_ns + partial_ns);
        stream.pause_ns = @min(stream.pause_ns * 2, partial_max_ns);
        return null;
    }

    fn move(stream: *Stream, writer: anytype, bytes: []const u8, now_ns: u64) i32 {
        // What is not stored itself may be in the log of both.
        const log = stream.log orelse stream.both orelse {
            stream.take_out(writer, bytes.len);
            return 0;
        };
        if (stream.form) |form| return stream.move_made(writer, log, form, bytes, now_ns);
        var flags: u8 = 0;
        if (stream.inside_line) flags |= index.flag.starts_inside;
        if (bytes[bytes.len - 1] != '\n') flags |= index.flag.ends_inside;
        if (stream.started.load(.acquire)) flags |= index.flag.started;
        writer.close_sibling_record(log, stream.kind);
        stream.acquire();
        stream.in_flight = bytes.len;
        stream.taken = false;
        stream.release();
        if (writer.journal) |*open_journal| open_journal.begin(stream.name, log.inode, log.size, bytes.len);
        writer.mark_busy(now_ns);
        const before = log.rotated;
        const written = log.append(bytes, stream.kind, flags, now_ns, &writer.clock);
        writer.mark_idle();
        stream.take_out(writer, written.len);
        if (writer.journal) |*open_journal| open_journal.end();
        if (written.len > 0) {
            stream.copy_to_both(writer, bytes[0..written.len], flags, now_ns);
            stream.started.store(false, .release);
            stream.inside_line = bytes[written.len - 1] != '\n';
            stream.partial_since_ns = 0;
            _ = stream.bytes.fetchAdd(written.len, .monotonic);
            _ = stream.lines.fetchAdd(written.lines, .monotonic);
        }
        if (log.rotated != before) stream.note_rotation(log);
        return written.rc;
    }

    fn note_rotation(stream: *Stream, log: *const LogFile) void {
        stream.segment.store(@intCast(log.segment), .monotonic);
        stream.has_rotated = true;
    }

    /// The same for lines that are stored in another form. The journal knows only what is stored as it came, so a
    /// daemon that is killed at the wrong instant may store one batch of these twice. Not inlined: its buffer would be
    /// touched for every batch, also of those that need none.
    noinline fn move_made(
        stream: *Stream,
        writer: anytype,
        log: *LogFile,
        form: *const Form,
        bytes: []const u8,
        now_ns: u64,
    ) i32 {
        var out: [made_bytes]u8 = undefined;
        const made = form.render(&out, bytes, stream.inside_line, stream.kind == 2, sys.wall_us());
        var flags: u8 = 0;
        if (stream.inside_line and !form.json) flags |= index.flag.starts_inside;
        if (out[made.len - 1] != '\n') flags |= index.flag.ends_inside;
        if (stream.started.load(.acquire)) flags |= index.flag.started;
        writer.close_sibling_record(log, stream.kind);
        stream.acquire();
        stream.in_flight = made.consumed;
        stream.taken = false;
        stream.release();
        writer.mark_busy(now_ns);
        const before = log.rotated;
        const written = log.append(out[0..made.len], stream.kind, flags, now_ns, &writer.clock);
        writer.mark_idle();
        const stored = index.count_lines(out[0..written.len]);
        const consumed = if (written.len == made.len) made.consumed else end_of_lines(bytes, stored);
        stream.take_out(writer, consumed);
        if (consumed > 0) {
            stream.copy_to_both(writer, out[0..written.len], flags, now_ns);
            stream.started.store(false, .release);
            stream.inside_line = bytes[consumed - 1] != '\n';
            stream.partial_since_ns = 0;
            _ = stream.bytes.fetchAdd(written.len, .monotonic);
            _ = stream.lines.fetchAdd(index.count_lines(bytes[0..consumed]), .monotonic);
        }
        if (log.rotated != before) stream.note_rotation(log);
        return written.rc;
    }

    /// A log of both that cannot be written keeps nothing from the other.
    fn copy_to_both(stream: *Stream, writer: anytype, bytes: []const u8, flags: u8, now_ns: u64) void {
        const both = stream.both orelse return;
        if (stream.log == null) return;
        writer.mark_busy(now_ns);
        _ = both.append(bytes, stream.kind, flags, now_ns, &writer.clock);
        writer.mark_idle();
    }

    /// What is in the file leaves the FIFO, unless the loop thread has taken it out meanwhile.
    fn take_out(stream: *Stream, writer: anytype, len: usize) void {
        stream.acquire();
        defer stream.release();
        stream.in_flight = 0;
        if (stream.taken) {
            stream.taken = false;
            return;
        }
        writer.peeker.consume(stream.fifo, len);
    }

    fn pace(stream: *Stream, take: usize, now_ns: u64) bool {
        const hot = now_ns - stream.last_batch_ns < hot_ns;
        stream.last_batch_ns = now_ns;
        if (hot and !stream.grown) {
            stream.grown = true;
            sys.grow_pipe(stream.fifo, grown_pipe);
        }
        stream.since_pace += take;
        if (!hot or take >= small_batch) return false;
        // What was long ago tells no rate, and would not fit in the product.
        const elapsed_ns: u64 = @min(now_ns -| stream.paced_at_ns, std.time.ns_per_s);
        const wanted_ns = elapsed_ns * paced_batch / stream.since_pace;
        stream.look_at_ns = now_ns + std.math.clamp(wanted_ns, pace_min_ns, pace_ns);
        stream.paced_at_ns = now_ns;
        stream.since_pace = 0;
        return true;
    }

    fn fail(stream: *Stream, rc: i32, now_ns: u64) Outcome {
        if (stream.failing_since_ns == 0) stream.failing_since_ns = now_ns;
        stream.failure.store(rc, .monotonic);
        stream.look_at_ns = now_ns + retry_ns;
        if (stream.told_failure) return .{};
        stream.told_failure = true;
        return .{ .failed = rc };
    }

    /// A write worked. The number of lines that were lost before it, when some were or a failure was told.
    fn healthy(stream: *Stream) ?u64 {
        if (!stream.told_failure and stream.marked == 0) return null;
        stream.failing_since_ns = 0;
        stream.told_failure = false;
        stream.failure.store(0, .monotonic);
        defer stream.marked = 0;
        return stream.marked;
    }

    /// Where lines are missing a line says how many. 0 when it is written or nothing is missing.
    fn mark_loss(stream: *Stream, writer: anytype, now_ns: u64) i32 {
        const owed = stream.owed.load(.monotonic);
        const log = stream.log orelse return 0;
        if (owed == 0) return 0;
        var buffer: [64]u8 = undefined;
        const before = if (stream.inside_line) "\n" else "";
        const text = std.fmt.bufPrint(&buffer, "{s}[velos] {d} lines dropped\n", .{ before, owed }) catch unreachable;
        writer.mark_busy(now_ns);
        const written = log.append(text, stream.kind, index.flag.dropped_before, now_ns, &writer.clock);
        writer.mark_idle();
        if (written.rc != 0) return written.rc;
        stream.inside_line = false;
        // More may have been lost meanwhile; that is told of by the next one.
        _ = stream.owed.fetchSub(owed, .monotonic);
        stream.marked += owed;
        return 0;
    }

    /// The log has failed for too long: whole lines go, so that the app does not block. Each time we try again first.
    fn drop_or_recover(stream: *Stream, writer: anytype, seen: []const u8, now_ns: u64) Outcome {
        if (stream.owed.load(.monotonic) > 0 and stream.mark_loss(writer, now_ns) == 0) {
            stream.look_at_ns = 0;
            return .{ .recovered = stream.healthy() };
        }
        const end = std.mem.lastIndexOfScalar(u8, seen, '\n');
        const take = if (end) |at| at + 1 else if (seen.len >= piece_bytes) seen.len else 0;
        if (take > 0) {
            stream.count_dropped(seen[0..take]);
            writer.peeker.consume(stream.fifo, take);
        }
        stream.look_at_ns = now_ns + retry_ns;
        return .{};
    }

    fn count_dropped(stream: *Stream, bytes: []const u8) void {
        const lines = @max(index.count_lines(bytes), 1);
        _ = stream.dropped_lines.fetchAdd(lines, .monotonic);
        _ = stream.dropped_bytes.fetchAdd(bytes.len, .monotonic);
        _ = stream.owed.fetchAdd(lines, .monotonic);
    }

    /// Loop thread: the writer hangs. Take out what it is writing (it will be in the file) and drop whole lines after it.
    pub fn relieve(stream: *Stream, peeker: *Peeker) void {
        stream.acquire();
        defer stream.release();
        if (!Peeker.takes_out and stream.in_flight > 0 and !stream.taken) {
            peeker.consume(stream.fifo, stream.in_flight);
            stream.taken = true;
        }
        for (0..turns_max) |_| {
            const seen = peeker.peek(stream.fifo);
            const end = std.mem.lastIndexOfScalar(u8, seen, '\n');
            const whole = if (end) |at| at + 1 else if (seen.len >= piece_bytes) seen.len else 0;
            // The writer cannot go on with the rest of a line that is out of the FIFO.
            const take = if (Peeker.takes_out) seen.len else whole;
            if (take == 0) return;
            stream.count_dropped(seen[0..take]);
            peeker.consume(stream.fifo, take);
        }
    }

    fn end_of_lines(bytes: []const u8, count: usize) usize {
        var at: usize = 0;
        for (0..count) |_| at = (std.mem.indexOfScalarPos(u8, bytes, at, '\n') orelse return bytes.len) + 1;
        return at;
    }

    pub fn stats(stream: *const Stream) abi.CaptureStats {
        // The log is there for as long as its capture is open.
        const position: LogFile.Position = if (stream.log) |log|
            log.position()
        else
            .{ .segment = stream.segment.load(.monotonic), .offset = 0 };
        return .{
            .bytes = stream.bytes.load(.monotonic),
            .lines = stream.lines.load(.monotonic),
            .dropped_lines = stream.dropped_lines.load(.monotonic),
            .dropped_bytes = stream.dropped_bytes.load(.monotonic),
            .@"error" = stream.failure.load(.monotonic),
            .segment = @truncate(position.segment),
            .offset = position.offset,
        };
    }

    pub fn settle_journal(stream: *Stream, open_journal: *journal.Journal, peeker: *Peeker) void {
        const log = stream.log orelse return;
        if (!Peeker.takes_out and log.fd >= 0) open_journal.settle(stream.name, stream.fifo, log.fd, log.inode, log.size, peeker);
    }
};

test "after any time without output the next look is soon" {
    // Years of uptime, and none of them paced yet.
    const now_ns = 30 * 365 * std.time.ns_per_day;
    var stream: Stream = .{ .fifo = -1, .name = 0, .kind = 1, .log = null, .grown = true };
    try std.testing.expect(!stream.pace(100, now_ns));
    try std.testing.expect(stream.pace(100, now_ns + 1));
    try std.testing.expectEqual(now_ns + 1 + pace_ns, stream.look_at_ns);
    // A flood, a millisecond after the last look.
    const later_ns = now_ns + 1 + std.time.ns_per_ms;
    try std.testing.expect(!stream.pace(1 << 20, later_ns));
    try std.testing.expect(stream.pace(100, later_ns + 1));
    try std.testing.expectEqual(later_ns + 1 + pace_min_ns, stream.look_at_ns);
}
