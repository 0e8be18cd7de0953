//! `velos env`: what an app's environment is, and where each variable comes from.

use velos_core::app::AppSpec;
use velos_core::protocol::{InfoReply, Targets as Params, method};
use velos_core::raw_string::RawString;

use crate::args::Env;

pub(crate) fn run(context: &super::Context, env: &Env) -> super::Result {
    let mut client = context.daemon()?;
    let info: InfoReply = client.call(method::INFO, &Params { targets: vec![env.target.clone()] })?;
    let Some(instance) = info.instances.into_iter().next() else {
        return Err(super::failed(format!("{} has no instance", env.target)));
    };
    let variables = variables(&instance.spec, env.show_secrets);
    if context.machine {
        crate::output::print_json(&variables)?;
        return Ok(0);
    }
    let lines: String = variables
        .iter()
        .map(|one| {
            let text = format!("{}={}", one.name, one.value);
            let shown = velos_log_engine::neutralise(text.as_bytes(), false);
            match &one.origin {
                Some(origin) => format!("{shown}  (declared: {origin})\n"),
                None => format!("{shown}  ({})\n", one.from),
            }
        })
        .collect();
    context.say(&lines)?;
    Ok(0)
}

/// One of them.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
struct Variable {
    name: String,
    value: String,
    from: &'static str,
    /// Where it was declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
}

/// Declared ones first, each group by name.
fn variables(spec: &AppSpec, show_secrets: bool) -> Vec<Variable> {
    let mut all: Vec<Variable> = spec
        .env
        .iter()
        .map(|(key, value)| {
            let name = key.to_text();
            let is_hidden = !show_secrets && super::info::looks_secret(&name);
            let value = if is_hidden { "***".to_owned() } else { RawString::to_text(value) };
            let is_declared = spec.env_declared.contains(key);
            let origin = is_declared.then(|| super::info::origin(spec, key));
            Variable { name, value, from: if is_declared { "declared" } else { "inherited" }, origin }
        })
        .collect();
    all.sort_by(|a, b| (a.from, &a.name).cmp(&(b.from, &b.name)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_and_sources_told() {
        let mut spec = crate::sample::spec();
        spec.env = [("PATH", "/bin"), ("API_TOKEN", "hunter2"), ("TEXT", "a=b\nc")]
            .map(|(key, value)| (RawString::from(key), RawString::from(value)))
            .into();
        spec.env_declared = vec!["API_TOKEN".into(), "TEXT".into()];
        let shown: Vec<(String, String, &str)> =
            variables(&spec, false).into_iter().map(|one| (one.name, one.value, one.from)).collect();
        let row = |name: &str, value: &str, from| (name.to_owned(), value.to_owned(), from);
        assert_eq!(
            shown,
            [
                row("API_TOKEN", "***", "declared"),
                row("TEXT", "a=b\nc", "declared"),
                row("PATH", "/bin", "inherited")
            ]
        );
        assert!(variables(&spec, true).iter().any(|one| one.value == "hunter2"));
    }
}
