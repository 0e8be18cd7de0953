//! The exports of velos_core.h: convert, call, and nothing else.

const std = @import("std");
const abi = @import("abi.zig");
const signal_tree = @import("signal_tree.zig");
const sys = @import("sys.zig");
const files = @import("files.zig");
const sample = @import("sample.zig");
const Reactor = @import("reactor.zig").Reactor;
const Source = @import("source.zig").Source;

/// Our threads never walk their stack, so none needs a second one for signals: a quarter of a megabyte in each.
pub const std_options: std.Options = .{ .signal_stack_size = null };

pub const panic = @import("panic.zig").handler;

export fn velos_abi_version() u32 {
    return abi.version;
}

export fn velos_abi_layout() [*:0]const u8 {
    return abi.layout;
}

export fn velos_now_ns() u64 {
    return sys.monotonic_ns();
}

export fn velos_reactor_create(options: *const abi.Options, out: **Reactor) i32 {
    std.debug.assert(options.size == @sizeOf(abi.Options));
    return Reactor.create(options.*, out);
}

export fn velos_reactor_destroy(reactor: *Reactor) void {
    reactor.destroy();
}

export fn velos_reactor_wait(reactor: *Reactor, deadline_ns: u64, out: [*]abi.Event, capacity: u32) i32 {
    return @intCast(reactor.wait(deadline_ns, out[0..capacity]));
}

export fn velos_reactor_wake(reactor: *const Reactor) i32 {
    return reactor.poller.wake();
}

export fn velos_spawn(reactor: *Reactor, token: u64, spec: *const abi.SpawnSpec, out: *abi.Spawned) i32 {
    reactor.assert_thread();
    std.debug.assert(spec.size == @sizeOf(abi.SpawnSpec));
    return reactor.processes.start(token, spec, out);
}

export fn velos_cgroups(reactor: *Reactor, fd: i32) i32 {
    reactor.assert_thread();
    return reactor.processes.cgroups.settle(fd);
}

export fn velos_adopt(reactor: *Reactor, token: u64, pid: i32, start_ticks: u64, capture: u64) i32 {
    reactor.assert_thread();
    return reactor.processes.adopt(token, pid, start_ticks, capture);
}

export fn velos_signal(reactor: *Reactor, token: u64, signo: i32, scope: u32) i32 {
    reactor.assert_thread();
    if (signo < 1 or signo > 64) return sys.negative(.INVAL);
    return reactor.processes.signal(token, @intCast(signo), @enumFromInt(scope));
}

export fn velos_tree_watch(reactor: *Reactor, token: u64) i32 {
    reactor.assert_thread();
    return reactor.processes.tree_watch(token, sys.monotonic_ns());
}

export fn velos_process_forget(reactor: *Reactor, token: u64) i32 {
    reactor.assert_thread();
    return reactor.processes.forget(token);
}

export fn velos_sample(samples: [*]abi.Sample, count: u32) i32 {
    sample.sample(samples[0..count]);
    return @intCast(count);
}

export fn velos_capture_open(reactor: *Reactor, token: u64, spec: *const abi.CaptureSpec) i32 {
    reactor.assert_thread();
    std.debug.assert(spec.size == @sizeOf(abi.CaptureSpec));
    return reactor.captures.open(token, spec);
}

export fn velos_capture_fd(reactor: *Reactor, token: u64, stream: u32) i32 {
    reactor.assert_thread();
    return reactor.captures.fd(token, stream);
}

export fn velos_capture_rotate(reactor: *Reactor, token: u64, request: u64) i32 {
    reactor.assert_thread();
    return reactor.captures.rotate(token, request);
}

export fn velos_capture_flush(reactor: *Reactor, token: u64, request: u64) i32 {
    reactor.assert_thread();
    return reactor.captures.flush(token, request);
}

export fn velos_capture_close(reactor: *Reactor, token: u64) i32 {
    reactor.assert_thread();
    return reactor.captures.close(token);
}

export fn velos_capture_stats(reactor: *Reactor, token: u64, stream: u32, out: *abi.CaptureStats) i32 {
    reactor.assert_thread();
    return reactor.captures.stats(token, stream, out);
}

export fn velos_file_put(reactor: *Reactor, token: u64, path: [*:0]const u8, data: ?[*]const u8, len: u64, flags: u32) i32 {
    reactor.assert_thread();
    return submit(reactor, .{
        .operation = .put,
        .token = token,
        .path = std.mem.span(path),
        .data = slice(data, len),
        .flags = flags,
    });
}

export fn velos_file_append(reactor: *Reactor, path: [*:0]const u8, data: ?[*]const u8, len: u64, max_bytes: u64) i32 {
    reactor.assert_thread();
    return submit(reactor, .{
        .operation = .append,
        .path = std.mem.span(path),
        .data = slice(data, len),
        .max_bytes = max_bytes,
    });
}

export fn velos_file_remove(reactor: *Reactor, path: [*:0]const u8) i32 {
    reactor.assert_thread();
    return submit(reactor, .{ .operation = .remove, .path = std.mem.span(path) });
}

fn submit(reactor: *Reactor, job: files.Job) i32 {
    return reactor.writer.submit_file(job);
}

fn slice(data: ?[*]const u8, len: u64) []const u8 {
    return if (data) |first| first[0..len] else &.{};
}

export fn velos_fd_watch(reactor: *Reactor, fd: i32, tag: u32) i32 {
    reactor.assert_thread();
    const source: Source = .{ .kind = .foreign, .generation = 0, .index = tag };
    return reactor.poller.add(fd, .{ .read = true }, @bitCast(source));
}

export fn velos_fd_forget(reactor: *Reactor, fd: i32) void {
    reactor.assert_thread();
    reactor.poller.remove(fd);
}

export fn velos_rest() void {
    signal_tree.rest();
    sys.give_back_memory();
}

export fn velos_writer_stall_ns(reactor: *Reactor) u64 {
    reactor.assert_thread();
    return reactor.writer.stall(sys.monotonic_ns());
}

export fn velos_ipc_listen(reactor: *Reactor, fd: i32) i32 {
    reactor.assert_thread();
    return reactor.ipc.listen(fd);
}

export fn velos_ipc_send(reactor: *Reactor, client: u64, data: ?[*]const u8, len: u64) i32 {
    reactor.assert_thread();
    return reactor.ipc.send(client, slice(data, len));
}

export fn velos_ipc_offer(reactor: *Reactor, client: u64, data: ?[*]const u8, len: u64) i32 {
    reactor.assert_thread();
    return reactor.ipc.offer(client, slice(data, len));
}

export fn velos_ipc_close(reactor: *Reactor, client: u64, flush: u32) i32 {
    reactor.assert_thread();
    return reactor.ipc.close(client, flush != 0, sys.monotonic_ns());
}
