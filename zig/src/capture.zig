//! The loop's side of capture: who has one, what the writer thread answered, and help when it hangs.

const std = @import("std");
const abi = @import("abi.zig");
const sys = @import("sys.zig");
const writer_module = @import("writer.zig");
const EventQueue = @import("event_queue.zig").EventQueue;
const Peeker = @import("capture/fifo.zig").Peeker;
const Poller = @import("poller.zig").Poller;
const Pool = @import("pool.zig").Pool;
const Processes = @import("reap.zig").Processes;
const Capture = writer_module.Capture;
const Completion = writer_module.Completion;
const Writer = writer_module.Writer;

const allocator = std.heap.c_allocator;
/// How often a hanging writer is relieved.
const relief_ns = 250 * std.time.ns_per_ms;

const Entry = struct {
    capture: *Capture,
    open: bool = false,
    closing: bool = false,
};

pub const Captures = struct {
    pool: Pool(Entry),
    events: *EventQueue,
    writer: *Writer,
    completions: std.ArrayListUnmanaged(Completion) = .empty,
    stall_ns: u64,
    check_at_ns: u64 = abi.forever,
    peeker: ?Peeker = null,

    pub fn init(options: abi.Options, events: *EventQueue, writer: *Writer) ?Captures {
        return .{
            .pool = Pool(Entry).init(options.captures_max) orelse return null,
            .events = events,
            .writer = writer,
            .stall_ns = options.write_stall_ms * @as(u64, std.time.ns_per_ms),
        };
    }

    pub fn deinit(self: *Captures) void {
        for (self.pool.slots[0..self.pool.high]) |*slot| {
            if (slot.used) free(slot.value.capture);
        }
        self.completions.deinit(allocator);
        if (self.peeker) |*peeker| peeker.deinit();
        self.pool.deinit();
    }

    pub fn open(self: *Captures, token: u64, spec: *const abi.CaptureSpec) i32 {
        const capture = make(token, spec) orelse return sys.negative(.NOMEM);
        const index = self.pool.add(token, .{ .capture = capture }) orelse {
            free(capture);
            return sys.negative(.NOBUFS);
        };
        const rc = self.writer.submit(.{ .open = capture }, 0);
        if (rc != 0) {
            self.pool.remove(index);
            free(capture);
        }
        return rc;
    }

    fn make(token: u64, spec: *const abi.CaptureSpec) ?*Capture {
        const capture = allocator.create(Capture) catch return null;
        capture.* = .{
            .token = token,
            .streams = undefined,
            .out_fifo = copy(spec.out_fifo) orelse return null,
            .err_fifo = copy(spec.err_fifo) orelse return null,
            .in_fifo = copy(spec.in_fifo),
            .out_log = copy(spec.out_log),
            .err_log = copy(spec.err_log),
            .both_log = copy(spec.both_log),
            .form = null,
            .max_bytes = spec.max_bytes,
            .keep = spec.keep,
            .given = .{ spec.out_fd, spec.err_fd },
            .given_input = spec.in_fd,
        };
        if (spec.json != 0 or spec.stamp != null) {
            capture.form = .{
                .json = spec.json != 0,
                .stamp = copy(spec.stamp orelse "") orelse return null,
                .name = copy(spec.name orelse "") orelse return null,
                .id = spec.id,
            };
        }
        return capture;
    }

    fn copy(path: ?[*:0]const u8) ?[:0]const u8 {
        return allocator.dupeZ(u8, std.mem.span(path orelse return null)) catch null;
    }

    fn free(capture: *Capture) void {
        allocator.free(capture.out_fifo);
        allocator.free(capture.err_fifo);
        if (capture.in_fifo) |path| allocator.free(path);
        if (capture.both_log) |path| allocator.free(path);
        if (capture.form) |form| {
            allocator.free(form.stamp);
            allocator.free(form.name);
        }
        if (capture.out_log) |path| allocator.free(path);
        if (capture.err_log) |path| allocator.free(path);
        allocator.destroy(capture);
    }

    fn find(self: *Captures, token: u64) ?*Entry {
        const index = self.pool.find(token) orelse return null;
        const entry = &self.pool.slots[index].value;
        return if (entry.open and !entry.closing) entry else null;
    }

    /// What a child gets as 0, 1 and 2; -1 for 0 when it has no input.
    pub fn child_fds(self: *Captures, token: u64) ?[3]i32 {
        const entry = self.find(token) orelse return null;
        const capture = entry.capture;
        return .{ capture.input, capture.streams[0].fifo, capture.streams[1].fifo };
    }

    pub fn fd(self: *Captures, token: u64, stream: u32) i32 {
        const fds = self.child_fds(token) orelse return sys.negative(.SRCH);
        return switch (stream) {
            abi.flag.stdin => if (fds[0] >= 0) fds[0] else sys.negative(.NOENT),
            abi.flag.stdout => fds[1],
            else => fds[2],
        };
    }

    pub fn mark_started(self: *Captures, token: u64) void {
        const entry = self.find(token) orelse return;
        for (&entry.capture.streams) |*stream| stream.started.store(true, .release);
    }

    pub fn rotate(self: *Captures, token: u64, request: u64) i32 {
        const entry = self.find(token) orelse return sys.negative(.SRCH);
        return self.writer.submit(.{ .rotate = .{ .capture = entry.capture, .request = request } }, 0);
    }

    pub fn flush(self: *Captures, token: u64, request: u64) i32 {
        const entry = self.find(token) orelse return sys.negative(.SRCH);
        return self.writer.submit(.{ .flush = .{ .capture = entry.capture, .request = request } }, 0);
    }

    pub fn close(self: *Captures, token: u64) i32 {
        const index = self.pool.find(token) orelse return sys.negative(.SRCH);
        const entry = &self.pool.slots[index].value;
        if (entry.closing) return sys.negative(.SRCH);
        entry.closing = true;
        // Still being opened: the answer to that closes it.
        return if (entry.open) self.writer.submit(.{ .close = entry.capture }, 0) else 0;
    }

    pub fn stats(self: *Captures, token: u64, stream: u32, out: *abi.CaptureStats) i32 {
        const entry = self.find(token) orelse return sys.negative(.SRCH);
        out.* = entry.capture.streams[if (stream == abi.flag.stdout) 0 else 1].stats();
        return 0;
    }

    /// Whether all output before now is in the log; if not, `Processes.on_drained(process)` follows.
    pub fn drain(self: *Captures, token: u64, process: u64) bool {
        const entry = self.find(token) orelse return true;
        for (&entry.capture.streams) |*stream| {
            // Busy is looked at first: what the writer has in hand is still in the FIFO until it is in the file.
            const busy = stream.busy.load(.acquire);
            if (!busy and sys.readable_bytes(stream.fifo) <= 0) continue;
            return self.writer.submit(.{ .drain = .{ .capture = entry.capture, .process = process } }, 0) != 0;
        }
        return true;
    }

    /// The writer woke us.
    pub fn on_wake(self: *Captures, processes: *Processes, now_ns: u64) void {
        if (self.writer.watched.load(.acquire) and self.check_at_ns == abi.forever) {
            self.check_at_ns = now_ns + self.stall_ns;
        }
        self.writer.take_completions(&self.completions);
        for (self.completions.items) |completion| switch (completion) {
            .opened => |capture| self.opened(capture),
            .closed => |capture| {
                if (self.pool.find(capture.token)) |index| self.pool.remove(index);
                free(capture);
            },
            .drained => |process| processes.on_drained(process),
            .event => |event| self.events.push(event),
        };
        self.completions.clearRetainingCapacity();
    }

    fn opened(self: *Captures, capture: *Capture) void {
        const index = self.pool.find(capture.token).?;
        const entry = &self.pool.slots[index].value;
        entry.open = capture.rc == 0;
        if (entry.closing and entry.open) {
            _ = self.writer.submit(.{ .close = capture }, 0);
            return;
        }
        self.events.push(.{ .kind = .capture_opened, .token = capture.token, .code = capture.rc });
        if (!entry.open) {
            self.pool.remove(index);
            free(capture);
        }
    }

    pub fn next_deadline(self: *const Captures) u64 {
        return self.check_at_ns;
    }

    /// Look after the writer: asleep again, at work, or hanging.
    pub fn on_deadline(self: *Captures, now_ns: u64) void {
        if (self.check_at_ns > now_ns) return;
        const stall = self.writer.stall(now_ns);
        if (stall >= self.stall_ns) {
            self.relieve();
            self.check_at_ns = now_ns + relief_ns;
        } else if (stall == 0 and now_ns -| self.writer.last_work_ns.load(.monotonic) > writer_module.watch_ns) {
            // The next work wakes us again.
            self.check_at_ns = abi.forever;
            self.writer.watched.store(false, .release);
        } else {
            self.check_at_ns = now_ns + self.stall_ns - @min(stall, self.stall_ns - 1);
        }
    }

    fn relieve(self: *Captures) void {
        if (self.peeker == null) self.peeker = Peeker.init();
        const peeker = if (self.peeker) |*peeker| peeker else return;
        for (self.pool.slots[0..self.pool.high]) |*slot| {
            if (!slot.used or !slot.value.open) continue;
            for (&slot.value.capture.streams) |*stream| stream.relieve(peeker);
        }
        peeker.rest();
    }
};
