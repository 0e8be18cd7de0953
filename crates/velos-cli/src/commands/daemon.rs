//! `velos daemon`

use velos_client::Home;

use crate::args::Daemon;

pub(crate) fn run(daemon: &Daemon) -> super::Result {
    let home = Home::from_environment()?.path().to_path_buf();
    let config = velos_daemon::Config { home, background: daemon.background, owned: daemon.owned };
    let code = match daemon.guardian {
        Some(table) => velos_daemon::run_guardian(&config, table, daemon.trial),
        None if daemon.trial => velos_daemon::run_trial(&config.home),
        None => velos_daemon::run(&config),
    };
    Ok(u8::try_from(code).unwrap_or(1))
}
