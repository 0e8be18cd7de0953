//! The commands, and what they share.

pub(crate) mod adopt;
pub(crate) mod ai_keys;
mod amend;
pub(crate) mod apply;
pub(crate) mod attach;
pub(crate) mod config;
pub(crate) mod daemon;
mod declare;
mod drift;
pub(crate) mod elsewhere;
pub(crate) mod env;
pub(crate) mod events;
mod events_live;
pub(crate) mod flush;
pub(crate) mod foreground;
mod from_file;
pub(crate) mod health;
pub(crate) mod import;
mod import_live;
pub(crate) mod info;
pub(crate) mod init;
pub(crate) mod jlist;
pub(crate) mod kill;
pub(crate) mod last_words;
pub(crate) mod list;
mod log_sources;
pub(crate) mod logs;
mod logs_ai;
mod logs_format;
mod logs_last;
mod logs_lines;
mod logs_marks;
mod logs_pager;
mod logs_pipe;
mod logs_time;
mod logs_views;
mod logs_wanted;
pub(crate) mod mcp_server;
pub(crate) mod monit;
pub(crate) mod pack_log;
pub(crate) mod pid;
pub(crate) mod ping;
mod rename;
pub(crate) mod runs;
pub(crate) mod save;
pub(crate) mod scale;
pub(crate) mod select;
pub(crate) mod send;
mod settings;
mod settle;
pub(crate) mod signal;
pub(crate) mod start;
pub(crate) mod start_file;
mod unix_peers;
pub(crate) mod upgrade;
pub(crate) mod version;
pub(crate) mod wait;
mod wait_log;
pub(crate) mod why;

use std::io::IsTerminal;
use std::path::{Component, Path, PathBuf};

use velos_client::{Client, Home};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::instance::InstanceId;
use velos_core::protocol::InstanceSummary;
use velos_core::selector::Candidate;

use crate::args::{Color, Globals};

pub(crate) use logs_time::STANDARD as TIME_FORM;

/// Exit code, or a failure for `error.rs`.
pub(crate) type Result = std::result::Result<u8, ErrorReply>;

/// What the flags said.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) machine: bool,
    pub(crate) quiet: bool,
    pub(crate) colour: bool,
    pub(crate) stderr_colour: bool,
    /// The daemon is ours: when it is gone no other takes its place.
    pub(crate) owns_daemon: bool,
}

impl Context {
    pub(crate) fn new(arguments: Globals) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let when = if arguments.no_color { Color::Never } else { arguments.color };
        let colour = |terminal: bool| match when {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        if arguments.ai {
            crate::ai::want();
        }
        Self {
            machine: arguments.machine || arguments.ai,
            quiet: arguments.quiet,
            colour: !arguments.machine && !arguments.ai && colour(std::io::stdout().is_terminal()),
            stderr_colour: colour(std::io::stderr().is_terminal()),
            owns_daemon: false,
        }
    }

    /// A daemon to call, started if there is none.
    pub(crate) fn daemon(&self) -> std::result::Result<Client, ErrorReply> {
        let home = Home::from_environment()?;
        if self.owns_daemon {
            return velos_client::start::connect_ahead_to_running(&home, "cli");
        }
        velos_client::start::connect_ahead(&home, "cli")
    }

    /// The same, once it has said who it is.
    pub(crate) fn greeted_daemon(&self) -> std::result::Result<Client, ErrorReply> {
        velos_client::start::connect_or_start(&Home::from_environment()?, "cli")
    }

    /// Text for people, unless they asked for silence.
    pub(crate) fn say(&self, text: &str) -> std::result::Result<(), ErrorReply> {
        if !self.quiet && !text.is_empty() {
            crate::output::print(text)?;
        }
        Ok(())
    }
}

/// The current folder as the user sees it, through the links that led there: a link that is switched to another release is
/// then followed at the next start.
pub(crate) fn here() -> std::result::Result<PathBuf, ErrorReply> {
    let real = std::env::current_dir().map_err(|error| {
        failed(format!("cannot tell where we are: {error}")).hint("change to a folder that exists")
    })?;
    Ok(as_seen(&real, std::env::var_os("PWD").map(PathBuf::from)).unwrap_or(real))
}

fn as_seen(real: &Path, shown: Option<PathBuf>) -> Option<PathBuf> {
    let plain = |path: &PathBuf| {
        path.is_absolute()
            && !path.components().any(|part| matches!(part, Component::ParentDir | Component::CurDir))
    };
    shown.filter(plain).filter(|path| std::fs::canonicalize(path).is_ok_and(|path| path == real))
}

/// Where PM2 chooses otherwise, its choice holds: `VELOS_PM2_COMPAT=1`, or we are called by its name.
pub(crate) fn is_pm2_compatible() -> bool {
    let wanted = std::env::var_os("VELOS_PM2_COMPAT").is_some_and(|value| !value.is_empty() && value != "0");
    let called = || {
        let name = std::env::args_os().next().unwrap_or_default();
        std::path::Path::new(&name).file_name().is_some_and(|name| name == "pm2")
    };
    wanted || called()
}

/// PM2's flags that need nothing here are taken, and it is said.
pub(crate) fn tell_ignored(context: &Context, flags: &crate::args::AppFlags) {
    let given = flags.ignored.given();
    if !given.is_empty() && !context.machine && !context.quiet {
        note(&format!("note: no effect under velos: {}\n", given.join(", ")));
    }
}

/// Talk to a person on stderr, beside the data.
pub(crate) fn note(text: &str) {
    // A closed stderr changes nothing about what is done.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
}

/// A failure without a special code.
pub(crate) fn failed(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, message)
}

/// Words that make no sense.
pub(crate) fn usage(message: impl Into<String>) -> ErrorReply {
    ErrorReply::new(ErrorCode::Usage, message)
}

/// `api`, and `api:1` for further instances.
pub(crate) fn shown_name(name: &str, slot: u32) -> String {
    if slot > 0 { format!("{name}:{slot}") } else { name.to_owned() }
}

/// As a word that a shell takes as it is: the name, or the id.
pub(crate) fn typed_name(name: &str, slot: u32, id: InstanceId) -> String {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if is_plain { shown_name(name, slot) } else { id.0.to_string() }
}

/// For the resolver.
pub(crate) fn candidate(one: &InstanceSummary) -> Candidate<'_> {
    Candidate { id: one.id, name: &one.name, namespace: &one.namespace, slot: one.slot, script: &one.script }
}
