//! `velos pack-log`: what the daemon starts after a rotation.

use crate::args::PackLog;

pub(crate) fn run(context: &super::Context, pack: &PackLog) -> super::Result {
    let done = velos_log_engine::pack(&pack.log, pack.below).map_err(|error| {
        super::failed(format!("cannot compress segments of {}: {error}", pack.log.display()))
    })?;
    let text = format!("[OK] {} segments: {} bytes became {}\n", done.segments, done.before, done.after);
    context.say(&text)?;
    Ok(0)
}
