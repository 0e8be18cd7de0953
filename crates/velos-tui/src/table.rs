//! The processes: what is known of them, which are shown, which one is selected.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

use velos_core::instance::{InstanceId, Phase};
use velos_core::protocol::InstanceSummary;

use crate::filter::Filter;

#[cfg(test)]
mod tests;

/// Samples of a sparkline, one a second.
pub const SAMPLES_MAX: usize = 60;

/// Values over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History(VecDeque<u64>);

impl History {
    /// One more.
    pub fn push(&mut self, value: u64) {
        if self.0.len() == SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    /// The newest, oldest of them first.
    pub fn last(&self, count: usize) -> impl Iterator<Item = u64> {
        self.0.iter().skip(self.0.len().saturating_sub(count)).copied()
    }
}

/// One process.
#[derive(Clone, Debug)]
pub struct Row {
    /// As the daemon lists it.
    pub one: InstanceSummary,
    /// Hundredths of a percent.
    pub cpu: History,
    /// Bytes.
    pub memory: History,
}

impl Row {
    /// `api`, and `api:1` for further instances.
    pub fn name(&self) -> String {
        let one = &self.one;
        if one.slot > 0 { format!("{}:{}", one.name, one.slot) } else { one.name.clone() }
    }

    /// Whether it needs a look.
    pub fn is_fault(&self) -> bool {
        let one = &self.one;
        matches!(one.phase, Phase::Errored | Phase::Backoff)
            || one.healthy == Some(false)
            || one.log_errno.is_some()
            || one.dropped_lines > 0
    }
}

/// Order of the rows; numbers have the biggest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// As they were added.
    #[default]
    Id,
    /// By name.
    Name,
    /// What needs a look first.
    Status,
    /// Busiest first.
    Cpu,
    /// Biggest first.
    Memory,
    /// Most often restarted first.
    Restarts,
    /// Longest first.
    Uptime,
}

impl Sort {
    const ALL: [Self; 7] =
        [Self::Id, Self::Name, Self::Status, Self::Cpu, Self::Memory, Self::Restarts, Self::Uptime];

    /// The next one round.
    pub fn next(self) -> Self {
        let place = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL.get(place + 1).copied().unwrap_or_default()
    }

    /// Word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Status => "status",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Restarts => "restarts",
            Self::Uptime => "uptime",
        }
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// By id.
    pub rows: Vec<Row>,
    /// The one the pane is about.
    pub selected: Option<InstanceId>,
    /// Those that the next action is for instead.
    pub marked: BTreeSet<InstanceId>,
    /// Which are shown.
    pub filter: Filter,
    /// As it was typed.
    pub filter_text: String,
    /// Their order.
    pub sort: Sort,
    /// Only those that need a look.
    pub faults_only: bool,
    /// A list has come.
    pub is_known: bool,
}

impl Table {
    /// A new list. Histories go on; what is gone is forgotten.
    pub fn set(&mut self, instances: Vec<InstanceSummary>) {
        let mut old = std::mem::take(&mut self.rows);
        for one in instances {
            let before = old.iter().position(|row| row.one.id == one.id).map(|place| old.swap_remove(place));
            let (mut cpu, mut memory) = before.map(|row| (row.cpu, row.memory)).unwrap_or_default();
            cpu.push(one.cpu_centipercent.map_or(0, u64::from));
            memory.push(one.rss_bytes.unwrap_or(0));
            self.rows.push(Row { one, cpu, memory });
        }
        self.rows.sort_by_key(|row| row.one.id);
        let rows = &self.rows;
        self.marked.retain(|id| rows.iter().any(|row| row.one.id == *id));
        self.is_known = true;
    }

    /// A phase changed between two lists.
    pub fn set_phase(&mut self, id: InstanceId, phase: Phase, pid: Option<i32>) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.one.id == id) {
            row.one.phase = phase;
            if pid.is_some() || !matches!(phase, Phase::Online | Phase::Launching | Phase::Stopping) {
                row.one.pid = pid;
            }
            if row.one.pid.is_none() {
                (row.one.uptime_ms, row.one.cpu_centipercent, row.one.rss_bytes) = (None, None, None);
            }
        }
    }

    /// The rows that are shown, in order.
    pub fn shown(&self) -> Vec<&Row> {
        let is_shown = |row: &&Row| self.filter.holds(&row.one) && (!self.faults_only || row.is_fault());
        let mut rows: Vec<&Row> = self.rows.iter().filter(is_shown).collect();
        match self.sort {
            Sort::Id => {}
            Sort::Name => rows.sort_by(|a, b| a.one.name.cmp(&b.one.name)),
            Sort::Status => rows.sort_by_key(|row| (!row.is_fault(), row.one.phase)),
            Sort::Cpu => rows.sort_by_key(|row| Reverse(row.one.cpu_centipercent)),
            Sort::Memory => rows.sort_by_key(|row| Reverse(row.one.rss_bytes)),
            Sort::Restarts => rows.sort_by_key(|row| Reverse(row.one.restarts)),
            Sort::Uptime => rows.sort_by_key(|row| Reverse(row.one.uptime_ms)),
        }
        rows
    }

    /// The selected row, if it is known.
    pub fn row(&self) -> Option<&Row> {
        self.rows.iter().find(|row| Some(row.one.id) == self.selected)
    }

    /// Name of an instance.
    pub fn name_of(&self, id: InstanceId) -> String {
        let row = self.rows.iter().find(|row| row.one.id == id);
        row.map_or_else(|| format!("id {}", id.0), Row::name)
    }

    /// An instance as the daemon's resolver takes it, so that it means this one alone: an id alone may be an app's name.
    pub fn target_of(&self, id: InstanceId) -> String {
        let row = self.rows.iter().find(|row| row.one.id == id);
        match row.map(|row| &row.one).filter(|one| one.name != "ns") {
            Some(one) => format!("{}:{}", one.name, one.slot),
            None => id.0.to_string(),
        }
    }

    /// Place of the selected row among those that are shown.
    pub fn place(&self) -> Option<usize> {
        self.shown().iter().position(|row| Some(row.one.id) == self.selected)
    }

    /// Whom an action is for.
    pub fn targets(&self) -> Vec<InstanceId> {
        if self.marked.is_empty() {
            self.row().map(|row| row.one.id).into_iter().collect()
        } else {
            self.marked.iter().copied().collect()
        }
    }

    /// Select by place; too far is the last.
    pub fn select_place(&mut self, place: usize) {
        let shown = self.shown();
        let id = shown.get(place).or(shown.last()).map(|row| row.one.id);
        self.selected = id;
    }

    /// Some row is selected while any is shown: the one before, else its neighbour by id.
    pub fn keep_selection(&mut self) {
        if self.place().is_some() {
            return;
        }
        let shown = self.shown();
        let next = shown.iter().find(|row| Some(row.one.id) > self.selected).or(shown.last());
        self.selected = next.map(|row| row.one.id);
    }

    /// Which rows fit into so many lines so that the selected one is among them: the first.
    pub fn first_shown(&self, lines: usize) -> usize {
        let place = self.place().unwrap_or(0);
        let last_start = self.shown().len().saturating_sub(lines);
        place.saturating_sub(lines / 2).min(last_start)
    }
}
