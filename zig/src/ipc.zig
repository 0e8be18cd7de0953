//! Clients on a Unix socket: accept, check who it is, cut the stream into frames, queue what goes out.
//!
//! A frame is a 4-byte big-endian length and so many bytes. An idle client costs a slot and no buffer. What all clients
//! together may keep in buffers is bounded; one frame over `large_frame` may be received at a time besides.

const std = @import("std");
const abi = @import("abi.zig");
const sys = @import("sys.zig");
const Poller = @import("poller.zig").Poller;
const Ready = @import("poller.zig").Ready;
const EventQueue = @import("event_queue.zig").EventQueue;
const Source = @import("source.zig").Source;
const Pool = @import("pool.zig").Pool;

const page = std.heap.page_size_min;
/// A frame over this counts as large.
const large_frame = 64 << 10;
/// What one client may be read per round, so that a busy one does not starve the others.
const bytes_per_round = 1 << 20;
/// How long accepting rests when there are no descriptors left.
const accept_pause_ns = 100 * std.time.ns_per_ms;

const Buffer = []align(page) u8;

const Client = struct {
    fd: i32,
    /// Length prefix, as far as it came.
    prefix: [4]u8 = undefined,
    prefix_len: u8 = 0,
    frame: ?Buffer = null,
    frame_len: usize = 0,
    frame_got: usize = 0,
    frame_since_ns: u64 = 0,
    queue: ?Buffer = null,
    queue_start: usize = 0,
    queue_end: usize = 0,
    /// A send was refused; say when there is room again.
    owes_drained: bool = false,
    /// Close once the queue is empty or this passes.
    closing_at_ns: u64 = 0,
    wants_write: bool = false,
};

