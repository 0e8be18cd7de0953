//! macOS has no cgroups.

const sys = @import("../sys.zig");

pub const Cgroups = struct {
    pub fn settle(_: *Cgroups, _: i32) i32 {
        return sys.negative(.NOSYS);
    }

    pub fn deinit(_: *Cgroups) void {}

    pub fn open(_: Cgroups, _: u64) i32 {
        return sys.negative(.NOSYS);
    }

    pub fn enter(_: Cgroups, _: u64, _: i32) bool {
        return false;
    }

    pub fn exists(_: Cgroups, _: u64) bool {
        return false;
    }

    pub fn is_populated(_: Cgroups, _: u64) bool {
        return false;
    }

    pub fn members(_: Cgroups, _: u64, _: []i32) usize {
        return 0;
    }

    pub fn kill(_: Cgroups, _: u64) void {}

    pub fn remove(_: Cgroups, _: u64) void {}
};
