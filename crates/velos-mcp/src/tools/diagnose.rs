//! `diagnose`: from "it does not work" to the cause in one call.

use serde::Deserialize;
use serde_json::{Value, json};
use velos_core::event::{Cause, Event, What};
use velos_core::instance::{Exit, Phase, SpawnStage};
use velos_core::protocol::{InfoReply, InstanceInfo, WhyInstance, WhyReply, method};
use velos_core::units::short_bytes;
use velos_log_engine::Level;

use super::change::ids;
use super::hints::{Missing, missing, port_in_use};
use super::{Format, Formatted};
use crate::alert;
use crate::clean::{Cleaner, LINE_CHARS_MAX, capped};
use crate::clock;
use crate::compact::{self, Keep, message};
use crate::logs::{self, Row, Selected};
use crate::ports::Ports;
use crate::reply::{Outcome, Reply};
use crate::sentence;
use crate::stack::{self, Found};
use crate::tokens;
use crate::toolbox::{Call, shown_name, unreadable};

const TOKENS: usize = 1_200;
/// Lines in which the error is looked for.
const LINES: usize = 400;
/// Lines that are shown before the error.
const BEFORE: usize = 4;
/// Events that are shown.
const EVENTS: usize = 4;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    name: String,
    max_tokens: Option<usize>,
    #[serde(default)]
    format: Format,
}

impl Formatted for Arguments {
    fn format(&self) -> Format {
        self.format
    }
}

pub(super) fn run(arguments: &Arguments, call: &Call<'_>) -> Outcome {
    let mut chosen = call.toolbox.select(&arguments.name)?;
    // Of many instances the worst tell most.
    chosen.sort_by_key(|one| (sentence::complaint(one).is_none(), one.id));
    chosen.truncate(3);
    let mut client = call.toolbox.asked()?;
    let why: WhyReply = client.call(method::WHY, &ids(&chosen))?;
    let info: InfoReply = client.call(method::INFO, &ids(&chosen))?;
    let budget = arguments.max_tokens.unwrap_or(TOKENS).clamp(150, 10_000) / chosen.len().max(1);
    let (mut text, mut rows, mut nexts) = (String::new(), Vec::new(), Vec::new());
    for one in &chosen {
        let (Some(why), Some(info)) = (
            why.instances.iter().find(|why| why.summary.id == one.id),
            info.instances.iter().find(|info| info.summary.id == one.id),
        ) else {
            continue;
        };
        let case = Case::new(why, info, call)?;
        let (part, data) = case.tell(budget, call);
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&part);
        rows.push(data);
        nexts.extend(case.next());
    }
    nexts.dedup();
    let data = json!({ "instances": rows, "next": nexts });
    Ok(Reply::new(text, data))
}

/// All that is known of one instance.
struct Case<'a> {
    why: &'a WhyInstance,
    info: &'a InstanceInfo,
    rows: Vec<Row>,
    found: Option<Found>,
    source: Vec<logs::Source>,
    /// A port that it wants and who has it.
    conflict: Option<(u16, Option<(i32, String)>)>,
    missing: Option<Missing>,
}

impl<'a> Case<'a> {
    fn new(
        why: &'a WhyInstance,
        info: &'a InstanceInfo,
        call: &Call<'_>,
    ) -> Result<Self, velos_core::error::ErrorReply> {
        let source = logs::sources(std::slice::from_ref(&why.summary));
        let (rows, _) = logs::last(&source, since(why), LINES, call.toolbox.salt).map_err(unreadable)?;
        let found = stack::last_error(&rows);
        let said: Vec<&str> = match &found {
            Some(found) => {
                rows.get(found.rows.clone()).unwrap_or_default().iter().map(|row| row.text.as_str()).collect()
            }
            None => Vec::new(),
        };
        let conflict = said.iter().find_map(|line| port_in_use(line)).map(|port| {
            let ports = Ports::look();
            (port, ports.holder(port))
        });
        let missing = said.iter().find_map(|line| missing(line));
        Ok(Self { why, info, rows, found, source, conflict, missing })
    }

