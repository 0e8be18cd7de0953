//! What the official suite wants to meet besides a real server: tools, resources and prompts with fixed answers. They stand
//! over our own handler, so that its protocol, its HTTP gate and its lists are what is tested. Never in the product.

#![expect(deprecated, reason = "the suite still asks for it")]

mod input;
mod jobs;
mod lists;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, ClientCapabilities,
    CompleteRequestParams, CompleteResult, CompletionInfo, ContentBlock, CreateMessageRequestParams,
    ElicitRequestParams, GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, LoggingLevel,
    LoggingMessageNotificationParam, PaginatedRequestParams, ProgressNotificationParam,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, SetLevelRequestParams,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use velos_client::Home;
use velos_core::error::ErrorReply;

use crate::declare::Host;
use crate::server::{Server, failed, runtime};
use crate::toolbox::{Options, Toolbox};

/// Between two steps of a fixture that takes time.
const STEP: Duration = Duration::from_millis(50);

/// Lists that a client can be told have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    Tools,
    Prompts,
}

#[derive(Clone)]
struct Fixtures {
    own: Server,
    changed: broadcast::Sender<Changed>,
}

/// Serve the suite on this address, without a token.
///
/// # Errors
/// When the address is taken.
pub fn serve(home: Home, host: Arc<dyn Host>, address: SocketAddr) -> Result<(), ErrorReply> {
    let toolbox = Arc::new(Toolbox::new(home, Options::default(), host));
    let (changed, _) = broadcast::channel(16);
    let shared = Server::new(toolbox, "http");
    let server = move || Fixtures { own: shared.another(), changed: changed.clone() };
    runtime()?.block_on(async move {
        let listener =
            tokio::net::TcpListener::bind(address).await.map_err(|error| failed(error.to_string()))?;
        crate::http::run(listener, server, &[], None).await
    })
}

fn text(text: impl Into<String>) -> Result<CallToolResponse, ErrorData> {
    Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
}

/// A value of the protocol, written as JSON.
fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

impl Fixtures {
    async fn progress(&self, context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        for done in [0.0, 50.0, 100.0] {
            if let Some(token) = context.meta.get_progress_token() {
                let progress = ProgressNotificationParam::new(token, done).with_total(100.0);
                // The suite notices what does not come.
                let _ = context.peer.notify_progress(progress).await;
            }
            tokio::time::sleep(STEP).await;
        }
        text("done")
    }

