//! Words of the commands that look back: logs, health, events.

use clap::Args;

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Logs {
    /// Names, ids, name:instance, ns:NAMESPACE, all, /regex/ or globs [default: all]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Go on as the logs grow (the default on a terminal)
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Print and end (the default elsewhere)
    #[arg(long, conflicts_with = "follow")]
    pub(crate) nostream: bool,
    /// How many lines of the past, of each app [default: 15; all, when --since, --grep or --level is given]
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) lines: Option<usize>,
    /// Not older: 1h, 30m, 2d, 10:30, yesterday, "2026-03-01 10:30", RFC 3339
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Not newer
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
    /// Only what a run printed: its number as `velos runs` shows it, or -1 for the one before this
    #[arg(long, value_name = "RUN", allow_hyphen_values = true, conflicts_with_all = ["since", "until", "follow"])]
    pub(crate) run: Option<i64>,
    /// Only lines that match this regular expression
    #[arg(long, short, value_name = "PATTERN", allow_hyphen_values = true)]
    pub(crate) grep: Option<String>,
    /// Upper and lower case are the same
    #[arg(long, short, requires = "grep")]
    pub(crate) ignore_case: bool,
    /// Only lines that do not match
    #[arg(long = "invert-match", short = 'v', requires = "grep")]
    pub(crate) invert: bool,
    /// So many lines before and behind those that match
    #[arg(long, short = 'C', value_name = "N")]
    pub(crate) context: Option<usize>,
    /// Only lines of these levels: trace, debug, info, warn, error, fatal; "warn+" for it and worse
    #[arg(long, value_name = "LEVELS")]
    pub(crate) level: Option<String>,
    /// Fold lines that only differ in their values
    #[arg(long)]
    pub(crate) dedupe: bool,
    /// Show which patterns the lines have, and how often
    #[arg(long, conflicts_with_all = ["follow", "errors", "summary", "raw", "context", "dedupe"])]
    pub(crate) patterns: bool,
    /// Show which errors there are, with a sample of each
    #[arg(long, conflicts_with_all = ["follow", "summary", "raw", "context", "dedupe"])]
    pub(crate) errors: bool,
    /// Show how much, how bad, what is unusual [default: of the last hour]
    #[arg(long, conflicts_with_all = ["follow", "raw", "context", "dedupe"])]
    pub(crate) summary: bool,
    /// Only standard error
    #[arg(long)]
    pub(crate) err: bool,
    /// Only standard output
    #[arg(long, conflicts_with = "err")]
    pub(crate) out: bool,
    /// The bytes as they were written, without time and name
    #[arg(long)]
    pub(crate) raw: bool,
    /// Date, milliseconds and time zone with each line
    #[arg(long, conflicts_with_all = ["raw", "format"])]
    pub(crate) timestamps: bool,
    /// The time in a form of yours, as strftime's "%H:%M:%S" or PM2's "HH:mm:ss" [default: YYYY-MM-DD-HH:mm:ss]
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, default_missing_value = crate::commands::TIME_FORM,
        conflicts_with_all = ["raw", "timestamps", "patterns", "errors", "summary"])]
    pub(crate) timestamp: Option<String>,
    /// Mark this text in the lines, on a terminal (may be given several times)
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, conflicts_with_all = ["raw", "patterns", "errors", "summary"])]
    pub(crate) highlight: Vec<String>,
    /// A line as "{time} {app} {stream} {level} {text}", or json
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "raw")]
    pub(crate) format: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Health {
    /// Names, ids, name:instance, ns:NAMESPACE, all, /regex/ or globs [default: all]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// From when on [default: 1h]
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<String>,
    /// Exit code 1 when a score is lower
    #[arg(long, value_name = "SCORE", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) fail_below: Option<u8>,
}

#[derive(Debug, Args)]
pub(crate) struct PackLog {
    /// The live log
    #[arg(value_name = "LOG")]
    pub(crate) log: std::path::PathBuf,
    /// Only segments below this number
    #[arg(value_name = "NUMBER")]
    pub(crate) below: u64,
}

/// What there is besides events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Also {
    /// Readings of CPU and memory
    Samples,
    /// Lines of logs
    Logs,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Only of these
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Go on as things happen
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// With --follow: also readings of CPU and memory, also lines of logs; go on when the daemon crashes
    #[arg(long, value_name = "KIND", value_delimiter = ',', requires = "follow")]
    pub(crate) with: Vec<Also>,
    /// Pause between two readings, 250ms to 60s [default: 1s]
    #[arg(long, value_name = "DURATION", requires = "with")]
    pub(crate) interval: Option<String>,
    /// Only later events: 1h, 10:30, yesterday, RFC 3339, or #N for those after sequence number N
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
}
