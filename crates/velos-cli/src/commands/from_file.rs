//! From a declaration in a file to what the daemon can start: program, arguments, environment.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use velos_client::Client;
use velos_config::{Config, ConfigError, Declaration, Options};
use velos_core::app::AppSpec;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::protocol::{ListReply, Refusal, Targets, method};
use velos_core::raw_string::RawString;

use super::settings;
use crate::args::AppFlags;
use crate::target::{self, Wishes};

/// Stands for standard input.
const STDIN: &str = "-";
const STDIN_BYTES_MAX: u64 = 8 * 1024 * 1024 + 1;

/// Files that are looked for when none is named, in this order.
pub(crate) const STANDARD_FILES: [&str; 6] = [
    "velos.toml",
    "ecosystem.config.js",
    "ecosystem.config.cjs",
    "ecosystem.config.mjs",
    "ecosystem.json",
    "ecosystem.yml",
];

/// What is to be taken from a file.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// `--env production`.
    pub(crate) profile: Option<&'a str>,
    /// `--only a,b`; empty: all.
    pub(crate) only: &'a [String],
    /// `-e KEY=VALUE`.
    pub(crate) variables: &'a [(RawString, RawString)],
    /// How the apps are run, over what the file says.
    pub(crate) flags: Option<&'a AppFlags>,
}

/// The apps of a file.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// Absolute.
    pub(crate) file: PathBuf,
    pub(crate) apps: Vec<AppSpec>,
    /// What will hardly start, and why.
    pub(crate) doubts: Vec<String>,
    /// What cannot be started: no such script, no interpreter.
    pub(crate) refused: Vec<Refusal>,
}

/// The named file, or a standard one of the current folder.
pub(crate) fn file_or_standard(named: Option<&Path>) -> Result<PathBuf, ErrorReply> {
    if let Some(path) = named {
        return Ok(path.to_path_buf());
    }
    STANDARD_FILES.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
        super::failed("there is no configuration file in this folder").hint(format!(
            "name one, or write one with `velos init`; looked for {}",
            STANDARD_FILES.join(", ")
        ))
    })
}

/// Read, with warnings to stderr.
pub(crate) fn load(context: &super::Context, path: &Path, wanted: &Wanted<'_>) -> Result<Config, ErrorReply> {
    let options = Options {
        profile: wanted.profile.map(str::to_owned),
        defaults: settings::file(),
        json_is_script: super::is_pm2_compatible(),
    };
    let config = match path.as_os_str() == STDIN {
        true => velos_config::load_unnamed(&super::here()?, &standard_input()?, &options),
        false => velos_config::load(&super::here()?.join(path), &options),
    };
    let config = config.map_err(|error| reply(&error))?;
    if !context.machine && !context.quiet {
        for warning in &config.warnings {
            super::note(&format!("warning: {warning}\n"));
        }
        for app in &config.apps {
            for key in app.spec.without_effect() {
                super::note(&format!("warning: {}: {key} has no effect yet\n", app.spec.name.as_str()));
            }
        }
    }
    Ok(config)
}

fn standard_input() -> Result<String, ErrorReply> {
    let mut bytes = Vec::new();
    // A little more than is read of a file, so that too much is noticed.
    let read = std::io::stdin().take(STDIN_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| super::failed(format!("cannot read standard input: {error}")))?;
    String::from_utf8(bytes).map_err(|_| super::failed("standard input is not UTF-8"))
}

/// Whether a word on the command line means a configuration: a file, or standard input.
pub(crate) fn is_meant(target: &str) -> bool {
    target == STDIN || velos_config::is_config_file(Path::new(target)) && Path::new(target).is_file()
}

/// Targets with the names of their apps in the place of configuration files; names that nobody knows are left out.
pub(crate) fn expand(
    context: &super::Context,
    client: &mut Client,
    targets: &[String],
    only: &[String],
) -> Result<Vec<String>, ErrorReply> {
    let mut expanded = Vec::new();
    for target in targets {
        if !is_meant(target) {
            expanded.push(target.clone());
            continue;
        }
        let config = load(context, Path::new(target), &Wanted::default())?;
        let list: ListReply = client.call(method::LIST, &Targets::default())?;
        let is_known = |name: &String| list.instances.iter().any(|one| one.name == *name);
        let before = expanded.len();
        let names: Vec<String> = config.apps.iter().map(|app| app.spec.name.to_string()).collect();
        if let Some(missing) = only.iter().find(|one| !names.contains(one)) {
            return Err(super::failed(format!("{target} declares no app {missing:?}"))
                .hint(format!("it declares {}", names.join(", "))));
        }
        let is_chosen = |name: &String| only.is_empty() || only.contains(name);
        expanded.extend(names.into_iter().filter(is_chosen).filter(is_known));
        if expanded.len() == before {
            return Err(ErrorReply::new(
                ErrorCode::NotFound,
                format!("none of the apps of {target} is known"),
            ));
        }
    }
    Ok(expanded)
}

/// All problems of a file as one failure.
pub(crate) fn reply(error: &ConfigError) -> ErrorReply {
    super::failed(error.to_string())
        .hint("docs/config.md lists all keys; `velos config schema` is for editors")
}

