//! Tools and a prompt that ask back before they answer.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, GetPromptRequestParams,
    GetPromptResponse, GetPromptResult, InputRequests, InputRequiredResult, InputResponses, PromptMessage,
    Role,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use super::parsed;

/// Key of the seals.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// State that a client cannot change unnoticed.
fn sealed(state: &str) -> String {
    format!("{state}.{:016x}", KEY.hash_one(state))
}

fn opened(state: Option<&String>) -> Result<String, ErrorData> {
    let open = state.and_then(|state| {
        let (text, _) = state.rsplit_once('.')?;
        (sealed(text) == *state).then(|| text.to_owned())
    });
    open.ok_or_else(|| ErrorData::invalid_params("requestState was changed", None))
}

pub(super) fn elicitation(message: &str, field: &str, kind: &str) -> Value {
    let schema = json!({ "type": "object", "properties": { field: { "type": kind } }, "required": [field] });
    json!({ "method": "elicitation/create", "params": { "mode": "form", "message": message, "requestedSchema": schema } })
}

fn sampling(words: &str, most: u32) -> Value {
    let message = json!({ "role": "user", "content": { "type": "text", "text": words } });
    json!({ "method": "sampling/createMessage", "params": { "messages": [message], "maxTokens": most } })
}

fn roots() -> Value {
    json!({ "method": "roots/list", "params": {} })
}

fn ask(requests: Value, state: Option<&str>) -> Result<InputRequiredResult, ErrorData> {
    let requests: InputRequests = parsed(requests)?;
    Ok(InputRequiredResult::new(Some(requests), state.map(sealed)))
}

fn says(text: impl Into<String>) -> Result<CallToolResponse, ErrorData> {
    Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
}

/// The field of an accepted form.
pub(super) fn given(responses: Option<&InputResponses>, key: &str, field: &str) -> Option<Value> {
    let answer = responses?.get(key)?;
    let content = answer.get("content").or_else(|| answer.get("result")?.get("content"))?;
    content.get(field).cloned()
}

pub(super) fn call(
    name: &str,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let responses = request.input_responses.as_ref();
    let state = request.request_state.as_ref();
    let has = |key: &str| responses.is_some_and(|all| all.contains_key(key));
    let name_form = || elicitation("What is your name?", "name", "string");
    let asked = match name {
        "test_input_required_result_sampling" => {
            match responses.and_then(|all| all.get("capital_question")) {
                Some(answer) => return says(format!("The answer: {answer}")),
                None => {
                    ask(json!({ "capital_question": sampling("What is the capital of France?", 100) }), None)
                }
            }
        }
        "test_input_required_result_list_roots" => match responses.and_then(|all| all.get("client_roots")) {
            Some(answer) => return says(format!("Roots: {answer}")),
            None => ask(json!({ "client_roots": roots() }), None),
        },
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
            if state.is_some() {
                opened(state)?;
            }
            match has("confirm") && state.is_some() {
                true => return says("state-ok"),
                false => {
                    ask(json!({ "confirm": elicitation("Please confirm", "ok", "boolean") }), Some("confirm"))
                }
            }
        }
        "test_input_required_result_multiple_inputs" => {
            if has("user_name") && has("greeting") && has("client_roots") {
                opened(state)?;
                return says("all is there");
            }
            let all = json!({
                "user_name": name_form(), "greeting": sampling("Generate a greeting", 50), "client_roots": roots(),
            });
            ask(all, Some("several"))
        }
        "test_input_required_result_multi_round" => {
            match state.map(|_| opened(state)).transpose()?.as_deref() {
                Some("two") if has("step2") => return says("two rounds are over"),
                round => ask_round(round.filter(|_| has("step1"))),
            }
        }
        "test_input_required_result_capabilities" => match responses {
            Some(_) => return says("done"),
            None => ask_as_able(context),
        },
        _ => match given(responses, "user_name", "name") {
            Some(Value::String(name)) => return says(format!("Hello, {name}!")),
            _ => ask(json!({ "user_name": name_form() }), None),
        },
    };
    asked.map(CallToolResponse::InputRequired)
}

/// The second question after the answer to the first, else the first.
fn ask_round(answered: Option<&str>) -> Result<InputRequiredResult, ErrorData> {
    if answered == Some("one") {
        let form = elicitation("Step 2: What is your favorite color?", "color", "string");
        return ask(json!({ "step2": form }), Some("two"));
    }
    ask(json!({ "step1": elicitation("Step 1: What is your name?", "name", "string") }), Some("one"))
}

/// Only what the client says that it can answer.
fn ask_as_able(context: &RequestContext<RoleServer>) -> Result<InputRequiredResult, ErrorData> {
    let known = context.client_capabilities().unwrap_or_default();
    let mut all = serde_json::Map::new();
    if known.sampling.is_some() {
        all.insert("question".to_owned(), sampling("Say hello", 50));
    }
    if known.elicitation.is_some() {
        all.insert("user_name".to_owned(), elicitation("What is your name?", "name", "string"));
    }
    ask(Value::Object(all), None)
}

/// What a tool asks before it becomes a task.
pub(super) fn ask_name() -> Result<InputRequiredResult, ErrorData> {
    ask(json!({ "user_name": elicitation("What is your name?", "name", "string") }), None)
}

pub(super) fn prompt(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    match given(request.input_responses.as_ref(), "user_context", "context") {
        Some(context) => {
            let message = PromptMessage::new_text(Role::User, format!("Use this context: {context}"));
            Ok(GetPromptResult::new(vec![message]).into())
        }
        None => {
            let form = elicitation("What context should the prompt use?", "context", "string");
            ask(json!({ "user_context": form }), None).map(GetPromptResponse::InputRequired)
        }
    }
}
