//! `velos scale`: more or fewer instances; those that stay are not touched.

use velos_core::protocol::{InfoReply, Outcome, Outcomes, Targets, Update, method};

use super::select;
use crate::args::Scale;

/// As many as one app may have.
const INSTANCES_MAX: i64 = 4096;

pub(crate) fn run(context: &super::Context, scale: &Scale) -> super::Result {
    let change = Change::parse(&scale.count)?;
    let mut client = context.daemon()?;
    let begin = select::now_us();
    let info: InfoReply = client.call(method::INFO, &Targets { targets: vec![scale.target.clone()] })?;
    let mut apps: Vec<velos_core::app::AppSpec> = Vec::new();
    let mut ids: Vec<(String, u32)> =
        info.instances.iter().map(|one| (one.summary.name.clone(), one.summary.id.0)).collect();
    ids.sort_by_key(|(_, id)| *id);
    for instance in info.instances {
        if !apps.iter().any(|app| app.name == instance.spec.name) {
            apps.push(instance.spec);
        }
    }
    let mut oldest: Vec<String> = Vec::new();
    if apps.iter().all(|app| change.apply(app.instances) == Ok(0)) {
        let targets = apps.iter().map(|app| app.name.as_str().to_owned()).collect();
        let outcomes: Outcomes = client.call(method::DELETE, &Targets { targets })?;
        return select::tell(context, &outcomes, begin, |_| "deleted".to_owned());
    }
    if super::is_pm2_compatible() && apps.iter().all(|app| change.apply(app.instances) == Ok(app.instances)) {
        return Err(super::failed("nothing to do: there are so many instances already"));
    }
    for app in &mut apps {
        let wanted = change.apply(app.instances)?;
        let surplus = app.instances.saturating_sub(wanted) as usize;
        let ours = ids.iter().filter(|(name, _)| *name == app.name.as_str());
        oldest.extend(ours.take(surplus).map(|(_, id)| id.to_string()));
        app.instances = wanted;
    }
    if super::is_pm2_compatible() && !oldest.is_empty() {
        // PM2 lets the oldest go; we keep them.
        client.call::<_, Outcomes>(method::DELETE, &Targets { targets: oldest })?;
    }
    let text: String = apps
        .iter()
        .map(|app| format!("[OK] App \"{}\" has {} instances\n", app.name.as_str(), app.instances))
        .collect();
    let outcomes: Outcomes = client.call(method::UPDATE, &Update { apps })?;
    let started = |outcome: &Outcome| format!("started (PID: {})", outcome.pid.unwrap_or_default());
    let code = select::tell(context, &outcomes, begin, started)?;
    if code == 0 && !context.machine {
        context.say(&text)?;
    }
    Ok(code)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    To(i64),
    By(i64),
}

impl Change {
    /// `4`, `+2`, `-1`, `max`.
    fn parse(text: &str) -> Result<Self, velos_core::error::ErrorReply> {
        if text == "max" {
            return super::declare::instances(text).map(|count| Self::To(i64::from(count)));
        }
        let number = text.parse::<i64>().ok().filter(|number| number.abs() <= INSTANCES_MAX);
        match number {
            Some(number) if text.starts_with(['+', '-']) => Ok(Self::By(number)),
            Some(number) => Ok(Self::To(number)),
            None => Err(super::usage(format!("\"{text}\" is no number of instances"))
                .hint("give how many there should be, or +N or -N")),
        }
    }

    fn apply(self, now: u32) -> Result<u32, velos_core::error::ErrorReply> {
        let wanted = match self {
            Self::To(number) => number,
            Self::By(number) => i64::from(now) + number,
        };
        match u32::try_from(wanted) {
            Ok(count) if count >= 1 && wanted <= INSTANCES_MAX => Ok(count),
            Ok(0) if self == Self::To(0) => Ok(0),
            _ => Err(super::usage(format!("an app has 1 to {INSTANCES_MAX} instances, not {wanted}"))
                .hint("`velos scale APP 0` deletes it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let apply = |text: &str, now| Change::parse(text).and_then(|change| change.apply(now)).ok();
        assert_eq!(apply("4", 1), Some(4));
        assert_eq!(apply("+2", 3), Some(5));
        assert_eq!(apply("-2", 3), Some(1));
        assert_eq!(apply("0", 3), Some(0), "as under PM2 the app goes");
        assert!(apply("max", 3).is_some_and(|cores| cores >= 1));
        for bad in ["-3", "-4", "x", "", "+5000", "1.5"] {
            assert_eq!(apply(bad, 3), None, "{bad}");
        }
    }
}
