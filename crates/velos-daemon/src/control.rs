//! The loop: wait for a batch, turn it into inputs, step the supervisor, carry out the effects.
//!
//! One thread, and nothing in a round may wait for anything but the reactor. Facts and wishes become inputs in the order in
//! which they came; only the supervisor decides what follows, and `effects` does it. What an effect answers at once is an
//! input of the same round. The round ends when nothing is left to step: then the table is saved, which lets answers go,
//! and the loop sleeps until the earliest deadline of all parts.

use std::os::fd::AsRawFd;
use std::time::{SystemTime, UNIX_EPOCH};

use velos_core::event::What;
use velos_core::instance::InstanceId;
use velos_ffi::{Event, Options, Reactor};
use velos_supervisor::{Effects, Input, Now, Supervisor};

use crate::boot::{EXIT_CANNOT_BEGIN, Starter, complain};
use crate::captures::Captures;
use crate::cgroup::{Ahead, Cgroups};
use crate::clients::Clients;
use crate::ears::Ears;
use crate::exits::Exits;
use crate::handover::Handover;
use crate::happened::Happened;
use crate::health::Health;
use crate::home::{self, Home};
use crate::hooks;
use crate::identity::Identity;
use crate::journal_log::JournalLog;
use crate::link::Packet;
use crate::live_logs::Live;
use crate::log_work::LogWork;
use crate::packing::Packing;
use crate::pid_files::PidFiles;
use crate::release::Releases;
use crate::rest::Rest;
use crate::saving::Saving;
use crate::taken::Taken;
use crate::timers::Timers;
use crate::tokens;
use crate::untold::Untold;
use crate::upgrade::Upgrade;
use crate::usage::UsageCache;
use crate::watch::Watch;

/// Batches of ends that are taken in before the deadlines that have passed.
const CATCH_UP_ROUNDS: u32 = 64;

/// Everything the daemon is: the machine that decides, what carries it out, and what each part keeps to itself. The parts
/// know their own deadlines; see [`Control::next_deadline`].
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) home: Home,
    pub(crate) identity: Identity,
    pub(crate) log: JournalLog,

    // Deciding and doing.
    pub(crate) supervisor: Supervisor,
    pub(crate) reactor: Reactor,
    /// What the supervisor has not been told yet.
    pub(crate) inputs: Vec<Input>,
    pub(crate) timers: Timers,
    pub(crate) saving: Saving,
    pub(crate) rest: Rest,
    next_request: u64,

    // Runs of apps.
    pub(crate) captures: Captures,
    pub(crate) cgroups: Cgroups,
    pub(crate) releases: Releases,
    pub(crate) ahead: Ahead,
    pub(crate) ears: Ears,
    pub(crate) hooks: hooks::Running,
    pub(crate) health: Health,
    pub(crate) watch: Watch,
    pub(crate) taken: Taken,
    pub(crate) pid_files: PidFiles,
    pub(crate) usage: UsageCache,

    // Clients.
    pub(crate) clients: Clients,
    pub(crate) live: Live,
    pub(crate) log_work: LogWork,
    pub(crate) packing: Packing,

    // The guardian, and daemons before and after us.
    pub(crate) handover: Handover,
    pub(crate) untold: Untold,
    pub(crate) exits: Exits,
    pub(crate) upgrade: Upgrade,

    // The end.
    pub(crate) shutdown: bool,
    /// With what the daemon leaves.
    pub(crate) exit_code: i32,
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
            identity: Identity::find(),
            log: JournalLog::new(home),
            supervisor: Supervisor::starting_at(tokens::first_run()),
            reactor,
            inputs: Vec::new(),
            timers: Timers::default(),
            saving: Saving::default(),
            rest: Rest::default(),
            next_request: 1,
            captures: Captures::default(),
            releases: Releases::default(),
            cgroups: Cgroups::default(),
            ahead: Ahead::after_start_of_daemon(velos_ffi::now_ns()),
            ears: Ears::default(),
            hooks: hooks::Running::default(),
            health: Health::default(),
            watch: Watch::default(),
            taken: Taken::default(),
            pid_files: PidFiles::default(),
            usage: UsageCache::default(),
            clients: Clients::default(),
            live: Live::default(),
            log_work: LogWork::default(),
            packing: Packing::default(),
            exits: Exits::new(&handover.reaped),
            handover,
            untold: Untold::default(),
            upgrade: Upgrade::default(),
            shutdown: false,
            exit_code: 0,
        })
    }

    /// Round by round. Returns the exit code.
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
            self.note_releases();
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

    /// Step until nothing is left to step, then save.
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

    /// Have an event of the daemon's own recorded.
    pub(crate) fn note(&mut self, instance: Option<InstanceId>, what: What) {
        self.inputs.push(Input::Note { instance, what });
    }

    /// When the loop has something to do even if nothing happens. A new part with a deadline must be here and in `tick`.
    fn next_deadline(&self) -> Option<u64> {
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
            self.saving.deadline(),
            self.rest.deadline(),
            self.upgrade.deadline(),
            self.live_deadline(),
            self.ahead.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// A number that was not used before in this daemon.
    pub(crate) fn fresh_request(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }
}

/// Both clocks.
pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono_ns: velos_ffi::now_ns(), wall_ms: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX) }
}
