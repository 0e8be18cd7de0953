//! The one table of what can be said of an app. The reader, the JSON Schema and `docs/config.md` are made from it.

/// What a value may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A text.
    Text,
    /// A list of texts, or one text.
    Texts,
    /// A list of texts, or one text split at blanks (quotes hold together).
    Words,
    /// true or false.
    Switch,
    /// A whole number in a range.
    Number(i64, i64),
    /// A time: "10s", or a number of milliseconds.
    Time,
    /// A size: "300M", or a number of bytes.
    Size,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A file; "~" is the home directory.
    File,
    /// A number, "max", or a negative number: so many cores are left free.
    Instances,
    /// Exit codes: a list or one.
    Codes,
    /// Table of variables.
    Variables,
    /// true (nothing is inherited), false, one text or a list.
    Filter,
    /// A cron expression; 0 or false: none.
    Cron,
    /// A name or a list (condition "started"), or a table of name and condition.
    Depends,
    /// A command, or `{ command, timeout }`.
    Hook,
    /// A number, "unlimited", or `{ soft, hard }`.
    Limit,
    /// A user: number or name.
    User,
    /// A group: number or name.
    Group,
    /// A list of groups.
    Groups,
    /// A file mode: 0o027 or "027".
    Mode,
    /// A number of cores: 1.5, or "150%".
    Cores,
    /// A form of time, or true for the standard one.
    TimeForm,
    /// Accepted and without effect, with the reason.
    Ignored(&'static str),
}

/// One thing that can be said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// `name` or `section.name`.
    pub(crate) path: &'static str,
    /// Other names of it, directly in the app (PM2's, mostly).
    pub(crate) aliases: &'static [&'static str],
    pub(crate) shape: Shape,
    /// What holds when nothing is said, for the page.
    pub(crate) default: &'static str,
    /// What it means.
    pub(crate) text: &'static str,
}

const fn key(
    path: &'static str,
    aliases: &'static [&'static str],
    shape: Shape,
    default: &'static str,
    text: &'static str,
) -> Key {
    Key { path, aliases, shape, default, text }
}

const NOT_NEEDED: Shape = Shape::Ignored("velos does not need it");

