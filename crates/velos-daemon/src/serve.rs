//! Requests: what each method does, and how it is answered.

use serde::Serialize;
use serde::de::DeserializeOwned;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{Event, Verb};
use velos_core::frame::{self, Message};
use velos_core::instance::InstanceId;
use velos_core::protocol::{
    AdoptParams, EventsParams, EventsReply, Hello, InfoReply, ListReply, Lost, Outcome, Outcomes,
    PROTOCOL_OLDEST, PROTOCOL_VERSION, Refusal, RunsReply, SendParams, SignalParams, Start, Targets,
    WhyReply, method,
};
use velos_core::raw_string::RawString;
use velos_supervisor::{Command, Input, Ticket};

use crate::clients::Waiting;
use crate::control::Control;
use crate::held;
use crate::log_work::Work;

/// Longest message of `send`, bytes.
const MESSAGE_MAX: usize = 1 << 20;

/// What a method answers now, or that the answer comes later.
pub(crate) enum Answer {
    Now(Result<Vec<u8>, ErrorReply>),
    Later,
}

impl Control {
    /// One frame of a client.
    pub(crate) fn frame(&mut self, client: u64, bytes: &[u8]) {
        self.rest.asked(velos_ffi::now_ns());
        match frame::decode(bytes) {
            Ok(Message::Request { id, method, params }) => {
                let answer = match self.call(client, id, &method, &params) {
                    Ok(Answer::Now(result)) => result,
                    Ok(Answer::Later) => return,
                    Err(error) => Err(error),
                };
                self.send_reply(Waiting { client, message: id }, answer);
            }
            Ok(Message::Reply { .. } | Message::Notification { .. }) => {}
            Err(error) => {
                self.log.debug(&format!("client {client}: {error}"));
                // Who does not speak the protocol cannot be answered in it.
                let _ = self.reactor.ipc_close(client, false);
            }
        }
    }

    fn call(&mut self, client: u64, id: u32, name: &str, params: &[u8]) -> Result<Answer, ErrorReply> {
        let greeted = self.clients.connected.get(&client).is_some_and(|client| client.greeted);
        if !greeted && name != method::HELLO {
            return Err(ErrorReply::new(ErrorCode::Usage, "the first call must be hello"));
        }
        match name {
            method::HELLO => self.greet(client, &decode(params)?).map(now),
            method::PING => Ok(now(encode(&self.hello()))),
            method::LIST => Ok(now(self.list())),
            method::INFO => self.info_of(&decode::<Targets>(params)?.targets).map(now),
            method::WHY => self.why_of(&decode::<Targets>(params)?.targets).map(now),
            method::EVENTS => self.past_events(&decode(params)?).map(now),
            method::SUBSCRIBE => self.subscribe(client, &decode(params)?).map(now),
            method::UNSUBSCRIBE => {
                if let Some(client) = self.clients.connected.get_mut(&client) {
                    client.subscription = None;
                }
                Ok(now(encode(&Empty {})))
            }
            method::START => self.start(client, id, decode(params)?),
            method::UPDATE => self.update(client, id, decode(params)?),
            method::STOP => self.command_on(client, id, &decode::<Targets>(params)?.targets, Verb::Stop),
            method::RESTART => {
                self.command_on(client, id, &decode::<Targets>(params)?.targets, Verb::Restart)
            }
            method::RELOAD => self.command_on(client, id, &decode::<Targets>(params)?.targets, Verb::Reload),
            method::RESET => {
                let ids = self.named(&decode::<Targets>(params)?.targets)?;
                self.command(client, id, Command::Reset(ids));
                Ok(Answer::Later)
            }
            method::SIGNAL => {
                let SignalParams { targets, signal } = decode(params)?;
                let ids = self.named(&targets)?;
                self.command(client, id, Command::Signal(ids, signal));
                Ok(Answer::Later)
            }
            method::ROTATE => self.ask_writer(client, id, Work::Rotate, &decode(params)?),
            method::RUNS => self.runs_of(&decode::<Targets>(params)?.targets).map(now),
            method::ADOPT => {
                let params: AdoptParams = decode(params)?;
                check_app(&params.app)?;
                self.begin_adopt(client, id, params)?;
                Ok(Answer::Later)
            }
            method::SEND => self.send_message(&decode(params)?).map(now),
            method::DELETE => self.command_on(client, id, &decode::<Targets>(params)?.targets, Verb::Delete),
            method::FLUSH => self.ask_writer(client, id, Work::Flush, &decode(params)?),
            method::SHUTDOWN => {
                self.command(client, id, Command::Shutdown { forget: true });
                Ok(Answer::Later)
            }
            method::UPGRADE => {
                self.begin_upgrade(Waiting { client, message: id }, &decode(params)?)?;
                Ok(Answer::Later)
            }
            method::TRIAL_STATE => self.trial_state(client).map(now),
            method::TRIAL_READY => self.trial_ready(client, &decode(params)?).map(now),
            _ => Err(ErrorReply::new(ErrorCode::NotFound, format!("no method \"{name}\""))
                .hint("docs/protocol.md lists the methods")),
        }
    }

