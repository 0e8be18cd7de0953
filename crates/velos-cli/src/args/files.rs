//! Words of the commands about configuration files.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The file [default: velos.toml or ecosystem.config.js of this folder]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<std::path::PathBuf>,
    /// Only show the plan
    #[arg(long, short = 'n')]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Delete the apps that this file declared before and does no longer
    #[arg(long)]
    pub(crate) prune: bool,
    /// Only these apps
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Add the variables of a profile: env_<NAME>
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Tell what is wrong with a file, with line and column
    Check(ConfigFile),
    /// Show the apps of a file as velos understands them
    Show(ConfigFile),
    /// Print the JSON Schema of velos.toml, for editors
    Schema,
    /// Show your own defaults for all apps, or one of them
    Get(ConfigGet),
    /// Set a default for all apps that are started from now on: velos config set kill_timeout 5s
    Set(ConfigSet),
    /// Take a default back
    Unset(ConfigGet),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigGet {
    /// A key of apps as in velos.toml: kill_timeout, logs.keep, ...
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigSet {
    /// A key of apps as in velos.toml: kill_timeout, logs.keep, ...
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// Its value
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) value: String,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The file [default: velos.toml or ecosystem.config.js of this folder]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<std::path::PathBuf>,
    /// Add the variables of a profile: env_<NAME>
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The file to write [default: velos.toml]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<std::path::PathBuf>,
    /// Overwrite it
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    pub(crate) from: ImportFrom,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportFrom {
    /// PM2's saved list or one of its ecosystem files
    Pm2(ImportPm2),
}

#[derive(Debug, Args)]
pub(crate) struct ImportPm2 {
    /// The file [default: ~/.pm2/dump.pm2]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<std::path::PathBuf>,
    /// Write a file instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<std::path::PathBuf>,
    /// Overwrite it
    #[arg(long)]
    pub(crate) force: bool,
    /// Take the running apps over from PM2, which ends; none of them stops
    #[arg(long, conflicts_with = "file")]
    pub(crate) live: bool,
    /// With --live, do not ask
    #[arg(long, short, requires = "live")]
    pub(crate) yes: bool,
    /// With --live, start apps of cluster mode anew: their sockets are PM2's and cannot be taken over
    #[arg(long, requires = "live")]
    pub(crate) restart_cluster: bool,
}
