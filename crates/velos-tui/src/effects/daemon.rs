//! Keeps the list, and asks for single instances when they are looked at; carries requests to the daemon.
//!
//! The list is asked for when something happened; from one reading to the next its numbers come from the readings that
//! the daemon sends once a second. When none come (it is away, or older than readings) the list is asked for instead.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use velos_client::{Client, ErrorCode, ErrorReply, Home};
use velos_core::instance::InstanceId;
use velos_core::live::Samples;
use velos_core::protocol::{HelloReply, InfoReply, InstanceSummary, ListReply, Outcomes, Targets, method};
use velos_core::raw_string::RawString;

use crate::Words;
use crate::msg::{Msg, Verb};

use super::NAME;

/// How often the list is asked for while no readings come.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a reading may be late.
const LATE: Duration = Duration::from_millis(1_700);
/// How long the daemon may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Every so many lists, of one a second, the daemon tells of itself, and the list is asked for whatever is known: some
/// of it changes without an event.
const ASK_EVERY: u32 = 10;

/// An instance whose whole is wanted, and how the daemon names it.
pub(super) type Wanted = (InstanceId, String);

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Ask {
    /// The whole of an instance is wanted.
    Info(Wanted),
    /// Something happened: the list is old.
    Changed,
    /// The daemon came or went.
    Now,
    /// The daemon's readings.
    Samples(Samples),
}

/// Takes the instances whose whole is wanted.
pub(super) fn spawn(home: &Home, words: Words, send: &Sender<Msg>) -> Sender<Ask> {
    let (ask, asked) = mpsc::channel();
    let asker =
        Asker { home: home.clone(), words, send: send.clone(), client: None, lists: 0, pid: 0, rows: None };
    std::thread::spawn(move || asker.run(&asked));
    ask
}

struct Asker {
    home: Home,
    words: Words,
    send: Sender<Msg>,
    client: Option<Client>,
    lists: u32,
    /// Of the daemon that was told of last.
    pid: i32,
    /// The list as it is known; `None`: it has to be asked for.
    rows: Option<Vec<InstanceSummary>>,
}

