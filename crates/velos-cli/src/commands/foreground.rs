//! `velos start --no-daemon`: a daemon of our own, the logs of what it runs, and the end of all with our own.
//!
//! The daemon holds the other end of a pipe of ours and ends when that is closed, so nothing is left however we end. It has a
//! list of its own, which it forgets. Threads start the apps and print their logs, wait for signals, for events and for
//! the end of the daemon; each tells what happened, and one loop decides.

use std::io::{IsTerminal, PipeWriter};
use std::process::Child;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use velos_client::{Client, Home, Notice};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{Cause, Event, What};
use velos_core::instance::{Exit, Phase};
use velos_core::protocol::{
    EventsParams, InfoReply, InstanceInfo, InstanceSummary, ListReply, Outcomes, Targets, method,
};

use super::select::now_us;
use crate::args::{Logs, Start};

/// Those that end us. SIGHUP: our terminal was closed.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];
/// Between two attempts to reach the daemon after it crashed.
const PAUSE: Duration = Duration::from_millis(50);

enum News {
    Started(super::Result),
    LogsEnded(super::Result),
    Signal,
    /// An instance may have come to rest, with this code if it ended by itself.
    Changed(Option<u8>),
    DaemonEnded,
}

pub(crate) fn run(context: &super::Context, start: Start) -> super::Result {
    let home = Home::from_environment()?;
    if Client::connect(&home, "cli")?.is_some() {
        return Err(ErrorReply::new(
            ErrorCode::Refused,
            format!(
                "a daemon runs already on {}, and --no-daemon needs one of its own",
                home.path().display()
            ),
        )
        .hint("start it there and follow the logs with --attach, or set VELOS_HOME to another folder"));
    }
    let begin_us = now_us();
    // Until the signals are blocked they end us at once, and the daemon with us.
    let daemon = velos_client::start::start_owned(&home)?;
    let mut signals = SigSet::empty();
    ENDING.iter().for_each(|signal| signals.add(*signal));
    signals.thread_block().map_err(|errno| super::failed(format!("cannot block signals: {errno}")))?;
    let (sender, news) = channel();
    let (until, logs_may_go_on) =
        std::io::pipe().map_err(|error| super::failed(format!("cannot make a pipe: {error}")))?;
    listen_for_signals(signals, sender.clone());
    wait_for_daemon(&daemon, sender.clone());
    follow_events(home.clone(), sender.clone());
    let own = super::Context { owns_daemon: true, ..context.clone() };
    std::thread::spawn(move || {
        let _ = sender.send(News::Started(super::start::run(&own, &start)));
        let logs = Logs { follow: true, since: Some(super::start::moment(begin_us)), ..Logs::default() };
        let end = super::logs::run_until(&own, &logs, Some(std::os::fd::AsFd::as_fd(&until)));
        // Whoever listened has left.
        let _ = sender.send(News::LogsEnded(end));
    });
    Foreground { home, daemon, logs: Some(logs_may_go_on), code: None, last: 0, is_quiet: context.quiet }
        .wait(&news)
}

struct Foreground {
    home: Home,
    daemon: Child,
    /// While it is open the logs are followed.
    logs: Option<PipeWriter>,
    /// With what we leave, once that is known: from then on all is ended.
    code: Option<super::Result>,
    /// How the last one ended that ended by itself.
    last: u8,
    is_quiet: bool,
}

impl Foreground {
    fn wait(mut self, news: &Receiver<News>) -> super::Result {
        // What `start` said, and whether it is over.
        let mut started = None;
        let (mut is_daemon_gone, mut have_logs_ended) = (false, false);
        while !(is_daemon_gone && have_logs_ended) {
            let Ok(next) = news.recv() else { break };
            match next {
                News::Signal => self.asked_to_end(),
                News::Changed(code) => self.last = code.unwrap_or(self.last),
                News::Started(Ok(code)) => started = Some(code),
                News::Started(Err(error)) => self.end_with(Err(error)),
                News::LogsEnded(result) => {
                    have_logs_ended = true;
                    self.end_with(result);
                }
                News::DaemonEnded => {
                    is_daemon_gone = true;
                    self.daemon_ended();
                }
            }
            if let Some(code) = started.filter(|_| self.code.is_none() && self.all_rest()) {
                self.end_with(Ok(if self.last == 0 { code } else { self.last }));
            }
        }
        self.code.unwrap_or(Ok(0))
    }

