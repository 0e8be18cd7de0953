//! A whole file: its apps, what they inherit, what it includes.

use std::path::{Path, PathBuf};

use crate::declaration::Declaration;
use crate::draft::{Complaints, Draft, draft};
use crate::lower::{self, Ground};
use crate::node::{Entry, Node, Value};
use crate::problem::{ConfigError, Problem};
use crate::read::{self, Document, Format};

/// More apps are refused.
const APPS_MAX: usize = 10_000;
/// More included files are refused.
const INCLUDES_MAX: usize = 64;
/// Accepted beside the apps.
const TOP: [&str; 7] = ["apps", "pm2", "defaults", "include", "deploy", "static", "$schema"];

/// What the caller chose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--env NAME`: the profile whose variables are added.
    pub profile: Option<String>,
    /// A TOML file whose `[defaults]` hold for what neither the app nor the file's own defaults say. It may be missing.
    pub defaults: Option<PathBuf>,
    /// A `.json` file that is none may be JavaScript, as under PM2.
    pub json_is_script: bool,
}

/// What a file declares.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// In the order of the file.
    pub apps: Vec<Declaration>,
    /// What is odd but does no harm.
    pub warnings: Vec<Problem>,
}

/// Whether a word on the command line names a configuration file: by extension; JavaScript only as `*.config.js`
/// and the like, since most is a script to start.
pub fn is_config_file(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match Format::of(path) {
        Some(Format::JavaScript) => {
            let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem);
            stem.ends_with(".config")
        }
        Some(_) => true,
        None => false,
    }
}

/// Read a file and what it includes.
///
/// # Errors
/// All problems with file, line, column and what to do.
pub fn load(path: &Path, options: &Options) -> Result<Config, ConfigError> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let document = read::document(&absolute, options.json_is_script)?;
    let folder = absolute.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
    interpret(document, options, &folder)
}

/// Read a text as if it stood in `path` (standard input, tests). What it is follows from the extension;
/// JavaScript is not evaluated but read as JSON5.
///
/// # Errors
/// As [`load`].
pub fn load_text(path: &Path, text: &str, options: &Options) -> Result<Config, ConfigError> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let format = Format::of(&absolute).unwrap_or(Format::Json);
    if text.len() as u64 > read::FILE_BYTES_MAX {
        let message = format!("it has {} bytes; at most {} are read", text.len(), read::FILE_BYTES_MAX);
        return Err(Problem::of_file(&absolute, message).into());
    }
    let document = read::parse(&absolute, format, text.to_owned())?;
    let folder = absolute.parent().map_or_else(|| PathBuf::from("/"), Path::to_path_buf);
    interpret(document, options, &folder)
}

/// Read a text without a name, as from standard input: TOML, JSON or YAML, whatever it looks like. Relative paths
/// begin at `folder`.
///
/// # Errors
/// As [`load`].
pub fn load_unnamed(folder: &Path, text: &str, options: &Options) -> Result<Config, ConfigError> {
    let path = folder.join("-");
    if text.len() as u64 > read::FILE_BYTES_MAX {
        let message = format!("it is longer than {} bytes", read::FILE_BYTES_MAX);
        return Err(Problem::of_file(&path, message).into());
    }
    let toml = read::parse(&path, Format::Toml, text.to_owned());
    let begin = text.trim_start();
    let is_json = begin.starts_with('{')
        || begin.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with('{'));
    let document = match toml {
        Ok(document) => document,
        Err(_) if is_json => read::parse(&path, Format::Json, text.to_owned())?,
        // A TOML file has such lines, a YAML file hardly.
        Err(error) if begin.lines().any(|line| line.starts_with('[') || line.contains(" = ")) => {
            return Err(error);
        }
        Err(_) => read::parse(&path, Format::Yaml, text.to_owned())?,
    };
    interpret(document, options, folder)
}

