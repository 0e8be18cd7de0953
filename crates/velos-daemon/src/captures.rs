//! The FIFOs and logs of each instance: opened before its first run, kept through all its runs, closed with the last.

use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::path::PathBuf;

use velos_core::instance::{InstanceId, SpawnFailure, SpawnStage, Token};
use velos_ffi::{CaptureSpec, Stream};
use velos_supervisor::Input;

use crate::capture_paths::CapturePaths;
use crate::control::Control;
use crate::link::Packet;
use crate::tokens::Kind;

/// Those of all instances.
pub(crate) type Captures = BTreeMap<InstanceId, Capture>;

/// The FIFOs and logs of an instance; they serve all its runs.
#[derive(Debug)]
pub(crate) struct Capture {
    /// Across the border, never reused.
    pub(crate) token: u64,
    /// `<name>-<id>`: what the FIFOs and the pid file are called.
    pub(crate) stem: String,
    /// While it is being opened: the spawns that wait for it.
    pub(crate) waiting: Option<Vec<Token>>,
}

impl Control {
    /// Where the output of an instance goes.
    pub(crate) fn capture_paths(&self, id: InstanceId) -> Option<CapturePaths> {
        let instance = self.supervisor.instance(id)?;
        Some(CapturePaths::of(&self.home, &self.supervisor.app_of(id)?.spec, id, instance.slot))
    }

    pub(crate) fn instance_of_capture(&self, token: u64) -> Option<InstanceId> {
        self.captures.iter().find(|(_, capture)| capture.token == token).map(|(id, _)| *id)
    }

    /// A start goes on when there is somewhere to write to.
    pub(crate) fn spawn_when_captured(&mut self, token: Token, instance: InstanceId) {
        match self.captures.get_mut(&self.supervisor.writes_as(instance)) {
            Some(Capture { waiting: None, .. }) => self.prepare(token, instance),
            Some(Capture { waiting: Some(waiting), .. }) => waiting.push(token),
            None => self.open_capture(self.supervisor.writes_as(instance), vec![token]),
        }
    }

    /// Ask the writer thread for FIFOs and logs; `capture_opened` goes on with the spawns that wait.
    pub(crate) fn open_capture(&mut self, instance: InstanceId, waiting: Vec<Token>) {
        let Some(paths) = self.capture_paths(instance) else { return };
        let token = Kind::Capture.token(self.fresh_request());
        let out_fd = self.handover.take_fifo(&format!("{}.out", paths.stem));
        let err_fd = self.handover.take_fifo(&format!("{}.err", paths.stem));
        let in_fd = self.handover.take_fifo(&format!("{}.in", paths.stem));
        let (out_fifo, err_fifo, in_fifo) = (paths.fifo("out"), paths.fifo("err"), paths.fifo("in"));
        let spec = CaptureSpec {
            out_fd,
            err_fd,
            in_fd,
            out_fifo: &out_fifo,
            err_fifo: &err_fifo,
            in_fifo: Some(&in_fifo),
            out_log: Some(paths.out_log.as_path()).filter(|_| !paths.discard_out),
            err_log: Some(paths.err_log.as_path()).filter(|_| !paths.discard_err),
            both_log: paths.both_log.as_deref(),
            form: (paths.is_json || paths.stamp.is_some()).then_some(velos_ffi::LineForm {
                stamp: paths.stamp.as_deref(),
                json_name: Some(paths.json_name.as_str()).filter(|_| paths.is_json),
                id: u64::from(instance.0),
            }),
            max_bytes: paths.max_bytes,
            keep: paths.keep,
        };
        let opened = self.reactor.capture_open(token, &spec);
        self.captures.insert(instance, Capture { token, stem: paths.stem, waiting: Some(waiting) });
        if let Err(errno) = opened {
            self.capture_opened(instance, errno.0);
        }
    }

    pub(crate) fn capture_opened(&mut self, instance: InstanceId, errno: i32) {
        let Some(capture) = self.captures.get_mut(&instance) else { return };
        let waiting = capture.waiting.take().unwrap_or_default();
        if errno == 0 {
            self.lend_fifos(instance);
            self.first_look(instance);
        } else {
            self.captures.remove(&instance);
        }
        for token in waiting {
            if errno == 0 {
                let instance = self.supervisor.instance_by_token(token).unwrap_or(instance);
                self.prepare(token, instance);
            } else {
                self.inputs.push(Input::SpawnFailed {
                    token,
                    failure: SpawnFailure { stage: SpawnStage::Capture, errno },
                });
            }
        }
    }

    /// The guardian keeps the FIFOs alive while there is no daemon.
    fn lend_fifos(&mut self, instance: InstanceId) {
        let (names, fds): (Vec<String>, Vec<RawFd>) = self.fifos_of(instance).into_iter().unzip();
        self.tell_guardian(&Packet::Hold(names), &fds);
    }

    fn fifos_of(&mut self, instance: InstanceId) -> Vec<(String, RawFd)> {
        let Some(Capture { token, stem, waiting: None }) = self.captures.get(&instance) else {
            return Vec::new();
        };
        let fds = [
            ("out", self.reactor.capture_fd(*token, Stream::Stdout)),
            ("err", self.reactor.capture_fd(*token, Stream::Stderr)),
            ("in", self.reactor.capture_input_fd(*token)),
        ];
        fds.into_iter().filter_map(|(suffix, fd)| Some((format!("{stem}.{suffix}"), fd.ok()?))).collect()
    }

    /// Where others can open a FIFO of an instance (`out`, `err` or `in`).
    pub(crate) fn fifo_path(&mut self, instance: InstanceId, suffix: &str) -> Option<PathBuf> {
        if !cfg!(target_os = "linux") {
            return Some(self.capture_paths(instance)?.fifo(suffix));
        }
        let open = self.fifos_of(instance);
        let (_, fd) = open.iter().find(|(name, _)| name.rsplit('.').next() == Some(suffix))?;
        Some(format!("/proc/{}/fd/{fd}", std::process::id()).into())
    }

    /// Descriptor and name of every FIFO, for an executed successor.
    pub(crate) fn all_fifos(&mut self) -> Vec<(String, RawFd)> {
        let instances: Vec<InstanceId> = self.captures.keys().copied().collect();
        instances.into_iter().flat_map(|instance| self.fifos_of(instance)).collect()
    }

    /// An instance is forgotten: nobody writes here again.
    pub(crate) fn close_capture(&mut self, instance: InstanceId) {
        let Some(Capture { token, stem, .. }) = self.captures.remove(&instance) else { return };
        if let Err(errno) = self.reactor.capture_close(token) {
            self.log.debug(&format!("close capture of {stem}: {errno}"));
        }
        let names = ["out", "err", "in"].map(|suffix| format!("{stem}.{suffix}"));
        self.tell_guardian(&Packet::Release(names.into()), &[]);
        self.remove_pid_file(&self.home.pids().join(format!("{stem}.pid")));
    }
}
