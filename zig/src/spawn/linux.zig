//! Linux: a clone that shares memory until exec (as vfork does), on a stack of its own, with a pidfd.
//!
//! The parent is suspended until the child has executed or ended, so the child may use the parent's memory for its
//! report and needs no pipe. Only raw system calls run in the child: no libc, no allocation, no look-up.

const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const abi = @import("../abi.zig");
const sys = @import("../sys.zig");
const spawn = @import("../spawn.zig");

const stack_bytes = 64 << 10;

pub const Launcher = struct {
    stack: []align(std.heap.page_size_min) u8,
    /// Signals that are not at their default here. The daemon settles them before it starts anything.
    altered: ?u64 = null,
    /// This kernel, or a filter of system calls, does not start anything in a cgroup.
    refuses_cgroups: bool = false,

    pub fn init() ?Launcher {
        return .{ .stack = sys.map(stack_bytes) orelse return null };
    }

    pub fn deinit(launcher: *Launcher) void {
        sys.unmap(launcher.stack);
    }

    /// 0 once execve succeeded; else -errno with the stage in `failure`, and no process is left.
    pub fn launch(launcher: *Launcher, plan: *const spawn.Plan, failure: *spawn.Failure, out: *spawn.Child) i32 {
        if (launcher.altered == null) launcher.altered = altered_signals();
        var order: Order = .{ .plan = plan, .failure = failure, .altered = launcher.altered.? };
        // No handler of ours may run in the child while it shares our memory.
        var all: linux.sigset_t = @splat(std.math.maxInt(c_ulong));
        var before: linux.sigset_t = undefined;
        _ = linux.sigprocmask(linux.SIG.BLOCK, &all, &before);
        defer _ = linux.sigprocmask(linux.SIG.SETMASK, &before, null);

        out.* = .{ .pid = 0, .pidfd = -1 };
        var pidfd: i32 = -1;
        const flags = linux.CLONE.VM | linux.CLONE.VFORK | linux.CLONE.PIDFD | @intFromEnum(linux.SIG.CHLD);
        const top = @intFromPtr(launcher.stack.ptr) + launcher.stack.len;
        var rc: usize = @bitCast(@as(isize, -1));
        if (plan.cgroup >= 0 and !launcher.refuses_cgroups) {
            rc = clone_into(launcher.stack, flags, &order, &pidfd, plan.cgroup);
            out.in_cgroup = linux.errno(rc) == .SUCCESS;
            switch (linux.errno(rc)) {
                .NOSYS, .INVAL, .PERM, .@"2BIG" => launcher.refuses_cgroups = true,
                else => {},
            }
        }
        if (!out.in_cgroup) rc = linux.clone(child_main, top, flags, @intFromPtr(&order), &pidfd, 0, null);
        if (linux.errno(rc) != .SUCCESS) {
            failure.* = .{ .stage = .fork, .errno = @intFromEnum(linux.errno(rc)) };
            return -failure.errno;
        }
        const pid: i32 = @intCast(rc);
        if (failure.stage != .none) {
            var info: linux.siginfo_t = undefined;
            _ = linux.waitid(.PIDFD, pidfd, &info, linux.W.EXITED, null);
            sys.close(pidfd);
            return -failure.errno;
        }
        out.pid = pid;
        out.pidfd = pidfd;
        return 0;
    }
};

const into_cgroup: u64 = 0x2_0000_0000;

/// struct clone_args of clone(2).
const CloneArguments = extern struct {
    flags: u64,
    pidfd: u64,
    child_tid: u64 = 0,
    parent_tid: u64 = 0,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64 = 0,
    set_tid: u64 = 0,
    set_tid_size: u64 = 0,
    cgroup: u64,
};

