//! Writes the entry of this server into the configuration of a client. What stands there stays, also order and comments.

mod json_text;
mod toml_text;

use std::io::Write;
use std::path::{Path, PathBuf};

use velos_core::error::{ErrorCode, ErrorReply};

/// Name of the entry.
const NAME: &str = "velos";

/// A program that talks to MCP servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Claude Code.
    Claude,
    /// Cursor.
    Cursor,
    /// Codex.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// Visual Studio Code.
    Vscode,
}

/// How the client starts the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Program.
    pub command: String,
    /// Its words.
    pub args: Vec<String>,
    /// Variables that it needs besides those of the client.
    pub env: Vec<(String, String)>,
}

/// What was, or would be, written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The file.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    /// It says so already.
    pub is_unchanged: bool,
}

/// The client's file with the entry in it: that of the project in `folder`, or the user's in `home`.
///
/// # Errors
/// When the file cannot be read, or is not what the client would read.
pub fn plan(client: Client, entry: &Entry, folder: &Path, home: Option<&Path>) -> Result<Plan, ErrorReply> {
    let path = file(client, folder, home);
    let before = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(&path, &error.to_string())),
    };
    let text = match client {
        Client::Codex => toml_text::with_entry(&before, NAME, entry),
        Client::Vscode => json_text::with_entry(&before, "servers", NAME, &json(entry, true)),
        Client::Claude | Client::Cursor | Client::Gemini => {
            json_text::with_entry(&before, "mcpServers", NAME, &json(entry, false))
        }
    };
    let text = text.map_err(|wrong| {
        failed(&path, &format!("it is not understood: {wrong}"))
            .hint("use --print, and add the entry by hand")
    })?;
    Ok(Plan { is_unchanged: text == before, path, text })
}

impl Plan {
    /// Replace the file at once, so that no client reads half of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<(), ErrorReply> {
        if self.is_unchanged {
            return Ok(());
        }
        let wrong = |error: std::io::Error| failed(&self.path, &error.to_string());
        // A link stays one.
        let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(wrong)?;
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".velos-{}", std::process::id()));
        let beside = PathBuf::from(beside);
        let written = (|| {
            let mut file = std::fs::File::create(&beside)?;
            if let Ok(meta) = path.metadata() {
                file.set_permissions(meta.permissions())?;
            }
            file.write_all(self.text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, &path)
        })();
        if written.is_err() {
            // What is left of the attempt is of no use to anybody.
            let _ = std::fs::remove_file(&beside);
        }
        written.map_err(wrong)
    }
}

fn file(client: Client, folder: &Path, home: Option<&Path>) -> PathBuf {
    match (client, home) {
        (Client::Claude, None) => folder.join(".mcp.json"),
        (Client::Claude, Some(home)) => home.join(".claude.json"),
        (Client::Cursor, home) => home.unwrap_or(folder).join(".cursor/mcp.json"),
        (Client::Codex, home) => home.unwrap_or(folder).join(".codex/config.toml"),
        (Client::Gemini, home) => home.unwrap_or(folder).join(".gemini/settings.json"),
        (Client::Vscode, None) => folder.join(".vscode/mcp.json"),
        (Client::Vscode, Some(home)) if cfg!(target_os = "macos") => {
            home.join("Library/Application Support/Code/User/mcp.json")
        }
        (Client::Vscode, Some(home)) => home.join(".config/Code/User/mcp.json"),
    }
}

/// With its keys in the order that people expect.
fn json(entry: &Entry, has_type: bool) -> Vec<(&'static str, serde_json::Value)> {
    let mut fields = Vec::new();
    if has_type {
        fields.push(("type", serde_json::json!("stdio")));
    }
    fields.push(("command", serde_json::json!(entry.command)));
    fields.push(("args", serde_json::json!(entry.args)));
    if !entry.env.is_empty() {
        let map: serde_json::Map<String, serde_json::Value> =
            entry.env.iter().map(|(key, value)| (key.clone(), serde_json::json!(value))).collect();
        fields.push(("env", serde_json::Value::Object(map)));
    }
    fields
}

fn failed(path: &Path, why: &str) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry { command: "velos".into(), args: vec!["mcp-server".into()], env: Vec::new() }
    }

    #[test]
    fn files_that_are_not_there_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let all = [Client::Claude, Client::Cursor, Client::Codex, Client::Gemini, Client::Vscode];
        let mut text = String::new();
        for client in all {
            let plan = plan(client, &entry(), folder.path(), None).unwrap();
            plan.write().unwrap();
            let again = super::plan(client, &entry(), folder.path(), None).unwrap();
            assert!(again.is_unchanged, "{client:?}: {}", again.text);
            let path = plan.path.strip_prefix(folder.path()).unwrap();
            text.push_str(&format!("== {}\n{}", path.display(), plan.text));
        }
        insta::assert_snapshot!("installed", text);
        assert_eq!(
            std::fs::read_dir(folder.path().join(".cursor")).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn what_is_not_understood_stays() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".mcp.json"), "[]").unwrap();
        let error = plan(Client::Claude, &entry(), folder.path(), None).unwrap_err();
        assert!(error.message.contains("is not understood") && error.hint.unwrap().contains("--print"));
        let home = folder.path().join("home");
        assert_eq!(file(Client::Claude, folder.path(), Some(&home)), home.join(".claude.json"));
    }
}
