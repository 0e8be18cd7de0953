//! The tools: blocking functions from arguments to a reply, one file for each or for a few that are alike.

mod change;
mod config;
mod defaults;
mod diagnose;
mod events;
mod health_check;
mod hints;
pub(crate) mod log_read;
mod log_search;
mod log_summary;
mod metrics;
mod process;
mod spread;
mod start;
mod unusual;
mod variables;
mod wait_for;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use velos_core::error::{ErrorCode, ErrorReply};

use crate::arguments;
use crate::reply::{Outcome, Reply};
use crate::spec::Spec;
use crate::toolbox::Call;

/// How a reply is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// Run a tool that exists.
pub(crate) fn dispatch(spec: &Spec, given: Map<String, Value>, call: &Call<'_>) -> Outcome {
    match spec.name {
        "process_list" => with(spec, given, call, process::list),
        "process_info" => with(spec, given, call, process::info),
        "process_start" => with(spec, given, call, start::start),
        "process_stop" => with(spec, given, call, change::stop),
        "process_restart" => with(spec, given, call, start::restart),
        "process_delete" => with(spec, given, call, change::delete),
        "log_read" => with(spec, given, call, log_read::run),
        "log_search" => with(spec, given, call, log_search::run),
        "log_summary" => with(spec, given, call, log_summary::run),
        "wait_for" => with(spec, given, call, wait_for::run),
        "diagnose" => with(spec, given, call, diagnose::run),
        "health_check" => with(spec, given, call, health_check::run),
        "metrics_snapshot" => with(spec, given, call, metrics::run),
        "events" => with(spec, given, call, events::run),
        "config_get" => with(spec, given, call, config::get),
        "config_set" => with(spec, given, call, config::set),
        other => Err(ErrorReply::new(ErrorCode::Internal, format!("{other} has no function")).into()),
    }
}

fn with<T: DeserializeOwned + Formatted>(
    spec: &Spec,
    given: Map<String, Value>,
    call: &Call<'_>,
    run: fn(&T, &Call<'_>) -> Outcome,
) -> Outcome {
    let arguments: T = arguments::parse(spec, given)?;
    let reply = run(&arguments, call)?;
    Ok(Reply { as_json: arguments.format() == Format::Json, ..reply })
}

/// Arguments that may say how the reply is wanted.
pub(crate) trait Formatted {
    fn format(&self) -> Format {
        Format::Text
    }
}

/// A regular expression of an agent, with a limit on what it may cost.
pub(crate) fn pattern(field: &str, text: &str) -> Result<regex::Regex, ErrorReply> {
    regex::RegexBuilder::new(text).size_limit(1 << 20).build().map_err(|error| {
        let shown = error.to_string();
        let last = shown.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        ErrorReply::new(ErrorCode::Usage, format!("{field}: {text:?} is no regular expression: {last}"))
            .hint("escape signs such as ( [ * with a backslash")
    })
}

/// Usage errors.
pub(crate) fn usage(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::Usage, message)
}
