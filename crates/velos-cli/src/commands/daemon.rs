//! `velos daemon`

use velos_client::Home;

use crate::args::Daemon;

pub(crate) fn run(daemon: &Daemon) -> super::Result {
    let home = Home::from_environment()?.path().to_path_buf();
    let code = if daemon.trial {
        velos_daemon::run_trial(&home)
    } else {
        velos_daemon::run(&velos_daemon::Config { home, background: daemon.background })
    };
    Ok(u8::try_from(code).unwrap_or(1))
}