/// The same as clone(2) with these flags, but the child is in another cgroup from its first instruction.
fn clone_into(stack: []align(std.heap.page_size_min) u8, flags: u32, order: *Order, pidfd: *i32, cgroup: i32) usize {
    const signal_mask: u32 = 0xff;
    var arguments: CloneArguments = .{
        .flags = (flags & ~signal_mask) | into_cgroup,
        .pidfd = @intFromPtr(pidfd),
        .exit_signal = flags & signal_mask,
        .stack = @intFromPtr(stack.ptr),
        .stack_size = stack.len,
        .cgroup = @intCast(cgroup),
    };
    return clone3(&arguments, @intFromPtr(order));
}

/// The child runs on a stack of its own and never comes back, so only the parent leaves this function. Its registers are
/// copies: what the child does to them does not concern the parent.
fn clone3(arguments: *const CloneArguments, order: usize) usize {
    const number = @intFromEnum(linux.SYS.clone3);
    return switch (builtin.cpu.arch) {
        .x86_64 => asm volatile (
            \\ syscall
            \\ testl %%eax, %%eax
            \\ jnz 1f
            \\ xorl %%ebp, %%ebp
            \\ movq %%r8, %%rdi
            \\ callq *%%r9
            \\ ud2
            \\1:
            : [ret] "={rax}" (-> usize),
            : [number] "{rax}" (number),
              [arguments] "{rdi}" (arguments),
              [size] "{rsi}" (@as(usize, @sizeOf(CloneArguments))),
              [order] "{r8}" (order),
              [main] "{r9}" (&child_never_returns),
            : .{ .rcx = true, .r11 = true, .memory = true }),
        .aarch64 => asm volatile (
            \\ svc #0
            \\ cbnz x0, 1f
            \\ mov x29, xzr
            \\ mov x30, xzr
            \\ mov x0, x9
            \\ blr x10
            \\ brk #1
            \\1:
            : [ret] "={x0}" (-> usize),
            : [number] "{x8}" (number),
              [arguments] "{x0}" (arguments),
              [size] "{x1}" (@as(usize, @sizeOf(CloneArguments))),
              [order] "{x9}" (order),
              [main] "{x10}" (&child_never_returns),
            : .{ .memory = true }),
        else => @bitCast(-@as(isize, @intFromEnum(linux.E.NOSYS))),
    };
}

fn child_never_returns(argument: usize) callconv(.c) noreturn {
    _ = child_main(argument);
    unreachable;
}

const Order = struct {
    plan: *const spawn.Plan,
    failure: *spawn.Failure,
    altered: u64,
};

fn child_main(argument: usize) callconv(.c) u8 {
    const order: *Order = @ptrFromInt(argument);
    order.failure.* = run(order.plan, order.altered);
    linux.exit(127);
}

/// Returns only when a step failed.
fn run(plan: *const spawn.Plan, altered: u64) spawn.Failure {
    const spec = plan.spec;
    reset_signals(altered);
    if (failed(linux.setsid())) |errno| return .{ .stage = .session, .errno = errno };
    if (redirect(plan)) |errno| return .{ .stage = .fds, .errno = errno };
    if (spec.rlimits) |limits| for (limits[0..spec.rlimits_len]) |limit| {
        const value: linux.rlimit = .{ .cur = limit.soft, .max = limit.hard };
        const rc = linux.prlimit(0, @enumFromInt(limit.resource), &value, null);
        if (failed(rc)) |errno| return .{ .stage = .rlimit, .errno = errno };
    };
    if (spec.flags & abi.spawn_flag.has_nice != 0) {
        const rc = linux.syscall3(.setpriority, 0, 0, @bitCast(@as(isize, spec.nice)));
        if (failed(rc)) |errno| return .{ .stage = .rlimit, .errno = errno };
    }
    if (drop_privileges(spec)) |failure| return failure;
    if (spec.flags & abi.spawn_flag.has_umask != 0) _ = linux.syscall1(.umask, spec.umask);
    if (spec.cwd) |cwd| {
        if (failed(linux.chdir(cwd))) |errno| return .{ .stage = .cwd, .errno = errno };
    }
    const rc = linux.execve(spec.path.?, spec.argv.?, spec.envp.?);
    return .{ .stage = .exec, .errno = failed(rc) orelse 0 };
}

