//! What flags say of how an app is run, put into its declaration; what they do not say stays.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use velos_core::app::{AppSpec, CronFields, CronSpec, LogFormat, WatchSpec};
use velos_core::error::ErrorReply;
use velos_core::policy::{ReadinessPolicy, RestartPolicy, StopPolicy};
use velos_core::units::{parse_bytes, parse_duration_ms};

use super::usage;
use crate::args::{AppFlags, LogType};

/// For scripts: the signal and the time of a stop, when no flag says them.
const KILL_SIGNAL: &str = "VELOS_KILL_SIGNAL";
const KILL_TIMEOUT: &str = "VELOS_KILL_TIMEOUT";

/// The declaration of a new app: variables of the environment count too.
pub(crate) fn complete(flags: &AppFlags, spec: &mut AppSpec, cwd: &Path) -> Result<(), ErrorReply> {
    if super::is_pm2_compatible() {
        spec.stop.kill_signal = velos_core::signal::Signal::INT;
        spec.restart.cron_revives = true;
    }
    if let Ok(text) = std::env::var(KILL_SIGNAL) {
        spec.stop.kill_signal = text.parse().map_err(|error| usage(format!("{KILL_SIGNAL}: {error}")))?;
    }
    if let Some(ms) = duration(KILL_TIMEOUT, &std::env::var(KILL_TIMEOUT).ok())? {
        spec.stop.kill_timeout_ms = ms;
    }
    amend(flags, spec, cwd)
}

/// Change a declaration. Relative paths begin at `cwd`.
///
/// # Errors
/// The first flag whose value makes no sense.
pub(crate) fn amend(flags: &AppFlags, spec: &mut AppSpec, cwd: &Path) -> Result<(), ErrorReply> {
    restart_policy(flags, &mut spec.restart)?;
    stop_policy(flags, &mut spec.stop)?;
    readiness_policy(flags, &mut spec.readiness)?;
    watch_spec(flags, &mut spec.watch, cwd)?;
    spec.no_autostart |= flags.no_autostart;
    if flags.disable_source_map_support {
        let script = spec.argv.iter().position(|word| *word == spec.script).unwrap_or(0);
        let mut at = 0;
        spec.argv.retain(|word| {
            at += 1;
            at > script || word.as_bytes() != crate::target::SOURCE_MAPS.as_bytes()
        });
    }
    if !flags.filter_env.is_empty() {
        spec.filter_env.patterns.clone_from(&flags.filter_env);
        let filter = spec.filter_env.clone();
        let declared = std::mem::take(&mut spec.env_declared);
        spec.env.retain(|key, _| declared.contains(key) || !filter.drops(&key.to_text()));
        spec.env_declared = declared;
    }
    from_keys(flags, spec, cwd)
}

fn restart_policy(flags: &AppFlags, policy: &mut RestartPolicy) -> Result<(), ErrorReply> {
    policy.autorestart &= !flags.no_autorestart;
    policy.max_restarts = flags.max_restarts.unwrap_or(policy.max_restarts);
    let standard = RestartPolicy::default();
    set_time(&mut policy.min_uptime_ms, "--min-uptime", &flags.min_uptime, standard.min_uptime_ms)?;
    let delay = standard.restart_delay_ms;
    set_time(&mut policy.restart_delay_ms, "--restart-delay", &flags.restart_delay, delay)?;
    let (flag, base) = ("--exp-backoff-restart-delay", standard.backoff_base_ms);
    set_time(&mut policy.backoff_base_ms, flag, &flags.exp_backoff_restart_delay, base)?;
    if !flags.stop_exit_codes.is_empty() {
        policy.stop_exit_codes.clone_from(&flags.stop_exit_codes);
    }
    if let Some(text) = &flags.max_memory_restart {
        policy.max_memory_bytes = memory_limit(text)?;
    }
    if let Some(expression) = &flags.cron_restart {
        policy.cron = cron(expression)?;
    }
    Ok(())
}

/// 0 and "null" take the limit away.
fn memory_limit(text: &str) -> Result<Option<u64>, ErrorReply> {
    if text == "null" {
        return Ok(None);
    }
    let bytes = parse_bytes(text).map_err(|error| usage(format!("--max-memory-restart: {error}")))?;
    Ok(Some(bytes).filter(|bytes| *bytes > 0))
}

fn cron(expression: &str) -> Result<Option<CronSpec>, ErrorReply> {
    if ["0", "null", ""].contains(&expression) {
        return Ok(None);
    }
    CronFields::parse(expression).map_err(|error| usage(format!("--cron-restart: {error}")))?;
    Ok(Some(CronSpec { expression: expression.to_owned(), timezone: None }))
}

