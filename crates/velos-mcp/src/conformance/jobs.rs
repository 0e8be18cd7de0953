//! Tools that become tasks: they take long, fail in each of the two ways, or ask something meanwhile.

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock, InputRequest,
};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskContext, TaskExit};
use rmcp::{ErrorData, RoleServer};
use serde_json::Value;

use super::input::{self, elicitation};
use super::{STEP, parsed};
use crate::tasks::{self, Tasks};

const TTL_MS: u64 = 60_000;

pub(super) const NAMES: [&str; 6] = [
    "slow_compute",
    "failing_job",
    "protocol_error_job",
    "confirm_delete",
    "multi_input",
    "test_tool_with_task",
];

fn says(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

pub(super) async fn call(
    name: &str,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
    tasks: &Tasks,
) -> Result<CallToolResponse, ErrorData> {
    let arguments = request.arguments.clone().unwrap_or_default();
    let time = Duration::from_secs(arguments.get("seconds").and_then(Value::as_u64).unwrap_or(0));
    if !tasks::are_known(context) {
        if name == "slow_compute" {
            tokio::time::sleep(time).await;
            return Ok(says("computed").into());
        }
        let wanted = ClientCapabilities::builder().enable_tasks().build();
        return Err(ErrorData::missing_required_client_capability(wanted));
    }
    let user = input::given(request.input_responses.as_ref(), "user_name", "name");
    let name = name.to_owned();
    if name == "test_tool_with_task" && user.is_none() {
        return input::ask_name().map(CallToolResponse::InputRequired);
    }
    let made = tasks.spawn(TTL_MS, |context| {
        Box::pin(async move {
            match name.as_str() {
                "slow_compute" => compute(&context, time).await,
                "failing_job" => Ok(CallToolResult::error(vec![ContentBlock::text("it failed")])),
                "protocol_error_job" => {
                    Err(TaskExit::Error(ErrorData::internal_error("it broke on purpose", None)))
                }
                "confirm_delete" => ask(&context, "confirm").await,
                "multi_input" => {
                    let (one, two) = tokio::join!(ask(&context, "one"), ask(&context, "two"));
                    one.and(two)
                }
                _ => Ok(says(format!("Hello, {}!", user.unwrap_or_default()))),
            }
        })
    });
    Ok(made.into())
}

async fn compute(context: &TaskContext, time: Duration) -> Result<CallToolResult, TaskExit> {
    tokio::select! {
        () = context.cancelled() => Err(TaskExit::Cancelled),
        () = tokio::time::sleep(time.max(STEP)) => Ok(says("computed")),
    }
}

async fn ask(context: &TaskContext, key: &str) -> Result<CallToolResult, TaskExit> {
    let request: InputRequest = parsed(elicitation("Really?", "confirm", "boolean"))?;
    let answer = context.request_input(key, request).await?;
    Ok(says(format!("answered: {answer}")))
}
