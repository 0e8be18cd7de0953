//! `health_check`: a number and what lowers it.

use serde::Deserialize;
use serde_json::{Value, json};
use velos_core::event::{Cause, Event, What};
use velos_core::instance::Phase;
use velos_core::protocol::{EventsParams, EventsReply, InfoReply, InstanceInfo, method};
use velos_log_engine::Level;

use super::change::ids;
use super::unusual::{self, Unusual};
use super::{Format, Formatted};
use crate::clean::Cleaner;
use crate::logs::{self, Selected};
use crate::reply::{Columns, Outcome, Reply};
use crate::sentence;
use crate::toolbox::{Call, shown_name, unreadable};

/// Crashes and errors count for so long, milliseconds.
const RECENT_MS: i64 = 15 * 60 * 1_000;
/// So much that is unusual lowers the score.
const UNUSUAL_MAX: usize = 2;
/// Lines that are looked at for errors.
const LINES: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    name: Option<String>,
    #[serde(default)]
    format: Format,
}

impl Formatted for Arguments {
    fn format(&self) -> Format {
        self.format
    }
}

pub(super) fn run(arguments: &Arguments, call: &Call<'_>) -> Outcome {
    let chosen = call.toolbox.chosen(arguments.name.as_deref())?;
    let mut table = Columns::new(&["name", "score", "status", "issues"]);
    if chosen.is_empty() {
        return Ok(Reply::new("no processes\n", table.with(json!({ "healthy": 0 }))));
    }
    let mut client = call.toolbox.asked()?;
    let info: InfoReply = client.call(method::INFO, &ids(&chosen))?;
    let events: EventsReply = client.call(method::EVENTS, &EventsParams::default())?;
    let mut text = String::new();
    let mut healthy = 0;
    let mut cleaner = Cleaner::new(call.toolbox.salt);
    let (odd, unseen) = unusual::since(logs::sources(&chosen), recent_us(), &mut cleaner)?;
    for one in &info.instances {
        let errors = recent_errors(one, call).map_err(unreadable)?;
        let odd: Vec<&Unusual> = odd.iter().filter(|odd| odd.app == one.summary.name).collect();
        let (score, issues) = judge(one, &events.events, errors, &odd);
        if score == 100 {
            healthy += 1;
        }
        if score < 100 || arguments.name.is_some() {
            let name = shown_name(&one.summary);
            let said = if issues.is_empty() { "no issues".to_owned() } else { issues.join("; ") };
            text.push_str(&format!("{name} {score} {}: {said}\n", one.summary.phase.status()));
            table.push(vec![
                json!(name),
                json!(score),
                json!(one.summary.phase.status()),
                Value::from(issues),
            ]);
        }
    }
    if unseen > 0 {
        text.push_str(&format!("logs of {unseen} more apps were not compared with the past; give a name\n"));
    }
    if arguments.name.is_none() {
        text.push_str(&format!("{healthy} of {} healthy\n", info.instances.len()));
    }
    Ok(Reply::new(text, table.with(json!({ "healthy": healthy }))))
}

fn recent_us() -> u64 {
    crate::clock::now_us().saturating_sub(u64::try_from(RECENT_MS).unwrap_or(0) * 1_000)
}

fn recent_errors(one: &InstanceInfo, call: &Call<'_>) -> std::io::Result<usize> {
    let wanted = Selected { since_us: Some(recent_us()), level: Some(Level::Error), ..Selected::default() };
    let sources = logs::sources(std::slice::from_ref(&one.summary));
    let (rows, _) = logs::last(&sources, wanted, LINES, call.toolbox.salt)?;
    // Frames belong to their error; what has no time may be old.
    Ok(rows.iter().filter(|row| row.time_us.is_some() && !row.text.starts_with([' ', '\t'])).count())
}

/// 100 is well. What takes away how much stands here.
fn judge(info: &InstanceInfo, events: &[Event], errors: usize, odd: &[&Unusual]) -> (u32, Vec<String>) {
    let one = &info.summary;
    let mut lost = 0_u32;
    let mut issues = Vec::new();
    let mut issue = |points: u32, text: String| {
        lost += points;
        issues.push(text);
    };
    match one.phase {
        Phase::Errored | Phase::Backoff => issue(100, sentence::complaint(one).unwrap_or_default()),
        Phase::Stopped => {
            issue(if one.goal == velos_core::instance::Goal::Down { 0 } else { 60 }, "stopped".to_owned())
        }
        Phase::Waiting => {
            let what = one.waits_for.clone().unwrap_or_else(|| "something".to_owned());
            issue(40, format!("waits for {what}"));
        }
        Phase::Starting | Phase::Launching => issue(20, "not ready yet".to_owned()),
        Phase::Online | Phase::Stopping => {}
    }
    if one.healthy == Some(false) {
        issue(60, "its health check fails".to_owned());
    }
    let since = crate::clock::now_ms() - RECENT_MS;
    let is_crash = |event: &&Event| {
        event.instance == Some(one.id)
            && event.at_ms >= since
            && matches!(&event.what, What::Transition { from, cause: Cause::Exited { .. }, .. } if *from != Phase::Stopping)
    };
    let crashes = events.iter().filter(is_crash).count();
    if crashes > 0 && one.phase == Phase::Online {
        issue(u32::try_from(crashes * 15).unwrap_or(100).min(60), format!("{crashes} exits in 15m"));
    }
    if errors > 0 {
        issue(u32::try_from(errors * 2).unwrap_or(30).min(30), format!("{errors} error lines in 15m"));
    }
    for one in odd.iter().take(UNUSUAL_MAX) {
        issue(10, format!("unusual since {}: {}", crate::clock::moment_us(one.from_us), one.text));
    }
    if let (Some(limit), Some(used)) = (info.spec.restart.max_memory_bytes, one.rss_bytes)
        && used.saturating_mul(10) >= limit.saturating_mul(9)
    {
        issue(20, format!("memory {}% of its limit", used.saturating_mul(100) / limit.max(1)));
    }
    if let Some(errno) = one.log_errno {
        issue(30, format!("its output cannot be written: {}", std::io::Error::from_raw_os_error(errno)));
    }
    (100_u32.saturating_sub(lost), issues)
}
