//! What makes a declaration impossible, whoever made it.

use super::{AppSpec, CronError, CronFields, Kind};
use crate::raw_string::RawString;

/// A field of an app that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A number outside its range.
    #[error("{field} is {value}; {low} to {high} are possible")]
    Range {
        /// Name in the file.
        field: &'static str,
        /// What was given.
        value: i64,
        /// Least.
        low: i64,
        /// Greatest.
        high: i64,
    },
    /// A path that is relative or holds a NUL byte.
    #[error("{0} must be an absolute path without NUL bytes")]
    Path(&'static str),
    /// A text that must not be empty or hold a NUL byte.
    #[error("{0} must not be empty and must not hold a NUL byte")]
    Text(&'static str),
    /// No cron expression.
    #[error("{field}: {error}")]
    Cron {
        /// Name in the file.
        field: &'static str,
        /// What is wrong.
        error: CronError,
    },
    /// An app needs itself.
    #[error("it depends on itself")]
    OwnDependency,
    /// A schedule on something that is not a task.
    #[error("schedule is for tasks; add kind = \"task\", or use cron_restart")]
    ScheduleOfService,
    /// A soft limit over its hard one.
    #[error("a soft limit is greater than its hard limit")]
    SoftOverHard,
}

impl AppSpec {
    /// Check what was added to name, program, arguments and environment: ranges, paths, expressions.
    pub fn check(&self) -> Result<(), SpecError> {
        range("instances", i64::from(self.instances), 1, 4096)?;
        self.check_schedules()?;
        self.check_limits()?;
        let files =
            [("pid_file", &self.pid_file), ("logs.out", &self.logs.out), ("logs.err", &self.logs.err)];
        for (name, file) in files {
            file.as_ref().map_or(Ok(()), |file| path(name, file))?;
        }
        // An empty one is the standard place.
        let combined = self.logs.combined.as_ref().filter(|file| !file.as_bytes().is_empty());
        combined.map_or(Ok(()), |file| path("logs.combined", file))?;
        for watched in self.watch.iter().flat_map(|watch| &watch.paths) {
            path("watch.paths", watched)?;
        }
        if let Some(health) = &self.health {
            range("health.interval", signed(health.interval_ms), 100, DAY_MS)?;
            range("health.timeout", signed(health.timeout_ms), 1, DAY_MS)?;
            range("health.retries", i64::from(health.retries), 1, 10_000)?;
            range("health.start_period", signed(health.start_period_ms), 0, DAY_MS)?;
        }
        let hooks = &self.hooks;
        let all = [&hooks.pre_start, &hooks.post_start, &hooks.pre_stop, &hooks.post_stop, &hooks.on_crash];
        for hook in all.into_iter().flatten() {
            text("hooks", &hook.command)?;
            range("timeout of a hook", signed(hook.timeout_ms), 1, DAY_MS)?;
        }
        for name in [&self.increment_var, &self.instance_var].into_iter().flatten() {
            text("increment_var or instance_var", name)?;
        }
        match self.depends_on.iter().any(|needed| needed.app == self.name) {
            true => Err(SpecError::OwnDependency),
            false => Ok(()),
        }
    }

    fn check_schedules(&self) -> Result<(), SpecError> {
        for (field, cron) in [("schedule", &self.schedule), ("cron_restart", &self.restart.cron)] {
            if let Some(cron) = cron {
                CronFields::parse(&cron.expression).map_err(|error| SpecError::Cron { field, error })?;
            }
        }
        match self.schedule.is_some() && self.kind != Kind::Task {
            true => Err(SpecError::ScheduleOfService),
            false => Ok(()),
        }
    }

    fn check_limits(&self) -> Result<(), SpecError> {
        let limits = &self.limits;
        let ranges = [
            ("limits.nice", limits.nice.map(i64::from), -20, 19),
            ("limits.oom_score_adj", limits.oom_score_adj.map(i64::from), -1000, 1000),
            ("limits.memory_max", limits.memory_max_bytes.map(signed), 1 << 20, i64::MAX),
            ("limits.memory_high", limits.memory_high_bytes.map(signed), 1 << 20, i64::MAX),
            ("limits.cpu_max", limits.cpu_max_percent.map(i64::from), 1, 1_000_000),
            ("limits.pids_max", limits.pids_max.map(i64::from), 1, i64::from(u32::MAX)),
            ("user.umask", self.identity.umask.map(i64::from), 0, 0o777),
            ("max_memory_restart", self.restart.max_memory_bytes.map(signed), 1, i64::MAX),
        ];
        for (field, value, low, high) in ranges {
            value.map_or(Ok(()), |value| range(field, value, low, high))?;
        }
        for limit in limits.rlimits.values() {
            let hard = limit.hard.unwrap_or(u64::MAX);
            if limit.soft.unwrap_or(u64::MAX) > hard {
                return Err(SpecError::SoftOverHard);
            }
        }
        Ok(())
    }
}

const DAY_MS: i64 = 86_400_000;

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn range(field: &'static str, value: i64, low: i64, high: i64) -> Result<(), SpecError> {
    match (low..=high).contains(&value) {
        true => Ok(()),
        false => Err(SpecError::Range { field, value, low, high }),
    }
}

fn path(field: &'static str, path: &RawString) -> Result<(), SpecError> {
    match path.as_bytes().first() == Some(&b'/') && !path.has_nul() {
        true => Ok(()),
        false => Err(SpecError::Path(field)),
    }
}

fn text(field: &'static str, text: &str) -> Result<(), SpecError> {
    match text.is_empty() || text.contains('\0') {
        true => Err(SpecError::Text(field)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{CronSpec, Dependency, Hook, Identity, Limits};
    use crate::name::AppName;

    fn app() -> AppSpec {
        AppSpec::new(AppName::new("api").unwrap(), "/bin/true")
    }

    fn cron(expression: &str) -> Option<CronSpec> {
        Some(CronSpec { expression: expression.into(), timezone: None })
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(app().check(), Ok(()));
        let mut scheduled = AppSpec { kind: Kind::Task, schedule: cron("@daily"), ..app() };
        assert_eq!(scheduled.check(), Ok(()));
        scheduled.kind = Kind::Service;
        assert_eq!(scheduled.check(), Err(SpecError::ScheduleOfService));
        let own = Dependency { app: app().name, condition: Default::default() };
        let mut bad_cron = app();
        bad_cron.restart.cron = cron("61 * * * *");
        let mut hooked = app();
        hooked.hooks.pre_stop = Some(Hook::new(""));
        for bad in [
            AppSpec { instances: 0, ..app() },
            AppSpec { depends_on: vec![own], ..app() },
            AppSpec { limits: Limits { nice: Some(20), ..Limits::default() }, ..app() },
            AppSpec { identity: Identity { umask: Some(0o1000), ..Identity::default() }, ..app() },
            AppSpec { pid_file: Some("x.pid".into()), ..app() },
            bad_cron,
            hooked,
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_old_declaration_is_read_and_a_plain_one_stays_short() {
        let old = r#"{"name":"api","script":"/s","program":"/s","argv":["s"],"cwd":"/"}"#;
        let read: AppSpec = serde_json::from_str(old).unwrap();
        let expected = AppSpec { argv: vec!["s".into()], ..AppSpec::new(app().name, "/s") };
        assert_eq!(read, expected);
        let bytes = rmp_serde::to_vec_named(&expected).unwrap();
        assert_eq!(rmp_serde::from_slice::<AppSpec>(&bytes).unwrap(), expected);
        assert!(!bytes.windows(6).any(|word| word == b"health"));
    }
}
