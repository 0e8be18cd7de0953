//! End to end: the real binary, real processes, a home of its own for every test.
//!
//! Modules named `fault_*` break something on purpose. What a machine cannot do (mount a disk, be another user) is
//! skipped aloud.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails there")]

mod cgroups;
mod commands;
mod config_apply;
mod config_files;
mod daemon_start;
mod depends;
mod fault_disk;
mod fault_fds;
mod fault_identity;
mod fault_kill;
mod fault_limits;
mod fault_load;
mod fault_power;
mod fault_processes;
mod flags;
mod foreground;
mod health;
mod hooks;
mod identity;
mod ipc_abuse;
mod lifecycle;
mod log_forms;
mod logs;
mod logs_terminal;
mod logs_views;
mod mcp;
mod monit;
mod named_tests;
mod output_bytes;
mod pm2_habits;
mod policy;
mod protocol_python;
mod reactions;
mod readiness;
mod readme;
mod reload;
mod runs;
mod selectors;
mod settle;
mod soak;
mod start_errors;
mod stream;
mod take_over;
mod upgrade;
mod watch;

use velos_testkit::TestEnv;

fn env() -> TestEnv {
    TestEnv::new(env!("CARGO_BIN_EXE_velos"))
}