    fn tell(&self, budget: usize, call: &Call<'_>) -> (String, Value) {
        let one = &self.why.summary;
        let name = shown_name(one);
        let mut cleaner = Cleaner::new(call.toolbox.salt);
        let state = self.state();
        let mut text = format!("{name}: {state}\n");
        if let Some(found) = &self.found {
            let place = found.place.as_ref().map_or(String::new(), |place| format!("\nat: {place}"));
            text.push_str(&format!("error: {}{place}\n", capped(&message(&found.head), 300)));
        }
        let holder =
            self.conflict.as_ref().map(|(port, holder)| self.conflict_told(*port, holder.as_ref(), call));
        for line in holder.iter().chain(&self.changed()).chain(&self.resources()) {
            text.push_str(&format!("{}\n", cleaner.line(line.as_bytes())));
        }
        let events = self.events();
        if !events.is_empty() {
            text.push_str(&format!("events: {}\n", cleaner.line(events.join("; ").as_bytes())));
        }
        let next = self.next();
        let end: String =
            next.iter().map(|step| format!("next: {}\n", cleaner.line(step.as_bytes()))).collect();
        let left = budget.saturating_sub(tokens::estimate(&text) + tokens::estimate(&end));
        let lines = self.lines(left.min(600));
        if !lines.is_empty() {
            text.push_str(&compact::render(lines, &self.source, left.clamp(60, 600), Keep::Newest).text);
        }
        text.push_str(&end);
        let shown: Vec<String> = lines.iter().map(|row| capped(&row.text, LINE_CHARS_MAX)).collect();
        let data = json!({
            "name": name,
            "status": one.phase.status(),
            "state": state,
            "error": self.found.as_ref().map(|found| capped(&message(&found.head), 300)),
            "place": self.found.as_ref().and_then(|found| found.place.clone()),
            "lines": shown,
            "events": events,
            "changed": self.changed(),
            "next": next,
        });
        (text, data)
    }

    fn state(&self) -> String {
        let one = &self.why.summary;
        let mut state = sentence::complaint(one).unwrap_or_else(|| match (one.phase, one.exit) {
            (Phase::Stopped, Some(exit)) => format!("stopped, {}", sentence::ended(&exit)),
            (phase, _) => phase.status().to_owned(),
        });
        if let Some(up) = one.uptime_ms {
            state.push_str(&format!(" for {}", clock::short(up)));
        }
        if one.phase != Phase::Errored
            && let Some(crash) = alert::crashed(one, &self.why.events)
        {
            state.push_str(&format!(", {crash}"));
        }
        if one.restarts > 0 {
            state.push_str(&format!(", {} restarts", one.restarts));
        }
        if self.why.unstable > 0 {
            state.push_str(&format!(
                ", {} of {} unstable exits",
                self.why.unstable, self.why.restart.max_restarts
            ));
        }
        if let Some(what) = &one.waits_for {
            state.push_str(&format!(", waits for {what}"));
        }
        state
    }

    /// The error with some lines before it, or the last lines.
    fn lines(&self, budget: usize) -> &[Row] {
        match &self.found {
            Some(found) => {
                let before = found.rows.start.saturating_sub(BEFORE);
                // The end of the story before this one.
                let is_rest = |row: &&Row| row.text.len() <= 2 || row.text.starts_with("Node.js v");
                let rest =
                    self.rows.get(before..found.rows.start).unwrap_or_default().iter().take_while(is_rest);
                let begin = before + rest.count();
                let mut end = found.rows.end.min(self.rows.len());
                // The frames furthest away say least.
                let cost =
                    |rows: &[Row]| rows.iter().map(|row| tokens::estimate(&row.text) + 2).sum::<usize>();
                while end > found.rows.start + 1
                    && cost(self.rows.get(begin..end).unwrap_or_default()) > budget
                {
                    end -= 1;
                }
                self.rows.get(begin..end).unwrap_or_default()
            }
            None if self.is_bad() => self.rows.get(self.rows.len().saturating_sub(10)..).unwrap_or_default(),
            None => &[],
        }
    }

