//! `velos logs`: straight from disk, so it works without a daemon and after an app is gone.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use velos_client::Home;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::name::AppName;
use velos_core::protocol::{ListReply, Targets, method};
use velos_core::selector::{self, Candidate};
use velos_log_engine::{Follower, Line, Stream, merge, neutralise, tail};

use crate::args::Logs;
use crate::commands::events::clock;

/// How often growing logs are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

struct Source {
    name: String,
    out: PathBuf,
    err: PathBuf,
}

pub(crate) fn run(context: &super::Context, logs: &Logs) -> super::Result {
    let sources = find(context, &logs.targets)?;
    let follow = logs.follow || !logs.nostream && !context.machine && std::io::stdout().is_terminal();
    let mut followers: Vec<(usize, Follower)> = Vec::new();
    let mut past: Vec<(usize, Line)> = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let mut streams: [Vec<Line>; 2] = Default::default();
        let wanted = [(&source.out, Stream::Out, !logs.err), (&source.err, Stream::Err, !logs.out)];
        for ((path, stream, wanted), lines) in wanted.into_iter().zip(&mut streams) {
            if !wanted {
                continue;
            }
            if follow {
                followers.push((number, Follower::at_end(path, stream)));
            }
            *lines = tail(path, stream, logs.lines).map_err(|error| cannot_read(path, &error))?;
        }
        let [out, err] = streams;
        past.extend(merge(out, err).into_iter().map(|line| (number, line)));
    }
    let mut last = 0;
    let mut keyed: Vec<(u64, usize, Line)> = Vec::with_capacity(past.len());
    for (number, line) in past {
        last = line.time_us.unwrap_or(last);
        keyed.push((last, number, line));
    }
    keyed.sort_by_key(|(time_us, ..)| *time_us);
    let several = sources.len() > 1;
    for (_, number, line) in &keyed {
        show(context, logs, several.then(|| sources[*number].name.as_str()), line)?;
    }
    if follow { go_on(context, logs, &sources, followers) } else { Ok(0) }
}

/// Show what is added, until somebody ends us.
fn go_on(
    context: &super::Context,
    logs: &Logs,
    sources: &[Source],
    mut followers: Vec<(usize, Follower)>,
) -> super::Result {
    let several = sources.len() > 1;
    loop {
        let mut fresh = Vec::new();
        for (number, follower) in &mut followers {
            let lines = follower.look().map_err(|error| cannot_read(&sources[*number].out, &error))?;
            fresh.extend(lines.into_iter().map(|line| (*number, line)));
        }
        fresh.sort_by_key(|(_, line)| line.time_us);
        for (number, line) in &fresh {
            show(context, logs, several.then(|| sources[*number].name.as_str()), line)?;
        }
        if fresh.is_empty() {
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

/// Ask a running daemon where the logs are; without one, or for an app that is gone, the files' names tell.
fn find(context: &super::Context, targets: &[String]) -> Result<Vec<Source>, ErrorReply> {
    let home = Home::from_environment()?;
    let list: ListReply = match context.running_daemon()? {
        Some(mut client) => client.call(method::LIST, &Targets::default())?,
        None => ListReply::default(),
    };
    let all = ["all".to_owned()];
    let targets = if targets.is_empty() { &all[..] } else { targets };
    let candidates: Vec<Candidate<'_>> = list
        .instances
        .iter()
        .map(|one| Candidate {
            id: one.id,
            name: &one.name,
            namespace: &one.namespace,
            slot: one.slot,
            script: &one.script,
        })
        .collect();
    let mut sources = Vec::new();
    for target in targets {
        match selector::resolve(std::slice::from_ref(target), &candidates) {
            Ok(ids) => {
                let found = list.instances.iter().filter(|one| ids.contains(&one.id));
                sources.extend(found.map(|one| Source {
                    name: if one.slot > 0 { format!("{}:{}", one.name, one.slot) } else { one.name.clone() },
                    out: one.out_log.as_path().to_path_buf(),
                    err: one.err_log.as_path().to_path_buf(),
                }));
            }
            Err(error) => {
                let left = left_behind(&home.logs(), target);
                if left.is_empty() && (target != "all" || !targets.eq(&all)) {
                    return Err(error);
                }
                sources.extend(left);
            }
        }
    }
    Ok(sources)
}

/// Logs of apps that nobody knows any more.
fn left_behind(folder: &Path, target: &str) -> Vec<Source> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let wanted = AppName::new(target).map(|name| name.file_stem()).ok();
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix("-out.log").map(str::to_owned))
        .filter(|name| target == "all" || wanted.as_deref() == Some(name.as_str()))
        .collect();
    names.sort();
    let source = |name: String| Source {
        out: folder.join(format!("{name}-out.log")),
        err: folder.join(format!("{name}-error.log")),
        name,
    };
    names.into_iter().map(source).collect()
}

fn show(context: &super::Context, logs: &Logs, name: Option<&str>, line: &Line) -> Result<(), ErrorReply> {
    if context.machine {
        let document = serde_json::json!({
            "app": name, "time_us": line.time_us, "stream": if line.stream == Stream::Err { "err" } else { "out" },
            "text": String::from_utf8_lossy(&line.bytes),
        });
        return crate::output::print_json(&document);
    }
    if logs.raw {
        let mut bytes = line.bytes.clone();
        bytes.push(b'\n');
        let mut stdout = std::io::stdout().lock();
        // A reader that went away is no failure; there is nobody to tell.
        let _ = stdout.write_all(&bytes).and_then(|()| stdout.flush());
        return Ok(());
    }
    let time = line.time_us.map_or_else(|| "--:--:--".to_owned(), |us| clock((us / 1_000).cast_signed()));
    let prefix = name.map_or(String::new(), |name| format!("{name} | "));
    let text = neutralise(&line.bytes);
    let text = match (context.colour, line.stream) {
        (true, Stream::Err) => format!("\x1b[31m[{time}]\x1b[0m {prefix}{text}\x1b[0m\n"),
        (true, Stream::Out) => format!("\x1b[2m[{time}]\x1b[0m {prefix}{text}\x1b[0m\n"),
        (false, _) => format!("[{time}] {prefix}{text}\n"),
    };
    crate::output::print(&text)
}

fn cannot_read(path: &Path, error: &std::io::Error) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, format!("cannot read {}: {error}", path.display()))
}
