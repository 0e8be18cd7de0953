//! From what a file says of an app to its declaration. Each problem is noted with its place, and reading goes on, so
//! that all of them are told at once.

mod run;
mod sections;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use velos_core::app::{AppSpec, CronSpec};
use velos_core::name::AppName;
use velos_core::raw_string::RawString;

use crate::declaration::{Declaration, Launch};
use crate::draft::{Complaints, Draft};
use crate::env_file;
use crate::node::{Node, Value};
use crate::value;

/// What holds for all apps of a file.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// Relative paths begin here.
    pub(crate) folder: PathBuf,
    /// The file, absolute.
    pub(crate) file: PathBuf,
    /// `--env`.
    pub(crate) profile: Option<String>,
    /// Cores, for "max".
    pub(crate) cpus: u32,
}

/// Reads the values of one draft.
pub(crate) struct Lower<'a, 'b> {
    draft: &'a Draft,
    ground: &'a Ground,
    complaints: &'a mut Complaints<'b>,
    /// Home directory of the user that it is to run as.
    home: Option<String>,
}

/// The declaration, or nothing when a problem was noted that leaves no app.
pub(crate) fn declaration(
    draft: &Draft,
    key: Option<&str>,
    ground: &Ground,
    complaints: &mut Complaints<'_>,
) -> Option<Declaration> {
    let before = complaints.errors.len();
    let mut lower = Lower { draft, ground, complaints, home: None };
    let declaration = lower.all(key)?;
    (lower.complaints.errors.len() == before).then_some(declaration)
}

impl Lower<'_, '_> {
    fn all(&mut self, key: Option<&str>) -> Option<Declaration> {
        let cwd = self.file("cwd").unwrap_or_else(|| self.ground.folder.clone());
        let launch = self.launch()?;
        let name = self.name(key, &launch)?;
        let mut spec = AppSpec::new(name, "");
        spec.argv.clear();
        spec.cwd = cwd.clone().into();
        spec.declared_in = Some(self.ground.file.clone().into());
        if let Some(namespace) = self.text("namespace") {
            if AppName::new(namespace.as_str()).is_err() {
                self.wrong(
                    "namespace",
                    format!("{namespace:?} is no namespace; the rules of app names hold"),
                );
            }
            spec.namespace = namespace;
        }
        self.run(&mut spec, &launch);
        self.sections(&mut spec, &cwd);
        let variables = self.variables(&mut spec);
        if let Err(error) = spec.check() {
            self.complaints.error(self.draft.at, format!("app \"{}\": {error}", spec.name));
        }
        Some(Declaration { spec, launch, variables })
    }

    fn launch(&mut self) -> Option<Launch> {
        let (script, command) = (self.text("script"), self.text("command"));
        let (target, is_shell) = match (script, command) {
            (Some(script), None) => (script, false),
            (None, Some(command)) => (command, true),
            (Some(_), Some(_)) => {
                self.wrong("command", "excludes script; give one of them");
                return None;
            }
            (None, None) => {
                self.complaints.error(self.draft.at, "an app needs a script or a command");
                return None;
            }
        };
        if target.trim().is_empty() {
            self.wrong(if is_shell { "command" } else { "script" }, "must not be empty");
            return None;
        }
        let expanded = match target.strip_prefix("~/") {
            Some(_) => value::path(&target, Path::new("/")).to_string_lossy().into_owned(),
            None => target,
        };
        Some(Launch {
            target: expanded,
            is_shell,
            interpreter: self.text("interpreter").filter(|name| !name.is_empty()),
            interpreter_args: self.take("interpreter_args", value::words).unwrap_or_default(),
            args: self.take("args", value::words).unwrap_or_default(),
            source_maps: self.take("source_map_support", value::switch).unwrap_or(true)
                && !self.take("disable_source_map_support", value::switch).unwrap_or(false),
        })
    }

    fn name(&mut self, key: Option<&str>, launch: &Launch) -> Option<AppName> {
        let base = || {
            let stem = Path::new(&launch.target).file_stem().map(|stem| stem.to_string_lossy().into_owned());
            match launch.target.contains(char::is_whitespace) || launch.is_shell {
                true => launch.target.replace('/', " ").trim().chars().take(60).collect(),
                false => stem.unwrap_or_default(),
            }
        };
        let mut name = self.text("name").or(key.map(str::to_owned)).unwrap_or_else(base);
        let append = self.take("append_env_to_name", value::switch).unwrap_or(false);
        if let Some(profile) = self.ground.profile.as_ref().filter(|_| append) {
            name = format!("{name}-{profile}");
        }
        let checked = AppName::new(name);
        checked.map_err(|error| self.complaints.error(self.draft.at, error.to_string())).ok()
    }

