//! `velos send`: a message over the Node channel.

use velos_core::protocol::{Outcomes, SendParams, method};

use super::select;
use crate::args::Send;

pub(crate) fn run(context: &super::Context, send: &Send) -> super::Result {
    let mut client = context.daemon()?;
    let begin = select::now_us();
    let params = SendParams { targets: vec![send.target.clone()], message: as_json(&send.message) };
    let outcomes: Outcomes = client.call(method::SEND, &params)?;
    select::tell(context, &outcomes, begin, |_| "got the message".to_owned())
}

/// A JSON value as it is, on one line; any other text as a JSON string.
fn as_json(text: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|_| text.into());
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_a_string_and_json_stays() {
        assert_eq!(as_json("reload cache"), "\"reload cache\"");
        assert_eq!(as_json("{\n\"a\": 1}"), "{\"a\":1}");
        assert_eq!(as_json("12"), "12");
    }
}
