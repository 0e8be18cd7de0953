//! What can be typed.

mod app;
mod files;
mod logs;
mod mcp;
mod quick;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use app::{AppFlags, LogType};
pub(crate) use files::{Apply, Config, ConfigCommand, ConfigFile, Import, ImportFrom, ImportPm2, Init};
pub(crate) use logs::{Also, Events, Health, Logs, PackLog};
pub(crate) use mcp::{McpClient, McpServer, McpTools};

/// The group of an app that names none.
const DEFAULT_NAMESPACE: &str = "default";

const EXIT_CODES: &str = "Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 no such process, 4 no daemon and none could \
    be started, 5 not ready in time, 6 refused";

const START_EXAMPLES: &str = "Examples:
  velos start app.js --name api -- --port 3000
  velos start worker.py -e QUEUE=mail --kill-timeout 10s
  velos start \"python3 -m http.server 8000\" --name web
  velos start api";

const APPLY_EXAMPLES: &str = "Examples:
  velos apply --dry-run
  velos apply velos.toml --env production --yes
  velos apply --prune";

const LOGS_EXAMPLES: &str = "Examples:
  velos logs api --lines 100 --nostream
  velos logs -f --err
  velos logs api --since 1h --grep \"timeout|refused\" -C 2
  velos logs --level error,warn --since yesterday --dedupe
  velos logs api --summary";

const MCP_EXAMPLES: &str = "Examples:
  velos mcp-server --read-only
  velos mcp-server --tools core --allow 'dev-*'
  velos mcp-server --http 7070
  velos mcp-server --read-only --install claude";

/// A process manager for people and for AI agents
#[derive(Debug, Parser)]
#[command(name = "velos", disable_version_flag = true, disable_help_subcommand = true, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags of every command.
#[derive(Clone, Copy, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
pub(crate) struct Globals {
    /// Print one JSON document instead of text
    #[arg(long, visible_alias = "json", global = true, help_heading = "Global options")]
    pub(crate) machine: bool,
    /// The same with short keys and few tokens, for AI agents; `velos ai-keys` tells the keys
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) ai: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true, help_heading = "Global options")]
    pub(crate) color: Color,
    /// The same as --color never
    #[arg(long, global = true, hide = true)]
    pub(crate) no_color: bool,
    /// Print nothing when all goes well
    #[arg(long, short = 's', visible_alias = "silent", global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// Print versions of the binary and of the running daemon
    #[arg(long, short = 'V', short_alias = 'v')]
    pub(crate) version: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start scripts, programs or shell commands, or apps that are known
    #[command(after_help = START_EXAMPLES)]
    Start(Start),
    /// Stop apps and keep them in the list
    Stop(Ending),
    /// Stop and start apps
    Restart(Restart),
    /// Start new processes and stop the old ones when the new ones are good, one after the other
    #[command(alias = "gracefulReload")]
    Reload(Restart),
    /// Start the apps of a file, restarting what runs
    #[command(name = "startOrRestart", aliases = ["startOrReload", "startOrGracefulReload"], hide = true)]
    StartOrRestart(Restart),
    /// Forget how often apps were restarted
    Reset(Targets),
    /// Change the number of instances of an app; those that stay are not touched
    Scale(Scale),
    /// Send a signal to the main processes of apps
    #[command(alias = "sendSignal")]
    Signal(SendSignal),
    /// Stop apps and forget them; their logs stay
    #[command(visible_alias = "del")]
    Delete(Ending),
    /// Show all apps
    #[command(visible_aliases = ["ls", "l", "ps", "status"])]
    List(List),
    /// Print the list in PM2's JSON
    Jlist,
    /// The same, for people
    #[command(name = "prettylist")]
    PrettyList,
    /// Wait until apps are online, healthy, stopped or have ended
    Wait(Wait),
    /// Show everything about apps
    #[command(visible_aliases = ["show", "describe"], alias = "desc")]
    Info(Targets),
    /// Explain why apps are as they are: what happened, who asked, what comes next
    Why(Targets),
    /// Show the runs of apps: when, how long, why they ended, what they used
    Runs(Targets),
    /// Give a message to Node programs: `process.on('message')`
    Send(Send),
    /// Type into a program and see what it prints
    Attach(Attach),
    /// Watch over a process that runs already
    Adopt(Adopt),
    /// Show what apps printed
    #[command(visible_alias = "log")]
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(Logs),
    /// Show all apps on the full screen, live, with their logs, errors and keys to act on them
    #[command(visible_alias = "dash", aliases = ["dashboard", "imonit"])]
    Monit,
    /// Tell how well apps are, 0 to 100, and why
    Health(Health),
    /// Empty the logs of apps, or of all
    Flush(OptionalTargets),
    /// Begin new log files for apps, or for all
    #[command(alias = "reloadLogs")]
    Rotate(OptionalTargets),
    /// Show the environment of an app, with secrets masked
    Env(Env),
    /// Print the process ids of apps, or of all
    Pid(OptionalTargets),
    /// Print the ids of apps, or of all
    Id(OptionalTargets),
    /// Delete the saved list
    #[command(name = "cleardump")]
    ClearDump,
    /// Save the list, for `velos resurrect`
    #[command(visible_alias = "dump")]
    Save(Save),
    /// Start what was running when the list was saved
    Resurrect,
    /// Show what happened to apps and daemon
    Events(Events),
    /// Make what runs equal to what a file declares; only what changed is restarted
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(Apply),
    /// Check and show configuration files
    Config(Config),
    /// Write a commented velos.toml for what is found in this folder
    #[command(alias = "ecosystem")]
    Init(Init),
    /// Make a velos.toml of what another process manager knows
    Import(Import),
    /// Tell what the short keys of --ai mean
    AiKeys,
    /// Ask the daemon whether it is well, starting it if needed
    Ping,
    /// Stop and forget all apps and end the daemon
    Kill,
    /// Swap the binary of the running daemon; no app stops
    #[command(aliases = ["update", "updatePM2"])]
    Upgrade(Upgrade),
    /// Serve AI agents: tools of the Model Context Protocol
    #[command(name = "mcp-server", visible_alias = "mcp", after_help = MCP_EXAMPLES)]
    McpServer(McpServer),
    /// Commands of PM2 that are not needed here
    #[command(hide = true, name = "link", aliases = crate::commands::elsewhere::NAMES)]
    Elsewhere(Elsewhere),
    /// Compress closed segments of a log (the daemon calls it)
    #[command(hide = true)]
    PackLog(PackLog),
    /// Run the daemon in the foreground
    Daemon(Daemon),
}

