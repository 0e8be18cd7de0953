//! macOS: fork and exec. What fails in the child comes back through a pipe that exec closes.
//!
//! Only async-signal-safe calls run in the child: no allocation, no lock.

const std = @import("std");
const c = std.c;
const abi = @import("../abi.zig");
const sys = @import("../sys.zig");
const process = @import("../process.zig");
const darwin = @import("../sys/darwin.zig");
const spawn = @import("../spawn.zig");

extern "c" fn fork() c_int;
extern "c" fn setgroups(count: c_int, groups: [*]const c.gid_t) c_int;
extern "c" fn setpriority(which: c_int, who: c_uint, priority: c_int) c_int;
extern "c" fn umask(mask: c.mode_t) c.mode_t;

pub const Launcher = struct {
    pub fn init() ?Launcher {
        return .{};
    }

    pub fn deinit(_: *Launcher) void {}

    /// 0 once execve succeeded; else -errno with the stage in `failure`, and no process is left.
    pub fn launch(_: *Launcher, plan: *const spawn.Plan, failure: *spawn.Failure, out: *spawn.Child) i32 {
        var ends: [2]i32 = undefined;
        const piped = darwin.waiting_pipe(&ends);
        if (piped != 0) return fail(failure, .fork, -piped);
        defer sys.close(ends[0]);
        const pid = fork();
        if (pid == 0) {
            const reason = run(plan);
            // The parent reads a short report as an exit without one.
            _ = sys.write(ends[1], std.mem.asBytes(&reason));
            c._exit(127);
        }
        sys.close(ends[1]);
        if (pid < 0) return fail(failure, .fork, c._errno().*);
        var reason: spawn.Failure = .{};
        const told = sys.read(ends[0], std.mem.asBytes(&reason));
        if (told == @sizeOf(spawn.Failure)) return collect(pid, failure, reason.stage, reason.errno);
        const handle = process.open(pid);
        if (handle < 0) {
            _ = sys.kill(pid, sys.signal_kill);
            return collect(pid, failure, .fork, -handle);
        }
        out.* = .{ .pid = pid, .pidfd = handle };
        return 0;
    }
};

fn collect(pid: i32, failure: *spawn.Failure, stage: abi.Stage, errno: i32) i32 {
    var ended: abi.Event = .{ .kind = .exited };
    _ = process.wait(-1, pid, &ended);
    return fail(failure, stage, errno);
}

fn fail(failure: *spawn.Failure, stage: abi.Stage, errno: i32) i32 {
    failure.* = .{ .stage = stage, .errno = errno };
    return -errno;
}

/// Returns only when a step failed.
fn run(plan: *const spawn.Plan) spawn.Failure {
    const spec = plan.spec;
    reset_signals();
    if (c.setsid() < 0) return failed(.session);
    // The originals are all above 2 (the daemon keeps 0 to 2 open); all else of ours is closed on exec.
    const wanted = [3]i32{ plan.stdin, plan.stdout, plan.stderr };
    for (wanted, 0..) |fd, target| {
        if (c.dup2(fd, @intCast(target)) < 0) return failed(.fds);
    }
    if (spec.channel == 3) {
        // Already in its place, but it would be closed.
        if (c.fcntl(3, c.F.SETFD, @as(c_int, 0)) < 0) return failed(.fds);
    } else if (spec.channel >= 0 and c.dup2(spec.channel, 3) < 0) return failed(.fds);
    if (spec.rlimits) |limits| for (limits[0..spec.rlimits_len]) |limit| {
        const value: c.rlimit = .{ .cur = limit.soft, .max = limit.hard };
        if (c.setrlimit(@enumFromInt(limit.resource), &value) != 0) return failed(.rlimit);
    };
    if (spec.flags & abi.spawn_flag.has_nice != 0 and setpriority(0, 0, spec.nice) != 0) return failed(.rlimit);
    if (drop_privileges(spec)) |failure| return failure;
    if (spec.flags & abi.spawn_flag.has_umask != 0) _ = umask(@intCast(spec.umask));
    if (spec.cwd) |cwd| if (c.chdir(cwd) != 0) return failed(.cwd);
    _ = c.execve(spec.path.?, spec.argv.?, spec.envp.?);
    return failed(.exec);
}

/// Groups, then gid, then uid: the order in which each still may.
fn drop_privileges(spec: *const abi.SpawnSpec) ?spawn.Failure {
    const has = spec.flags;
    if (has & abi.spawn_flag.has_groups != 0) {
        const none: [1]c.gid_t = .{0};
        const groups: [*]const c.gid_t = if (spec.groups) |given| given else &none;
        if (setgroups(@intCast(spec.groups_len), groups) != 0) return failed(.groups);
    }
    if (has & abi.spawn_flag.has_gid != 0 and c.setgid(spec.gid) != 0) return failed(.gid);
    if (has & abi.spawn_flag.has_uid != 0 and c.setuid(spec.uid) != 0) return failed(.uid);
    if (has & abi.spawn_flag.no_new_privs != 0) {
        // The system has nothing like it, and to go on without would break a promise.
        return .{ .stage = .uid, .errno = @intFromEnum(c.E.OPNOTSUPP) };
    }
    return null;
}

fn failed(stage: abi.Stage) spawn.Failure {
    return .{ .stage = stage, .errno = c._errno().* };
}

/// Every signal to its default, none blocked: an ignored SIGINT would be inherited through exec.
fn reset_signals() void {
    const default: c.Sigaction = .{ .handler = .{ .handler = c.SIG.DFL }, .mask = 0, .flags = 0 };
    var number: u32 = 1;
    while (number < 32) : (number += 1) {
        // KILL and STOP refuse, which is as it should be.
        _ = c.sigaction(@enumFromInt(number), &default, null);
    }
    const none: c.sigset_t = 0;
    _ = c.sigprocmask(c.SIG.SETMASK, &none, null);
}
