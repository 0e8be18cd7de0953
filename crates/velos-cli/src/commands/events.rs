//! `velos events`, and how an event reads.

use velos_client::{Client, Notice};
use velos_core::error::ErrorReply;
use velos_core::event::{Cause, DaemonStart, Event, What};
use velos_core::protocol::{EventsParams, EventsReply, method};

use crate::args::Events;
use crate::clock::Clock;
use crate::output::{Printed, print, print_json};

pub(crate) fn run(context: &super::Context, events: &Events) -> super::Result {
    let mut client = context.daemon()?;
    let (since, from_ms) = since(events.since.as_deref())?;
    let params = EventsParams { since, targets: events.targets.clone(), limit: 0 };
    let mut reply: EventsReply = client.call(method::EVENTS, &params)?;
    reply.events.retain(|event| from_ms.is_none_or(|from| event.at_ms >= from));
    if context.machine && !events.follow {
        print_json(&reply)?;
        return Ok(0);
    }
    let text: String = reply.events.iter().map(|event| line(context, event)).collect();
    if print(&text)? == Printed::Read && events.follow {
        match events.with.is_empty() {
            true => follow(context, &mut client, EventsParams { since: Some(reply.newest), ..params })?,
            false => super::events_live::follow(context, events, reply.newest)?,
        }
    }
    Ok(0)
}

/// A sequence number, or a moment in milliseconds.
fn since(text: Option<&str>) -> Result<(Option<u64>, Option<i64>), ErrorReply> {
    let Some(text) = text else { return Ok((None, None)) };
    if let Some(sequence) = text.strip_prefix('#').and_then(|number| number.parse().ok()) {
        return Ok((Some(sequence), None));
    }
    let us = super::logs_wanted::moment("since", text)?;
    Ok((None, Some(i64::try_from(us / 1_000).unwrap_or(i64::MAX))))
}

fn follow(context: &super::Context, client: &mut Client, params: EventsParams) -> Result<(), ErrorReply> {
    client.subscribe(&params)?;
    loop {
        let text = match client.next_notice()? {
            Notice::Event(event) => line(context, &event),
            Notice::Lost(count) if context.machine => format!("{}\n", serde_json::json!({ "lost": count })),
            Notice::Lost(count) => format!("({count} events were missed)\n"),
        };
        if !text.is_empty() && print(&text)? == Printed::NobodyReads {
            return Ok(());
        }
    }
}

pub(crate) fn line(context: &super::Context, event: &Event) -> String {
    if context.machine {
        return format!("{}\n", serde_json::json!(event));
    }
    if event.is_detail() {
        return String::new();
    }
    // The clock is read anew: while following, days go by.
    let clock = Clock::system();
    format!("{} {}\n", clock.moment(event.at_ms), sentence(event, &clock))
}

/// One event for people.
pub(crate) fn sentence(event: &Event, clock: &Clock) -> String {
    let app = event.app.as_deref().unwrap_or("daemon");
    let what = match &event.what {
        What::Transition { from, to, cause: Cause::Adopted, pid, .. } if from == to => pid
            .map_or("taken over by a new daemon".to_owned(), |pid| {
                format!("taken over by a new daemon (PID {pid})")
            }),
        What::Transition { from, to, cause, pid, next_try_ms } => {
            let pid = pid.map_or(String::new(), |pid| format!(" (PID {pid})"));
            let next = next_try_ms.map_or(String::new(), |at| format!("; next try at {}", clock.moment(at)));
            format!("{} -> {}: {}{pid}{next}", from.status(), to.status(), reason(cause))
        }
        What::Added => "added".to_owned(),
        What::Deleted => "deleted".to_owned(),
        What::Killed { rounds: 1 } => "did not stop in time: SIGKILL".to_owned(),
        What::Killed { rounds } => format!("still there after SIGKILL number {rounds}"),
        What::CaptureFailed { errno } => {
            format!("its output cannot be written: {}", std::io::Error::from_raw_os_error(*errno))
        }
        What::CaptureRecovered { dropped_lines } => {
            format!("its output is written again; {dropped_lines} lines were lost")
        }
        What::DaemonStarted { how, adopted } => {
            let how = match how {
                DaemonStart::Cold => "started",
                DaemonStart::Crash => "started again after a crash",
                DaemonStart::Upgrade => "runs the new binary",
            };
            format!("{how}; {adopted} processes taken over")
        }
        What::Health { healthy: true, .. } => "healthy".to_owned(),
        What::Health { healthy: false, reason } => {
            format!("unhealthy: {}", reason.as_deref().unwrap_or("no reason is known"))
        }
        What::UpgradeFailed { reason } => format!("upgrade failed: {reason}"),
        What::Note { text } => text.clone(),
    };
    let text = format!("{app}: {what}");
    velos_log_engine::neutralise(text.as_bytes(), false)
}

/// Why a phase changed.
pub(crate) fn reason(cause: &Cause) -> String {
    match cause {
        Cause::Command { verb, by } => format!("{verb} asked by {by}"),
        Cause::Spawned => "the program runs".to_owned(),
        Cause::SpawnFailed { failure } => failure.to_string(),
        Cause::Ready => "it says that it is ready".to_owned(),
        Cause::ListenTimeout => "it did not say that it is ready in time".to_owned(),
        Cause::Exited { exit, uptime_ms } => format!("it ended with {exit} after {uptime_ms} ms"),
        Cause::TreeEmpty => "nothing of it is left".to_owned(),
        Cause::BackoffOver => "the pause is over".to_owned(),
        Cause::MemoryLimit { bytes, limit } => format!(
            "it used {} of memory, more than the {} that it may",
            velos_core::units::short_bytes(*bytes),
            velos_core::units::short_bytes(*limit)
        ),
        Cause::DependenciesMissing { first } => format!("it waits for {first}"),
        Cause::DependenciesMet => "its dependencies are there".to_owned(),
        Cause::Unhealthy { reason } => format!("its health check failed: {reason}"),
        Cause::Schedule => "its schedule".to_owned(),
        Cause::Reloaded => "a new process took over".to_owned(),
        Cause::Adopted => "a new daemon goes on with it".to_owned(),
        Cause::Rebooted => "the machine was restarted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn every_event_reads_well() {
        let clock = Clock::utc(sample::NOW_MS);
        let text: String = sample::events()
            .iter()
            .map(|event| format!("{} {}\n", clock.moment(event.at_ms), sentence(event, &clock)))
            .collect();
        insta::assert_snapshot!("events", text);
        insta::assert_snapshot!("events_machine", serde_json::to_string_pretty(&sample::events()).unwrap());
    }
}
