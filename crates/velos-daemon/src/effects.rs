//! What the supervisor wants done, done.

use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;

use velos_core::app::{AppSpec, INSTANCE_VAR, LogFormat};
use velos_core::event::{Cause, Event, What};
use velos_core::instance::{InstanceId, SpawnFailure, SpawnStage, Token};
use velos_core::raw_string::RawString;
use velos_core::signal::Signal;
use velos_ffi::{CaptureSpec, SpawnSpec, Stream};
use velos_supervisor::{Effect, Input, Scope};

use crate::control::{CAPTURE_BIT, Capture, Control, capture_failure};
use crate::link::Packet;
use crate::rights;

/// Long enough for who asked to have the answer, ns.
const SPARES_AFTER_NS: u64 = 5_000_000;

impl Control {
    pub(crate) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { token, instance } => self.spawn_when_captured(token, instance),
            Effect::Adopt { token, instance } => self.adopt_running(token, instance),
            Effect::Signal { token, signal, scope } if self.hold_signal(token, signal, scope) => {}
            Effect::Signal { token, signal, scope } => self.send_signal(token, signal, scope),
            Effect::WatchTree { token } => {
                if self.reactor.tree_watch(token.0).is_err() {
                    self.inputs.push(Input::TreeEmpty { token });
                }
            }
            Effect::ForgetProcess { token } => {
                self.close_ears(token);
                self.close_passages(token);
                // Already unknown is what we want.
                let _ = self.reactor.process_forget(token.0);
            }
            Effect::ForgetInstance { instance } => self.forget_instance(instance),
            Effect::Reply { ticket, outcomes, refused } => self.reply_outcomes(ticket, outcomes, refused),
            Effect::Record(event) => self.record(&event),
            Effect::Persist => self.mark_dirty(),
            Effect::Shutdown => self.shutdown = true,
        }
    }

    pub(crate) fn send_signal(&mut self, token: Token, signal: Signal, scope: Scope) {
        if self.is_asked_by_message(token, signal) {
            return;
        }
        let scope = match scope {
            Scope::Process => velos_ffi::Scope::Process,
            Scope::Tree => velos_ffi::Scope::Tree,
        };
        // Nobody left to signal: the exit is on its way, or TreeEmpty tells.
        if let Err(errno) = self.reactor.signal(token.0, signal.0, scope) {
            self.log.debug(&format!("signal {signal} to run {}: {errno}", token.0));
        }
    }

    /// The app wants to be asked over its channel, and was.
    fn is_asked_by_message(&mut self, token: Token, signal: Signal) -> bool {
        let Some(id) = self.supervisor.instance_by_token(token) else { return false };
        let is_polite = self.supervisor.app_of(id).is_some_and(|app| {
            app.spec.stop.with_message
                && app.spec.stop.kill_signal == signal
                && signal.0 != nix::libc::SIGKILL
        });
        let is_stopping = self
            .supervisor
            .instance(id)
            .is_some_and(|instance| instance.phase == velos_core::instance::Phase::Stopping);
        is_polite && is_stopping && self.say_shutdown(token)
    }

    fn spawn_when_captured(&mut self, token: Token, instance: InstanceId) {
        match self.captures.get_mut(&self.supervisor.writes_as(instance)) {
            Some(Capture { waiting: None, .. }) => self.prepare(token, instance),
            Some(Capture { waiting: Some(waiting), .. }) => waiting.push(token),
            None => self.open_capture(self.supervisor.writes_as(instance), vec![token]),
        }
    }

    /// Ask the writer thread for FIFOs and logs; `capture_opened` goes on with the spawns that wait.
    pub(crate) fn open_capture(&mut self, instance: InstanceId, waiting: Vec<Token>) {
        let Some(paths) = self.capture_paths(instance) else { return };
        let token = CAPTURE_BIT | self.fresh_request();
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
                self.inputs.push(Input::SpawnFailed { token, failure: capture_failure(errno) });
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

    fn prepare(&mut self, token: Token, id: InstanceId) {
        if !self.hold_for_hook(token, id) {
            self.spawn(token, id);
        }
    }

    pub(crate) fn spawn(&mut self, token: Token, id: InstanceId) {
        // A spawn that waited for its capture may have been called off meanwhile.
        if self.supervisor.instance(id).is_none_or(|instance| instance.token != Some(token)) {
            return;
        }
        self.note_release(token, id);
        self.spawn_now(token, id);
    }

    fn spawn_now(&mut self, token: Token, id: InstanceId) {
        let mouth = self.open_ears(id, token);
        self.settle_cgroups();
        let Some(app) = self.supervisor.app_of(id) else { return };
        let Some(mut environment) = self.environment_of(id) else { return };
        environment.extend(mouth.env);
        let found = found_again(&app.spec);
        let mut argv: Vec<&[u8]> = app.spec.argv.iter().map(|argument| argument.as_bytes()).collect();
        let mut program = app.spec.program.as_bytes();
        if let Some(found) = &found {
            use std::os::unix::ffi::OsStrExt;
            program = found.program.as_os_str().as_bytes();
            if let Some(first) = argv.first_mut() {
                *first = program;
            }
            if let Some(search) = &found.search {
                environment.retain(|entry| !entry.starts_with(b"PATH="));
                environment.push(format!("PATH={search}").into_bytes());
            }
        }
        let spec = SpawnSpec {
            program,
            argv: &argv,
            env: &environment,
            cwd: Some(app.spec.cwd.as_bytes()),
            capture: self.captures.get(&self.supervisor.writes_as(id)).map_or(0, |capture| capture.token),
            rights: rights::of(&app.spec),
            channel: mouth.channel.as_ref().map(AsRawFd::as_raw_fd),
            own_cgroup: false,
        };
        let ours = [std::process::id().cast_signed(), self.handover.guardian_pid];
        let own_cgroup = match self.cgroups.for_run(token, &app.spec, &ours) {
            Ok(own_cgroup) => own_cgroup,
            Err(error) => {
                self.close_ears(token);
                let errno = error.raw_os_error().unwrap_or(0);
                let failure = SpawnFailure { stage: SpawnStage::Rlimit, errno };
                return self.inputs.push(Input::SpawnFailed { token, failure });
            }
        };
        let is_limited = app.spec.limits.need_cgroup();
        if let Some(folder) = self.cgroups.take_descriptor() {
            // Then its limits do not hold, which is told below.
            let _ = self.reactor.cgroups(folder);
        }
        if own_cgroup {
            self.spares_at_ns.get_or_insert_with(|| velos_ffi::now_ns() + SPARES_AFTER_NS);
        }
        match self.reactor.spawn(token.0, &SpawnSpec { own_cgroup, ..spec }) {
            Ok(spawned) => {
                let pid = spawned.pid;
                if is_limited && !self.cgroups.has(token) {
                    let text = "its limits do not hold: it could not be put into its cgroup".to_owned();
                    self.note(Some(id), What::Note { text });
                }
                self.adjust_oom_score(id, pid);
                self.want_pid_file(id, pid);
                self.inputs.push(Input::Spawned { token, pid, start_ticks: spawned.start_ticks });
            }
            Err(error) => {
                self.close_ears(token);
                let failure = SpawnFailure { stage: stage(error.stage), errno: error.errno.0 };
                self.inputs.push(Input::SpawnFailed { token, failure });
            }
        }
    }

    /// Look where cgroups can be made, before the first is needed.
    pub(crate) fn settle_cgroups(&mut self) {
        if self.cgroups.is_settled() {
            return;
        }
        let ours = [std::process::id().cast_signed(), self.handover.guardian_pid];
        self.cgroups = crate::cgroup::Cgroups::find(self.home.root(), &ours);
        if let Some(folder) = self.cgroups.take_descriptor() {
            // Where there are none, apps run without.
            let _ = self.reactor.cgroups(folder);
        }
    }

    /// The next start will find its cgroup.
    pub(crate) fn make_spares_if_due(&mut self) {
        if self.spares_at_ns.is_none_or(|at| at > velos_ffi::now_ns()) {
            return;
        }
        self.spares_at_ns = None;
        self.settle_cgroups();
        self.cgroups.make_spares(self.supervisor.next_run());
    }

    /// Inherited by what it starts; a child that it started before this instant keeps the daemon's.
    fn adjust_oom_score(&mut self, id: InstanceId, pid: i32) {
        let Some(score) = self.supervisor.app_of(id).and_then(|app| app.spec.limits.oom_score_adj) else {
            return;
        };
        if let Err(error) = std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string()) {
            let text = format!("oom_score_adj {score} could not be set: {error}");
            self.note(Some(id), What::Note { text });
        }
    }

    /// What the current run of an instance is started with.
    pub(crate) fn environment_of(&self, id: InstanceId) -> Option<Vec<Vec<u8>>> {
        let (instance, app) = self.supervisor.instance(id).zip(self.supervisor.app_of(id))?;
        Some(environment(&app.spec, instance.token?, id, instance.slot, self.home.root()))
    }

    fn forget_instance(&mut self, instance: InstanceId) {
        self.usage.forget(instance);
        self.last_look(instance);
        let Some(Capture { token, stem, .. }) = self.captures.remove(&instance) else { return };
        if let Err(errno) = self.reactor.capture_close(token) {
            self.log.debug(&format!("close capture of {stem}: {errno}"));
        }
        let names = ["out", "err", "in"].map(|suffix| format!("{stem}.{suffix}"));
        self.tell_guardian(&Packet::Release(names.into()), &[]);
        self.remove_pid_file(&self.home.pids().join(format!("{stem}.pid")));
    }

    fn record(&mut self, event: &Event) {
        if let (What::Transition { to, .. }, Some(instance)) = (&event.what, event.instance)
            && matches!(to, velos_core::instance::Phase::Stopped | velos_core::instance::Phase::Errored)
            && self.supervisor.instance(instance).is_some_and(|one| one.stands_in_for.is_none())
            && let Some(path) = self.pid_file(instance)
        {
            self.remove_pid_file(&path);
        }
        if let (What::Transition { cause: Cause::Reloaded, pid: Some(pid), .. }, Some(instance)) =
            (&event.what, event.instance)
        {
            self.want_pid_file(instance, *pid);
        }
        self.log.event(event);
        if let (What::Added, Some(id)) = (&event.what, event.instance) {
            self.widen_subscriptions(id);
        }
        self.broadcast(event);
        self.hooks_of_event(event);
        self.end_with_critical(event);
    }

    /// In the foreground the end of a critical app is the end of all, with its exit code.
    fn end_with_critical(&mut self, event: &Event) {
        let (What::Transition { from, to, .. }, Some(id)) = (&event.what, event.instance) else { return };
        let rests = matches!(to, velos_core::instance::Phase::Stopped | velos_core::instance::Phase::Errored);
        let Some((instance, app)) = self.supervisor.instance(id).zip(self.supervisor.app_of(id)) else {
            return;
        };
        let by_itself = !instance.stopped_by_command && from != to;
        if !(self.home.is_foreground && rests && app.spec.critical && by_itself) {
            return;
        }
        let code = match instance.exit {
            Some(velos_core::instance::Exit::Code(code)) => code,
            // As shells tell of a signal.
            Some(velos_core::instance::Exit::Signal(number)) => 128 + number,
            Some(velos_core::instance::Exit::Unknown) | None => 1,
        };
        self.exit_code = code;
        let text = format!("it is critical and ended, so all ends with code {code}");
        self.note(Some(id), What::Note { text });
        self.shutdown_by_signal(nix::libc::SIGTERM);
    }

    /// Where the output of an instance goes.
    pub(crate) fn capture_paths(&self, id: InstanceId) -> Option<CapturePaths> {
        let instance = self.supervisor.instance(id)?;
        let spec = &self.supervisor.app_of(id)?.spec;
        let stem = spec.name.file_stem();
        let number = if spec.instances > 1 && !spec.logs.merge {
            format!("-{}", instance.slot)
        } else {
            String::new()
        };
        let logs = self.home.logs();
        let log = |given: &Option<RawString>, kind: &str| match given {
            Some(path) => numbered(path.as_path(), &number),
            None => logs.join(format!("{stem}-{kind}{number}.log")),
        };
        let both = |path: &RawString| match path.as_bytes() {
            b"" => logs.join(format!("{stem}{number}.log")),
            _ => numbered(path.as_path(), &number),
        };
        let own = format!("{stem}-{}", id.0);
        Some(CapturePaths {
            run: self.home.run(),
            out_log: log(&spec.logs.out, "out"),
            err_log: log(&spec.logs.err, "error"),
            both_log: spec.logs.combined.as_ref().map(both),
            stamp: spec.logs.timestamps.clone().filter(|form| !form.contains('\0')),
            is_json: spec.logs.format == LogFormat::Json,
            json_name: if spec.logs.format == LogFormat::Json {
                json_text(spec.name.as_str())
            } else {
                String::new()
            },
            discard_out: spec.logs.discard_out,
            discard_err: spec.logs.discard_err,
            max_bytes: spec.logs.max_size_bytes,
            keep: spec.logs.keep,
            stem: own,
        })
    }
}