    fn greet(&mut self, client: u64, hello: &Hello) -> Result<Result<Vec<u8>, ErrorReply>, ErrorReply> {
        if hello.version < PROTOCOL_OLDEST || hello.oldest > PROTOCOL_VERSION {
            let message = format!(
                "the client speaks protocol {} to {}, this daemon ({}) speaks {PROTOCOL_OLDEST} to {PROTOCOL_VERSION}",
                hello.oldest,
                hello.version,
                velos_core::VERSION
            );
            return Err(ErrorReply::new(ErrorCode::Version, message)
                .hint("swap the daemon's binary with `velos upgrade`; nothing stops"));
        }
        let mut reply = self.hello();
        reply.version = hello.version.min(PROTOCOL_VERSION);
        if let Some(client) = self.clients.connected.get_mut(&client) {
            client.greeted = true;
            client.name = hello.client.chars().filter(|c| !c.is_control()).take(64).collect();
        }
        Ok(encode(&reply))
    }

    fn list(&mut self) -> Result<Vec<u8>, ErrorReply> {
        self.sample(None);
        let ids: Vec<InstanceId> = self.supervisor.instances().map(|instance| instance.id).collect();
        encode(&ListReply { instances: ids.into_iter().filter_map(|id| self.summary(id)).collect() })
    }

    fn info_of(&mut self, targets: &[String]) -> Result<Result<Vec<u8>, ErrorReply>, ErrorReply> {
        let ids = self.resolve(targets)?;
        self.sample(Some(&ids));
        Ok(encode(&InfoReply { instances: ids.into_iter().filter_map(|id| self.info(id)).collect() }))
    }

    fn why_of(&mut self, targets: &[String]) -> Result<Result<Vec<u8>, ErrorReply>, ErrorReply> {
        let ids = self.resolve(targets)?;
        self.sample(Some(&ids));
        Ok(encode(&WhyReply { instances: ids.into_iter().filter_map(|id| self.why(id)).collect() }))
    }

    fn runs_of(&mut self, targets: &[String]) -> Result<Result<Vec<u8>, ErrorReply>, ErrorReply> {
        let ids = self.resolve(targets)?;
        Ok(encode(&RunsReply { instances: ids.into_iter().filter_map(|id| self.runs(id)).collect() }))
    }

    /// All or none: who cannot hear it is told of before anybody gets it.
    fn send_message(&mut self, params: &SendParams) -> Result<Result<Vec<u8>, ErrorReply>, ErrorReply> {
        if params.message.len() > MESSAGE_MAX {
            let text = format!("the message has {} bytes; {MESSAGE_MAX} are the most", params.message.len());
            return Err(ErrorReply::new(ErrorCode::Usage, text));
        }
        if params.message.trim().is_empty() || params.message.contains('\n') {
            return Err(ErrorReply::new(ErrorCode::Usage, "a message is one JSON value on one line"));
        }
        let line = format!("{}\n", params.message);
        let ids = self.named(&params.targets)?;
        let mut outcomes = Vec::new();
        for id in &ids {
            let Some((instance, app)) = self.supervisor.instance(*id).zip(self.supervisor.app_of(*id)) else {
                continue;
            };
            let name = app.spec.name.as_str().to_owned();
            let token =
                instance.token.filter(|token| instance.identity.is_some() && self.has_channel(*token));
            let Some(token) = token else {
                let why = if instance.identity.is_none() {
                    "it does not run"
                } else {
                    "it has no open Node channel"
                };
                let text = format!("cannot send a message to \"{name}\": {why}");
                return Err(ErrorReply::new(ErrorCode::Failed, text).hint(
                    "messages reach programs that node runs; others read their input: `velos attach`",
                ));
            };
            outcomes.push((token, self.supervisor.outcome_of(*id)));
        }
        let mut instances = Vec::new();
        for (token, outcome) in outcomes {
            let Some(mut outcome) = outcome else { continue };
            if let Err(reason) = self.say(token, line.as_bytes()) {
                outcome.ok = false;
                outcome.reason = Some(reason);
            }
            instances.push(outcome);
        }
        Ok(encode(&Outcomes { instances, refused: Vec::new() }))
    }

