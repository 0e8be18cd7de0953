//! Resources: the same texts as the tools give, under addresses that can be subscribed to.

use rmcp::model::{Resource, ResourceTemplate};
use serde_json::{Map, json};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::protocol::{EventsParams, EventsReply, method};

use crate::reply::Outcome;
use crate::toolbox::{Call, Toolbox, candidate, shown_name};

/// Processes that are listed with addresses of their own; the others have the template.
const LISTED_MAX: usize = 50;
const PROCESSES: &str = "velos://processes";
const EVENTS: &str = "velos://events";
const PROCESS: &str = "velos://process/";

/// What an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Processes,
    Events,
    Process(String),
    Log(String),
}

impl Address {
    pub(crate) fn parse(uri: &str) -> Option<Self> {
        match uri {
            PROCESSES => return Some(Self::Processes),
            EVENTS => return Some(Self::Events),
            _ => {}
        }
        let rest = uri.strip_prefix(PROCESS)?;
        let (name, is_log) = match rest.strip_suffix("/log") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let name = decoded(name).filter(|name| !name.is_empty() && !name.contains('/'))?;
        Some(if is_log { Self::Log(name) } else { Self::Process(name) })
    }

    /// The text, as the tool gives it.
    pub(crate) fn read(&self, call: &Call<'_>) -> Outcome {
        let (tool, given) = match self {
            Self::Processes => ("process_list", json!({})),
            Self::Events => ("events", json!({})),
            Self::Process(name) => ("process_info", json!({ "name": name })),
            Self::Log(name) => ("log_read", json!({ "name": name })),
        };
        let given = match given {
            serde_json::Value::Object(map) => map,
            _ => Map::new(),
        };
        crate::spec::find(tool)
            .ok_or_else(|| ErrorReply::new(ErrorCode::Internal, "no such tool").into())
            .and_then(|spec| crate::tools::dispatch(spec, given, call))
    }

    /// A number that changes when the text does.
    pub(crate) fn stamp(&self, toolbox: &Toolbox) -> u64 {
        match self {
            Self::Log(name) => {
                let instances = toolbox.select(name).unwrap_or_default();
                let logs = crate::logs::sources(&instances).into_iter().flat_map(|source| source.logs);
                logs.map(|log| log.stamp()).fold(0, |sum: u64, (inode, size)| {
                    sum.wrapping_mul(31).wrapping_add(inode.rotate_left(32)).wrapping_add(size)
                })
            }
            Self::Processes | Self::Events => newest(toolbox, Vec::new()),
            Self::Process(name) => {
                let ids = toolbox.select(name).unwrap_or_default();
                match ids.is_empty() {
                    true => 0,
                    false => newest(toolbox, ids.iter().map(|one| one.id.0.to_string()).collect()),
                }
            }
        }
    }
}

/// Sequence number of the newest event of these.
fn newest(toolbox: &Toolbox, targets: Vec<String>) -> u64 {
    let has_targets = !targets.is_empty();
    let params = EventsParams { limit: 1, targets, since: None };
    let reply = toolbox
        .running()
        .ok()
        .flatten()
        .and_then(|mut client| client.call::<_, EventsReply>(method::EVENTS, &params).ok());
    reply.map_or(0, |reply| match has_targets {
        true => reply.events.last().map_or(0, |event| event.sequence),
        false => reply.newest,
    })
}

pub(crate) fn list(toolbox: &Toolbox) -> Result<Vec<Resource>, ErrorReply> {
    let mut resources = vec![
        Resource::new(PROCESSES, "processes")
            .with_description("All processes, one line each")
            .with_mime_type("text/plain"),
        Resource::new(EVENTS, "events").with_description("What happened last").with_mime_type("text/plain"),
    ];
    for one in toolbox.instances()?.iter().take(LISTED_MAX) {
        let name = shown_name(one);
        let uri = format!("{PROCESS}{}", encoded(&name));
        resources.push(Resource::new(uri.clone(), name.clone()).with_mime_type("text/plain"));
        resources
            .push(Resource::new(format!("{uri}/log"), format!("{name} log")).with_mime_type("text/plain"));
    }
    Ok(resources)
}

pub(crate) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new("velos://process/{name}", "process")
            .with_description("One process in full")
            .with_mime_type("text/plain"),
        ResourceTemplate::new("velos://process/{name}/log", "process log")
            .with_description("The last lines of a process")
            .with_mime_type("text/plain"),
    ]
}

/// Names that begin so, those that hold it behind them.
pub(crate) fn complete(toolbox: &Toolbox, begun: &str) -> Vec<String> {
    let instances = toolbox.instances().unwrap_or_default();
    let mut names: Vec<String> = instances.iter().map(|one| candidate(one).name.to_owned()).collect();
    names.sort();
    names.dedup();
    let (mut first, rest): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| name.starts_with(begun));
    first.extend(rest.into_iter().filter(|name| name.contains(begun)));
    first.truncate(rmcp::model::CompletionInfo::MAX_VALUES);
    first
}

fn encoded(name: &str) -> String {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b':');
    name.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_odd_names() {
        for name in ["api", "my app", "ünï:1", "100%"] {
            let uri = format!("{PROCESS}{}", encoded(name));
            assert_eq!(Address::parse(&uri), Some(Address::Process(name.to_owned())), "{uri}");
            assert_eq!(Address::parse(&format!("{uri}/log")), Some(Address::Log(name.to_owned())));
        }
        assert_eq!(Address::parse("velos://events"), Some(Address::Events));
        for bad in [
            "velos://",
            "velos://process/",
            "velos://process/a/b",
            "velos://process/%zz",
            "file:///etc/passwd",
            "velos://process/%2Fetc",
        ] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }
}
