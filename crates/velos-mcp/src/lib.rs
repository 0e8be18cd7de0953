//! The MCP server: what an AI agent may do with Velos, in few tokens.
//!
//! [`spec`] is the one table of tools: names, texts, schemas, hints. A call goes through [`toolbox`], which knows what is
//! allowed, finds the tool and gives its [`reply::Reply`] an alert line when something else needs attention. Tools are
//! plain blocking functions in [`tools`]: they ask the daemon through `velos-client` and read logs from disk
//! ([`logs`]). Everything that an app wrote passes [`clean`] on its way out. [`server`] speaks the protocol, over stdio
//! ([`serve_stdio`]) or HTTP ([`http`]).
//!
//! Only the process of the command line uses this crate; the daemon knows nothing of it.

mod alert;
mod allow;
mod arguments;
mod audit;
mod calls;
mod clean;
mod clock;
mod compact;
mod condition;
#[cfg(feature = "conformance")]
pub mod conformance;
mod declare;
mod history;
mod http;
pub mod install;
mod logs;
mod page;
mod ports;
mod prompts;
mod pulse;
mod reply;
mod resources;
mod sentence;
mod server;
mod spec;
mod stack;
mod subscriptions;
mod tasks;
mod token;
mod tokens;
mod toolbox;
mod tools;
mod url;

pub use declare::{Host, NewApp};
pub use http::{Http, Listening, parse_address, serve_http};
pub use page::page;
pub use server::serve_stdio;
pub use spec::Selection;
pub use toolbox::Options;
