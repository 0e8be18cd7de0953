//! Everything the view shows, and nothing else: no clock, no files, no sockets.

use std::collections::VecDeque;

use velos_core::instance::InstanceId;
use velos_core::protocol::{HelloReply, InstanceInfo};

use crate::Clock;
use crate::digest::Digest;
use crate::logs::Logs;
use crate::msg::{EventLine, Host, LogSource, RunLine, Verb};
use crate::table::{History, Table};

/// Events that are kept for the pane.
pub const EVENTS_MAX: usize = 500;

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours; without them weight and words tell the same.
    pub colour: bool,
    /// Blocks and dots beyond ASCII.
    pub unicode: bool,
}

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The person wants it.
    Quit,
    /// This signal came.
    Signal(i32),
}

/// Whether there is a daemon.
#[derive(Clone, Debug)]
pub enum Link {
    /// Not known yet.
    Waiting,
    /// It answers.
    Here(Box<HelloReply>),
    /// It does not.
    Away {
        /// Since when, milliseconds since 1970.
        since_ms: i64,
        /// Why.
        reason: String,
    },
}

/// What the lower (or right) pane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// Lines.
    Logs,
    /// Lines that tell of errors, grouped.
    Errors,
    /// The log as a whole.
    Summary,
    /// The declaration.
    Config,
    /// The environment.
    Env,
    /// What happened to it.
    Events,
    /// The processes that it has had.
    Runs,
}

impl Tab {
    /// In the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Logs, Self::Errors, Self::Summary, Self::Config, Self::Env, Self::Events, Self::Runs];

    /// Word in the bar.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logs => "Logs",
            Self::Errors => "Errors",
            Self::Summary => "Summary",
            Self::Config => "Config",
            Self::Env => "Env",
            Self::Events => "Events",
            Self::Runs => "Runs",
        }
    }

    /// From 0.
    pub fn number(self) -> usize {
        Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0)
    }
}

/// Where the arrows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// The processes.
    Table,
    /// The pane.
    Pane,
}

/// What is typed into the last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Which processes are shown.
    Filter,
    /// A text to find in the log.
    Search,
    /// A text that lines must hold to be shown.
    Only,
}

/// Who gets the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The panes.
    Normal,
    /// A line of text; what stood there before comes back on Esc.
    Typing {
        /// What for.
        prompt: Prompt,
        /// So far.
        text: String,
        /// Before.
        before: String,
        /// The row that was selected before: what is filtered out loses the selection.
        selected: Option<InstanceId>,
    },
    /// A line of letters that finds apps and commands.
    Palette {
        /// So far.
        text: String,
        /// Place of the line that Enter takes.
        chosen: usize,
    },
    /// A question before something that cannot be undone.
    Confirm {
        /// What.
        verb: Verb,
        /// With whom.
        targets: Vec<InstanceId>,
    },
    /// The keys.
    Help {
        /// Lines scrolled away.
        scroll: usize,
    },
}

/// One line about what was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The line.
    pub text: String,
    /// Whether it went well.
    pub ok: bool,
    /// Since when it is shown, milliseconds since 1970.
    pub since_ms: i64,
}

/// All of it.
#[derive(Debug)]
pub struct Model {
    /// Columns and rows.
    pub size: (u16, u16),
    /// What the terminal can show.
    pub look: Look,
    /// Times of day.
    pub clock: Clock,
    /// The wall clock as of the last tick, milliseconds since 1970.
    pub now_ms: i64,
    /// The daemon.
    pub link: Link,
    /// The machine.
    pub host: Option<Host>,
    /// Its processors' work over time.
    pub host_cpu: History,
    /// The processes.
    pub table: Table,
    /// What the pane shows.
    pub tab: Tab,
    /// Where the arrows go.
    pub focus: Focus,
    /// The pane has the whole screen.
    pub full: bool,
    /// Lines of the selected process.
    pub logs: Logs,
    /// Where they are read.
    pub following: Option<LogSource>,
    /// Its log as a whole.
    pub digest: Option<Box<Digest>>,
    /// When another may be made, milliseconds since 1970.
    pub digest_due_ms: i64,
    /// A digest was asked for and has not come.
    pub digest_pending: bool,
    /// Its declaration.
    pub info: Option<Box<InstanceInfo>>,
    /// Its processes, oldest first, or why they are not known.
    pub runs: Option<(InstanceId, Result<Vec<RunLine>, String>)>,
    /// What happened, oldest first.
    pub events: VecDeque<EventLine>,
    /// Lines scrolled away in a pane other than the log.
    pub scroll: usize,
    /// Who gets the keys.
    pub mode: Mode,
    /// What was done last.
    pub notice: Option<Notice>,
    /// Actions that were asked for and not answered.
    pub pending: usize,
    /// The mouse is ours.
    pub mouse: bool,
    /// Set once, and the program ends.
    pub ending: Option<Ending>,
}

impl Model {
    /// Before anything is known.
    pub fn new(size: (u16, u16), look: Look, clock: Clock, now_ms: i64) -> Self {
        Self {
            size,
            look,
            clock,
            now_ms,
            link: Link::Waiting,
            host: None,
            host_cpu: History::default(),
            table: Table::default(),
            tab: Tab::Logs,
            focus: Focus::Table,
            full: false,
            logs: Logs::default(),
            following: None,
            digest: None,
            digest_due_ms: 0,
            digest_pending: false,
            info: None,
            runs: None,
            events: VecDeque::new(),
            scroll: 0,
            mode: Mode::Normal,
            notice: None,
            pending: 0,
            mouse: true,
            ending: None,
        }
    }

    /// Show a line for some seconds.
    pub fn tell(&mut self, text: impl Into<String>, ok: bool) {
        self.notice = Some(Notice { text: text.into(), ok, since_ms: self.now_ms });
    }

    /// Events of the selected instance, or all when none is, oldest first.
    pub fn events_shown(&self) -> impl Iterator<Item = (&EventLine, &str)> {
        let selected = self.table.selected;
        self.events
            .iter()
            .filter(move |event| event.instance.is_none() || selected.is_none() || event.instance == selected)
            .filter_map(|event| Some((event, event.text.as_deref()?)))
    }
}
