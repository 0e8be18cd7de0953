//! What has to be done so that what runs is what a file declares.

use std::collections::BTreeMap;

use serde::Serialize;
use velos_client::Client;
use velos_config::Change;
use velos_core::app::{AppSpec, Kind};
use velos_core::error::ErrorReply;
use velos_core::instance::{InstanceId, Phase};
use velos_core::protocol::{InfoReply, InstanceInfo, ListReply, Targets, method};

use super::super::from_file::Prepared;
use super::super::info::looks_secret;

/// What happens to an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// It is not there yet.
    Create,
    /// It is there and declared otherwise: it is stopped and started.
    Change,
    /// It is there and only what is done with it is declared otherwise: it runs on.
    Update,
    /// It is as declared but does not run.
    Start,
    /// Nothing.
    Keep,
    /// It is not declared any more.
    Delete,
}

/// One app.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) action: Action,
    pub(crate) changes: Vec<Difference>,
    /// The declaration; `None`: it is to be deleted.
    #[serde(skip)]
    pub(crate) spec: Option<AppSpec>,
    /// Its instances.
    #[serde(skip)]
    pub(crate) ids: Vec<InstanceId>,
    /// Those with a process, or that will have one.
    #[serde(skip)]
    pub(crate) running: Vec<InstanceId>,
}

/// One difference; secrets are not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) field: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// All steps, those of the file in its order.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    /// Compare with what the daemon has. With `prune` apps that this file declared once and does no longer are deleted.
    pub(crate) fn make(client: &mut Client, prepared: Prepared, prune: bool) -> Result<Self, ErrorReply> {
        let list: ListReply = client.call(method::LIST, &Targets::default())?;
        let known = match list.instances.is_empty() {
            true => Vec::new(),
            false => {
                let all = Targets { targets: vec!["all".to_owned()] };
                client.call::<_, InfoReply>(method::INFO, &all)?.instances
            }
        };
        Ok(Self::of(prepared, known, prune))
    }

    fn of(prepared: Prepared, known: Vec<InstanceInfo>, prune: bool) -> Self {
        let mut apps: BTreeMap<String, Vec<InstanceInfo>> = BTreeMap::new();
        for instance in known {
            apps.entry(instance.summary.name.clone()).or_default().push(instance);
        }
        let refused: Vec<&String> = prepared.refused.iter().map(|refusal| &refusal.name).collect();
        let mut steps = Vec::new();
        for spec in prepared.apps {
            let instances = apps.remove(spec.name.as_str()).unwrap_or_default();
            steps.push(step(spec, &instances));
        }
        let file = velos_core::raw_string::RawString::from(prepared.file);
        let is_ours = |instances: &[InstanceInfo]| {
            instances.iter().any(|one| one.spec.declared_in.as_ref() == Some(&file))
        };
        for (name, instances) in apps {
            // What cannot be started as declared is still declared.
            if prune && is_ours(&instances) && !refused.contains(&&name) {
                let ids: Vec<InstanceId> = instances.iter().map(|one| one.summary.id).collect();
                let (action, changes) = (Action::Delete, Vec::new());
                steps.push(Step { name, action, changes, spec: None, running: ids.clone(), ids });
            }
        }
        Self { steps }
    }

    /// Whether nothing has to be done.
    pub(crate) fn is_done(&self) -> bool {
        self.steps.iter().all(|step| step.action == Action::Keep)
    }

    /// For people.
    pub(crate) fn render(&self) -> String {
        let shown = |step: &&Step| step.action != Action::Keep;
        let width = self.steps.iter().filter(shown).map(|step| step.name.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for step in self.steps.iter().filter(shown) {
            let changes: Vec<String> = step.changes.iter().map(Difference::render).collect();
            let (sign, words) = match step.action {
                Action::Create => ("+", "new".to_owned()),
                Action::Start => (">", "starts".to_owned()),
                Action::Delete => ("-", "is deleted".to_owned()),
                Action::Update => ("~", changes.join("; ")),
                Action::Change | Action::Keep if step.running.is_empty() => ("~", changes.join("; ")),
                Action::Change | Action::Keep => ("~", format!("restarts: {}", changes.join("; "))),
            };
            text.push_str(&format!("{sign} {:width$}  {words}\n", step.name));
        }
        match self.steps.iter().filter(|step| step.action == Action::Keep).count() {
            0 => {}
            kept => text.push_str(&format!("  {kept} unchanged\n")),
        }
        text
    }
}

