//! The loop: wait for a batch, turn it into inputs, step the supervisor, carry out the effects.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::time::{SystemTime, UNIX_EPOCH};

use velos_core::event::What;
use velos_core::instance::{Exit, InstanceId, Phase, SpawnFailure, SpawnStage, Token};
use velos_core::run::Used;
use velos_ffi::{Event, Options, Reactor};
use velos_supervisor::{Effects, Input, Now, Supervisor};

use crate::boot::{EXIT_CANNOT_BEGIN, Starter, complain};
use crate::clients::Clients;
use crate::ears::Ears;
use crate::handover::Handover;
use crate::health::{self, Health};
use crate::held::{Answer, Held};
use crate::home::{self, Home};
use crate::hooks;
use crate::journal_log::JournalLog;
use crate::link::{self, Packet, Reaped, Received};
use crate::live_logs::Live;
use crate::owner;
use crate::packing::Packing;
use crate::rest::Rest;
use crate::state_file::{self, Saved};
use crate::taken::{self, Taken};
use crate::timers::Timers;
use crate::upgrade::Upgrade;
use crate::usage::UsageCache;
use crate::watch::{self, Watch};

/// Pause between two writes of the table while it keeps changing, ns.
const SAVE_PAUSE_NS: u64 = 20_000_000;
/// A change is on stable storage after this, ns.
const DURABLE_AFTER_NS: u64 = 1_000_000_000;
/// How often, a millisecond apart, we ask how a process ended that we came too late to adopt.
const GAP_LOOKS: u32 = 20;
/// The first cgroups are made so long after the daemon's start, ns: by then its first client has its answer.
const SPARES_FIRST_NS: u64 = 20_000_000;
/// Batches of ends that are taken in before the deadlines that have passed.
const CATCH_UP_ROUNDS: u32 = 64;
/// Completion token of writes of the table.
const SAVE_REQUEST: u64 = u64::MAX;
/// Bit that tells capture tokens from process tokens.
pub(crate) const CAPTURE_BIT: u64 = 1 << 63;

/// Everything the daemon is.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) home: Home,
    pub(crate) reactor: Reactor,
    pub(crate) supervisor: Supervisor,
    pub(crate) clients: Clients,
    pub(crate) captures: BTreeMap<InstanceId, Capture>,
    pub(crate) usage: UsageCache,
    pub(crate) upgrade: Upgrade,
    pub(crate) log: JournalLog,
    pub(crate) identity: Identity,
    pub(crate) handover: Handover,
    pub(crate) untold: crate::untold::Untold,
    pub(crate) timers: Timers,
    pub(crate) ears: Ears,
    pub(crate) health: Health,
    pub(crate) watch: Watch,
    pub(crate) log_work: crate::log_work::LogWork,
    pub(crate) pid_files: crate::pid_files::PidFiles,
    pub(crate) hooks: hooks::Running,
    pub(crate) taken: Taken,
    pub(crate) packing: Packing,
    pub(crate) live: Live,
    pub(crate) cgroups: crate::cgroup::Cgroups,
    pub(crate) releases: crate::release::Releases,
    /// When to make cgroups ahead: a little after a start, so that nobody waits for them.
    pub(crate) spares_at_ns: Option<u64>,
    pub(crate) next_request: u64,
    pub(crate) inputs: Vec<Input>,
    pub(crate) shutdown: bool,
    /// With what the daemon leaves.
    pub(crate) exit_code: i32,
    reaped: BTreeMap<i32, Reaped>,
    save: Save,
    pub(crate) rest: Rest,
}

/// Who and where we are, for `hello` and for children.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) executable: std::path::PathBuf,
    pub(crate) boot_id: String,
}

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

#[derive(Debug, Default)]
struct Save {
    dirty: bool,
    writing: bool,
    not_before_ns: u64,
    durable_at_ns: Option<u64>,
    failing: bool,
    held: Held,
}

/// Run until shutdown. Returns the exit code.
pub(crate) fn run(home: &Home, handover: Handover, starter: Starter) -> i32 {
    run_then(home, handover, starter, || ())
}

