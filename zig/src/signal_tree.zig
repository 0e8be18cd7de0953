//! What belongs to a run: descendants, process group, session, strays that carry `VELOS_RUN` in their environment, and
//! what is in its cgroup, where it has one.
//!
//! One pass over the process table collects (pid, parent, group, session); membership spreads from the leader.
//! Environments are read only of processes that some subreaper or init has taken in, since only those can have strayed.

const std = @import("std");
const builtin = @import("builtin");
const sys = @import("sys.zig");
const procfs = @import("procfs.zig");

/// Older is never recent.
const recent_max_ns = 50 * std.time.ns_per_ms;
/// Processes of a machine that one pass looks at.
pub const table_max = 32 * 1024;

pub const Entry = struct {
    pid: i32,
    parent: i32,
    group: i32,
    session: i32,
    zombie: bool,
    member: bool = false,
};

pub const Run = struct {
    token: u64,
    /// The main process, alive or not: its number is also that of the group and the session.
    leader: i32,
    /// It has ended, also where an older reading shows it alive.
    leader_is_gone: bool = false,
    /// What is known to be in its cgroup.
    cgroup: []const i32 = &.{},
};

/// How new the process table must be.
pub const Age = union(enum) {
    /// Read now.
    fresh,
    /// Read no longer ago than reading it took, so that a thousand runs at once do not read it a thousand times: at
    /// most half of the time goes into reading. Tens of milliseconds at most.
    recent,
    /// Begun no earlier than this. Once the main process is gone, one such reading without a member is proof: who comes
    /// later is a child of who was there.
    since: u64,
};

/// The last reading. Only the loop thread comes here.
const Reading = struct {
    memory: ?[]align(std.heap.page_size_min) u8 = null,
    len: usize = 0,
    begun_ns: u64 = 0,
    at_ns: u64 = 0,
    cost_ns: u64 = 0,

    fn table(reading: *Reading, age: Age) ?[]Entry {
        const memory = reading.memory orelse sys.map(table_max * @sizeOf(Entry)) orelse return null;
        reading.memory = memory;
        const entries: [*]Entry = @ptrCast(@alignCast(memory.ptr));
        const now_ns = sys.monotonic_ns();
        const serves = switch (age) {
            .fresh => false,
            .recent => now_ns -| reading.at_ns <= reading.cost_ns,
            .since => |since_ns| reading.begun_ns >= since_ns,
        };
        if (!serves) {
            reading.begun_ns = now_ns;
            reading.len = procfs.read_table(entries[0..table_max]);
            reading.at_ns = sys.monotonic_ns();
            // On a busy machine it takes longer on the clock than it costs.
            reading.cost_ns = @min(reading.at_ns - now_ns, recent_max_ns);
        }
        return entries[0..reading.len];
    }
};

var last_reading: Reading = .{};

/// The memory of the last reading goes back.
pub fn rest() void {
    if (last_reading.memory) |memory| sys.unmap(memory);
    last_reading = .{};
}

/// Members that are alive, deepest last to first is not promised; `out` bounds how many. Returns how many there are in `out`.
pub fn members(run: Run, out: []i32, age: Age) usize {
    const table = last_reading.table(age) orelse return 0;
    for (table) |*entry| entry.member = false;
    mark(table, run);
    var n: usize = 0;
    // Younger processes tend to have higher numbers: backwards, children come before their parents.
    var index = table.len;
    while (index > 0 and n < out.len) {
        index -= 1;
        const entry = table[index];
        if (!entry.member or entry.zombie or (run.leader_is_gone and entry.pid == run.leader)) continue;
        out[n] = entry.pid;
        n += 1;
    }
    return n;
}

fn mark(table: []Entry, run: Run) void {
    const own = procfs.own_pid();
    for (table) |*entry| {
        if (entry.pid == run.leader or entry.group == run.leader or entry.session == run.leader) {
            entry.member = true;
        } else if (entry.parent == own) {
            // Started by us for another run: orphans go to the guardian.
        } else if (is_taken_in(table, entry.parent) and procfs.carries_run(entry.pid, run.token)) {
            entry.member = true;
        }
    }
    for (run.cgroup) |pid| {
        if (index_of(table, pid)) |index| table[index].member = true;
    }
    // Membership passes from parent to child; a child may stand before its parent in the table.
    var changed = true;
    while (changed) {
        changed = false;
        for (table) |*entry| {
            if (entry.member or !parent_is_member(table, entry.parent)) continue;
            entry.member = true;
            changed = true;
        }
    }
}

/// Init and our parent (the guardian, a subreaper) take in orphans.
fn is_taken_in(table: []const Entry, parent: i32) bool {
    if (parent <= 1) return true;
    if (parent == procfs.parent_pid()) return true;
    // A subreaper elsewhere (a user's systemd) is a session leader's kin we cannot know: its own parent is init.
    const entry = find(table, parent) orelse return true;
    return entry.parent <= 1 and entry.session == entry.pid;
}

fn parent_is_member(table: []const Entry, parent: i32) bool {
    const entry = find(table, parent) orelse return false;
    return entry.member;
}

/// The table is in ascending order of pid, as the kernel lists it.
fn index_of(table: []const Entry, pid: i32) ?usize {
    var low: usize = 0;
    var high = table.len;
    while (low < high) {
        const middle = (low + high) / 2;
        if (table[middle].pid < pid) low = middle + 1 else high = middle;
    }
    return if (low < table.len and table[low].pid == pid) low else null;
}

fn find(table: []const Entry, pid: i32) ?*const Entry {
    return &table[index_of(table, pid) orelse return null];
}

test "descendants, group and session belong, strangers do not" {
    var table = [_]Entry{
        .{ .pid = 1, .parent = 0, .group = 1, .session = 1, .zombie = false },
        .{ .pid = 90, .parent = 100, .group = 90, .session = 90, .zombie = false },
        .{ .pid = 100, .parent = 50, .group = 100, .session = 100, .zombie = false },
        .{ .pid = 101, .parent = 1, .group = 100, .session = 100, .zombie = false },
        .{ .pid = 102, .parent = 90, .group = 102, .session = 102, .zombie = false },
        .{ .pid = 200, .parent = 60, .group = 200, .session = 200, .zombie = false },
    };
    mark(&table, .{ .token = std.math.maxInt(u64), .leader = 100 });
    const expected = [_]bool{ false, true, true, true, true, false };
    for (table, expected) |entry, member| try std.testing.expectEqual(member, entry.member);
    // One that got out of all that is still in the cgroup.
    mark(&table, .{ .token = std.math.maxInt(u64), .leader = 100, .cgroup = &.{ 7, 200 } });
    try std.testing.expect(table[5].member and !table[0].member);
}
