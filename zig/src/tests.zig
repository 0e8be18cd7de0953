//! Every module with tests.

test {
    _ = @import("abi.zig");
    _ = @import("sys.zig");
    _ = @import("pool.zig");
    _ = @import("event_queue.zig");
    _ = @import("poller.zig");
    _ = @import("procfs.zig");
    _ = @import("sys/procfs_linux.zig");
    _ = @import("signal_tree.zig");
    _ = @import("cgroup.zig");
    _ = @import("sys/cgroup_linux.zig");
    _ = @import("sample.zig");
    _ = @import("files.zig");
    _ = @import("eraser.zig");
    _ = @import("capture/form.zig");
    _ = @import("capture/index.zig");
    _ = @import("capture/fifo.zig");
    _ = @import("capture/journal.zig");
    _ = @import("capture/stream.zig");
    _ = @import("reactor.zig");
    _ = @import("scenarios.zig");
    _ = @import("scenarios/clients.zig");
    _ = @import("scenarios/rotation.zig");
}
