//! `velos events --follow --with samples,logs`: all that happens, as it comes.

use std::ops::ControlFlow;

use serde_json::{Value, json};
use velos_client::Home;
use velos_core::error::ErrorReply;
use velos_core::live::{INTERVAL_MS_MAX, INTERVAL_MS_MIN, InstanceSample, LogStream};
use velos_core::units::{parse_duration_ms, short_bytes};
use velos_log_engine::neutralise;
use velos_stream::{Item, LogLine, Missed, Wanted};

use crate::args::{Also, Events};
use crate::clock::Clock;
use crate::output::{Printed, print};

/// Go on behind this event until nobody reads.
pub(crate) fn follow(context: &super::Context, events: &Events, since: u64) -> Result<(), ErrorReply> {
    let has = |also| events.with.contains(&also);
    let interval = events.interval.as_deref().unwrap_or("1s");
    let wanted = Wanted {
        targets: events.targets.clone(),
        since: Some(since),
        samples_ms: has(Also::Samples).then(|| milliseconds(interval)).transpose()?,
        lines: has(Also::Logs),
        ..Wanted::default()
    };
    let mut is_away = false;
    velos_stream::for_each(&Home::from_environment()?, "cli", wanted, |item| {
        let text = match context.machine {
            true => document(context, &item),
            false => text(context, &item, &mut is_away, &Clock::system()),
        };
        if text.is_empty() {
            return ControlFlow::Continue(());
        }
        match print(&text) {
            Ok(Printed::Read) => ControlFlow::Continue(()),
            Ok(Printed::NobodyReads) => ControlFlow::Break(Ok(())),
            Err(error) => ControlFlow::Break(Err(error)),
        }
    })
}

fn milliseconds(text: &str) -> Result<u32, ErrorReply> {
    let bad = |reason: String| super::usage(format!("--interval: {reason}")).hint("250ms to 60s");
    let ms = parse_duration_ms(text).map_err(|error| bad(error.to_string()))?;
    let fits = |ms: &u32| (INTERVAL_MS_MIN..=INTERVAL_MS_MAX).contains(ms);
    u32::try_from(ms).ok().filter(fits).ok_or_else(|| bad(format!("{text} is too short or too long")))
}

/// One row for programs.
fn document(context: &super::Context, item: &Item) -> String {
    let value = match item {
        Item::Event(event) => return super::events::line(context, event),
        Item::Samples(samples) => json!({ "samples": samples }),
        Item::Line(line) => json!({ "line": line_document(line) }),
        Item::Lost(Missed { events, samples, lines }) => {
            json!({ "lost": events, "lost_samples": samples, "lost_lines": lines })
        }
        Item::Here(hello) => json!({ "here": hello }),
        Item::Away(error) => json!({ "away": error }),
        Item::Unreadable(error) => json!({ "unreadable": error }),
    };
    format!("{value}\n")
}

/// The fields are those of `velos logs --machine`.
fn line_document(line: &LogLine) -> Value {
    json!({
        "id": line.id,
        "app": line.name,
        "slot": line.slot,
        "stream": stream_name(line.stream),
        "time_us": line.time_us,
        "text": String::from_utf8_lossy(&line.bytes),
    })
}

fn stream_name(stream: LogStream) -> &'static str {
    match stream {
        LogStream::Out => "out",
        LogStream::Err => "err",
    }
}

fn text(context: &super::Context, item: &Item, is_away: &mut bool, clock: &Clock) -> String {
    match item {
        Item::Event(event) => super::events::line(context, event),
        Item::Samples(samples) => {
            let at = clock.moment(samples.at_ms);
            samples.instances.iter().map(|one| format!("{at} {}\n", sample(one))).collect()
        }
        Item::Line(line) => {
            let at = line.time_us.map_or_else(
                || "--:--:--".to_owned(),
                |us| clock.moment(i64::try_from(us / 1_000).unwrap_or(i64::MAX)),
            );
            let name = neutralise(super::shown_name(&line.name, line.slot).as_bytes(), false);
            let text = neutralise(&line.bytes, context.colour);
            format!("{at} {name} {} | {text}\n", stream_name(line.stream))
        }
        Item::Lost(missed) => format!("({} were missed)\n", shown(missed)),
        Item::Here(_) if std::mem::take(is_away) => "(the daemon is back)\n".to_owned(),
        Item::Here(_) => String::new(),
        Item::Away(error) => {
            *is_away = true;
            format!("(the daemon is away: {})\n", error.message)
        }
        Item::Unreadable(error) => format!("({})\n", error.message),
    }
}