fn interpret(document: Document, options: &Options, folder: &Path) -> Result<Config, ConfigError> {
    let mut errors = Vec::new();
    let mut config = Config::default();
    let mut documents = vec![document];
    documents.extend(included(&documents[0], folder, &mut errors));
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32);
    let own = shared_defaults(&documents[0], &mut errors, &mut config.warnings);
    let is_pm2 = is_pm2(&documents[0].root) && own.values.is_empty();
    let mut shared = own;
    if let Some(general) = general_defaults(options, &mut errors, &mut config.warnings) {
        shared.inherit(&general);
    }
    for document in &documents {
        let base = document.path.parent().unwrap_or(folder).to_path_buf();
        let ground =
            Ground { folder: base, file: documents[0].path.clone(), profile: options.profile.clone(), cpus };
        let is_pm2 = is_pm2 && self::is_pm2(&document.root);
        read_apps(document, is_pm2, &shared, &ground, &mut config, &mut errors);
    }
    check_together(&documents[0], &config.apps, options, &mut errors, &mut config.warnings);
    errors.sort_by(|a, b| (&a.file, a.place).cmp(&(&b.file, b.place)));
    if errors.is_empty() { Ok(config) } else { Err(ConfigError { problems: errors }) }
}

/// Whether the shape of the file is PM2's, so that what is unknown is only warned of.
fn is_pm2(root: &Node) -> bool {
    !matches!(root.get("apps"), Some(Node { value: Value::Map(_), .. })) && root.get("defaults").is_none()
}

/// `include = ["other.toml"]`: files in the folder of the first, or below it; they include nothing themselves.
fn included(document: &Document, folder: &Path, errors: &mut Vec<Problem>) -> Vec<Document> {
    let Some(node) = document.root.get("include") else { return Vec::new() };
    let names = match crate::value::texts(node) {
        Ok(names) if names.len() <= INCLUDES_MAX => names,
        Ok(names) => {
            errors.push(
                document
                    .problem(node.at, format!("include has {} files; at most {INCLUDES_MAX}", names.len())),
            );
            return Vec::new();
        }
        Err(wrong) => {
            errors.push(document.problem(node.at, format!("include {wrong}")));
            return Vec::new();
        }
    };
    let mut documents = Vec::new();
    let root = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    for name in names {
        // Links are followed before it is judged where a file is.
        let path = match folder.join(&name).canonicalize() {
            Ok(path) => path,
            Err(error) => {
                errors.push(document.problem(node.at, format!("cannot include {name:?}: {error}")));
                continue;
            }
        };
        if !path.starts_with(&root) {
            let message = format!("cannot include {name:?}: it is outside the folder of this file");
            errors.push(document.problem(node.at, message).hint("move it into the folder, or below it"));
            continue;
        }
        match read::document(&path, false) {
            Ok(other) => {
                if let Some(nested) = other.root.get("include") {
                    errors.push(other.problem(nested.at, "an included file cannot include others"));
                }
                documents.push(other);
            }
            Err(error) => errors.extend(error.problems),
        }
    }
    documents
}

