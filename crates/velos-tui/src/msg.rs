//! What comes in, and what is to be done about it.

use std::path::PathBuf;

use ratatui::crossterm::event::{KeyEvent, MouseEvent};
use velos_core::instance::{InstanceId, Phase};
use velos_core::protocol::{HelloReply, InstanceInfo, InstanceSummary};
use velos_core::run::Run;

use crate::digest::Digest;
use crate::logs::LogLine;
use crate::model::Ending;

/// Something happened outside.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// A second went by; the wall clock, milliseconds since 1970.
    Tick(i64),
    /// What the machine does.
    Host(Host),
    /// A daemon answers.
    Here(Box<HelloReply>),
    /// None does, and why.
    Away(String),
    /// All instances.
    List(Vec<InstanceSummary>),
    /// All of one instance, secrets hidden already. `None`: it is not known any more.
    Info(InstanceId, Option<Box<InstanceInfo>>),
    /// The processes that an instance has had, oldest first, or why they are not known.
    Runs(InstanceId, Result<Vec<RunLine>, String>),
    /// Things that happened, oldest first.
    Events(Vec<EventLine>),
    /// So many events were missed.
    EventsLost(u64),
    /// Lines of the selected instance.
    Log(LogBatch),
    /// What its log says as a whole.
    Digest(u64, Box<Digest>),
    /// The logs could not be read.
    LogFailed(u64, String),
    /// What became of something that was asked for.
    Told {
        /// One line.
        text: String,
        /// Whether it went well.
        ok: bool,
    },
    /// The process was told to end.
    End(Ending),
}

/// An event, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine {
    /// Its number.
    pub sequence: u64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Whom it concerns.
    pub instance: Option<InstanceId>,
    /// The sentence; `None`: nothing worth telling.
    pub text: Option<String>,
    /// The phase an instance has since then, and its process.
    pub phase: Option<(Phase, Option<i32>)>,
    /// It tells of something that went wrong.
    pub is_bad: bool,
    /// A process ended by itself, and not well.
    pub is_crash: bool,
}

/// A process that was, or is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLine {
    /// What is known of it.
    pub run: Run,
    /// Why it was ended; `None`: it ended by itself, or runs.
    pub because: Option<String>,
}

/// Lines that came together.
#[derive(Clone, Debug, Default)]
pub struct LogBatch {
    /// Of which request; older ones are dropped.
    pub generation: u64,
    /// In order of time.
    pub lines: Vec<LogLine>,
    /// Lines in which a secret was hidden.
    pub hidden: u64,
    /// Whether more came than could be shown, so that some were left out.
    pub skipped: bool,
}

/// What the machine does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Host {
    /// All processors together, percent.
    pub cpu_percent: f32,
    /// Memory in use, bytes.
    pub used_bytes: u64,
    /// Memory there is, bytes.
    pub total_bytes: u64,
    /// Processors.
    pub processors: usize,
}

/// What can be asked of instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Run it.
    Start,
    /// Do not run it.
    Stop,
    /// Stop and run it.
    Restart,
    /// New process first.
    Reload,
    /// Stop and forget it.
    Delete,
}

impl Verb {
    /// As it is asked.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Delete => "delete",
        }
    }

    /// As it is told.
    pub fn past(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Stop => "stopped",
            Self::Restart => "restarted",
            Self::Reload => "reloaded",
            Self::Delete => "deleted",
        }
    }
}

/// The logs of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSource {
    /// Number of this request.
    pub generation: u64,
    /// Whose they are.
    pub name: String,
    /// Standard output.
    pub out: PathBuf,
    /// Standard error; may be the same file.
    pub err: PathBuf,
    /// Whether secrets are hidden.
    pub redact: bool,
}

/// Something to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the daemon to do something with these, named as it takes them.
    Act(Verb, Vec<String>),
    /// Ask the daemon for all of one.
    Info(InstanceId, String),
    /// Ask the daemon for the runs of one.
    Runs(InstanceId, String),
    /// Read and follow these logs instead of the ones before.
    Follow(Option<LogSource>),
    /// Look at these logs as a whole.
    Digest(LogSource),
    /// Let the terminal have the mouse back, or take it.
    CaptureMouse(bool),
    /// Into the clipboard of the terminal.
    Copy(String),
    /// Stop this process until the shell continues it.
    Suspend,
}
