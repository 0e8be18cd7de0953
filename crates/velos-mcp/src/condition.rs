//! Waiting for something to become true, without missing what happens between two looks: exits are read from the journal
//! of the daemon, lines from the place where the last look ended.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use regex::Regex;
use velos_client::Client;
use velos_core::error::ErrorReply;
use velos_core::event::{Cause, Event, What};
use velos_core::instance::Phase;
use velos_core::protocol::{EventsParams, EventsReply, InstanceSummary, ListReply, Targets, method};

use crate::logs::{self, Cursor, Selected, Source};
use crate::sentence;
use crate::toolbox::{Call, shown_name, unreadable};
use crate::url::Url;

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(60);
/// How often we say how far we are.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// No output for so long is idle.
const IDLE_AFTER: Duration = Duration::from_secs(2);
/// How long one connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);
/// Lines that are read in one look.
const LINES_MAX: usize = 5_000;
/// No wait is longer: clients give up after a minute.
pub(crate) const TIMEOUT_MS_MAX: u64 = 55_000;
pub(crate) const TIMEOUT_MS: u64 = 30_000;

/// What is waited for.
#[derive(Clone, Debug)]
pub(crate) enum Until {
    /// Online, and healthy if it has a check.
    Ready,
    /// A new line.
    Log(Regex),
    /// A TCP port of this machine accepts.
    Port(u16),
    /// An address of this machine answers with 200 to 399.
    Http(Url),
    /// It ends, however.
    Exit,
    /// It is stopped and stays so.
    Stopped,
    /// It prints nothing.
    Idle,
    /// Nothing bad happens until the time is over.
    NoCrash,
}

impl Until {
    fn shown(&self) -> String {
        match self {
            Self::Ready => "ready".to_owned(),
            Self::Log(pattern) => format!("a line that matches /{pattern}/"),
            Self::Port(port) => format!("port {port}"),
            Self::Http(url) => format!("{url} to answer"),
            Self::Exit => "its exit".to_owned(),
            Self::Stopped => "stopped".to_owned(),
            Self::Idle => "silence".to_owned(),
            Self::NoCrash => "its first moments".to_owned(),
        }
    }
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The condition holds.
    Met(String),
    /// It will not: the process died.
    Died(String),
    /// Not within the time; how things stand.
    TimedOut(String),
    /// The client does not want to know any more.
    Cancelled,
}

/// From where on things count.
#[derive(Debug)]
pub(crate) struct Start {
    /// Sequence number of the last event before.
    pub(crate) event: u64,
    /// Lines behind it count.
    pub(crate) cursor: Cursor,
    /// Older lines never count, microseconds since 1970.
    pub(crate) since_us: Option<u64>,
}

impl Start {
    /// From now on.
    pub(crate) fn now(client: &mut Client, sources: &[Source]) -> Result<Self, ErrorReply> {
        let mut cursor = Cursor::default();
        for source in sources {
            for (number, log) in source.logs.iter().enumerate() {
                cursor.set(source.id, number, log.end().map_err(unreadable)?);
            }
        }
        Ok(Self { event: newest_event(client)?, cursor, since_us: None })
    }
}

/// Sequence number of the newest event.
pub(crate) fn newest_event(client: &mut Client) -> Result<u64, ErrorReply> {
    let params = EventsParams { limit: 1, ..EventsParams::default() };
    client.call::<_, EventsReply>(method::EVENTS, &params).map(|reply| reply.newest)
}

