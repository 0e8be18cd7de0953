//! The line at the end of a reply that tells of trouble elsewhere.

use velos_core::event::{Cause, Event, Verb, What};
use velos_core::instance::Phase;
use velos_core::protocol::InstanceSummary;

use crate::clock;
use crate::sentence;
use crate::toolbox::shown_name;

/// Names that are told.
const NAMES_MAX: usize = 3;

/// Crashes are told for so long, milliseconds.
const RECENT_MS: i64 = 10 * 60 * 1_000;

/// `! billing crashed 2m ago: exit code 1; see diagnose`. `known` names the app that the reply is about.
pub(crate) fn line(instances: &[InstanceSummary], events: &[Event], known: Option<&str>) -> Option<String> {
    let is_known = |one: &InstanceSummary| {
        known.is_some_and(|known| {
            known == one.name || known == shown_name(one) || known == one.id.0.to_string()
        })
    };
    let bad: Vec<(String, String)> = instances
        .iter()
        .filter(|one| !is_known(one))
        .filter_map(|one| Some((shown_name(one), sentence::complaint(one).or_else(|| crashed(one, events))?)))
        .collect();
    match bad.as_slice() {
        [] => None,
        [(name, complaint)] => Some(format!("! {name} {complaint}; see diagnose\n")),
        many => {
            let names: Vec<&str> = many.iter().take(NAMES_MAX).map(|(name, _)| name.as_str()).collect();
            let more = many.len().saturating_sub(NAMES_MAX);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(format!("! {}{more} are failing; see diagnose\n", names.join(", ")))
        }
    }
}

/// It runs again, but ended by itself a moment ago, and nobody has restarted it since.
pub(crate) fn crashed(one: &InstanceSummary, events: &[Event]) -> Option<String> {
    if one.phase == Phase::Stopped {
        return None;
    }
    let mut last = None;
    for event in events.iter().filter(|event| event.instance == Some(one.id)) {
        match &event.what {
            What::Transition {
                cause: Cause::Command { verb: Verb::Start | Verb::Restart | Verb::Reload, .. },
                ..
            } => {
                last = None;
            }
            What::Transition { from, cause: Cause::Exited { exit, .. }, .. } if *from != Phase::Stopping => {
                last = Some((event.at_ms, exit));
            }
            _ => {}
        }
    }
    let (at, exit) = last.filter(|(at, _)| clock::now_ms() - at <= RECENT_MS)?;
    Some(format!("crashed {} ago: {}", clock::ago(at), sentence::ended(exit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::instance::{Exit, InstanceId};

    fn event(sequence: u64, from: Phase, cause: Cause) -> Event {
        let what = What::Transition { from, to: Phase::Starting, cause, pid: None, next_try_ms: None };
        Event { sequence, at_ms: clock::now_ms() - 120_000, app: None, instance: Some(InstanceId(0)), what }
    }

    #[test]
    fn a_crash_is_told_until_somebody_restarts_it() {
        let json = r#"{"id":0,"name":"api","namespace":"default","slot":0,"phase":"online","goal":"up","restarts":1,
            "user":"me","script":"x","out_log":"","err_log":""}"#;
        let one: InstanceSummary = serde_json::from_str(json).unwrap();
        let exit = || Cause::Exited { exit: Exit::Code(1), uptime_ms: 5 };
        let asked = || Cause::Command { verb: Verb::Restart, by: "cli".into() };
        let told = |events: &[Event], known| line(std::slice::from_ref(&one), events, known);
        let crash = [event(1, Phase::Online, exit())];
        assert_eq!(told(&crash, None).unwrap(), "! api crashed 2m ago: exit code 1; see diagnose\n");
        assert_eq!(told(&crash, Some("api")), None);
        assert_eq!(told(&[event(1, Phase::Stopping, exit())], None), None, "it was asked to");
        assert_eq!(told(&[event(1, Phase::Online, exit()), event(2, Phase::Online, asked())], None), None);
    }
}
