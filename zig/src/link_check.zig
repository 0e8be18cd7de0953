//! A program that refers to every export, so that a foreign target is linked and not only compiled.

const std = @import("std");

const names = .{
    "velos_abi_version",     "velos_abi_layout",    "velos_now_ns",          "velos_reactor_create",
    "velos_reactor_destroy", "velos_reactor_wait",  "velos_reactor_wake",    "velos_spawn",
    "velos_adopt",           "velos_signal",        "velos_tree_watch",      "velos_process_forget",
    "velos_sample",          "velos_capture_open",  "velos_capture_fd",      "velos_capture_rotate",
    "velos_capture_flush",   "velos_capture_close", "velos_capture_stats",   "velos_file_put",
    "velos_file_append",     "velos_file_remove",   "velos_writer_stall_ns", "velos_ipc_listen",
    "velos_ipc_send",        "velos_ipc_close",     "velos_rest",            "velos_fd_watch",
    "velos_fd_forget",       "velos_ipc_offer",     "velos_cgroups",
};

pub fn main() void {
    inline for (names) |name| {
        std.mem.doNotOptimizeAway(@extern(*const anyopaque, .{ .name = name }));
    }
}
