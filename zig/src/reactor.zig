//! The loop: readiness in, a batch of events out. Everything here belongs to the thread that created it.

const std = @import("std");
const abi = @import("abi.zig");
const sys = @import("sys.zig");
const Captures = @import("capture.zig").Captures;
const EventQueue = @import("event_queue.zig").EventQueue;
const Ipc = @import("ipc.zig").Ipc;
const Poller = @import("poller.zig").Poller;
const Processes = @import("reap.zig").Processes;
const Ready = @import("poller.zig").Ready;
const Source = @import("source.zig").Source;
const Writer = @import("writer.zig").Writer;

pub const Reactor = struct {
    thread: std.Thread.Id,
    poller: Poller,
    events: EventQueue,
    writer: Writer,
    captures: Captures,
    processes: Processes,
    ipc: Ipc,

    pub fn create(given: abi.Options, out: **Reactor) i32 {
        const options = given.with_defaults();
        const self = std.heap.c_allocator.create(Reactor) catch return sys.negative(.NOMEM);
        const rc = self.init(options);
        if (rc != 0) std.heap.c_allocator.destroy(self) else out.* = self;
        return rc;
    }

    fn init(self: *Reactor, options: abi.Options) i32 {
        self.thread = std.Thread.getCurrentId();
        var rc = Poller.init(&self.poller);
        if (rc != 0) return rc;
        // Before the writer thread exists, so that it inherits the blocked signals.
        rc = if (options.signals != 0) self.poller.take_signals(options.signals) else 0;
        if (rc != 0) return rc;
        self.events = EventQueue.init() orelse return sys.negative(.NOMEM);
        rc = self.writer.init(options, &self.poller);
        if (rc != 0) return rc;
        self.captures = Captures.init(options, &self.events, &self.writer) orelse return sys.negative(.NOMEM);
        self.processes = Processes.init(options, &self.poller, &self.events, &self.captures) orelse return sys.negative(.NOMEM);
        self.ipc = Ipc.init(options, &self.poller, &self.events) orelse return sys.negative(.NOMEM);
        return 0;
    }

    pub fn destroy(self: *Reactor) void {
        self.assert_thread();
        // Who waits for the end of the connection finds every file written.
        self.writer.deinit();
        self.ipc.deinit();
        self.processes.deinit();
        self.captures.deinit();
        self.events.deinit();
        self.poller.deinit();
        std.heap.c_allocator.destroy(self);
    }

    pub fn assert_thread(self: *const Reactor) void {
        std.debug.assert(self.thread == std.Thread.getCurrentId());
    }

    pub fn wait(self: *Reactor, deadline_ns: u64, out: []abi.Event) usize {
        self.assert_thread();
        self.ipc.release_lent();
        const start_ns = sys.monotonic_ns();
        if (self.events.count > 0) {
            // More happened than the batch before could hold.
            return self.events.take(out, start_ns);
        }
        var ready: [128]Ready = undefined;
        const deadline = @min(deadline_ns, self.next_deadline());
        const n = self.poller.wait(deadline, start_ns, &ready);
        const now_ns = sys.monotonic_ns();
        for (ready[0..n]) |one| self.dispatch(one, now_ns);
        self.ipc.on_deadline(now_ns);
        self.processes.on_deadline(now_ns);
        self.captures.on_deadline(now_ns);
        return self.events.take(out, now_ns);
    }

    fn next_deadline(self: *Reactor) u64 {
        return @min(self.ipc.next_deadline(), @min(self.processes.next_deadline(), self.captures.next_deadline()));
    }

    fn dispatch(self: *Reactor, ready: Ready, now_ns: u64) void {
        const source: Source = @bitCast(ready.source);
        switch (source.kind) {
            .wake => {
                self.captures.on_wake(&self.processes, now_ns);
                self.events.push(.{ .kind = .woken });
            },
            .signal => self.events.push(.{
                .kind = .signal,
                .code = @intCast(ready.signal),
                .value = @intCast(@max(ready.sender, 0)),
            }),
            .listener => self.ipc.on_listener(now_ns),
            .client => self.ipc.on_client(source.index, source.generation, ready, now_ns),
            .process => self.processes.on_ready(source.index, source.generation, now_ns),
            .foreign => self.events.push(.{ .kind = .fd_ready, .token = source.index }),
            .stream => unreachable, // the writer's poller has the streams
        }
    }
};
