//! `velos mcp-server` as an agent meets it: JSON-RPC over pipes and over HTTP, against a real daemon.

mod budget;
mod clients;
mod http;
mod resources;
mod safety;
mod story;
mod tasks;
mod tools;
mod waiting;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use velos_testkit::{SOON, TestEnv};

/// A server and the client that talks to it.
struct Agent {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    next: u64,
    /// What came between the answers.
    notices: Vec<Value>,
}

/// What a tool answered.
#[derive(Debug)]
struct Answer {
    text: String,
    is_error: bool,
    data: Value,
}

impl Answer {
    #[track_caller]
    fn ok(self) -> Self {
        assert!(!self.is_error, "{}", self.text);
        self
    }

    #[track_caller]
    fn fails(self, words: &[&str]) -> Self {
        assert!(self.is_error, "{}", self.text);
        self.has(words)
    }

    #[track_caller]
    fn has(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.text.contains(word), "{word:?} is not in: {}", self.text);
        }
        self
    }

    /// The cursor that it ends with.
    #[track_caller]
    fn cursor(&self) -> String {
        let at = self.text.find("cursor=").expect("a cursor") + 7;
        self.text[at..].split_whitespace().next().unwrap().to_owned()
    }
}

fn read(output: ChildStdout) -> Receiver<Value> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let value = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "garbage": line }));
            if send.send(value).is_err() {
                return;
            }
        }
    });
    lines
}

impl Agent {
    fn new(env: &TestEnv, flags: &[&str]) -> Self {
        let mut agent = Self::silent(env, flags);
        let params = json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        });
        let result = agent.request("initialize", params);
        assert_eq!(result["serverInfo"]["name"], "velos");
        agent.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        agent
    }

    /// Before the client has said anything.
    fn silent(env: &TestEnv, flags: &[&str]) -> Self {
        let mut command = env.command(&[&["mcp-server"], flags].concat());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (input, lines) = (child.stdin.take(), read(child.stdout.take().unwrap()));
        Self { child, input, lines, next: 0, notices: Vec::new() }
    }

    fn send(&mut self, message: &Value) {
        let input = self.input.as_mut().unwrap();
        input.write_all(format!("{message}\n").as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Send it and do not wait.
    fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The whole answer to a request.
    #[track_caller]
    fn answer(&mut self, id: u64, within: Duration) -> Value {
        // It may have come while another was waited for.
        if let Some(at) = self.notices.iter().position(|notice| notice["id"] == json!(id)) {
            return self.notices.remove(at);
        }
        loop {
            let value = self.lines.recv_timeout(within).expect("an answer");
            if value["id"] == json!(id) {
                return value;
            }
            self.notices.push(value);
        }
    }

    /// The next notification of this kind.
    #[track_caller]
    fn notice(&mut self, method: &str) -> Value {
        loop {
            if let Some(at) = self.notices.iter().position(|notice| notice["method"] == method) {
                return self.notices.remove(at);
            }
            self.notices.push(self.lines.recv_timeout(SOON).expect("a notification"));
        }
    }

    #[track_caller]
    fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let answer = self.answer(id, SOON * 3);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    #[track_caller]
    fn call(&mut self, tool: &str, arguments: Value) -> Answer {
        let result = self.request("tools/call", json!({ "name": tool, "arguments": arguments }));
        to_answer(&result)
    }

    /// The data that a tool gives when JSON is asked for.
    #[track_caller]
    fn data(&mut self, tool: &str, mut arguments: Value) -> Value {
        arguments["format"] = json!("json");
        let answer = self.call(tool, arguments).ok();
        serde_json::from_str(&answer.text).unwrap()
    }
}

#[track_caller]
fn to_answer(result: &Value) -> Answer {
    Answer {
        text: result["content"][0]["text"].as_str().expect("text").to_owned(),
        is_error: result["isError"] == json!(true),
        data: result["structuredContent"].clone(),
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It ends when its client hangs up.
        self.input = None;
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_secs(3) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // A wait that still runs keeps its thread.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
