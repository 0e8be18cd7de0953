//! Everything that touches the world: threads that send messages, and the loop that draws.
//!
//! One thread each reads the terminal, waits for signals, keeps the list, follows what the daemon tells, looks at the
//! machine, and follows the logs of the selected process. All of them only send; the loop alone owns the model and the
//! screen. It draws when something came, at most [`FRAMES`] times a second, and sleeps otherwise.

mod daemon;
mod digest;
mod events;
mod host;
mod logs;
mod runs;
mod signals;
mod terminal;

use std::io::IsTerminal;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant, SystemTime};

use ratatui::crossterm::event::Event as Input;
use velos_client::{ErrorCode, ErrorReply, Home};

use crate::model::{Ending, Look, Model};
use crate::msg::{Effect, Msg};
use crate::update::update;
use crate::view::view;
use crate::{Clock, Words};

use terminal::Screen;

/// Most drawings a second.
const FRAMES: u32 = 30;
/// Who we are to the daemon.
const NAME: &str = "tui";
/// Messages that are taken in before the next drawing.
const BURST: usize = 1_000;

/// Show the daemon of this home until the person, or a signal, ends it. A daemon is started if none runs.
pub fn run(home: &Home, look: Look, words: Words) -> Result<Ending, ErrorReply> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        let message = "velos monit needs a terminal for its input and its output";
        return Err(ErrorReply::new(ErrorCode::Usage, message).hint(
            "without one use `velos list`, `velos logs --follow` and `velos events --follow`; \
             each takes --machine",
        ));
    }
    // Before the screen is ours: a failure is told like everywhere else.
    drop(velos_client::start::connect_or_start(home, NAME)?);
    let (send, receive) = mpsc::channel();
    signals::spawn(&send)?;
    let mut screen = Screen::enter().map_err(|error| cannot_show(&error))?;
    let result = show(home, look, words, &mut screen, &send, &receive);
    screen.leave();
    result
}

fn cannot_show(error: &std::io::Error) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, format!("the terminal cannot be used: {error}"))
        .hint("see `velos list` and `velos logs`")
}

fn show(
    home: &Home,
    look: Look,
    words: Words,
    screen: &mut Screen,
    send: &Sender<Msg>,
    receive: &Receiver<Msg>,
) -> Result<Ending, ErrorReply> {
    let size = screen.size().map_err(|error| cannot_show(&error))?;
    let mut model = Model::new(size, look, Clock::system(), now_ms());
    let mut world = World {
        daemon: daemon::spawn(home, words, send),
        logs: logs::Reader::new(send),
        home: home.clone(),
        words,
        send: send.clone(),
    };
    read_input(send);
    events::spawn(home, words, send, &world.daemon);
    host::spawn(send);
    let pause = Duration::from_secs(1) / FRAMES;
    let mut drawn: Option<Instant> = None;
    let mut is_changed = true;
    loop {
        if is_changed && drawn.is_none_or(|at| at.elapsed() >= pause) {
            screen.draw(|frame| view(&model, frame)).map_err(|error| cannot_show(&error))?;
            (drawn, is_changed) = (Some(Instant::now()), false);
        }
        let first = if is_changed {
            let left = drawn.map_or(Duration::ZERO, |at| pause.saturating_sub(at.elapsed()));
            match receive.recv_timeout(left) {
                Ok(msg) => msg,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(Ending::Quit),
            }
        } else {
            match receive.recv() {
                Ok(msg) => msg,
                Err(mpsc::RecvError) => return Ok(Ending::Quit),
            }
        };
        for msg in std::iter::once(first).chain(receive.try_iter().take(BURST)) {
            for effect in update(&mut model, msg) {
                world.carry_out(effect, screen).map_err(|error| cannot_show(&error))?;
            }
            if let Some(ending) = model.ending {
                return Ok(ending);
            }
        }
        is_changed = true;
    }
}

/// Where effects go.
struct World {
    daemon: Sender<daemon::Ask>,
    logs: logs::Reader,
    home: Home,
    words: Words,
    send: Sender<Msg>,
}

impl World {
    fn carry_out(&mut self, effect: Effect, screen: &mut Screen) -> std::io::Result<()> {
        match effect {
            Effect::Act(verb, targets) => daemon::act(&self.home, &self.send, verb, targets),
            // The thread lives as long as we do.
            Effect::Info(id, target) => drop(self.daemon.send(daemon::Ask::Info((id, target)))),
            Effect::Runs(id, target) => runs::ask(&self.home, self.words, &self.send, id, target),
            Effect::Follow(source) => self.logs.follow(source),
            Effect::Digest(source) => self.logs.digest(source),
            Effect::CaptureMouse(ours) => screen.capture_mouse(ours)?,
            Effect::Copy(text) => screen.copy(&text)?,
            Effect::Suspend => {
                screen.suspend()?;
                let (width, height) = screen.size()?;
                // Nobody hears it only when we end anyway.
                let _ = self.send.send(Msg::Resize(width, height));
            }
        }
        Ok(())
    }
}

/// Keys, mouse and sizes. The thread ends with the process: nothing can wake it.
fn read_input(send: &Sender<Msg>) {
    let send = send.clone();
    std::thread::spawn(move || {
        loop {
            let msg = match ratatui::crossterm::event::read() {
                Ok(Input::Key(key)) => Msg::Key(key),
                Ok(Input::Mouse(mouse)) => Msg::Mouse(mouse),
                Ok(Input::Resize(width, height)) => Msg::Resize(width, height),
                Ok(Input::FocusGained | Input::FocusLost | Input::Paste(_)) => continue,
                // The terminal is gone.
                Err(_) => Msg::End(Ending::Quit),
            };
            let is_end = matches!(msg, Msg::End(_));
            if send.send(msg).is_err() || is_end {
                return;
            }
        }
    });
}

/// Wall clock, milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
