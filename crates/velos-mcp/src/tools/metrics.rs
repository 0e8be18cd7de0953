//! `metrics_snapshot`: now, and what was kept of the last minutes; what is not kept is watched.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use velos_core::error::ErrorReply;
use velos_core::protocol::{InfoReply, InstanceInfo, InstanceSummary, method};
use velos_core::units::{parse_duration_ms, short_bytes};

use super::change::ids;
use super::spread::Spread;
use super::{Format, Formatted, usage};
use crate::clock;
use crate::history::{EVERY, History, KEPT, Sample};
use crate::ports::Ports;
use crate::reply::{Columns, Outcome, Reply};
use crate::toolbox::{Call, shown_name};

/// What is not kept is watched, as long as clients wait for an answer.
const WATCHED_MAX: Duration = Duration::from_secs(50);
/// Of a longer window with nothing in it, this much is watched.
const WATCHED_FIRST: Duration = Duration::from_secs(5);
/// Fewer samples say nothing.
const ENOUGH: usize = 3;
const SAMPLE_EVERY: Duration = Duration::from_millis(1_000);

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

/// What is known of one instance in the window.
#[derive(Debug)]
struct Watched {
    cpu: Option<Spread>,
    memory: Spread,
    samples: usize,
    covers: Duration,
    /// Restarts in it.
    restarts: u64,
}

impl Watched {
    /// None of a single sample, which is now.
    fn of(samples: &[Sample]) -> Option<Self> {
        let (first, last) = (samples.first()?, samples.last()?);
        if samples.len() < 2 {
            return None;
        }
        let cpu: Vec<f64> = samples.iter().filter_map(|sample| sample.cpu).collect();
        let memory: Vec<f64> = samples.iter().map(|sample| sample.memory_bytes).collect();
        Some(Self {
            cpu: Spread::of(&cpu),
            memory: Spread::of(&memory)?,
            samples: samples.len(),
            covers: last.at.saturating_duration_since(first.at),
            restarts: last.restarts.saturating_sub(first.restarts),
        })
    }
}

fn window(text: &str) -> Result<Duration, ErrorReply> {
    let ms = parse_duration_ms(text)
        .map_err(|error| usage(format!("window: {error}")).hint("write 30s, or 5m at most"))?;
    let window = Duration::from_millis(ms);
    if window > KEPT {
        return Err(usage(format!("window: {text} is too long"))
            .hint("the last 5m are kept, from the first metrics_snapshot on; ask for 5m at most"));
    }
    Ok(window)
}

/// How long it must be watched, because what is kept does not say enough.
fn missing(chosen: &[InstanceSummary], window: Duration, history: &History) -> Duration {
    let runs = chosen.iter().filter(|one| one.pid.is_some());
    let is_known = |id: u32| {
        let samples = history.of(id, window);
        let covered = samples.first().map_or(Duration::ZERO, |first| first.at.elapsed());
        samples.len() >= ENOUGH && (window > WATCHED_MAX || covered + EVERY >= window)
    };
    if runs.into_iter().all(|one| is_known(one.id.0)) {
        return Duration::ZERO;
    }
    if window > WATCHED_MAX { WATCHED_FIRST } else { window }
}

