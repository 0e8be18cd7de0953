//! Cgroups of runs: nothing that is started in one gets out of it by forking, by a session of its own, or by a clean
//! environment, so what a run has left alive is known without looking at every process.

const builtin = @import("builtin");

pub const Cgroups = switch (builtin.os.tag) {
    .linux => @import("sys/cgroup_linux.zig").Cgroups,
    .macos => @import("sys/cgroup_darwin.zig").Cgroups,
    else => @compileError("this platform is not supported"),
};
