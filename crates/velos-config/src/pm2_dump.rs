//! From PM2's saved list (`~/.pm2/dump.pm2`) or one of its ecosystem files to the text of a `velos.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::draft::{Complaints, draft};
use crate::node::{Entry as Pair, Node, Value};
use crate::problem::{ConfigError, Problem};
use crate::read::{self, Document, Format};
use crate::write::{self, Entry};

/// Fields of the saved list that mean what the attribute of the same name means.
const SAME: [&str; 26] = [
    "namespace",
    "args",
    "node_args",
    "autorestart",
    "autostart",
    "max_restarts",
    "min_uptime",
    "restart_delay",
    "exp_backoff_restart_delay",
    "stop_exit_codes",
    "max_memory_restart",
    "cron_restart",
    "kill_timeout",
    "treekill",
    "shutdown_with_message",
    "wait_ready",
    "listen_timeout",
    "watch",
    "ignore_watch",
    "watch_delay",
    "instance_var",
    "increment_var",
    "log_date_format",
    "log_type",
    "uid",
    "gid",
];
/// Variables of a shell or of PM2 itself, not of an app.
const NOISE: [&str; 16] = [
    "_",
    "PWD",
    "OLDPWD",
    "SHLVL",
    "TERM",
    "COLORTERM",
    "LS_COLORS",
    "LESSOPEN",
    "LESSCLOSE",
    "MAIL",
    "TMUX",
    "TMUX_PANE",
    "WINDOWID",
    "DISPLAY",
    "NODE_APP_INSTANCE",
    "unique_id",
];
const NOISE_PREFIXES: [&str; 6] = ["PM2_", "SSH_", "XDG_", "DBUS_", "npm_", "pm_"];

