//! The one table of tools. The list that clients see, the page `docs/mcp-tools.md`, the checks and the examples in error
//! messages come from it. The words are few because every agent pays for them in every conversation.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// Which tools a server offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// The eight that most tasks need.
    Core,
    /// All.
    #[default]
    All,
}

/// A tool, as it is described.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    /// JSON of the properties.
    pub(crate) input: &'static str,
    pub(crate) required: &'static [&'static str],
    /// JSON Schema of the data, for `format: "json"` and `--structured`.
    pub(crate) output: fn() -> Value,
    /// Arguments, for error messages.
    pub(crate) example: &'static str,
    pub(crate) is_core: bool,
    pub(crate) changes: bool,
    pub(crate) is_destructive: bool,
    pub(crate) is_idempotent: bool,
}

const READ: Spec = Spec {
    name: "",
    text: "",
    input: "{}",
    required: &[],
    output: || Value::Null,
    example: "{}",
    is_core: false,
    changes: false,
    is_destructive: false,
    is_idempotent: true,
};

const CHANGE: Spec = Spec { changes: true, is_idempotent: false, ..READ };

/// All of them, in the order in which clients see them.
pub(crate) const ALL: &[Spec] = &[
    Spec {
        name: "process_list",
        text: "Processes, one line each: name, status, uptime, cpu, memory; restarts and ports if any.",
        input: r#"{"filter":{"type":"string","description":"name glob"},
            "status":{"enum":["online","stopped","errored","all"],"default":"all"},
            "sort":{"enum":["name","cpu","memory","restarts"]},
            "limit":{"type":"integer","default":50},"cursor":{"type":"string"},
            "format":{"enum":["text","json"]}}"#,
        output: || columns(&[("total", "integer"), ("cursor", "string")]),
        example: r#"{"status":"errored"}"#,
        is_core: true,
        ..READ
    },
    Spec {
        name: "process_info",
        text: "One process in full: command, cwd, pids, ports, last exit, limits, log files. Env values are masked.",
        input: r#"{"name":{"type":"string","description":"name or id"},"format":{"enum":["text","json"]}}"#,
        required: &["name"],
        output: || object(&[("instances", "array")]),
        example: r#"{"name":"api"}"#,
        ..READ
    },
    Spec {
        name: "process_start",
        text: "Start a new process, or an existing stopped one by name. With wait_*, blocks until it is ready or has \
            crashed. Returns its first output or its error.",
        input: r#"{"name":{"type":"string"},
            "command":{"type":"string","description":"program and args; shell syntax allowed"},
            "cwd":{"type":"string"},"env":{"type":"object"},"instances":{"type":"integer"},
            "autorestart":{"type":"boolean"},"max_memory":{"type":"string","description":"e.g. 300M"},
            "replace":{"type":"boolean","description":"restart if the name is taken"},
            "wait_log":{"type":"string","description":"return once a new line matches this regex"},
            "wait_port":{"type":"integer","description":"return once this TCP port accepts"},
            "timeout_ms":{"type":"integer","default":30000,"maximum":55000}}"#,
        output: started,
        example: r#"{"name":"api","command":"node server.js","wait_port":3000}"#,
        is_core: true,
        ..CHANGE
    },
    Spec {
        name: "process_stop",
        text: "Stop gracefully (SIGTERM, then SIGKILL after the kill timeout). Keeps config and logs.",
        input: r#"{"name":{"type":"string"},"force":{"type":"boolean","description":"SIGKILL now"}}"#,
        required: &["name"],
        output: || object(&[("instances", "array")]),
        example: r#"{"name":"api"}"#,
        is_core: true,
        is_destructive: true,
        is_idempotent: true,
        ..CHANGE
    },
    Spec {
        name: "process_restart",
        text: "Restart and report whether it came back healthy; wait_* as in process_start.",
        input: r#"{"name":{"type":"string"},"graceful":{"type":"boolean","description":"rolling, no downtime"},
            "wait_log":{"type":"string"},"wait_port":{"type":"integer"},
            "timeout_ms":{"type":"integer","default":30000,"maximum":55000}}"#,
        required: &["name"],
        output: started,
        example: r#"{"name":"api","wait_port":3000}"#,
        is_core: true,
        is_destructive: true,
        ..CHANGE
    },
    Spec {
        name: "process_delete",
        text: "Stop and forget a process. Log files stay.",
        input: r#"{"name":{"type":"string"}}"#,
        required: &["name"],
        output: || object(&[("instances", "array")]),
        example: r#"{"name":"api"}"#,
        is_destructive: true,
        is_idempotent: true,
        ..CHANGE
    },
    Spec {
        name: "log_read",
        text: "Recent log lines, repeats folded. Pass the returned cursor to get only what is new.",
        input: r#"{"name":{"type":"string","description":"omit for all"},"lines":{"type":"integer","default":50},
            "cursor":{"type":"string"},
            "since":{"type":"string","description":"15m, 2h, start (of its last run) or ISO time"},
            "level":{"enum":["debug","info","warn","error","fatal"]},"stream":{"enum":["all","out","err"]},
            "max_tokens":{"type":"integer","default":2000},"format":{"enum":["text","json"]}}"#,
        output: || columns(&[("cursor", "string"), ("more", "boolean")]),
        example: r#"{"name":"api","lines":20}"#,
        is_core: true,
        ..READ
    },
    Spec {
        name: "log_search",
        text: "Regex search over the whole log history, newest first, near-duplicates folded.",
        input: r#"{"pattern":{"type":"string"},"name":{"type":"string","description":"omit for all"},
            "since":{"type":"string"},"until":{"type":"string"},
            "level":{"enum":["debug","info","warn","error","fatal"]},
            "context":{"type":"integer","description":"lines around each hit"},
            "limit":{"type":"integer","default":20},"cursor":{"type":"string"},
            "max_tokens":{"type":"integer","default":2000},"format":{"enum":["text","json"]}}"#,
        required: &["pattern"],
        output: || columns(&[("cursor", "string"), ("more", "boolean")]),
        example: r#"{"pattern":"timeout|refused","name":"api","since":"2h"}"#,
        is_core: true,
        ..READ
    },
    Spec {
        name: "log_summary",
        text: "Cheapest view of a big log: counts, top errors with their place, top line patterns with examples, unusual times.",
        input: r#"{"name":{"type":"string","description":"omit for all"},"since":{"type":"string"},
            "max_tokens":{"type":"integer","default":800},"format":{"enum":["text","json"]}}"#,
        output: || {
            object(&[("lines", "integer"), ("errors", "integer"), ("warnings", "integer"), ("apps", "array")])
        },
        example: r#"{"name":"api","since":"1h"}"#,
        ..READ
    },
    Spec {
        name: "wait_for",
        text: "Block until a condition holds or timeout_ms passes; then says what happened. Call again to keep waiting.",
        input: r#"{"name":{"type":"string"},
            "until":{"enum":["ready","log","port","http","exit","stopped","idle"],"default":"ready"},
            "pattern":{"type":"string","description":"regex for log"},"port":{"type":"integer"},
            "url":{"type":"string"},
            "cursor":{"type":"string","description":"also match lines after this log cursor"},
            "timeout_ms":{"type":"integer","default":30000,"maximum":55000}}"#,
        required: &["name"],
        output: || object(&[("result", "string"), ("detail", "string"), ("cursor", "string")]),
        example: r#"{"name":"api","until":"log","pattern":"listening"}"#,
        is_core: true,
        ..READ
    },
    Spec {
        name: "diagnose",
        text: "Why is this process failing? Last exits, root error with its place in the code, lines before it, what \
            changed, port conflicts, next step.",
        input: r#"{"name":{"type":"string"},"max_tokens":{"type":"integer","default":1200},
            "format":{"enum":["text","json"]}}"#,
        required: &["name"],
        output: || object(&[("instances", "array"), ("next", "array")]),
        example: r#"{"name":"api"}"#,
        is_core: true,
        ..READ
    },
    Spec {
        name: "health_check",
        text: "Score 0-100 and issues; unhealthy processes only unless name is given.",
        input: r#"{"name":{"type":"string"},"format":{"enum":["text","json"]}}"#,
        output: || columns(&[("healthy", "integer")]),
        example: r#"{"name":"api"}"#,
        ..READ
    },
    Spec {
        name: "metrics_snapshot",
        text: "CPU, memory, fds, threads, restarts now; with window min/avg/max, p95 and trend, kept since the first call.",
        input: r#"{"name":{"type":"string","description":"omit for all"},
            "window":{"type":"string","description":"e.g. 30s, at most 5m"},"format":{"enum":["text","json"]}}"#,
        output: || columns(&[("samples", "integer"), ("covers_ms", "integer")]),
        example: r#"{"name":"api","window":"5m"}"#,
        ..READ
    },
    Spec {
        name: "events",
        text: "Starts, exits, crashes, restarts, health changes since a cursor or time.",
        input: r#"{"name":{"type":"string"},"since":{"type":"string"},"cursor":{"type":"string"},
            "limit":{"type":"integer","default":20},"format":{"enum":["text","json"]}}"#,
        output: || columns(&[("cursor", "string")]),
        example: r#"{"name":"api","since":"1h"}"#,
        ..READ
    },
    Spec {
        name: "config_get",
        text: "Config of a process or, without name, of the daemon. Secrets are masked.",
        input: r#"{"name":{"type":"string"},"key":{"type":"string"},"format":{"enum":["text","json"]}}"#,
        output: || object(&[("config", "object")]),
        example: r#"{"name":"api","key":"max_restarts"}"#,
        ..READ
    },
    Spec {
        name: "config_set",
        text: "Change config; returns old and new values and whether a restart is needed.",
        input: r#"{"name":{"type":"string","description":"omit for defaults of new apps"},
            "changes":{"type":"object","description":"keys of velos.toml: value; null resets"},
            "restart":{"type":"boolean","description":"apply now"},"dry_run":{"type":"boolean"}}"#,
        required: &["changes"],
        output: || object(&[("changes", "array"), ("restart_needed", "boolean"), ("restarted", "boolean")]),
        example: r#"{"name":"api","changes":{"max_memory_restart":"300M","env.PORT":"3000"},"restart":true}"#,
        is_destructive: true,
        is_idempotent: true,
        ..CHANGE
    },
];