    /// What is not as it was when the app last ran well.
    fn changed(&self) -> Vec<String> {
        let spec = &self.info.spec;
        let good = self.last_good_ms();
        let since = good.unwrap_or(self.info.created_ms);
        let mut changed = Vec::new();
        let mut files: Vec<(&str, std::path::PathBuf)> = Vec::new();
        files.push(("script", spec.script.as_path().to_path_buf()));
        files.push(("program", spec.program.as_path().to_path_buf()));
        files.extend(spec.declared_in.iter().map(|file| ("config file", file.as_path().to_path_buf())));
        files.extend(spec.env_file.iter().map(|file| ("env file", file.as_path().to_path_buf())));
        if let Some(found) = self.found.as_ref().and_then(|found| found.place.as_ref())
            && let Some((file, _)) = found.rsplit_once(':')
        {
            files.push(("source", spec.cwd.as_path().join(file)));
        }
        let mut seen = Vec::new();
        for (what, path) in files {
            if seen.contains(&path) {
                continue;
            }
            match path.metadata().and_then(|meta| meta.modified()) {
                Ok(time) => {
                    let at = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_millis();
                    let at = i64::try_from(at).unwrap_or(0);
                    if at > since {
                        let after = if good.is_some() { "it last ran well" } else { "it was added" };
                        changed.push(format!(
                            "changed: {what} {} {} ago, after {after}",
                            path.display(),
                            clock::ago(at)
                        ));
                    }
                }
                Err(_)
                    if what != "source"
                        && path.is_absolute()
                        && spec.interpreter.as_deref() != Some("bash") =>
                {
                    changed.push(format!("gone: {what} {}", path.display()));
                }
                Err(_) => {}
            }
            seen.push(path);
        }
        if !spec.cwd.as_path().is_dir() {
            changed.push(format!("gone: working directory {}", spec.cwd.as_path().display()));
        }
        changed
    }

    /// When a run that then lasted `min_uptime` ended.
    fn last_good_ms(&self) -> Option<i64> {
        let enough = self.why.restart.min_uptime_ms;
        self.why.events.iter().rev().find_map(|event| match &event.what {
            What::Transition { cause: Cause::Exited { uptime_ms, .. }, .. }
                if *uptime_ms >= enough.max(5_000) =>
            {
                Some(event.at_ms)
            }
            _ => None,
        })
    }

    fn resources(&self) -> Vec<String> {
        let one = &self.why.summary;
        let mut lines = Vec::new();
        let limit = self.info.spec.restart.max_memory_bytes;
        let over = self.why.events.iter().filter(|event| is_memory(event)).count();
        match (one.rss_bytes, limit) {
            (Some(used), Some(limit)) if used.saturating_mul(10) >= limit.saturating_mul(8) || over > 0 => {
                lines.push(format!(
                    "memory: {} of {}; over the limit {over} times",
                    short_bytes(used),
                    short_bytes(limit)
                ));
            }
            (None, Some(limit)) if over > 0 => {
                lines.push(format!("memory: over its limit of {} {over} times", short_bytes(limit)));
            }
            _ => {}
        }
        if let Some(errno) = one.log_errno {
            lines.push(format!("output cannot be written: {}", std::io::Error::from_raw_os_error(errno)));
        }
        if one.dropped_lines > 0 {
            lines.push(format!("{} lines of output were lost", one.dropped_lines));
        }
        lines
    }

    /// The last ones, short: those of one second are one story.
    fn events(&self) -> Vec<String> {
        // That it runs again says nothing about why it ended.
        let is_dull = |event: &Event| {
            matches!(
                &event.what,
                What::Transition { cause: Cause::Spawned | Cause::BackoffOver, .. } | What::Added
            )
        };
        let told: Vec<&Event> = self.why.events.iter().filter(|event| !is_dull(event)).collect();
        let last = told.get(told.len().saturating_sub(EVENTS)..).unwrap_or_default();
        last.iter().map(|event| format!("{} {}", clock::moment(event.at_ms), sentence::what(event))).collect()
    }