/// The same, calling back once clients can connect.
pub(crate) fn run_then(home: &Home, handover: Handover, starter: Starter, listening: impl FnOnce()) -> i32 {
    let mut control = match Control::new(home, handover) {
        Ok(control) => control,
        Err(reason) => {
            complain(home, &format!("cannot begin: {reason}"));
            starter.failed(&reason);
            return EXIT_CANNOT_BEGIN;
        }
    };
    if let Err(reason) = control.watch_owner() {
        complain(home, &format!("cannot begin: {reason}"));
        starter.failed(&reason);
        return EXIT_CANNOT_BEGIN;
    }
    control.restore();
    if control.handover.how == velos_core::event::DaemonStart::Upgrade {
        let executable = control.identity.executable.clone().into();
        control.tell_guardian(&Packet::Executes(executable), &[]);
    }
    if crate::cgroup::is_inside_an_app() {
        // The app may be stopped as soon as whoever started us goes on.
        control.settle_cgroups();
    }
    starter.ready();
    listening();
    control.serve_until_shutdown()
}

impl Control {
    fn new(home: &Home, handover: Handover) -> Result<Self, String> {
        let lock = std::fs::File::from(handover.lock.try_clone().map_err(|error| error.to_string())?);
        home::write_pid(&lock, std::process::id() as i32)
            .map_err(|error| format!("cannot write {}: {error}", home.pid_file().display()))?;
        let options = Options {
            signals: velos_ffi::signal_mask(&[1, 2, 3, nix::libc::SIGUSR2.cast_unsigned(), 15]),
            ..Options::default()
        };
        let mut reactor =
            Reactor::new(&options).map_err(|errno| format!("cannot make the event loop: {errno}"))?;
        reactor
            .ipc_listen(handover.listener.as_raw_fd())
            .map_err(|errno| format!("cannot listen on {}: {errno}", home.socket().display()))?;
        Ok(Self {
            home: home.clone(),
            reactor,
            supervisor: Supervisor::starting_at(first_token()),
            clients: Clients::default(),
            captures: BTreeMap::new(),
            usage: UsageCache::default(),
            upgrade: Upgrade::default(),
            log: JournalLog::new(home),
            identity: Identity {
                user: own_user(),
                executable: std::env::current_exe().unwrap_or_default(),
                boot_id: home::boot_id(),
            },
            reaped: handover.reaped.iter().map(|reaped| (reaped.pid, *reaped)).collect(),
            handover,
            untold: crate::untold::Untold::default(),
            timers: Timers::default(),
            ears: Ears::default(),
            health: Health::default(),
            watch: Watch::default(),
            log_work: Default::default(),
            pid_files: crate::pid_files::PidFiles::default(),
            hooks: hooks::Running::default(),
            taken: Taken::default(),
            packing: Packing::default(),
            live: Live::default(),
            cgroups: crate::cgroup::Cgroups::default(),
            releases: crate::release::Releases::default(),
            spares_at_ns: Some(velos_ffi::now_ns() + SPARES_FIRST_NS),
            next_request: 1,
            inputs: Vec::new(),
            shutdown: false,
            exit_code: 0,
            save: Save::default(),
            rest: Rest::default(),
        })
    }

    fn serve_until_shutdown(mut self) -> i32 {
        self.rest.asked(velos_ffi::now_ns());
        loop {
            self.step_inputs();
            self.tick();
            self.step_inputs();
            if self.shutdown {
                return self.leave();
            }
            if self.upgrade.is_proven() {
                match self.take_over() {
                    Ok(code) => return code,
                    Err(control) => self = *control,
                }
            }
            self.log.flush(&mut self.reactor);
            // The last thing before sleeping, so that little is touched again.
            let deadline = self.next_deadline();
            if self.rest.is_due(velos_ffi::now_ns(), deadline) {
                velos_ffi::give_back_memory();
            }
            if let Err(errno) = self.collect(deadline) {
                self.log.flush(&mut self.reactor);
                complain(&self.home, &format!("the event loop failed: {errno}"));
                return 1;
            }
            if let Err(errno) = self.take_in_ends() {
                complain(&self.home, &format!("the event loop failed: {errno}"));
                return 1;
            }
            self.read_link();
            self.tell_guardian_again();
            self.inputs.push(Input::Deadline);
            let now = velos_ffi::now_ns();
            self.expire_trial(now);
            self.give_up_on_writer(now);
        }
    }

