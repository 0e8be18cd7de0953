//! `velos logs`: straight from disk, so it works without a daemon and after an app is gone.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::SystemTime;

use velos_client::Home;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_log_engine::{Follower, Line, Stream, Watcher, Woken, merge, neutralise};

use super::log_sources::{Source, find};
use crate::args::Logs;
use crate::clock::Clock;
use crate::output::{Printed, print_bytes};

/// Of an app that comes while we follow, at most so many lines before we noticed.
const CATCH_UP_LINES: usize = 10_000;
/// Colours of names, one after the other.
const PALETTE: [&str; 6] = ["36", "33", "35", "34", "32", "96"];

pub(crate) fn run(context: &super::Context, logs: &Logs) -> super::Result {
    let home = Home::from_environment()?;
    let streams = logs.follow || !logs.nostream && !context.machine && std::io::stdout().is_terminal();
    let mut view =
        View { context, logs, streams, clock: Clock::system(), names: Vec::new(), followers: Vec::new() };
    let mut past = Vec::new();
    for source in find(&home, &logs.targets)? {
        past.push(view.open(source, logs.lines)?);
    }
    view.show(merge(past))?;
    if streams { view.follow(&home) } else { Ok(0) }
}

struct View<'a> {
    context: &'a super::Context,
    logs: &'a Logs,
    streams: bool,
    clock: Clock,
    names: Vec<String>,
    /// Each with the number of its name.
    followers: Vec<(usize, Follower)>,
}