#[derive(Debug, Args)]
pub(crate) struct Targets {
    /// Names, ids, name:instance, ns:NAMESPACE, all, /regex/ or globs
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Ending {
    /// Names, ids, name:instance, ns:NAMESPACE, all, /regex/ or globs, or configuration files
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Only these apps of a configuration file
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
}

/// Whatever stands behind it.
#[derive(Debug, Args)]
pub(crate) struct Elsewhere {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Restart {
    /// Names, ids, name:instance, ns:NAMESPACE, all, /regex/ or globs, or configuration files
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Give it another name
    #[arg(long, short, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Other arguments of the interpreter, before the script; "null": none
    #[arg(long, visible_alias = "node-args", value_name = "ARGS", allow_hyphen_values = true)]
    pub(crate) interpreter_args: Option<String>,
    /// Take the environment of this terminal; what was declared stays
    #[arg(long, short = 'a')]
    pub(crate) update_env: bool,
    /// Set an environment variable; for a configuration file also the name of a profile
    #[arg(long = "env", short = 'e', value_name = "KEY=VALUE")]
    pub(crate) env: Vec<String>,
    /// Only these apps of a configuration file
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Watch what was started for so long, and fail if it fails; 0: not at all [default: 300ms on a terminal, else 0]
    #[arg(long, value_name = "TIME")]
    pub(crate) settle: Option<String>,
    #[command(flatten)]
    pub(crate) flags: AppFlags,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Order of the rows: id, name, pid, cpu, memory, uptime, restarts or status, with :asc or :desc [default: id, and the
    /// biggest first for numbers]
    #[arg(long, value_name = "COLUMN", value_parser = Sort::parse)]
    pub(crate) sort: Option<Sort>,
    /// One line each: id, name, status, process id
    #[arg(long, short)]
    pub(crate) mini_list: bool,
}

/// An order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) by: SortBy,
    /// Against the order that is natural for the column.
    pub(crate) is_turned: bool,
}

impl Sort {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, direction) = text.split_once(':').unwrap_or((text, ""));
        let by = <SortBy as ValueEnum>::from_str(name, true).map_err(|_| {
            "there are the columns id, name, pid, cpu, memory, uptime, restarts and status".to_owned()
        })?;
        let biggest_first = matches!(by, SortBy::Cpu | SortBy::Memory | SortBy::Uptime | SortBy::Restarts);
        let is_turned = match direction {
            "" => false,
            "asc" => biggest_first,
            "desc" => !biggest_first,
            _ => return Err("the direction must be asc or desc".to_owned()),
        };
        Ok(Self { by, is_turned })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SortBy {
    Id,
    Name,
    Pid,
    Cpu,
    Memory,
    Uptime,
    Restarts,
    Status,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Names, ids, name:instance, ns:NAMESPACE, all, /regex/ or globs
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// How far they must have come: online, healthy, stopped, exit (the exit code is then that of the app), or
    /// log=PATTERN, a line of the current run that matches
    #[arg(long = "for", value_name = "STATE", value_parser = WaitFor::parse, default_value = "online")]
    pub(crate) until: WaitFor,
    /// Give up after this time, with exit code 5
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WaitFor {
    Online,
    Healthy,
    Stopped,
    Exit,
    Log(String),
}

impl WaitFor {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "online" => Ok(Self::Online),
            "healthy" => Ok(Self::Healthy),
            "stopped" => Ok(Self::Stopped),
            "exit" => Ok(Self::Exit),
            _ => match text.strip_prefix("log=") {
                Some(pattern) if !pattern.is_empty() => Ok(Self::Log(pattern.to_owned())),
                _ => Err("it must be online, healthy, stopped, exit or log=PATTERN".to_owned()),
            },
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Scale {
    /// Name or id of the app
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// How many there should be, or +N or -N; "max": one for each core, 0: the app is deleted
    #[arg(value_name = "COUNT", allow_hyphen_values = true)]
    pub(crate) count: String,
}

#[derive(Debug, Args)]
pub(crate) struct SendSignal {
    /// Name or number: SIGHUP, HUP, 1
    #[arg(value_name = "SIGNAL")]
    pub(crate) signal: String,
    /// Names, ids, name:instance, ns:NAMESPACE, all, /regex/ or globs
    #[arg(required = true, value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// Name, id, name:instance, ns:NAMESPACE, all, /regex/ or glob
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// A JSON value, or any text
    #[arg(value_name = "MESSAGE")]
    pub(crate) message: String,
    /// Type it as a line into the program's standard input instead
    #[arg(long)]
    pub(crate) stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Adopt {
    /// Its process id
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(2..))]
    pub(crate) process: i32,
    /// Name of the app [default: the name of the program]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) flags: AppFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Attach {
    /// Name or id of one instance
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
}

#[derive(Debug, Args)]
pub(crate) struct Env {
    /// Name or id of the app
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// Also show values whose names look secret
    #[arg(long)]
    pub(crate) show_secrets: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Save {
    /// Also when there is nothing to save
    #[arg(long, short)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OptionalTargets {
    /// Names, ids, name:instance, ns:NAMESPACE, all, /regex/ or globs
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Scripts, programs, "shell commands", configuration files, or apps that are known [default: velos.toml or
    /// ecosystem.config.js of this folder]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Name of the app [default: file name without its extension]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Group of the app
    #[arg(long, value_name = "NAME", default_value = DEFAULT_NAMESPACE)]
    pub(crate) namespace: String,
    /// Working directory [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<String>,
    /// Program that runs the script, or "none" [default: by shebang or extension]
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) interpreter: Option<String>,
    /// Arguments of the interpreter, before the script
    #[arg(long, visible_alias = "node-args", value_name = "ARGS", allow_hyphen_values = true)]
    pub(crate) interpreter_args: Option<String>,
    /// Set an environment variable (may be given several times); for a configuration file also the name of a profile
    #[arg(long = "env", short = 'e', value_name = "KEY=VALUE")]
    pub(crate) env: Vec<String>,
    /// Number of instances; "max" or 0: one for each core, -1: all cores but one
    #[arg(long, short, value_name = "N", allow_hyphen_values = true)]
    pub(crate) instances: Option<String>,
    #[command(flatten)]
    pub(crate) flags: AppFlags,
    /// A configuration file, the same as naming it as a target
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Vec<String>,
    /// Only these apps of a configuration file
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Add another one under the next free name when the name is taken
    #[arg(long, short)]
    pub(crate) force: bool,
    /// Watch what was started for so long, and fail if it fails; 0: not at all [default: 300ms on a terminal, else 0]
    #[arg(long, value_name = "TIME")]
    pub(crate) settle: Option<String>,
    /// Follow the logs of what was started
    #[arg(long)]
    pub(crate) attach: bool,
    /// Run in the foreground, with a daemon of its own: print the logs, end all at the end of this command
    #[arg(long, conflicts_with = "no_autostart")]
    pub(crate) no_daemon: bool,
    /// Arguments of the script
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<std::ffi::OsString>,
}

impl Start {
    /// What was said of `--settle`. Who follows the logs sees for himself.
    pub(crate) fn settle(&self) -> Option<&str> {
        self.settle.as_deref().or((self.attach || self.no_daemon).then_some("0"))
    }

    /// Whether something was said that only the declaration of a new app can hold.
    pub(crate) fn has_options(&self) -> bool {
        !self.env.is_empty() || self.has_options_but_env()
    }

    /// The same, but for what a configuration file takes too.
    pub(crate) fn has_options_but_env(&self) -> bool {
        self.says_what_it_is() || self.flags != AppFlags::default()
    }

    /// Whether something was said that makes it another program: where, by what and with which arguments it runs.
    pub(crate) fn says_what_it_is(&self) -> bool {
        let texts = [&self.cwd, &self.interpreter, &self.interpreter_args, &self.instances];
        texts.into_iter().any(Option::is_some) || self.namespace != DEFAULT_NAMESPACE || !self.args.is_empty()
    }
}

#[derive(Debug, Args)]
pub(crate) struct Upgrade {
    /// The new binary [default: this one]
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<std::path::PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Daemon {
    /// Detach from the terminal
    #[arg(long)]
    pub(crate) background: bool,
    /// End when the other end of standard input is closed, and keep no list
    #[arg(long, hide = true, conflicts_with = "background")]
    pub(crate) owned: bool,
    /// Prove to the running daemon that this binary can take its place
    #[arg(long, hide = true)]
    pub(crate) trial: bool,
    /// Go on as the guardian, with the table at this descriptor
    #[arg(long, hide = true, value_name = "FD")]
    pub(crate) guardian: Option<i32>,
}
