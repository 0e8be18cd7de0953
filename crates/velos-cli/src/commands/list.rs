//! `velos list`

use velos_core::app::ExecMode;
use velos_core::instance::Phase;
use velos_core::protocol::{InstanceSummary, ListReply, Targets, method};
use velos_core::units::{short_bytes, short_duration};

use crate::args::{List, Sort, SortBy};
use crate::output::{print, print_json, width};
use crate::table::{Cell, Column, table};

/// Place of the versions among the columns.
const VERSION_AT: usize = 3;

const COLUMNS: [Column; 13] = [
    Column { title: "id", right: true, expendable: 0 },
    Column { title: "name", right: false, expendable: 0 },
    Column { title: "namespace", right: false, expendable: 9 },
    Column { title: "version", right: false, expendable: 13 },
    Column { title: "mode", right: false, expendable: 12 },
    Column { title: "pid", right: true, expendable: 5 },
    Column { title: "uptime", right: true, expendable: 4 },
    Column { title: "restarts", right: true, expendable: 6 },
    Column { title: "status", right: false, expendable: 0 },
    Column { title: "cpu", right: true, expendable: 7 },
    Column { title: "memory", right: true, expendable: 8 },
    Column { title: "user", right: false, expendable: 10 },
    Column { title: "watching", right: false, expendable: 11 },
];

pub(crate) fn run(context: &super::Context, wanted: &List) -> super::Result {
    let mut client = context.daemon()?;
    let mut list: ListReply = client.call(method::LIST, &Targets::default())?;
    let order = wanted.sort.unwrap_or(Sort { by: SortBy::Id, is_turned: false });
    sort(&mut list.instances, order.by);
    if order.is_turned {
        list.instances.reverse();
    }
    if context.machine {
        print_json(&list.instances)?;
    } else if !context.quiet {
        let changed = super::drift::changed(context, &mut client, &list.instances);
        print(&render(&list.instances, &changed, wanted.mini_list, width(), context.colour))?;
    }
    Ok(0)
}

/// Stable: what is equal stays in order of id.
fn sort(instances: &mut [InstanceSummary], by: SortBy) {
    match by {
        SortBy::Id => instances.sort_by_key(|one| one.id),
        SortBy::Name => instances.sort_by(|a, b| a.name.cmp(&b.name)),
        SortBy::Pid => instances.sort_by_key(|one| one.pid),
        SortBy::Cpu => instances.sort_by_key(|one| std::cmp::Reverse(one.cpu_centipercent)),
        SortBy::Memory => instances.sort_by_key(|one| std::cmp::Reverse(one.rss_bytes)),
        SortBy::Uptime => instances.sort_by_key(|one| std::cmp::Reverse(one.uptime_ms)),
        SortBy::Restarts => instances.sort_by_key(|one| std::cmp::Reverse(one.restarts)),
        SortBy::Status => instances.sort_by_key(|one| one.phase.status()),
    }
}

/// `changed`: apps whose file says something else by now.
fn render(
    instances: &[InstanceSummary],
    changed: &[String],
    is_mini: bool,
    width: usize,
    colour: bool,
) -> String {
    if instances.is_empty() {
        return "Nothing was started yet. Try: velos start app.js\n".to_owned();
    }
    let mut rows: Vec<Vec<Cell>> = instances.iter().map(row).collect();
    let mut text = if is_mini {
        let line = |one: &InstanceSummary| {
            let name = super::shown_name(&one.name, one.slot);
            format!("{} {} {} {}\n", one.id.0, name, one.phase.status(), one.pid.unwrap_or_default())
        };
        return instances.iter().map(line).collect();
    } else {
        let mut columns = COLUMNS.to_vec();
        if instances.iter().all(|one| one.version.is_none()) {
            // Nobody knows one.
            columns.remove(VERSION_AT);
            rows.iter_mut().for_each(|cells| drop(cells.remove(VERSION_AT)));
        }
        table(&columns, &rows, width, colour)
    };
    for instance in instances {
        text.push_str(&remark(instance, &last_words(instance)));
    }
    for name in changed {
        text.push_str(&format!(
            "! the file of {name} says something else by now; see `velos apply --dry-run`\n"
        ));
    }
    text
}