    /// The first time with grace.
    fn asked_to_end(&mut self) {
        if self.daemon.stdin.is_some() {
            if !self.is_quiet && std::io::stderr().is_terminal() {
                super::note("all is being stopped; once more ends it at once\n");
            }
            return self.end_with(Ok(0));
        }
        if let Ok(pid) = i32::try_from(self.daemon.id()) {
            // Until we have collected it the number is its own. It may have ended this instant.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }

    /// The daemon notices that the pipe is closed.
    fn end_with(&mut self, result: super::Result) {
        drop(self.daemon.stdin.take());
        self.code.get_or_insert(result);
    }

    /// All of them, and nothing will start them again by itself.
    fn all_rest(&self) -> bool {
        let Ok(Some(mut client)) = Client::connect(&self.home, "cli") else { return false };
        let Ok(list) = client.call::<_, ListReply>(method::LIST, &Targets::default()) else { return false };
        let rests = |one: &InstanceSummary| {
            matches!(one.phase, Phase::Stopped | Phase::Errored) && one.next_try_ms.is_none() && !one.watching
        };
        if list.instances.is_empty() || !list.instances.iter().all(rests) {
            return list.instances.is_empty();
        }
        let all = Targets { targets: vec!["all".to_owned()] };
        let has_clock = |one: &InstanceInfo| one.spec.schedule.is_some() || one.spec.restart.cron.is_some();
        let info = client.call::<_, InfoReply>(method::INFO, &all);
        info.is_ok_and(|info| !info.instances.iter().any(has_clock))
    }

    fn daemon_ended(&mut self) {
        let end = self.daemon.wait();
        if let Ok(Some(mut client)) = Client::connect(&self.home, "cli") {
            // Only its guardian was ended, by somebody else.
            if client.call::<_, Outcomes>(method::SHUTDOWN, &Targets::default()).is_ok() {
                client.wait_for_end();
            }
        }
        let code = end.ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
        let killed = || super::failed("the daemon was ended by a signal; all that it ran was stopped");
        self.end_with(code.ok_or_else(killed));
        drop(self.logs.take());
    }
}

fn listen_for_signals(signals: SigSet, news: Sender<News>) {
    std::thread::spawn(move || while signals.wait().is_ok() && news.send(News::Signal).is_ok() {});
}

/// Collected by who decides: until then its number is nobody else's.
fn wait_for_daemon(daemon: &Child, news: Sender<News>) {
    let pid = Pid::from_raw(daemon.id().cast_signed());
    std::thread::spawn(move || {
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(pid), ended) == Err(Errno::EINTR) {}
        // Whoever listened has left.
        let _ = news.send(News::DaemonEnded);
    });
}

/// Also from a daemon that comes after a crash.
fn follow_events(home: Home, news: Sender<News>) {
    std::thread::spawn(move || {
        loop {
            let client = Client::connect(&home, "cli").ok().flatten();
            if let Some(mut client) = client
                && client.subscribe(&EventsParams { since: Some(0), ..EventsParams::default() }).is_ok()
            {
                client.set_patience(None);
                while let Ok(notice) = client.next_notice() {
                    let code = match notice {
                        Notice::Event(event) => code_of(&event),
                        Notice::Lost(_) => None,
                    };
                    if news.send(News::Changed(code)).is_err() {
                        return;
                    }
                }
            }
            std::thread::sleep(PAUSE);
        }
    });
}

/// The code of an end that nobody asked for, as a shell tells it.
fn code_of(event: &Event) -> Option<u8> {
    let What::Transition { from, cause, .. } = &event.what else { return None };
    Some(match cause {
        Cause::SpawnFailed { .. } => 1,
        Cause::Exited { .. } if *from == Phase::Stopping => 0,
        Cause::Exited { exit: Exit::Code(code), .. } => u8::try_from(*code).unwrap_or(1),
        Cause::Exited { exit: Exit::Signal(number), .. } => u8::try_from(128 + number).unwrap_or(1),
        Cause::Exited { exit: Exit::Unknown, .. } => 1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_who_ended_by_itself() {
        let event = |from, exit| Event {
            sequence: 1,
            at_ms: 0,
            app: None,
            instance: None,
            what: What::Transition {
                from,
                to: Phase::Stopped,
                cause: Cause::Exited { exit, uptime_ms: 1 },
                pid: None,
                next_try_ms: None,
            },
        };
        assert_eq!(code_of(&event(Phase::Online, Exit::Code(7))), Some(7));
        assert_eq!(code_of(&event(Phase::Launching, Exit::Signal(9))), Some(137));
        assert_eq!(code_of(&event(Phase::Online, Exit::Unknown)), Some(1));
        assert_eq!(code_of(&event(Phase::Stopping, Exit::Signal(15))), Some(0));
    }
}
