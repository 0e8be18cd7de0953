//! `velos --version`

use velos_core::VERSION;

pub(crate) fn run(context: &super::Context) -> super::Result {
    let daemon = context.running_daemon()?;
    let rss = daemon.as_ref().map(|client| client.hello().rss_bytes);
    let platform = env!("VELOS_TARGET");
    if context.machine {
        let document = serde_json::json!({
            "version": VERSION, "zig_core": VERSION, "rust_shell": VERSION, "platform": platform, "daemon_rss_bytes": rss,
        });
        crate::output::print_json(&document)?;
        return Ok(0);
    }
    let daemon = match rss {
        #[expect(clippy::cast_precision_loss, reason = "one digit behind the point")]
        Some(bytes) => format!("Daemon RAM: {:.1} MB", bytes as f64 / 1e6),
        None => "Daemon: not running".to_owned(),
    };
    context.say(&format!(
        "Velos {VERSION} (zig-core {VERSION}, rust-shell {VERSION})\nPlatform: {platform}\n{daemon}\n"
    ))?;
    Ok(0)
}
