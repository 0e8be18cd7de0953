//! `velos init`: a commented velos.toml for what is found in a folder.

mod detect;

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use velos_core::error::ErrorReply;

use crate::args::Init;

const HEAD: &str =
    "Apps of this folder. All keys: docs/config.md of velos, `velos config schema` for editors.
See what would happen: velos apply --dry-run; make it so: velos apply";

const TAIL: &str = r#"
# Also possible for each app:
#
# instances = 4                     # or "max": one per core
# max_memory_restart = "300M"
# env = { PORT = "3000" }
# env_production = { LOG = "warn" } # added by --env production
# depends_on = { db = "healthy" }
# watch = ["src"]
# health.http = "http://127.0.0.1:3000/healthz"
# cron_restart = "0 3 * * *"
"#;

/// `--machine`.
#[derive(Debug, Serialize)]
struct Written {
    file: String,
    apps: Vec<String>,
}

pub(crate) fn run(context: &super::Context, init: &Init) -> super::Result {
    let folder = std::env::current_dir()
        .map_err(|error| super::failed(format!("cannot tell where we are: {error}")))?;
    let entries = detect::apps(&folder);
    let text = format!("{}{TAIL}", velos_config::toml(HEAD, &entries));
    let file = init.file.clone().unwrap_or_else(|| "velos.toml".into());
    write_new(&file, &text, init.force)?;
    let apps: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    if context.machine {
        crate::output::print_json(&Written { file: file.display().to_string(), apps })?;
        return Ok(0);
    }
    context.say(&format!(
        "[OK] Wrote {} with {}; see it, then `velos apply`\n",
        file.display(),
        apps.join(", ")
    ))?;
    Ok(0)
}

/// Write a file that is not there yet.
pub(crate) fn write_new(path: &Path, text: &str, force: bool) -> Result<(), ErrorReply> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(force).create_new(!force);
    let wrong = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => super::failed(format!("{} is there already", path.display()))
            .hint("add --force to overwrite it, or name another file"),
        _ => super::failed(format!("cannot write {}: {error}", path.display())),
    };
    options.open(path).and_then(|mut file| file.write_all(text.as_bytes())).map_err(wrong)
}
