//! The tables in an app: health, limits, user, watch, logs, hooks.

use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User};
use velos_core::app::{
    AppSpec, HealthSpec, Hook, Identity, Limits, LogFormat, Probe, Resource, Rlimit, WatchSpec,
};
use velos_core::raw_string::RawString;

use super::Lower;
use crate::node::{Node, Value};
use crate::value;

/// The form of time that `timestamps = true` means.
const TIME_FORM: &str = "YYYY-MM-DDTHH:mm:ss";

impl Lower<'_, '_> {
    pub(super) fn sections(&mut self, spec: &mut AppSpec, cwd: &Path) {
        spec.health = self.health();
        self.limits(&mut spec.limits);
        self.identity(&mut spec.identity);
        spec.watch = self.watch(cwd);
        self.logs(spec, cwd);
        let hooks = &mut spec.hooks;
        hooks.pre_start = self.take("hooks.pre_start", hook);
        hooks.post_start = self.take("hooks.post_start", hook);
        hooks.pre_stop = self.take("hooks.pre_stop", hook);
        hooks.post_stop = self.take("hooks.post_stop", hook);
        hooks.on_crash = self.take("hooks.on_crash", hook);
    }

    fn health(&mut self) -> Option<HealthSpec> {
        let kinds = ["health.http", "health.tcp", "health.exec", "health.log"];
        let given: Vec<&'static str> =
            kinds.into_iter().filter(|kind| self.draft.get(kind).is_some()).collect();
        let rhythm = ["health.interval", "health.timeout", "health.retries", "health.start_period"];
        let kind = match given.as_slice() {
            [] => {
                if let Some(path) = rhythm.into_iter().find(|path| self.draft.get(path).is_some()) {
                    self.wrong(path, "needs a check; give one of http, tcp, exec, log");
                }
                return None;
            }
            [kind] => *kind,
            [_, second, ..] => {
                self.wrong(second, "is the second check; give one of http, tcp, exec, log");
                return None;
            }
        };
        let text = self.text(kind)?;
        let probe = match kind {
            "health.http" if !text.starts_with("http://") => {
                self.wrong(kind, format!("{text:?} must begin with http://"));
                return None;
            }
            "health.tcp" if !text.contains(':') => {
                self.wrong(kind, format!("{text:?} must be host:port"));
                return None;
            }
            "health.http" => Probe::Http(text),
            "health.tcp" => Probe::Tcp(text),
            "health.exec" => Probe::Exec(text),
            _ => Probe::Log(text),
        };
        let mut health = HealthSpec::new(probe);
        self.set(&mut health.interval_ms, "health.interval", value::time_ms);
        self.set(&mut health.timeout_ms, "health.timeout", value::time_ms);
        self.set(&mut health.start_period_ms, "health.start_period", value::time_ms);
        health.retries = self.number("health.retries", 1, 10_000).unwrap_or(health.retries);
        Some(health)
    }

    fn limits(&mut self, limits: &mut Limits) {
        let resources = [
            ("limits.nofile", Resource::Nofile),
            ("limits.core", Resource::Core),
            ("limits.nproc", Resource::Nproc),
            ("limits.stack", Resource::Stack),
            ("limits.memlock", Resource::Memlock),
            ("limits.as", Resource::As),
            ("limits.cpu", Resource::Cpu),
            ("limits.fsize", Resource::Fsize),
            ("limits.data", Resource::Data),
        ];
        for (path, resource) in resources {
            if let Some(limit) = self.take(path, rlimit) {
                limits.rlimits.insert(resource, limit);
            }
        }
        limits.nice = self.number("limits.nice", -20, 19);
        limits.oom_score_adj = self.number("limits.oom_score_adj", -1000, 1000);
        limits.memory_max_bytes = self.take("limits.memory_max", value::size_bytes);
        limits.memory_high_bytes = self.take("limits.memory_high", value::size_bytes);
        limits.cpu_max_percent = self.take("limits.cpu_max", cores_percent);
        limits.pids_max = self.number("limits.pids_max", 1, i64::from(u32::MAX));
    }

