//! `velos upgrade`: another binary takes over in place, after it has proved itself.
//!
//! The candidate is started beside us as `velos daemon --trial`. It connects, is given the table, restores it, tells how
//! many instances it found, and must then stay alive for [`PROBATION_NS`]. Only then do we hand over the descriptors and
//! execute it: same process, so every child stays a child. If it fails on the way, we go on and say why.

use std::os::unix::process::CommandExt;
use std::process::Command;

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::event::{DaemonStart, What};
use velos_core::instance::Exit;
use velos_core::protocol::{TrialReady, TrialState, Upgrade as Params, UpgradeReply};
use velos_core::raw_string::RawString;
use velos_ffi::{Scope, SpawnSpec};

use crate::answers::encode;
use crate::clients::Waiting;
use crate::control::Control;
use crate::handover::HANDOVER_VARIABLE;
use crate::tokens::Kind;

/// How long a candidate has to connect and restore the table, ns.
const PROOF_NS: u64 = 5_000_000_000;
/// How long it must live after that, ns.
const PROBATION_NS: u64 = 2_000_000_000;

/// An upgrade under way.
#[derive(Debug, Default)]
pub(crate) enum Upgrade {
    #[default]
    None,
    /// The candidate runs.
    Trial { token: u64, executable: RawString, waiting: Waiting, ready: Option<TrialReady>, deadline_ns: u64 },
    /// It has proved itself.
    Proven { executable: RawString, waiting: Waiting, product: String },
}

impl Upgrade {
    pub(crate) fn is_proven(&self) -> bool {
        matches!(self, Upgrade::Proven { .. })
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        match self {
            Upgrade::Trial { deadline_ns, .. } => Some(*deadline_ns),
            Upgrade::None | Upgrade::Proven { .. } => None,
        }
    }
}

impl Control {
    pub(crate) fn begin_upgrade(&mut self, waiting: Waiting, params: &Params) -> Result<(), ErrorReply> {
        if !matches!(self.upgrade, Upgrade::None) {
            return Err(ErrorReply::new(ErrorCode::Busy, "an upgrade is under way")
                .hint("it ends within a few seconds; see `velos events`"));
        }
        let path = &params.executable;
        if path.as_bytes().first() != Some(&b'/') || path.has_nul() {
            return Err(ErrorReply::new(ErrorCode::Usage, "the new binary must be an absolute path"));
        }
        let token = Kind::Trial.token(self.fresh_request());
        let home =
            [b"VELOS_HOME=", std::os::unix::ffi::OsStrExt::as_bytes(self.home.root().as_os_str())].concat();
        let environment = [home, path_variable()];
        let spec = SpawnSpec {
            program: path.as_bytes(),
            argv: &[path.as_bytes(), b"daemon", b"--trial"],
            env: &environment,
            cwd: Some(b"/"),
            capture: 0,
            rights: velos_ffi::Rights::default(),
            channel: None,
            own_cgroup: false,
        };
        self.reactor.spawn(token, &spec).map_err(|error| {
            let reason = std::io::Error::from_raw_os_error(error.errno.0);
            ErrorReply::new(ErrorCode::Failed, format!("cannot execute {}: {reason}", path.to_text()))
        })?;
        self.upgrade = Upgrade::Trial {
            token,
            executable: path.clone(),
            waiting,
            ready: None,
            deadline_ns: velos_ffi::now_ns() + PROOF_NS,
        };
        Ok(())
    }

    /// The candidate asks for the table.
    pub(crate) fn trial_state(&mut self, client: u64) -> Result<Vec<u8>, ErrorReply> {
        self.check_candidate(client)?;
        let state = self.encode_state().map_err(|error| ErrorReply::new(ErrorCode::Internal, error))?;
        encode(&TrialState { state: RawString::from_bytes(state) })
    }

    /// The candidate tells what it made of it.
    pub(crate) fn trial_ready(&mut self, client: u64, told: &TrialReady) -> Result<Vec<u8>, ErrorReply> {
        self.check_candidate(client)?;
        let ours = self.supervisor.instances().count() as u64;
        if told.instances != ours {
            let reason = format!("the new binary found {} of {ours} instances in the table", told.instances);
            self.give_up(&reason);
            return Err(ErrorReply::new(ErrorCode::Failed, reason));
        }
        if let Upgrade::Trial { ready, deadline_ns, .. } = &mut self.upgrade {
            *ready = Some(told.clone());
            *deadline_ns = velos_ffi::now_ns() + PROBATION_NS;
        }
        encode(&TrialState::default())
    }

