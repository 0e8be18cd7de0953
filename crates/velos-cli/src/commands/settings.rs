//! The user's own defaults: `config.toml` in the home, with a table `[defaults]` of the keys of apps.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use velos_client::Home;
use velos_config::{Declaration, Launch, Options};
use velos_core::app::AppSpec;
use velos_core::error::ErrorReply;
use velos_core::name::AppName;
use velos_core::raw_string::RawString;

/// The name of the file in the home.
const FILE: &str = "config.toml";

/// Where it is; it need not exist.
pub(crate) fn file() -> Option<PathBuf> {
    Home::from_environment().ok().map(|home| home.path().join(FILE))
}

/// What an app is when nothing is said of it but these defaults.
pub(crate) fn app(cwd: &Path) -> Result<Declaration, ErrorReply> {
    match file().filter(|file| file.exists()) {
        Some(file) => app_with(cwd, Some(file)),
        // Nobody said anything, so nothing has to be read.
        None => {
            let name = AppName::new("app").map_err(|error| super::failed(error.to_string()))?;
            Ok(Declaration { spec: AppSpec::new(name, ""), launch: Launch::default(), variables: Vec::new() })
        }
    }
}

fn app_with(cwd: &Path, defaults: Option<PathBuf>) -> Result<Declaration, ErrorReply> {
    let text = "[apps.app]\ncommand = \"true\"\n";
    let options = Options { profile: None, defaults, json_is_script: false };
    let config = velos_config::load_text(&cwd.join("none.toml"), text, &options);
    let config = config.map_err(|error| super::from_file::reply(&error))?;
    config.apps.into_iter().next().ok_or_else(|| super::failed("the defaults declare nothing"))
}

/// `velos config get`
pub(crate) fn get(context: &super::Context, key: Option<&str>) -> super::Result {
    let (_, text) = read()?;
    let path = key.map_or("defaults".to_owned(), path_of);
    let value = velos_config::value_at(&text, &path).map_err(|error| super::failed(error.to_string()))?;
    if context.machine {
        crate::output::print_json(&serde_json::json!({ "key": key, "value": value }))?;
        return Ok(0);
    }
    match (value, key) {
        (Some(value), _) => context.say(&format!("{value}\n"))?,
        (None, None) => {
            context.say("No defaults of yours are set. Try: velos config set kill_timeout 5s\n")?
        }
        (None, Some(key)) => {
            return Err(
                super::failed(format!("{key} is not set")).hint("see `velos config get`, and docs/config.md")
            );
        }
    }
    Ok(0)
}

/// `velos config set` and `unset`.
pub(crate) fn set(context: &super::Context, key: &str, value: Option<&str>) -> super::Result {
    let (file, before) = write(key, value, false)?;
    if value.is_none() && before.is_none() {
        return Err(super::failed(format!("{key} is not set")).hint("see `velos config get`"));
    }
    let done = match value {
        Some(value) => format!("[OK] {key} = {value}, for what is started from now on\n"),
        None => format!("[OK] {key} is not set any more\n"),
    };
    if context.machine {
        crate::output::print_json(
            &serde_json::json!({ "key": key, "value": value, "file": RawString::from(file) }),
        )?;
    } else {
        context.say(&done)?;
    }
    Ok(0)
}

/// All of them as TOML.
pub(crate) fn text() -> Result<Option<String>, ErrorReply> {
    let (_, text) = read()?;
    velos_config::value_at(&text, "defaults").map_err(|error| super::failed(error.to_string()))
}

/// Set or take out one key, only when the result is a configuration. Gives the file and what the key was before.
pub(crate) fn write(
    key: &str,
    value: Option<&str>,
    dry_run: bool,
) -> Result<(PathBuf, Option<String>), ErrorReply> {
    let (file, text) = read()?;
    let failed = |error: velos_config::EditError| super::usage(format!("cannot set {key}: {error}"));
    let path = path_of(key);
    let before = velos_config::value_at(&text, &path).map_err(failed)?;
    if value.is_none() && before.is_none() {
        return Ok((file, None));
    }
    let changed = velos_config::edit(&text, &path, value).map_err(failed)?;
    let fresh = file.with_extension("new.toml");
    let cannot = |error: std::io::Error| super::failed(format!("cannot write {}: {error}", file.display()));
    if let Some(folder) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(cannot)?;
    }
    // Half a file on a full disk is no use to anybody.
    std::fs::write(&fresh, changed).inspect_err(|_| drop(std::fs::remove_file(&fresh))).map_err(cannot)?;
    if let Err(error) = app_with(&std::env::temp_dir(), Some(fresh.clone())) {
        // What is refused leaves no trace.
        let _ = std::fs::remove_file(&fresh);
        let reason = error.message.replace(&*fresh.to_string_lossy(), &file.to_string_lossy());
        return Err(super::usage(format!("cannot set {key}: {reason}")).hint("docs/config.md lists all keys"));
    }
    match dry_run {
        true => std::fs::remove_file(&fresh).map_err(cannot)?,
        false => std::fs::rename(&fresh, &file).map_err(cannot)?,
    }
    Ok((file, before))
}

fn path_of(key: &str) -> String {
    if key.starts_with("defaults.") { key.to_owned() } else { format!("defaults.{key}") }
}

fn read() -> Result<(PathBuf, String), ErrorReply> {
    let file = Home::from_environment()?.path().join(FILE);
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok((file, text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((file, String::new())),
        Err(error) => Err(super::failed(format!("cannot read {}: {error}", file.display()))),
    }
}
