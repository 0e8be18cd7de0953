//! `velos upgrade`

use velos_client::{Client, Home};
use velos_core::protocol::{Upgrade as Params, UpgradeReply, method};

use crate::args::Upgrade;

pub(crate) fn run(context: &super::Context, upgrade: &Upgrade) -> super::Result {
    let path = match &upgrade.path {
        Some(path) => std::path::absolute(path),
        None => std::env::current_exe(),
    };
    let path = path.map_err(|error| super::failed(format!("cannot tell which binary to take: {error}")))?;
    let Some(mut client) = Client::connect(&Home::from_environment()?, "cli")? else {
        if context.machine {
            crate::output::print_json(&serde_json::json!({ "daemon_ran": false }))?;
        }
        context.say("[OK] No daemon runs; the next command starts the new binary\n")?;
        return Ok(0);
    };
    let reply: UpgradeReply = client.call(method::UPGRADE, &Params { executable: path.clone().into() })?;
    // It hangs up when it executes the new binary; the socket stays, so connecting waits for the new one.
    client.wait_for_end();
    let new = context.greeted_daemon()?;
    if context.machine {
        crate::output::print_json(new.hello())?;
    } else {
        let pid = new.hello().pid;
        let path = path.display();
        context
            .say(&format!("[OK] Daemon {pid} runs {} ({path}) now; nothing was stopped\n", reply.product))?;
    }
    Ok(0)
}