/// All of them.
#[rustfmt::skip]
pub(crate) const KEYS: &[Key] = &[
    key("script", &["exec", "cmd"], Shape::Text, "", "Script, program in PATH, or command line; relative to `cwd`. This or `command` is needed"),
    key("command", &[], Shape::Text, "", "Command line, run by a shell"),
    key("name", &[], Shape::Text, "key of the table, else the script's base name", "Name of the app"),
    key("namespace", &[], Shape::Text, "default", "Group of the app"),
    key("cwd", &[], Shape::File, "folder of the file", "Working directory"),
    key("args", &[], Shape::Words, "[]", "Arguments of the script"),
    key("interpreter", &["exec_interpreter"], Shape::Text, "by first line, extension", "Program that runs the script; \"none\": the script itself is executed"),
    key("interpreter_args", &["node_args"], Shape::Words, "[]", "Arguments of the interpreter, before the script"),
    key("source_map_support", &[], Shape::Switch, "true", "Stacks of Node programs name the sources they were made from (`--enable-source-maps`)"),
    key("disable_source_map_support", &[], Shape::Switch, "false", "The same the other way round, as under PM2"),
    key("instances", &[], Shape::Instances, "1", "Number of instances; 0 or \"max\": one per core; -1: all cores but one"),
    key("exec_mode", &[], Shape::Choice(&["fork", "cluster", "fork_mode", "cluster_mode"]), "cluster when a node app has `instances` in a PM2 file, else fork", "Whether instances share ports through the daemon"),
    key("listen", &[], Shape::Texts, "[]", "Addresses the daemon listens on for all instances: \"3000\", \"127.0.0.1:3000\", \"unix:/run/x.sock\""),
    key("kind", &[], Shape::Choice(&["service", "task"]), "service", "A task runs once; exit code 0 is success"),
    key("schedule", &[], Shape::Cron, "", "When a task is started by itself"),
    key("timezone", &[], Shape::Text, "local time", "Whose clock `schedule` and `cron_restart` mean: an IANA name"),
    key("autostart", &[], Shape::Switch, "true", "Start it when it is declared"),
    key("depends_on", &[], Shape::Depends, "[]", "Apps that must be started, healthy or completed first"),
    key("propagate", &[], Shape::Choice(&["none", "restart", "stop"]), "none", "What a restart or failure of those does to this app"),
    key("critical", &[], Shape::Switch, "false", "When it ends for good, a daemon in the foreground stops everything and ends with its exit code"),

    key("env", &[], Shape::Variables, "{}", "Environment variables; a table in it becomes JSON. `env_<profile>` is added by `--env <profile>`"),
    key("env_file", &[], Shape::Texts, "[]", "Files of KEY=VALUE lines, read before `env`"),
    key("filter_env", &[], Shape::Filter, "false", "Variables not inherited from the caller: texts in their names, or globs; true: all"),
    key("append_env_to_name", &[], Shape::Switch, "false", "With `--env dev` the app is called `<name>-dev`"),
    key("instance_var", &[], Shape::Text, "NODE_APP_INSTANCE", "Variable that gets the instance's number"),
    key("increment_var", &[], Shape::Text, "", "Variable that is one higher in each further instance"),
    key("port", &[], Shape::Number(0, 65_535), "", "Sets PORT"),

    key("autorestart", &[], Shape::Switch, "true", "Start it again when it ends"),
    key("max_restarts", &[], Shape::Number(0, 1_000_000), "16", "Unstable exits in a row before it is given up"),
    key("min_uptime", &[], Shape::Time, "1s", "A shorter run is unstable"),
    key("restart_delay", &[], Shape::Time, "0", "Pause before each automatic restart"),
    key("exp_backoff_restart_delay", &[], Shape::Time, "100ms", "First pause of the exponential backoff"),
    key("backoff_max", &[], Shape::Time, "15s", "Longest pause of the backoff"),
    key("stop_exit_codes", &[], Shape::Codes, "[]", "Exit codes after which it stays stopped"),
    key("max_memory_restart", &[], Shape::Size, "", "Restart it when its process tree uses more memory"),
    key("cron_restart", &["cron"], Shape::Cron, "", "Restart it at these moments"),

    key("kill_signal", &[], Shape::Text, "SIGTERM", "Signal that asks it to stop"),
    key("kill_timeout", &[], Shape::Time, "1600ms", "Time between that signal and SIGKILL"),
    key("treekill", &[], Shape::Switch, "true", "Signal its whole process tree"),
    key("shutdown_with_message", &[], Shape::Switch, "false", "Send the message \"shutdown\" to a node app instead of a signal"),
    key("wait_ready", &[], Shape::Switch, "false", "It is online when it sends `ready`"),
    key("sd_notify", &[], Shape::Switch, "false", "It is online when it sends READY=1 to NOTIFY_SOCKET"),
    key("watchdog", &[], Shape::Time, "", "It must say WATCHDOG=1 (sd_notify) at least so often, or it is restarted"),
    key("listen_timeout", &[], Shape::Time, "3s", "How long that may take"),
    key("ready_required", &[], Shape::Switch, "false", "Not being ready in time is a failure, not just late"),
    key("pid_file", &["pid"], Shape::File, "<home>/pids", "File for the process id"),

    key("health.http", &[], Shape::Text, "", "Address to GET; 200 to 399 is healthy. `${PORT}` is replaced"),
    key("health.tcp", &[], Shape::Text, "", "host:port that must accept a connection"),
    key("health.exec", &[], Shape::Text, "", "Command that must end with exit code 0"),
    key("health.log", &[], Shape::Text, "", "Regular expression that a line of output must match"),
    key("health.interval", &[], Shape::Time, "10s", "Pause between two checks"),
    key("health.timeout", &[], Shape::Time, "2s", "A check that takes longer has failed"),
    key("health.retries", &[], Shape::Number(1, 10_000), "3", "Failures in a row that make it unhealthy"),
    key("health.start_period", &[], Shape::Time, "0", "Failures in this time after the start do not count"),

    key("limits.memory_max", &[], Shape::Size, "", "cgroup: most memory of an instance"),
    key("limits.memory_high", &[], Shape::Size, "", "cgroup: above it the instance is slowed down"),
    key("limits.cpu_max", &[], Shape::Cores, "", "cgroup: cores of an instance"),
    key("limits.pids_max", &[], Shape::Number(1, u32::MAX as i64), "", "cgroup: most processes and threads"),
    key("limits.nofile", &[], Shape::Limit, "", "Open files"),
    key("limits.core", &[], Shape::Limit, "", "Size of a core file, bytes"),
    key("limits.nproc", &[], Shape::Limit, "", "Processes of the user"),
    key("limits.stack", &[], Shape::Limit, "", "Stack, bytes"),
    key("limits.memlock", &[], Shape::Limit, "", "Locked memory, bytes"),
    key("limits.as", &[], Shape::Limit, "", "Address space, bytes"),
    key("limits.cpu", &[], Shape::Limit, "", "CPU time, seconds"),
    key("limits.fsize", &[], Shape::Limit, "", "Size of a file, bytes"),
    key("limits.data", &[], Shape::Limit, "", "Data segment, bytes"),
    key("limits.nice", &["nice"], Shape::Number(-20, 19), "", "Priority: -20 is first, 19 last"),
    key("limits.oom_score_adj", &[], Shape::Number(-1000, 1000), "", "Who is killed first when memory ends: 1000 first"),

    key("user.uid", &["uid"], Shape::User, "the daemon's", "User that it runs as (only as root); HOME becomes that of the user"),
    key("user.gid", &["gid"], Shape::Group, "that of the user", "Group"),
    key("user.groups", &[], Shape::Groups, "those of the user", "Supplementary groups"),
    key("user.umask", &["umask"], Shape::Mode, "", "File mode mask"),
    key("user.no_new_privileges", &[], Shape::Switch, "false", "No program that it executes may gain rights"),

    key("watch.enabled", &[], Shape::Switch, "true in a `watch` table", "Restart it when files change"),
    key("watch.paths", &[], Shape::Texts, "cwd", "What is watched"),
    key("watch.ignore", &["ignore_watch"], Shape::Texts, "[\".*\", \"node_modules\"]", "What is not: lines of a gitignore file"),
    key("watch.delay", &["watch_delay"], Shape::Time, "200ms", "Quiet time before the restart"),
    key("watch.follow_symlinks", &[], Shape::Switch, "true", "Follow links to folders"),
    key("watch.poll", &[], Shape::Time, "0", "Look in this rhythm instead of asking the kernel"),

    key("logs.out", &["out_file", "out", "output", "out_log"], Shape::File, "<home>/logs/<name>-out.log", "File for standard output; \"NULL\": none"),
    key("logs.err", &["error_file", "error", "err", "err_file", "err_log"], Shape::File, "<home>/logs/<name>-error.log", "File for standard error; \"NULL\": none"),
    key("logs.combined", &["log_file", "log"], Shape::File, "", "File for both; true: `<home>/logs/<name>.log`"),
    key("logs.disabled", &["disable_logs"], Shape::Switch, "false", "Store nothing"),
    key("logs.merge", &["merge_logs", "combine_logs"], Shape::Switch, "false", "All instances write to the same files"),
    key("logs.format", &["log_type"], Shape::Choice(&["raw", "json"]), "raw", "How a line is stored"),
    key("logs.timestamps", &["log_date_format", "time"], Shape::TimeForm, "", "Time before each line: a form such as \"YYYY-MM-DD HH:mm:ss\", or true"),
    key("logs.max_size", &[], Shape::Size, "10M", "Rotate at this size; 0: never"),
    key("logs.keep", &[], Shape::Number(0, 100_000), "10", "Rotated files that are kept"),
    key("logs.compress", &[], Shape::Switch, "true", "Compress rotated files but the newest"),

    key("hooks.pre_start", &[], Shape::Hook, "", "Before each start; its failure is a failed start"),
    key("hooks.post_start", &[], Shape::Hook, "", "After it is online"),
    key("hooks.pre_stop", &[], Shape::Hook, "", "Before the stop signal, within `kill_timeout`"),
    key("hooks.post_stop", &[], Shape::Hook, "", "After all of it is gone"),
    key("hooks.on_crash", &[], Shape::Hook, "", "After an exit that nobody asked for"),

    key("version", &[], NOT_NEEDED, "", ""),
    key("force", &[], Shape::Ignored("an app is known by its name"), "", ""),
    key("execute_command", &[], NOT_NEEDED, "", ""),
    key("kill_retry_time", &[], Shape::Ignored("the end of a process is an event, nothing is polled"), "", ""),
    key("watch_options", &[], Shape::Ignored("of its table only usePolling, interval and followSymlinks are read"), "", ""),
    key("name_prefix", &[], NOT_NEEDED, "", ""),
    key("username", &[], NOT_NEEDED, "", ""),
    key("install_url", &[], NOT_NEEDED, "", ""),
    key("write", &[], NOT_NEEDED, "", ""),
    key("post_update", &[], NOT_NEEDED, "", ""),
    key("windowsHide", &["windows_hide"], NOT_NEEDED, "", ""),
    key("vizion", &[], NOT_NEEDED, "", ""),
    key("pmx", &[], NOT_NEEDED, "", ""),
    key("automation", &[], NOT_NEEDED, "", ""),
    key("trace", &[], NOT_NEEDED, "", ""),
    key("disable_trace", &[], NOT_NEEDED, "", ""),
    key("v8", &[], NOT_NEEDED, "", ""),
    key("event_loop_inspector", &[], NOT_NEEDED, "", ""),
    key("deep_monitoring", &[], NOT_NEEDED, "", ""),
    key("io", &[], NOT_NEEDED, "", ""),
];

