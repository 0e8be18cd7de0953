//! `velos config check|show|schema|get|set|unset`

use serde::Serialize;
use velos_core::app::AppSpec;
use velos_core::protocol::Refusal;
use velos_core::raw_string::RawString;

use super::from_file::{self, Wanted};
use super::info::looks_secret;
use crate::args::{Config, ConfigCommand, ConfigFile};

/// `config check --machine`.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    apps: Vec<String>,
    warnings: Vec<String>,
    refused: Vec<Refusal>,
}

pub(crate) fn run(context: &super::Context, config: &Config) -> super::Result {
    match &config.command {
        ConfigCommand::Check(file) => check(context, file),
        ConfigCommand::Show(file) => show(context, file),
        ConfigCommand::Get(get) => super::settings::get(context, get.key.as_deref()),
        ConfigCommand::Set(set) => super::settings::set(context, &set.key, Some(&set.value)),
        ConfigCommand::Unset(get) => match &get.key {
            Some(key) => super::settings::set(context, key, None),
            None => Err(super::usage("name the default to take back").hint("see `velos config get`")),
        },
        ConfigCommand::Schema => {
            crate::output::print(&velos_config::schema())?;
            Ok(0)
        }
    }
}

fn wanted(file: &ConfigFile) -> Wanted<'_> {
    Wanted { profile: file.env.as_deref(), only: &[], variables: &[], flags: None }
}

fn check(context: &super::Context, given: &ConfigFile) -> super::Result {
    let path = from_file::file_or_standard(given.file.as_deref())?;
    let prepared = from_file::prepare(context, &path, &wanted(given))?;
    let code = u8::from(!prepared.refused.is_empty());
    let shown = path.display();
    if context.machine {
        // Read once more for the warnings, which went nowhere.
        let config = from_file::load(context, &path, &wanted(given))?;
        let mut warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        warnings.extend(prepared.doubts);
        let apps = config.apps.iter().map(|app| app.spec.name.to_string()).collect();
        let file = prepared.file.display().to_string();
        crate::output::print_json(&Checked { file, apps, warnings, refused: prepared.refused })?;
        return Ok(code);
    }
    prepared.doubts.iter().for_each(|doubt| super::note(&format!("warning: {doubt}\n")));
    for refusal in &prepared.refused {
        let hint = refusal.error.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
        super::note(&format!("error: {shown}: {}\n{hint}", refusal.error.message));
    }
    if code == 0 {
        let plural = if prepared.apps.len() == 1 { "" } else { "s" };
        context.say(&format!("[OK] {shown}: {} app{plural}\n", prepared.apps.len()))?;
    }
    Ok(code)
}

fn show(context: &super::Context, given: &ConfigFile) -> super::Result {
    let path = from_file::file_or_standard(given.file.as_deref())?;
    let mut prepared = from_file::prepare(context, &path, &wanted(given))?;
    if let Some(refusal) = prepared.refused.into_iter().next() {
        return Err(refusal.error);
    }
    prepared.apps.iter_mut().for_each(only_declared);
    if context.machine {
        crate::output::print_json(&prepared.apps)?;
    } else {
        let apps: Vec<String> = prepared.apps.iter().map(describe).collect();
        context.say(&apps.join("\n"))?;
    }
    Ok(0)
}

/// Of the environment only what the file says, without secrets.
fn only_declared(spec: &mut AppSpec) {
    let declared = std::mem::take(&mut spec.env_declared);
    spec.env.retain(|key, _| declared.contains(key));
    for (key, value) in &mut spec.env {
        if looks_secret(&key.to_text()) {
            *value = RawString::from("***");
        }
    }
    spec.env_declared = declared;
}

/// Everything that is not as it would be by itself.
fn describe(spec: &AppSpec) -> String {
    let plain = AppSpec::new(spec.name.clone(), "");
    let changes = velos_config::changes(&plain, spec);
    let width = changes.iter().map(|change| change.field.len()).max().unwrap_or(0);
    let line = |change: &velos_config::Change| {
        let value = change.after.clone().unwrap_or_default();
        format!("  {:width$}  {}\n", change.field, velos_log_engine::neutralise(value.as_bytes(), false))
    };
    format!("{}\n{}", spec.name, changes.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_is_shown_of_an_app() {
        let mut spec = sample::spec();
        only_declared(&mut spec);
        let text = describe(&spec);
        assert!(!text.contains("hunter2") && !text.contains("HOME"));
        insta::assert_snapshot!("config_show", text);
    }
}
