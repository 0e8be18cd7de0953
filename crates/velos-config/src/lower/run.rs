//! How many, when again, how it ends, when it is ready, what it needs.

use velos_core::app::{AppSpec, Condition, Dependency, EnvFilter, ExecMode, Kind, Propagate};
use velos_core::name::AppName;

use super::Lower;
use crate::declaration::Launch;
use crate::keys;
use crate::node::{Node, Value};
use crate::value;

impl Lower<'_, '_> {
    pub(super) fn run(&mut self, spec: &mut AppSpec, launch: &Launch) {
        let cpus = self.ground.cpus;
        self.set(&mut spec.instances, "instances", |node| instances(node, cpus));
        spec.exec_mode = self.exec_mode(launch);
        self.set(&mut spec.listen, "listen", value::texts);
        if self.take("kind", |node| value::choice(node, &["service", "task"])) == Some("task") {
            spec.kind = Kind::Task;
        }
        spec.schedule = self.cron("schedule");
        spec.no_autostart = self.take("autostart", value::switch) == Some(false);
        spec.depends_on = self.depends_on();
        spec.propagate =
            match self.take("propagate", |node| value::choice(node, &["none", "restart", "stop"])) {
                Some("restart") => Propagate::Restart,
                Some("stop") => Propagate::Stop,
                _ => Propagate::None,
            };
        self.set(&mut spec.critical, "critical", value::switch);
        self.restart(spec);
        self.stop(spec);
        let ready = &mut spec.readiness;
        self.set(&mut ready.wait_ready, "wait_ready", value::switch);
        self.set(&mut ready.sd_notify, "sd_notify", value::switch);
        self.set(&mut ready.listen_timeout_ms, "listen_timeout", value::time_ms);
        self.set(&mut ready.strict, "ready_required", value::switch);
        ready.watchdog_ms = self.take("watchdog", value::time_ms).filter(|ms| *ms > 0);
        // Who is asked for one message is heard for the other.
        ready.sd_notify |= ready.watchdog_ms.is_some();
        // Waiting for a message means waiting.
        ready.wait_ready |= ready.sd_notify;
        spec.pid_file = self.file("pid_file").map(Into::into);
        spec.filter_env = self.take("filter_env", filter).unwrap_or_default();
        spec.instance_var = self.text("instance_var").filter(|name| name != velos_core::app::INSTANCE_VAR);
        spec.increment_var = self.text("increment_var");
    }

    fn restart(&mut self, spec: &mut AppSpec) {
        let restart = &mut spec.restart;
        // A task that succeeded is done.
        if spec.kind == Kind::Task {
            restart.stop_exit_codes = vec![0];
        }
        self.set(&mut restart.autorestart, "autorestart", value::switch);
        if let Some(most) = self.number("max_restarts", 0, 1_000_000) {
            restart.max_restarts = most;
        }
        self.set(&mut restart.min_uptime_ms, "min_uptime", value::time_ms);
        self.set(&mut restart.restart_delay_ms, "restart_delay", value::time_ms);
        // PM2's 0 means "no backoff", and a crash loop without one helps nobody: the standard stays.
        let base = self.take("exp_backoff_restart_delay", value::time_ms).filter(|base| *base > 0);
        restart.backoff_base_ms = base.unwrap_or(restart.backoff_base_ms);
        self.set(&mut restart.backoff_cap_ms, "backoff_max", value::time_ms);
        restart.backoff_cap_ms = restart.backoff_cap_ms.max(restart.backoff_base_ms);
        self.set(&mut restart.stop_exit_codes, "stop_exit_codes", value::codes);
        restart.max_memory_bytes =
            self.take("max_memory_restart", value::size_bytes).filter(|most| *most > 0);
        restart.cron = self.cron("cron_restart");
    }

    fn stop(&mut self, spec: &mut AppSpec) {
        let stop = &mut spec.stop;
        self.set(&mut stop.kill_signal, "kill_signal", |node| {
            value::text(node)?.parse().map_err(|error| format!("is wrong: {error}"))
        });
        self.set(&mut stop.kill_timeout_ms, "kill_timeout", value::time_ms);
        self.set(&mut stop.treekill, "treekill", value::switch);
        self.set(&mut stop.with_message, "shutdown_with_message", value::switch);
    }

    /// PM2's rule, for its files only: a node app with `instances` shares its ports.
    fn exec_mode(&mut self, launch: &Launch) -> ExecMode {
        let words = ["fork", "cluster", "fork_mode", "cluster_mode"];
        match self.take("exec_mode", |node| value::choice(node, &words)) {
            Some(word) if word.starts_with("cluster") => return ExecMode::Cluster,
            Some(_) => return ExecMode::Fork,
            None => {}
        }
        let is_node = match &launch.interpreter {
            Some(name) => name.ends_with("node"),
            None => [".js", ".mjs", ".cjs"].iter().any(|end| launch.target.ends_with(end)),
        };
        let is_several = self.draft.get("instances").is_some();
        if self.complaints.is_pm2 && is_node && is_several { ExecMode::Cluster } else { ExecMode::Fork }
    }

    fn depends_on(&mut self) -> Vec<Dependency> {
        let Some(node) = self.draft.get("depends_on") else { return Vec::new() };
        let pairs: Vec<(&str, &Node)> = match &node.value {
            Value::Map(entries) => entries.iter().map(|entry| (entry.key.as_str(), &entry.node)).collect(),
            Value::List(nodes) => nodes.iter().map(|node| ("", node)).collect(),
            _ => vec![("", node)],
        };
        let mut needed = Vec::new();
        for (name, node) in pairs {
            let word = value::text(node).unwrap_or_default();
            let (name, condition) = if name.is_empty() {
                (word.as_str(), Some("started"))
            } else {
                (name, keys_of_conditions().iter().copied().find(|known| *known == word))
            };
            let condition = match condition {
                Some("healthy") => Condition::Healthy,
                Some("completed") => Condition::Completed,
                Some(_) => Condition::Started,
                None => {
                    let near = keys::best(keys_of_conditions().iter().copied(), &word);
                    let hint = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
                    let message =
                        format!("depends_on: {word:?} is none of started, healthy, completed{hint}");
                    self.complaints.error(node.at, message);
                    continue;
                }
            };
            match AppName::new(name) {
                Ok(app) => needed.push(Dependency { app, condition }),
                Err(error) => self.complaints.error(node.at, format!("depends_on: {error}")),
            }
        }
        needed
    }
}

fn keys_of_conditions() -> &'static [&'static str] {
    &["started", "healthy", "completed"]
}

/// 0 and "max": one per core; negative: so many cores are left, at least one instance.
fn instances(node: &Node, cpus: u32) -> Result<u32, String> {
    if matches!(&node.value, Value::Text(text) if text == "max") {
        return Ok(cpus);
    }
    let number = value::number(node, -4096, 4096).map_err(|_| {
        format!("must be a whole number from -4096 to 4096 or \"max\", not {}", value::shown(node))
    })?;
    let wanted = if number > 0 { number } else { (i64::from(cpus) + number).max(1) };
    u32::try_from(wanted).map_err(|error| error.to_string())
}

fn filter(node: &Node) -> Result<EnvFilter, String> {
    match &node.value {
        Value::Bool(everything) => Ok(EnvFilter { everything: *everything, patterns: Vec::new() }),
        _ => Ok(EnvFilter { everything: false, patterns: value::texts(node)? }),
    }
}
