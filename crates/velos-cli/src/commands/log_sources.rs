//! Which log files a selection means: the daemon's list when one runs, else the files' names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use velos_client::{Client, Home};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{Cause, Event, What};
use velos_core::instance::{Exit, Phase};
use velos_core::name::AppName;
use velos_core::protocol::{EventsParams, EventsReply, InstanceSummary, ListReply, Targets, method};
use velos_core::selector;

/// A daemon that hangs must not keep anybody from the logs.
const PATIENCE: Duration = Duration::from_secs(2);

/// The two streams of an instance.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) out: PathBuf,
    pub(crate) err: PathBuf,
}

/// Logs of these, or of all; those of apps that are gone too, when they are named.
pub(crate) fn find(home: &Home, targets: &[String]) -> Result<Vec<Source>, ErrorReply> {
    let known = known(home);
    let candidates: Vec<_> = known.iter().map(super::candidate).collect();
    let all = ["all".to_owned()];
    let mut sources: Vec<Source> = Vec::new();
    for target in if targets.is_empty() { &all[..] } else { targets } {
        let found: Vec<Source> = match selector::resolve(std::slice::from_ref(target), &candidates) {
            Ok(ids) => known.iter().filter(|one| ids.contains(&one.id)).map(source).collect(),
            Err(error) if error.code != ErrorCode::NotFound => return Err(error),
            Err(error) => {
                let left = left_behind(&home.logs(), target);
                if left.is_empty() && !targets.is_empty() && target != "all" {
                    return Err(error);
                }
                left
            }
        };
        for source in found {
            // Instances that share their files are shown once.
            if !sources.iter().any(|seen| seen.out == source.out && seen.err == source.err) {
                sources.push(source);
            }
        }
    }
    Ok(sources)
}

/// What a running daemon knows; nothing when there is none, or when it does not answer.
fn known(home: &Home) -> Vec<InstanceSummary> {
    let list = Client::connect_within(home, "cli", PATIENCE).ok().flatten().and_then(|mut client| {
        client.set_patience(Some(PATIENCE));
        client.call::<_, ListReply>(method::LIST, &Targets::default()).ok()
    });
    list.unwrap_or_default().instances
}

/// How often the processes of an app ended by themselves since a moment, as far as a running daemon remembers.
pub(crate) fn crashes(app: &str, from_us: u64) -> u64 {
    let Ok(home) = Home::from_environment() else { return 0 };
    let reply = Client::connect_within(&home, "cli", PATIENCE).ok().flatten().and_then(|mut client| {
        client.set_patience(Some(PATIENCE));
        let params = EventsParams { since: None, targets: vec![app.to_owned()], limit: 0 };
        client.call::<_, EventsReply>(method::EVENTS, &params).ok()
    });
    let is_crash = |event: &&Event| {
        let is_recent = u64::try_from(event.at_ms).is_ok_and(|at_ms| at_ms.saturating_mul(1_000) >= from_us);
        is_recent
            && matches!(&event.what, What::Transition { from, cause: Cause::Exited { exit, .. }, .. }
                if *from != Phase::Stopping && *exit != Exit::Code(0))
    };
    reply.map_or(0, |reply| reply.events.iter().filter(is_crash).count() as u64)
}

fn source(one: &InstanceSummary) -> Source {
    Source {
        name: super::shown_name(&one.name, one.slot),
        out: one.out_log.as_path().to_path_buf(),
        err: one.err_log.as_path().to_path_buf(),
    }
}

/// Logs in the folder that nobody speaks for: of a deleted app, or of all when no daemon runs.
fn left_behind(folder: &Path, target: &str) -> Vec<Source> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let wanted = AppName::new(target).map(|name| name.file_stem()).ok();
    let mut found: Vec<(String, u32, Source)> = Vec::new();
    for entry in entries.flatten() {
        let Some((stem, slot)) = entry.file_name().to_str().and_then(parse) else { continue };
        let is_wanted = target == "all" || wanted.as_ref() == Some(&stem);
        if !is_wanted || found.iter().any(|(other, of, _)| *other == stem && *of == slot.unwrap_or(0)) {
            continue;
        }
        let number = slot.map_or(String::new(), |slot| format!("-{slot}"));
        let source = Source {
            name: super::shown_name(&stem, slot.unwrap_or(0)),
            out: folder.join(format!("{stem}-out{number}.log")),
            err: folder.join(format!("{stem}-error{number}.log")),
        };
        found.push((stem, slot.unwrap_or(0), source));
    }
    found.sort_by(|(name, slot, _), (other, of, _)| (name, slot).cmp(&(other, of)));
    found.into_iter().map(|(.., source)| source).collect()
}

/// `api-out.log`, `api-error-2.log`: the app's name as it stands in file names, and its slot.
fn parse(file: &str) -> Option<(String, Option<u32>)> {
    let name = file.strip_suffix(".log")?;
    for kind in ["-out", "-error"] {
        if let Some(stem) = name.strip_suffix(kind) {
            return Some((stem.to_owned(), None));
        }
        let numbered = name
            .rsplit_once('-')
            .and_then(|(rest, slot)| Some((rest.strip_suffix(kind)?, slot.parse().ok()?)));
        if let Some((stem, slot)) = numbered {
            return Some((stem.to_owned(), Some(slot)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_apps_that_are_gone_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "api-out.log",
            "api-out.3.log",
            "api-error.log",
            "api-out.log.vix",
            "only-err-error.log",
            "w-out-0.log",
            "w-out-1.log",
            "my-app-1-out.log",
            "other.txt",
        ];
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let names = |target: &str| -> Vec<String> {
            left_behind(folder.path(), target).into_iter().map(|source| source.name).collect()
        };
        assert_eq!(names("all"), ["api", "my-app-1", "only-err", "w", "w:1"]);
        assert_eq!(names("w"), ["w", "w:1"]);
        assert_eq!(names("my app_1"), ["my-app-1"]);
        assert!(names("../api").is_empty());
        assert!(left_behind(Path::new("/nonexistent"), "all").is_empty());
    }
}
