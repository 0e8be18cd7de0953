//! `process_list` and `process_info`.

use serde::Deserialize;
use serde_json::{Value, json};
use velos_core::app::AppSpec;
use velos_core::instance::Phase;
use velos_core::protocol::{InfoReply, InstanceInfo, InstanceSummary, Targets, method};
use velos_core::raw_string::RawString;
use velos_core::units::short_bytes;

use super::{Format, Formatted, usage};
use crate::allow;
use crate::clean::{Cleaner, capped};
use crate::clock;
use crate::ports::Ports;
use crate::reply::{Columns, Outcome, Reply};
use crate::sentence;
use crate::toolbox::{Call, shown_name};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    filter: Option<String>,
    #[serde(default)]
    status: Status,
    sort: Option<Sort>,
    limit: Option<usize>,
    cursor: Option<String>,
    #[serde(default)]
    format: Format,
}

impl Formatted for List {
    fn format(&self) -> Format {
        self.format
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Online,
    Stopped,
    Errored,
    #[default]
    All,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sort {
    Name,
    Cpu,
    Memory,
    Restarts,
}

pub(super) fn list(arguments: &List, call: &Call<'_>) -> Outcome {
    let mut all = call.toolbox.instances()?;
    let nothing = all.is_empty();
    all.retain(|one| {
        arguments.filter.as_deref().is_none_or(|glob| allow::matches(glob, &one.name))
            && match arguments.status {
                Status::All => true,
                Status::Online => one.phase == Phase::Online,
                Status::Stopped => one.phase == Phase::Stopped,
                Status::Errored => matches!(one.phase, Phase::Errored | Phase::Backoff),
            }
    });
    match arguments.sort {
        None => {}
        Some(Sort::Name) => all.sort_by_key(shown_name),
        Some(Sort::Cpu) => all.sort_by_key(|one| std::cmp::Reverse(one.cpu_centipercent)),
        Some(Sort::Memory) => all.sort_by_key(|one| std::cmp::Reverse(one.rss_bytes)),
        Some(Sort::Restarts) => all.sort_by_key(|one| std::cmp::Reverse(one.restarts)),
    }
    let from: usize = match &arguments.cursor {
        Some(text) => text.parse().map_err(|_| {
            usage(format!("cursor: {text:?} is none of process_list's"))
                .hint("leave it out to begin at the first")
        })?,
        None => 0,
    };
    let limit = arguments.limit.unwrap_or(50).clamp(1, 1_000);
    let ports = if all.iter().any(|one| one.pid.is_some()) { Ports::look() } else { Ports::default() };
    let mut text = String::new();
    let mut table = Columns::new(&[
        "name",
        "status",
        "uptime_ms",
        "cpu_percent",
        "memory_bytes",
        "restarts",
        "ports",
        "problem",
    ]);
    for one in all.iter().skip(from).take(limit) {
        let held = one.pid.map_or_else(Vec::new, |pid| ports.of_tree(pid));
        text.push_str(&line(one, &held));
        table.push(vec![
            json!(shown_name(one)),
            json!(one.phase.status()),
            json!(one.uptime_ms),
            json!(one.cpu_centipercent.map(|cpu| f64::from(cpu) / 100.0)),
            json!(one.rss_bytes),
            json!(one.restarts),
            json!(held),
            json!(sentence::complaint(one)),
        ]);
    }
    let end = from.saturating_add(limit);
    let next = (end < all.len()).then(|| end.to_string());
    if let Some(cursor) = &next {
        text.push_str(&format!("{} more; cursor={cursor}\n", all.len() - end));
    }
    if text.is_empty() {
        text = if nothing { "no processes; start one with process_start\n" } else { "none of that kind\n" }
            .to_owned();
    }
    Ok(Reply::new(text, table.with(json!({ "total": all.len(), "cursor": next }))))
}

/// `api online 2h 0.3% 85M r4 :3000`; what is not there is left out.
fn line(one: &InstanceSummary, ports: &[u16]) -> String {
    let mut words = vec![shown_name(one), one.phase.status().replace(' ', "-")];
    words.extend(one.uptime_ms.map(clock::short));
    if one.pid.is_some() {
        words.extend(one.cpu_centipercent.map(|cpu| match cpu {
            0..=9 => "0%".to_owned(),
            10..=999 => format!("{}.{}%", cpu / 100, cpu % 100 / 10),
            _ => format!("{}%", cpu / 100),
        }));
        words.extend(one.rss_bytes.map(megabytes));
    }
    if one.restarts > 0 {
        words.push(format!("r{}", one.restarts));
    }
    words.extend(ports.iter().map(|port| format!(":{port}")));
    if let Some(complaint) = sentence::complaint(one) {
        words.push(format!("! {complaint}"));
    }
    words.join(" ") + "\n"
}

/// Without decimals: `85M`.
fn megabytes(bytes: u64) -> String {
    match bytes >> 20 {
        0..=9_999 => format!("{}M", (bytes + (1 << 19)) >> 20),
        megabytes => format!("{}G", megabytes >> 10),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Info {
    name: String,
    #[serde(default)]
    format: Format,
}

impl Formatted for Info {
    fn format(&self) -> Format {
        self.format
    }
}

pub(super) fn info(arguments: &Info, call: &Call<'_>) -> Outcome {
    let chosen = call.toolbox.select(&arguments.name)?;
    let targets = chosen.iter().map(|one| one.id.0.to_string()).collect();
    let reply: InfoReply = call.toolbox.asked()?.call(method::INFO, &Targets { targets })?;
    let ports = Ports::look();
    let mut cleaner = Cleaner::new(call.toolbox.salt);
    let facts: Vec<Vec<(&'static str, Value)>> =
        reply.instances.iter().map(|info| facts(info, &ports, &mut cleaner)).collect();
    let text: Vec<String> = facts.iter().map(|facts| told(facts)).collect();
    let data: Vec<Value> = facts
        .into_iter()
        .map(|facts| Value::Object(facts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
        .collect();
    Ok(Reply::new(text.join("\n"), json!({ "instances": data })))
}

/// A command line as it was given; else all words.
pub(super) fn command(spec: &AppSpec) -> RawString {
    let is_shell = spec.argv.get(1).is_some_and(|word| word.as_bytes() == b"-c")
        && spec.argv.get(2).is_some_and(|line| *line == spec.script);
    let words: Vec<String> = spec.argv.iter().map(RawString::to_text).collect();
    if is_shell { spec.script.clone() } else { words.join(" ").into() }
}

/// What is known and worth its tokens, in order.
fn facts(info: &InstanceInfo, ports: &Ports, cleaner: &mut Cleaner) -> Vec<(&'static str, Value)> {
    let (one, spec) = (&info.summary, &info.spec);
    let mut clean = |text: &RawString| json!(capped(&cleaner.text(&text.to_text()), 500));
    let mut facts = vec![
        ("name", json!(shown_name(one))),
        ("id", json!(one.id.0)),
        ("status", json!(one.phase.status())),
        ("command", clean(&command(spec))),
        ("cwd", clean(&spec.cwd)),
    ];
    let mut more = |key, value: Value| {
        if !value.is_null() && value != json!([]) && value != json!(0) && value != json!("") {
            facts.push((key, value));
        }
    };
    more("pid", json!(one.pid));
    more("user", json!(one.user));
    more("uptime", json!(one.uptime_ms.map(clock::short)));
    more("cpu", json!(one.cpu_centipercent.map(|cpu| format!("{}.{}%", cpu / 100, cpu % 100 / 10))));
    more("memory", json!(one.rss_bytes.map(short_bytes)));
    more("processes", json!(info.processes));
    more("threads", json!(info.threads));
    more("ports", json!(one.pid.map(|pid| ports.of_tree(pid))));
    more("restarts", json!(one.restarts));
    more("unstable_exits", json!(info.unstable));
    more("last_exit", json!(one.exit.map(|exit| sentence::ended(&exit))));
    more("last_start", json!(one.spawn_failure.map(|failure| failure.to_string())));
    more("next_try", json!(one.next_try_ms.map(clock::moment)));
    more("waits_for", json!(one.waits_for));
    more("healthy", json!(one.healthy));
    more("namespace", if one.namespace == "default" { Value::Null } else { json!(one.namespace) });
    more("autorestart", if spec.restart.autorestart { Value::Null } else { json!(false) });
    more("memory_limit", json!(spec.restart.max_memory_bytes.map(short_bytes)));
    more("schedule", json!(spec.schedule.as_ref().map(|cron| cron.expression.clone())));
    more("next_run", json!(info.next_run_ms.map(clock::moment)));
    more("lines_lost", json!(one.dropped_lines));
    let names: Vec<String> = spec.env_declared.iter().map(RawString::to_text).collect();
    more("env", json!(names.iter().map(|name| format!("{name}=***")).collect::<Vec<_>>()));
    facts.push(("out_log", clean(&one.out_log)));
    facts.push(("err_log", clean(&one.err_log)));
    if let Some(file) = &spec.declared_in {
        facts.push(("declared_in", clean(file)));
    }
    facts
}

fn told(facts: &[(&'static str, Value)]) -> String {
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let texts =
                values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            texts.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    };
    facts.iter().map(|(key, value)| format!("{key}: {}\n", shown(value))).collect()
}