fn step(spec: AppSpec, instances: &[InstanceInfo]) -> Step {
    let is_up = |one: &&InstanceInfo| !matches!(one.summary.phase, Phase::Stopped | Phase::Errored);
    let ids = instances.iter().map(|one| one.summary.id).collect();
    let running: Vec<InstanceId> = instances.iter().filter(is_up).map(|one| one.summary.id).collect();
    let changes = instances.first().map(|one| velos_config::changes(&one.spec, &spec)).unwrap_or_default();
    // A task that is done, and what is not to start by itself, stay as they are.
    let rests = spec.no_autostart || spec.kind == Kind::Task;
    let action = match instances {
        [] => Action::Create,
        _ if !changes.is_empty() && changes.iter().all(Change::is_live) => Action::Update,
        _ if !changes.is_empty() => Action::Change,
        all if running.len() < all.len() && !rests => Action::Start,
        _ => Action::Keep,
    };
    let changes = changes.into_iter().map(Difference::of).collect();
    Step { name: spec.name.to_string(), action, changes, spec: Some(spec), ids, running }
}

impl Difference {
    fn of(change: Change) -> Self {
        let is_secret = change.field.strip_prefix("env.").is_some_and(looks_secret);
        let shown =
            |value: Option<String>| value.map(|value| if is_secret { "***".to_owned() } else { value });
        Self { before: shown(change.before), after: shown(change.after), field: change.field }
    }

    fn render(&self) -> String {
        let shown = |value: &Option<String>| match value {
            Some(value) => velos_log_engine::neutralise(value.as_bytes(), false),
            None => "none".to_owned(),
        };
        format!("{} {} -> {}", self.field, shown(&self.before), shown(&self.after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use velos_core::name::AppName;

    fn running(name: &str) -> InstanceInfo {
        let mut summary = sample::instances().swap_remove(0);
        summary.name = name.to_owned();
        let mut spec = AppSpec { name: AppName::new(name).unwrap(), ..sample::spec() };
        spec.declared_in = Some("/srv/velos.toml".into());
        InstanceInfo {
            summary,
            spec,
            created_ms: 0,
            unstable: 0,
            processes: None,
            threads: None,
            next_run_ms: None,
            input: "/run/api-0.in".into(),
            captured_bytes: 0,
        }
    }

    fn prepared(apps: Vec<AppSpec>) -> Prepared {
        Prepared { file: "/srv/velos.toml".into(), apps, ..Prepared::default() }
    }

    #[test]
    fn each_kind_of_step() {
        let mut changed = running("api").spec;
        changed.restart.max_restarts = 3;
        changed.env.insert("API_TOKEN".into(), "hunter3".into());
        let fresh = AppSpec::new(AppName::new("fresh").unwrap(), "/bin/true");
        let mut stopped = running("stopped");
        stopped.summary.phase = Phase::Stopped;
        let mut foreign = running("foreign");
        foreign.spec.declared_in = None;
        let declared = vec![fresh, changed, stopped.spec.clone(), running("same").spec];
        let mut softer = running("softer").spec;
        softer.stop.kill_timeout_ms = 5_000;
        let declared = [declared, vec![softer]].concat();
        let known =
            vec![running("softer"), running("api"), stopped, running("same"), running("old"), foreign];
        let plan = Plan::of(prepared(declared), known, true);
        assert!(!plan.is_done());
        insta::assert_snapshot!("plan", plan.render());
        insta::assert_snapshot!("plan_machine", serde_json::to_string_pretty(&plan.steps).unwrap());
        let known: Vec<InstanceInfo> = (0..100).map(|number| running(&format!("app{number}"))).collect();
        let same = prepared(known.iter().map(|one| one.spec.clone()).collect());
        let begin = std::time::Instant::now();
        assert!(Plan::of(same, known, true).is_done());
        assert!(begin.elapsed().as_millis() < 500, "{:?}", begin.elapsed());
    }
}
