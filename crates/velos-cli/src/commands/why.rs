//! `velos why`: what happened, who asked, the last words, and what comes next.

use velos_core::instance::Phase;
use velos_core::protocol::{Targets as Params, WhyInstance, WhyReply, method};

use crate::args::Targets;
use crate::commands::events::{clock, sentence};

pub(crate) fn run(context: &super::Context, targets: &Targets) -> super::Result {
    let mut client = context.daemon()?;
    let why: WhyReply = client.call(method::WHY, &Params { targets: targets.targets.clone() })?;
    if context.machine {
        crate::output::print_json(&why.instances)?;
    } else {
        let text: Vec<String> = why.instances.iter().map(explain).collect();
        context.say(&text.join("\n"))?;
    }
    Ok(0)
}

fn explain(why: &WhyInstance) -> String {
    let one = &why.summary;
    let mut text = format!("{} is {}\n", one.name, one.phase.status());
    for event in &why.events {
        text.push_str(&format!("  {} {}\n", clock(event.at_ms), sentence(event)));
    }
    let log = one.err_log.as_path();
    let words = velos_log_engine::tail(log, velos_log_engine::Stream::Err, 5).unwrap_or_default();
    if !words.is_empty() {
        text.push_str("last lines of its error log:\n");
        for line in words {
            text.push_str(&format!("  {}\n", velos_log_engine::neutralise(&line.bytes)));
        }
    }
    text.push_str(&format!("next: {}\n", next(why)));
    text
}

fn next(why: &WhyInstance) -> String {
    let one = &why.summary;
    match (one.phase, one.next_try_ms) {
        (Phase::Backoff, Some(at)) => {
            format!(
                "it is started again at {} (short run {} of {})",
                clock(at),
                why.unstable,
                why.restart.max_restarts
            )
        }
        (Phase::Backoff, None) => "it is started again soon".to_owned(),
        (Phase::Online, _) if why.restart.autorestart => "it runs; if it ends it is started again".to_owned(),
        (Phase::Online, _) => "it runs; if it ends it stays stopped".to_owned(),
        (Phase::Errored, _) => format!("nothing: it was given up; `velos start {}` tries again", one.name),
        (Phase::Stopped, _) => format!("nothing: `velos start {}` starts it", one.name),
        (Phase::Starting | Phase::Launching, _) => "it becomes online once it is ready".to_owned(),
        (Phase::Stopping, _) => "it ends, or SIGKILL follows".to_owned(),
    }
}