    fn start(&mut self, client: u64, id: u32, start: Start) -> Result<Answer, ErrorReply> {
        if start.apps.is_empty() {
            return self.command_on(client, id, &start.targets, Verb::Start);
        }
        if !start.targets.is_empty() {
            return Err(ErrorReply::new(ErrorCode::Usage, "start takes apps or targets, not both"));
        }
        for app in &start.apps {
            check_app(app)?;
        }
        self.command(client, id, Command::Add(start.apps));
        Ok(Answer::Later)
    }

    fn command_on(
        &mut self,
        client: u64,
        id: u32,
        targets: &[String],
        verb: Verb,
    ) -> Result<Answer, ErrorReply> {
        let ids = self.named(targets)?;
        let command = match verb {
            Verb::Start => Command::Start(ids),
            Verb::Stop => Command::Stop(ids),
            Verb::Restart => Command::Restart(ids),
            Verb::Reload => Command::Reload(ids),
            Verb::Delete => Command::Delete(ids),
            Verb::Shutdown => Command::Shutdown { forget: true },
        };
        self.command(client, id, command);
        Ok(Answer::Later)
    }

    /// Instances that the targets name; at least one target.
    fn named(&self, targets: &[String]) -> Result<Vec<InstanceId>, ErrorReply> {
        if targets.is_empty() {
            return Err(
                ErrorReply::new(ErrorCode::Usage, "no target given").hint("name an app, an id, or all")
            );
        }
        self.resolve(targets)
    }

    pub(crate) fn command(&mut self, client: u64, id: u32, command: Command) {
        let ticket = self.clients.ticket(client, id);
        let by = self.clients.describe(client);
        self.inputs.push(Input::Command { ticket, by, command });
    }

    pub(crate) fn shutdown_by_signal(&mut self, number: i32) {
        self.shut_down(&velos_core::signal::Signal(number).to_string());
    }

    /// The supervisor settled a command.
    pub(crate) fn reply_outcomes(
        &mut self,
        ticket: Ticket,
        mut outcomes: Vec<Outcome>,
        refused: Vec<Refusal>,
    ) {
        let Some(waiting) = self.clients.settle(ticket) else { return };
        for outcome in &mut outcomes {
            outcome.err_log = self.capture_paths(outcome.id).map(|paths| paths.err_log.into());
        }
        if let Some(answer) = self.answer(waiting, encode(&Outcomes { instances: outcomes, refused })) {
            self.send_when_saved(answer);
        }
    }

    fn past_events(&mut self, params: &EventsParams) -> Result<Result<Vec<u8>, ErrorReply>, ErrorReply> {
        let only = self.only(&params.targets)?;
        let journal = self.supervisor.events();
        let since = params.since.unwrap_or(0);
        let wanted = journal.iter().filter(|event| event.sequence > since && concerns(event, &only));
        let mut events: Vec<Event> = wanted.cloned().collect();
        if params.limit > 0 {
            events.drain(..events.len().saturating_sub(params.limit as usize));
        }
        Ok(encode(&EventsReply { events, newest: journal.newest(), oldest: journal.oldest() }))
    }

    pub(crate) fn only(&self, targets: &[String]) -> Result<Vec<InstanceId>, ErrorReply> {
        if targets.is_empty() { Ok(Vec::new()) } else { self.resolve(targets) }
    }

    /// Tell everybody who follows.
    pub(crate) fn broadcast(&mut self, event: &Event) {
        let Ok(bytes) = frame::encode_notification(method::NOTIFY_EVENT, event) else { return };
        for (client, connected) in &mut self.clients.connected {
            let Some(subscription) = &mut connected.subscription else { continue };
            if !subscription.events || subscription.behind {
                continue;
            }
            if !concerns(event, &subscription.instances) {
                subscription.sent = event.sequence;
                continue;
            }
            match self.reactor.ipc_send(*client, &bytes) {
                Ok(()) => subscription.sent = event.sequence,
                Err(_) => subscription.behind = true,
            }
        }
    }