/// The text of a `velos.toml`, and what could not be carried over.
///
/// # Errors
/// The file cannot be read or is none of PM2's.
pub fn import(path: &Path) -> Result<(String, Vec<Problem>), ConfigError> {
    let is_dump = Format::of(path).is_none();
    let document = match is_dump {
        true => read::parse(path, Format::Json, read::bounded(path)?)?,
        false => read::document(path, true)?,
    };
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let apps = match is_dump {
        true => saved_apps(&document)?,
        false => crate::file::listed(&document, &mut errors),
    };
    let mut entries = Vec::new();
    for node in &apps {
        let Some(pairs) = node.as_map() else { continue };
        let mut complaints =
            Complaints { document: &document, is_pm2: true, errors: &mut errors, warnings: &mut warnings };
        let draft = draft(pairs, node.at, &mut complaints);
        let name = draft.get("name").or(draft.get("script")).and_then(Node::scalar).unwrap_or_default();
        let stem = Path::new(&name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = if draft.get("name").is_some() { name } else { stem.unwrap_or_default() };
        let mut entry = Entry::new(name);
        let known = crate::keys::KEYS.iter().filter(|key| key.path != "name");
        for (path, node) in known.filter_map(|key| Some((key.path, draft.get(key.path)?))) {
            entry.node(path, node);
        }
        for (profile, node) in &draft.profiles {
            entry.node(&format!("env_{profile}"), node);
        }
        entries.push(entry);
    }
    if !errors.is_empty() {
        return Err(ConfigError { problems: errors });
    }
    let head = format!("Made from {}; see `velos config check`.", path.display());
    Ok((write::toml(&head, &entries), warnings))
}

/// The saved list has one entry for each instance; an app is made of those of one name.
fn saved_apps(document: &Document) -> Result<Vec<Node>, ConfigError> {
    let wrong =
        || Problem::of_file(&document.path, "it is no saved list of PM2: a list of processes was expected");
    let Value::List(processes) = &document.root.value else { return Err(wrong().into()) };
    let mut order: Vec<String> = Vec::new();
    let mut groups: BTreeMap<String, Vec<&Node>> = BTreeMap::new();
    for process in processes {
        let name = process.get("name").and_then(Node::scalar).ok_or_else(wrong)?;
        if process.get("pm_exec_path").is_none() {
            return Err(wrong().into());
        }
        // What an app of PM2 itself does, velos has built in.
        if process.get("pmx_module").is_some_and(|node| node.value == Value::Bool(true)) {
            continue;
        }
        if !groups.contains_key(&name) {
            order.push(name.clone());
        }
        groups.entry(name).or_default().push(process);
    }
    let app = |name: &String| groups.get(name).map(|processes| saved_app(name, processes));
    Ok(order.iter().filter_map(app).collect())
}

fn saved_app(name: &str, processes: &[&Node]) -> Node {
    let mut pairs: Vec<Pair> = Vec::new();
    let Some(first) = processes.first() else { return Node::new(0, Value::Map(pairs)) };
    let mut put = |key: &str, value: Value| {
        pairs.push(Pair { key: key.to_owned(), at: first.at, node: Node::new(first.at, value) });
    };
    let text = |key: &str| first.get(key).and_then(Node::scalar).filter(|text| !text.is_empty());
    put("name", Value::Text(name.to_owned()));
    let script = text("pm_exec_path").unwrap_or_default();
    let interpreter = text("exec_interpreter").filter(|name| name != "node" || !script.ends_with("js"));
    // A command line was saved as a shell with its words.
    let args: Vec<String> = match first.get("args").map(|node| &node.value) {
        Some(Value::List(nodes)) => nodes.iter().filter_map(Node::scalar).collect(),
        _ => Vec::new(),
    };
    let is_shell = ["/bash", "/sh"].iter().any(|shell| script.ends_with(shell));
    match args.as_slice() {
        [flag, line] if is_shell && flag == "-c" => put("script", Value::Text(line.clone())),
        _ => {
            put("script", Value::Text(script.clone()));
            interpreter.into_iter().for_each(|name| put("interpreter", Value::Text(name)));
        }
    }
    text("pm_cwd").into_iter().for_each(|cwd| put("cwd", Value::Text(cwd)));
    if processes.len() > 1 {
        put("instances", Value::Int(processes.len() as i64));
    }
    if text("exec_mode").as_deref() == Some("cluster_mode") {
        put("exec_mode", Value::Text("cluster".to_owned()));
    }
    for key in SAME {
        let is_line = key == "args" && is_shell && args.len() == 2;
        if let Some(node) = first.get(key).filter(|node| !is_line && says_something(node)) {
            put(key, node.value.clone());
        }
    }
    for (from, to) in [("pm_out_log_path", "out_file"), ("pm_err_log_path", "error_file")] {
        // PM2's own folder goes with PM2.
        text(from)
            .filter(|path| !path.contains("/.pm2/"))
            .into_iter()
            .for_each(|path| put(to, Value::Text(path)));
    }
    let env = variables(first);
    if !env.is_empty() {
        put("env", Value::Map(env));
    }
    Node::new(first.at, Value::Map(pairs))
}

fn says_something(node: &Node) -> bool {
    match &node.value {
        Value::Null | Value::Bool(false) => false,
        Value::Text(text) => !text.is_empty() && text != "default",
        Value::List(nodes) => !nodes.is_empty(),
        _ => true,
    }
}

/// The saved environment is the whole of the caller's; what is the same here now came from there.
fn variables(process: &Node) -> Vec<Pair> {
    let Some(pairs) = process.get("env").and_then(Node::as_map) else { return Vec::new() };
    let is_wanted = |pair: &&Pair| {
        let (key, value) = (pair.key.as_str(), pair.node.scalar());
        let is_noise = NOISE.contains(&key) || NOISE_PREFIXES.iter().any(|prefix| key.starts_with(prefix));
        let is_here = std::env::var(key).ok() == value;
        value.is_some()
            && !is_noise
            && !is_here
            && pair.key != process.get("name").and_then(Node::scalar).unwrap_or_default()
    };
    pairs.iter().filter(is_wanted).cloned().collect()
}