/// Groups, then gid, then uid: the order in which each still may.
fn drop_privileges(spec: *const abi.SpawnSpec) ?spawn.Failure {
    const has = spec.flags;
    if (has & abi.spawn_flag.has_groups != 0) {
        const rc = linux.setgroups(spec.groups_len, spec.groups orelse @ptrFromInt(@alignOf(u32)));
        if (failed(rc)) |errno| return .{ .stage = .groups, .errno = errno };
    }
    if (has & abi.spawn_flag.has_gid != 0) {
        if (failed(linux.syscall3(.setresgid, spec.gid, spec.gid, spec.gid))) |errno|
            return .{ .stage = .gid, .errno = errno };
    }
    if (has & abi.spawn_flag.has_uid != 0) {
        if (failed(linux.syscall3(.setresuid, spec.uid, spec.uid, spec.uid))) |errno|
            return .{ .stage = .uid, .errno = errno };
    }
    if (has & abi.spawn_flag.no_new_privs != 0) {
        const rc = linux.prctl(@intFromEnum(linux.PR.SET_NO_NEW_PRIVS), 1, 0, 0, 0);
        if (failed(rc)) |errno| return .{ .stage = .uid, .errno = errno };
    }
    return null;
}

/// One bit each, bit 0 for signal 1.
fn altered_signals() u64 {
    var mask: u64 = 0;
    for (0..64) |bit| {
        var action: linux.Sigaction = undefined;
        const rc = linux.syscall4(.rt_sigaction, bit + 1, 0, @intFromPtr(&action), linux.NSIG / 8);
        const is_default = linux.errno(rc) == .SUCCESS and action.handler.handler == linux.SIG.DFL;
        if (!is_default) mask |= @as(u64, 1) << @intCast(bit);
    }
    return mask;
}

/// Every signal to its default, none blocked: an ignored SIGINT would be inherited through exec, and a handler of ours
/// must not run in the child.
fn reset_signals(altered: u64) void {
    var default: linux.Sigaction = .{ .handler = .{ .handler = linux.SIG.DFL }, .mask = @splat(0), .flags = 0 };
    var left = altered;
    while (left != 0) : (left &= left - 1) {
        const number = @ctz(left) + 1;
        _ = linux.syscall4(.rt_sigaction, number, @intFromPtr(&default), 0, linux.NSIG / 8);
    }
    const none: linux.sigset_t = @splat(0);
    _ = linux.sigprocmask(linux.SIG.SETMASK, &none, null);
}

fn redirect(plan: *const spawn.Plan) ?i32 {
    // The originals are all above 2 (the daemon keeps 0 to 2 open), so no step overwrites what a later one needs.
    const wanted = [3]i32{ plan.stdin, plan.stdout, plan.stderr };
    for (wanted, 0..) |fd, target| {
        if (failed(linux.dup2(fd, @intCast(target)))) |errno| return errno;
    }
    const channel = plan.spec.channel;
    if (channel == 3) {
        // Already in its place, but it would be closed.
        if (failed(linux.fcntl(3, linux.F.SETFD, 0))) |errno| return errno;
    } else if (channel >= 0) {
        if (failed(linux.dup2(channel, 3))) |errno| return errno;
    }
    const rc = linux.close_range(if (channel >= 0) 4 else 3, std.math.maxInt(i32), .{ .UNSHARE = false, .CLOEXEC = false });
    const errno = failed(rc) orelse return null;
    // Linux before 5.9: every descriptor of ours is close-on-exec anyway.
    return if (errno == @intFromEnum(linux.E.NOSYS)) null else errno;
}

fn failed(rc: usize) ?i32 {
    const errno = linux.errno(rc);
    return if (errno == .SUCCESS) null else @intFromEnum(errno);
}
