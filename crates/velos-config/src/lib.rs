//! Configuration files: `velos.toml`, JSON, JSON5, YAML and PM2's ecosystem files become declarations of apps.
//!
//! Text becomes [`node::Node`]s that know where they stand ([`read`]); the one table of keys ([`keys`]) decides what
//! may be said, in the file, in the JSON Schema and in `docs/config.md`; what was said becomes an
//! [`velos_core::app::AppSpec`] ([`declaration`]). Finding interpreters and taking the caller's environment is left to
//! who starts the apps.

mod amend;
mod circle;
mod declaration;
mod draft;
mod edit;
mod env_file;
mod file;
mod keys;
mod lower;
mod node;
mod page;
mod plan;
mod pm2_dump;
mod problem;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod value;
mod write;

pub use amend::{AmendError, all_shown, amend, shown};
pub use declaration::{Declaration, Launch};
pub use edit::{EditError, edit, value_at};
pub use file::{Config, Options, is_config_file, load, load_text, load_unnamed};
pub use page::page;
pub use plan::{Change, changes};
pub use pm2_dump::import;
pub use problem::{ConfigError, Problem};
pub use schema::schema;
pub use write::{Entry, toml};
