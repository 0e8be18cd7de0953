//! The words that every part of Velos shares: what an app is, what an instance is doing, what happened,
//! and the messages on the socket. Plain data, no I/O, no clock, no threads.

pub mod app;
pub mod cgroup;
pub mod error;
pub mod event;
pub mod frame;
pub mod instance;
pub mod live;
pub mod name;
pub mod policy;
pub mod protocol;
pub mod raw_string;
pub mod run;
pub mod selector;
pub mod signal;
pub mod units;

/// Version of the product, as `velos --version` and `hello` tell it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
