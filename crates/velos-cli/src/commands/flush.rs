//! `velos flush`

use velos_core::protocol::{FlushReply, Targets, method};

use crate::args::OptionalTargets;

pub(crate) fn run(context: &super::Context, targets: &OptionalTargets) -> super::Result {
    let mut client = context.daemon()?;
    let reply: FlushReply = client.call(method::FLUSH, &Targets { targets: targets.targets.clone() })?;
    if context.machine {
        crate::output::print_json(&reply)?;
    } else {
        let lines: String =
            reply.files.iter().map(|file| format!("[OK] Emptied {}\n", file.to_text())).collect();
        context.say(&lines)?;
    }
    Ok(0)
}