fn stop_policy(flags: &AppFlags, policy: &mut StopPolicy) -> Result<(), ErrorReply> {
    let standard = StopPolicy::default();
    let timeout = standard.kill_timeout_ms;
    set_time(&mut policy.kill_timeout_ms, "--kill-timeout", &flags.kill_timeout, timeout)?;
    if flags.kill_signal.as_deref() == Some("null") {
        policy.kill_signal = standard.kill_signal;
    } else if let Some(text) = &flags.kill_signal {
        policy.kill_signal = text.parse().map_err(|error| usage(format!("--kill-signal: {error}")))?;
    }
    policy.with_message |= flags.shutdown_with_message;
    policy.treekill &= !flags.no_treekill;
    Ok(())
}

fn readiness_policy(flags: &AppFlags, policy: &mut ReadinessPolicy) -> Result<(), ErrorReply> {
    policy.wait_ready |= flags.wait_ready;
    let standard = ReadinessPolicy::default().listen_timeout_ms;
    set_time(&mut policy.listen_timeout_ms, "--listen-timeout", &flags.listen_timeout, standard)?;
    Ok(())
}

fn watch_spec(flags: &AppFlags, watch: &mut Option<WatchSpec>, cwd: &Path) -> Result<(), ErrorReply> {
    if !flags.ext.is_empty() && flags.watch.is_empty() && watch.is_none() {
        return Err(usage("--ext needs --watch").hint("add --watch"));
    }
    if !flags.watch.is_empty() {
        let watch = watch.get_or_insert_default();
        // `cwd/.` and `cwd` are one place.
        let place = |path: &String| cwd.join(path).components().collect::<PathBuf>().into();
        watch.paths = flags.watch.iter().map(place).collect();
    }
    let standard = WatchSpec::default().debounce_ms;
    let mut delay = standard;
    set_time(&mut delay, "--watch-delay", &flags.watch_delay, standard)?;
    let delay = flags.watch_delay.is_some().then_some(delay);
    match watch {
        Some(watch) => {
            if !flags.ext.is_empty() {
                // Nothing but folders and what ends so.
                watch
                    .ignore
                    .splice(0..0, ["*".to_owned(), "!*/".to_owned()].into_iter().chain(only_these(flags)));
            }
            watch.ignore.extend(flags.ignore_watch.iter().cloned());
            set(&mut watch.debounce_ms, delay);
            Ok(())
        }
        None if flags.ignore_watch.is_empty() && delay.is_none() => Ok(()),
        None => Err(usage("--ignore-watch and --watch-delay need --watch").hint("add --watch")),
    }
}

fn only_these(flags: &AppFlags) -> impl Iterator<Item = String> {
    flags.ext.iter().map(|extension| format!("!*.{}", extension.trim_start_matches(['*', '.'])))
}

/// Flags that mean the same as keys of a configuration file are read as those.
fn from_keys(flags: &AppFlags, spec: &mut AppSpec, cwd: &Path) -> Result<(), ErrorReply> {
    let mut app = Map::new();
    let mut logs = Map::new();
    // "null" takes a file of one's own back.
    let is_said = |value: &&String| *value != "null";
    for (key, value) in [("out", &flags.output), ("err", &flags.error), ("combined", &flags.combined)] {
        put(&mut logs, key, value.as_ref().filter(is_said).cloned());
    }
    if flags.combined.as_deref() == Some("") {
        logs.insert("combined".to_owned(), true.into());
    }
    put(&mut logs, "timestamps", flags.log_date_format.as_ref().filter(is_said).cloned());
    if flags.time {
        logs.entry("timestamps").or_insert(true.into());
    }
    let mut user = Map::new();
    put(&mut user, "uid", flags.uid.clone());
    put(&mut user, "gid", flags.gid.clone());
    put(&mut app, "pid_file", flags.pid.as_ref().filter(is_said).cloned());
    take_back(flags, spec);
    let (has_logs, has_user) = (!logs.is_empty(), !user.is_empty());
    app.insert("logs".to_owned(), logs.into());
    app.insert("user".to_owned(), user.into());
    if has_logs || has_user || flags.pid.is_some() {
        let read = read_keys(app, cwd)?;
        if has_user {
            spec.identity = velos_core::app::Identity { umask: spec.identity.umask, ..read.spec.identity };
            spec.env.extend(read.variables.into_iter().map(|(key, value)| (key.into(), value.into())));
        }
        spec.pid_file = read.spec.pid_file.or(spec.pid_file.take());
        let (logs, given) = (&mut spec.logs, read.spec.logs);
        if flags.output.as_ref().is_some_and(|value| is_said(&value)) {
            (logs.out, logs.discard_out) = (given.out, given.discard_out);
        }
        if flags.error.as_ref().is_some_and(|value| is_said(&value)) {
            (logs.err, logs.discard_err) = (given.err, given.discard_err);
        }
        logs.combined = given.combined.or(logs.combined.take());
        logs.timestamps = given.timestamps.or(logs.timestamps.take());
    }
    spec.logs.merge |= flags.merge_logs;
    if flags.disable_logs {
        (spec.logs.discard_out, spec.logs.discard_err) = (true, true);
    }
    match flags.log_type {
        Some(LogType::Json) => spec.logs.format = LogFormat::Json,
        Some(LogType::Raw) => spec.logs.format = LogFormat::Raw,
        None => {}
    }
    Ok(())
}

