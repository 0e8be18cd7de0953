//! What the texts cost, counted by the tokenizer of a model. Without it the test is skipped aloud: `make test-tools`
//! fetches it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use velos_core::instance::Phase;

use super::Agent;
use crate::env;

const COUNT: &str = "const o=require('gpt-tokenizer/encoding/o200k_base');let s='';process.stdin.on('data',d=>s+=d)\
    .on('end',()=>console.log(o.encode(s,{allowedSpecial:new Set(),disallowedSpecial:new Set()}).length))";

/// Where `scripts/test-tools` puts what it fetches.
pub(super) fn tools() -> PathBuf {
    let standard = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/mcp");
    std::env::var_os("VELOS_MCP_TOOLS").map_or_else(standard, PathBuf::from)
}

/// `None`: it cannot be counted here.
fn count(text: &str) -> Option<usize> {
    let folder = tools();
    if !folder.join("node_modules/gpt-tokenizer").is_dir() {
        return None;
    }
    let mut child = Command::new(velos_testkit::program("node")?)
        .args(["-e", COUNT])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(text.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

#[track_caller]
fn within(what: &str, text: &str, most: usize) {
    let tokens = count(text).unwrap();
    assert!(tokens <= most, "{what}: {tokens} tokens, at most {most}: {text}");
    // Beside the result of the test, for who wants to know.
    std::io::stderr()
        .write_all(
            format!(
                "{what}: {tokens} tokens of {most}
"
            )
            .as_bytes(),
        )
        .unwrap();
}

#[test]
fn nothing_costs_more_than_it_may() {
    if count("x").is_none() {
        return velos_testkit::skipped("no tokenizer; run `make test-tools`");
    }
    let env = env();
    let list = |flags: &[&str]| {
        let mut agent = Agent::new(&env, flags);
        json!({ "tools": agent.request("tools/list", json!({}))["tools"] }).to_string()
    };
    within("tools/list", &list(&[]), 1_900);
    within("tools/list of core", &list(&["--tools", "core"]), 1_150);

    let mut agent = Agent::new(&env, &[]);
    for name in ["api", "worker", "billing", "mailer"] {
        agent.call("process_start", json!({ "name": name, "command": "exec sleep 1000" })).ok();
    }
    within("process_list of 4", &agent.call("process_list", json!({})).text, 4 * 18);
    let script = "const levels=['info','info','warn','error'];for(let i=0;i<50000;i++)console.log(`${new Date().toISOString()} \
        ${levels[i%4]} [http] request ${i} from 10.0.0.${i%250} took ${i%90}ms`);setInterval(()=>{},1000)";
    env.file("big.js", script, 0o644);
    if velos_testkit::program("node").is_some() {
        agent
            .call(
                "process_start",
                json!({ "name": "big", "command": "node big.js", "wait_log": "request 49999 " }),
            )
            .ok();
        within("log_read of 50 lines", &agent.call("log_read", json!({ "name": "big" })).text, 2_000);
        within("log_summary of 50,000 lines", &agent.call("log_summary", json!({ "name": "big" })).text, 800);
    }
    within("an error", &agent.call("process_info", json!({ "name": "apj" })).text, 120);
    within("another error", &agent.call("log_read", json!({ "lines": "x" })).text, 120);

    env.file("bad.js", "function boot() {\n  throw new Error('connect ECONNREFUSED 127.0.0.1:5432');\n}\nsetTimeout(boot, 50);\n", 0o644);
    agent.call("process_delete", json!({ "name": "big" }));
    let bad = json!({ "name": "bad", "command": "node bad.js" });
    agent.call("process_start", bad).fails(&["ECONNREFUSED"]);
    agent.call("config_set", json!({ "name": "bad", "changes": { "max_restarts": 1 } }));
    env.wait_instance("bad", "it is given up", |one| one.phase == Phase::Errored);
    let both =
        agent.call("process_list", json!({})).text + &agent.call("diagnose", json!({ "name": "bad" })).text;
    within("crash to cause", &both, 1_500);
}