    /// Wait and turn what happened into inputs.
    fn collect(&mut self, deadline: Option<u64>) -> Result<(), velos_ffi::Errno> {
        // Decode first, act later: the batch borrows the reactor.
        let mut frames = Vec::new();
        let mut others = Vec::new();
        for event in self.reactor.wait(deadline)? {
            match event {
                Event::IpcFrame { client, data } => frames.push((others.len(), client, data.to_vec())),
                other => others.push(Happened::from(other)),
            }
        }
        let mut frames = frames.into_iter().peekable();
        for (position, happened) in others.into_iter().enumerate() {
            while let Some((_, client, data)) = frames.next_if(|(at, ..)| *at <= position) {
                self.frame(client, &data);
            }
            self.happened(happened);
        }
        for (_, client, data) in frames {
            self.frame(client, &data);
        }
        Ok(())
    }

    /// A deadline passed while we were busy, and so did much else: what has ended by now comes first, so that nobody sends
    /// SIGKILL to the dead, which would keep us busy until the next deadline has passed.
    fn take_in_ends(&mut self) -> Result<(), velos_ffi::Errno> {
        for _ in 0..CATCH_UP_ROUNDS {
            let now = now();
            let due = self.supervisor.next_deadline().filter(|at| *at <= now.mono_ns);
            let is_fact = |input: &Input| matches!(input, Input::Exited { .. } | Input::TreeEmpty { .. });
            let Some(due) = due.filter(|_| self.inputs.iter().any(is_fact)) else { return Ok(()) };
            let (facts, others) = std::mem::take(&mut self.inputs).into_iter().partition(is_fact);
            self.inputs = others;
            let before = Now { mono_ns: due.saturating_sub(1), ..now };
            let mut effects = Effects::new();
            for fact in Vec::<Input>::from_iter(facts) {
                self.supervisor.step(before, fact, &mut effects);
            }
            for effect in effects {
                self.perform(effect);
            }
            // The next ones, and whether anything is left of those that ended.
            self.collect(Some(0))?;
        }
        Ok(())
    }

    fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Exited { token, exit, leftovers, .. } if self.upgrade.is_trial(token) => {
                let _ = leftovers;
                self.trial_ended(token, exit);
            }
            Happened::Exited { token, exit, .. } if hooks::Running::is_hook(token) => {
                self.hook_ended(token, exit);
            }
            Happened::Exited { token, exit, leftovers, used } => {
                let token = Token(token);
                let exit = self.known_exit(token, exit);
                // An adopted process's use is known to nobody.
                let used = Some(used).filter(|used| used.peak_rss_bytes > 0);
                if self.is_crash(token) {
                    self.rest.crashed(velos_ffi::now_ns());
                }
                self.inputs.push(Input::Exited { token, exit, leftovers, used });
            }
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
            Happened::FileDone { request: SAVE_REQUEST, errno } => self.saved(errno),
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

    /// Whether an exit was nobody's wish.
    fn is_crash(&self, token: Token) -> bool {
        let instance = self.supervisor.instance_by_token(token).and_then(|id| self.supervisor.instance(id));
        instance.is_some_and(|instance| matches!(instance.phase, Phase::Starting | Phase::Online))
    }

    /// An adopted process's exit may be known to the guardian only.
    fn known_exit(&mut self, token: Token, exit: Exit) -> Exit {
        let identity = self
            .supervisor
            .instance_by_token(token)
            .and_then(|id| self.supervisor.instance(id))
            .and_then(|instance| instance.identity);
        let Some(identity) = identity else { return exit };
        self.read_link();
        match (exit, self.reaped.remove(&identity.pid)) {
            (Exit::Unknown, Some(reaped)) if reaped.start_ticks == identity.start_ticks => reaped.exit,
            _ => exit,
        }
    }

