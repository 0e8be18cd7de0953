//! The one writer thread: it owns every regular file, and moves output from FIFOs to logs.
//!
//! Requests come through a bounded queue, FIFOs through a poller of its own; what the loop thread must know goes back as
//! completions and a wake-up. While nothing flows it sleeps without a time-out.

const std = @import("std");
const abi = @import("abi.zig");
const sys = @import("sys.zig");
const fifo = @import("capture/fifo.zig");
const files = @import("files.zig");
const journal_module = @import("capture/journal.zig");
const Clock = @import("capture/log_file.zig").Clock;
const Eraser = @import("eraser.zig").Eraser;
const Form = @import("capture/form.zig").Form;
const Interest = @import("poller.zig").Interest;
const LogFile = @import("capture/log_file.zig").LogFile;
const Poller = @import("poller.zig").Poller;
const Ready = @import("poller.zig").Ready;
const Source = @import("source.zig").Source;
const Stream = @import("capture/stream.zig").Stream;

const allocator = std.heap.c_allocator;
const stack_bytes = 1 << 20;
/// Requests waiting, and the bytes in them.
const queue_max = 16 * 1024;
const queue_bytes_max = 64 << 20;
const completions_max = 16 * 1024;
/// The buffer's pages go back after this long without output.
const rest_ns = std.time.ns_per_s;
/// Rotations of a flood are told together, at most so often.
const tell_ns = std.time.ns_per_s;
/// The loop watches over us from the first work until so long after the last.
pub const watch_ns = 5 * std.time.ns_per_s;

pub const Capture = struct {
    token: u64,
    streams: [2]Stream,
    out_fifo: [:0]const u8,
    err_fifo: [:0]const u8,
    in_fifo: ?[:0]const u8,
    /// The open end of `in_fifo`, or -1.
    input: i32 = -1,
    out_log: ?[:0]const u8,
    err_log: ?[:0]const u8,
    both_log: ?[:0]const u8,
    form: ?Form,
    max_bytes: u64,
    keep: u32,
    /// Descriptors from an earlier daemon, or -1.
    given: [2]i32,
    given_input: i32,
    rc: i32 = 0,
};

pub const Request = union(enum) {
    open: *Capture,
    close: *Capture,
    rotate: struct { capture: *Capture, request: u64 },
    flush: struct { capture: *Capture, request: u64 },
    drain: struct { capture: *Capture, process: u64 },
    file: files.Job,
    stop,
};

pub const Completion = union(enum) {
    opened: *Capture,
    closed: *Capture,
    drained: u64,
    event: abi.Event,
};

