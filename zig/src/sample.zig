//! CPU and memory of a process and its living descendants, one reading of one file each.

const std = @import("std");
const abi = @import("abi.zig");
const sys = @import("sys.zig");
const procfs = @import("procfs.zig");

/// Processes of one tree that are looked at.
const tree_max = 1024;
/// Clock ticks of /proc are hundredths of a second on every Linux (USER_HZ).
const tick_ns = 10 * std.time.ns_per_ms;

pub fn sample(samples: []abi.Sample) void {
    for (samples) |*one| read(one);
}

fn read(out: *abi.Sample) void {
    const leader = out.pid;
    const wanted = out.start_ticks;
    out.* = .{ .pid = leader, .start_ticks = wanted };
    var status: procfs.Status = undefined;
    if (!procfs.read_status(leader, &status) or (wanted != 0 and status.start_ticks != wanted)) {
        out.@"error" = sys.negative(.SRCH);
        return;
    }
    var queue: [tree_max]i32 = undefined;
    queue[0] = leader;
    var end: usize = 1;
    var next: usize = 0;
    while (next < end) : (next += 1) {
        if (next > 0 and !procfs.read_status(queue[next], &status)) continue;
        out.cpu_ns += (status.cpu_ticks + status.reaped_cpu_ticks) * tick_ns;
        out.rss_bytes += status.rss_pages * std.heap.pageSize();
        out.processes += 1;
        out.threads += status.threads;
        end += procfs.children(queue[next], queue[end..]);
    }
}

test "we have memory and threads, and a wrong start time is refused" {
    var samples = [2]abi.Sample{ .{ .pid = procfs.own_pid() }, .{ .pid = procfs.own_pid(), .start_ticks = 1 } };
    sample(&samples);
    try std.testing.expectEqual(@as(i32, 0), samples[0].@"error");
    try std.testing.expect(samples[0].rss_bytes > 0 and samples[0].threads > 0 and samples[0].processes > 0);
    try std.testing.expect(sys.is(samples[1].@"error", .SRCH));
}