    /// How a process ended that was gone before it could be adopted.
    pub(crate) fn exit_in_the_gap(&mut self, pid: i32, start_ticks: u64) -> Exit {
        // The guardian collects first and tells then; only at the start of a daemon do we wait for it.
        for _ in 0..GAP_LOOKS {
            self.read_link();
            if self.reaped.contains_key(&pid) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        match self.reaped.remove(&pid) {
            Some(reaped) if reaped.start_ticks == start_ticks => reaped.exit,
            _ => Exit::Unknown,
        }
    }

    fn read_link(&mut self) {
        loop {
            match link::receive(&self.handover.link) {
                Ok(Received::Packet(Packet::Reaped(reaped), _)) => {
                    while self.reaped.len() >= 1024 {
                        self.reaped.pop_first();
                    }
                    self.reaped.insert(reaped.pid, reaped);
                }
                Ok(Received::Packet(..) | Received::Unknown) => {}
                // A guardian that is gone cannot be had back; the next command line call starts anew if we go too.
                Ok(Received::Empty | Received::Closed) | Err(_) => return,
            }
        }
    }

    fn step_inputs(&mut self) {
        let mut effects = Effects::new();
        loop {
            let inputs = std::mem::take(&mut self.inputs);
            if inputs.is_empty() {
                break;
            }
            let now = now();
            for input in inputs {
                self.supervisor.step(now, input, &mut effects);
            }
            // Effects may answer at once (a spawn that failed): those answers are the next round's inputs.
            for effect in effects.drain(..) {
                self.perform(effect);
            }
        }
        self.write_pid_files();
        self.save_if_due();
    }

    pub(crate) fn note(&mut self, instance: Option<InstanceId>, what: What) {
        self.inputs.push(Input::Note { instance, what });
    }

    pub(crate) fn mark_dirty(&mut self) {
        self.watch.is_stale = true;
        self.save.dirty = true;
        let at = velos_ffi::now_ns() + DURABLE_AFTER_NS;
        self.save.durable_at_ns.get_or_insert(at);
    }

    pub(crate) fn encode_state(&self) -> Result<Vec<u8>, String> {
        let saved = Saved {
            boot_id: self.identity.boot_id.clone(),
            state: self.supervisor.snapshot(),
            is_last: self.shutdown,
        };
        state_file::encode(&saved).map_err(|error| error.to_string())
    }

    fn save_if_due(&mut self) {
        let now = velos_ffi::now_ns();
        let durable = self.save.durable_at_ns.is_some_and(|at| at <= now);
        for answer in self.save.held.overdue(now) {
            self.send_bytes(&answer);
        }
        let wanted = self.save.not_before_ns <= now || self.save.held.wants_write();
        if self.save.writing || !(durable || self.save.dirty && wanted) {
            return;
        }
        let bytes = match self.encode_state() {
            Ok(bytes) => bytes,
            Err(error) => {
                return self.log.line(&format!("cannot encode the state: {error}"));
            }
        };
        let flags =
            if durable { velos_ffi::FileFlags::DURABLE_KEEP_OLDER } else { velos_ffi::FileFlags::SPARE };
        self.save.dirty = false;
        match self.reactor.file_put(SAVE_REQUEST, &self.home.state(), &bytes, flags) {
            Ok(()) => {
                self.save.writing = true;
                self.save.held.write_begins();
                if durable {
                    self.save.durable_at_ns = None;
                }
            }
            Err(_) => self.save.dirty = true,
        }
        self.save.not_before_ns = now + SAVE_PAUSE_NS;
    }

    /// Send an answer once a later daemon would know what it tells.
    pub(crate) fn send_when_saved(&mut self, answer: Answer) {
        let Save { dirty, writing, failing, .. } = self.save;
        if failing || !(dirty || writing) {
            return self.send_bytes(&answer);
        }
        self.save.held.hold(answer, !dirty, velos_ffi::now_ns());
    }

    /// Nothing more is written by this image: who waits hears now.
    pub(crate) fn send_all_held(&mut self) {
        for answer in self.save.held.all() {
            self.send_bytes(&answer);
        }
    }

    fn saved(&mut self, errno: i32) {
        self.save.writing = false;
        for answer in self.save.held.write_ended() {
            self.send_bytes(&answer);
        }
        let failing = errno != 0;
        if failing {
            self.save.dirty = true;
            self.save.not_before_ns = velos_ffi::now_ns() + DURABLE_AFTER_NS;
        }
        if failing != self.save.failing {
            self.save.failing = failing;
            let text = if failing {
                let reason = std::io::Error::from_raw_os_error(errno);
                format!("the table cannot be written to {}: {reason}", self.home.state().display())
            } else {
                "the table can be written again".to_owned()
            };
            self.note(None, What::Note { text });
        }
    }

    fn next_deadline(&self) -> Option<u64> {
        let save = match (&self.save, self.save.writing) {
            (_, true) => None,
            (Save { dirty: true, not_before_ns, .. }, _) => Some(*not_before_ns),
            (Save { durable_at_ns, .. }, _) => *durable_at_ns,
        };
        let held = self.save.held.deadline();
        [
            self.supervisor.next_deadline(),
            self.timers.deadline(),
            self.health.deadline(),
            self.hooks.deadline(),
            self.untold.deadline(),
            self.ears.deadline(),
            self.taken.deadline(),
            self.packing.deadline(),
            self.pid_files.deadline(),
            self.log_work.deadline(),
            save,
            held,
            self.rest.deadline(),
            self.upgrade.deadline(),
            self.live_deadline(),
            self.spares_at_ns,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// All is stopped: the last words and the way out.
    fn leave(mut self) -> i32 {
        // Past all that waits: none of it matters any more. An exit code of 0 says the same to a guardian that has no room.
        let _ = link::send(&self.handover.link, &Packet::Orderly, &[]);
        if self.has_nothing_to_keep() {
            self.forget_table();
        } else if let Ok(bytes) = self.encode_state() {
            let flags = velos_ffi::FileFlags::DURABLE_KEEP_OLDER;
            if let Err(errno) = self.reactor.file_put(0, &self.home.state(), &bytes, flags) {
                self.log.line(&format!("the last table was not written: {errno}"));
            }
        }
        self.send_all_held();
        self.log.line("daemon ends");
        // The socket goes first, so that who comes now starts a new daemon instead of waiting for us.
        if let Err(error) = std::fs::remove_file(self.home.socket()) {
            self.log.line(&format!("cannot remove the socket: {error}"));
        }
        self.log.flush(&mut self.reactor);
        self.cgroups.leave();
        // Writes what is queued, then hangs up.
        drop(self.reactor);
        self.exit_code
    }

    pub(crate) fn instance_of_capture(&self, token: u64) -> Option<InstanceId> {
        self.captures.iter().find(|(_, capture)| capture.token == token).map(|(id, _)| *id)
    }

    /// A number that was not used before in this daemon.
    pub(crate) fn fresh_request(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }
}

/// An event without borrowed parts.
enum Happened {
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

/// Both clocks.
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono_ns: velos_ffi::now_ns(), wall_ms: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX) }
}

/// Where the tokens of a new table begin: two homes on one machine must not share any, because strays are known by the
/// token in their environment. The three highest bits tell captures, trials and hooks from processes and the lower half counts.
fn first_token() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    (random >> 35) << 32 | 1
}

/// A capture failure as a spawn failure.
pub(crate) fn capture_failure(errno: i32) -> SpawnFailure {
    SpawnFailure { stage: SpawnStage::Capture, errno }
}

/// Name of our user, or the number when /etc/passwd does not tell.
fn own_user() -> String {
    let uid = nix::unistd::geteuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}
