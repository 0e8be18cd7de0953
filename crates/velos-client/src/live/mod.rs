//! The async client: calls, and a stream of live updates.
//!
//! [`AsyncClient`] makes calls, many at once on one connection. [`Updates`] is a subscription: events, samples and
//! positions of logs as they come, over crashes and upgrades of the daemon, events without loss or doubles. Both belong
//! to the tokio runtime they were made in, and both are cancel-safe: a future of theirs that is dropped loses nothing.
//!
//! Nobody waits for a slow reader. The daemon keeps a bounded queue for each subscriber, [`Updates`] another one
//! ([`Ring`]); who reads neither in time loses the oldest and is told how many with [`Update::Lost`].
//!
//! ```no_run
//! # async fn example() -> Result<(), velos_client::ErrorReply> {
//! use velos_client::Home;
//! use velos_client::live::{Update, Updates};
//! use velos_core::live::{Kind, SubscribeParams};
//!
//! let kinds = vec![Kind::Events, Kind::Samples];
//! let params = SubscribeParams { kinds, ..SubscribeParams::default() };
//! let mut updates = Updates::subscribe(&Home::from_environment()?, "example", params).await?;
//! while let Some(update) = updates.next().await {
//!     match update {
//!         Update::Event(event) => drop(event),
//!         Update::Samples(samples) => drop(samples),
//!         Update::Logs(_) | Update::Lost(_) | Update::Here(_) | Update::Away(_) => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod calls;
mod ring;
mod updates;
mod wire;

pub use calls::AsyncClient;
pub use ring::{Missed, Queued, Ring};
pub use updates::{Here, Update, Updates};
