//! `velos monit`: the full-screen view.

use velos_client::Home;
use velos_core::event::Event;
use velos_tui::{Ending, Look, Words};

use crate::clock::Clock;

/// What shells add to the number of a signal.
const SIGNALLED: i32 = 128;

pub(crate) fn run(context: &super::Context) -> super::Result {
    if context.machine {
        return Err(super::usage("velos monit is for people; it prints no JSON")
            .hint("use `velos list --machine`, or `velos events --follow --machine`"));
    }
    let words = Words { sentence, reason: super::events::reason, is_secret: super::info::looks_secret };
    let look = Look { colour: context.colour, unicode: shows_unicode() };
    match velos_tui::run(&Home::from_environment()?, look, words)? {
        Ending::Quit => Ok(0),
        Ending::Signal(number) => Ok(u8::try_from(SIGNALLED + number).unwrap_or(u8::MAX)),
    }
}

fn sentence(event: &Event) -> Option<String> {
    let is_told = !event.is_detail();
    is_told.then(|| super::events::sentence(event, &Clock::system()))
}

/// By the first variable that is set, as the C library chooses; the Linux console has too few signs.
fn shows_unicode() -> bool {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
    let locale = locale.to_lowercase();
    let is_utf8 = locale.contains("utf-8") || locale.contains("utf8");
    is_utf8 && variable("TERM").is_none_or(|term| term != "linux" && term != "dumb")
}
