//! What a file says of one app, by the names of the table of keys: aliases resolved, unknown keys complained about.

use std::collections::{BTreeMap, HashSet};

use crate::keys::{self, SECTIONS, Shape};
use crate::node::{Entry, Node, Offset, Value};
use crate::problem::Problem;
use crate::read::Document;

/// More unknown keys are not told.
const UNKNOWN_MAX: usize = 200;

/// How often files are looked at when nothing is said. Milliseconds.
const POLL_MS: i64 = 1_000;

/// One app.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    /// By path of the key.
    pub(crate) values: BTreeMap<&'static str, Node>,
    /// `env_<profile>` by profile.
    pub(crate) profiles: BTreeMap<String, Node>,
    /// Where it stands.
    pub(crate) at: Offset,
}

impl Draft {
    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.values.get(path).filter(|node| node.value != Value::Null)
    }

    /// What this one does not say is taken from another; variables are joined.
    pub(crate) fn inherit(&mut self, from: &Draft) {
        for (path, node) in &from.values {
            match (self.values.get_mut(path), *path) {
                (None, _) => {
                    // A probe of one's own replaces that of all; a rhythm does not.
                    self.values.insert(path, node.clone());
                }
                (Some(own), "env") => join(own, node),
                (Some(_), _) => {}
            }
        }
        for (profile, node) in &from.profiles {
            match self.profiles.get_mut(profile) {
                Some(own) => join(own, node),
                None => {
                    self.profiles.insert(profile.clone(), node.clone());
                }
            }
        }
    }
}

fn join(own: &mut Node, from: &Node) {
    if let (Value::Map(own), Value::Map(from)) = (&mut own.value, &from.value) {
        let known: HashSet<String> = own.iter().map(|entry| entry.key.clone()).collect();
        let missing: Vec<Entry> = from.iter().filter(|entry| !known.contains(&entry.key)).cloned().collect();
        own.extend(missing);
    }
}

/// Problems go to `errors`, or to `warnings` when the file is one of PM2's, which ignores what it does not know.
#[derive(Debug)]
pub(crate) struct Complaints<'a> {
    pub(crate) document: &'a Document,
    pub(crate) is_pm2: bool,
    pub(crate) errors: &'a mut Vec<Problem>,
    pub(crate) warnings: &'a mut Vec<Problem>,
}

impl Complaints<'_> {
    pub(crate) fn error(&mut self, at: Offset, message: impl Into<String>) {
        self.errors.push(self.document.problem(at, message));
    }

    pub(crate) fn warning(&mut self, at: Offset, message: impl Into<String>) {
        self.warnings.push(self.document.problem(at, message));
    }

    /// A key that is none. What comes after very many of them is not looked at: the file is no configuration.
    pub(crate) fn unknown(&mut self, entry: &Entry, near: impl FnOnce() -> Option<&'static str>) {
        if self.errors.len() + self.warnings.len() >= UNKNOWN_MAX {
            return;
        }
        let mut problem = self.document.problem(entry.at, format!("there is no key {:?}", entry.key));
        problem.hint = near().map(|near| format!("did you mean {near:?}?"));
        if self.is_pm2 { self.warnings.push(problem) } else { self.errors.push(problem) }
    }
}

/// Read the table of one app.
pub(crate) fn draft(entries: &[Entry], at: Offset, complaints: &mut Complaints<'_>) -> Draft {
    let mut draft = Draft { at, ..Draft::default() };
    for entry in entries {
        let word = entry.key.as_str();
        let profile = word.strip_prefix("env_").filter(|_| word != "env_file");
        if let Some(profile) = profile.filter(|profile| !profile.is_empty()) {
            draft.profiles.insert(profile.to_owned(), entry.node.clone());
        } else if let Some(section) = SECTIONS.iter().find(|section| **section == word) {
            read_section(&mut draft, section, entry, complaints);
        } else if keys::snake_case(word) == "watch_options" && entry.node.as_map().is_some() {
            read_watch_options(&mut draft, entry, complaints);
        } else if complaints.is_pm2 && word == "command" {
            put(&mut draft, "script", entry, complaints);
        } else {
            match keys::find(None, word) {
                Some(key) => match key.shape {
                    Shape::Ignored(reason) => {
                        complaints.warning(entry.at, format!("{word} has no effect: {reason}"));
                    }
                    _ => put(&mut draft, key.path, entry, complaints),
                },
                None => complaints.unknown(entry, || keys::nearest(None, word)),
            }
        }
    }
    draft
}

/// Some sections may also be said in short: `watch = true`, `user = "www"`.
fn read_section(draft: &mut Draft, section: &'static str, entry: &Entry, complaints: &mut Complaints<'_>) {
    match (section, &entry.node.value) {
        (_, Value::Map(inner)) => {
            if section == "watch" {
                draft.values.entry("watch.enabled").or_insert(Node::new(entry.at, Value::Bool(true)));
            }
            for inner in inner {
                match keys::find(Some(section), &inner.key) {
                    Some(key) => put(draft, key.path, inner, complaints),
                    None => complaints.unknown(inner, || keys::nearest(Some(section), &inner.key)),
                }
            }
        }
        (_, Value::Null) => {}
        ("watch", Value::Bool(_)) => put(draft, "watch.enabled", entry, complaints),
        ("watch", Value::Text(_) | Value::List(_)) => {
            draft.values.insert("watch.enabled", Node::new(entry.at, Value::Bool(true)));
            put(draft, "watch.paths", entry, complaints);
        }
        ("user", Value::Text(_) | Value::Int(_)) => put(draft, "user.uid", entry, complaints),
        _ => complaints.error(entry.node.at, format!("{section} must be a table, not {}", entry.node.kind())),
    }
}

/// What PM2 hands to the library that watches for it.
fn read_watch_options(draft: &mut Draft, entry: &Entry, complaints: &mut Complaints<'_>) {
    let rhythm = entry.node.get("interval").map(|node| node.value.clone());
    for inner in entry.node.as_map().unwrap_or_default() {
        match (keys::snake_case(&inner.key).as_str(), &inner.node.value) {
            ("use_polling", Value::Bool(true)) => {
                let rhythm = rhythm.clone().unwrap_or(Value::Int(POLL_MS));
                draft.values.insert("watch.poll", Node::new(inner.at, rhythm));
            }
            // The standard; the rhythm says nothing without it.
            ("use_polling", Value::Bool(false)) | ("interval", _) => {}
            ("follow_symlinks", _) => put(draft, "watch.follow_symlinks", inner, complaints),
            _ => complaints.warning(inner.at, format!("{} of {} has no effect", inner.key, entry.key)),
        }
    }
}

fn put(draft: &mut Draft, path: &'static str, entry: &Entry, complaints: &mut Complaints<'_>) {
    // `watch: true` before a `watch` table is no contradiction, and `enabled` may be said in it.
    if draft.values.contains_key(path) && path != "watch.enabled" {
        complaints.error(entry.at, format!("{:?} says {path} a second time", entry.key));
        return;
    }
    draft.values.insert(path, entry.node.clone());
}
