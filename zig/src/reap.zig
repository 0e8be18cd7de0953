//! Processes from spawn to the last sign of life: start or adopt, hear of the exit, signal, watch what is left.
//!
//! A child's exit comes through its pidfd. An adopted process has another parent: its status is read from the process
//! table, or from the pidfd itself (PIDFD_GET_INFO, Linux 6.15) once that parent has collected it.

const std = @import("std");
const abi = @import("abi.zig");
const sys = @import("sys.zig");
const procfs = @import("procfs.zig");
const signal_tree = @import("signal_tree.zig");
const spawn = @import("spawn.zig");
const handle = @import("process.zig");
const Captures = @import("capture.zig").Captures;
const Cgroups = @import("cgroup.zig").Cgroups;
const EventQueue = @import("event_queue.zig").EventQueue;
const Poller = @import("poller.zig").Poller;
const Pool = @import("pool.zig").Pool;
const Source = @import("source.zig").Source;

/// How long an exit waits for the output before it.
const drain_ns = 25 * std.time.ns_per_ms;
/// How long we ask for the status of an adopted process.
const status_ns = 50 * std.time.ns_per_ms;
const retry_ns = 2 * std.time.ns_per_ms;
/// Rounds of a tree kill: a fork bomb is outrun or left to the next signal.
const sweep_rounds = 8;
const members_max = 4096;
/// How often what is left of a tree is looked at. Members are no children of ours that the kernel tells us of.
const watch_first_ns = 1 * std.time.ns_per_ms;
const watch_max_ns = 50 * std.time.ns_per_ms;

const State = enum { running, collecting, draining, exited };

const Process = struct {
    pid: i32,
    pidfd: i32,
    is_child: bool,
    capture: u64,
    /// It has a cgroup of its own.
    in_cgroup: bool = false,
    state: State = .running,
    /// Of the current state: when to try again, and when to give up.
    retry_at_ns: u64 = abi.forever,
    give_up_ns: u64 = abi.forever,
    exit: abi.Event = .{ .kind = .exited },
    watch_at_ns: u64 = abi.forever,
    watch_pause_ns: u64 = 0,
    /// An older reading of the process table says nothing about its end.
    watch_since_ns: u64 = 0,
};