pub const Writer = struct {
    poller: Poller,
    loop: *const Poller,
    thread: ?std.Thread = null,
    mutex: std.c.pthread_mutex_t = .{},
    requests: std.ArrayListUnmanaged(Request) = .empty,
    request_bytes: usize = 0,
    completions: std.ArrayListUnmanaged(Completion) = .empty,
    busy_since_ns: std.atomic.Value(u64) = .init(0),
    /// Work is going on or was a moment ago; the loop looks after us while it is set.
    watched: std.atomic.Value(bool) = .init(false),
    last_work_ns: std.atomic.Value(u64) = .init(0),

    // The thread's own.
    peeker: fifo.Peeker,
    eraser: ?Eraser = null,
    clock: Clock = .{},
    journal: ?journal_module.Journal = null,
    captures: std.ArrayListUnmanaged(*Capture) = .empty,
    logs: std.ArrayListUnmanaged(*LogFile) = .empty,
    stall_ns: u64,
    index_ns: u64,
    partial_ns: u64,
    sync_ns: u64,
    buffer_touched: bool = false,
    told_ns: u64 = 0,
    /// A completion for which the loop was not woken yet.
    untold: bool = false,
    stopping: bool = false,

    pub fn init(writer: *Writer, options: abi.Options, loop: *const Poller) i32 {
        const ms = std.time.ns_per_ms;
        writer.* = .{
            .poller = undefined,
            .loop = loop,
            .peeker = fifo.Peeker.init() orelse return sys.negative(.MFILE),
            .eraser = Eraser.init(),
            .stall_ns = options.write_stall_ms * @as(u64, ms),
            .index_ns = options.index_interval_ms * @as(u64, ms),
            .partial_ns = options.partial_line_ms * @as(u64, ms),
            .sync_ns = options.sync_interval_ms * @as(u64, ms),
        };
        const rc = Poller.init(&writer.poller);
        if (rc != 0) return rc;
        const config: std.Thread.SpawnConfig = .{ .stack_size = stack_bytes, .allocator = allocator };
        writer.thread = std.Thread.spawn(config, run, .{writer}) catch return sys.negative(.AGAIN);
        return 0;
    }

    /// Finish what is queued and end. A thread that hangs in a system call is left behind.
    pub fn deinit(writer: *Writer) void {
        const thread = writer.thread orelse return;
        _ = writer.submit(.stop, 0);
        const give_up = sys.monotonic_ns() + writer.stall_ns;
        while (!@atomicLoad(bool, &writer.stopping, .acquire)) {
            if (sys.monotonic_ns() > give_up) return thread.detach();
            std.Thread.yield() catch {}; // nothing else to do than to look again
        }
        thread.join();
        if (writer.eraser) |*eraser| eraser.deinit(give_up);
        writer.peeker.deinit();
        writer.poller.deinit();
        if (writer.journal) |*file| file.deinit();
        writer.requests.deinit(allocator);
        writer.completions.deinit(allocator);
        writer.captures.deinit(allocator);
        writer.logs.deinit(allocator);
    }

    // ---- loop thread ------------------------------------------------------------------------------

    pub fn submit(writer: *Writer, request: Request, bytes: usize) i32 {
        writer.lock();
        defer writer.unlock();
        const full = writer.requests.items.len >= queue_max or writer.request_bytes + bytes > queue_bytes_max;
        if (full and request != .stop and request != .close) return sys.negative(.NOBUFS);
        writer.requests.append(allocator, request) catch return sys.negative(.NOMEM);
        writer.request_bytes += bytes;
        return writer.poller.wake();
    }

    pub fn submit_file(writer: *Writer, job: files.Job) i32 {
        var owned = job;
        owned.path = allocator.dupeZ(u8, job.path) catch return sys.negative(.NOMEM);
        owned.data = allocator.dupe(u8, job.data) catch {
            allocator.free(owned.path);
            return sys.negative(.NOMEM);
        };
        const rc = writer.submit(.{ .file = owned }, job.data.len);
        if (rc != 0) {
            allocator.free(owned.path);
            allocator.free(owned.data);
        }
        return rc;
    }

    /// Take what is done; the list is the caller's to clear.
    pub fn take_completions(writer: *Writer, into: *std.ArrayListUnmanaged(Completion)) void {
        writer.lock();
        defer writer.unlock();
        std.mem.swap(std.ArrayListUnmanaged(Completion), &writer.completions, into);
    }

    pub fn stall(writer: *const Writer, now_ns: u64) u64 {
        const since = writer.busy_since_ns.load(.acquire);
        return if (since == 0) 0 else now_ns -| since;
    }

    // ---- writer thread ----------------------------------------------------------------------------

    fn run(writer: *Writer) void {
        sys.block_all_signals();
        var ready: [64]Ready = undefined;
        var taken: std.ArrayListUnmanaged(Request) = .empty;
        defer taken.deinit(allocator);
        while (true) {
            writer.take_requests(&taken);
            for (taken.items) |request| {
                if (request == .stop) return writer.finish();
                writer.serve(request);
            }
            taken.clearRetainingCapacity();
            const now_ns = sys.monotonic_ns();
            writer.work_due(now_ns);
            writer.housekeeping(now_ns);
            const n = writer.poller.wait(writer.next_deadline(), sys.monotonic_ns(), &ready);
            for (ready[0..n]) |one| {
                const source: Source = @bitCast(one.source);
                if (source.kind == .stream) writer.stream_ready(source);
            }
        }
    }

    fn take_requests(writer: *Writer, into: *std.ArrayListUnmanaged(Request)) void {
        writer.lock();
        defer writer.unlock();
        std.mem.swap(std.ArrayListUnmanaged(Request), &writer.requests, into);
        writer.request_bytes = 0;
    }

    fn complete(writer: *Writer, completion: Completion) void {
        writer.add_completion(completion);
        writer.untold = false;
        _ = writer.loop.wake();
    }

    fn add_completion(writer: *Writer, completion: Completion) void {
        writer.lock();
        defer writer.unlock();
        // Without memory for a completion the loop would wait for ever: better the guardian starts us anew.
        writer.completions.append(allocator, completion) catch @panic("out of memory for a completion");
    }

    /// Nobody waits for it: the first at once, those that follow together.
    fn complete_soon(writer: *Writer, completion: Completion) void {
        const now_ns = sys.monotonic_ns();
        if (now_ns - writer.told_ns >= tell_ns) {
            writer.told_ns = now_ns;
            return writer.complete(completion);
        }
        writer.add_completion(completion);
        writer.untold = true;
    }

    fn serve(writer: *Writer, request: Request) void {
        writer.mark_busy(sys.monotonic_ns());
        defer writer.mark_idle();
        switch (request) {
            .open => |capture| {
                capture.rc = writer.open_capture(capture);
                writer.complete(.{ .opened = capture });
            },
            .close => |capture| writer.close_capture(capture),
            .rotate => |what| {
                const rc = writer.rotate(what.capture);
                writer.complete(.{ .event = .{ .kind = .file_done, .token = what.request, .code = rc } });
            },
            .flush => |what| {
                var rc: i32 = 0;
                for (&what.capture.streams) |*stream| {
                    if (stream.both) |both| _ = both.flush(&writer.clock);
                    const log = stream.log orelse continue;
                    const flushed = log.flush(&writer.clock);
                    if (flushed != 0) rc = flushed;
                }
                writer.complete(.{ .event = .{ .kind = .file_done, .token = what.request, .code = rc } });
            },
            .drain => |what| {
                for (&what.capture.streams) |*stream| writer.work(what.capture, stream, true);
                writer.complete(.{ .drained = what.process });
            },
            .file => |job| {
                const rc = files.run(job);
                allocator.free(job.path);
                allocator.free(job.data);
                if (job.token != 0) writer.complete(.{ .event = .{ .kind = .file_done, .token = job.token, .code = rc } });
            },
            .stop => unreachable,
        }
    }

    /// Begin new segments; what is empty stays as it is. The last failure, or 0.
    fn rotate(writer: *Writer, capture: *Capture) i32 {
        var rc: i32 = 0;
        for (&capture.streams) |*stream| {
            if (stream.both) |both| if (both.size > 0 and stream.kind == 1) {
                const turned = both.rotate(&writer.clock);
                if (turned != 0) rc = turned;
            };
            const log = stream.log orelse continue;
            if (log.size == 0) continue;
            const segment = log.segment;
            const turned = log.rotate(&writer.clock);
            if (turned != 0) {
                rc = turned;
                continue;
            }
            stream.segment.store(@intCast(log.segment), .monotonic);
            writer.complete(rotated(capture, stream, segment));
        }
        return rc;
    }

    fn open_capture(writer: *Writer, capture: *Capture) i32 {
        writer.open_journal(capture.out_fifo);
        const fifos = [2][:0]const u8{ capture.out_fifo, capture.err_fifo };
        const logs = [2]?[:0]const u8{ capture.out_log, capture.err_log };
        for (&capture.streams, fifos, logs, capture.given, 0..) |*stream, path, log, given, position| {
            const fd = if (given >= 0) given else fifo.open(path);
            if (fd < 0) {
                writer.undo_open(capture, position);
                return fd;
            }
            stream.* = .{ .fifo = fd, .name = journal_module.name_of(path), .kind = @intCast(position + 1), .log = null };
            for ([2]?[:0]const u8{ log, capture.both_log }, [2]*?*LogFile{ &stream.log, &stream.both }) |wanted, into| {
                const name = wanted orelse continue;
                const rc = writer.open_log(into, name, capture);
                if (rc != 0) {
                    writer.undo_open(capture, position + 1);
                    return rc;
                }
            }
            if (stream.log) |opened| stream.segment.store(@intCast(opened.segment), .monotonic);
            if (capture.form) |*form| stream.form = form;
            if (writer.journal) |*file| stream.settle_journal(file, &writer.peeker);
            stream.look_at_ns = 0;
        }
        if (capture.in_fifo) |path| {
            capture.input = if (capture.given_input >= 0) capture.given_input else fifo.open(path);
            if (capture.input < 0) {
                const rc = capture.input;
                writer.undo_open(capture, capture.streams.len);
                return rc;
            }
        }
        writer.captures.append(allocator, capture) catch {
            writer.undo_open(capture, capture.streams.len);
            return sys.negative(.NOMEM);
        };
        for (&capture.streams, 0..) |*stream, position| {
            const source = writer.source_of(writer.captures.items.len - 1, position);
            const rc = writer.poller.add(stream.fifo, .{ .oneshot = true }, source);
            if (rc != 0) {
                _ = writer.captures.pop();
                writer.undo_open(capture, capture.streams.len);
                return rc;
            }
        }
        return 0;
    }

    fn undo_open(writer: *Writer, capture: *Capture, streams: usize) void {
        for (capture.streams[0..streams]) |*stream| {
            writer.poller.remove(stream.fifo);
            // What is kept of it must not show up under the next FIFO of this number.
            if (fifo.Peeker.takes_out) writer.peeker.consume(stream.fifo, std.math.maxInt(usize));
            sys.close(stream.fifo);
            if (stream.log) |log| writer.release_log(log);
            if (stream.both) |log| writer.release_log(log);
        }
        if (capture.input >= 0) sys.close(capture.input);
        capture.input = -1;
    }

    fn open_journal(writer: *Writer, beside: [:0]const u8) void {
        if (writer.journal != null) return;
        var buffer: [4096]u8 = undefined;
        const end = std.mem.lastIndexOfScalar(u8, beside, '/') orelse return;
        const path = std.fmt.bufPrintZ(&buffer, "{s}/capture.journal", .{beside[0..end]}) catch return;
        // Without it a daemon killed at the wrong instant may write one batch twice; nothing is lost.
        writer.journal = journal_module.Journal.init(path);
    }

    fn open_log(writer: *Writer, into: *?*LogFile, path: [:0]const u8, capture: *const Capture) i32 {
        for (writer.logs.items) |log| {
            if (!std.mem.eql(u8, log.path, path)) continue;
            log.references += 1;
            into.* = log;
            return 0;
        }
        const log = allocator.create(LogFile) catch return sys.negative(.NOMEM);
        log.* = .{ .path = path, .max_bytes = capture.max_bytes, .keep = capture.keep };
        if (writer.eraser) |*eraser| log.eraser = eraser;
        log.path = allocator.dupeZ(u8, path) catch {
            allocator.destroy(log);
            return sys.negative(.NOMEM);
        };
        const rc = log.open(&writer.clock);
        if (rc != 0 and !is_passing(rc)) {
            allocator.free(log.path);
            allocator.destroy(log);
            return rc;
        }
        writer.logs.append(allocator, log) catch return sys.negative(.NOMEM);
        into.* = log;
        return 0;
    }

    /// A full or read-only disk must not keep an app from starting: its output waits, then is counted.
    fn is_passing(rc: i32) bool {
        return sys.is(rc, .NOSPC) or sys.is(rc, .ROFS) or sys.is(rc, .DQUOT) or sys.is(rc, .IO);
    }

    fn release_log(writer: *Writer, log: *LogFile) void {
        log.references -= 1;
        if (log.references > 0) return;
        for (writer.logs.items, 0..) |candidate, position| {
            if (candidate != log) continue;
            _ = writer.logs.swapRemove(position);
            break;
        }
        log.close();
        allocator.free(log.path);
        allocator.destroy(log);
    }

    fn close_capture(writer: *Writer, capture: *Capture) void {
        for (&capture.streams) |*stream| writer.work(capture, stream, true);
        for (writer.captures.items, 0..) |candidate, position| {
            if (candidate != capture) continue;
            _ = writer.captures.swapRemove(position);
            // The one that moved here is known to the poller under its old place.
            if (position < writer.captures.items.len) writer.arm_all(position);
            break;
        }
        writer.undo_open(capture, capture.streams.len);
        // A FIFO that is gone already need not be removed.
        _ = sys.unlink(capture.out_fifo);
        _ = sys.unlink(capture.err_fifo);
        if (capture.in_fifo) |path| _ = sys.unlink(path);
        writer.complete(.{ .closed = capture });
    }

    fn source_of(_: *const Writer, capture: usize, stream: usize) u64 {
        return @bitCast(Source{ .kind = .stream, .generation = 0, .index = @intCast(capture * 2 + stream) });
    }

    fn arm_all(writer: *Writer, position: usize) void {
        for (&writer.captures.items[position].streams) |*stream| stream.look_at_ns = 0;
    }

    fn stream_ready(writer: *Writer, source: Source) void {
        const position = source.index / 2;
        if (position >= writer.captures.items.len) return;
        const capture = writer.captures.items[position];
        writer.work(capture, &capture.streams[source.index % 2], false);
    }

    fn work_due(writer: *Writer, now_ns: u64) void {
        for (writer.captures.items) |capture| {
            for (&capture.streams) |*stream| {
                if (stream.look_at_ns <= now_ns) writer.work(capture, stream, false);
            }
        }
    }

    fn work(writer: *Writer, capture: *Capture, stream: *Stream, force: bool) void {
        writer.buffer_touched = true;
        const outcome = stream.work(writer, force);
        if (outcome.failed != 0) {
            writer.complete(.{ .event = .{ .kind = .capture_failed, .token = capture.token, .code = outcome.failed } });
        }
        if (outcome.recovered) |lines| {
            writer.complete(.{ .event = .{ .kind = .capture_recovered, .token = capture.token, .value = lines } });
            stream.look_at_ns = 0;
        }
        if (stream.has_rotated) {
            stream.has_rotated = false;
            const segment = stream.segment.load(.monotonic) -| 1;
            writer.complete_soon(rotated(capture, stream, segment));
        }
        if (outcome.paced and stream.polled) {
            writer.poller.remove(stream.fifo);
            stream.polled = false;
        }
        if (outcome.arm) writer.arm(capture, stream);
    }

    fn arm(writer: *Writer, capture: *Capture, stream: *Stream) void {
        const position = std.mem.indexOfScalar(*Capture, writer.captures.items, capture) orelse return;
        const source = writer.source_of(position, stream.kind - 1);
        const interest: Interest = .{ .read = true, .oneshot = true };
        const poller = &writer.poller;
        const rc = if (stream.polled) poller.modify(stream.fifo, interest, source) else poller.add(stream.fifo, interest, source);
        if (rc == 0) stream.polled = true else stream.look_at_ns = 0;
    }

    /// Out and err of one app merge by time: a write on one closes the open record of the other.
    pub fn close_sibling_record(writer: *Writer, log: *LogFile, kind: u8) void {
        for (writer.captures.items) |capture| {
            const own = &capture.streams[kind - 1];
            if (own.log != log) continue;
            const sibling = capture.streams[2 - kind].log orelse continue;
            if (sibling != log) sibling.end_record();
        }
    }

    fn next_deadline(writer: *Writer) u64 {
        var next: u64 = abi.forever;
        for (writer.captures.items) |capture| {
            for (&capture.streams) |*stream| next = @min(next, stream.look_at_ns);
        }
        for (writer.logs.items) |log| {
            if (log.record != null) next = @min(next, log.record_since_ns + writer.index_ns);
            if (log.dirty_since_ns != 0) next = @min(next, log.dirty_since_ns + writer.sync_ns);
        }
        if (writer.untold) next = @min(next, writer.told_ns + tell_ns);
        if (writer.buffer_touched) next = @min(next, writer.last_work_ns.load(.monotonic) + rest_ns);
        return next;
    }

    fn housekeeping(writer: *Writer, now_ns: u64) void {
        for (writer.logs.items) |log| {
            if (log.record != null and log.record_since_ns + writer.index_ns <= now_ns) log.end_record();
            if (log.dirty_since_ns != 0 and log.dirty_since_ns + writer.sync_ns <= now_ns) {
                writer.mark_busy(now_ns);
                log.sync();
                writer.mark_idle();
            }
        }
        if (writer.untold and writer.told_ns + tell_ns <= now_ns) {
            writer.untold = false;
            writer.told_ns = now_ns;
            _ = writer.loop.wake();
        }
        if (writer.buffer_touched and writer.last_work_ns.load(.monotonic) + rest_ns <= now_ns) {
            writer.buffer_touched = false;
            writer.peeker.rest();
        }
    }

    pub fn mark_busy(writer: *Writer, now_ns: u64) void {
        writer.last_work_ns.store(now_ns, .monotonic);
        writer.busy_since_ns.store(now_ns, .release);
        if (!writer.watched.swap(true, .acq_rel)) _ = writer.loop.wake();
    }

    pub fn mark_idle(writer: *Writer) void {
        writer.busy_since_ns.store(0, .release);
    }

    /// The last word: everything that can be written is.
    fn finish(writer: *Writer) void {
        for (writer.captures.items) |capture| {
            for (&capture.streams) |*stream| _ = stream.work(writer, false);
        }
        for (writer.logs.items) |log| log.close();
        for (writer.captures.items) |capture| {
            for (&capture.streams) |*stream| sys.close(stream.fifo);
        }
        @atomicStore(bool, &writer.stopping, true, .release);
    }

    fn lock(writer: *Writer) void {
        std.debug.assert(std.c.pthread_mutex_lock(&writer.mutex) == .SUCCESS);
    }

    fn unlock(writer: *Writer) void {
        std.debug.assert(std.c.pthread_mutex_unlock(&writer.mutex) == .SUCCESS);
    }
};

fn rotated(capture: *const Capture, stream: *const Stream, segment: u64) Completion {
    const flags = kind_flag(stream.kind);
    return .{ .event = .{ .kind = .rotated, .token = capture.token, .value = segment, .flags = flags } };
}

pub fn kind_flag(kind: u8) u32 {
    return if (kind == 1) abi.flag.stdout else abi.flag.stderr;
}
