//! One call of a tool: on a thread of its own, with progress for who wants it, cancelled when its client goes, and a task when it
//! takes long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, ProgressNotificationParam};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value};

use crate::audit::Caller;
use crate::clean;
use crate::reply::{Outcome, Trouble};
use crate::server::Server;
use crate::tasks::{self, GRACE, Running};
use crate::toolbox::Call;

impl Server {
    /// Run a tool on a thread of its own.
    fn begin(
        &self,
        name: String,
        given: Map<String, Value>,
        context: &RequestContext<RoleServer>,
        timeout_ms_max: u64,
    ) -> Running {
        let client =
            context.client_info().map_or_else(String::new, |info| format!("{} {}", info.name, info.version));
        let caller = Caller { client, transport: self.transport };
        let cancelled = Arc::new(AtomicBool::new(false));
        let (tell, told) = tokio::sync::mpsc::unbounded_channel::<(u64, u64, String)>();
        let (flag, toolbox) = (Arc::clone(&cancelled), Arc::clone(&self.toolbox));
        let work = tokio::task::spawn_blocking(move || {
            let progress = |done: u64, total: u64, what: &str| {
                // Nobody listens once the call is over.
                let _ = tell.send((done, total, what.to_owned()));
            };
            let call = Call {
                toolbox: &toolbox,
                caller: &caller,
                cancelled: &flag,
                progress: &progress,
                timeout_ms_max,
            };
            toolbox.run(&name, given, &call)
        });
        Running { work, told, cancelled, is_structured: self.toolbox.options.structured }
    }

    pub(crate) async fn call(
        &self,
        name: String,
        given: Map<String, Value>,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut place = if tasks::are_known(context) { self.tasks.reserve() } else { None };
        let timeout_ms_max = tasks::timeout_ms_max(place.is_some());
        let mut running = self.begin(name, given.clone(), context, timeout_ms_max);
        let token = context.meta.get_progress_token();
        let grace = tokio::time::sleep(GRACE);
        tokio::pin!(grace);
        let mut is_cancelled = false;
        let outcome = loop {
            tokio::select! {
                outcome = &mut running.work => break outcome,
                () = context.ct.cancelled(), if !is_cancelled => {
                    is_cancelled = true;
                    running.cancelled.store(true, Ordering::Relaxed);
                }
                () = &mut grace, if place.is_some() && !is_cancelled => {
                    if let Some(place) = place.take() {
                        return Ok(self.tasks.adopt(place, running, &given).into());
                    }
                }
                Some((done, total, what)) = running.told.recv() => {
                    if let Some(token) = token.clone() {
                        let progress = ProgressNotificationParam::new(token, done as f64 / 1_000.0)
                            .with_total(total as f64 / 1_000.0)
                            .with_message(clean::plain(&what));
                        // A client that is gone is noticed elsewhere.
                        let _ = context.peer.notify_progress(progress).await;
                    }
                }
            }
        };
        let outcome = outcome.map_err(|_| ErrorData::internal_error("the call broke; try again", None))?;
        Ok(answer(outcome, running.is_structured).into())
    }
}

/// What a tool said, as the protocol has it.
pub(crate) fn answer(outcome: Outcome, is_structured: bool) -> CallToolResult {
    let (text, data, is_error) = match outcome {
        Ok(reply) => (reply.text, reply.data, false),
        Err(Trouble { text, data }) => (text, data, true),
    };
    let content = vec![ContentBlock::text(visible(&text))];
    let mut result = if is_error { CallToolResult::error(content) } else { CallToolResult::success(content) };
    if is_structured {
        result.structured_content = Some(visible_value(data));
    }
    result
}

/// The last gate: whatever was forgotten before, nothing invisible leaves.
pub(crate) fn visible(text: &str) -> String {
    text.trim_end().lines().map(clean::plain).collect::<Vec<_>>().join("\n")
}

fn visible_value(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(visible(&text)),
        Value::Array(values) => values.into_iter().map(visible_value).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (clean::plain(&key), visible_value(value))).collect()
        }
        other => other,
    }
}