/// `api: online, CPU 1.5%, memory 45M`
fn sample(one: &InstanceSample) -> String {
    let mut text = format!("{}: {}", super::shown_name(&one.name, one.slot), one.phase.status());
    if let Some(cpu) = one.cpu_centipercent {
        text.push_str(&format!(", CPU {}.{}%", cpu / 100, cpu % 100 / 10));
    }
    if let Some(bytes) = one.rss_bytes {
        text.push_str(&format!(", memory {}", short_bytes(bytes)));
    }
    neutralise(text.as_bytes(), false)
}

fn shown(missed: &Missed) -> String {
    let some = [(missed.events, "events"), (missed.samples, "readings"), (missed.lines, "lines")];
    let some = some.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use velos_core::instance::{InstanceId, Phase};
    use velos_core::live::Samples;

    fn items() -> Vec<Item> {
        let one = |slot, phase, cpu: Option<u32>, rss| InstanceSample {
            id: InstanceId(slot),
            name: "api".into(),
            slot,
            phase,
            pid: cpu.map(|_| 4711),
            uptime_ms: cpu.map(|_| 61_000),
            restarts: 2,
            cpu_centipercent: cpu,
            rss_bytes: rss,
        };
        let instances = vec![
            one(0, Phase::Online, Some(1_234), Some(45 * 1024 * 1024)),
            one(1, Phase::Backoff, None, None),
        ];
        let line = |stream, time_us, text: &str| {
            Item::Line(LogLine {
                id: InstanceId(0),
                name: "api".into(),
                slot: 0,
                stream,
                time_us,
                bytes: text.as_bytes().to_vec(),
            })
        };
        let us = u64::try_from(sample::NOW_MS).unwrap() * 1_000;
        let away =
            velos_core::error::ErrorReply::new(velos_core::error::ErrorCode::NoDaemon, "no daemon runs");
        vec![
            Item::Event(Box::new(sample::events().remove(1))),
            Item::Samples(Samples { at_ms: sample::NOW_MS, instances }),
            line(LogStream::Out, Some(us), "listening on 3000"),
            line(LogStream::Err, None, "\u{1b}[2Jodd"),
            Item::Lost(Missed { events: 0, samples: 2, lines: 300 }),
            Item::Away(away),
        ]
    }

    fn context(machine: bool) -> crate::commands::Context {
        crate::commands::Context {
            machine,
            quiet: false,
            colour: false,
            stderr_colour: false,
            owns_daemon: false,
        }
    }

    #[test]
    fn what_comes_reads_well() {
        let clock = Clock::utc(sample::NOW_MS);
        let mut is_away = false;
        // The event is told by the clock of the machine, so it has a test of its own.
        let text: String =
            items().iter().skip(1).map(|item| text(&context(false), item, &mut is_away, &clock)).collect();
        insta::assert_snapshot!("events_live", text);
        assert!(is_away);
        let text: String = items().iter().map(|item| document(&context(true), item)).collect();
        insta::assert_snapshot!("events_live_machine", text);
    }

    #[test]
    fn an_interval_reads_like_other_durations() {
        assert_eq!(milliseconds("250ms").unwrap(), 250);
        for bad in ["soon", "10ms", "61s", "2000h"] {
            let error = milliseconds(bad).unwrap_err();
            assert!(error.message.contains("--interval") && error.hint.is_some(), "{}", error.message);
        }
    }
}
