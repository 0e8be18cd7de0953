//! Waiting for something to become true, without missing what happens between two looks: exits are read from the journal
//! of the daemon, lines from the place where the last look ended.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use regex::Regex;
use velos_client::Client;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{Cause, Event, What};
use velos_core::instance::Phase;
use velos_core::protocol::{EventsParams, EventsReply, InstanceSummary, ListReply, Targets, method};

use crate::logs::{self, Cursor, Selected, Source};
use crate::sentence;
use crate::toolbox::{Call, shown_name, unreadable};

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

/// An address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    host: String,
    port: u16,
    path: String,
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

impl Url {
    /// Only of this machine: a server must not be made to ask others.
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorReply> {
        let wrong = |why: &str| {
            ErrorReply::new(ErrorCode::Usage, format!("url: {text:?} {why}"))
                .hint("write http://127.0.0.1:3000/health, or use until=port")
        };
        let rest = text.strip_prefix("http://").ok_or_else(|| wrong("does not begin with http://"))?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| wrong("has no such port"))?)
            }
            _ => (authority, 80),
        };
        if !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            return Err(wrong("is not of this machine"));
        }
        if path.chars().any(|c| c.is_control() || c == ' ') {
            return Err(wrong("has blanks in its path"));
        }
        Ok(Self { host: host.to_owned(), port, path: path.to_owned() })
    }

    /// The status, when it is a good one.
    fn get(&self) -> Option<u16> {
        let host = self.host.trim_matches(['[', ']']);
        let address = (host, self.port).to_socket_addrs().ok()?;
        let mut stream =
            address.into_iter().find_map(|at| TcpStream::connect_timeout(&at, CONNECT_PATIENCE).ok())?;
        stream.set_read_timeout(Some(CONNECT_PATIENCE * 4)).ok()?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\r\n",
            self.path, self.host, self.port
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = [0u8; 64];
        let mut length = 0;
        while length < 12 {
            match stream.read(answer.get_mut(length..)?) {
                Ok(0) | Err(_) => return None,
                Ok(more) => length += more,
            }
        }
        let line = String::from_utf8_lossy(answer.get(..length)?).into_owned();
        let status: u16 = line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.get(..3)?.parse().ok()?;
        (200..400).contains(&status).then_some(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_only() {
        assert_eq!(
            Url::parse("http://localhost:3000/health?x=1").unwrap().to_string(),
            "http://localhost:3000/health?x=1"
        );
        assert_eq!(Url::parse("http://127.0.0.1").unwrap().to_string(), "http://127.0.0.1:80/");
        assert_eq!(Url::parse("http://[::1]:8080/").unwrap().port, 8080);
        for bad in [
            "https://localhost/",
            "http://example.com/",
            "http://169.254.169.254/",
            "http://localhost:99999/",
            "http://localhost@example.com/",
            "http://localhost/a b",
            "localhost:3000",
        ] {
            assert!(Url::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_good_status_is_waited_for() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            for status in ["500 No", "204 Good"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0u8; 512];
                let _ = stream.read(&mut request).unwrap();
                write!(stream, "HTTP/1.1 {status}\r\n\r\n").unwrap();
            }
        });
        let url = Url::parse(&format!("http://127.0.0.1:{port}/x")).unwrap();
        assert_eq!(url.get(), None);
        assert_eq!(url.get(), Some(204));
        server.join().unwrap();
    }
}
