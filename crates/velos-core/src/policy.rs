//! What the user declared about restarting, stopping and becoming ready.

use serde::{Deserialize, Serialize};

use crate::app::CronSpec;
use crate::signal::Signal;

/// When an instance that ended is started again. Defaults are PM2's, but that a crash loop backs off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RestartPolicy {
    /// Start again after an exit that nobody asked for.
    pub autorestart: bool,
    /// Unstable exits in a row that are allowed; one more and the instance is errored.
    pub max_restarts: u32,
    /// A run shorter than this is unstable. Milliseconds.
    pub min_uptime_ms: u64,
    /// Fixed pause before every automatic restart. Milliseconds; 0: none.
    pub restart_delay_ms: u64,
    /// First pause of the exponential backoff after an unstable exit. Milliseconds.
    pub backoff_base_ms: u64,
    /// Longest pause of the backoff. Milliseconds.
    pub backoff_cap_ms: u64,
    /// Growth of the pause in percent: 150 means each is half as long again.
    pub backoff_factor_percent: u32,
    /// Exit codes after which the instance stays stopped.
    pub stop_exit_codes: Vec<i32>,
    /// Restart it when its tree uses more memory than this. Bytes, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_memory_bytes: Option<u64>,
    /// Restart it at these moments; what was stopped stays stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<CronSpec>,
    /// The moments of `cron` also start what people stopped, as under PM2.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cron_revives: bool,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            autorestart: true,
            max_restarts: 16,
            min_uptime_ms: 1_000,
            restart_delay_ms: 0,
            backoff_base_ms: 100,
            backoff_cap_ms: 15_000,
            backoff_factor_percent: 150,
            stop_exit_codes: Vec::new(),
            max_memory_bytes: None,
            cron: None,
            cron_revives: false,
        }
    }
}

/// How an instance is asked to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StopPolicy {
    /// The polite signal.
    pub kill_signal: Signal,
    /// After this SIGKILL follows. Milliseconds.
    pub kill_timeout_ms: u64,
    /// Signal the whole tree, not only the main process.
    pub treekill: bool,
    /// Send the message "shutdown" over the Node channel instead of the signal.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub with_message: bool,
}

impl Default for StopPolicy {
    fn default() -> Self {
        Self { kill_signal: Signal::TERM, kill_timeout_ms: 1_600, treekill: true, with_message: false }
    }
}

/// When a started instance counts as online.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadinessPolicy {
    /// Wait for a readiness message instead of being online as soon as the program runs.
    pub wait_ready: bool,
    /// How long to wait for it. Milliseconds.
    pub listen_timeout_ms: u64,
    /// Whether passing `listen_timeout` is a failure (else the instance is online then, as under PM2).
    pub strict: bool,
    /// The readiness message is `READY=1` on `NOTIFY_SOCKET` (sd_notify) instead of `ready` on the Node channel.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sd_notify: bool,
    /// Once it is online it must say `WATCHDOG=1` at least so often, or it is restarted. Milliseconds. Only with
    /// `sd_notify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog_ms: Option<u64>,
}

impl Default for ReadinessPolicy {
    fn default() -> Self {
        Self {
            wait_ready: false,
            listen_timeout_ms: 3_000,
            strict: false,
            sd_notify: false,
            watchdog_ms: None,
        }
    }
}
