//! `velos wait`: until instances have come as far as asked.

use std::time::{Duration, Instant};

use velos_client::Client;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::instance::{Exit, Phase};
use velos_core::protocol::{EventsParams, InstanceSummary, ListReply, Targets, method};
use velos_core::selector;
use velos_core::units::parse_duration_ms;

use crate::args::{Wait, WaitFor};

pub(crate) fn run(context: &super::Context, wait: &Wait) -> super::Result {
    let timeout = wait.timeout.as_ref().map(|text| parse_duration_ms(text)).transpose();
    let timeout = timeout.map_err(|error| super::usage(format!("--timeout: {error}")))?;
    let until = timeout.map(|ms| Instant::now() + Duration::from_millis(ms));
    if let WaitFor::Log(pattern) = &wait.until {
        return super::wait_log::run(context, &wait.targets, pattern, until);
    }
    let mut follower = context.daemon()?;
    // Before the first look, so that nothing happens unseen in between.
    follower.subscribe(&EventsParams::default())?;
    let mut asker = context.daemon()?;
    loop {
        let instances = chosen(&mut asker, &wait.targets)?;
        let verdicts: Vec<Verdict> = instances.iter().map(|one| verdict(&wait.until, one)).collect();
        if let Some(failed) = instances.iter().zip(&verdicts).find(|(_, verdict)| **verdict == Verdict::Never)
        {
            let name = super::shown_name(&failed.0.name, failed.0.slot);
            let message =
                format!("{name} is {} and will not become what is waited for", failed.0.phase.status());
            return Err(super::failed(message).hint(format!("see `velos why {name}`")));
        }
        if verdicts.iter().all(|verdict| *verdict == Verdict::Now) {
            return answer(context, &wait.until, &instances);
        }
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            let waiting: Vec<String> = instances
                .iter()
                .zip(&verdicts)
                .filter(|(_, verdict)| **verdict != Verdict::Now)
                .map(|(one, _)| {
                    format!("{} is {}", super::shown_name(&one.name, one.slot), one.phase.status())
                })
                .collect();
            let message = format!("the time is over: {}", waiting.join(", "));
            return Err(ErrorReply::new(ErrorCode::NotReady, message));
        }
        follower.set_patience(left);
        match follower.next_notice() {
            Ok(_) => {}
            // The time is over, or the daemon went: the next look tells.
            Err(_) if left.is_some_and(|_| until.is_some_and(|until| until <= Instant::now())) => {}
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn chosen(client: &mut Client, targets: &[String]) -> Result<Vec<InstanceSummary>, ErrorReply> {
    let list: ListReply = client.call(method::LIST, &Targets::default())?;
    let candidates: Vec<_> = list.instances.iter().map(super::candidate).collect();
    let ids = selector::resolve(targets, &candidates)?;
    Ok(list.instances.into_iter().filter(|one| ids.contains(&one.id)).collect())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Now,
    Later,
    Never,
}

fn verdict(wanted: &WaitFor, one: &InstanceSummary) -> Verdict {
    match (wanted, one.phase) {
        (WaitFor::Online, Phase::Online) => Verdict::Now,
        (WaitFor::Healthy, Phase::Online) if one.healthy != Some(false) => Verdict::Now,
        (WaitFor::Online | WaitFor::Healthy, Phase::Errored | Phase::Stopped) => Verdict::Never,
        (WaitFor::Stopped | WaitFor::Exit, Phase::Stopped | Phase::Errored) => Verdict::Now,
        _ => Verdict::Later,
    }
}

/// With `exit` the code of the app is ours.
fn answer(context: &super::Context, wanted: &WaitFor, instances: &[InstanceSummary]) -> super::Result {
    if context.machine {
        crate::output::print_json(&instances)?;
    }
    if *wanted != WaitFor::Exit {
        return Ok(0);
    }
    let code = instances.iter().find_map(|one| match one.exit {
        Some(Exit::Code(0)) | None => None,
        Some(Exit::Code(code)) => Some(u8::try_from(code).unwrap_or(1)),
        // As shells tell of a signal.
        Some(Exit::Signal(number)) => Some(u8::try_from(128 + number).unwrap_or(1)),
        Some(Exit::Unknown) => Some(1),
    });
    Ok(code.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let mut one = crate::sample::instances().swap_remove(0);
        one.phase = Phase::Online;
        assert_eq!(verdict(&WaitFor::Online, &one), Verdict::Now);
        assert_eq!(verdict(&WaitFor::Stopped, &one), Verdict::Later);
        one.healthy = Some(false);
        assert_eq!(verdict(&WaitFor::Healthy, &one), Verdict::Later);
        one.phase = Phase::Backoff;
        assert_eq!(verdict(&WaitFor::Online, &one), Verdict::Later);
        one.phase = Phase::Errored;
        assert_eq!(verdict(&WaitFor::Online, &one), Verdict::Never);
        assert_eq!(verdict(&WaitFor::Exit, &one), Verdict::Now);
    }
}
