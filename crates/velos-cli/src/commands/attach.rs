//! `velos attach`: what is typed goes to the program, what it prints comes here.

use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use velos_client::Client;
use velos_core::event::What;
use velos_core::instance::{InstanceId, Phase};
use velos_core::protocol::{EventsParams, InfoReply, InstanceInfo, Targets, method};
use velos_log_engine::{Follower, Stream, Watcher, merge, neutralise};

use crate::args::Attach;
use crate::output::{Printed, print};

/// Input from a pipe has ended: we leave when the program has been silent for so long.
const SILENCE: Duration = Duration::from_millis(300);

/// What ends it, or keeps it going.
enum News {
    Printed,
    TypingEnded,
    InputRefused(std::io::Error),
    ProgramEnded(Phase),
    NobodyReads,
    DaemonGone,
}

pub(crate) fn run(context: &super::Context, attach: &Attach) -> super::Result {
    let mut client = context.daemon()?;
    let params = Targets { targets: vec![attach.target.clone()] };
    let info: InfoReply = client.call(method::INFO, &params)?;
    let [one] = &info.instances[..] else {
        let names: Vec<String> = info.instances.iter().map(|one| one.summary.id.0.to_string()).collect();
        return Err(super::usage(format!("\"{}\" are {} instances", attach.target, names.len()))
            .hint(format!("attach to one of the ids {}", names.join(", "))));
    };
    let name = super::shown_name(&one.summary.name, one.summary.slot);
    let Some(pid) = one.summary.pid else {
        return Err(super::failed(format!(
            "{name} is {}: there is nothing to attach to",
            one.summary.phase.status()
        ))
        .hint(format!("start it: velos start {name}")));
    };
    let (sender, news) = channel();
    follow_output(one, context.colour, sender.clone())?;
    follow_events(client, one.summary.id, sender.clone())?;
    let input = std::fs::OpenOptions::new().write(true).open(one.input.as_path()).map_err(|error| {
        super::failed(format!("cannot open the input of {name} ({}): {error}", one.input.to_text()))
            .hint("it was started by an older daemon; restart it once")
    })?;
    if std::io::stdin().is_terminal() && !context.quiet {
        super::note(&format!("attached to {name} (PID: {pid}); Ctrl-D leaves, the program goes on\n"));
    }
    std::thread::spawn(move || type_into(input, &sender));
    wait(&name, &news)
}

fn wait(name: &str, news: &Receiver<News>) -> super::Result {
    let mut patience = None;
    loop {
        let next = match patience {
            None => news.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(patience) => news.recv_timeout(patience),
        };
        match next {
            Ok(News::Printed) => {}
            Ok(News::TypingEnded) if std::io::stdin().is_terminal() => return Ok(0),
            Ok(News::TypingEnded) => patience = Some(SILENCE),
            Ok(News::ProgramEnded(phase)) => {
                super::note(&format!("{name} is {}\n", phase.status()));
                return Ok(0);
            }
            Ok(News::InputRefused(error)) => {
                return Err(super::failed(format!("{name} does not take input: {error}")));
            }
            Ok(News::DaemonGone) => return Err(super::failed("the daemon is gone; the program may go on")),
            Ok(News::NobodyReads) | Err(_) => return Ok(0),
        }
    }
}

/// Lines as they are typed.
fn type_into(mut input: std::fs::File, news: &Sender<News>) {
    let mut buffer = [0; 4096];
    let mut stdin = std::io::stdin().lock();
    let end = loop {
        match stdin.read(&mut buffer) {
            Ok(0) | Err(_) => break News::TypingEnded,
            Ok(n) => {
                if let Err(error) = input.write_all(buffer.get(..n).unwrap_or_default()) {
                    break News::InputRefused(error);
                }
            }
        }
    };
    // Whoever listened has left.
    let _ = news.send(end);
}

fn follow_events(
    mut client: Client,
    id: InstanceId,
    news: Sender<News>,
) -> Result<(), velos_core::error::ErrorReply> {
    client.subscribe(&EventsParams { targets: vec![id.0.to_string()], ..EventsParams::default() })?;
    client.set_patience(None);
    std::thread::spawn(move || {
        loop {
            let end = match client.next_notice() {
                Ok(velos_client::Notice::Event(event)) => match event.what {
                    What::Transition { to, .. } if to != Phase::Online && to != Phase::Stopping => {
                        News::ProgramEnded(to)
                    }
                    _ => continue,
                },
                Ok(_) => continue,
                Err(_) => News::DaemonGone,
            };
            let _ = news.send(end);
            return;
        }
    });
    Ok(())
}

fn follow_output(
    one: &InstanceInfo,
    colour: bool,
    news: Sender<News>,
) -> Result<(), velos_core::error::ErrorReply> {
    let failed = |error: std::io::Error| super::failed(format!("cannot follow the logs: {error}"));
    let mut followers = Vec::new();
    let mut watcher = Watcher::new().map_err(failed)?;
    let (out, err) = (one.summary.out_log.as_path(), one.summary.err_log.as_path());
    for (path, stream) in [(out, Stream::Out), (err, Stream::Err)] {
        if stream == Stream::Err && out == err {
            continue;
        }
        followers.push(Follower::after_tail(path, stream, 0).map_err(failed)?.1);
        watcher.watch(path).map_err(failed)?;
    }
    std::thread::spawn(move || {
        let end = loop {
            let mut runs = Vec::new();
            for follower in &mut followers {
                // Named again: a rotation gives the name to another file.
                let _ = watcher.watch(follower.path());
                runs.push(follower.look().unwrap_or_default());
            }
            let text: String =
                merge(runs).iter().map(|(_, line)| neutralise(&line.bytes, colour) + "\n").collect();
            if !text.is_empty() {
                match print(&text) {
                    Ok(Printed::Read) => drop(news.send(News::Printed)),
                    Ok(Printed::NobodyReads) | Err(_) => break News::NobodyReads,
                }
            }
            if watcher.wait(std::io::stdout().as_fd()).is_err() {
                break News::NobodyReads;
            }
        };
        let _ = news.send(end);
    });
    Ok(())
}
