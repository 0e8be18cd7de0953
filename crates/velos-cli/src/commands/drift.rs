//! Which apps differ from the file they were declared in. Files that were not saved since are not read.

use std::path::Path;

use velos_client::Client;
use velos_core::protocol::{InfoReply, InstanceSummary, Targets, method};

use super::from_file::{self, Wanted, last_change_ms};

/// Names of apps, in their order. A file that cannot be read, or only by running it, changes nothing that we know of.
pub(crate) fn changed(
    context: &super::Context,
    client: &mut Client,
    instances: &[InstanceSummary],
) -> Vec<String> {
    let mut files: Vec<&Path> = Vec::new();
    for one in instances {
        let Some(file) = one.declared_in.as_ref().map(|file| file.as_path()) else { continue };
        if !files.contains(&file) && last_change_ms(file).is_some_and(|at| Some(at) != one.declared_ms) {
            files.push(file);
        }
    }
    let is_script = |file: &&Path| {
        file.extension()
            .is_some_and(|extension| ["js", "cjs", "mjs"].iter().any(|script| extension == *script))
    };
    files.retain(|file| !is_script(file));
    let mut names = Vec::new();
    for file in files {
        names.extend(differing(context, client, file, instances).unwrap_or_default());
    }
    names
}

fn differing(
    context: &super::Context,
    client: &mut Client,
    file: &Path,
    instances: &[InstanceSummary],
) -> Option<Vec<String>> {
    let is_of_file =
        |one: &&InstanceSummary| one.declared_in.as_ref().is_some_and(|known| known.as_path() == file);
    let targets: Vec<String> = instances.iter().filter(is_of_file).map(|one| one.id.0.to_string()).collect();
    let info: InfoReply = client.call(method::INFO, &Targets { targets }).ok()?;
    let profile = info.instances.iter().find_map(|one| one.spec.profile.clone());
    let quiet = super::Context { machine: true, ..context.clone() };
    let wanted = Wanted { profile: profile.as_deref(), ..Wanted::default() };
    let prepared = from_file::prepare(&quiet, file, &wanted).ok()?;
    let mut names: Vec<String> = Vec::new();
    for one in info.instances.iter().filter(|one| one.summary.slot == 0) {
        let declared = prepared.apps.iter().find(|app| app.name == one.spec.name);
        let differs = declared.is_none_or(|declared| !velos_config::changes(&one.spec, declared).is_empty());
        if differs {
            names.push(one.summary.name.clone());
        }
    }
    Some(names)
}