pub const Ipc = struct {
    clients: Pool(Client),
    poller: *Poller,
    events: *EventQueue,
    listener: i32 = -1,
    frame_bytes_max: usize,
    bytes_max: usize,
    queue_bytes_max: usize,
    frame_timeout_ns: u64,
    next_token: u64 = 1,
    /// Bytes in buffers of all clients, large frames excepted.
    bytes: usize = 0,
    large_in_use: bool = false,
    accept_again_ns: u64 = abi.forever,
    timed: u32 = 0,
    /// Frames given to the caller or on their way to it, in that order; unmapped at the wait after it saw them.
    lent_memory: [512]Buffer = undefined,
    lent_count: usize = 0,

    pub fn init(options: abi.Options, poller: *Poller, events: *EventQueue) ?Ipc {
        return .{
            .clients = Pool(Client).init(options.clients_max) orelse return null,
            .poller = poller,
            .events = events,
            .frame_bytes_max = options.frame_bytes_max,
            .bytes_max = options.ipc_bytes_max,
            .queue_bytes_max = options.client_queue_bytes_max,
            .frame_timeout_ns = @as(u64, options.frame_timeout_ms) * std.time.ns_per_ms,
        };
    }

    pub fn deinit(ipc: *Ipc) void {
        for (ipc.clients.slots[0..ipc.clients.high], 0..) |*slot, index| {
            if (slot.used) ipc.drop(@intCast(index));
        }
        for (ipc.lent_memory[0..ipc.lent_count]) |buffer| ipc.release(buffer);
        if (ipc.listener >= 0) ipc.poller.remove(ipc.listener);
        ipc.clients.deinit();
    }

    pub fn listen(ipc: *Ipc, fd: i32) i32 {
        std.debug.assert(ipc.listener < 0);
        const rc = ipc.poller.add(fd, .{ .read = true }, @bitCast(Source{ .kind = .listener, .generation = 0, .index = 0 }));
        if (rc == 0) ipc.listener = fd;
        return rc;
    }

    pub fn on_listener(ipc: *Ipc, now_ns: u64) void {
        var accepted: u32 = 0;
        while (accepted < 64) : (accepted += 1) {
            const fd = sys.accept(ipc.listener);
            if (sys.is(fd, .AGAIN)) return;
            if (fd < 0) {
                // Without descriptors the listener stays readable: look away for a moment instead of spinning.
                if (sys.is(fd, .MFILE) or sys.is(fd, .NFILE) or sys.is(fd, .NOMEM) or sys.is(fd, .NOBUFS)) {
                    ipc.poller.remove(ipc.listener);
                    ipc.accept_again_ns = now_ns + accept_pause_ns;
                    return;
                }
                continue;
            }
            ipc.welcome(fd);
        }
    }

    fn welcome(ipc: *Ipc, fd: i32) void {
        var peer: sys.Peer = undefined;
        const known = sys.peer(fd, &peer) == 0 and (peer.uid == sys.effective_uid() or peer.uid == 0);
        const index = if (known) ipc.clients.add(ipc.next_token, .{ .fd = fd }) else null;
        if (index == null) return sys.close(fd);
        const rc = ipc.poller.add(fd, .{ .read = true }, ipc.source(index.?));
        if (rc != 0) {
            ipc.clients.remove(index.?);
            return sys.close(fd);
        }
        ipc.events.push(.{
            .kind = .ipc_opened,
            .token = ipc.next_token,
            .code = @bitCast(peer.uid),
            .value = @intCast(@max(peer.pid, 0)),
        });
        ipc.next_token += 1;
    }

    fn source(ipc: *Ipc, index: u32) u64 {
        return @bitCast(Source{ .kind = .client, .generation = ipc.clients.slots[index].generation, .index = index });
    }

    pub fn on_client(ipc: *Ipc, index: u32, generation: u24, ready: Ready, now_ns: u64) void {
        const client = ipc.clients.get(index, generation) orelse return;
        if (ready.writable) {
            const rc = ipc.flush(client);
            if (rc != 0) return ipc.hang_up(index, rc);
            if (client.queue == null and client.closing_at_ns != 0) return ipc.hang_up(index, 0);
            ipc.watch(index);
        }
        if (ready.readable or ready.hangup) {
            const rc = ipc.receive(index, client, now_ns);
            if (rc != 0) ipc.hang_up(index, if (rc == closed) 0 else rc);
        }
    }

    const closed = 1;

    /// 0: go on; `closed`: end of stream; else -errno.
    fn receive(ipc: *Ipc, index: u32, client: *Client, now_ns: u64) i32 {
        var budget: usize = bytes_per_round;
        while (budget > 0) {
            if (!ipc.events.has_room() or ipc.lent_count == ipc.lent_memory.len) return 0;
            if (client.frame == null) {
                const n = sys.recv(client.fd, client.prefix[client.prefix_len..]);
                if (n <= 0) return ended(n, client.prefix_len > 0);
                if (client.prefix_len == 0) ipc.start_clock(client, now_ns);
                client.prefix_len += @intCast(n);
                if (client.prefix_len < 4) continue;
                const rc = ipc.begin_frame(client);
                if (rc != 0) return rc;
            }
            const buffer = client.frame.?;
            if (client.frame_got < client.frame_len) {
                const n = sys.recv(client.fd, buffer[client.frame_got..client.frame_len]);
                if (n <= 0) return ended(n, true);
                client.frame_got += @intCast(n);
                budget -|= @intCast(n);
            }
            if (client.frame_got == client.frame_len) ipc.hand_out(index, client);
        }
        return 0;
    }

    fn ended(n: i64, inside: bool) i32 {
        if (n == 0) return if (inside) sys.negative(.PROTO) else closed;
        return if (sys.is(n, .AGAIN)) 0 else @intCast(n);
    }

    fn start_clock(ipc: *Ipc, client: *Client, now_ns: u64) void {
        client.frame_since_ns = now_ns;
        ipc.timed += 1;
    }

    fn stop_clock(ipc: *Ipc, client: *Client) void {
        if (client.frame_since_ns == 0) return;
        client.frame_since_ns = 0;
        ipc.timed -= 1;
    }

    fn begin_frame(ipc: *Ipc, client: *Client) i32 {
        const length = std.mem.readInt(u32, &client.prefix, .big);
        if (length == 0 or length > ipc.frame_bytes_max) return sys.negative(.PROTO);
        client.frame = ipc.reserve(length) orelse return sys.negative(.NOBUFS);
        client.frame_len = length;
        client.frame_got = 0;
        return 0;
    }

    fn hand_out(ipc: *Ipc, index: u32, client: *Client) void {
        const buffer = client.frame.?;
        ipc.events.push(.{
            .kind = .ipc_frame,
            .token = ipc.clients.slots[index].token,
            .data = buffer.ptr,
            .len = client.frame_len,
        });
        ipc.lent_memory[ipc.lent_count] = buffer;
        ipc.lent_count += 1;
        client.frame = null;
        client.prefix_len = 0;
        ipc.stop_clock(client);
    }

    /// The caller is done with the frames of the batch before; those that still wait in the queue are kept.
    pub fn release_lent(ipc: *Ipc) void {
        const seen = ipc.lent_count - ipc.events.frames;
        for (ipc.lent_memory[0..seen]) |buffer| ipc.release(buffer);
        std.mem.copyForwards(Buffer, ipc.lent_memory[0..ipc.events.frames], ipc.lent_memory[seen..ipc.lent_count]);
        ipc.lent_count = ipc.events.frames;
    }

    fn reserve(ipc: *Ipc, length: usize) ?Buffer {
        const rounded = std.mem.alignForward(usize, length, page);
        if (rounded > large_frame) {
            if (ipc.large_in_use) return null;
            ipc.large_in_use = true;
        } else {
            if (ipc.bytes + rounded > ipc.bytes_max) return null;
            ipc.bytes += rounded;
        }
        return sys.map(rounded) orelse {
            ipc.account(rounded);
            return null;
        };
    }

    fn release(ipc: *Ipc, buffer: Buffer) void {
        ipc.account(buffer.len);
        sys.unmap(buffer);
    }

    fn account(ipc: *Ipc, length: usize) void {
        if (length > large_frame) ipc.large_in_use = false else ipc.bytes -= length;
    }

    // ---- sending --------------------------------------------------------------------------------

    pub fn send(ipc: *Ipc, token: u64, bytes: []const u8) i32 {
        const index = ipc.clients.find(token) orelse return sys.negative(.SRCH);
        const client = &ipc.clients.slots[index].value;
        if (bytes.len > ipc.frame_bytes_max) return sys.negative(.MSGSIZE);
        if (client.closing_at_ns != 0) return sys.negative(.SRCH);
        var prefix: [4]u8 = undefined;
        std.mem.writeInt(u32, &prefix, @intCast(bytes.len), .big);
        if (client.queue == null) {
            // The usual case: the socket takes it all at once and nothing is queued.
            const sent = sys.send_two(client.fd, &prefix, bytes);
            const taken: usize = if (sent > 0) @intCast(sent) else 0;
            if (taken == bytes.len + 4) return 0;
            const of_prefix = @min(taken, 4);
            return ipc.enqueue(index, client, prefix[of_prefix..], bytes[taken - of_prefix ..]);
        }
        return ipc.enqueue(index, client, &prefix, bytes);
    }

    /// Only when nothing is queued: what is better left out than late.
    pub fn offer(ipc: *Ipc, token: u64, bytes: []const u8) i32 {
        const index = ipc.clients.find(token) orelse return sys.negative(.SRCH);
        const client = &ipc.clients.slots[index].value;
        if (client.queue == null) return ipc.send(token, bytes);
        client.owes_drained = true;
        return sys.negative(.NOBUFS);
    }

    fn enqueue(ipc: *Ipc, index: u32, client: *Client, first: []const u8, second: []const u8) i32 {
        const needed = first.len + second.len;
        const queued = client.queue_end - client.queue_start;
        // One reply of any allowed size fits into an empty queue; more has to be read first.
        if (queued > 0 and queued + needed > ipc.queue_bytes_max) {
            client.owes_drained = true;
            return sys.negative(.NOBUFS);
        }
        if (client.queue == null or client.queue.?.len - client.queue_end < needed) {
            const grown = ipc.map_queue(queued + needed) orelse {
                client.owes_drained = queued > 0;
                return sys.negative(.NOBUFS);
            };
            if (client.queue) |old| {
                @memcpy(grown[0..queued], old[client.queue_start..client.queue_end]);
                ipc.unmap_queue(old);
            }
            client.queue = grown;
            client.queue_start = 0;
            client.queue_end = queued;
        }
        const room = client.queue.?[client.queue_end..];
        @memcpy(room[0..first.len], first);
        @memcpy(room[first.len..needed], second);
        client.queue_end += needed;
        const rc = ipc.flush(client);
        if (rc != 0) return sys.negative(.SRCH); // hang-up is noticed by the poller
        ipc.watch(index);
        return 0;
    }

    fn map_queue(ipc: *Ipc, length: usize) ?Buffer {
        const rounded = std.mem.alignForward(usize, length * 2, page);
        if (rounded <= ipc.queue_bytes_max * 2 and ipc.bytes + rounded > ipc.bytes_max) return null;
        const buffer = sys.map(rounded) orelse return null;
        ipc.bytes += rounded;
        return buffer;
    }

    fn unmap_queue(ipc: *Ipc, buffer: Buffer) void {
        ipc.bytes -= buffer.len;
        sys.unmap(buffer);
    }

    fn flush(ipc: *Ipc, client: *Client) i32 {
        while (client.queue) |queue| {
            const sent = sys.send(client.fd, queue[client.queue_start..client.queue_end]);
            if (sys.is(sent, .AGAIN)) return 0;
            if (sent < 0) return @intCast(sent);
            client.queue_start += @intCast(sent);
            if (client.queue_start < client.queue_end) continue;
            ipc.unmap_queue(queue);
            client.queue = null;
            client.queue_start = 0;
            client.queue_end = 0;
        }
        return 0;
    }

    fn watch(ipc: *Ipc, index: u32) void {
        const slot = &ipc.clients.slots[index];
        const client = &slot.value;
        if (client.queue == null and client.owes_drained) {
            client.owes_drained = false;
            ipc.events.push(.{ .kind = .ipc_drained, .token = slot.token });
        }
        const wants_write = client.queue != null;
        if (wants_write == client.wants_write) return;
        client.wants_write = wants_write;
        // Fails only for a descriptor that is not registered, which this one is.
        _ = ipc.poller.modify(client.fd, .{ .read = true, .write = wants_write }, ipc.source(index));
    }

    // ---- closing and time -----------------------------------------------------------------------

    pub fn close(ipc: *Ipc, token: u64, flush_first: bool, now_ns: u64) i32 {
        const index = ipc.clients.find(token) orelse return sys.negative(.SRCH);
        const client = &ipc.clients.slots[index].value;
        if (flush_first and client.queue != null) {
            client.closing_at_ns = now_ns + ipc.frame_timeout_ns;
            ipc.timed += 1;
        } else ipc.hang_up(index, 0);
        return 0;
    }

    fn hang_up(ipc: *Ipc, index: u32, code: i32) void {
        ipc.events.push(.{ .kind = .ipc_closed, .token = ipc.clients.slots[index].token, .code = code });
        ipc.drop(index);
    }

    fn drop(ipc: *Ipc, index: u32) void {
        const client = &ipc.clients.slots[index].value;
        ipc.stop_clock(client);
        if (client.closing_at_ns != 0) ipc.timed -= 1;
        ipc.poller.remove(client.fd);
        sys.close(client.fd);
        if (client.frame) |buffer| ipc.release(buffer);
        if (client.queue) |buffer| ipc.unmap_queue(buffer);
        ipc.clients.remove(index);
    }

    pub fn next_deadline(ipc: *Ipc) u64 {
        var next = ipc.accept_again_ns;
        if (ipc.timed == 0) return next;
        for (ipc.clients.slots[0..ipc.clients.high]) |*slot| {
            if (slot.used) next = @min(next, deadline_of(&slot.value, ipc.frame_timeout_ns));
        }
        return next;
    }

    fn deadline_of(client: *const Client, timeout_ns: u64) u64 {
        const frame = if (client.frame_since_ns == 0) abi.forever else client.frame_since_ns + timeout_ns;
        return @min(frame, if (client.closing_at_ns == 0) abi.forever else client.closing_at_ns);
    }

    pub fn on_deadline(ipc: *Ipc, now_ns: u64) void {
        if (ipc.accept_again_ns <= now_ns) {
            ipc.accept_again_ns = abi.forever;
            const again: Source = .{ .kind = .listener, .generation = 0, .index = 0 };
            if (ipc.poller.add(ipc.listener, .{ .read = true }, @bitCast(again)) != 0) {
                ipc.accept_again_ns = now_ns + accept_pause_ns;
            }
        }
        if (ipc.timed == 0) return;
        for (ipc.clients.slots[0..ipc.clients.high], 0..) |*slot, index| {
            if (slot.used and deadline_of(&slot.value, ipc.frame_timeout_ns) <= now_ns) {
                ipc.hang_up(@intCast(index), sys.negative(.TIMEDOUT));
            }
        }
    }
};
