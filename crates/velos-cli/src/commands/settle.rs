//! After a start or a restart: whether what runs goes on running. A program that dies of a mistake in its first line has
//! been online before, so its end is what tells.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use velos_client::Notice;
use velos_core::error::ErrorReply;
use velos_core::event::{Cause, Event, What};
use velos_core::instance::{Exit, InstanceId, Phase};
use velos_core::protocol::{EventsParams, Outcome, Outcomes};
use velos_core::units::parse_duration_ms;

use super::select;

/// For people, who look at what comes of it; scripts ask for it.
const ON_A_TERMINAL: Duration = Duration::from_millis(300);
/// When one of several has ended, the others may be about to.
const MORE: Duration = Duration::from_millis(50);

/// For how long to watch.
pub(crate) fn time(context: &super::Context, flag: Option<&str>) -> Result<Duration, ErrorReply> {
    match flag {
        Some(text) => parse_duration_ms(text)
            .map(Duration::from_millis)
            .map_err(|error| super::usage(format!("--settle: {error}"))),
        None if !context.machine && std::io::stdout().is_terminal() => Ok(ON_A_TERMINAL),
        None => Ok(Duration::ZERO),
    }
}

/// As `select::tell`, and what ends within `time` has failed. In a document for machines everything is as it is then.
pub(crate) fn tell(
    context: &super::Context,
    mut outcomes: Outcomes,
    begin_us: u64,
    time: Duration,
    done: impl Fn(&Outcome) -> String,
) -> super::Result {
    if context.machine {
        for end in ends(context, &outcomes, time)?.into_iter().filter(End::is_failure) {
            if let Some(outcome) = outcomes.instances.iter_mut().find(|outcome| outcome.id == end.outcome.id)
            {
                *outcome = end.outcome;
            }
        }
        return select::tell(context, &outcomes, begin_us, done);
    }
    let code = select::tell(context, &outcomes, begin_us, done)?;
    let ends = match ends(context, &outcomes, time) {
        Ok(ends) => ends,
        Err(error) => {
            // It is started; nobody can say more.
            super::note(&format!("note: whether it goes on running could not be seen: {}\n", error.message));
            return Ok(code);
        }
    };
    for end in &ends {
        let text = end.text();
        if end.is_failure() {
            let told = select::words_and_hint(&end.outcome, &select::last_words(&end.outcome, begin_us));
            super::note(&format!("{text}{told}"));
        } else if !context.quiet {
            super::note(&text);
        }
    }
    let failed = ends.iter().any(End::is_failure);
    Ok(if code == 0 && failed { velos_core::error::ErrorCode::Failed.exit_code() } else { code })
}

/// The end of a run that had just begun.
#[derive(Debug)]
struct End {
    /// As it is after that.
    outcome: Outcome,
    exit: Exit,
    uptime_ms: u64,
}

impl End {
    fn is_failure(&self) -> bool {
        self.exit != Exit::Code(0)
    }

    /// A line for people; nothing when a program that is meant to end has ended.
    fn text(&self) -> String {
        let name = super::shown_name(&self.outcome.name, self.outcome.slot);
        let (exit, ms) = (self.exit, self.uptime_ms);
        let stays = matches!(self.outcome.phase, Phase::Stopped | Phase::Errored);
        match (self.is_failure(), stays) {
            (true, true) => format!("error: process \"{name}\" ended with {exit} after {ms} ms\n"),
            (true, false) => {
                format!("error: process \"{name}\" ended with {exit} after {ms} ms and is started again\n")
            }
            (false, true) => String::new(),
            (false, false) => format!(
                "note: process \"{name}\" ended with {exit} after {ms} ms and is started again; \
                 for one that is meant to end there is --no-autorestart\n"
            ),
        }
    }
}