fn row(one: &InstanceSummary) -> Vec<Cell> {
    let none = || "-".to_owned();
    let status = match one.phase {
        Phase::Online => "32",
        Phase::Errored => "31",
        Phase::Stopped => "2",
        Phase::Starting | Phase::Launching | Phase::Stopping | Phase::Backoff | Phase::Waiting => "33",
    };
    vec![
        Cell::new(one.id.0.to_string()),
        Cell::new(one.name.as_str()),
        Cell::new(one.namespace.as_str()),
        Cell::new(one.version.clone().unwrap_or_else(none)),
        Cell::new(match one.mode {
            ExecMode::Fork => "fork",
            ExecMode::Cluster => "cluster",
        }),
        Cell::new(one.pid.map_or_else(none, |pid| pid.to_string())),
        Cell::new(one.uptime_ms.map_or_else(none, short_duration)),
        Cell::new(one.restarts.to_string()),
        Cell::coloured(one.phase.status(), status),
        Cell::new(one.cpu_centipercent.map_or_else(none, |cpu| format!("{}.{}%", cpu / 100, cpu % 100 / 10))),
        Cell::new(one.rss_bytes.map_or_else(none, short_bytes)),
        Cell::new(one.user.as_str()),
        if one.watching { Cell::coloured("yes", "32") } else { Cell::new("no") },
    ]
}

/// The line of the error log that tells why one failed.
fn last_words(one: &InstanceSummary) -> String {
    const WIDTH_MAX: usize = 80;
    if one.phase != Phase::Errored || one.spawn_failure.is_some() {
        return String::new();
    }
    super::last_words::in_one_line(one.err_log.as_path(), WIDTH_MAX)
}

/// One line under the table for what needs a look.
fn remark(one: &InstanceSummary, words: &str) -> String {
    let mut text = String::new();
    let name = super::shown_name(&one.name, one.slot);
    if matches!(one.phase, Phase::Errored | Phase::Backoff) {
        let reason = match (one.spawn_failure, one.exit) {
            (Some(failure), _) => failure.to_string(),
            (None, Some(exit)) if words.is_empty() => format!("it ended with {exit}"),
            (None, Some(exit)) => format!("it ended with {exit}, saying \"{words}\""),
            (None, None) => "no reason is known".to_owned(),
        };
        let typed = super::typed_name(&one.name, one.slot, one.id);
        text.push_str(&format!("! {name} is {}: {reason}; see `velos why {typed}`\n", one.phase.status()));
    }
    if let Some(errno) = one.log_errno {
        let reason = std::io::Error::from_raw_os_error(errno);
        text.push_str(&format!("! the output of {name} cannot be written: {reason}\n"));
    }
    if one.dropped_lines > 0 {
        text.push_str(&format!("! {} lines of {name} were lost\n", one.dropped_lines));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_table_fits_the_terminal() {
        let instances = sample::instances();
        for width in [60, 80, 120, 200] {
            let text = render(&instances, &[], false, width, false);
            let table = text.lines().filter(|line| !line.starts_with('!'));
            assert!(table.clone().all(|line| crate::columns::columns_of(line) <= width));
            insta::assert_snapshot!(format!("list_{width}"), text);
        }
        insta::assert_snapshot!("list_mini", render(&instances, &[], true, 80, false));
        insta::assert_snapshot!("list_empty", render(&[], &[], false, 80, false));
        insta::assert_snapshot!("list_colour", render(&instances, &["api".to_owned()], false, 80, true));
    }

    #[test]
    fn the_fields_that_machines_read() {
        insta::assert_snapshot!("list_machine", serde_json::to_string_pretty(&sample::instances()).unwrap());
    }
}
