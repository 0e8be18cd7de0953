//! `velos mcp-server`: tools for AI agents.

use std::sync::Arc;

use clap::Parser;
use velos_client::Home;
use velos_core::app::AppSpec;
use velos_core::error::ErrorReply;
use velos_mcp::install::{Client, Entry};
use velos_mcp::{Host, Http, Listening, NewApp, Options, Selection};

use super::{declare, settings};
use crate::args::{Arguments, Command, McpClient, McpServer, McpTools, Start};

pub(crate) fn run(context: &super::Context, wanted: &McpServer) -> super::Result {
    if let Some(client) = wanted.install {
        return install(context, wanted, client);
    }
    let options = Options {
        read_only: wanted.read_only,
        selection: match wanted.tools {
            McpTools::Core => Selection::Core,
            McpTools::All => Selection::All,
        },
        allow: wanted.allow.clone(),
        structured: wanted.structured,
    };
    let (home, host) = (Home::from_environment()?, Arc::new(CommandLine));
    match &wanted.http {
        None => velos_mcp::serve_stdio(home, options, host)?,
        Some(address) => {
            let http = Http { address: velos_mcp::parse_address(address)?, hosts: wanted.http_host.clone() };
            velos_mcp::serve_http(home, options, host, &http, |listening| tell(context, listening))?;
        }
    }
    Ok(0)
}

/// To the person who started it.
fn tell(context: &super::Context, listening: &Listening) {
    if context.quiet {
        return;
    }
    let Listening { url, token_file, is_public } = listening;
    super::note(&format!("serving {url}\nthe bearer token is in {}\n", token_file.display()));
    if *is_public {
        super::note(
            "warning: other machines can reach it, and the token travels in the clear; put TLS in front of it\n",
        );
    }
}

fn install(context: &super::Context, wanted: &McpServer, client: McpClient) -> super::Result {
    let client = match client {
        McpClient::Claude => Client::Claude,
        McpClient::Cursor => Client::Cursor,
        McpClient::Codex => Client::Codex,
        McpClient::Gemini => Client::Gemini,
        McpClient::Vscode => Client::Vscode,
    };
    let here = std::env::current_dir()
        .map_err(|error| super::failed(format!("cannot tell where we are: {error}")))?;
    let home = match (wanted.user, std::env::var_os("HOME").filter(|home| !home.is_empty())) {
        (false, _) => None,
        (true, Some(home)) => Some(std::path::PathBuf::from(home)),
        (true, None) => return Err(super::usage("HOME is not set").hint("set it, or leave out --user")),
    };
    let plan = velos_mcp::install::plan(client, &entry(wanted), &here, home.as_deref())?;
    if wanted.print {
        crate::output::print(&plan.text)?;
        super::note(&format!("this would be {}\n", plan.path.display()));
        return Ok(0);
    }
    plan.write()?;
    let said = if plan.is_unchanged { "says so already" } else { "has the entry \"velos\" now" };
    context.say(&format!("[OK] {} {said}\n", plan.path.display()))?;
    Ok(0)
}

/// How a client starts this server, with the flags that were given.
fn entry(wanted: &McpServer) -> Entry {
    let mut args = vec!["mcp-server".to_owned()];
    if wanted.read_only {
        args.push("--read-only".to_owned());
    }
    if wanted.tools == McpTools::Core {
        args.push("--tools=core".to_owned());
    }
    args.extend(wanted.allow.iter().map(|glob| format!("--allow={glob}")));
    if wanted.structured {
        args.push("--structured".to_owned());
    }
    let own = std::env::current_exe().unwrap_or_else(|_| "velos".into());
    let search = std::env::var("PATH").unwrap_or_default();
    // The name outlives an update; a path only when the name means something else.
    let is_in_path = crate::interpreter::find("velos", &search)
        .is_some_and(|found| std::fs::canonicalize(found).ok() == std::fs::canonicalize(&own).ok());
    let command = if is_in_path { "velos".to_owned() } else { own.to_string_lossy().into_owned() };
    let env = std::env::var("VELOS_HOME").ok().filter(|home| !home.is_empty());
    Entry { command, args, env: env.map(|home| ("VELOS_HOME".to_owned(), home)).into_iter().collect() }
}

/// Declares apps as `velos start` does.
#[derive(Debug)]
struct CommandLine;

impl Host for CommandLine {
    fn declare(&self, app: &NewApp) -> Result<AppSpec, ErrorReply> {
        let start = flags(app)?;
        let shared = declare::Shared::new(&start)?;
        let target = app.command.trim();
        if target.is_empty() {
            return Err(
                super::usage("command: it is empty").hint("give a script, a program or a command line")
            );
        }
        declare::declare(&start, &shared, target).map(|(spec, _)| spec)
    }

    fn defaults(&self) -> Result<Option<String>, ErrorReply> {
        settings::text()
    }

    fn set_default(
        &self,
        key: &str,
        value: Option<&str>,
        dry_run: bool,
    ) -> Result<Option<String>, ErrorReply> {
        settings::write(key, value, dry_run).map(|(_, before)| before)
    }
}

/// The same words that a person would type, so that the same checks hold.
fn flags(app: &NewApp) -> Result<Start, ErrorReply> {
    let mut words = vec!["velos".to_owned(), "start".to_owned()];
    let mut flag = |name: &str, value: &Option<String>| {
        words.extend(value.as_ref().map(|value| format!("--{name}={value}")));
    };
    flag("name", &app.name);
    flag("cwd", &app.cwd);
    flag("instances", &app.instances.map(|count| count.to_string()));
    flag("max-memory-restart", &app.max_memory);
    for (key, value) in &app.env {
        flag("env", &Some(format!("{key}={value}")));
    }
    if app.autorestart == Some(false) {
        words.push("--no-autorestart".to_owned());
    }
    let parsed = Arguments::try_parse_from(&words).map_err(|error| {
        // The first line says what is wrong; the others are about flags, which an agent does not use.
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").replace("--", "");
        super::usage(first)
    })?;
    match parsed.command {
        Some(Command::Start(start)) => Ok(start),
        _ => Err(super::usage("the command is no start")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_declares_what_a_person_would() {
        let app = NewApp {
            command: "sleep 100; echo $X".into(),
            name: Some("odd name".into()),
            env: vec![("A".into(), "--b=c d".into())],
            instances: Some(2),
            autorestart: Some(false),
            max_memory: Some("300M".into()),
            cwd: Some("/".into()),
        };
        let spec = CommandLine.declare(&app).unwrap();
        assert_eq!((spec.name.as_str(), spec.instances), ("odd name", 2));
        assert_eq!(spec.env[&"A".into()], "--b=c d".into());
        assert_eq!(spec.restart.max_memory_bytes, Some(300 << 20));
        assert!(!spec.restart.autorestart && spec.cwd.as_path() == std::path::Path::new("/"));
    }

    #[test]
    fn what_makes_no_sense_names_the_field() {
        let refused = |app: NewApp| CommandLine.declare(&app).unwrap_err().message;
        let sh = NewApp { command: "sh".into(), ..NewApp::default() };
        assert!(refused(NewApp { instances: Some(100_000), ..sh.clone() }).contains("instances"));
        assert!(
            refused(NewApp { max_memory: Some("lots".into()), ..sh.clone() }).contains("max-memory-restart")
        );
        assert!(refused(NewApp { command: "  ".into(), ..sh.clone() }).contains("command"));
        assert!(refused(NewApp { command: "no-such-program-here".into(), ..sh }).contains("no such program"));
    }
}