/// Tables in an app.
pub(crate) const SECTIONS: &[&str] = &["health", "limits", "user", "watch", "logs", "hooks"];

impl Key {
    /// Its section, when it has one, and its name in it.
    pub(crate) fn parts(&self) -> (Option<&'static str>, &'static str) {
        match self.path.split_once('.') {
            Some((section, name)) => (Some(section), name),
            None => (None, self.path),
        }
    }

    /// Whether saying it does something.
    pub(crate) fn has_effect(&self) -> bool {
        !matches!(self.shape, Shape::Ignored(_))
    }
}

/// A key by what stands in a file: in an app (`None`) or in one of its sections; camelCase counts too.
pub(crate) fn find(section: Option<&str>, written: &str) -> Option<&'static Key> {
    let by = |word: &str| {
        KEYS.iter().find(|key| {
            let (own, name) = key.parts();
            (own == section && name == word) || (section.is_none() && key.aliases.contains(&word))
        })
    };
    by(written).or_else(|| by(&snake_case(written)))
}

/// `maxMemoryRestart` → `max_memory_restart`.
pub(crate) fn snake_case(word: &str) -> String {
    let mut snake = String::with_capacity(word.len() + 4);
    for c in word.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// The known key that looks most like one that is none.
pub(crate) fn nearest(section: Option<&str>, written: &str) -> Option<&'static str> {
    let names = KEYS.iter().filter(|key| key.has_effect()).flat_map(|key| {
        let (own, name) = key.parts();
        let here = (own == section).then_some(name);
        let aliases: &[&str] = if section.is_none() { key.aliases } else { &[] };
        here.into_iter().chain(aliases.iter().copied())
    });
    let sections = SECTIONS.iter().copied().filter(|_| section.is_none());
    best(names.chain(sections), written)
}

