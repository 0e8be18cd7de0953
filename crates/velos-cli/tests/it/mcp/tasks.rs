//! Long calls of clients that know tasks.

use serde_json::{Value, json};
use velos_testkit::SOON;

use super::{Agent, to_answer};
use crate::env;

const TASKS: &str = "io.modelcontextprotocol/tasks";

/// A request of a client that may know the extension.
fn modern(mut params: Value, knows_tasks: bool) -> Value {
    let extensions = if knows_tasks { json!({ TASKS: {} }) } else { json!({}) };
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "modern", "version": "2" },
        "io.modelcontextprotocol/clientCapabilities": { "extensions": extensions },
    });
    params
}

fn begin(agent: &mut Agent, tool: &str, arguments: Value) -> Value {
    agent.request("tools/call", modern(json!({ "name": tool, "arguments": arguments }), true))
}

fn get(agent: &mut Agent, id: &Value) -> Value {
    agent.request("tasks/get", modern(json!({ "taskId": id }), true))
}

/// The task, once it is over.
fn over(agent: &mut Agent, id: &Value) -> Value {
    velos_testkit::wait_for("the task is over", SOON * 3, || {
        Some(get(agent, id)).filter(|task| task["status"] != "working")
    })
}

#[test]
fn a_long_wait_is_a_task_and_a_short_one_is_not() {
    let env = env();
    let mut agent = Agent::silent(&env, &[]);
    let found = agent.request("server/discover", modern(json!({}), true));
    assert!(found["capabilities"]["extensions"][TASKS].is_object(), "{found}");
    // The list says how long a wait may be, for this client.
    let most = |agent: &mut Agent, knows_tasks: bool| {
        let list = agent.request("tools/list", modern(json!({}), knows_tasks));
        let tools = list["tools"].as_array().unwrap().clone();
        let wait = tools.into_iter().find(|tool| tool["name"] == "wait_for").unwrap();
        wait["inputSchema"]["properties"]["timeout_ms"]["maximum"].clone()
    };
    assert_eq!((most(&mut agent, true), most(&mut agent, false)), (json!(3_600_000), json!(55_000)));

    let script = "until [ -e go ]; do sleep 0.05; done; echo working; exec sleep 1000";
    let started = begin(&mut agent, "process_start", json!({ "name": "api", "command": script }));
    assert_eq!(started["resultType"], "complete", "{started}");
    let wait = json!({ "name": "api", "until": "log", "pattern": "working", "timeout_ms": 600_000 });
    let task = begin(&mut agent, "wait_for", wait);
    assert_eq!((&task["resultType"], &task["status"]), (&json!("task"), &json!("working")), "{task}");
    assert_eq!(task["ttlMs"], 900_000);
    let id = &task["taskId"];
    let working = get(&mut agent, id);
    assert!(working["result"].is_null(), "{working}");
    env.file("go", "", 0o644);
    let done = over(&mut agent, id);
    assert_eq!(done["status"], "completed", "{done}");
    to_answer(&done["result"]).ok().has(&["api: matched after", "working", "cursor="]);
}

#[test]
fn a_task_is_cancelled_and_nobody_guesses_another() {
    let env = env();
    let mut agent = Agent::silent(&env, &[]);
    begin(&mut agent, "process_start", json!({ "name": "api", "command": "exec sleep 1000" }));
    let task = begin(&mut agent, "wait_for", json!({ "name": "api", "until": "exit" }));
    let id = &task["taskId"];
    let answer = agent.begin("tasks/get", modern(json!({ "taskId": id }), false));
    assert_eq!(agent.answer(answer, SOON)["error"]["code"], -32021, "the extension was not declared");
    agent.request("tasks/cancel", modern(json!({ "taskId": id }), true));
    assert_eq!(over(&mut agent, id)["status"], "cancelled");
    for method in ["tasks/get", "tasks/cancel"] {
        let answer = agent.begin(method, modern(json!({ "taskId": "1" }), true));
        let error = agent.answer(answer, SOON)["error"].clone();
        assert_eq!(error["code"], -32602);
        assert!(error["message"].as_str().unwrap().contains("no task \"1\""), "{error}");
    }
    let answer = agent.begin("tasks/list", modern(json!({}), true));
    assert_eq!(agent.answer(answer, SOON)["error"]["code"], -32601);
    // A start that waits too long for its port has started all the same, and a cancelled task says so.
    let arguments =
        json!({ "name": "web", "command": "exec sleep 1000", "wait_port": 1, "timeout_ms": 600_000 });
    let task = begin(&mut agent, "process_start", arguments);
    agent.request("tasks/cancel", modern(json!({ "taskId": &task["taskId"] }), true));
    let done = over(&mut agent, &task["taskId"]);
    to_answer(&done["result"]).ok().has(&["web started; the wait was cancelled"]);
    // What a tool fails with is its result.
    let task = begin(
        &mut agent,
        "process_start",
        json!({ "name": "bad", "command": "sleep 1.2; exit 9", "wait_port": 1 }),
    );
    let done = over(&mut agent, &task["taskId"]);
    assert_eq!(done["status"], "completed", "{done}");
    to_answer(&done["result"]).fails(&["exit code 9"]);
}

#[test]
fn a_client_without_tasks_is_answered_when_it_is_over() {
    let env = env();
    let mut agent = Agent::silent(&env, &[]);
    begin(&mut agent, "process_start", json!({ "name": "api", "command": "exec sleep 1000" }));
    let arguments = json!({ "name": "api", "until": "exit", "timeout_ms": 1_300 });
    let wait = modern(json!({ "name": "wait_for", "arguments": arguments }), false);
    to_answer(&agent.request("tools/call", wait)).ok().has(&["not within 1s"]);
}
