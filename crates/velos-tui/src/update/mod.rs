//! The one place where the model changes.

mod act;
mod keys;
mod mouse;
mod palette;
mod typing;

#[cfg(test)]
mod tests;

use crate::digest::Digest;
use crate::model::{EVENTS_MAX, Link, Model, Tab};
use crate::msg::{Effect, EventLine, LogSource, Msg};

pub(crate) use act::select;

/// A line about what was done is shown for so long.
const NOTICE_MS: i64 = 6_000;
/// A digest that is looked at is made anew at most this often, and takes at most a twentieth of the time.
const DIGEST_MS: i64 = 5_000;
const DIGEST_SHARE: i64 = 20;

/// Take a message in. What is to be done outside comes back.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Key(key) => return keys::key(model, key),
        Msg::Mouse(event) => return mouse::mouse(model, event),
        Msg::Resize(width, height) => model.size = (width, height),
        Msg::Tick(now_ms) => return tick(model, now_ms),
        Msg::Host(host) => {
            model.host_cpu.push((host.cpu_percent.max(0.0) * 100.0) as u64);
            model.host = Some(host);
        }
        Msg::Here(hello) => here(model, hello),
        Msg::Away(reason) => away(model, reason),
        Msg::List(instances) => {
            model.table.set(instances);
            return keep_selection(model);
        }
        Msg::Info(id, info) => {
            if model.table.selected == Some(id) {
                model.info = info;
            }
        }
        Msg::Runs(id, runs) => {
            if model.table.selected == Some(id) {
                model.runs = Some((id, runs));
            }
        }
        Msg::Events(events) => return happened(model, events),
        Msg::EventsLost(count) => model.tell(format!("{count} events were missed"), false),
        Msg::Log(batch) => {
            if batch.generation == model.logs.generation {
                model.logs.hidden += batch.hidden;
                model.logs.skipped = batch.skipped;
                model.logs.add(batch.lines);
            }
        }
        Msg::LogFailed(generation, reason) => {
            if generation == model.logs.generation {
                model.logs.failure = Some(reason);
                model.digest_pending = false;
                model.digest_due_ms = model.now_ms + DIGEST_MS;
            }
        }
        Msg::Digest(generation, digest) => {
            if generation == model.logs.generation {
                let took_ms = i64::try_from(digest.took_ms).unwrap_or(0);
                model.digest_due_ms = model.now_ms + DIGEST_MS.max(took_ms.saturating_mul(DIGEST_SHARE));
                model.digest = Some(Box::new(judged(model, *digest)));
                model.digest_pending = false;
            }
        }
        Msg::Told { text, ok } => {
            model.pending = model.pending.saturating_sub(1);
            model.tell(text, ok);
        }
        Msg::End(ending) => model.ending = Some(ending),
    }
    Vec::new()
}

fn tick(model: &mut Model, now_ms: i64) -> Vec<Effect> {
    model.now_ms = now_ms;
    if model.notice.as_ref().is_some_and(|notice| now_ms - notice.since_ms > NOTICE_MS) {
        model.notice = None;
    }
    let is_due = now_ms >= model.digest_due_ms;
    let is_shown = matches!(model.tab, Tab::Errors | Tab::Summary);
    if is_shown && is_due && (model.logs.fresh > 0 || model.digest.is_none()) {
        return digest(model);
    }
    Vec::new()
}

fn here(model: &mut Model, hello: Box<velos_core::protocol::HelloReply>) {
    match &model.link {
        Link::Away { .. } => model.tell(format!("the daemon is back (PID {})", hello.pid), true),
        Link::Here(before) if before.pid != hello.pid => {
            model.tell(format!("a new daemon goes on (PID {})", hello.pid), true);
        }
        Link::Waiting | Link::Here(_) => {}
    }
    model.link = Link::Here(hello);
}

fn away(model: &mut Model, reason: String) {
    let since_ms = match model.link {
        Link::Away { since_ms, .. } => since_ms,
        Link::Waiting | Link::Here(_) => model.now_ms,
    };
    model.link = Link::Away { since_ms, reason };
}

fn happened(model: &mut Model, events: Vec<EventLine>) -> Vec<Effect> {
    let mut concerns_selected = false;
    for event in events {
        // After a reconnection some come again.
        if model.events.back().is_some_and(|last| last.sequence >= event.sequence) {
            continue;
        }
        if let (Some(id), Some((phase, pid))) = (event.instance, event.phase) {
            model.table.set_phase(id, phase, pid);
        }
        concerns_selected |= event.instance.is_some() && event.instance == model.table.selected;
        if model.events.len() == EVENTS_MAX {
            model.events.pop_front();
        }
        model.events.push_back(event);
    }
    if concerns_selected { act::info(model) } else { Vec::new() }
}

/// After the rows changed.
pub(crate) fn keep_selection(model: &mut Model) -> Vec<Effect> {
    let before = model.table.selected;
    model.table.keep_selection();
    let after = model.table.selected;
    if before == after { act::follow_if_moved(model) } else { act::selection_changed(model) }
}

/// The logs of the selected row.
pub(crate) fn source(model: &Model) -> Option<LogSource> {
    let row = model.table.row()?;
    let one = &row.one;
    Some(LogSource {
        generation: model.logs.generation,
        name: row.name(),
        out: one.out_log.as_path().to_path_buf(),
        err: one.err_log.as_path().to_path_buf(),
        redact: model.logs.redact,
    })
}

/// With what no log tells: how often the process ended by itself in the period.
fn judged(model: &Model, digest: Digest) -> Digest {
    let period = &digest.summary.period;
    let from_ms = i64::try_from(period.from_us / 1_000).unwrap_or(0);
    let ends = model
        .events
        .iter()
        .filter(|event| event.is_crash && event.instance == model.table.selected && event.at_ms >= from_ms);
    let crashes = ends.count() as u64;
    Digest { summary: digest.summary.with_crashes(crashes), ..digest }
}

/// Look at the whole log, unless that is being done.
pub(crate) fn digest(model: &mut Model) -> Vec<Effect> {
    let Some(source) = source(model).filter(|_| !model.digest_pending) else { return Vec::new() };
    model.digest_pending = true;
    model.logs.fresh = 0;
    vec![Effect::Digest(source)]
}