    fn conflict_told(&self, port: u16, holder: Option<&(i32, String)>, call: &Call<'_>) -> String {
        let Some((pid, program)) = holder else {
            return format!("port {port}: taken when it started, free or not visible now");
        };
        let ports = Ports::look();
        let apps = call.toolbox.instances().unwrap_or_default();
        let app = apps.iter().find(|one| one.pid.is_some_and(|pid| ports.of_tree(pid).contains(&port)));
        match app {
            Some(app) => format!("port {port} is held by {} (pid {pid})", shown_name(app)),
            None => format!("port {port} is held by {program} (pid {pid}), none of these apps"),
        }
    }

    /// It does not run, or did not a moment ago.
    fn is_bad(&self) -> bool {
        let one = &self.why.summary;
        sentence::complaint(one).is_some() || alert::crashed(one, &self.why.events).is_some()
    }

    /// From templates; what an app wrote never becomes advice.
    fn next(&self) -> Vec<String> {
        let one = &self.why.summary;
        let name = shown_name(one);
        let place = self.found.as_ref().and_then(|found| found.place.as_deref());
        let mut next = Vec::new();
        if let Some((port, _)) = &self.conflict {
            next.push(format!(
                "stop what holds port {port}, or give {name} another port, then process_restart"
            ));
        } else if let Some(missing) = &self.missing {
            next.push(match missing {
                Missing::Module(module) => {
                    format!("install {module} in {}, then process_restart", self.info.spec.cwd.to_text())
                }
                Missing::File(file) => format!("create {file} or correct its path, then process_restart"),
                Missing::Connection(to) => format!("start what listens on {to}, or correct the address"),
            });
        } else if let Some(failure) = one.spawn_failure {
            next.push(match failure.stage {
                SpawnStage::Exec => "correct the command: its program cannot be executed".to_owned(),
                SpawnStage::Cwd => "correct cwd: it cannot be entered".to_owned(),
                _ => "correct what the system refused, then process_start".to_owned(),
            });
        } else if self.why.events.iter().rev().take(6).any(is_memory) {
            next.push("find the leak, or raise max_memory_restart with config_set".to_owned());
        } else if one.exit == Some(Exit::Code(127)) && sentence::complaint(one).is_some() {
            next.push("correct the command: a program in it was not found".to_owned());
        } else if one.healthy == Some(false) {
            next.push("look at what its health check asks; see config_get".to_owned());
        } else if let Some(place) = place.filter(|_| self.is_bad()) {
            next.push(format!("fix {place}, then process_restart"));
        } else if self.is_bad() {
            next.push("see log_read with since=start, fix it, then process_restart".to_owned());
        } else if one.phase == Phase::Waiting {
            next.push("see the process that it waits for".to_owned());
        } else if one.phase == Phase::Online && self.found.is_some() {
            next.push("it runs; the error is in its log only".to_owned());
        } else if one.phase == Phase::Online {
            next.push("nothing is wrong".to_owned());
        } else if one.phase == Phase::Stopped {
            next.push("process_start, if it should run".to_owned());
        }
        next
    }
}

fn is_memory(event: &Event) -> bool {
    matches!(&event.what, What::Transition { cause: Cause::MemoryLimit { .. }, .. })
}

/// Errors count since the last good run ended: those before belong to another story. Running well, only recent ones.
fn since(why: &WhyInstance) -> Selected {
    let long_runs = why.events.iter().rev().filter_map(|event| match &event.what {
        What::Transition { cause: Cause::Exited { uptime_ms, .. }, .. } => Some((event.at_ms, *uptime_ms)),
        _ => None,
    });
    // The last moments of a run say why it ended.
    let last_good = long_runs.into_iter().find(|(_, uptime)| *uptime >= 60_000).map(|(at, _)| at - 60_000);
    let fallback = match why.summary.phase {
        Phase::Online => {
            why.summary.uptime_ms.map(|up| clock::now_ms() - i64::try_from(up).unwrap_or(0) - 10_000)
        }
        _ => None,
    };
    let since_us = last_good.max(fallback).and_then(|ms| u64::try_from(ms).ok()).map(|ms| ms * 1_000);
    Selected { since_us, level: None::<Level>, ..Selected::default() }
}