impl Asker {
    fn run(mut self, asked: &Receiver<Ask>) {
        let mut due = Instant::now();
        loop {
            let (mut info, mut samples, mut is_due) = (None, None, false);
            match asked.recv_timeout(due.saturating_duration_since(Instant::now())) {
                // Only the newest: the others are not looked at any more.
                Ok(first) => {
                    for ask in std::iter::once(first).chain(asked.try_iter()) {
                        match ask {
                            Ask::Info(wanted) => info = Some(wanted),
                            Ask::Changed => self.rows = None,
                            Ask::Now => is_due = true,
                            Ask::Samples(newest) => samples = Some(newest),
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => is_due = true,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if is_due || samples.is_some() {
                due = Instant::now() + if samples.is_some() { LATE } else { PERIOD };
            }
            let listed = match samples {
                Some(samples) if !is_due && self.take_samples(&samples) => Ok(()),
                Some(_) => self.list(),
                None if is_due => self.list(),
                None => Ok(()),
            };
            let result = listed.and_then(|()| info.map_or(Ok(()), |(id, target)| self.info(id, target)));
            if let Err(error) = result {
                self.client = None;
                if self.send.send(Msg::Away(error.message)).is_err() {
                    return;
                }
            }
        }
    }

    /// The list with new numbers, if they are about the same instances.
    fn take_samples(&mut self, samples: &Samples) -> bool {
        let is_turn = self.lists.is_multiple_of(ASK_EVERY);
        let Some(rows) = self.rows.as_mut().filter(|_| !is_turn && self.client.is_some()) else {
            return false;
        };
        if !apply(rows, samples) {
            return false;
        }
        let rows = rows.clone();
        self.lists = self.lists.wrapping_add(1);
        self.tell(Msg::List(rows));
        true
    }

    fn client(&mut self) -> Result<&mut Client, ErrorReply> {
        let client = match self.client.take() {
            Some(client) => client,
            None => {
                let mut client = Client::connect_within(&self.home, NAME, PATIENCE)?
                    .ok_or_else(|| ErrorReply::new(ErrorCode::NoDaemon, "no daemon runs"))?;
                client.set_patience(Some(PATIENCE));
                self.lists = 0;
                self.pid = 0;
                client
            }
        };
        Ok(self.client.insert(client))
    }

    fn list(&mut self) -> Result<(), ErrorReply> {
        let list: ListReply = self.client()?.call(method::LIST, &Targets::default())?;
        // A client goes on by itself with the daemon that follows one that died.
        let hello = self.client()?.hello().clone();
        if hello.pid != self.pid {
            self.pid = hello.pid;
            self.tell(Msg::Here(Box::new(hello)));
        } else if self.lists.is_multiple_of(ASK_EVERY) {
            let hello: HelloReply = self.client()?.call(method::PING, &Targets::default())?;
            self.tell(Msg::Here(Box::new(hello)));
        }
        self.lists = self.lists.wrapping_add(1);
        self.rows = Some(list.instances.clone());
        self.tell(Msg::List(list.instances));
        Ok(())
    }

    fn info(&mut self, id: InstanceId, target: String) -> Result<(), ErrorReply> {
        let is_secret = self.words.is_secret;
        let targets = Targets { targets: vec![target] };
        let info = match self.client()?.call::<_, InfoReply>(method::INFO, &targets) {
            Ok(info) => info.instances.into_iter().next(),
            Err(error) if error.code == ErrorCode::NotFound => None,
            Err(error) => return Err(error),
        };
        let masked = info.map(|mut info| {
            for (key, value) in &mut info.spec.env {
                if is_secret(&key.to_text()) {
                    *value = RawString::from("***");
                }
            }
            Box::new(info)
        });
        self.tell(Msg::Info(id, masked));
        Ok(())
    }

    fn tell(&self, msg: Msg) {
        // Nobody hears it only when the process ends.
        let _ = self.send.send(msg);
    }
}

/// Whether all were the same as before, which is when the rows have the new numbers.
fn apply(rows: &mut [InstanceSummary], samples: &Samples) -> bool {
    let is_same = rows.len() == samples.instances.len()
        && rows.iter().zip(&samples.instances).all(|(row, sample)| {
            (row.id, row.phase, row.pid, row.restarts)
                == (sample.id, sample.phase, sample.pid, sample.restarts)
        });
    if is_same {
        for (row, sample) in rows.iter_mut().zip(&samples.instances) {
            row.uptime_ms = sample.uptime_ms;
            row.cpu_centipercent = sample.cpu_centipercent;
            row.rss_bytes = sample.rss_bytes;
        }
    }
    is_same
}

/// Ask for something on a connection of its own: it takes as long as the apps take.
pub(super) fn act(home: &Home, send: &Sender<Msg>, verb: Verb, targets: Vec<String>) {
    let (home, send) = (home.clone(), send.clone());
    std::thread::spawn(move || {
        let (text, ok) = match request(&home, verb, targets) {
            Ok(outcomes) => tell_outcomes(verb, &outcomes),
            Err(error) => {
                let hint = error.hint.map_or(String::new(), |hint| format!("; {hint}"));
                (format!("cannot {}: {}{hint}", verb.name(), error.message), false)
            }
        };
        // Nobody hears it only when the process ends.
        let _ = send.send(Msg::Told { text, ok });
    });
}

fn request(home: &Home, verb: Verb, targets: Vec<String>) -> Result<Outcomes, ErrorReply> {
    let mut client = Client::connect_within(home, NAME, PATIENCE)?
        .ok_or_else(|| ErrorReply::new(ErrorCode::NoDaemon, "no daemon runs"))?;
    let method = match verb {
        Verb::Start => {
            let start = velos_core::protocol::Start { apps: Vec::new(), targets };
            return client.call(method::START, &start);
        }
        Verb::Stop => method::STOP,
        Verb::Restart => method::RESTART,
        Verb::Reload => method::RELOAD,
        Verb::Delete => method::DELETE,
    };
    client.call(method, &Targets { targets })
}

/// One line: first what went wrong.
fn tell_outcomes(verb: Verb, outcomes: &Outcomes) -> (String, bool) {
    let name = |name: &str, slot: u32| if slot > 0 { format!("{name}:{slot}") } else { name.to_owned() };
    let refused =
        outcomes.refused.iter().map(|refusal| format!("{}: {}", refusal.name, refusal.error.message));
    let failed = outcomes.instances.iter().filter(|one| !one.ok).map(|one| {
        let reason = one.reason.as_deref().unwrap_or("no reason is known");
        format!("{} is {}: {reason}", name(&one.name, one.slot), one.phase.status())
    });
    let bad: Vec<String> = refused.chain(failed).collect();
    if !bad.is_empty() {
        return (bad.join("; "), false);
    }
    let good = outcomes.instances.iter().map(|one| {
        let done = if one.unchanged {
            format!("was {} already", one.phase.status())
        } else {
            verb.past().to_owned()
        };
        let pid = one.pid.filter(|_| verb != Verb::Stop && verb != Verb::Delete);
        let pid = pid.map_or(String::new(), |pid| format!(" (PID {pid})"));
        format!("{} {done}{pid}", name(&one.name, one.slot))
    });
    (good.collect::<Vec<_>>().join(", "), true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::instance::Phase;
    use velos_core::live::InstanceSample;
    use velos_core::protocol::Outcome;

    fn outcome(slot: u32, phase: Phase, ok: bool) -> Outcome {
        Outcome {
            id: InstanceId(slot),
            name: "api".into(),
            slot,
            phase,
            pid: ok.then_some(12_345),
            ok,
            unchanged: false,
            reason: (!ok).then(|| "it ended with exit code 3 after 12 ms".to_owned()),
            exit: None,
            err_log: None,
        }
    }

    #[test]
    fn readings_are_taken_for_those_who_are_as_they_were() {
        let mut rows = crate::sample::instances();
        let of = |rows: &[InstanceSummary]| -> Vec<InstanceSample> {
            let sample = |row: &InstanceSummary| InstanceSample {
                id: row.id,
                name: row.name.clone(),
                slot: row.slot,
                phase: row.phase,
                pid: row.pid,
                uptime_ms: Some(77),
                restarts: row.restarts,
                cpu_centipercent: Some(42),
                rss_bytes: Some(4_096),
            };
            rows.iter().map(sample).collect()
        };
        let mut samples = Samples { at_ms: 0, instances: of(&rows) };
        assert!(apply(&mut rows, &samples));
        let numbers = |row: &InstanceSummary| (row.uptime_ms, row.cpu_centipercent, row.rss_bytes);
        assert!(rows.iter().all(|row| numbers(row) == (Some(77), Some(42), Some(4_096))));
        samples.instances[0].restarts += 1;
        samples.instances[0].uptime_ms = Some(1);
        assert!(!apply(&mut rows, &samples), "it was restarted");
        samples.instances.pop();
        assert!(!apply(&mut rows, &samples), "one is gone");
        assert_eq!(rows[0].uptime_ms, Some(77), "and then nothing of it is taken");
    }

    #[test]
    fn what_became_of_a_request_in_one_line() {
        let of = |instances| Outcomes { instances, refused: Vec::new() };
        let both = of(vec![outcome(0, Phase::Online, true), outcome(1, Phase::Online, true)]);
        let expected = "api restarted (PID 12345), api:1 restarted (PID 12345)";
        assert_eq!(tell_outcomes(Verb::Restart, &both), (expected.to_owned(), true));
        let half = of(vec![outcome(0, Phase::Online, true), outcome(1, Phase::Errored, false)]);
        let expected = "api:1 is errored: it ended with exit code 3 after 12 ms";
        assert_eq!(tell_outcomes(Verb::Start, &half), (expected.to_owned(), false));
        let again = of(vec![Outcome { unchanged: true, ..outcome(0, Phase::Stopped, true) }]);
        assert_eq!(tell_outcomes(Verb::Stop, &again), ("api was stopped already".to_owned(), true));
    }
}