/// "null" takes back what was said of files and times before.
fn take_back(flags: &AppFlags, spec: &mut AppSpec) {
    let is_null = |value: &Option<String>| value.as_deref() == Some("null");
    let logs = &mut spec.logs;
    if is_null(&flags.output) {
        (logs.out, logs.discard_out) = (None, false);
    }
    if is_null(&flags.error) {
        (logs.err, logs.discard_err) = (None, false);
    }
    if is_null(&flags.combined) {
        logs.combined = None;
    }
    if is_null(&flags.log_date_format) {
        logs.timestamps = None;
    }
    if is_null(&flags.pid) {
        spec.pid_file = None;
    }
}

fn read_keys(mut app: Map<String, Value>, cwd: &Path) -> Result<velos_config::Declaration, ErrorReply> {
    app.insert("command".to_owned(), "true".into());
    app.insert("cwd".to_owned(), cwd.to_string_lossy().into());
    let text = json!({ "apps": { "app": app } }).to_string();
    let config = velos_config::load_text(&cwd.join("flags.json"), &text, &velos_config::Options::default());
    let config = config.map_err(|error| {
        // No file, so no place in it.
        let messages: Vec<&str> = error.problems.iter().map(|problem| problem.message.as_str()).collect();
        usage(messages.join("; "))
    })?;
    config.apps.into_iter().next().ok_or_else(|| super::failed("the flags declare nothing"))
}

fn put(table: &mut Map<String, Value>, key: &str, value: Option<String>) {
    if let Some(value) = value {
        table.insert(key.to_owned(), value.into());
    }
}

fn set<T>(into: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *into = value;
    }
}

/// "null" means the standard.
fn set_time(into: &mut u64, flag: &str, text: &Option<String>, standard: u64) -> Result<(), ErrorReply> {
    match text.as_deref() {
        Some("null") => *into = standard,
        _ => set(into, duration(flag, text)?),
    }
    Ok(())
}

pub(crate) fn duration(flag: &str, text: &Option<String>) -> Result<Option<u64>, ErrorReply> {
    let parsed = text.as_ref().map(|text| parse_duration_ms(text)).transpose();
    parsed.map_err(|error| usage(format!("{flag}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::name::AppName;

    fn amended(change: impl FnOnce(&mut AppFlags)) -> Result<AppSpec, ErrorReply> {
        let mut flags = AppFlags::default();
        change(&mut flags);
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "/bin/true");
        spec.restart.max_memory_bytes = Some(5);
        amend(&flags, &mut spec, Path::new("/srv")).map(|()| spec)
    }

    #[test]
    fn what_is_not_said_stays() {
        let spec = amended(|_| ()).unwrap();
        assert_eq!(spec.restart.max_memory_bytes, Some(5));
        let spec = amended(|flags| flags.max_memory_restart = Some("1K".into())).unwrap();
        assert_eq!(spec.restart.max_memory_bytes, Some(1024));
        assert_eq!(
            amended(|flags| flags.max_memory_restart = Some("null".into())).unwrap().restart.max_memory_bytes,
            None
        );
    }

    #[test]
    fn files_and_users_are_read_as_in_a_file() {
        let spec = amended(|flags| {
            flags.output = Some("NULL".into());
            flags.combined = Some("all.log".into());
            flags.pid = Some("run/api.pid".into());
            flags.uid = Some("0".into());
            flags.time = true;
        })
        .unwrap();
        assert!(spec.logs.discard_out && !spec.logs.discard_err && spec.logs.timestamps.is_some());
        assert_eq!(spec.logs.combined.unwrap().as_path(), Path::new("/srv/all.log"));
        assert_eq!(spec.pid_file.unwrap().as_path(), Path::new("/srv/run/api.pid"));
        assert_eq!(spec.identity.uid, Some(0));
        let error = amended(|flags| flags.uid = Some("nobody-such".into())).unwrap_err();
        assert!(
            error.message.contains("is no user of this machine") && !error.message.contains("flags.json"),
            "{}",
            error.message
        );
    }
}
