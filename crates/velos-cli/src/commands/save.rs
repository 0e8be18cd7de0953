//! `velos save` and `velos resurrect`: the list in a file, and back.
//!
//! The daemon remembers its table by itself; the file is for who wants to come back to a chosen moment, or deleted all.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use velos_client::Home;
use velos_core::app::AppSpec;
use velos_core::error::ErrorReply;
use velos_core::instance::Goal;
use velos_core::protocol::{InfoReply, Outcome, Outcomes, Start, Targets, Update, method};

use super::select;
use crate::args::Save;

const FILE: &str = "dump.json";
const VERSION: u32 = 1;
/// Far more than any list; a bigger file is not ours.
const BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Dump {
    version: u32,
    apps: Vec<Saved>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    /// Whether it was meant to run.
    up: bool,
    spec: AppSpec,
}

pub(crate) fn save(context: &super::Context, save: &Save) -> super::Result {
    let mut client = context.daemon()?;
    let info: InfoReply =
        client.call(method::INFO, &Targets { targets: vec!["all".to_owned()] }).or_else(|error| {
            if error.code == velos_core::error::ErrorCode::NotFound {
                Ok(InfoReply { instances: Vec::new() })
            } else {
                Err(error)
            }
        })?;
    let mut apps: Vec<Saved> = Vec::new();
    for instance in info.instances {
        let up = instance.summary.goal == Goal::Up;
        match apps.iter_mut().find(|saved| saved.spec.name == instance.spec.name) {
            Some(saved) => saved.up |= up,
            None => apps.push(Saved { up, spec: instance.spec }),
        }
    }
    let path = file()?;
    if apps.is_empty() && !save.force {
        // As under PM2 this is no failure: a script that saves at its end goes on.
        if !context.quiet {
            super::note(
                "note: there is nothing to save, so the saved list stays; `velos save --force` empties it\n",
            );
        }
        return Ok(0);
    }
    let count = apps.len();
    write(&path, &Dump { version: VERSION, apps })?;
    context.say(&format!("[OK] Saved {count} apps to {}\n", path.display()))?;
    Ok(0)
}

/// `cleardump`: there may be none.
pub(crate) fn clear(context: &super::Context) -> super::Result {
    let path = file()?;
    // One that is not there is cleared already.
    let _ = std::fs::remove_file(older(&path));
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(super::failed(format!("cannot remove {}: {error}", path.display())))
        }
        _ => {
            context.say(&format!("[OK] No list is saved in {}\n", path.display()))?;
            Ok(0)
        }
    }
}

pub(crate) fn resurrect(context: &super::Context) -> super::Result {
    let path = file()?;
    let Some(dump) = newest(context, &path)? else {
        if !context.quiet {
            super::note(&format!(
                "note: nothing was saved yet: there is no {}; see `velos save`\n",
                path.display()
            ));
        }
        return Ok(0);
    };
    let mut client = context.daemon()?;
    let begin = select::now_us();
    let list: velos_core::protocol::ListReply = client.call(method::LIST, &Targets::default())?;
    let runs = |name: &str| list.instances.iter().any(|one| one.name == name && one.goal == Goal::Up);
    let is_known = |name: &str| list.instances.iter().any(|one| one.name == name);
    let (mut apps, mut resting, mut kept) = (Vec::new(), Vec::new(), String::new());
    for saved in dump.apps {
        let name = saved.spec.name.as_str().to_owned();
        if runs(&name) {
            kept.push_str(&format!("[OK] Process \"{name}\" runs already\n"));
        } else if saved.up {
            apps.push(saved.spec);
        } else if !is_known(&name) {
            // Into the list, not started; what its declaration says of that is put right below.
            apps.push(AppSpec { no_autostart: true, ..saved.spec.clone() });
            resting.push(saved.spec);
        }
    }
    let mut outcomes = Outcomes::default();
    if !apps.is_empty() {
        outcomes = client.call(method::START, &Start { apps, targets: Vec::new() })?;
    }
    if !resting.is_empty() {
        let changed: Outcomes = client.call(method::UPDATE, &Update { apps: resting })?;
        outcomes.refused.extend(changed.refused);
    }
    if !context.machine {
        context.say(&kept)?;
    }
    let done = |outcome: &Outcome| match outcome.pid {
        Some(pid) => format!("started (PID: {pid})"),
        None => "is in the list again, stopped as it was".to_owned(),
    };
    select::tell(context, &outcomes, begin, done)
}

