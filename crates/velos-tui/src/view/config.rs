//! The declaration and the environment of the selected process.

use ratatui::text::{Line, Span};
use velos_core::app::Probe;
use velos_core::protocol::InstanceInfo;
use velos_core::raw_string::RawString;
use velos_core::units::{short_bytes, short_duration};
use velos_log_engine::neutralise;

use super::{text, theme};
use crate::model::Model;

/// Columns of a key.
const KEY: usize = 14;

fn known(model: &Model) -> Result<&InstanceInfo, Vec<Line<'static>>> {
    let selected = model.table.selected;
    match &model.info {
        Some(info) if Some(info.summary.id) == selected => Ok(info),
        _ if selected.is_none() => Err(vec![Line::raw(" no process is selected")]),
        _ => Err(vec![Line::styled(" asking the daemon ...", theme::dim())]),
    }
}

/// A key and its value; a long value goes on below itself.
fn pair(model: &Model, key: &str, value: &str, width: usize) -> Vec<Line<'static>> {
    let value = neutralise(value.as_bytes(), false);
    let parts = text::parts(&value, width.saturating_sub(KEY + 2));
    let row = |(n, (from, to)): (usize, (usize, usize))| {
        let key = text::left(if n == 0 { key } else { "" }, KEY);
        Line::from(vec![
            Span::styled(format!(" {key} "), theme::accent(model.look)),
            Span::raw(value.get(from..to).unwrap_or_default().to_owned()),
        ])
    };
    parts.into_iter().enumerate().map(row).collect()
}

pub(super) fn config(model: &Model, width: usize) -> Vec<Line<'static>> {
    let info = match known(model) {
        Ok(info) => info,
        Err(lines) => return lines,
    };
    let mut rows = facts(model, info);
    rows.extend(rules(info));
    rows.into_iter().flat_map(|(key, value)| pair(model, key, &value, width)).collect()
}

/// What is.
fn facts(model: &Model, info: &InstanceInfo) -> Vec<(&'static str, String)> {
    let (one, spec) = (&info.summary, &info.spec);
    let words: Vec<String> = spec.argv.iter().skip(1).map(RawString::to_text).collect();
    let mut rows = vec![
        ("app", format!("{}, instance {}, id {}, namespace {}", one.name, one.slot, one.id.0, one.namespace)),
        ("status", one.phase.status().to_owned()),
        ("program", spec.program.to_text()),
        ("arguments", words.join(" ")),
        ("cwd", spec.cwd.to_text()),
        ("user", one.user.clone()),
        ("added", model.clock.date(info.created_ms)),
        ("out log", one.out_log.to_text()),
        ("error log", one.err_log.to_text()),
        ("captured", short_bytes(info.captured_bytes)),
    ];
    let declared = match (&spec.declared_in, &spec.profile) {
        (Some(file), Some(profile)) => format!("{}, profile {profile}", file.to_text()),
        (Some(file), None) => file.to_text(),
        (None, _) => "on the command line".to_owned(),
    };
    rows.insert(1, ("declared", declared));
    if let Some(processes) = info.processes {
        rows.push(("tree", format!("{processes} processes, {} threads", info.threads.unwrap_or(0))));
    }
    let optional = [
        ("last exit", one.exit.map(|exit| exit.to_string())),
        ("last start", one.spawn_failure.map(|failure| failure.to_string())),
        ("waits for", one.waits_for.clone()),
        ("next try", one.next_try_ms.map(|at_ms| model.clock.date(at_ms))),
        ("next run", info.next_run_ms.map(|at_ms| model.clock.date(at_ms))),
        ("healthy", one.healthy.map(|healthy| if healthy { "yes" } else { "no" }.to_owned())),
        ("lines lost", (one.dropped_lines > 0).then(|| one.dropped_lines.to_string())),
    ];
    rows.extend(optional.into_iter().filter_map(|(key, value)| Some((key, value?))));
    rows
}

/// What was declared about its life.
fn rules(info: &InstanceInfo) -> Vec<(&'static str, String)> {
    let spec = &info.spec;
    let restart = &spec.restart;
    let mut rows = vec![("instances", spec.instances.to_string())];
    let automatic = if restart.autorestart {
        let pause = short_duration(restart.backoff_cap_ms);
        format!(
            "by itself; given up after {} runs shorter than {} ms in a row; pauses up to {pause}; {} so far",
            restart.max_restarts, restart.min_uptime_ms, info.unstable
        )
    } else {
        "not by itself".to_owned()
    };
    rows.push(("restart", automatic));
    rows.push(("stop", format!("{}, SIGKILL after {} ms", spec.stop.kill_signal, spec.stop.kill_timeout_ms)));
    if let Some(bytes) = restart.max_memory_bytes {
        let used = info.summary.rss_bytes.unwrap_or(0);
        rows.push(("memory limit", format!("{}, in use {}", short_bytes(bytes), short_bytes(used))));
    }
    if let Some(health) = &spec.health {
        let probe = match &health.probe {
            Probe::Http(address) => format!("GET {address}"),
            Probe::Tcp(address) => format!("connect to {address}"),
            Probe::Exec(line) => format!("run {line}"),
            Probe::Log(pattern) => format!("a line of output matches {pattern}"),
        };
        let (interval, retries) = (health.interval_ms, health.retries);
        rows.push(("health", format!("{probe}, every {interval} ms, {retries} failures in a row count")));
    }
    if let Some(watch) = &spec.watch {
        let paths: Vec<String> = watch.paths.iter().map(RawString::to_text).collect();
        rows.push(("watch", paths.join(", ")));
    }
    if !spec.depends_on.is_empty() {
        let names: Vec<String> = spec.depends_on.iter().map(|one| one.app.to_string()).collect();
        rows.push(("depends on", names.join(", ")));
    }
    let rotation = match spec.logs.max_size_bytes {
        0 => "never".to_owned(),
        bytes => format!("at {}, {} old files kept", short_bytes(bytes), spec.logs.keep),
    };
    rows.push(("rotation", rotation));
    let without_effect = spec.without_effect();
    if !without_effect.is_empty() {
        rows.push(("no effect", without_effect.join(", ")));
    }
    rows
}

/// Declared variables first, each group by name. Secrets were hidden before they came here.
pub(super) fn env(model: &Model, width: usize) -> Vec<Line<'static>> {
    let info = match known(model) {
        Ok(info) => info,
        Err(lines) => return lines,
    };
    let spec = &info.spec;
    let is_declared = |key: &RawString| spec.env_declared.contains(key);
    let count = spec.env.keys().filter(|key| is_declared(key)).count();
    let head = format!(" {count} declared, {} inherited", spec.env.len() - count);
    let mut lines = vec![Line::styled(head, theme::dim())];
    for wanted in [true, false] {
        for (key, value) in spec.env.iter().filter(|(key, _)| is_declared(key) == wanted) {
            let style = if wanted { theme::accent(model.look) } else { theme::dim() };
            let says = neutralise(format!("{}={}", key.to_text(), value.to_text()).as_bytes(), false);
            for (n, (from, to)) in text::parts(&says, width.saturating_sub(5)).into_iter().enumerate() {
                let sign = match (n, wanted) {
                    (0, true) => " * ",
                    (0, false) => "   ",
                    _ => "     ",
                };
                let part = says.get(from..to).unwrap_or_default().to_owned();
                lines.push(Line::from(vec![Span::styled(sign, style), Span::raw(part)]));
            }
        }
    }
    lines
}
