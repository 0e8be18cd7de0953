//! `velos runs`: when each process of an instance began, how long it ran, why it ended, what it used.

use velos_core::error::ErrorReply;
use velos_core::protocol::{InstanceRuns, RunsReply, Targets as Params, method};
use velos_core::run::Run;
use velos_core::units::{short_bytes, short_duration};

use crate::args::{Logs, Targets};
use crate::clock::Clock;
use crate::output::width;
use crate::table::{Cell, Column, table};

const COLUMNS: [Column; 8] = [
    Column { title: "run", right: true, expendable: 0 },
    Column { title: "pid", right: true, expendable: 4 },
    Column { title: "started", right: false, expendable: 0 },
    Column { title: "lasted", right: true, expendable: 0 },
    Column { title: "ended with", right: false, expendable: 1 },
    Column { title: "because", right: false, expendable: 2 },
    Column { title: "cpu", right: true, expendable: 5 },
    Column { title: "peak memory", right: true, expendable: 3 },
];

pub(crate) fn run(context: &super::Context, targets: &Targets) -> super::Result {
    let mut client = context.daemon()?;
    let reply: RunsReply = client.call(method::RUNS, &Params { targets: targets.targets.clone() })?;
    if context.machine {
        crate::output::print_json(&reply.instances)?;
        return Ok(0);
    }
    let clock = Clock::system();
    let now_ms = i64::try_from(super::select::now_us() / 1_000).unwrap_or(i64::MAX);
    let several = reply.instances.len() > 1;
    let text: String = reply
        .instances
        .iter()
        .map(|one| {
            let title =
                if several { format!("{}\n", super::shown_name(&one.name, one.slot)) } else { String::new() };
            title + &render(one, &clock, now_ms, width(), context.colour)
        })
        .collect();
    context.say(&text)?;
    Ok(0)
}

/// What a run printed, as a window of time. Of a run that followed at once the first lines do not belong to it.
pub(crate) fn window(context: &super::Context, logs: &Logs, number: i64) -> Result<Logs, ErrorReply> {
    /// Times of runs are cut to milliseconds, and last words are stored a little later.
    const BEFORE_MS: i64 = 1;
    const AFTER_MS: i64 = 50;
    const SETTLED_MS: i64 = 1_000;
    let mut client = context.daemon()?;
    let reply: RunsReply = client.call(method::RUNS, &Params { targets: logs.targets.clone() })?;
    let [one] = &reply.instances[..] else {
        return Err(super::usage(format!(
            "--run is about one instance, and {} are meant",
            reply.instances.len()
        ))
        .hint("name one: velos logs api:1 --run -1"));
    };
    let at = match number {
        number if number < 0 => {
            i64::try_from(one.runs.len()).ok().and_then(|count| usize::try_from(count - 1 + number).ok())
        }
        number => one.runs.iter().position(|run| i64::try_from(run.number) == Ok(number)),
    };
    let Some((at, run)) = at.and_then(|at| Some((at, one.runs.get(at)?))) else {
        let kept: Vec<String> = one.runs.iter().map(|run| run.number.to_string()).collect();
        let name = super::shown_name(&one.name, one.slot);
        return Err(super::failed(format!("no run {number} of {name} is kept"))
            .hint(format!("kept are {}", kept.join(", "))));
    };
    let next = one.runs.get(at + 1).map(|next| next.started_ms - BEFORE_MS);
    let end = run.ended_ms.map(|end| next.map_or(end + AFTER_MS, |next| next.min(end + AFTER_MS)));
    let now_ms = i64::try_from(super::select::now_us() / 1_000).unwrap_or(i64::MAX);
    if end.is_some_and(|end| now_ms.saturating_sub(end) < SETTLED_MS) {
        // The index tells of the last quarter of a second a little later; until then nobody knows whose lines those are.
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    let text =
        |ms: i64| jiff::Timestamp::from_millisecond(ms).map(|time| time.to_string()).unwrap_or_default();
    Ok(Logs {
        since: Some(text(run.started_ms - BEFORE_MS)),
        until: end.map(text),
        run: None,
        ..logs.clone()
    })
}

fn render(one: &InstanceRuns, clock: &Clock, now_ms: i64, width: usize, colour: bool) -> String {
    if one.runs.is_empty() {
        return format!("{} has not run yet\n", super::shown_name(&one.name, one.slot));
    }
    let rows: Vec<Vec<Cell>> = one.runs.iter().map(|run| row(run, clock, now_ms)).collect();
    table(&COLUMNS, &rows, width, colour)
}

fn row(run: &Run, clock: &Clock, now_ms: i64) -> Vec<Cell> {
    let none = || "-".to_owned();
    let lasted = run.ended_ms.unwrap_or(now_ms).saturating_sub(run.started_ms);
    let exit = match run.exit {
        Some(exit) => Cell::new(exit.to_string()),
        None => Cell::coloured("runs", "32"),
    };
    vec![
        Cell::new(run.number.to_string()),
        Cell::new(run.pid.to_string()),
        Cell::new(clock.moment(run.started_ms)),
        Cell::new(lasting(lasted)),
        exit,
        Cell::new(because(run)),
        Cell::new(run.used.map_or_else(none, |used| {
            format!("{}.{:02}s", used.cpu_us / 1_000_000, used.cpu_us % 1_000_000 / 10_000)
        })),
        Cell::new(run.used.map_or_else(none, |used| short_bytes(used.peak_rss_bytes))),
    ]
}

/// Short runs to the millisecond.
fn lasting(ms: i64) -> String {
    let ms = u64::try_from(ms).unwrap_or(0);
    if ms < 10_000 { format!("{ms}ms") } else { short_duration(ms) }
}

fn because(run: &Run) -> String {
    match (&run.ended_by, run.ended_ms) {
        (Some(cause), _) => super::events::reason(cause),
        (None, Some(_)) => "by itself".to_owned(),
        (None, None) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::event::{Cause, Verb};
    use velos_core::instance::{Exit, InstanceId, Token};
    use velos_core::run::Used;

    #[test]
    fn runs_of_an_app() {
        let now_ms = crate::sample::NOW_MS;
        let run = |number, started_ms: i64, ended: Option<(i64, Exit)>, ended_by| Run {
            number,
            token: Token(number),
            pid: 4_000 + number as i32,
            started_ms,
            ended_ms: ended.map(|(at, _)| at),
            exit: ended.map(|(_, exit)| exit),
            ended_by,
            used: ended.map(|_| Used { cpu_us: 1_230_000, peak_rss_bytes: 45 << 20 }),
        };
        let by = "cli uid=0 pid=7".to_owned();
        let one = InstanceRuns {
            id: InstanceId(0),
            name: "api".into(),
            slot: 0,
            out_log: "/logs/api-out.log".into(),
            err_log: "/logs/api-error.log".into(),
            runs: vec![
                run(3, now_ms - 90_000, Some((now_ms - 89_988, Exit::Code(3))), None),
                run(
                    4,
                    now_ms - 80_000,
                    Some((now_ms - 20_000, Exit::Signal(15))),
                    Some(Cause::Command { verb: Verb::Restart, by }),
                ),
                run(5, now_ms - 20_000, None, None),
            ],
        };
        let text = [200, 60].map(|width| render(&one, &Clock::utc(now_ms), now_ms, width, false));
        insta::assert_snapshot!("runs", text.join("\n"));
        insta::assert_snapshot!("runs_machine", serde_json::to_string_pretty(&one).unwrap());
    }
}
