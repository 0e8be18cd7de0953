//! `velos list`

use velos_core::instance::Phase;
use velos_core::protocol::{InstanceSummary, ListReply, Targets, method};
use velos_core::units::{short_bytes, short_duration};

use crate::output::{Column, print, print_json, table, width};

const COLUMNS: [Column; 9] = [
    Column { title: "id", right: true, expendable: 0 },
    Column { title: "name", right: false, expendable: 0 },
    Column { title: "namespace", right: false, expendable: 9 },
    Column { title: "pid", right: true, expendable: 5 },
    Column { title: "uptime", right: true, expendable: 4 },
    Column { title: "restarts", right: true, expendable: 6 },
    Column { title: "status", right: false, expendable: 0 },
    Column { title: "cpu", right: true, expendable: 7 },
    Column { title: "memory", right: true, expendable: 8 },
];

pub(crate) fn run(context: &super::Context) -> super::Result {
    let mut client = context.daemon()?;
    let list: ListReply = client.call(method::LIST, &Targets::default())?;
    if context.machine {
        print_json(&list.instances)?;
        return Ok(0);
    }
    if context.quiet {
        return Ok(0);
    }
    if list.instances.is_empty() {
        print("Nothing was started yet. Try: velos start app.js\n")?;
        return Ok(0);
    }
    let rows: Vec<Vec<String>> = list.instances.iter().map(row).collect();
    let mut text = table(&COLUMNS, &rows, width());
    for instance in &list.instances {
        text.push_str(&remark(instance));
    }
    if context.colour {
        text = coloured(&text);
    }
    print(&text)?;
    Ok(0)
}

fn row(one: &InstanceSummary) -> Vec<String> {
    let none = || "-".to_owned();
    vec![
        one.id.0.to_string(),
        one.name.clone(),
        one.namespace.clone(),
        one.pid.map_or_else(none, |pid| pid.to_string()),
        one.uptime_ms.map_or_else(none, short_duration),
        one.restarts.to_string(),
        one.phase.status().to_owned(),
        one.cpu_centipercent.map_or_else(none, |cpu| format!("{}.{}%", cpu / 100, cpu % 100 / 10)),
        one.rss_bytes.map_or_else(none, short_bytes),
    ]
}

/// One line under the table for what needs a look.
fn remark(one: &InstanceSummary) -> String {
    let mut text = String::new();
    if matches!(one.phase, Phase::Errored | Phase::Backoff) {
        let reason = match (one.spawn_failure, one.exit) {
            (Some(failure), _) => failure.to_string(),
            (None, Some(exit)) => format!("it ended with {exit}"),
            (None, None) => "no reason is known".to_owned(),
        };
        text.push_str(&format!(
            "! {} is {}: {reason}; see `velos why {}`\n",
            one.name,
            one.phase.status(),
            one.name
        ));
    }
    if let Some(errno) = one.log_errno {
        let reason = std::io::Error::from_raw_os_error(errno);
        text.push_str(&format!("! the output of {} cannot be written: {reason}\n", one.name));
    }
    if one.dropped_lines > 0 {
        text.push_str(&format!("! {} lines of {} were lost\n", one.dropped_lines, one.name));
    }
    text
}

fn coloured(text: &str) -> String {
    text.replace(" online ", " \x1b[32monline\x1b[0m ")
        .replace(" errored ", " \x1b[31merrored\x1b[0m ")
        .replace(" stopped ", " \x1b[2mstopped\x1b[0m ")
}
