//! Start a program: everything is prepared here, so that nothing clever happens between fork and exec.

const std = @import("std");
const builtin = @import("builtin");
const abi = @import("abi.zig");
const sys = @import("sys.zig");

const platform = switch (builtin.os.tag) {
    .linux => @import("spawn/linux.zig"),
    .macos => @import("spawn/darwin.zig"),
    else => @compileError("this platform is not supported"),
};

/// What the child does, with every pointer resolved.
pub const Plan = struct {
    spec: *const abi.SpawnSpec,
    stdin: i32,
    stdout: i32,
    stderr: i32,
    /// Folder of the cgroup to be started in; -1: that of the daemon.
    cgroup: i32 = -1,
};

/// Written by the child when a step failed.
pub const Failure = struct {
    stage: abi.Stage = .none,
    errno: i32 = 0,
};

pub const Child = struct {
    pid: i32,
    /// A handle on this very process, see process.zig.
    pidfd: i32,
    /// It was started in the cgroup of the plan.
    in_cgroup: bool = false,
};

pub const Launcher = platform.Launcher;