pub(crate) fn find(name: &str) -> Option<&'static Spec> {
    ALL.iter().find(|spec| spec.name == name)
}

impl Spec {
    /// JSON Schema of the arguments.
    pub(crate) fn input_schema(&self) -> Value {
        let properties: Value = serde_json::from_str(self.input).unwrap_or_default();
        let mut schema = json!({ "type": "object", "properties": properties });
        if let (Value::Object(schema), false) = (&mut schema, self.required.is_empty()) {
            schema.insert("required".to_owned(), json!(self.required));
        }
        schema
    }

    /// As clients see it, which may wait for so long. What is not said is what the protocol takes for granted.
    pub(crate) fn tool(&self, structured: bool, timeout_ms_max: u64) -> Tool {
        let object = |schema: Value| -> Arc<JsonObject> {
            Arc::new(match schema {
                Value::Object(map) => map,
                _ => JsonObject::new(),
            })
        };
        let hints = match (self.changes, self.is_destructive) {
            (false, _) => ToolAnnotations::new().read_only(true),
            (true, true) => ToolAnnotations::new().destructive(true).idempotent(self.is_idempotent),
            (true, false) => ToolAnnotations::new().destructive(false),
        };
        let mut schema = self.input_schema();
        if let Some(most) = schema.pointer_mut("/properties/timeout_ms/maximum") {
            *most = timeout_ms_max.into();
        }
        let tool = Tool::new(self.name, self.text, object(schema)).with_annotations(hints);
        if structured { tool.with_raw_output_schema(object((self.output)())) } else { tool }
    }
}