/// See [`Control::capture_paths`].
#[derive(Debug)]
pub(crate) struct CapturePaths {
    /// `<name>-<id>`.
    pub(crate) stem: String,
    run: PathBuf,
    pub(crate) out_log: PathBuf,
    pub(crate) err_log: PathBuf,
    both_log: Option<PathBuf>,
    stamp: Option<String>,
    is_json: bool,
    /// Empty when it is not needed.
    json_name: String,
    pub(crate) discard_out: bool,
    pub(crate) discard_err: bool,
    max_bytes: u64,
    keep: u32,
}

impl CapturePaths {
    /// Name of a FIFO (`out`, `err` or `in`), where FIFOs have names.
    fn fifo(&self, suffix: &str) -> PathBuf {
        self.run.join(format!("{}.{suffix}", self.stem))
    }
}

/// `/var/log/api.log` of the second of several instances is `/var/log/api-1.log`; a device stays what it is.
fn numbered(path: &std::path::Path, number: &str) -> PathBuf {
    if number.is_empty() || path.starts_with("/dev") {
        return path.to_path_buf();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(number);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Between the quotes of JSON; names hold no control characters.
fn json_text(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The interpreter, if its place follows from the environment.
fn found_again(spec: &AppSpec) -> Option<crate::interpreter::Found> {
    let variable = |name: &str| spec.env.get(&RawString::from(name)).map(RawString::to_text);
    let place = crate::interpreter::Place { cwd: spec.cwd.as_path(), variable: &variable };
    if spec.follows_venv {
        return crate::interpreter::python(spec.script.as_path(), &place);
    }
    let name = spec.interpreter.as_deref().filter(|_| spec.found_in_path)?;
    crate::interpreter::find(name, &place)
}

/// `KEY=VALUE` entries of a child: the declared environment and our own variables, which win.
pub(crate) fn environment(
    spec: &AppSpec,
    token: Token,
    id: InstanceId,
    slot: u32,
    home: &std::path::Path,
) -> Vec<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    let own = [
        ("VELOS_HOME", home.as_os_str().to_owned().into_vec()),
        ("VELOS_ID", id.0.to_string().into_bytes()),
        ("VELOS_INSTANCE_ID", slot.to_string().into_bytes()),
        ("VELOS_NAME", spec.name.as_str().as_bytes().to_vec()),
        ("VELOS_RUN", token.0.to_string().into_bytes()),
        (spec.instance_var.as_deref().unwrap_or(INSTANCE_VAR), slot.to_string().into_bytes()),
    ];
    let counted = spec.increment_var.as_deref().unwrap_or_default();
    let is_own = |key: &[u8]| own.iter().any(|(name, _)| name.as_bytes() == key);
    let entry = |key: &[u8], value: &[u8]| [key, b"=", value].concat();
    let mut entries: Vec<Vec<u8>> = spec
        .env
        .iter()
        .filter(|(key, _)| !is_own(key.as_bytes()))
        .map(|(key, value)| match counted_up(value, slot).filter(|_| key.as_bytes() == counted.as_bytes()) {
            Some(value) => entry(key.as_bytes(), value.as_bytes()),
            None => entry(key.as_bytes(), value.as_bytes()),
        })
        .collect();
    entries.extend(own.iter().map(|(key, value)| entry(key.as_bytes(), value)));
    entries
}

/// The number of the first instance, and one more for each further one. What is no number stays as it is.
fn counted_up(value: &RawString, slot: u32) -> Option<String> {
    let first: i64 = value.to_text().trim().parse().ok()?;
    Some(first.checked_add(i64::from(slot))?.to_string())
}

pub(crate) fn stage(stage: velos_ffi::Stage) -> SpawnStage {
    match stage {
        velos_ffi::Stage::Fork => SpawnStage::Fork,
        velos_ffi::Stage::Session => SpawnStage::Session,
        velos_ffi::Stage::Fds => SpawnStage::Fds,
        velos_ffi::Stage::Rlimit => SpawnStage::Rlimit,
        velos_ffi::Stage::Groups => SpawnStage::Groups,
        velos_ffi::Stage::Gid => SpawnStage::Gid,
        velos_ffi::Stage::Uid => SpawnStage::Uid,
        velos_ffi::Stage::Cwd => SpawnStage::Cwd,
        velos_ffi::Stage::Exec => SpawnStage::Exec,
        velos_ffi::Stage::Capture => SpawnStage::Capture,
    }
}