/// The nearest of some words, when it is near enough.
pub(crate) fn best<'a>(words: impl Iterator<Item = &'a str>, written: &str) -> Option<&'a str> {
    let snake = snake_case(written);
    let near = words.map(|word| (velos_core::selector::distance(&snake, word), word)).min()?;
    (near.0 <= 1 + snake.len() / 3).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_means_two_things() {
        let mut words = std::collections::BTreeSet::new();
        for key in KEYS {
            let (section, name) = key.parts();
            assert!(words.insert((section, name)), "{}", key.path);
            assert!(section.is_none_or(|section| SECTIONS.contains(&section)), "{}", key.path);
            for alias in key.aliases {
                assert!(words.insert((None, alias)), "{alias}");
                assert!(!SECTIONS.contains(alias), "{alias}");
            }
        }
    }

    #[test]
    fn other_spellings() {
        assert_eq!(find(None, "maxMemoryRestart").unwrap().path, "max_memory_restart");
        assert_eq!(find(None, "errorFile").unwrap().path, "logs.err");
        assert_eq!(find(Some("health"), "startPeriod").unwrap().path, "health.start_period");
        assert!(find(None, "startPeriod").is_none());
        assert_eq!(nearest(None, "max_memory_restrat"), Some("max_memory_restart"));
        assert_eq!(nearest(None, "xyzzy_plugh"), None);
    }
}