pub(super) fn run(arguments: &Arguments, call: &Call<'_>) -> Outcome {
    let window = arguments.window.as_deref().map(window).transpose()?.unwrap_or_default();
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
        "covers_ms",
    ]);
    if chosen.is_empty() {
        return Ok(Reply::new("no processes\n", table.with(json!({ "samples": 0 }))));
    }
    let history = &call.toolbox.history;
    history.want(&call.toolbox.home);
    let info = watch(&chosen, missing(&chosen, window, history), call)?;
    let ports = Ports::look();
    let mut text = String::new();
    let (mut samples, mut covers) = (1, Duration::ZERO);
    for one in &info.instances {
        let watched = Watched::of(&history.of(one.summary.id.0, window)).filter(|_| !window.is_zero());
        if let Some(watched) = &watched {
            samples = samples.max(watched.samples);
            covers = covers.max(watched.covers);
        }
        let fds = one.summary.pid.and_then(|pid| ports.descriptors(pid));
        text.push_str(&line(one, fds, watched.as_ref()));
        table.push(vec![
            json!(shown_name(&one.summary)),
            json!(one.summary.cpu_centipercent.map(|cpu| f64::from(cpu) / 100.0)),
            json!(one.summary.rss_bytes),
            json!(fds),
            json!(one.threads),
            json!(one.processes),
            json!(one.summary.restarts),
            json!(watched.as_ref().and_then(|watched| watched.cpu).map(Spread::to_json)),
            json!(watched.as_ref().map(|watched| watched.memory.to_json())),
            json!(watched.as_ref().map(|watched| millis(watched.covers))),
        ]);
    }
    if !window.is_zero() {
        text.push_str(&covered(samples, covers, window));
    }
    Ok(Reply::new(text, table.with(json!({ "samples": samples, "covers_ms": millis(covers) }))))
}

/// How much the numbers say.
fn covered(samples: usize, covers: Duration, window: Duration) -> String {
    let shown = |time: Duration| clock::short(millis(time));
    let what = "min/avg/max, p95";
    if covers + EVERY < window {
        let (covers, window) = (shown(covers), shown(window));
        return format!(
            "{what} of {samples} samples over {covers} of {window}: kept since the first metrics_snapshot\n"
        );
    }
    format!("{what} of {samples} samples over {}\n", shown(covers))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Look once, and again for so long; what is seen is kept.
fn watch(chosen: &[InstanceSummary], long: Duration, call: &Call<'_>) -> Result<InfoReply, ErrorReply> {
    let mut client = call.toolbox.asked()?;
    let begin = Instant::now();
    loop {
        let info: InfoReply = client.call(method::INFO, &ids(chosen))?;
        let seen: Vec<InstanceSummary> = info.instances.iter().map(|one| one.summary.clone()).collect();
        call.toolbox.history.add(&seen, Instant::now(), false);
        if begin.elapsed() + SAMPLE_EVERY > long || call.is_cancelled() {
            return Ok(info);
        }
        (call.progress)(millis(begin.elapsed()), millis(long), "samples");
        std::thread::sleep(SAMPLE_EVERY);
    }
}

fn line(one: &InstanceInfo, fds: Option<usize>, watched: Option<&Watched>) -> String {
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
        Some(Watched { cpu, memory, .. }) => {
            words.extend(cpu.as_ref().map(|cpu| {
                format!("cpu {}/{}/{}% p95 {} {}", cpu.min, cpu.avg, cpu.max, cpu.p95, cpu.trend)
            }));
            words.push(format!(
                "mem {}/{}/{} p95 {} {}",
                bytes(memory.min),
                bytes(memory.avg),
                bytes(memory.max),
                bytes(memory.p95),
                memory.trend
            ));
        }
    }
    words.extend(fds.map(|fds| format!("fds {fds}")));
    words.extend(one.threads.map(|threads| format!("threads {threads}")));
    words.extend(one.processes.filter(|count| *count > 1).map(|count| format!("processes {count}")));
    words.push(match watched.map_or(0, |watched| watched.restarts) {
        0 => format!("restarts {}", summary.restarts),
        more => format!("restarts {} (+{more})", summary.restarts),
    });
    words.join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_much_it_covers() {
        let seconds = Duration::from_secs;
        assert_eq!(covered(60, seconds(297), KEPT), "min/avg/max, p95 of 60 samples over 4m\n");
        let part = covered(5, seconds(20), KEPT);
        assert_eq!(
            part,
            "min/avg/max, p95 of 5 samples over 20s of 5m: kept since the first metrics_snapshot\n"
        );
        assert!(window("6m").unwrap_err().message.contains("6m is too long"));
        assert!(window("soon").is_err());
    }
}