/// Of the user, for all files.
fn general_defaults(
    options: &Options,
    errors: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Option<Draft> {
    let path = options.defaults.as_ref().filter(|path| path.exists())?;
    match read::document(path, false) {
        Ok(document) => Some(shared_defaults(&document, errors, warnings)),
        Err(error) => {
            errors.extend(error.problems);
            None
        }
    }
}

fn shared_defaults(document: &Document, errors: &mut Vec<Problem>, warnings: &mut Vec<Problem>) -> Draft {
    let Some(node) = document.root.get("defaults") else { return Draft::default() };
    let Some(entries) = node.as_map() else {
        errors.push(document.problem(node.at, format!("defaults must be a table, not {}", node.kind())));
        return Draft::default();
    };
    let own = ["name", "script", "command", "exec", "cmd"];
    if let Some(entry) = entries.iter().find(|entry| own.contains(&entry.key.as_str())) {
        errors.push(
            document.problem(entry.at, format!("{} is of one app; it cannot stand in defaults", entry.key)),
        );
    }
    draft(entries, node.at, &mut Complaints { document, is_pm2: false, errors, warnings })
}

fn read_apps(
    document: &Document,
    is_pm2: bool,
    shared: &Draft,
    ground: &Ground,
    config: &mut Config,
    errors: &mut Vec<Problem>,
) {
    let mut complaints = Complaints { document, is_pm2, errors, warnings: &mut config.warnings };
    let apps = tables(&document.root, &mut complaints);
    if apps.len() > APPS_MAX {
        complaints.error(0, format!("{} apps; at most {APPS_MAX} are possible", apps.len()));
        return;
    }
    for (key, at, node) in apps {
        let Some(entries) = node.as_map() else {
            complaints.error(node.at, format!("an app must be a table, not {}", node.kind()));
            continue;
        };
        let mut draft = draft(entries, at, &mut complaints);
        // A check of one's own replaces that of all.
        let mut shared = shared.clone();
        let checks = ["health.http", "health.tcp", "health.exec", "health.log"];
        if checks.iter().any(|check| draft.values.contains_key(check)) {
            checks.iter().for_each(|check| drop(shared.values.remove(check)));
        }
        draft.inherit(&shared);
        config.apps.extend(lower::declaration(&draft, key, ground, &mut complaints));
    }
}

/// The tables of the apps: a list, `apps`, `pm2`, or the file is one app.
fn tables<'a>(root: &'a Node, complaints: &mut Complaints<'_>) -> Vec<(Option<&'a str>, usize, &'a Node)> {
    let list = |nodes: &'a [Node]| nodes.iter().map(|node| (None, node.at, node)).collect();
    let entries: &[Entry] = match &root.value {
        Value::List(nodes) => return list(nodes),
        Value::Map(entries) => entries,
        _ => {
            complaints
                .error(root.at, format!("a configuration must be a table of apps, not {}", root.kind()));
            return Vec::new();
        }
    };
    let apps = entries.iter().find(|entry| entry.key == "apps" || entry.key == "pm2");
    let is_single = apps.is_none()
        && entries.iter().any(|entry| {
            crate::keys::find(None, &entry.key).is_some_and(|key| matches!(key.path, "script" | "command"))
        });
    if is_single {
        return vec![(None, root.at, root)];
    }
    for entry in entries.iter().filter(|entry| !TOP.contains(&entry.key.as_str())) {
        complaints.unknown(entry, || crate::keys::best(TOP.into_iter(), &entry.key));
    }
    match apps.map(|entry| (&entry.node, &entry.node.value)) {
        Some((_, Value::List(nodes))) => list(nodes),
        Some((node, Value::Map(inner)))
            if inner.iter().all(|entry| entry.node.as_map().is_none()) && !inner.is_empty() =>
        {
            vec![(None, node.at, node)]
        }
        Some((_, Value::Map(inner))) => {
            inner.iter().map(|entry| (Some(entry.key.as_str()), entry.at, &entry.node)).collect()
        }
        Some((node, _)) => {
            complaints.error(node.at, format!("apps must be a table or a list, not {}", node.kind()));
            Vec::new()
        }
        None if entries.iter().any(|entry| entry.key == "include") => Vec::new(),
        None => {
            complaints
                .error(root.at, "it declares no app; write a table [apps.NAME] with a script or a command");
            Vec::new()
        }
    }
}

/// The tables of the apps of one of PM2's files.
pub(crate) fn listed(document: &Document, errors: &mut Vec<Problem>) -> Vec<Node> {
    let mut complaints = Complaints { document, is_pm2: true, errors, warnings: &mut Vec::new() };
    tables(&document.root, &mut complaints).into_iter().map(|(_, _, node)| node.clone()).collect()
}

/// What can only be said of all apps: names once, no circle of needs, a profile that exists.
fn check_together(
    document: &Document,
    apps: &[Declaration],
    options: &Options,
    errors: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let mut names = std::collections::BTreeSet::new();
    for app in apps {
        if !names.insert(app.spec.name.as_str()) {
            let message = format!("two apps are called {:?}", app.spec.name.as_str());
            errors.push(Problem::of_file(&document.path, message).hint("give one of them another name"));
        }
    }
    if let Some(circle) = crate::circle::find(apps) {
        let message = format!("depends_on goes in a circle: {}", circle.join(" -> "));
        errors.push(Problem::of_file(&document.path, message));
    }
    if let Some(profile) = &options.profile {
        let is_used = apps.iter().any(|app| app.spec.profile.is_some());
        if !is_used && !apps.is_empty() {
            let message = format!("no app has variables for the profile {profile:?} (env_{profile})");
            warnings.push(Problem::of_file(&document.path, message));
        }
    }
}
