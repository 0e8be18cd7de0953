//! `velos why`: what happened, who asked, the last words, and what comes next.

use velos_core::event::What;
use velos_core::instance::Phase;
use velos_core::protocol::{InstanceSummary, Targets as Params, WhyInstance, WhyReply, method};
use velos_core::units::short_duration;

use super::events::{reason, sentence};
use crate::args::Targets;
use crate::clock::Clock;

/// Last lines of the error log that are shown.
const WORDS_MAX: usize = 5;

pub(crate) fn run(context: &super::Context, targets: &Targets) -> super::Result {
    let mut client = context.daemon()?;
    let why: WhyReply = client.call(method::WHY, &Params { targets: targets.targets.clone() })?;
    if context.machine {
        crate::output::print_json(&why.instances)?;
        return Ok(0);
    }
    let clock = Clock::system();
    let text: Vec<String> =
        why.instances.iter().map(|one| explain(one, &clock, &last_words(&one.summary))).collect();
    context.say(&text.join("\n"))?;
    Ok(0)
}

pub(crate) fn last_words(one: &InstanceSummary) -> Vec<String> {
    super::last_words::lines(one.err_log.as_path(), None, WORDS_MAX)
}

fn explain(why: &WhyInstance, clock: &Clock, words: &[String]) -> String {
    let one = &why.summary;
    let name = super::shown_name(&one.name, one.slot);
    let mut text = format!("{name} is {}: {}\n", one.phase.status(), cause(why));
    if !why.events.is_empty() {
        text.push_str("what happened:\n");
    }
    for event in why.events.iter().filter(|event| !event.is_detail()) {
        text.push_str(&format!("  {} {}\n", clock.moment(event.at_ms), sentence(event, clock)));
    }
    if !words.is_empty() {
        text.push_str("from its error log:\n");
        text.extend(words.iter().map(|line| format!("  {line}\n")));
    }
    if let Some(errno) = one.log_errno {
        text.push_str(&format!(
            "its output cannot be written: {}\n",
            std::io::Error::from_raw_os_error(errno)
        ));
    }
    text.push_str(&format!("next: {}\n", next(why, clock)));
    text
}

/// Why the phase is what it is. The way down has several steps; the first of them tells who wanted it.
fn cause(why: &WhyInstance) -> String {
    let phase = why.summary.phase;
    let mut found = None;
    for event in why.events.iter().rev() {
        let What::Transition { from, to, cause, .. } = &event.what else { continue };
        let is_step = *to == phase || phase == Phase::Stopped && *to == Phase::Stopping;
        if is_step {
            found = Some(cause);
        }
        if is_step && !(phase == Phase::Stopped && *from == Phase::Stopping) {
            break;
        }
    }
    found.map_or_else(|| "how it came to that is not kept any more".to_owned(), reason)
}

fn next(why: &WhyInstance, clock: &Clock) -> String {
    let one = &why.summary;
    let typed = super::typed_name(&one.name, one.slot, one.id);
    match (one.phase, one.next_try_ms) {
        (Phase::Backoff, Some(at)) => {
            let (unstable, max) = (why.unstable, why.restart.max_restarts);
            format!("it is started again at {} (short run {unstable} of {max})", clock.moment(at))
        }
        (Phase::Backoff, None) => "it is started again soon".to_owned(),
        (Phase::Online, _) if why.restart.autorestart => {
            let uptime = one.uptime_ms.map_or(String::new(), |ms| format!(" (for {})", short_duration(ms)));
            format!("it runs{uptime}; if it ends it is started again")
        }
        (Phase::Online, _) => "it runs; if it ends it stays stopped".to_owned(),
        (Phase::Waiting, _) => {
            format!(
                "it starts as soon as it can; it waits for {}",
                one.waits_for.as_deref().unwrap_or("a dependency")
            )
        }
        (Phase::Errored, _) => format!("nothing: it was given up; `velos start {typed}` tries again"),
        (Phase::Stopped, _) => format!("nothing; `velos start {typed}` starts it"),
        (Phase::Starting | Phase::Launching, _) => "it becomes online once it is ready".to_owned(),
        (Phase::Stopping, _) => "it ends, or SIGKILL follows".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn every_state_is_explained() {
        let clock = Clock::utc(sample::NOW_MS);
        let words = ["Error: connect ECONNREFUSED 10.0.0.5:5432".to_owned()];
        let text: Vec<String> = (0..6).map(|n| explain(&sample::why(n), &clock, &words)).collect();
        insta::assert_snapshot!("why", text.join("\n"));
    }

    #[test]
    fn a_stop_names_who_asked() {
        let mut why = sample::why(2);
        why.events = sample::events().into_iter().skip(9).take(4).collect();
        assert_eq!(cause(&why), "stop asked by cli uid=1000 pid=77");
        why.events.clear();
        assert_eq!(cause(&why), "how it came to that is not kept any more");
    }
}
