//! Requests: who may call which method, and where it goes: to what answers from what is known (`questions`), to the
//! supervisor as a command whose outcome comes later, or to another part of the daemon.

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::Verb;
use velos_core::frame::{self, Message};
use velos_core::instance::InstanceId;
use velos_core::protocol::{
    AdoptParams, Hello, PROTOCOL_OLDEST, PROTOCOL_VERSION, SignalParams, Start, Targets, method,
};
use velos_supervisor::{Command, Input};

use crate::answers::{Answer, Empty, decode, encode};
use crate::clients::Waiting;
use crate::control::Control;
use crate::declaration::check_app;
use crate::log_work::Work;

impl Control {
    /// One frame of a client.
    pub(crate) fn frame(&mut self, client: u64, bytes: &[u8]) {
        self.rest.asked(velos_ffi::now_ns());
        match frame::decode(bytes) {
            Ok(Message::Request { id, method, params }) => {
                let result = match self.call(client, id, &method, &params) {
                    Ok(Answer::Now(result)) => Ok(result),
                    Ok(Answer::Later) => return,
                    Err(error) => Err(error),
                };
                self.send_reply(Waiting { client, message: id }, result);
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
            method::HELLO => self.greet(client, &decode(params)?).map(Answer::Now),
            method::PING => encode(&self.hello()).map(Answer::Now),
            method::LIST => self.list().map(Answer::Now),
            method::INFO => self.info_of(&decode::<Targets>(params)?.targets).map(Answer::Now),
            method::WHY => self.why_of(&decode::<Targets>(params)?.targets).map(Answer::Now),
            method::EVENTS => self.past_events(&decode(params)?).map(Answer::Now),
            method::SUBSCRIBE => self.subscribe(client, &decode(params)?).map(Answer::Now),
            method::UNSUBSCRIBE => {
                if let Some(client) = self.clients.connected.get_mut(&client) {
                    client.subscription = None;
                }
                encode(&Empty {}).map(Answer::Now)
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
            method::RUNS => self.runs_of(&decode::<Targets>(params)?.targets).map(Answer::Now),
            method::ADOPT => {
                let params: AdoptParams = decode(params)?;
                check_app(&params.app)?;
                self.begin_adopt(client, id, params)?;
                Ok(Answer::Later)
            }
            method::SEND => self.send_message(&decode(params)?).map(Answer::Now),
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
            method::TRIAL_STATE => self.trial_state(client).map(Answer::Now),
            method::TRIAL_READY => self.trial_ready(client, &decode(params)?).map(Answer::Now),
            _ => Err(ErrorReply::new(ErrorCode::NotFound, format!("no method \"{name}\""))
                .hint("docs/protocol.md lists the methods")),
        }
    }

    fn greet(&mut self, client: u64, hello: &Hello) -> Result<Vec<u8>, ErrorReply> {
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
        encode(&reply)
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
    pub(crate) fn named(&self, targets: &[String]) -> Result<Vec<InstanceId>, ErrorReply> {
        if targets.is_empty() {
            return Err(
                ErrorReply::new(ErrorCode::Usage, "no target given").hint("name an app, an id, or all")
            );
        }
        self.resolve(targets)
    }

    /// Instances that the targets name; no target means any.
    pub(crate) fn only(&self, targets: &[String]) -> Result<Vec<InstanceId>, ErrorReply> {
        if targets.is_empty() { Ok(Vec::new()) } else { self.resolve(targets) }
    }

    /// What the supervisor is to do; it settles the ticket when that is done.
    pub(crate) fn command(&mut self, client: u64, id: u32, command: Command) {
        let ticket = self.clients.ticket(client, id);
        let by = self.clients.describe(client);
        self.inputs.push(Input::Command { ticket, by, command });
    }
}
