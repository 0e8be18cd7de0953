//! `velos flush` and `velos rotate`

use velos_core::protocol::{FlushReply, Targets, method};

use crate::args::OptionalTargets;

pub(crate) fn flush(context: &super::Context, targets: &OptionalTargets) -> super::Result {
    run(context, method::FLUSH, "Emptied", targets)
}

pub(crate) fn rotate(context: &super::Context, targets: &OptionalTargets) -> super::Result {
    run(context, method::ROTATE, "Began anew:", targets)
}

fn run(context: &super::Context, method: &str, done: &str, targets: &OptionalTargets) -> super::Result {
    let mut client = context.daemon()?;
    let reply: FlushReply = client.call(method, &Targets { targets: targets.targets.clone() })?;
    if context.machine {
        crate::output::print_json(&reply)?;
    } else {
        let lines: String =
            reply.files.iter().map(|file| format!("[OK] {done} {}\n", file.to_text())).collect();
        context.say(&lines)?;
    }
    Ok(0)
}
