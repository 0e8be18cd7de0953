//! What the event loop reports, and who takes it.

use velos_core::event::What;
use velos_core::instance::{Exit, Phase, Token};
use velos_core::run::Used;
use velos_ffi::Event;
use velos_supervisor::Input;

use crate::control::Control;
use crate::tokens::Kind;
use crate::{health, owner, saving, taken, watch};

/// An event without borrowed parts.
pub(crate) enum Happened {
    Exited { token: u64, exit: Exit, leftovers: bool, used: Used },
    TreeEmpty { token: u64 },
    CaptureOpened { token: u64, errno: i32 },
    CaptureFailed { token: u64, errno: i32 },
    CaptureRecovered { token: u64, dropped_lines: u64 },
    ClientOpened { client: u64, uid: u32, pid: i32 },
    ClientClosed { client: u64 },
    ClientDrained { client: u64 },
    FileDone { request: u64, errno: i32 },
    Rotated { token: u64, is_err: bool, segment: u64 },
    Signal { number: i32 },
    FdReady { tag: u32 },
    Nothing,
}

impl Control {
    pub(crate) fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Exited { token, exit, leftovers, used } => match Kind::of(token) {
                Kind::Trial => self.trial_ended(token, exit),
                Kind::Hook => self.hook_ended(token, exit),
                Kind::Run | Kind::Capture => self.run_ended(Token(token), exit, leftovers, used),
            },
            Happened::TreeEmpty { token } => self.inputs.push(Input::TreeEmpty { token: Token(token) }),
            Happened::CaptureOpened { token, errno } => {
                if let Some(instance) = self.instance_of_capture(token) {
                    self.capture_opened(instance, errno);
                }
            }
            Happened::CaptureFailed { token, errno } => {
                self.note(self.instance_of_capture(token), What::CaptureFailed { errno });
            }
            Happened::CaptureRecovered { token, dropped_lines } => {
                self.note(self.instance_of_capture(token), What::CaptureRecovered { dropped_lines });
            }
            Happened::ClientOpened { client, uid, pid } => {
                self.rest.asked(velos_ffi::now_ns());
                self.clients.opened(client, uid, pid);
            }
            Happened::ClientClosed { client } => self.clients.closed(client),
            Happened::ClientDrained { client } => {
                self.catch_up(client);
                self.pump(client);
            }
            Happened::FileDone { request: saving::REQUEST, errno } => self.saved(errno),
            Happened::FileDone { request, errno } => self.writer_done(request, errno),
            Happened::Rotated { token, is_err, segment } => self.rotated(token, is_err, segment),
            // PM2's word for opening logs anew, which happens by itself.
            Happened::Signal { number: nix::libc::SIGHUP | nix::libc::SIGUSR2 } => {}
            Happened::Signal { number } => self.shutdown_by_signal(number),
            Happened::FdReady { tag: health::TAG } => self.probes_ended(),
            Happened::FdReady { tag: watch::TAG } => self.files_changed(),
            Happened::FdReady { tag: owner::TAG } => self.owner_may_be_gone(),
            Happened::FdReady { tag } if tag >= taken::FIRST_TAG => self.pass_on(tag),
            Happened::FdReady { tag } => self.heard(tag),
            Happened::Nothing => {}
        }
    }

    fn run_ended(&mut self, token: Token, exit: Exit, leftovers: bool, used: Used) {
        let exit = self.known_exit(token, exit);
        // An adopted process's use is known to nobody.
        let used = Some(used).filter(|used| used.peak_rss_bytes > 0);
        if self.is_crash(token) {
            self.rest.crashed(velos_ffi::now_ns());
        }
        self.inputs.push(Input::Exited { token, exit, leftovers, used });
    }

    /// Whether an exit was nobody's wish.
    fn is_crash(&self, token: Token) -> bool {
        let instance = self.supervisor.instance_by_token(token).and_then(|id| self.supervisor.instance(id));
        instance.is_some_and(|instance| matches!(instance.phase, Phase::Starting | Phase::Online))
    }
}

impl From<Event<'_>> for Happened {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Exited { token, exit, leftovers, cpu_us, peak_rss_bytes } => {
                let exit = match exit {
                    velos_ffi::Exit::Code(code) => Exit::Code(code),
                    velos_ffi::Exit::Signal { number, .. } => Exit::Signal(number),
                    velos_ffi::Exit::Unknown => Exit::Unknown,
                };
                Happened::Exited { token, exit, leftovers, used: Used { cpu_us, peak_rss_bytes } }
            }
            Event::TreeEmpty { token } => Happened::TreeEmpty { token },
            Event::CaptureOpened { token, result } => {
                Happened::CaptureOpened { token, errno: errno_of(result) }
            }
            Event::CaptureFailed { token, errno } => Happened::CaptureFailed { token, errno: errno.0 },
            Event::CaptureRecovered { token, dropped_lines } => {
                Happened::CaptureRecovered { token, dropped_lines }
            }
            Event::IpcOpened { client, uid, pid } => Happened::ClientOpened { client, uid, pid },
            Event::IpcClosed { client, .. } => Happened::ClientClosed { client },
            Event::IpcDrained { client } => Happened::ClientDrained { client },
            Event::FileDone { token, result } => {
                Happened::FileDone { request: token, errno: errno_of(result) }
            }
            Event::Signal { number, .. } => Happened::Signal { number },
            Event::FdReady { tag } => Happened::FdReady { tag },
            Event::Rotated { token, stream, segment } => {
                Happened::Rotated { token, is_err: stream == velos_ffi::Stream::Stderr, segment }
            }
            Event::IpcFrame { .. } | Event::Woken | Event::Unknown { .. } => Happened::Nothing,
        }
    }
}

fn errno_of(result: Result<(), velos_ffi::Errno>) -> i32 {
    result.err().map_or(0, |errno| errno.0)
}