    async fn log(&self, context: &RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        for words in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!(words));
            let _ = context.peer.notify_logging_message(message).await;
            tokio::time::sleep(STEP).await;
        }
        text("logged")
    }

    async fn sample(
        &self,
        prompt: &str,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
        let params: CreateMessageRequestParams = parsed(json!({ "messages": [message], "maxTokens": 100 }))?;
        match context.peer.create_message(params).await {
            Ok(answer) => {
                let answer = serde_json::to_value(&answer).unwrap_or_default();
                text(format!("LLM response: {}", answer["content"]["text"].as_str().unwrap_or_default()))
            }
            Err(error) => Ok(CallToolResult::error(vec![ContentBlock::text(error.to_string())]).into()),
        }
    }

    async fn elicit(
        &self,
        words: &str,
        message: &str,
        schema: Value,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let params: ElicitRequestParams =
            parsed(json!({ "mode": "form", "message": message, "requestedSchema": schema }))?;
        match context.peer.create_elicitation(params).await {
            Ok(answer) => {
                let answer = serde_json::to_value(&answer).unwrap_or_default();
                let action = answer["action"].as_str().unwrap_or_default().to_owned();
                text(format!("{words}: action={action}, content={}", answer["content"]))
            }
            Err(error) => Ok(CallToolResult::error(vec![ContentBlock::text(error.to_string())]).into()),
        }
    }

    fn tell(&self, changed: Changed) -> Result<CallToolResponse, ErrorData> {
        // Without a listener nobody needs to know.
        let _ = self.changed.send(changed);
        text("changed")
    }
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let mut info = self.own.get_info();
        info.capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_completions()
            .enable_logging()
            .enable_tasks()
            .build();
        info
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        lists::tools().into_iter().find(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = self.own.list_tools(page, context).await?;
        list.tools.extend(lists::tools());
        Ok(list)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.clone().unwrap_or_default();
        let argument =
            |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = request.name.to_string();
        if name.starts_with("test_input_required") || name == "test_streaming_elicitation" {
            return input::call(&name, &request, &context);
        }
        if jobs::NAMES.contains(&name.as_str()) {
            return jobs::call(&name, &request, &context, &self.own.tasks).await;
        }
        match name.as_str() {
            "greet" => text(format!("Hello, {}!", argument("name"))),
            "test_simple_text" => text("This is a simple text response for testing."),
            "test_image_content"
            | "test_audio_content"
            | "test_embedded_resource"
            | "test_multiple_content_types" => {
                Ok(CallToolResult::success(parsed(lists::content(&name))?).into())
            }
            "test_error_handling" => {
                let words = "This tool intentionally returns an error for testing";
                Ok(CallToolResult::error(vec![ContentBlock::text(words)]).into())
            }
            "test_tool_with_progress" => self.progress(&context).await,
            "test_tool_with_logging" => self.log(&context).await,
            "test_sampling" => self.sample(&argument("prompt"), &context).await,
            "test_elicitation" => {
                self.elicit("User response", &argument("message"), lists::asked_user(), &context).await
            }
            "test_elicitation_sep1034_defaults" => {
                self.elicit("Elicitation completed", "Defaults", lists::asked_defaults(), &context).await
            }
            "test_elicitation_sep1330_enums" => {
                self.elicit("Elicitation completed", "Enums", lists::asked_enums(), &context).await
            }
            "test_missing_capability" => match context.client_capabilities().and_then(|all| all.sampling) {
                Some(_) => text("it is there"),
                None => {
                    let wanted: ClientCapabilities = parsed(json!({ "sampling": {} }))?;
                    Err(ErrorData::missing_required_client_capability(wanted))
                }
            },
            "test_trigger_tool_change" => self.tell(Changed::Tools),
            "test_trigger_prompt_change" => self.tell(Changed::Prompts),
            "test_logging_tool" | "test_custom_header" | "json_schema_2020_12_tool" | "test_reconnection" => {
                text("done")
            }
            _ => self.own.call_tool(request, context).await,
        }
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.own.get_task(request, context).await
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.own.update_task(request, context).await
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.own.cancel_task(request, context).await
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut list = self.own.list_resources(page, context).await?;
        list.resources.extend(lists::resources());
        Ok(list)
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut list = self.own.list_resource_templates(page, context).await?;
        list.resource_templates.extend(lists::templates());
        Ok(list)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        match lists::resource(&request.uri) {
            Some(content) => Ok(lists::read(parsed(content)?).into()),
            None => self.own.read_resource(request, context).await,
        }
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // Those of the suite never change.
        if request.uri.starts_with("test://") { Ok(()) } else { self.own.subscribe(request, context).await }
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.own.unsubscribe(request, context).await
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.changed.subscribe();
        loop {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                changed = changes.recv() => {
                    // What was not asked for is refused, as it should be.
                    let _ = match changed {
                        Ok(Changed::Tools) => context.sink().notify_tool_list_changed().await,
                        Ok(Changed::Prompts) => context.sink().notify_prompt_list_changed().await,
                        Err(_) => return Ok(()),
                    };
                }
            }
        }
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let result = self.own.complete(request.clone(), context).await?;
        if !result.completion.values.is_empty() {
            return Ok(result);
        }
        let words = ["paris", "park", "party"].map(str::to_owned);
        let fits = words.into_iter().filter(|word| word.starts_with(&request.argument.value)).collect();
        let info =
            CompletionInfo::with_all_values(fits).map_err(|error| ErrorData::internal_error(error, None))?;
        Ok(CompleteResult::new(info))
    }

    async fn list_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let mut list = self.own.list_prompts(page, context).await?;
        list.prompts.extend(lists::prompts());
        Ok(list)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if request.name == "test_input_required_result_prompt" {
            return input::prompt(&request);
        }
        match lists::prompt(&request.name, &request.arguments.clone().unwrap_or_default()) {
            Some(messages) => Ok(rmcp::model::GetPromptResult::new(parsed(messages)?).into()),
            None => self.own.get_prompt(request, context).await,
        }
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }
}
