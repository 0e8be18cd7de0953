//! `velos import pm2`: what PM2 has saved, or one of its files, as a velos.toml.

use std::path::PathBuf;

use serde::Serialize;

use super::from_file;
use crate::args::{Import, ImportFrom};

/// `--machine`.
#[derive(Debug, Serialize)]
struct Imported {
    file: Option<String>,
    toml: String,
    warnings: Vec<String>,
}

pub(crate) fn run(context: &super::Context, import: &Import) -> super::Result {
    let ImportFrom::Pm2(pm2) = &import.from;
    if pm2.live {
        return super::import_live::run(context, pm2);
    }
    let source = match &pm2.file {
        Some(file) => file.clone(),
        None => saved_list()?,
    };
    let (toml, warnings) = velos_config::import(&source).map_err(|error| from_file::reply(&error))?;
    if let Some(output) = &pm2.output {
        super::init::write_new(output, &toml, pm2.force)?;
    }
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    if context.machine {
        let file = pm2.output.as_ref().map(|path| path.display().to_string());
        crate::output::print_json(&Imported { file, toml, warnings })?;
        return Ok(0);
    }
    warnings.iter().for_each(|warning| super::note(&format!("warning: {warning}\n")));
    match &pm2.output {
        Some(output) => {
            context.say(&format!("[OK] Wrote {}; see it, then `velos apply {0}`\n", output.display()))?
        }
        None => drop(crate::output::print(&toml)?),
    }
    Ok(0)
}

/// `$PM2_HOME`, else the folder in the home directory.
pub(super) fn pm2_home() -> PathBuf {
    let folder = std::env::var_os("PM2_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pm2")));
    folder.unwrap_or_default()
}

fn saved_list() -> Result<PathBuf, velos_core::error::ErrorReply> {
    let list = pm2_home().join("dump.pm2");
    match list.is_file() {
        true => Ok(list),
        false => Err(super::failed(format!("there is no saved list of PM2 at {}", list.display()))
            .hint("run `pm2 save`, or name an ecosystem file")),
    }
}
