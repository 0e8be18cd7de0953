//! `velos wait --for log=PATTERN`: a line of the current run.

use std::time::{Duration, Instant};

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::instance::Phase;
use velos_core::protocol::{RunsReply, Targets, method};
use velos_log_engine::query::Pattern;
use velos_log_engine::{Follower, Line, Stream, neutralise};

/// How often we look.
const PAUSE: Duration = Duration::from_millis(20);
/// More lines of the past are not looked at.
const PAST_LINES: usize = 100_000;

/// The logs of one instance, from the beginning of its run on.
struct Waiting {
    name: String,
    started_us: u64,
    followers: Vec<Follower>,
    found: Option<String>,
}

pub(crate) fn run(
    context: &super::Context,
    targets: &[String],
    pattern: &str,
    until: Option<Instant>,
) -> super::Result {
    let pattern = Pattern::new(pattern, false, false)
        .map_err(|error| super::usage(format!("--for log={}: {error}", error.pattern)))?;
    let mut client = context.daemon()?;
    let runs: RunsReply = client.call(method::RUNS, &Targets { targets: targets.to_vec() })?;
    let mut all = Vec::new();
    for one in &runs.instances {
        let started_ms = one.runs.last().map_or(0, |run| run.started_ms);
        let mut waiting = Waiting {
            name: super::shown_name(&one.name, one.slot),
            started_us: u64::try_from(started_ms).unwrap_or(0) * 1_000,
            followers: Vec::new(),
            found: None,
        };
        let is_shared = one.out_log == one.err_log;
        for (log, stream) in [(&one.out_log, Stream::Out), (&one.err_log, Stream::Err)] {
            if stream == Stream::Err && is_shared {
                continue;
            }
            let (past, follower) = Follower::after_tail(log.as_path(), stream, PAST_LINES)
                .map_err(|error| super::logs::cannot_read(log.as_path(), &error))?;
            waiting.look_at(&pattern, &past);
            waiting.followers.push(follower);
        }
        all.push(waiting);
    }
    loop {
        for waiting in &mut all {
            waiting.look(&pattern)?;
        }
        if all.iter().all(|waiting| waiting.found.is_some()) {
            return answer(context, &all);
        }
        let missing =
            || all.iter().filter(|waiting| waiting.found.is_none()).map(|waiting| waiting.name.as_str());
        for one in super::wait::chosen(&mut client, targets)? {
            let name = super::shown_name(&one.name, one.slot);
            if matches!(one.phase, Phase::Stopped | Phase::Errored)
                && missing().any(|missing| missing == name)
            {
                let text = format!("{name} is {} and printed no such line", one.phase.status());
                return Err(super::failed(text).hint(format!("see `velos logs {name}`")));
            }
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            let text =
                format!("the time is over: no such line of {}", missing().collect::<Vec<_>>().join(", "));
            return Err(ErrorReply::new(ErrorCode::NotReady, text));
        }
        std::thread::sleep(PAUSE);
    }
}

fn answer(context: &super::Context, all: &[Waiting]) -> super::Result {
    if context.machine {
        let lines: Vec<_> =
            all.iter().map(|one| serde_json::json!({ "app": one.name, "text": one.found })).collect();
        crate::output::print_json(&lines)?;
        return Ok(0);
    }
    let text: String = all
        .iter()
        .map(|one| format!("[OK] {}: {}\n", one.name, one.found.as_deref().unwrap_or_default()))
        .collect();
    context.say(&text)?;
    Ok(0)
}

impl Waiting {
    fn look(&mut self, pattern: &Pattern) -> Result<(), ErrorReply> {
        let mut fresh = Vec::new();
        for follower in &mut self.followers {
            let lines = follower.look().map_err(|error| super::logs::cannot_read(follower.path(), &error))?;
            fresh.extend(lines);
        }
        self.look_at(pattern, &fresh);
        Ok(())
    }

    fn look_at(&mut self, pattern: &Pattern, lines: &[Line]) {
        if self.found.is_some() {
            return;
        }
        // A line without a time is not known to be old.
        let is_new = |line: &&Line| line.time_us.is_none_or(|at| at >= self.started_us);
        let found = lines.iter().filter(is_new).find(|line| pattern.wants(&line.bytes));
        self.found = found.map(|line| neutralise(&line.bytes, false));
    }
}
