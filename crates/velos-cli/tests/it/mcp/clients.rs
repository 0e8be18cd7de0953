//! Clients that others wrote: the SDKs of Python and TypeScript. Without them the tests are skipped aloud.

use std::path::PathBuf;
use std::process::Command;

use velos_testkit::{TestEnv, program, skipped};

use super::budget::tools;
use crate::env;

const PYTHON: &str = r#"
import asyncio, os, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    server = StdioServerParameters(command=sys.argv[1], args=["mcp-server"], env=dict(os.environ))
    async with stdio_client(server) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            tools = await session.list_tools()
            assert len(tools.tools) == 16, tools
            result = await session.call_tool("process_start", {"name": "py", "command": "exec sleep 1000"})
            assert "py started" in result.content[0].text, result
            result = await session.call_tool("process_info", {"name": "pi"})
            assert getattr(result, "isError", getattr(result, "is_error", None)), result
            print(result.content[0].text)

asyncio.run(main())
"#;

const NODE: &str = r#"
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
const transport = new StdioClientTransport({ command: process.argv[2], args: ['mcp-server', '--structured'], env: process.env });
const client = new Client({ name: 'ts', version: '1' });
await client.connect(transport);
const { tools } = await client.listTools();
if (tools.length !== 16) throw new Error(`${tools.length} tools`);
const started = await client.callTool({ name: 'process_start', arguments: { name: 'ts', command: 'exec sleep 1000' } });
if (!started.content[0].text.startsWith('ts started')) throw new Error(JSON.stringify(started));
const { resources } = await client.listResources();
if (!resources.some((one) => one.uri === 'velos://process/ts/log')) throw new Error(JSON.stringify(resources));
console.log((await client.callTool({ name: 'process_list', arguments: {} })).content[0].text);
await client.close();
"#;

fn run(env: &TestEnv, program: PathBuf, script: PathBuf) -> String {
    let mut command = Command::new(program);
    command.arg(script).arg(env!("CARGO_BIN_EXE_velos"));
    let like = env.command(&["list"]);
    command
        .env_clear()
        .envs(like.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .current_dir(env.work());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_python_sdk_gets_along() {
    let python = tools().join("venv/bin/python");
    if !python.is_file() {
        return skipped("no Python package mcp; run `make test-tools`");
    }
    let env = env();
    let script = env.file("client.py", PYTHON, 0o644);
    assert!(run(&env, python, script).contains("did you mean \"py\"?"));
}

#[test]
fn the_typescript_sdk_gets_along() {
    let folder = tools();
    let (Some(node), true) =
        (program("node"), folder.join("node_modules/@modelcontextprotocol/sdk").is_dir())
    else {
        return skipped("no TypeScript SDK; run `make test-tools`");
    };
    let env = env();
    let script = env.file("client.mjs", NODE, 0o644);
    std::os::unix::fs::symlink(folder.join("node_modules"), env.work().join("node_modules")).unwrap();
    assert!(run(&env, node, script).contains("ts online"));
}

#[test]
fn a_client_is_set_up_and_its_file_kept() {
    let env = env();
    env.file(".mcp.json", "{\n  \"mcpServers\": {\n    \"other\": {}\n  }\n}\n", 0o600);
    let flags = ["mcp-server", "--read-only", "--allow", "dev-*", "--install", "claude"];
    let shown = env.run(&[&flags[..], &["--print"]].concat()).ok().stdout;
    assert!(!std::fs::read_to_string(env.work().join(".mcp.json")).unwrap().contains("velos"));
    env.run(&flags).ok();
    let text = std::fs::read_to_string(env.work().join(".mcp.json")).unwrap();
    assert_eq!(text, shown);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(value["mcpServers"]["other"].is_object());
    let entry = &value["mcpServers"]["velos"];
    assert_eq!(entry["args"], serde_json::json!(["mcp-server", "--read-only", "--allow=dev-*"]));
    assert_eq!(entry["command"], env!("CARGO_BIN_EXE_velos"));
    assert!(env.run(&flags).ok().stdout.contains("says so already"));
    env.run(&["mcp-server", "--install", "cursor", "--user"]).ok();
    env.file(".mcp.json", "nonsense", 0o600);
    env.run(&flags).fails(1, &[".mcp.json: it is not understood", "--print"]);
}
