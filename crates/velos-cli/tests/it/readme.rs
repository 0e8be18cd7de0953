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

/// Without what differs from run to run: process ids, times, sizes.
fn filtered(text: &str) -> String {
    let mut out = String::new();
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
        out.push_str(&line);
        out.push('\n');
    }
    out
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
