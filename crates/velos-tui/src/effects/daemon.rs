//! Asks the daemon once a second, and for single instances when they are looked at; carries requests to it.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use velos_client::{Client, ErrorCode, ErrorReply, Home};
use velos_core::instance::InstanceId;
use velos_core::protocol::{HelloReply, InfoReply, ListReply, Outcomes, Targets, method};
use velos_core::raw_string::RawString;

use crate::Words;
use crate::msg::{Msg, Verb};

use super::NAME;

/// How often the list is asked for.
const PERIOD: Duration = Duration::from_secs(1);
/// How long the daemon may take to answer before it counts as away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Every so many lists the daemon tells of itself.
const HELLO_EVERY: u32 = 10;

/// An instance whose whole is wanted, and how the daemon names it.
pub(super) type Wanted = (InstanceId, String);

/// Takes the instances whose whole is wanted.
pub(super) fn spawn(home: &Home, words: Words, send: &Sender<Msg>) -> Sender<Wanted> {
    let (ask, asked) = mpsc::channel();
    let asker = Asker { home: home.clone(), words, send: send.clone(), client: None, lists: 0, pid: 0 };
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
}

impl Asker {
    fn run(mut self, asked: &Receiver<Wanted>) {
        let mut due = Instant::now();
        loop {
            let wanted = match asked.recv_timeout(due.saturating_duration_since(Instant::now())) {
                // Only the newest: the others are not looked at any more.
                Ok(first) => Some(asked.try_iter().last().unwrap_or(first)),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let result = match wanted {
                Some((id, target)) => self.info(id, target),
                None => {
                    due = Instant::now() + PERIOD;
                    self.list()
                }
            };
            if let Err(error) = result {
                self.client = None;
                if self.send.send(Msg::Away(error.message)).is_err() {
                    return;
                }
            }
        }
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
        } else if self.lists.is_multiple_of(HELLO_EVERY) {
            let hello: HelloReply = self.client()?.call(method::PING, &Targets::default())?;
            self.tell(Msg::Here(Box::new(hello)));
        }
        self.lists = self.lists.wrapping_add(1);
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