    /// `env_file`, `env`, the profile, the port: the later wins.
    fn variables(&mut self, spec: &mut AppSpec) -> Vec<(String, String)> {
        let mut variables: Vec<(String, String)> =
            self.home.take().map(|home| ("HOME".to_owned(), home)).into_iter().collect();
        let mut origin = Origin::default();
        origin.all(&variables, "user");
        for file in self.take("env_file", value::texts).unwrap_or_default() {
            let path = value::path(&file, &self.ground.folder);
            match env_file::load(&path) {
                Ok(more) => {
                    origin.all(&more, &path.display().to_string());
                    variables.extend(more);
                }
                Err(error) => self.wrong("env_file", error.to_string()),
            }
            spec.env_file.push(path.into());
        }
        if let Some(node) = self.draft.get("env").cloned() {
            let more = self.table_of_variables(&node);
            origin.none(&more);
            variables.extend(more);
        }
        if let Some(profile) = &self.ground.profile
            && let Some(node) = self.draft.profiles.get(profile)
        {
            let more = self.table_of_variables(node);
            origin.all(&more, &format!("env_{profile}"));
            variables.extend(more);
            spec.profile = Some(profile.clone());
        }
        spec.port = self.number("port", 0, 65_535);
        let port = spec.port.map(|port| ("PORT".to_owned(), port.to_string()));
        origin.all(port.as_slice(), "port");
        variables.extend(port);
        spec.env_origin = origin.0;
        variables
    }

    fn table_of_variables(&mut self, node: &Node) -> Vec<(String, String)> {
        let Value::Map(entries) = &node.value else {
            self.complaints.error(node.at, format!("env must be a table, not {}", node.kind()));
            return Vec::new();
        };
        let mut variables = Vec::new();
        for entry in entries {
            let text = match &entry.node.value {
                Value::Null => continue,
                Value::Map(_) | Value::List(_) => entry.node.to_json().to_string(),
                _ => entry.node.scalar().unwrap_or_default(),
            };
            if entry.key.is_empty() || entry.key.contains(['=', '\0']) || text.contains('\0') {
                self.complaints.error(entry.at, format!("{:?} cannot be a variable of a process", entry.key));
                continue;
            }
            variables.push((entry.key.clone(), text));
        }
        variables
    }

    fn take<T>(&mut self, path: &'static str, read: impl Fn(&Node) -> Result<T, String>) -> Option<T> {
        let node = self.draft.get(path)?;
        read(node).map_err(|wrong| self.complaints.error(node.at, format!("{path} {wrong}"))).ok()
    }

    fn wrong(&mut self, path: &'static str, message: impl std::fmt::Display) {
        let at = self.draft.get(path).map_or(self.draft.at, |node| node.at);
        self.complaints.error(at, format!("{path}: {message}"));
    }

    fn text(&mut self, path: &'static str) -> Option<String> {
        self.take(path, value::text)
    }

    fn file(&mut self, path: &'static str) -> Option<PathBuf> {
        let folder = &self.ground.folder;
        self.take(path, |node| value::file(node, folder))
    }

    fn number<T: TryFrom<i64>>(&mut self, path: &'static str, low: i64, high: i64) -> Option<T> {
        T::try_from(self.take(path, |node| value::number(node, low, high))?).ok()
    }

    fn set<T>(&mut self, into: &mut T, path: &'static str, read: impl Fn(&Node) -> Result<T, String>) {
        if let Some(value) = self.take(path, read) {
            *into = value;
        }
    }

    /// A moment that comes again; 0, false and "" mean none.
    fn cron(&mut self, path: &'static str) -> Option<CronSpec> {
        let node = self.draft.get(path)?;
        if matches!(node.value, Value::Int(0) | Value::Bool(false)) {
            return None;
        }
        let expression = self.text(path).filter(|text| !text.is_empty() && text != "0")?;
        let timezone = self.text("timezone");
        Some(CronSpec { expression, timezone })
    }
}

/// Where each variable came from last, if not from `env`.
#[derive(Default)]
struct Origin(BTreeMap<RawString, String>);

impl Origin {
    fn all(&mut self, variables: &[(String, String)], words: &str) {
        self.0.extend(variables.iter().map(|(key, _)| (key.as_str().into(), words.to_owned())));
    }

    fn none(&mut self, variables: &[(String, String)]) {
        for (key, _) in variables {
            self.0.remove(&RawString::from(key.as_str()));
        }
    }
}
