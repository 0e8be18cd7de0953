//! End to end: the real binary, real processes, a home of its own per test, nothing left behind.

mod faults;
mod lifecycle;
mod start_errors;

use velos_testkit::TestEnv;

fn env() -> TestEnv {
    TestEnv::new(env!("CARGO_BIN_EXE_velos"))
}