    /// A slow client has read: what is still kept follows, and how much is not.
    pub(crate) fn catch_up(&mut self, client: u64) {
        let Some(connected) = self.clients.connected.get_mut(&client) else { return };
        let Some(subscription) = &mut connected.subscription else { return };
        if !subscription.behind {
            return;
        }
        let journal = self.supervisor.events();
        let lost = journal.oldest().saturating_sub(subscription.sent + 1);
        if lost > 0 {
            let notice = frame::encode_notification(method::NOTIFY_LOST, &Lost { count: lost, samples: 0 });
            if notice.is_ok_and(|bytes| self.reactor.ipc_send(client, &bytes).is_err()) {
                return;
            }
            subscription.sent += lost;
        }
        let sent = subscription.sent;
        for event in journal.iter().filter(|event| event.sequence > sent) {
            if concerns(event, &subscription.instances) {
                let bytes = frame::encode_notification(method::NOTIFY_EVENT, event);
                if bytes.is_ok_and(|bytes| self.reactor.ipc_send(client, &bytes).is_err()) {
                    return;
                }
            }
            subscription.sent = event.sequence;
        }
        subscription.behind = false;
    }

    pub(crate) fn send_reply(&mut self, to: Waiting, result: Result<Vec<u8>, ErrorReply>) {
        if let Some(answer) = self.answer(to, result) {
            self.send_bytes(&answer);
        }
    }

    fn answer(&mut self, to: Waiting, result: Result<Vec<u8>, ErrorReply>) -> Option<held::Answer> {
        match frame::encode_reply(to.message, result) {
            Ok(bytes) => Some(held::Answer { to, bytes }),
            Err(error) => {
                self.log.line(&format!("cannot encode a reply: {error}"));
                None
            }
        }
    }

    pub(crate) fn send_bytes(&mut self, answer: &held::Answer) {
        let client = answer.to.client;
        match self.reactor.ipc_send(client, &answer.bytes) {
            // Gone: nobody to tell.
            Ok(()) | Err(velos_ffi::Errno(nix::libc::ESRCH)) => {}
            Err(errno) => {
                self.log.debug(&format!("client {client} does not read: {errno}"));
                // A reply must not be skipped silently, so the connection ends.
                let _ = self.reactor.ipc_close(client, false);
            }
        }
    }
}

/// An empty map.
#[derive(Debug, Serialize)]
struct Empty {}

pub(crate) fn now(result: Result<Vec<u8>, ErrorReply>) -> Answer {
    Answer::Now(result)
}

fn concerns(event: &Event, instances: &[InstanceId]) -> bool {
    instances.is_empty() || event.instance.is_some_and(|instance| instances.contains(&instance))
}

fn decode<T: DeserializeOwned>(params: &[u8]) -> Result<T, ErrorReply> {
    frame::params(params)
        .map_err(|error| ErrorReply::new(ErrorCode::Usage, format!("the params cannot be read: {error}")))
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, ErrorReply> {
    rmp_serde::to_vec_named(value).map_err(|error| {
        ErrorReply::new(ErrorCode::Internal, format!("the result cannot be encoded: {error}"))
    })
}

/// What no later step would refuse with a good reason.
pub(crate) fn check_app(app: &velos_core::app::AppSpec) -> Result<(), ErrorReply> {
    let name = app.name.as_str();
    let usage = |text: String| Err(ErrorReply::new(ErrorCode::Usage, text));
    if app.argv.is_empty() {
        return usage(format!("app \"{name}\" has an empty argv; argv[0] is the program's name"));
    }
    app.check().or_else(|error| usage(format!("app \"{name}\": {error}")))?;
    crate::rights::check(app)?;
    for (what, path) in [("program", &app.program), ("cwd", &app.cwd)] {
        if !app_path_ok(path) {
            return usage(format!("{what} of app \"{name}\" must be an absolute path without NUL bytes"));
        }
    }
    for path in [&app.logs.out, &app.logs.err].into_iter().flatten() {
        if !app_path_ok(path) {
            return usage(format!("log files of app \"{name}\" must be absolute paths without NUL bytes"));
        }
    }
    let words = app.argv.iter().chain(app.env.keys()).chain(app.env.values());
    if words.into_iter().any(RawString::has_nul) {
        return usage(format!(
            "an argument or variable of app \"{name}\" has a NUL byte, which no program can get"
        ));
    }
    if let Some(key) = app.env.keys().find(|key| key.is_empty() || key.as_bytes().contains(&b'=')) {
        return usage(format!("app \"{name}\" has a variable with the impossible name {key:?}"));
    }
    Ok(())
}

fn app_path_ok(path: &RawString) -> bool {
    path.as_bytes().first() == Some(&b'/') && !path.has_nul()
}
