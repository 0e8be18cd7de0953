//! `velos ping`

use velos_core::units::short_duration;

pub(crate) fn run(context: &super::Context) -> super::Result {
    let client = context.greeted_daemon()?;
    let hello = client.hello();
    if context.machine {
        crate::output::print_json(hello)?;
    } else {
        let uptime = short_duration(hello.uptime_ms);
        context.say(&format!("Velos v{} | Daemon: connected | Uptime: {uptime}\n", hello.product))?;
    }
    Ok(0)
}