    fn check_candidate(&self, client: u64) -> Result<(), ErrorReply> {
        let peer = self.clients.connected.get(&client).map(|client| client.pid);
        match &self.upgrade {
            Upgrade::Trial { .. } if peer.is_some() => Ok(()),
            _ => Err(ErrorReply::new(ErrorCode::Refused, "no upgrade is under way")),
        }
    }

    /// A candidate ended, perhaps one that was given up on.
    pub(crate) fn trial_ended(&mut self, process: u64, exit: Exit) {
        // The token is ours and used up.
        let _ = self.reactor.process_forget(process);
        if matches!(&self.upgrade, Upgrade::Trial { token, .. } if *token == process) {
            let when = match &self.upgrade {
                Upgrade::Trial { ready: Some(_), .. } => "within two seconds of taking the table",
                _ => "before it had taken the table",
            };
            self.give_up(&format!("the new binary ended with {exit} {when}"));
        }
    }

    pub(crate) fn expire_trial(&mut self, now_ns: u64) {
        if self.upgrade.deadline().is_none_or(|at| at > now_ns) {
            return;
        }
        let Upgrade::Trial { token, executable, waiting, ready, .. } = std::mem::take(&mut self.upgrade)
        else {
            return;
        };
        match ready {
            Some(told) => {
                self.end_candidate(token);
                self.upgrade = Upgrade::Proven { executable, waiting, product: told.product };
            }
            None => {
                self.upgrade = Upgrade::Trial { token, executable, waiting, ready, deadline_ns: u64::MAX };
                self.give_up("the new binary did not take the table within five seconds");
            }
        }
    }

    fn give_up(&mut self, reason: &str) {
        let Upgrade::Trial { token, waiting, executable, .. } = std::mem::take(&mut self.upgrade) else {
            return;
        };
        self.end_candidate(token);
        self.note(None, What::UpgradeFailed { reason: reason.to_owned() });
        let message = format!("{} did not prove itself: {reason}", executable.to_text());
        let error =
            ErrorReply::new(ErrorCode::Failed, message).hint("the old daemon goes on; nothing was stopped");
        self.send_reply(waiting, Err(error));
    }

    fn end_candidate(&mut self, token: u64) {
        // Gone already is as good.
        let _ = self.reactor.signal(token, nix::libc::SIGKILL, Scope::Tree);
    }

    /// Hand over and execute. Comes back only when the exec failed, with a working daemon.
    pub(crate) fn take_over(mut self) -> Result<i32, Box<Control>> {
        let Upgrade::Proven { executable, waiting, product } = std::mem::take(&mut self.upgrade) else {
            return Err(Box::new(self));
        };
        self.send_reply(waiting, encode(&UpgradeReply { product }));
        let state = match self.encode_state() {
            Ok(state) => state,
            Err(reason) => {
                self.note(None, What::UpgradeFailed { reason });
                return Err(Box::new(self));
            }
        };
        self.send_all_held();
        let others = [self.all_channels(), self.all_passages()].concat();
        for (name, fd) in self.all_fifos().into_iter().chain(others) {
            if let Ok(copy) = velos_ffi::process::duplicate(fd) {
                self.handover.fifos.insert(name, copy);
            }
        }
        self.clients.close_all(&mut self.reactor);
        self.log.flush(&mut self.reactor);
        let Control { home, reactor, mut handover, .. } = self;
        // Joins the writer thread, so that no file is half written when this image goes.
        drop(reactor);
        handover.state = Some(state);
        let error = match handover.write_for_exec() {
            Ok(memory) => Command::new(executable.as_os_str())
                .arg("daemon")
                .args(Some("--background").filter(|_| !home.is_foreground))
                .args(Some("--owned").filter(|_| home.is_owned))
                .env(HANDOVER_VARIABLE, std::os::fd::AsRawFd::as_raw_fd(&memory).to_string())
                .env("VELOS_HOME", home.root())
                .envs(
                    crate::boot::starters_descriptors()
                        .map(|(soft, _)| (crate::boot::DESCRIPTORS_VARIABLE, soft.to_string())),
                )
                .exec(),
            Err(error) => error,
        };
        handover.close_on_exec_again();
        handover.how = DaemonStart::Upgrade;
        crate::boot::complain(&home, &format!("cannot execute {}: {error}; going on", executable.to_text()));
        Ok(crate::control::run(&home, handover, crate::boot::Starter::default()))
    }
}

fn path_variable() -> Vec<u8> {
    use std::os::unix::ffi::OsStringExt;
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    [b"PATH=".to_vec(), path.into_vec()].concat()
}
