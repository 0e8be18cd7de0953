//! macOS: the process table through libproc and sysctl(3), see <sys/proc_info.h>.

const std = @import("std");
const c = std.c;
const sys = @import("../sys.zig");
const Entry = @import("../signal_tree.zig").Entry;

pub const Status = struct {
    state: u8,
    parent: i32,
    group: i32,
    session: i32,
    /// user + system, in units of 10 ms. The system does not tell of reaped children.
    cpu_ticks: u64,
    reaped_cpu_ticks: u64,
    threads: u32,
    /// Microseconds since 1970: as good as a start time in ticks to tell two processes of one number apart.
    start_ticks: u64,
    rss_pages: u64,
};

const BsdInfo = extern struct {
    flags: u32,
    status: u32,
    xstatus: u32,
    pid: u32,
    ppid: u32,
    uid: u32,
    gid: u32,
    ruid: u32,
    rgid: u32,
    svuid: u32,
    svgid: u32,
    reserved: u32,
    comm: [16]u8,
    name: [32]u8,
    nfiles: u32,
    pgid: u32,
    pjobc: u32,
    e_tdev: u32,
    e_tpgid: u32,
    nice: i32,
    start_sec: u64,
    start_usec: u64,
};

const TaskInfo = extern struct {
    virtual_size: u64,
    resident_size: u64,
    total_user: u64,
    total_system: u64,
    threads_user: u64,
    threads_system: u64,
    policy: i32,
    faults: i32,
    pageins: i32,
    cow_faults: i32,
    messages_sent: i32,
    messages_received: i32,
    syscalls_mach: i32,
    syscalls_unix: i32,
    csw: i32,
    threadnum: i32,
    numrunning: i32,
    priority: i32,
};

comptime {
    std.debug.assert(@sizeOf(BsdInfo) == 136);
    std.debug.assert(@sizeOf(TaskInfo) == 96);
}

const Timebase = extern struct { numer: u32, denom: u32 };

extern "c" fn proc_pidinfo(pid: c_int, flavor: c_int, arg: u64, buffer: *anyopaque, size: c_int) c_int;
extern "c" fn proc_listallpids(buffer: *anyopaque, size: c_int) c_int;
extern "c" fn proc_listchildpids(parent: c_int, buffer: *anyopaque, size: c_int) c_int;
extern "c" fn getsid(pid: c_int) c_int;
extern "c" fn mach_timebase_info(info: *Timebase) c_int;

const flavor_task = 4; // PROC_PIDTASKINFO
const flavor_bsd = 3; // PROC_PIDTBSDINFO
const status_zombie = 5; // SZOMB

pub fn read_status(pid: i32, out: *Status) bool {
    var bsd: BsdInfo = undefined;
    if (proc_pidinfo(pid, flavor_bsd, 0, &bsd, @sizeOf(BsdInfo)) != @sizeOf(BsdInfo)) return false;
    // Of a process of another user the task is not told; the rest is.
    var task: TaskInfo = std.mem.zeroes(TaskInfo);
    _ = proc_pidinfo(pid, flavor_task, 0, &task, @sizeOf(TaskInfo));
    out.* = .{
        .state = if (bsd.status == status_zombie) 'Z' else 'R',
        .parent = @bitCast(bsd.ppid),
        .group = @bitCast(bsd.pgid),
        .session = @max(getsid(pid), 0),
        .cpu_ticks = nanoseconds(task.total_user +| task.total_system) / (10 * std.time.ns_per_ms),
        .reaped_cpu_ticks = 0,
        .threads = @intCast(@max(task.threadnum, 0)),
        .start_ticks = bsd.start_sec *| std.time.us_per_s +| bsd.start_usec,
        .rss_pages = task.resident_size / std.heap.pageSize(),
    };
    return true;
}

/// Mach time units are not nanoseconds on Apple silicon.
fn nanoseconds(units: u64) u64 {
    var base: Timebase = .{ .numer = 1, .denom = 1 };
    _ = mach_timebase_info(&base);
    return @intCast(@as(u128, units) * base.numer / @max(base.denom, 1));
}

/// All processes, in ascending order of pid.
pub fn read_table(out: []Entry) usize {
    const memory = sys.map(out.len * @sizeOf(i32)) orelse return 0;
    defer sys.unmap(memory);
    const all: [*]i32 = @ptrCast(@alignCast(memory.ptr));
    const told = proc_listallpids(all, @intCast(out.len * @sizeOf(i32)));
    if (told <= 0) return 0;
    const pids = all[0..@min(out.len, @as(usize, @intCast(told)))];
    std.mem.sortUnstable(i32, pids, {}, std.sort.asc(i32));
    var n: usize = 0;
    for (pids) |pid| {
        var status: Status = undefined;
        if (!read_status(pid, &status)) continue;
        out[n] = .{
            .pid = pid,
            .parent = status.parent,
            .group = status.group,
            .session = status.session,
            .zombie = status.state == 'Z',
        };
        n += 1;
    }
    return n;
}

/// Whether the environment that a process was started with says `VELOS_RUN=token`. Told to its own user and to root.
pub fn carries_run(pid: i32, token: u64) bool {
    const arguments_max = 1 << 20; // ARG_MAX
    const memory = sys.map(arguments_max) orelse return false;
    defer sys.unmap(memory);
    var wanted: [40]u8 = undefined;
    const entry = std.fmt.bufPrint(&wanted, "VELOS_RUN={d}\x00", .{token}) catch return false;
    const ctl_kern = 1;
    const kern_procargs2 = 49;
    var name = [3]c_int{ ctl_kern, kern_procargs2, pid };
    var length: usize = memory.len;
    if (c.sysctl(&name, name.len, memory.ptr, &length, null, 0) != 0) return false;
    var from: usize = 0;
    while (std.mem.indexOfPos(u8, memory[0..length], from, entry)) |at| {
        if (at > 0 and memory[at - 1] == 0) return true;
        from = at + 1;
    }
    return false;
}

pub fn own_pid() i32 {
    return c.getpid();
}

pub fn parent_pid() i32 {
    return c.getppid();
}

pub fn children(pid: i32, out: []i32) usize {
    if (out.len == 0) return 0;
    const told = proc_listchildpids(pid, out.ptr, @intCast(out.len * @sizeOf(i32)));
    return if (told <= 0) 0 else @min(out.len, @as(usize, @intCast(told)));
}
