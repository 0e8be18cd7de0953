//! `wait_for`: block until something is so.

use std::time::Instant;

use serde::Deserialize;
use serde_json::json;
use velos_core::error::ErrorReply;

use super::{Formatted, pattern, usage};
use crate::clean::{LINE_CHARS_MAX, capped, fenced};
use crate::clock;
use crate::condition::{self, End, Start, Until};
use crate::logs::{self, Cursor};
use crate::reply::{Outcome, Reply};
use crate::toolbox::Call;
use crate::url::Url;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    name: String,
    #[serde(default)]
    until: What,
    pattern: Option<String>,
    port: Option<u16>,
    url: Option<String>,
    cursor: Option<String>,
    timeout_ms: Option<u64>,
}

impl Formatted for Arguments {}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    #[default]
    Ready,
    Log,
    Port,
    Http,
    Exit,
    Stopped,
    Idle,
}

pub(super) fn run(arguments: &Arguments, call: &Call<'_>) -> Outcome {
    let until = until(arguments)?;
    let chosen = call.toolbox.select(&arguments.name)?;
    let ids: Vec<u32> = chosen.iter().map(|one| one.id.0).collect();
    let mut start = Start::now(&mut call.toolbox.asked()?, &logs::sources(&chosen))?;
    if let Some(cursor) = &arguments.cursor {
        start.cursor = Cursor::parse(cursor)?;
    }
    let timeout = call.timeout(arguments.timeout_ms);
    let begin = Instant::now();
    let end = condition::wait(call, &ids, &until, &mut start, timeout)?;
    let took = clock::short(u64::try_from(begin.elapsed().as_millis()).unwrap_or(0));
    let name = &arguments.name;
    let is_log = matches!(until, Until::Log(_));
    let (result, detail) = match end {
        End::Met(what) => ("met", what),
        End::Died(what) => ("died", what),
        End::TimedOut(what) => ("timeout", what),
        End::Cancelled => ("cancelled", "the client cancelled it".to_owned()),
    };
    let detail = capped(&detail, LINE_CHARS_MAX);
    let cursor = start.cursor.to_string();
    let mut text = match result {
        "met" if is_log => format!("{name}: matched after {took}\n{}", fenced(std::slice::from_ref(&detail))),
        "met" => format!("{name}: {detail} (after {took})\n"),
        "died" => format!("{name}: it will not happen: {detail}; see diagnose\n"),
        "timeout" => {
            format!("{name}: not within {took}; it is {detail}. Call again with cursor={cursor} to go on\n")
        }
        _ => format!("{name}: {detail}\n"),
    };
    if is_log && result == "met" {
        text.push_str(&format!("cursor={cursor}\n"));
    }
    Ok(Reply::new(text, json!({ "result": result, "detail": detail, "cursor": cursor })))
}

fn until(arguments: &Arguments) -> Result<Until, ErrorReply> {
    let until = match arguments.until {
        What::Ready => Until::Ready,
        What::Exit => Until::Exit,
        What::Stopped => Until::Stopped,
        What::Idle => Until::Idle,
        What::Log => match &arguments.pattern {
            Some(text) => Until::Log(pattern("pattern", text)?),
            None => return Err(usage("pattern: until=log needs a regex").hint("example: \"listening on\"")),
        },
        What::Port => match arguments.port {
            Some(port) => Until::Port(port),
            None => return Err(usage("port: until=port needs a number").hint("example: 3000")),
        },
        What::Http => match &arguments.url {
            Some(url) => Until::Http(Url::parse(url)?),
            None => {
                return Err(usage("url: until=http needs one").hint("example: http://127.0.0.1:3000/health"));
            }
        },
    };
    let surplus = [
        ("pattern", arguments.pattern.is_some() && !matches!(until, Until::Log(_)), "log"),
        ("port", arguments.port.is_some() && !matches!(until, Until::Port(_)), "port"),
        ("url", arguments.url.is_some() && !matches!(until, Until::Http(_)), "http"),
    ];
    match surplus.iter().find(|(_, is_surplus, _)| *is_surplus) {
        Some((field, _, meant)) => {
            Err(usage(format!("{field}: only until={meant} uses it")).hint(format!("add until={meant}")))
        }
        None => Ok(until),
    }
}
