//! `metrics_snapshot`: now, or watched for a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use velos_core::protocol::{InfoReply, InstanceInfo, method};
use velos_core::units::{parse_duration_ms, short_bytes};

use super::change::ids;
use super::{Format, Formatted, usage};
use crate::ports::Ports;
use crate::reply::{Columns, Outcome, Reply};
use crate::toolbox::{Call, shown_name};

/// Clients give up after a minute.
const WINDOW_MS_MAX: u64 = 50_000;
const SAMPLE_EVERY: Duration = Duration::from_millis(1_000);
/// A change of memory below this part of the average is none.
const TREND_PERCENT: f64 = 5.0;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    name: Option<String>,
    window: Option<String>,
    #[serde(default)]
    format: Format,
}

impl Formatted for Arguments {
    fn format(&self) -> Format {
        self.format
    }
}

/// Of one instance over the window.
#[derive(Debug, Default)]
struct Series {
    cpu: Vec<f64>,
    memory: Vec<f64>,
}

pub(super) fn run(arguments: &Arguments, call: &Call<'_>) -> Outcome {
    let window = match &arguments.window {
        None => 0,
        Some(text) => {
            let ms = parse_duration_ms(text)
                .map_err(|error| usage(format!("window: {error}")).hint("write 10s; at most 50s"))?;
            if ms > WINDOW_MS_MAX {
                return Err(usage(format!("window: {text} is too long"))
                    .hint("it is sampled while you wait, so 50s at most; call again for more")
                    .into());
            }
            Duration::from_millis(ms).as_secs()
        }
    };
    let chosen = call.toolbox.chosen(arguments.name.as_deref())?;
    let mut table = Columns::new(&[
        "name",
        "cpu_percent",
        "memory_bytes",
        "fds",
        "threads",
        "processes",
        "restarts",
        "cpu",
        "memory",
    ]);
    if chosen.is_empty() {
        return Ok(Reply::new("no processes\n", table.with(json!({ "samples": 0 }))));
    }
    let mut client = call.toolbox.asked()?;
    let mut series: BTreeMap<u32, Series> = BTreeMap::new();
    let begin = Instant::now();
    let mut samples = 0;
    let info: InfoReply = loop {
        let info: InfoReply = client.call(method::INFO, &ids(&chosen))?;
        for one in &info.instances {
            let entry = series.entry(one.summary.id.0).or_default();
            entry.cpu.extend(one.summary.cpu_centipercent.map(|cpu| f64::from(cpu) / 100.0));
            entry.memory.extend(one.summary.rss_bytes.map(|bytes| bytes as f64));
        }
        samples += 1;
        if begin.elapsed() + SAMPLE_EVERY > Duration::from_secs(window) || call.is_cancelled() {
            break info;
        }
        (call.progress)(samples * 1_000, window * 1_000, "samples");
        std::thread::sleep(SAMPLE_EVERY);
    };
    let ports = Ports::look();
    let mut text = String::new();
    for one in &info.instances {
        let watched = series.get(&one.summary.id.0).filter(|series| series.memory.len() > 1);
        let fds = one.summary.pid.and_then(|pid| ports.descriptors(pid));
        text.push_str(&line(one, fds, watched));
        table.push(vec![
            json!(shown_name(&one.summary)),
            json!(one.summary.cpu_centipercent.map(|cpu| f64::from(cpu) / 100.0)),
            json!(one.summary.rss_bytes),
            json!(fds),
            json!(one.threads),
            json!(one.processes),
            json!(one.summary.restarts),
            watched.map_or(Value::Null, |series| spread(&series.cpu)),
            watched.map_or(Value::Null, |series| spread(&series.memory)),
        ]);
    }
    Ok(Reply::new(text, table.with(json!({ "samples": samples }))))
}

fn spread(values: &[f64]) -> Value {
    let (low, average, high) = range(values);
    json!({ "min": low, "avg": average, "max": high, "trend": trend(values) })
}

fn range(values: &[f64]) -> (f64, f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let average = values.iter().sum::<f64>() / values.len().max(1) as f64;
    ((low * 100.0).round() / 100.0, (average * 100.0).round() / 100.0, (high * 100.0).round() / 100.0)
}

/// Of the first third against the last.
fn trend(values: &[f64]) -> &'static str {
    let third = values.len().div_ceil(3);
    let average = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let first = average(values.get(..third).unwrap_or_default());
    let last = average(values.get(values.len() - third..).unwrap_or_default());
    let change = (last - first) * 100.0 / first.abs().max(1.0);
    match change {
        change if change > TREND_PERCENT => "rising",
        change if change < -TREND_PERCENT => "falling",
        _ => "steady",
    }
}

fn line(one: &InstanceInfo, fds: Option<usize>, watched: Option<&Series>) -> String {
    let summary = &one.summary;
    let name = shown_name(summary);
    if summary.pid.is_none() {
        return format!("{name} {}\n", summary.phase.status());
    }
    let mut words = vec![name];
    let bytes = |value: f64| short_bytes(value as u64);
    match watched {
        None => {
            words
                .extend(summary.cpu_centipercent.map(|cpu| format!("cpu {}.{}%", cpu / 100, cpu % 100 / 10)));
            words.extend(summary.rss_bytes.map(|rss| format!("mem {}", short_bytes(rss))));
        }
        Some(series) => {
            let (low, average, high) = range(&series.cpu);
            if !series.cpu.is_empty() {
                words.push(format!("cpu {low}/{average}/{high}% {}", trend(&series.cpu)));
            }
            let (low, average, high) = range(&series.memory);
            words.push(format!(
                "mem {}/{}/{} {}",
                bytes(low),
                bytes(average),
                bytes(high),
                trend(&series.memory)
            ));
        }
    }
    words.extend(fds.map(|fds| format!("fds {fds}")));
    words.extend(one.threads.map(|threads| format!("threads {threads}")));
    words.extend(one.processes.filter(|count| *count > 1).map(|count| format!("processes {count}")));
    words.push(format!("restarts {}", summary.restarts));
    words.join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trends() {
        assert_eq!(trend(&[100.0, 100.0, 101.0, 102.0]), "steady");
        assert_eq!(trend(&[100.0, 110.0, 130.0]), "rising");
        assert_eq!(trend(&[130.0, 110.0, 100.0]), "falling");
        assert_eq!(trend(&[0.0, 0.0, 0.0]), "steady");
        assert_eq!(range(&[1.0, 2.0, 4.5]), (1.0, 2.5, 4.5));
    }
}
