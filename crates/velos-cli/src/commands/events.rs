//! `velos events`, and how an event reads.

use velos_client::Client;
use velos_core::event::{Cause, Event, Verb, What};
use velos_core::protocol::{EventsParams, EventsReply, method};

use crate::args::Events;

pub(crate) fn run(context: &super::Context, events: &Events) -> super::Result {
    let mut client = context.daemon()?;
    let params = EventsParams { since: events.since, targets: events.targets.clone(), limit: 0 };
    let reply: EventsReply = client.call(method::EVENTS, &params)?;
    if context.machine && !events.follow {
        crate::output::print_json(&reply)?;
        return Ok(0);
    }
    for event in &reply.events {
        show(context, event)?;
    }
    if events.follow {
        follow(context, &mut client, EventsParams { since: Some(reply.newest), ..params })?;
    }
    Ok(0)
}

fn follow(
    context: &super::Context,
    client: &mut Client,
    params: EventsParams,
) -> Result<(), velos_client::ErrorReply> {
    client.subscribe(&params)?;
    loop {
        match client.next_notice()? {
            velos_client::Notice::Event(event) => show(context, &event)?,
            velos_client::Notice::Lost(count) if !context.machine => {
                crate::output::print(&format!("({count} events were missed)\n"))?;
            }
            velos_client::Notice::Lost(count) => {
                crate::output::print_json(&serde_json::json!({ "lost": count }))?
            }
        }
    }
}

fn show(context: &super::Context, event: &Event) -> Result<(), velos_client::ErrorReply> {
    if context.machine {
        return crate::output::print_json(event);
    }
    crate::output::print(&format!("{} {}\n", clock(event.at_ms), sentence(event)))
}

/// Local wall clock time.
pub(crate) fn clock(at_ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(at_ms) {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string(),
        Err(_) => "??:??:??".to_owned(),
    }
}

/// One event for people.
pub(crate) fn sentence(event: &Event) -> String {
    let app = event.app.as_deref().unwrap_or("daemon");
    let what = match &event.what {
        What::Transition { from, to, cause: Cause::Adopted, pid, .. } if from == to => {
            format!("taken over by a new daemon (PID {})", pid.unwrap_or_default())
        }
        What::Transition { from, to, cause, next_try_ms, .. } => {
            let next = next_try_ms.map_or(String::new(), |at| format!("; next try at {}", clock(at)));
            format!("{} -> {}: {}{next}", from.status(), to.status(), reason(cause))
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
        What::DaemonStarted { how, adopted } => format!("started ({how:?}), {adopted} processes taken over"),
        What::UpgradeFailed { reason } => format!("upgrade failed: {reason}"),
        What::Note { text } => text.clone(),
    };
    format!("{app}: {what}")
}

fn reason(cause: &Cause) -> String {
    match cause {
        Cause::Command { verb, by } => {
            let verb = match verb {
                Verb::Start => "start",
                Verb::Stop => "stop",
                Verb::Restart => "restart",
                Verb::Delete => "delete",
                Verb::Shutdown => "shutdown",
            };
            format!("{verb} asked by {by}")
        }
        Cause::Spawned => "the program runs".to_owned(),
        Cause::SpawnFailed { failure } => failure.to_string(),
        Cause::Ready => "it says that it is ready".to_owned(),
        Cause::ListenTimeout => "it did not say that it is ready in time".to_owned(),
        Cause::Exited { exit, uptime_ms } => format!("it ended with {exit} after {uptime_ms} ms"),
        Cause::TreeEmpty => "nothing of it is left".to_owned(),
        Cause::BackoffOver => "the pause is over".to_owned(),
        Cause::Adopted => "a new daemon goes on with it".to_owned(),
        Cause::Rebooted => "the machine was restarted".to_owned(),
    }
}
