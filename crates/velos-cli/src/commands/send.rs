//! `velos send`: a message over the Node channel.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use velos_core::protocol::{InfoReply, Outcomes, SendParams, Targets, method};

use super::select;
use crate::args::Send;

pub(crate) fn run(context: &super::Context, send: &Send) -> super::Result {
    if send.stdin || super::is_pm2_compatible() {
        return type_line(context, send);
    }
    let mut client = context.daemon()?;
    let begin = select::now_us();
    let params = SendParams { targets: vec![send.target.clone()], message: as_json(&send.message) };
    let outcomes: Outcomes = client.call(method::SEND, &params)?;
    select::tell(context, &outcomes, begin, |_| "got the message".to_owned())
}

/// PM2's `send`: a line on standard input.
fn type_line(context: &super::Context, send: &Send) -> super::Result {
    let mut client = context.daemon()?;
    let info: InfoReply = client.call(method::INFO, &Targets { targets: vec![send.target.clone()] })?;
    let mut text = String::new();
    for one in &info.instances {
        let name = super::shown_name(&one.summary.name, one.summary.slot);
        if one.summary.pid.is_none() {
            return Err(super::failed(format!(
                "{name} is {}: nobody reads its input",
                one.summary.phase.status()
            ))
            .hint(format!("start it: velos start {name}")));
        }
        let cannot =
            |error: std::io::Error| super::failed(format!("cannot write to the input of {name}: {error}"));
        // Who never reads must not hold us up: the FIFO takes a line or it does not.
        let mut options = std::fs::OpenOptions::new();
        options.write(true).custom_flags(nix::libc::O_NONBLOCK);
        let mut input = options.open(one.input.as_path()).map_err(cannot)?;
        input.write_all(format!("{}\n", send.message).as_bytes()).map_err(cannot)?;
        text.push_str(&format!("[OK] Process \"{name}\" got the line\n"));
    }
    context.say(&text)?;
    Ok(0)
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
