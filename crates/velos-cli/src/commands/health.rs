//! `velos health`: a score per app, and everything that was taken off it.

use serde_json::{Value, json};
use velos_client::Home;
use velos_log_engine::summary::{Summary, grouped};

use super::log_sources::find;
use super::logs_views::{HOUR, by_app, of_app};
use super::logs_wanted::{now_us, period_since};
use crate::args::Health;
use crate::output::{print, print_json};

pub(crate) fn run(context: &super::Context, health: &Health) -> super::Result {
    let home = Home::from_environment()?;
    let period = period_since(health.since.as_ref(), HOUR)?;
    let sources = find(&home, &health.targets)?;
    let mut summaries = Vec::new();
    for (app, sources) in by_app(&sources) {
        summaries.push(of_app(&app, &sources, period.clone())?);
    }
    if context.machine && crate::ai::is_wanted() {
        let documents: Vec<Value> = summaries.iter().map(super::logs_ai::health).collect();
        print(&format!("{}\n", Value::from(documents)))?;
    } else if context.machine {
        print_json(&summaries.iter().map(document).collect::<Vec<_>>())?;
    } else {
        print(&summaries.iter().map(text).collect::<Vec<_>>().join("\n"))?;
    }
    let is_below =
        |least: u8| summaries.iter().any(|summary| summary.health.score.is_some_and(|score| score < least));
    Ok(u8::from(health.fail_below.is_some_and(is_below)))
}

fn document(summary: &Summary) -> Value {
    json!({
        "app": summary.app,
        "period": summary.period,
        "score": summary.health.score,
        "deductions": summary.health.deductions,
        "lines": summary.lines,
        "errors": summary.errors,
        "warnings": summary.warnings,
        "crashes": summary.facts.crashes,
        "last_error": summary.last_error,
        "checked_us": now_us(),
    })
}

fn text(summary: &Summary) -> String {
    let mut text = format!(
        "{}: {} ({}, {} lines)\n",
        summary.app,
        summary.health.text(),
        summary.period.label,
        grouped(summary.lines)
    );
    for deduction in &summary.health.deductions {
        text.push_str(&format!("  -{:<5.1} {:<11} {}\n", deduction.points, deduction.name, deduction.reason));
    }
    text
}