fn object(fields: &[(&str, &str)]) -> Value {
    let mut properties = serde_json::Map::new();
    for (name, kind) in fields {
        properties.insert((*name).to_owned(), json!({ "type": kind }));
    }
    properties.insert("alert".to_owned(), json!({ "type": "string" }));
    properties.insert("error".to_owned(), json!({ "type": "object" }));
    json!({ "type": "object", "properties": properties })
}

fn columns(more: &[(&str, &str)]) -> Value {
    let mut schema = object(more);
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert("columns".to_owned(), json!({ "type": "array", "items": { "type": "string" } }));
        properties.insert("rows".to_owned(), json!({ "type": "array", "items": { "type": "array" } }));
    }
    schema
}

fn started() -> Value {
    object(&[("result", "string"), ("instances", "array"), ("output", "array"), ("cursor", "string")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_tools_eight_of_them_core() {
        assert_eq!(ALL.len(), 16);
        assert_eq!(ALL.iter().filter(|spec| spec.is_core).count(), 8);
        for spec in ALL {
            let properties = serde_json::from_str::<serde_json::Map<String, Value>>(spec.input).unwrap();
            for required in spec.required {
                assert!(properties.contains_key(*required), "{}: {required}", spec.name);
            }
            let example: serde_json::Map<String, Value> = serde_json::from_str(spec.example).unwrap();
            for (key, _) in &example {
                assert!(properties.contains_key(key), "{}: {key}", spec.name);
            }
            assert!(spec.text.len() < 2_048, "clients cut longer texts");
            assert!(spec.changes || !spec.is_destructive);
        }
    }
}
