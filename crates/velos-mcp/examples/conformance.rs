//! The server that the conformance suite meets: `conformance PORT`, in a home of its own.

use std::sync::Arc;

use velos_client::Home;
use velos_core::app::AppSpec;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_mcp::{Host, NewApp};

/// The suite starts no apps.
struct NoHost;

impl Host for NoHost {
    fn declare(&self, _: &NewApp) -> Result<AppSpec, ErrorReply> {
        Err(ErrorReply::new(ErrorCode::Refused, "no app is started here"))
    }

    fn defaults(&self) -> Result<Option<String>, ErrorReply> {
        Ok(None)
    }

    fn set_default(&self, _: &str, _: Option<&str>, _: bool) -> Result<Option<String>, ErrorReply> {
        Err(ErrorReply::new(ErrorCode::Refused, "there are no defaults here"))
    }
}

fn main() -> Result<(), ErrorReply> {
    let port = std::env::args().nth(1).unwrap_or_default();
    velos_mcp::conformance::serve(
        Home::from_environment()?,
        Arc::new(NoHost),
        velos_mcp::parse_address(&port)?,
    )
}