/// Read a file and find out what its apps execute.
pub(crate) fn prepare(
    context: &super::Context,
    path: &Path,
    wanted: &Wanted<'_>,
) -> Result<Prepared, ErrorReply> {
    let config = load(context, path, wanted)?;
    let file = super::here()?.join(path).components().collect();
    let mut prepared = Prepared { file, ..Prepared::default() };
    let names: Vec<&str> = config.apps.iter().map(|app| app.spec.name.as_str()).collect();
    if let Some(missing) = wanted.only.iter().find(|only| !names.contains(&only.as_str())) {
        return Err(super::failed(format!("{} declares no app {missing:?}", path.display()))
            .hint(format!("it declares {}", names.join(", "))));
    }
    let caller = callers_environment();
    let changed_ms = last_change_ms(&prepared.file);
    for mut app in config.apps {
        app.spec.declared_ms = changed_ms;
        let name = app.spec.name.as_str().to_owned();
        if !wanted.only.is_empty() && !wanted.only.contains(&name) {
            continue;
        }
        match complete(app, &caller, wanted.variables) {
            Ok((mut spec, doubt)) => {
                if let Some(flags) = wanted.flags {
                    let cwd = spec.cwd.as_path().to_path_buf();
                    super::amend::amend(flags, &mut spec, &cwd)?;
                }
                prepared.doubts.extend(doubt.map(|doubt| format!("{name}: {doubt}")));
                prepared.apps.push(spec);
            }
            Err(error) => {
                let error = ErrorReply { message: format!("app \"{name}\": {}", error.message), ..error };
                prepared.refused.push(Refusal { name, error });
            }
        }
    }
    Ok(prepared)
}

/// Where `-e` stands.
pub(crate) const COMMAND_LINE: &str = "the command line";

/// When a file was last changed, milliseconds since 1970.
pub(crate) fn last_change_ms(file: &Path) -> Option<i64> {
    let changed = std::fs::metadata(file).and_then(|meta| meta.modified()).ok()?;
    let since = changed.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// What an app may inherit of this process's environment.
pub(crate) fn callers_environment() -> BTreeMap<RawString, RawString> {
    std::env::vars_os()
        .filter(|(key, _)| !velos_core::app::OWN_VARIABLES.iter().any(|own| key == own))
        .map(|(key, value)| (RawString::from(key), RawString::from(value)))
        .collect()
}

fn complete(
    app: Declaration,
    caller: &BTreeMap<RawString, RawString>,
    more: &[(RawString, RawString)],
) -> Result<(AppSpec, Option<String>), ErrorReply> {
    let Declaration { mut spec, launch, variables } = app;
    let mut declared: Vec<(RawString, RawString)> =
        variables.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    declared.extend(more.iter().cloned());
    spec.env = caller.iter().filter(|(key, _)| !spec.filter_env.drops(&key.to_text())).map(pair).collect();
    spec.env.extend(declared.iter().cloned());
    let given = more.iter().map(|(key, _)| (key.clone(), COMMAND_LINE.to_owned()));
    spec.env_origin.extend(given);
    spec.env_declared = declared.into_iter().map(|(key, _)| key).collect();
    spec.env_declared.sort();
    spec.env_declared.dedup();
    let path: RawString = "PATH".into();
    // What the app is given decides; without a PATH that of the caller.
    let search = spec.env.get(&path).or(caller.get(&path)).map(RawString::to_text).unwrap_or_default();
    let cwd = spec.cwd.as_path().to_path_buf();
    if !cwd.is_dir() {
        return Err(super::failed(format!("its working directory {} is not a directory", cwd.display()))
            .hint("give an existing one with cwd"));
    }
    let wishes = Wishes {
        cwd: &cwd,
        interpreter: launch.interpreter.as_deref(),
        arguments: &launch.interpreter_args,
        search: &search,
        source_maps: launch.source_maps,
    };
    let resolved = match launch.is_shell {
        true => target::shell_command(&launch.target, wishes)?,
        false => target::resolve(&launch.target, wishes)?,
    };
    let doubt = resolved.doubt.map(|doubt| format!("{}: {doubt}", resolved.program.display()));
    super::declare::unbuffer(resolved.interpreter.as_deref(), &mut spec.env);
    spec.args = launch.args.into_iter().map(RawString::from).collect();
    spec.argv = vec![resolved.program.clone().into()];
    spec.argv.extend(resolved.leading.into_iter().map(RawString::from));
    if let Some(shell) =
        resolved.interpreter.as_deref().filter(|_| resolved.is_command_line && !spec.args.is_empty())
    {
        // For the command line the arguments are $1, $2, ...; this is its $0.
        spec.argv.push(shell.into());
    }
    spec.argv.extend(spec.args.iter().cloned());
    spec.script = resolved.script.into();
    spec.found_in_path = resolved.found_in_path;
    spec.follows_venv = resolved.follows_venv;
    spec.interpreter = resolved.interpreter;
    spec.program = resolved.program.into();
    Ok((spec, doubt))
}

fn pair((key, value): (&RawString, &RawString)) -> (RawString, RawString) {
    (key.clone(), value.clone())
}
