//! `velos --version`: always answers, whatever state the daemon is in.

use std::time::Duration;

use velos_client::{Client, Home};
use velos_core::VERSION;

/// A daemon that hangs must not keep anybody from the version.
const PATIENCE: Duration = Duration::from_secs(1);
const PLATFORM: &str = env!("VELOS_TARGET");

pub(crate) fn run(context: &super::Context) -> super::Result {
    let daemon = Home::from_environment().and_then(|home| Client::connect_within(&home, "cli", PATIENCE));
    let daemon = daemon.map(|client| client.map(|client| client.hello().rss_bytes));
    if context.machine {
        let rss_bytes = daemon.ok().flatten();
        crate::output::print_json(&serde_json::json!({
            "version": VERSION, "zig_core": VERSION, "rust_shell": VERSION, "platform": PLATFORM,
            "daemon_rss_bytes": rss_bytes,
        }))?;
        return Ok(0);
    }
    let last = match daemon {
        Ok(Some(bytes)) => format!("Daemon RAM: {}", megabytes(bytes)),
        Ok(None) => "Daemon: not running".to_owned(),
        Err(error) => format!("Daemon: unknown ({error})"),
    };
    crate::output::print(&format!(
        "Velos {VERSION} (zig-core {VERSION}, rust-shell {VERSION})\nPlatform: {PLATFORM}\n{last}\n"
    ))?;
    Ok(0)
}

/// `1.2 MB`, rounded to the nearest tenth.
fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::megabytes;

    #[test]
    fn one_digit() {
        for (bytes, text) in
            [(0, "0.0 MB"), (1_249_999, "1.2 MB"), (1_250_000, "1.3 MB"), (51_000_000, "51.0 MB")]
        {
            assert_eq!(megabytes(bytes), text);
        }
    }
}
