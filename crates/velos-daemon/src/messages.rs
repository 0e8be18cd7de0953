//! `send`: one JSON value to programs that listen on a Node channel.

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::protocol::{Outcomes, SendParams};

use crate::answers::encode;
use crate::control::Control;

/// Longest message, bytes.
const MESSAGE_MAX: usize = 1 << 20;

impl Control {
    /// All or none: who cannot hear it is told of before anybody gets it.
    pub(crate) fn send_message(&mut self, params: &SendParams) -> Result<Vec<u8>, ErrorReply> {
        check_message(&params.message)?;
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
        encode(&Outcomes { instances, refused: Vec::new() })
    }
}

fn check_message(message: &str) -> Result<(), ErrorReply> {
    let usage = |text: String| Err(ErrorReply::new(ErrorCode::Usage, text));
    if message.len() > MESSAGE_MAX {
        return usage(format!("the message has {} bytes; {MESSAGE_MAX} are the most", message.len()));
    }
    if message.trim().is_empty() || message.contains('\n') {
        return usage("a message is one JSON value on one line".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_a_bounded_length() {
        let why = |message: &str| check_message(message).map_err(|error| error.message).err();
        assert_eq!(why("{\"a\": 1}"), None);
        assert_eq!(why(&"1".repeat(MESSAGE_MAX)), None);
        for bad in ["", " ", "1\n2"] {
            assert_eq!(why(bad).as_deref(), Some("a message is one JSON value on one line"), "{bad:?}");
        }
        let long = why(&"1".repeat(MESSAGE_MAX + 1));
        assert_eq!(long.as_deref(), Some("the message has 1048577 bytes; 1048576 are the most"));
    }
}
