//! Flags that say how an app is run: for `start`, and for `restart` and `reload` of what is known.

use clap::{Args, ValueEnum};

#[derive(Clone, Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "How it is run")]
pub(crate) struct AppFlags {
    /// Time between the stop signal and SIGKILL: 1600ms, 3s, ... (a bare number is ms)
    #[arg(long, short, value_name = "TIME")]
    pub(crate) kill_timeout: Option<String>,
    /// Signal that asks the app to stop [default: SIGTERM]
    #[arg(long, value_name = "SIGNAL")]
    pub(crate) kill_signal: Option<String>,
    /// Do not start it again when it ends
    #[arg(long)]
    pub(crate) no_autorestart: bool,
    /// Unstable exits in a row before it is given up
    #[arg(long, value_name = "N")]
    pub(crate) max_restarts: Option<u32>,
    /// A shorter run is unstable: 1s, 500ms, ...
    #[arg(long, value_name = "TIME")]
    pub(crate) min_uptime: Option<String>,
    /// First pause of the exponential backoff [default: 100ms]
    #[arg(long, value_name = "TIME")]
    pub(crate) exp_backoff_restart_delay: Option<String>,
    /// Pause before each automatic restart
    #[arg(long, value_name = "TIME")]
    pub(crate) restart_delay: Option<String>,
    /// Restart it when all its processes together use more memory: 200M, 1G, ...
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_memory_restart: Option<String>,
    /// Restart it at these moments: "0 3 * * *", @daily, ...
    #[arg(long, short, visible_alias = "cron", value_name = "CRON")]
    pub(crate) cron_restart: Option<String>,
    /// Add it to the list without starting it
    #[arg(long)]
    pub(crate) no_autostart: bool,
    /// Restart it when files in its folder change, or in these paths
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = ".", require_equals = true)]
    pub(crate) watch: Vec<String>,
    /// Do not watch these (lines of a gitignore file)
    #[arg(long, value_name = "PATTERN")]
    pub(crate) ignore_watch: Vec<String>,
    /// Only files with these extensions: js,json
    #[arg(long, value_name = "EXTENSIONS", value_delimiter = ',')]
    pub(crate) ext: Vec<String>,
    /// Quiet time after a change before the restart [default: 200ms]
    #[arg(long, value_name = "TIME")]
    pub(crate) watch_delay: Option<String>,
    /// It is online when it says `ready` over the Node channel, not as soon as it runs
    #[arg(long)]
    pub(crate) wait_ready: bool,
    /// How long to wait for that [default: 3s]
    #[arg(long, value_name = "TIME")]
    pub(crate) listen_timeout: Option<String>,
    /// Ask it to end with the message "shutdown" over the Node channel instead of a signal
    #[arg(long)]
    pub(crate) shutdown_with_message: bool,
    /// Exit codes after which it stays stopped
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(crate) stop_exit_codes: Vec<i32>,
    /// File for standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<String>,
    /// File for standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) error: Option<String>,
    /// File for both [default: <name>.log beside the others]
    #[arg(long = "log", short = 'l', value_name = "FILE", num_args = 0..=1, default_missing_value = "")]
    pub(crate) combined: Option<String>,
    /// All instances write to the same files
    #[arg(long)]
    pub(crate) merge_logs: bool,
    /// Store no output at all
    #[arg(long)]
    pub(crate) disable_logs: bool,
    /// Put the time before each stored line
    #[arg(long)]
    pub(crate) time: bool,
    /// The same in a form of yours: YYYY-MM-DD HH:mm:ss.SSS
    #[arg(long, value_name = "FORM")]
    pub(crate) log_date_format: Option<String>,
    /// How lines are stored
    #[arg(long, value_name = "TYPE", value_enum)]
    pub(crate) log_type: Option<LogType>,
    /// File for the process id
    #[arg(long, short, value_name = "FILE")]
    pub(crate) pid: Option<String>,
    /// Signal only the main process, not all it started
    #[arg(long)]
    pub(crate) no_treekill: bool,
    /// User to run as, by name or number (the daemon must be root)
    #[arg(long, visible_alias = "user", value_name = "USER")]
    pub(crate) uid: Option<String>,
    /// Group to run as, by name or number
    #[arg(long, value_name = "GROUP")]
    pub(crate) gid: Option<String>,
    /// Do not give it variables of this terminal whose names contain one of these
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    pub(crate) filter_env: Vec<String>,
    /// Stacks of Node programs name the code as it runs, not the sources it was made from
    #[arg(long)]
    pub(crate) disable_source_map_support: bool,
    #[command(flatten)]
    pub(crate) ignored: Ignored,
}

/// How lines are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogType {
    Raw,
    Json,
}

/// PM2's flags that need nothing here: taken, so that scripts go on working.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
pub(crate) struct Ignored {
    #[arg(long, hide = true)]
    no_vizion: bool,
    #[arg(long, hide = true)]
    no_pmx: bool,
    #[arg(long, hide = true)]
    no_automation: bool,
    #[arg(long, hide = true)]
    trace: bool,
    #[arg(long, hide = true)]
    disable_trace: bool,
    #[arg(long, hide = true)]
    v8: bool,
    #[arg(long, hide = true)]
    event_loop_inspector: bool,
    #[arg(long, hide = true)]
    deep_monitoring: bool,
    /// It is so without being said.
    #[arg(long, hide = true)]
    source_map_support: bool,
    #[arg(long, short = 'x', hide = true)]
    execute_command: bool,
    #[arg(long, hide = true, value_name = "N")]
    parallel: Option<u32>,
}

impl Ignored {
    /// Those that were given, as they are written.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let flags = [
            ("--no-vizion", self.no_vizion),
            ("--no-pmx", self.no_pmx),
            ("--no-automation", self.no_automation),
            ("--trace", self.trace),
            ("--disable-trace", self.disable_trace),
            ("--v8", self.v8),
            ("--event-loop-inspector", self.event_loop_inspector),
            ("--deep-monitoring", self.deep_monitoring),
            ("--execute-command", self.execute_command),
            ("--parallel", self.parallel.is_some()),
        ];
        flags.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag).collect()
    }
}