    fn identity(&mut self, identity: &mut Identity) {
        if let Some(found) = self.take("user.uid", user) {
            identity.user = self.text("user.uid");
            identity.uid = Some(found.uid);
            identity.gid = found.gid;
            identity.groups = found.groups;
            self.home = found.home;
        }
        if let Some(gid) = self.take("user.gid", group) {
            identity.gid = Some(gid);
        }
        if let Some(groups) = self.take("user.groups", groups) {
            identity.groups = groups;
        }
        identity.umask = self.take("user.umask", mode);
        self.set(&mut identity.no_new_privileges, "user.no_new_privileges", value::switch);
    }

    fn watch(&mut self, cwd: &Path) -> Option<WatchSpec> {
        let enabled = self.take("watch.enabled", value::switch).unwrap_or(false);
        let mut watch = WatchSpec::default();
        let paths = self.take("watch.paths", value::texts).unwrap_or_default();
        watch.paths = match paths.is_empty() {
            true => vec![cwd.into()],
            false => paths.iter().map(|path| value::path(path, cwd).into()).collect(),
        };
        self.set(&mut watch.ignore, "watch.ignore", value::texts);
        self.set(&mut watch.debounce_ms, "watch.delay", value::time_ms);
        self.set(&mut watch.follow_symlinks, "watch.follow_symlinks", value::switch);
        self.set(&mut watch.poll_ms, "watch.poll", value::time_ms);
        enabled.then_some(watch)
    }

    fn logs(&mut self, spec: &mut AppSpec, cwd: &Path) {
        let logs = &mut spec.logs;
        let disabled = self.take("logs.disabled", value::switch).unwrap_or(false);
        let file = |node: &Node| log_file(node, cwd);
        for (path, into, discard) in [
            ("logs.out", &mut logs.out, &mut logs.discard_out),
            ("logs.err", &mut logs.err, &mut logs.discard_err),
        ] {
            match self.take(path, file) {
                Some(LogFile::At(path)) => *into = Some(path),
                Some(LogFile::Nowhere) => *discard = true,
                Some(LogFile::Standard) | None => {}
            }
            *discard |= disabled;
        }
        logs.combined = match self.take("logs.combined", file).filter(|_| !disabled) {
            Some(LogFile::At(path)) => Some(path),
            // The daemon knows where its logs are.
            Some(LogFile::Standard) => Some(RawString::from("")),
            Some(LogFile::Nowhere) | None => None,
        };
        self.set(&mut logs.merge, "logs.merge", value::switch);
        if self.take("logs.format", |node| value::choice(node, &["raw", "json"])) == Some("json") {
            logs.format = LogFormat::Json;
        }
        logs.timestamps = self.take("logs.timestamps", time_form).flatten();
        self.set(&mut logs.max_size_bytes, "logs.max_size", value::size_bytes);
        logs.keep = self.number("logs.keep", 0, 100_000).unwrap_or(logs.keep);
        self.set(&mut logs.compress, "logs.compress", value::switch);
    }
}

enum LogFile {
    At(RawString),
    Nowhere,
    Standard,
}

fn log_file(node: &Node, cwd: &Path) -> Result<LogFile, String> {
    match &node.value {
        Value::Bool(true) => Ok(LogFile::Standard),
        Value::Text(text) if text.is_empty() => Ok(LogFile::Standard),
        Value::Bool(false) => Ok(LogFile::Nowhere),
        Value::Text(text) if text == "NULL" || text == "/dev/null" => Ok(LogFile::Nowhere),
        _ => value::file(node, cwd).map(|path| LogFile::At(path.into())),
    }
}

fn time_form(node: &Node) -> Result<Option<String>, String> {
    match &node.value {
        Value::Bool(wanted) => Ok(wanted.then(|| TIME_FORM.to_owned())),
        _ => value::text(node).map(|form| Some(form).filter(|form| !form.is_empty())),
    }
}

fn hook(node: &Node) -> Result<Hook, String> {
    let Some(entries) = node.as_map() else { return value::text(node).map(Hook::new) };
    let stranger = entries.iter().find(|entry| entry.key != "command" && entry.key != "timeout");
    if let Some(stranger) = stranger {
        return Err(format!("has no key {:?}; there are command and timeout", stranger.key));
    }
    let command = node.get("command").ok_or_else(|| "needs a command".to_owned())?;
    let mut hook = Hook::new(value::text(command)?);
    if let Some(timeout) = node.get("timeout") {
        hook.timeout_ms = value::time_ms(timeout)?;
    }
    Ok(hook)
}