/// Watch those that are online. Returns as soon as all of them have ended, and soon when one has.
fn ends(context: &super::Context, outcomes: &Outcomes, time: Duration) -> Result<Vec<End>, ErrorReply> {
    let mut watched: BTreeMap<InstanceId, Watched<'_>> = outcomes
        .instances
        .iter()
        .filter(|outcome| outcome.ok && outcome.phase == Phase::Online && outcome.pid.is_some())
        .map(|outcome| (outcome.id, Watched { outcome, is_online: false }))
        .collect();
    let mut ends = Vec::new();
    if time.is_zero() || watched.is_empty() {
        return Ok(ends);
    }
    let mut until = Instant::now() + time;
    let mut client = context.daemon()?;
    // What happened before this moment comes as well.
    let targets = watched.keys().map(|id| id.0.to_string()).collect();
    client.subscribe(&EventsParams { since: Some(0), targets, limit: 0 })?;
    while !watched.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        client.set_patience(Some(left));
        let event = match client.next_notice() {
            Ok(Notice::Event(event)) => event,
            Ok(Notice::Lost(_)) => continue,
            Err(_) if until <= Instant::now() => break,
            Err(error) => return Err(error),
        };
        let Some(id) = event.instance else { continue };
        if let Some(end) = watched.get_mut(&id).and_then(|one| one.hear(&event)) {
            watched.remove(&id);
            until = until.min(Instant::now() + MORE);
            ends.push(end);
        }
    }
    ends.sort_by_key(|end| end.outcome.id);
    Ok(ends)
}

struct Watched<'a> {
    outcome: &'a Outcome,
    /// The run that we were told of has begun; what came before is older.
    is_online: bool,
}

impl Watched<'_> {
    fn hear(&mut self, event: &Event) -> Option<End> {
        let What::Transition { from, to, cause, pid, .. } = &event.what else { return None };
        if *to == Phase::Online {
            self.is_online = *pid == self.outcome.pid;
        }
        match cause {
            Cause::Exited { exit, uptime_ms } if self.is_online && *from == Phase::Online => {
                let outcome = Outcome {
                    phase: *to,
                    pid: None,
                    ok: *exit == Exit::Code(0),
                    reason: Some(format!("it ended with {exit} after {uptime_ms} ms")),
                    exit: Some(*exit),
                    ..self.outcome.clone()
                };
                Some(End { outcome, exit: *exit, uptime_ms: *uptime_ms })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            id: InstanceId(4),
            name: "api".into(),
            slot: 0,
            phase: Phase::Online,
            pid: Some(77),
            ok: true,
            unchanged: false,
            reason: None,
            exit: None,
            err_log: None,
        }
    }

    fn event(from: Phase, to: Phase, cause: Cause, pid: Option<i32>) -> Event {
        let what = What::Transition { from, to, cause, pid, next_try_ms: None };
        Event { sequence: 1, at_ms: 0, app: Some("api".into()), instance: Some(InstanceId(4)), what }
    }

    #[test]
    fn only_the_end_of_the_run_that_was_told_counts() {
        let outcome = outcome();
        let mut watched = Watched { outcome: &outcome, is_online: false };
        let exited = |code| Cause::Exited { exit: Exit::Code(code), uptime_ms: 12 };
        let online = |pid| event(Phase::Launching, Phase::Online, Cause::Spawned, Some(pid));
        // A run before ours.
        assert!(watched.hear(&online(70)).is_none());
        assert!(watched.hear(&event(Phase::Online, Phase::Backoff, exited(1), None)).is_none());
        assert!(watched.hear(&online(77)).is_none());
        let end = watched.hear(&event(Phase::Online, Phase::Starting, exited(3), None)).unwrap();
        assert_eq!(
            end.text(),
            "error: process \"api\" ended with exit code 3 after 12 ms and is started again\n"
        );
        assert_eq!((end.outcome.phase, end.outcome.ok, end.outcome.pid), (Phase::Starting, false, None));
        assert_eq!(end.outcome.reason.as_deref(), Some("it ended with exit code 3 after 12 ms"));
        // One that is meant to end is no failure, and no news.
        let end = watched.hear(&event(Phase::Online, Phase::Stopped, exited(0), None)).unwrap();
        assert!(!end.is_failure() && end.outcome.ok && end.text().is_empty());
        let end = watched.hear(&event(Phase::Online, Phase::Backoff, exited(0), None)).unwrap();
        assert!(end.text().starts_with("note: process \"api\" ended with exit code 0"), "{}", end.text());
        // Asked to stop by somebody else.
        let stop = Cause::Command { verb: velos_core::event::Verb::Stop, by: "cli".into() };
        assert!(watched.hear(&event(Phase::Online, Phase::Stopping, stop, Some(77))).is_none());
        assert!(watched.hear(&event(Phase::Stopping, Phase::Stopped, exited(143), None)).is_none());
    }
}