pub const Processes = struct {
    pool: Pool(Process),
    poller: *Poller,
    events: *EventQueue,
    captures: *Captures,
    launcher: spawn.Launcher,
    null_fd: i32,
    cgroups: Cgroups = .{},
    /// Processes with a deadline.
    timed: u32 = 0,

    pub fn init(options: abi.Options, poller: *Poller, events: *EventQueue, captures: *Captures) ?Processes {
        const null_fd = sys.open("/dev/null", .{ .read_write = true }, 0);
        if (null_fd < 0) return null;
        return .{
            .pool = Pool(Process).init(options.processes_max) orelse return null,
            .poller = poller,
            .events = events,
            .captures = captures,
            .launcher = spawn.Launcher.init() orelse return null,
            .null_fd = null_fd,
        };
    }

    pub fn deinit(self: *Processes) void {
        for (self.pool.slots[0..self.pool.high]) |*slot| {
            if (slot.used and slot.value.pidfd >= 0) sys.close(slot.value.pidfd);
        }
        self.launcher.deinit();
        self.cgroups.deinit();
        self.pool.deinit();
        sys.close(self.null_fd);
    }

    pub fn start(self: *Processes, token: u64, spec: *const abi.SpawnSpec, out: *abi.Spawned) i32 {
        out.* = .{};
        var plan: spawn.Plan = .{ .spec = spec, .stdin = self.null_fd, .stdout = self.null_fd, .stderr = self.null_fd };
        if (spec.capture != 0) {
            const fds = self.captures.child_fds(spec.capture) orelse {
                out.stage = .capture;
                return sys.negative(.SRCH);
            };
            if (fds[0] >= 0) plan.stdin = fds[0];
            plan.stdout = fds[1];
            plan.stderr = fds[2];
        }
        if (self.pool.count == self.pool.slots.len) return sys.negative(.NOBUFS);
        if (spec.flags & abi.spawn_flag.cgroup != 0) plan.cgroup = self.cgroups.open(token);
        defer if (plan.cgroup >= 0) sys.close(plan.cgroup);
        var failure: spawn.Failure = .{};
        var child: spawn.Child = undefined;
        const rc = self.launcher.launch(&plan, &failure, &child);
        if (rc != 0) {
            if (plan.cgroup >= 0) self.cgroups.remove(token);
            out.stage = failure.stage;
            return rc;
        }
        // Right after its start is later than at its start, but most have started nothing by then.
        if (plan.cgroup >= 0 and !child.in_cgroup) {
            child.in_cgroup = self.cgroups.enter(token, child.pid);
            if (!child.in_cgroup) self.cgroups.remove(token);
        }
        var status: procfs.Status = undefined;
        out.* = .{ .pid = child.pid, .start_ticks = if (procfs.read_status(child.pid, &status)) status.start_ticks else 0 };
        if (spec.capture != 0) self.captures.mark_started(spec.capture);
        const watched = self.watch(token, .{
            .pid = child.pid,
            .pidfd = child.pidfd,
            .is_child = true,
            .capture = spec.capture,
            .in_cgroup = child.in_cgroup,
        });
        if (watched != 0) {
            out.stage = .fork;
            _ = handle.signal(child.pidfd, child.pid, sys.signal_kill);
            var ended: abi.Event = .{ .kind = .exited };
            _ = handle.wait(child.pidfd, child.pid, &ended);
            sys.close(child.pidfd);
        }
        return watched;
    }

    pub fn adopt(self: *Processes, token: u64, pid: i32, start_ticks: u64, capture: u64) i32 {
        const fd = handle.open(pid);
        if (fd < 0) return fd;
        var status: procfs.Status = undefined;
        // Read after the pidfd was had: if the number had passed on before, the start time tells.
        if (!procfs.read_status(pid, &status) or status.start_ticks != start_ticks) {
            sys.close(fd);
            return sys.negative(.SRCH);
        }
        const rc = self.watch(token, .{
            .pid = pid,
            .pidfd = fd,
            .is_child = status.parent == procfs.own_pid(),
            .capture = capture,
            .in_cgroup = self.cgroups.exists(token),
        });
        if (rc != 0) sys.close(fd);
        return rc;
    }

    fn watch(self: *Processes, token: u64, process: Process) i32 {
        const index = self.pool.add(token, process) orelse return sys.negative(.NOBUFS);
        const rc = self.poller.add(process.pidfd, .{ .read = true }, self.source(index));
        if (rc != 0) self.pool.remove(index);
        return rc;
    }

    fn source(self: *Processes, index: u32) u64 {
        return @bitCast(Source{ .kind = .process, .generation = self.pool.slots[index].generation, .index = index });
    }

    // ---- exits ------------------------------------------------------------------------------------

    pub fn on_ready(self: *Processes, index: u32, generation: u24, now_ns: u64) void {
        const process = self.pool.get(index, generation) orelse return;
        if (process.state != .running) return;
        self.poller.remove(process.pidfd);
        process.state = .collecting;
        process.give_up_ns = now_ns + status_ns;
        self.timed += 1;
        self.collect(index, now_ns);
    }

    fn collect(self: *Processes, index: u32, now_ns: u64) void {
        const process = &self.pool.slots[index].value;
        const known = if (process.is_child)
            handle.reap(process.pidfd, process.pid, &process.exit)
        else
            handle.status_of_stranger(process.pidfd, process.pid, &process.exit);
        if (!known) {
            if (now_ns < process.give_up_ns) {
                process.retry_at_ns = now_ns + retry_ns;
                return;
            }
            process.exit.flags = abi.flag.exit_unknown;
        }
        if (self.left_something(index)) process.exit.flags |= abi.flag.exit_leftovers;
        process.state = .draining;
        process.give_up_ns = now_ns + drain_ns;
        process.retry_at_ns = abi.forever;
        if (process.capture == 0 or self.captures.drain(process.capture, self.pool.slots[index].token)) self.report(index);
    }

    /// The group is asked first, which costs one call. What ran away from it was taken in by our parent; only when
    /// that has children besides us is the process table walked.
    fn left_something(self: *Processes, index: u32) bool {
        const slot = &self.pool.slots[index];
        if (sys.kill(-slot.value.pid, 0) == 0) return true;
        if (slot.value.in_cgroup and self.cgroups.is_populated(slot.token)) return true;
        var orphans: [2]i32 = undefined;
        if (procfs.children(procfs.parent_pid(), &orphans) < 2) return false;
        var some: [1]i32 = undefined;
        return signal_tree.members(.{ .token = slot.token, .leader = slot.value.pid }, &some, .fresh) > 0;
    }

    /// The output before an exit is on its way to the log.
    pub fn on_drained(self: *Processes, token: u64) void {
        const index = self.pool.find(token) orelse return;
        if (self.pool.slots[index].value.state == .draining) self.report(index);
    }

    fn report(self: *Processes, index: u32) void {
        const slot = &self.pool.slots[index];
        slot.value.state = .exited;
        slot.value.give_up_ns = abi.forever;
        slot.value.retry_at_ns = abi.forever;
        self.timed -= 1;
        sys.close(slot.value.pidfd);
        slot.value.pidfd = -1;
        slot.value.exit.token = slot.token;
        self.events.push(slot.value.exit);
    }

    // ---- time -------------------------------------------------------------------------------------

    pub fn next_deadline(self: *Processes) u64 {
        var next: u64 = abi.forever;
        if (self.timed == 0) return next;
        for (self.pool.slots[0..self.pool.high]) |*slot| {
            if (!slot.used) continue;
            const process = &slot.value;
            next = @min(next, @min(process.watch_at_ns, @min(process.retry_at_ns, process.give_up_ns)));
        }
        return next;
    }

    pub fn on_deadline(self: *Processes, now_ns: u64) void {
        if (self.timed == 0) return;
        for (self.pool.slots[0..self.pool.high], 0..) |*slot, index| {
            if (!slot.used) continue;
            const process = &slot.value;
            switch (process.state) {
                .collecting => if (@min(process.retry_at_ns, process.give_up_ns) <= now_ns) self.collect(@intCast(index), now_ns),
                .draining => if (process.give_up_ns <= now_ns) self.report(@intCast(index)),
                .running, .exited => {},
            }
            if (process.watch_at_ns <= now_ns) self.look(@intCast(index), now_ns);
        }
    }

    // ---- signals and trees ------------------------------------------------------------------------

    pub fn signal(self: *Processes, token: u64, number: u32, scope: abi.Scope) i32 {
        const index = self.pool.find(token) orelse return sys.negative(.SRCH);
        const process = &self.pool.slots[index].value;
        switch (scope) {
            .process => {
                if (process.state != .running) return sys.negative(.SRCH);
                const rc = handle.signal(process.pidfd, process.pid, number);
                return if (rc == 0) 1 else rc;
            },
            .group => {
                const rc = sys.kill(-process.pid, number);
                return if (rc == 0) 1 else rc;
            },
            .tree => return self.signal_members(index, number),
        }
    }

    fn signal_members(self: *Processes, index: u32, number: u32) i32 {
        const slot = &self.pool.slots[index];
        var pids: [members_max]i32 = undefined;
        var caged: [members_max]i32 = undefined;
        var signalled: i32 = 0;
        const deadly = number == sys.signal_kill;
        const in_cgroup = slot.value.in_cgroup;
        if (deadly and in_cgroup and self.cgroups.is_populated(slot.token)) {
            self.cgroups.kill(slot.token);
            signalled += 1;
        }
        // The first sweep may go by what other runs have just read: whom it misses, the next SIGKILL does not.
        var age: signal_tree.Age = .recent;
        for (0..sweep_rounds) |_| {
            const held = if (in_cgroup) self.cgroups.members(slot.token, &caged) else 0;
            const run: signal_tree.Run = .{ .token = slot.token, .leader = slot.value.pid, .cgroup = caged[0..held] };
            const n = signal_tree.members(run, &pids, age);
            var fresh: i32 = 0;
            for (pids[0..n]) |pid| {
                if (self.signal_member(slot, pid, number)) fresh += 1;
            }
            signalled += fresh;
            // A polite signal is given once; SIGKILL again until a sweep finds nobody alive.
            if (!deadly or fresh == 0) break;
            age = .{ .since = sys.monotonic_ns() };
        }
        return if (signalled == 0) sys.negative(.SRCH) else signalled;
    }

    fn signal_member(self: *Processes, slot: *const Pool(Process).Slot, pid: i32, number: u32) bool {
        const leader = slot.value.pid;
        const fd = handle.open(pid);
        if (fd < 0) return false;
        defer sys.close(fd);
        // The pidfd refers to whoever has the number now: make sure it is still one of ours.
        var status: procfs.Status = undefined;
        if (!procfs.read_status(pid, &status) or status.state == 'Z') return false;
        const kin = status.session == leader or status.group == leader or pid == leader;
        if (!kin and status.parent <= 1 and !procfs.carries_run(pid, slot.token) and !self.holds(slot, pid)) return false;
        if (handle.signal(fd, pid, number) != 0) return false;
        // A stopped process acts on a signal only once it runs.
        if (number == sys.signal_term) _ = handle.signal(fd, pid, sys.signal_cont);
        return true;
    }

    fn holds(self: *Processes, slot: *const Pool(Process).Slot, pid: i32) bool {
        if (!slot.value.in_cgroup) return false;
        var pids: [members_max]i32 = undefined;
        const n = self.cgroups.members(slot.token, &pids);
        return std.mem.indexOfScalar(i32, pids[0..n], pid) != null;
    }

    pub fn tree_watch(self: *Processes, token: u64, now_ns: u64) i32 {
        const index = self.pool.find(token) orelse return sys.negative(.SRCH);
        const process = &self.pool.slots[index].value;
        if (process.watch_at_ns != abi.forever) return 0;
        self.timed += 1;
        process.watch_pause_ns = watch_first_ns;
        process.watch_at_ns = now_ns;
        process.watch_since_ns = now_ns;
        return 0;
    }

    fn look(self: *Processes, index: u32, now_ns: u64) void {
        const slot = &self.pool.slots[index];
        const process = &slot.value;
        var some: [1]i32 = undefined;
        const run: signal_tree.Run = .{ .token = slot.token, .leader = process.pid, .leader_is_gone = process.state == .exited };
        const is_caged = process.in_cgroup and self.cgroups.is_populated(slot.token);
        if (is_caged or signal_tree.members(run, &some, .{ .since = process.watch_since_ns }) > 0) {
            // The next look needs another reading than this one.
            process.watch_since_ns = sys.monotonic_ns();
            process.watch_at_ns = now_ns + process.watch_pause_ns;
            process.watch_pause_ns = @min(process.watch_pause_ns * 2, watch_max_ns);
            return;
        }
        process.watch_at_ns = abi.forever;
        self.timed -= 1;
        self.events.push(.{ .kind = .tree_empty, .token = slot.token });
    }

    pub fn forget(self: *Processes, token: u64) i32 {
        const index = self.pool.find(token) orelse return sys.negative(.SRCH);
        const process = &self.pool.slots[index].value;
        if (process.state != .exited) return sys.negative(.BUSY);
        if (process.watch_at_ns != abi.forever) self.timed -= 1;
        if (process.in_cgroup) self.cgroups.remove(token);
        self.pool.remove(index);
        return 0;
    }
};
