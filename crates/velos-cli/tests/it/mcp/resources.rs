//! Resources, subscriptions in both eras, prompts, completion.

use serde_json::{Value, json};

use super::Agent;
use crate::env;

fn modern(params: Value) -> Value {
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "modern", "version": "2" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

#[test]
fn resources_are_the_texts_of_the_tools() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    let start = json!({ "name": "my api", "command": "echo hello; exec sleep 1000", "wait_log": "hello" });
    agent.call("process_start", start).ok();
    let list = agent.request("resources/list", json!({}))["resources"].to_string();
    assert!(list.contains("velos://processes") && list.contains("velos://process/my%20api/log"), "{list}");
    let templates = agent.request("resources/templates/list", json!({}))["resourceTemplates"].to_string();
    assert!(templates.contains("velos://process/{name}/log"));
    for (uri, word) in [
        ("velos://processes", "my api online"),
        ("velos://events", "my api online"),
        ("velos://process/my%20api", "status: online"),
        ("velos://process/my%20api/log", "hello"),
    ] {
        let result = agent.request("resources/read", json!({ "uri": uri }));
        let text = result["contents"][0]["text"].as_str().unwrap();
        assert!(text.contains(word), "{uri}: {text}");
    }
    let id = agent.begin("resources/read", json!({ "uri": "velos://process/nobody" }));
    let error = agent.answer(id, velos_testkit::SOON)["error"]["message"].to_string();
    assert!(error.contains("no process"), "{error}");
    let complete = json!({ "ref": { "type": "ref/resource", "uri": "velos://process/{name}" }, "argument": { "name": "name", "value": "my" } });
    assert_eq!(agent.request("completion/complete", complete)["completion"]["values"], json!(["my api"]));
}

#[test]
fn subscribers_of_both_eras_hear_of_changes() {
    let env = env();
    let mut agent = Agent::new(&env, &[]);
    let start = json!({ "name": "api", "command": "while true; do echo tick; sleep 0.2; done" });
    agent.call("process_start", start).ok();
    let log = "velos://process/api/log";
    agent.request("resources/subscribe", json!({ "uri": log }));
    assert_eq!(agent.notice("notifications/resources/updated")["params"]["uri"], log);
    agent.request("resources/unsubscribe", json!({ "uri": log }));

    let mut agent = Agent::silent(&env, &[]);
    let discovered = agent.request("server/discover", modern(json!({})));
    assert!(discovered["supportedVersions"].to_string().contains("2026-07-28"), "{discovered}");
    let wanted = modern(json!({ "notifications": { "resourceSubscriptions": ["velos://processes"] } }));
    agent.begin("subscriptions/listen", wanted);
    agent.notice("notifications/subscriptions/acknowledged");
    // Once for what may have happened before, then for what happens.
    for round in 0..2 {
        assert_eq!(agent.notice("notifications/resources/updated")["params"]["uri"], "velos://processes");
        if round == 0 {
            env.run(&["restart", "api"]).ok();
        }
    }
    let called = agent.request("tools/call", modern(json!({ "name": "process_list", "arguments": {} })));
    assert!(called["content"][0]["text"].as_str().unwrap().contains("api online"), "{called}");
}

#[test]
fn prompts_have_arguments_that_complete() {
    let env = env();
    env.start("api", &[], &["sleep"]);
    let mut agent = Agent::new(&env, &[]);
    let prompts = agent.request("prompts/list", json!({}))["prompts"].clone();
    let names: Vec<&str> =
        prompts.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["diagnose", "start_project", "watch_deploy"]);
    let prompt = agent.request("prompts/get", json!({ "name": "diagnose", "arguments": { "name": "api" } }));
    assert!(prompt["messages"][0]["content"]["text"].as_str().unwrap().contains("Process \"api\""));
    let complete = json!({ "ref": { "type": "ref/prompt", "name": "diagnose" }, "argument": { "name": "name", "value": "" } });
    assert_eq!(agent.request("completion/complete", complete)["completion"]["values"], json!(["api"]));
}
