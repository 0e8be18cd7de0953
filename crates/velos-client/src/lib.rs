//! Talk to the daemon: one connection, one call at a time, blocking.
//!
//! [`Home`] says where the daemon lives, [`Client::connect`] finds a running one, [`start::connect_or_start`] starts one
//! when there is none. With the feature `async` there is `live`: calls that do not block, and a stream of what happens
//! that goes on over crashes and upgrades of the daemon. Every failure is an [`ErrorReply`], whether the daemon said it
//! or we did.

mod client;
mod home;
#[cfg(feature = "async")]
pub mod live;
pub mod logs;
pub mod start;

pub use client::{Client, Notice};
pub use home::Home;
pub use velos_core::error::{ErrorCode, ErrorReply};