/// The saved list, or the one before it when that cannot be read. `None`: nothing was ever saved.
fn newest(context: &super::Context, path: &Path) -> Result<Option<Dump>, ErrorReply> {
    let older = older(path);
    let error = match read(path) {
        Ok(dump) => return Ok(Some(dump)),
        Err(_) if !path.exists() && !older.exists() => return Ok(None),
        Err(error) => error,
    };
    let Ok(dump) = read(&older) else { return Err(error) };
    if !context.quiet {
        super::note(&format!("warning: {}; the list saved before it is used\n", error.message));
    }
    Ok(Some(dump))
}

/// What was saved before.
fn older(path: &Path) -> PathBuf {
    path.with_extension("json.1")
}

fn file() -> Result<PathBuf, ErrorReply> {
    Ok(Home::from_environment()?.path().join(FILE))
}

/// Whole or not at all: a reader never finds half a list.
fn write(path: &Path, dump: &Dump) -> Result<(), ErrorReply> {
    let cannot = |error: std::io::Error| super::failed(format!("cannot write {}: {error}", path.display()));
    let bytes = serde_json::to_vec_pretty(dump)
        .map_err(|error| super::failed(format!("cannot encode the list: {error}")))?;
    let new = path.with_extension("json.new");
    // Environments stand in it: nobody else may read it.
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut out = options.open(&new).map_err(cannot)?;
    out.write_all(&bytes).and_then(|()| out.sync_all()).map_err(cannot)?;
    match std::fs::rename(path, older(path)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
        _ => {}
    }
    std::fs::rename(&new, path).map_err(cannot)?;
    Ok(())
}

fn read(path: &Path) -> Result<Dump, ErrorReply> {
    let shown = path.display();
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => super::failed(format!("nothing was saved yet: there is no {shown}"))
            .hint("save the list with `velos save`"),
        _ => super::failed(format!("cannot read {shown}: {error}")),
    };
    if std::fs::metadata(path).map_err(cannot)?.len() > BYTES_MAX {
        return Err(super::failed(format!("{shown} is too big to be a saved list")));
    }
    let bytes = std::fs::read(path).map_err(cannot)?;
    let broken = |reason: String| {
        super::failed(format!("{shown} is no saved list: {reason}"))
            .hint("save the list anew with `velos save`")
    };
    let dump: Dump = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
    if dump.version != VERSION {
        return Err(broken(format!("it has version {}, this velos knows {VERSION}", dump.version)));
    }
    Ok(dump)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_back_and_a_broken_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        assert!(read(&path).unwrap_err().message.contains("nothing was saved"));
        let spec = crate::sample::spec();
        write(&path, &Dump { version: 1, apps: vec![Saved { up: true, spec: spec.clone() }] }).unwrap();
        assert_eq!(read(&path).unwrap().apps[0].spec, spec);
        std::fs::write(&path, "{\"version\": 9, \"apps\": []}").unwrap();
        assert!(read(&path).unwrap_err().message.contains("version 9"));
        write(&path, &Dump { version: 1, apps: vec![Saved { up: false, spec: spec.clone() }] }).unwrap();
        write(&path, &Dump { version: 1, apps: Vec::new() }).unwrap();
        std::fs::write(&path, "{").unwrap();
        assert!(read(&path).is_err());
        let context = super::super::Context {
            machine: false,
            quiet: true,
            colour: false,
            stderr_colour: false,
            owns_daemon: false,
        };
        let dump = newest(&context, &path).unwrap().unwrap();
        assert!(!dump.apps[0].up && dump.apps[0].spec == spec, "the list before it");
        std::fs::remove_file(older(&path)).unwrap();
        assert!(newest(&context, &path).is_err(), "a broken one alone is told");
        std::fs::remove_file(&path).unwrap();
        assert!(newest(&context, &path).unwrap().is_none());
    }
}
