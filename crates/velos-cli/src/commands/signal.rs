//! `velos signal`

use velos_core::protocol::{Outcome, Outcomes, SignalParams, method};
use velos_core::signal::Signal;

use super::select;
use crate::args::SendSignal;

pub(crate) fn run(context: &super::Context, send: &SendSignal) -> super::Result {
    let signal: Signal = send.signal.parse().map_err(|_| {
        super::usage(format!("\"{}\" is no signal", send.signal))
            .hint("give a name such as SIGHUP, or a number")
    })?;
    let mut client = context.daemon()?;
    let begin = select::now_us();
    let params = SignalParams { targets: send.targets.clone(), signal };
    let outcomes: Outcomes = client.call(method::SIGNAL, &params)?;
    select::tell(context, &outcomes, begin, |outcome: &Outcome| {
        format!("got {signal} (PID: {})", outcome.pid.unwrap_or_default())
    })
}
