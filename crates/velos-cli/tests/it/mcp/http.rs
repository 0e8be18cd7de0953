//! The same over HTTP: who may in, and both eras of the protocol.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use velos_testkit::{SOON, TestEnv};

use crate::env;

struct Server {
    child: Child,
    address: String,
    token: String,
}

impl Server {
    fn new(env: &TestEnv, flags: &[&str]) -> Self {
        let mut child = env
            .command(&[&["mcp-server", "--http", "0"], flags].concat())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("serving http://").unwrap().strip_suffix("/mcp").unwrap().to_owned();
        let token = std::fs::read_to_string(env.home().join("mcp-token")).unwrap().trim().to_owned();
        Self { child, address, token }
    }

    /// Status and body of one request.
    fn post(&self, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut head =
            format!("POST /mcp HTTP/1.1\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
        head.push_str("Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        // It may be refused before all of it is sent.
        let _ = stream.write_all(body.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        (status, text)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// A request of the newer protocol, with the result of its answer.
    #[track_caller]
    fn modern(&self, method: &str, params: Value) -> Value {
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "modern", "version": "2" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let bearer = self.bearer();
        let mut headers = vec![
            ("Authorization", bearer.as_str()),
            ("MCP-Protocol-Version", "2026-07-28"),
            ("Mcp-Method", method),
        ];
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        if !name.is_empty() {
            headers.push(("Mcp-Name", &name));
        }
        let (status, text) = self.post(&headers, &body);
        assert_eq!(status, 200, "{text}");
        result(&text)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The JSON-RPC answer in a body of JSON or of events.
#[track_caller]
fn result(text: &str) -> Value {
    let line = text
        .lines()
        .map(|line| line.strip_prefix("data: ").unwrap_or(line))
        .find(|line| line.starts_with("{\"jsonrpc\""));
    let value: Value = serde_json::from_str(line.unwrap_or_else(|| panic!("{text}"))).unwrap();
    value["result"].clone()
}

fn initialize() -> String {
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "old", "version": "1" } });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }).to_string()
}

#[test]
fn only_who_has_the_token_and_calls_us_by_name_gets_in() {
    use std::os::unix::fs::PermissionsExt;
    let env = env();
    let server = Server::new(&env, &["--read-only"]);
    let mode = env.home().join("mcp-token").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let bearer = server.bearer();
    let own = ("Authorization", bearer.as_str());
    let body = initialize();
    let origin = format!("http://{}", server.address);
    for (headers, expected) in [
        (vec![own], 200),
        (vec![own, ("Origin", origin.as_str())], 200),
        (vec![], 401),
        (vec![("Authorization", "Bearer 0")], 401),
        (vec![("Authorization", server.token.as_str())], 401),
        (vec![own, ("Host", "evil.example")], 403),
        (vec![own, ("Origin", "http://evil.example")], 403),
        (vec![own, ("Origin", "null")], 403),
    ] {
        let (status, text) = server.post(&headers, &body);
        assert_eq!(status, expected, "{headers:?}: {text}");
        assert!(!text.to_ascii_lowercase().contains("access-control-allow"), "{text}");
    }
    let (status, _) = server.post(&[own], &"x".repeat(1024 * 1024 + 1));
    assert_eq!(status, 413);
    let (status, text) = server.post(&[own], "{");
    assert!((400..500).contains(&status), "{text}");
}

#[test]
fn both_eras_are_served() {
    let env = env();
    let server = Server::new(&env, &[]);
    let start =
        json!({ "name": "process_start", "arguments": { "name": "api", "command": "exec sleep 1000" } });
    let result = server.modern("tools/call", start);
    assert!(result["content"][0]["text"].as_str().unwrap().starts_with("api started"), "{result}");
    assert_eq!(server.modern("tools/list", json!({}))["tools"].as_array().unwrap().len(), 16);
    let audit = std::fs::read_to_string(env.home().join("audit.log")).unwrap();
    assert!(audit.contains("\"transport\":\"http\"") && audit.contains("modern 2"), "{audit}");

    let bearer = server.bearer();
    let own = ("Authorization", bearer.as_str());
    let (_, text) = server.post(&[own], &initialize());
    let session = text
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("mcp-session-id: ").map(str::to_owned));
    let session = session.unwrap_or_else(|| panic!("{text}"));
    let headers = [own, ("Mcp-Session-Id", session.as_str()), ("MCP-Protocol-Version", "2025-11-25")];
    let (status, _) = server
        .post(&headers, &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
    assert_eq!(status, 202);
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "process_list", "arguments": {} } });
    let (_, text) = server.post(&headers, &call.to_string());
    assert!(text.contains("api online"), "{text}");
}

#[test]
fn sessions_are_counted() {
    let env = env();
    let server = Server::new(&env, &[]);
    let bearer = server.bearer();
    let mut refused = None;
    for number in 0..80 {
        let (status, text) = server.post(&[("Authorization", &bearer)], &initialize());
        if status != 200 {
            refused = Some((number, status, text));
            break;
        }
    }
    let (number, status, text) = refused.expect("not without end");
    assert_eq!((number, status), (64, 503), "{text}");
    assert_eq!(
        server.modern("tools/list", json!({}))["tools"].as_array().unwrap().len(),
        16,
        "those without go on"
    );
}

#[test]
fn what_cannot_be_served_is_told() {
    let env = env();
    env.run(&["mcp-server", "--http", "example.com:80"]).fails(2, &["is no address", "127.0.0.1:7070"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    env.run(&["mcp-server", "--http", &address]).fails(1, &["cannot listen on", "choose another port"]);
    let token = env.home().join("mcp-token");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    env.run(&["mcp-server", "--http", "0"]).fails(6, &["others may read it"]);
}
