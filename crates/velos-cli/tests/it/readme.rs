//! The transcript in README.md is what really happens.

use std::path::Path;
use std::process::{Command, Stdio};

use velos_testkit::{SOON, TestEnv, run, wait_until};

use crate::env;

/// A command of the transcript and what it prints.
#[derive(Debug)]
struct Step {
    command: String,
    output: String,
}

/// The first block of a page that is marked as `console`.
fn transcript(page: &str) -> Vec<Step> {
    let (_, rest) = page.split_once("```console\n").expect("a transcript");
    let (block, _) = rest.split_once("```").expect("its end");
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), output: String::new() }),
            (None, Some(step)) => step.output.push_str(&format!("{line}\n")),
            (None, None) => panic!("the transcript begins with {line:?}"),
        }
    }
    steps
}

/// Columns of the table whose cells differ from run to run.
const PASSING: [&str; 5] = ["pid", "uptime", "cpu", "memory", "user"];

/// Without what differs from run to run: process ids, times, sizes.
fn filtered(text: &str) -> String {
    let mut out = String::new();
    let mut columns = Vec::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        if let Some((before, rest)) = line.split_once("(PID: ")
            && let Some((_, after)) = rest.split_once(')')
        {
            line = format!("{before}(PID: N){after}");
        }
        let is_time = |text: &str| text.len() == 8 && text.chars().all(|c| c.is_ascii_digit() || c == ':');
        if let Some((time, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']'))
            && is_time(time)
        {
            line = format!("[TIME]{rest}");
        }
        if line.starts_with("Last error: ")
            && let Some((before, _)) = line.rsplit_once(" (")
        {
            line = format!("{before} (AGO)");
        }
        if line.starts_with(['┌', '├', '└']) {
            line = "---".to_owned();
        } else if line.starts_with('│') {
            line = table_row(&line, &mut columns);
        } else if line.starts_with("[{") {
            line = compact(&line);
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// A row without its widths; the first one names the columns.
fn table_row(line: &str, columns: &mut Vec<String>) -> String {
    let cells: Vec<String> = line.trim_matches('│').split('│').map(|cell| cell.trim().to_owned()).collect();
    if columns.is_empty() {
        columns.clone_from(&cells);
    }
    let shown = cells.iter().zip(columns.iter()).map(|(cell, column)| match cell == column {
        false if PASSING.contains(&column.as_str()) => "*",
        _ => cell.as_str(),
    });
    shown.collect::<Vec<_>>().join("|")
}

/// Compact JSON without figures of this moment.
fn compact(line: &str) -> String {
    let mut rows: Vec<serde_json::Value> = serde_json::from_str(line).expect("JSON");
    for row in rows.iter_mut().filter_map(serde_json::Value::as_object_mut) {
        for passing in ["c", "m", "u"] {
            assert!(row.insert(passing.to_owned(), "*".into()).is_some(), "{passing} is missing in {line}");
        }
    }
    serde_json::Value::from(rows).to_string()
}

/// The folder of the repository, so that paths in it are as in the transcript.
fn repository() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn follow(env: &TestEnv, step: &Step) -> String {
    let mut words = step.command.split_whitespace();
    assert_eq!(words.next(), Some("velos"), "a transcript shows velos: {}", step.command);
    let words: Vec<&str> = words.collect();
    let mut command: Command = env.command(&words);
    command.current_dir(repository()).stdin(Stdio::null());
    let output = run(command);
    filtered(&format!("{}{}", output.stdout, output.stderr))
}

#[test]
fn the_readme_tells_the_truth() {
    let page = std::fs::read_to_string(repository().join("README.md")).expect("README.md");
    let env = env();
    let steps = transcript(&page);
    assert!(steps.len() >= 3, "{steps:?}");
    for step in steps {
        let expected = filtered(&step.output);
        if step.command.starts_with("velos logs") {
            // What an app prints comes a moment after its start; reading again changes nothing.
            let mut last = String::new();
            wait_until(&format!("{} prints {expected:?}", step.command), SOON, || {
                last = follow(&env, &step);
                last.starts_with(&expected)
            });
        } else {
            assert_eq!(follow(&env, &step), expected, "{}", step.command);
        }
    }
}