impl View<'_> {
    /// The last lines of a source, of both streams by time; from then on it is followed.
    fn open(&mut self, source: Source, count: usize) -> Result<Vec<Line>, ErrorReply> {
        let number = self.names.len();
        let mut runs = Vec::new();
        // One file for both streams is read once; its index tells them apart.
        let is_shared = source.out == source.err;
        for (path, stream) in [(&source.out, Stream::Out), (&source.err, Stream::Err)] {
            let is_wanted = if is_shared { stream == Stream::Out } else { self.wants(stream) };
            if !is_wanted {
                continue;
            }
            let opened = Follower::after_tail(path, stream, count);
            let (mut lines, mut follower) = opened.map_err(|error| cannot_read(path, &error))?;
            if !self.streams {
                follower.finish(&mut lines);
            }
            lines.retain(|line| self.wants(line.stream));
            runs.push(lines);
            self.followers.push((number, follower));
        }
        self.names.push(source.name);
        let mut lines: Vec<Line> = merge(runs).into_iter().map(|(_, line)| line).collect();
        let surplus = lines.len().saturating_sub(count);
        lines.drain(..surplus);
        Ok(lines)
    }

    fn wants(&self, stream: Stream) -> bool {
        match stream {
            Stream::Out => !self.logs.err,
            Stream::Err => !self.logs.out,
        }
    }

    fn follow(&mut self, home: &Home) -> super::Result {
        let begin_us =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let watch_failed = |error: std::io::Error| {
            super::failed(format!("cannot watch the logs: {error}"))
                .hint("print them without following: --nostream")
        };
        let mut watcher = Watcher::new().map_err(watch_failed)?;
        let mut is_changed = true;
        loop {
            if is_changed {
                self.find_new(home, begin_us)?;
                // A name for the folder, so that the first log of all is noticed too.
                watcher.watch(&home.logs().join("none")).map_err(watch_failed)?;
                for (_, follower) in &self.followers {
                    watcher.watch(follower.path()).map_err(watch_failed)?;
                }
            }
            if self.look()? == Printed::NobodyReads {
                return Ok(0);
            }
            is_changed = match watcher.wait(std::io::stdout().as_fd()).map_err(watch_failed)? {
                Woken::Grown => false,
                Woken::FolderChanged => true,
                Woken::NobodyReads => return Ok(0),
            };
        }
    }

    /// Apps that were started since, as far as they are selected.
    fn find_new(&mut self, home: &Home, begin_us: u128) -> Result<(), ErrorReply> {
        // Not there yet, or not there any more: what is open is followed on.
        let Ok(sources) = find(home, &self.logs.targets) else { return Ok(()) };
        for source in sources {
            if self
                .followers
                .iter()
                .any(|(_, follower)| [&*source.out, &*source.err].contains(&follower.path()))
            {
                continue;
            }
            let number = self.names.len();
            let mut lines = self.open(source, CATCH_UP_LINES)?;
            lines.retain(|line| line.time_us.is_some_and(|time_us| u128::from(time_us) >= begin_us));
            self.show(lines.into_iter().map(|line| (number, line)).collect())?;
        }
        Ok(())
    }

    fn look(&mut self) -> Result<Printed, ErrorReply> {
        let mut runs: HashMap<usize, Vec<Vec<Line>>> = HashMap::new();
        let (err, out) = (self.logs.err, self.logs.out);
        for (number, follower) in &mut self.followers {
            let mut lines = follower.look().map_err(|error| cannot_read(follower.path(), &error))?;
            lines.retain(|line| if line.stream == Stream::Out { !err } else { !out });
            runs.entry(*number).or_default().push(lines);
        }
        let mut by_source = vec![Vec::new(); self.names.len()];
        for (number, runs) in runs {
            if let Some(slot) = by_source.get_mut(number) {
                *slot = merge(runs).into_iter().map(|(_, line)| line).collect();
            }
        }
        self.show(merge(by_source))
    }

    fn show(&self, lines: Vec<(usize, Line)>) -> Result<Printed, ErrorReply> {
        if self.context.machine {
            return self.show_json(&lines);
        }
        if lines.is_empty() {
            return Ok(Printed::Read);
        }
        let mut text = Vec::new();
        for (number, line) in &lines {
            if self.logs.raw {
                text.extend_from_slice(&line.bytes);
                text.push(b'\n');
            } else {
                text.extend_from_slice(self.decorated(*number, line).as_bytes());
            }
        }
        print_bytes(&text)
    }

    fn decorated(&self, number: usize, line: &Line) -> String {
        let time = line
            .time_us
            .map_or_else(|| "--:--:--".to_owned(), |us| self.clock.time((us / 1_000).cast_signed()));
        let colour = self.context.colour;
        let text = neutralise(&line.bytes, colour);
        let several = self.names.len() > 1;
        let name = self.names.get(number).filter(|_| several);
        if !colour {
            let prefix = name.map_or(String::new(), |name| format!("{name} | "));
            return format!("[{time}] {prefix}{text}\n");
        }
        let paint = PALETTE.get(number % PALETTE.len()).copied().unwrap_or_default();
        let prefix = name.map_or(String::new(), |name| format!("\x1b[{paint}m{name} |\x1b[0m "));
        let dim = if line.stream == Stream::Err { "31" } else { "2" };
        let reset = if text.contains('\x1b') { "\x1b[0m" } else { "" };
        format!("\x1b[{dim}m[{time}]\x1b[0m {prefix}{text}{reset}\n")
    }

    /// One document; while following a document per line.
    fn show_json(&self, lines: &[(usize, Line)]) -> Result<Printed, ErrorReply> {
        let document = |(number, line): &(usize, Line)| {
            serde_json::json!({
                "app": self.names.get(*number),
                "stream": if line.stream == Stream::Err { "err" } else { "out" },
                "time_us": line.time_us,
                "text": String::from_utf8_lossy(&line.bytes),
            })
        };
        let documents: Vec<_> = lines.iter().map(document).collect();
        let text = if self.streams {
            documents.iter().map(|document| format!("{document}\n")).collect()
        } else {
            format!("{}\n", serde_json::Value::from(documents))
        };
        print_bytes(text.as_bytes())
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, format!("cannot read {}: {error}", path.display()))
}