fn rlimit(node: &Node) -> Result<Rlimit, String> {
    let one = |node: &Node| match &node.value {
        Value::Text(text) if text == "unlimited" => Ok(None),
        Value::Text(_) | Value::Int(_) => value::size_bytes(node).map(Some),
        _ => Err("must be a number, \"unlimited\", or a table of soft and hard".to_owned()),
    };
    let Some(entries) = node.as_map() else { return one(node).map(|both| Rlimit { soft: both, hard: both }) };
    if let Some(stranger) = entries.iter().find(|entry| entry.key != "soft" && entry.key != "hard") {
        return Err(format!("has no key {:?}; there are soft and hard", stranger.key));
    }
    let (soft, hard) = (node.get("soft").map(one).transpose()?, node.get("hard").map(one).transpose()?);
    match (soft, hard) {
        (Some(soft), hard) => Ok(Rlimit { soft, hard: hard.unwrap_or(soft) }),
        (None, Some(hard)) => Ok(Rlimit { soft: hard, hard }),
        (None, None) => Err("needs soft or hard".to_owned()),
    }
}

/// 1.5 or "150%", in hundredths of a core.
fn cores_percent(node: &Node) -> Result<u32, String> {
    let text = node.scalar().unwrap_or_default();
    let percent = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok(),
        None => text.trim().parse::<f64>().ok().map(|cores| cores * 100.0),
    };
    let wrong = || format!("must be a number of cores such as 1.5 or \"150%\", not {}", value::shown(node));
    let percent = percent.filter(|percent| (1.0..=1_000_000.0).contains(percent)).ok_or_else(wrong)?;
    Ok(percent.round() as u32)
}

struct Found {
    uid: u32,
    gid: Option<u32>,
    groups: Vec<u32>,
    home: Option<String>,
}

/// A user with its groups, by name or number; a number may have no name.
fn user(node: &Node) -> Result<Found, String> {
    let text = value::text(node)?;
    let number = text.parse::<u32>().ok();
    let entry = match number {
        Some(uid) => User::from_uid(Uid::from_raw(uid)),
        None => User::from_name(&text),
    };
    match (entry.map_err(|error| format!("cannot be looked up: {error}"))?, number) {
        (Some(user), _) => {
            let name = std::ffi::CString::new(user.name.as_str()).map_err(|error| error.to_string())?;
            let groups = group_list(&name, user.gid);
            let home = user.dir.to_str().map(str::to_owned);
            Ok(Found { uid: user.uid.as_raw(), gid: Some(user.gid.as_raw()), groups, home })
        }
        (None, Some(uid)) => Ok(Found { uid, gid: None, groups: Vec::new(), home: None }),
        (None, None) => Err(format!("{text:?} is no user of this machine")),
    }
}

#[cfg(target_os = "linux")]
fn group_list(name: &std::ffi::CStr, gid: Gid) -> Vec<u32> {
    let groups = nix::unistd::getgrouplist(name, gid).unwrap_or_default();
    groups.into_iter().map(Gid::as_raw).filter(|group| *group != gid.as_raw()).collect()
}

/// macOS has no bound on them and gives them out at login only.
#[cfg(not(target_os = "linux"))]
fn group_list(_: &std::ffi::CStr, _: Gid) -> Vec<u32> {
    Vec::new()
}

fn group(node: &Node) -> Result<u32, String> {
    let text = value::text(node)?;
    if let Ok(gid) = text.parse() {
        return Ok(gid);
    }
    let group = Group::from_name(&text).map_err(|error| format!("cannot be looked up: {error}"))?;
    group.map(|group| group.gid.as_raw()).ok_or_else(|| format!("{text:?} is no group of this machine"))
}

fn groups(node: &Node) -> Result<Vec<u32>, String> {
    match &node.value {
        Value::List(nodes) => nodes.iter().map(group).collect(),
        _ => Ok(vec![group(node)?]),
    }
}

/// 0o027 in TOML is a number already; a text is octal, as in a shell.
fn mode(node: &Node) -> Result<u32, String> {
    let number = match &node.value {
        Value::Text(text) => u32::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
        Value::Int(number) => u32::try_from(*number).ok(),
        _ => None,
    };
    number.filter(|mode| *mode <= 0o777).ok_or_else(|| "must be a file mode such as \"027\"".to_owned())
}
