//! Signals that end us: the loop gives the terminal back, or we do when it hangs.

use std::sync::mpsc::Sender;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use velos_client::{ErrorCode, ErrorReply};

use crate::model::Ending;
use crate::msg::Msg;

/// How long the loop may take to end.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn spawn(send: &Sender<Msg>) -> Result<(), ErrorReply> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGQUIT])
        .map_err(|error| ErrorReply::new(ErrorCode::Failed, format!("signals cannot be caught: {error}")))?;
    let send = send.clone();
    std::thread::spawn(move || {
        let Some(number) = signals.forever().next() else { return };
        // The loop may have ended by itself.
        let _ = send.send(Msg::End(Ending::Signal(number)));
        std::thread::sleep(PATIENCE);
        // It writes to a terminal that takes nothing.
        super::terminal::restore();
        let _ = signal_hook::low_level::emulate_default_handler(number);
    });
    Ok(())
}