/// Wait. The cursor in `start` moves on.
pub(crate) fn wait(
    call: &Call<'_>,
    ids: &[u32],
    until: &Until,
    start: &mut Start,
    timeout: Duration,
) -> Result<End, ErrorReply> {
    let begin = Instant::now();
    let mut client = call.toolbox.asked()?;
    let (mut told, mut spoke) = (begin, begin);
    let shown = until.shown();
    loop {
        let list: ListReply = client.call(method::LIST, &Targets::default())?;
        let instances: Vec<InstanceSummary> =
            list.instances.into_iter().filter(|one| ids.contains(&one.id.0)).collect();
        if instances.is_empty() {
            return Ok(End::Died("it was deleted".to_owned()));
        }
        let params = EventsParams { since: Some(start.event), ..EventsParams::default() };
        let reply: EventsReply = client.call(method::EVENTS, &params)?;
        start.event = reply.newest;
        let is_ours = |event: &&Event| event.instance.is_some_and(|id| ids.contains(&id.0));
        let death = reply.events.iter().filter(is_ours).find_map(death);
        // What it said before it died counts.
        let line = lines(call, &instances, until, start, &mut spoke)?;
        if let Some(line) = line {
            return Ok(End::Met(line));
        }
        if let Some(end) = judge(until, &instances, death) {
            return Ok(end);
        }
        if let Until::Idle = until
            && spoke.elapsed() >= IDLE_AFTER
        {
            return Ok(End::Met(format!("no output for {}s", IDLE_AFTER.as_secs())));
        }
        if call.is_cancelled() {
            return Ok(End::Cancelled);
        }
        if begin.elapsed() >= timeout {
            return Ok(match until {
                Until::NoCrash => End::Met(state(&instances)),
                _ => End::TimedOut(state(&instances)),
            });
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            (call.progress)(
                millis(begin.elapsed()),
                millis(timeout),
                &format!("waits for {shown}; {}", state(&instances)),
            );
        }
        std::thread::sleep(
            LOOK_EVERY.min(timeout.saturating_sub(begin.elapsed())).max(Duration::from_millis(1)),
        );
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Read on; gives the first line that is waited for.
fn lines(
    call: &Call<'_>,
    instances: &[InstanceSummary],
    until: &Until,
    start: &mut Start,
    spoke: &mut Instant,
) -> Result<Option<String>, ErrorReply> {
    if !matches!(until, Until::Log(_) | Until::Idle) {
        return Ok(None);
    }
    let sources = logs::sources(instances);
    let wanted = Selected { since_us: start.since_us, ..Selected::default() };
    let (rows, cursor, _) =
        logs::after(&sources, &start.cursor, wanted, LINES_MAX, call.toolbox.salt).map_err(unreadable)?;
    let Until::Log(pattern) = until else {
        start.cursor = cursor;
        if !rows.is_empty() {
            *spoke = Instant::now();
        }
        return Ok(None);
    };
    match rows.iter().find(|row| pattern.is_match(&row.text)) {
        Some(row) => {
            // What follows the line is for the next call.
            for source in &sources {
                for number in 0..source.logs.len() {
                    let of_log = |other: &&logs::Row| {
                        sources.get(other.source).is_some_and(|one| one.id == source.id)
                            && other.log == number
                    };
                    let before = rows.iter().filter(of_log).take_while(|other| !std::ptr::eq(*other, row));
                    let last =
                        if of_log(&row) { Some(row.end) } else { before.last().map(|other| other.end) };
                    if let Some(end) = last {
                        start.cursor.set(source.id, number, end);
                    }
                }
            }
            Ok(Some(row.text.clone()))
        }
        None => {
            start.cursor = cursor;
            Ok(None)
        }
    }
}

/// An exit that nobody asked for, or a start that failed.
fn death(event: &Event) -> Option<(String, bool)> {
    let What::Transition { from, to, cause, .. } = &event.what else { return None };
    let is_asked = matches!(from, Phase::Stopping);
    match cause {
        Cause::Exited { .. } => Some((sentence::reason(cause), is_asked)),
        Cause::SpawnFailed { .. } => Some((sentence::reason(cause), false)),
        Cause::Unhealthy { .. } | Cause::MemoryLimit { .. } => Some((sentence::reason(cause), false)),
        _ if *to == Phase::Errored => Some((sentence::reason(cause), false)),
        _ => None,
    }
}

fn judge(until: &Until, instances: &[InstanceSummary], death: Option<(String, bool)>) -> Option<End> {
    let is_down = |one: &InstanceSummary| matches!(one.phase, Phase::Stopped | Phase::Errored);
    let all_down = instances.iter().all(is_down);
    match until {
        Until::Exit => match death {
            Some((reason, _)) => Some(End::Met(reason)),
            None if all_down => Some(End::Met(state(instances))),
            None => None,
        },
        Until::Stopped => all_down.then(|| End::Met(state(instances))),
        _ => {
            if let Some((reason, false)) = death {
                return Some(End::Died(reason));
            }
            if instances.iter().any(is_down) {
                return Some(End::Died(state(instances)));
            }
            match until {
                Until::Ready => {
                    let is_ready =
                        |one: &InstanceSummary| one.phase == Phase::Online && one.healthy != Some(false);
                    instances.iter().all(is_ready).then(|| End::Met(state(instances)))
                }
                Until::Port(port) => accepts(*port).then(|| End::Met(format!("port {port} accepts"))),
                Until::Http(url) => url.get().map(|status| End::Met(format!("{url} answers {status}"))),
                _ => None,
            }
        }
    }
}

/// `online`, or `api:1 errored: exit code 1`.
pub(crate) fn state(instances: &[InstanceSummary]) -> String {
    match instances {
        [one] => sentence::complaint(one).unwrap_or_else(|| match (one.phase, one.exit) {
            (Phase::Stopped, Some(exit)) => format!("stopped, {}", sentence::ended(&exit)),
            _ => one.phase.status().to_owned(),
        }),
        many => {
            let off: Vec<String> = many
                .iter()
                .filter(|one| one.phase != Phase::Online || one.healthy == Some(false))
                .map(|one| {
                    let text = sentence::complaint(one).unwrap_or_else(|| one.phase.status().to_owned());
                    format!("{} {text}", shown_name(one))
                })
                .collect();
            if off.is_empty() { format!("{} instances online", many.len()) } else { off.join(", ") }
        }
    }
}

fn accepts(port: u16) -> bool {
    let hosts =
        [SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port))];
    hosts.iter().any(|address| TcpStream::connect_timeout(address, CONNECT_PATIENCE).is_ok())
}
