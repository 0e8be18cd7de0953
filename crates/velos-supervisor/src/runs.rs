//! The runs of an instance: begun when its process is there, closed when it is gone.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use velos_core::event::Cause;
use velos_core::instance::{Exit, Token};
use velos_core::run::{Run, Used};

use crate::{Now, Supervisor};

/// Runs that are kept of an instance; older ones are forgotten.
pub(crate) const KEPT: usize = 10;

/// The newest runs of one instance, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Runs(VecDeque<Run>);

impl Runs {
    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Run> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn begin(&mut self, token: Token, pid: i32, started_ms: i64) {
        self.add(Run {
            number: 0,
            token,
            pid,
            started_ms,
            ended_ms: None,
            exit: None,
            ended_by: None,
            used: None,
        });
    }

    /// The runs of the stand-in of a reload are those of the instance it stood in for.
    pub(crate) fn take_over(&mut self, other: &mut Self) {
        for run in other.0.drain(..) {
            self.add(run);
        }
    }

    fn add(&mut self, mut run: Run) {
        run.number = self.0.back().map_or(0, |last| last.number) + 1;
        self.0.push_back(run);
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    fn open(&mut self, token: Token) -> Option<&mut Run> {
        self.0.iter_mut().rev().find(|run| run.token == token && run.ended_ms.is_none())
    }

    /// Close what was running when the machine went down.
    pub(crate) fn cut_off(&mut self, now: Now) {
        for run in self.0.iter_mut().filter(|run| run.ended_ms.is_none()) {
            run.ended_ms = Some(now.wall_ms);
            run.exit = Some(Exit::Unknown);
            run.ended_by = Some(Cause::Rebooted);
        }
    }
}

impl Supervisor {
    /// Somebody or something ends it; the first reason counts.
    pub(crate) fn run_is_ended_by(&mut self, token: Token, cause: &Cause) {
        // What cleans up after an exit did not end the run.
        if matches!(cause, Cause::Exited { .. }) {
            return;
        }
        if let Some(run) = self.open_run(token) {
            run.ended_by.get_or_insert_with(|| cause.clone());
        }
    }

    pub(crate) fn run_ended(&mut self, now: Now, token: Token, exit: Exit, used: Option<Used>) {
        if let Some(run) = self.open_run(token) {
            run.ended_ms = Some(now.wall_ms);
            run.exit = Some(exit);
            run.used = used;
        }
    }

    /// In a reload the old run belongs to the instance while its process hangs on the stand-in.
    fn open_run(&mut self, token: Token) -> Option<&mut Run> {
        let id = self.instance_by_token(token)?;
        let owner = self.writes_as(id);
        let id = if self.instances.get_mut(&owner).is_some_and(|one| one.runs.open(token).is_some()) {
            owner
        } else {
            id
        };
        self.instances.get_mut(&id)?.runs.open(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_and_numbers_go_on() {
        let mut runs = Runs::default();
        for n in 0..15 {
            runs.begin(Token(n), 100, 0);
        }
        let numbers: Vec<u64> = runs.iter().map(|run| run.number).collect();
        assert_eq!(numbers, (6..=15).collect::<Vec<_>>());
        let mut stand_in = Runs::default();
        stand_in.begin(Token(99), 200, 5);
        runs.take_over(&mut stand_in);
        assert!(stand_in.is_empty());
        assert_eq!(runs.iter().last().map(|run| (run.number, run.pid)), Some((16, 200)));
        runs.cut_off(Now { mono_ns: 0, wall_ms: 77 });
        assert!(runs.iter().all(|run| run.ended_ms == Some(77) && run.exit == Some(Exit::Unknown)));
    }
}
