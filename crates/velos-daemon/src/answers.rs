//! How a request is answered: encoded, held back until the table is saved when it must be, and sent or the connection ended.

use serde::Serialize;
use serde::de::DeserializeOwned;
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::frame;
use velos_core::protocol::{Outcome, Outcomes, Refusal};
use velos_supervisor::Ticket;

use crate::clients::Waiting;
use crate::control::Control;
use crate::held;

/// What a method answers now, or that the answer comes later.
pub(crate) enum Answer {
    Now(Vec<u8>),
    Later,
}

/// An empty map.
#[derive(Debug, Serialize)]
pub(crate) struct Empty {}

impl Control {
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

pub(crate) fn decode<T: DeserializeOwned>(params: &[u8]) -> Result<T, ErrorReply> {
    frame::params(params)
        .map_err(|error| ErrorReply::new(ErrorCode::Usage, format!("the params cannot be read: {error}")))
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, ErrorReply> {
    rmp_serde::to_vec_named(value).map_err(|error| {
        ErrorReply::new(ErrorCode::Internal, format!("the result cannot be encoded: {error}"))
    })
}
