//! The world of one seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use velos_core::app::{AppSpec, Condition, CronSpec, Dependency, Kind, Propagate};
use velos_core::instance::{Exit, Goal, InstanceId, Phase, SpawnFailure, SpawnStage, Token};
use velos_core::name::AppName;
use velos_core::policy::{ReadinessPolicy, RestartPolicy, StopPolicy};
use velos_core::signal::Signal;
use velos_supervisor::{Command, Effect, Effects, Input, Now, State, Supervisor, Ticket};

use crate::fault::Fault;
use crate::model::Model;
use crate::oracle;
use crate::random::Random;

const MS: u64 = 1_000_000;
const STEPS: u64 = 150;
const TRACE: usize = 30;

/// A fake process with what it left behind.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) instance: InstanceId,
    pub(crate) leader_alive: bool,
    deaf: bool,
    strays: bool,
    watched: bool,
    pid: i32,
}

/// What a seed came to.
#[derive(Debug)]
pub struct Report {
    /// Steps taken.
    pub steps: u64,
    /// What did not hold, with the last steps, when something did not.
    pub failure: Option<String>,
}

/// The probabilities of one seed, per mille.
#[derive(Debug)]
struct Weather {
    command: u64,
    crash: u64,
    deaf: u64,
    strays: u64,
    spawn_fails: u64,
    daemon_dies: u64,
    starved: u64,
    readies: u64,
}

struct World {
    random: Random,
    /// Declarations are also updated; not in the seeds that were kept before there was such a command, so that
    /// they still show what they are kept for.
    reloads: bool,
    updates: bool,
    weather: Weather,
    fault: Option<Fault>,
    supervisor: Supervisor,
    now: Now,
    processes: BTreeMap<u64, Process>,
    pending: VecDeque<Input>,
    tickets: BTreeSet<u64>,
    next_ticket: u64,
    next_pid: i32,
    sequence: u64,
    stopping_since: BTreeMap<InstanceId, u64>,
    forgotten: BTreeSet<InstanceId>,
    trace: VecDeque<String>,
    model: Model,
    /// When the supervisor was last told that nothing happened.
    idle: Now,
}

/// The first seed in which declarations are updated.
const UPDATES_FROM: u64 = 1_000;
/// The first seed with reloads.
const RELOADS_FROM: u64 = 2_000;

/// Live through one seed.
pub fn run(seed: u64, fault: Option<Fault>) -> Report {
    let mut random = Random::new(seed);
    let weather = Weather {
        command: 50 + random.below(400),
        crash: random.below(300),
        deaf: random.below(500),
        strays: random.below(400),
        spawn_fails: random.below(200),
        daemon_dies: random.below(40),
        starved: random.below(200),
        readies: random.below(500),
    };
    let mut world = World {
        random,
        updates: seed >= UPDATES_FROM,
        reloads: seed >= RELOADS_FROM,
        weather,
        fault,
        supervisor: Supervisor::new(),
        now: Now { mono_ns: 1_000 * MS, wall_ms: 1_700_000_000_000 },
        processes: BTreeMap::new(),
        pending: VecDeque::new(),
        tickets: BTreeSet::new(),
        next_ticket: 0,
        next_pid: 100,
        sequence: 0,
        stopping_since: BTreeMap::new(),
        forgotten: BTreeSet::new(),
        trace: VecDeque::new(),
        model: Model::default(),
        idle: Now { mono_ns: 1_000 * MS, wall_ms: 1_700_000_000_000 },
    };
    for step in 0..STEPS {
        if let Err(reason) = world.step() {
            return world.failed(step, &reason);
        }
    }
    match world.calm_down() {
        Ok(()) => Report { steps: STEPS, failure: None },
        Err(reason) => world.failed(STEPS, &reason),
    }
}

impl World {
    fn failed(&self, steps: u64, reason: &str) -> Report {
        let last: Vec<&str> = self.trace.iter().map(String::as_str).collect();
        Report { steps, failure: Some(format!("{reason}\n  {}", last.join("\n  "))) }
    }

    fn step(&mut self) -> Result<(), String> {
        let long = self.random.chance(self.weather.starved);
        let ms = self.random.below(if long { 4_000 } else { 120 });
        self.pass(ms);
        if self.random.chance(20) {
            self.now.wall_ms += if self.random.chance(500) { 3_600_000 } else { -3_600_000 };
        }
        if self.random.chance(self.weather.daemon_dies) {
            return self.daemon_dies();
        }
        if self.random.chance(self.weather.command) {
            let command = self.some_command();
            self.ask(command)?;
        }
        if self.reloads && self.random.chance(60) {
            let input = self.some_measure();
            self.give(input)?;
        }
        self.live();
        // News comes late and out of order, but it comes.
        for _ in 0..1 + self.random.below(6) {
            let input = self.some_news();
            self.give(input)?;
        }
        Ok(())
    }

    /// A moment of a schedule, the result of a health check, or memory over the limit.
    fn some_measure(&mut self) -> Input {
        let instance = InstanceId(self.random.below(6) as u32);
        let token = self.supervisor.instance(instance).and_then(|one| one.token);
        match token.filter(|_| self.random.chance(500)) {
            Some(token) => match self.random.below(3) {
                0 => Input::OverMemory { token, bytes: self.random.below(2_000) },
                1 => Input::Healthy { token },
                _ => Input::Unhealthy { token, reason: "sick".to_owned() },
            },
            None => Input::ScheduleDue { instance },
        }
    }

    fn some_news(&mut self) -> Input {
        // What the daemon itself did (a spawn) is known before anything else.
        if let Some(Input::Spawned { .. } | Input::SpawnFailed { .. }) = self.pending.front() {
            return self.pending.pop_front().unwrap_or(Input::Deadline);
        }
        let waiting = self.pending.len() as u64;
        let place = if waiting > 1 && self.random.chance(300) { self.random.below(waiting) } else { 0 };
        self.pending.remove(place as usize).unwrap_or(Input::Deadline)
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono_ns += ms * MS + 1;
        self.now.wall_ms += ms.cast_signed();
    }

    /// Faults cease; everything must come to rest as wanted.
    fn calm_down(&mut self) -> Result<(), String> {
        self.weather = Weather {
            command: 0,
            crash: 0,
            deaf: 0,
            strays: 0,
            spawn_fails: 0,
            daemon_dies: 0,
            starved: 0,
            readies: 1000,
        };
        for _ in 0..400 {
            self.pass(500);
            self.live();
            for _ in 0..=self.pending.len() {
                let input = self.pending.pop_front().unwrap_or(Input::Deadline);
                self.give(input)?;
            }
        }
        let rests = |instance: &velos_supervisor::Instance| match instance.phase {
            Phase::Stopped | Phase::Online | Phase::Errored => true,
            Phase::Waiting => instance.waits_in_vain,
            _ => false,
        };
        let is_as_wanted = |instance: &&velos_supervisor::Instance| match instance.phase {
            Phase::Online => instance.goal == Goal::Up,
            Phase::Stopped | Phase::Errored => instance.goal == Goal::Down,
            _ => true,
        };
        if let Some(instance) = self.supervisor.instances().find(|instance| !is_as_wanted(instance)) {
            return Err(format!(
                "instance {} rests as nobody wants: {}",
                instance.id.0,
                self.describe(instance)
            ));
        }
        let restless = self.supervisor.instances().find(|instance| !rests(instance));
        if let Some(instance) = restless {
            let all: Vec<String> = self.supervisor.instances().map(|one| self.describe(one)).collect();
            return Err(format!("instance {} never comes to rest: {}", instance.id.0, all.join("; ")));
        }
        match self.tickets.first() {
            Some(ticket) => {
                let all: Vec<String> = self.supervisor.instances().map(|one| self.describe(one)).collect();
                Err(format!("request {ticket} was never answered: {}", all.join("; ")))
            }
            None => Ok(()),
        }
    }

    fn describe(&self, one: &velos_supervisor::Instance) -> String {
        let name = self.supervisor.app_of(one.id).map_or("", |app| app.spec.name.as_str());
        let waits = one.waits_for.as_deref().map(|what| format!(" waits for {what}")).unwrap_or_default();
        format!("{} {name} {:?} {:?}{waits}", one.id.0, one.phase, one.goal)
    }

    fn ask(&mut self, command: Command) -> Result<(), String> {
        self.next_ticket += 1;
        self.tickets.insert(self.next_ticket);
        let ticket = Ticket(self.next_ticket);
        self.give(Input::Command { ticket, by: "sim".to_owned(), command })
    }

    fn some_command(&mut self) -> Command {
        let ids: Vec<InstanceId> = self.supervisor.instances().map(|instance| instance.id).collect();
        let mut chosen: Vec<InstanceId> = ids.iter().copied().filter(|_| self.random.chance(500)).collect();
        chosen.push(InstanceId(self.random.below(6) as u32));
        match self.random.below(8 + u64::from(self.updates) + 4 * u64::from(self.reloads)) {
            0 | 1 => Command::Add((0..=self.random.below(2)).map(|_| self.some_app()).collect()),
            2 => Command::Start(chosen),
            3 | 4 => Command::Restart(chosen),
            5 | 6 => Command::Stop(chosen),
            7 => Command::Delete(chosen),
            8 => Command::Update(vec![self.some_app()]),
            9 => Command::Reset(chosen),
            10 => Command::Signal(chosen, Signal::TERM),
            _ => Command::Reload(chosen),
        }
    }

    fn some_app(&mut self) -> AppSpec {
        let number = self.random.below(4);
        let name = format!("app{number}");
        let depends_on = self.some_dependencies(number);
        let restart = RestartPolicy {
            autorestart: self.random.chance(900),
            max_restarts: self.random.below(5) as u32,
            stop_exit_codes: if self.random.chance(200) { vec![0] } else { Vec::new() },
            restart_delay_ms: if self.random.chance(100) { 500 } else { 0 },
            ..RestartPolicy::default()
        };
        let name = AppName::new(name).unwrap_or_else(|error| unreachable!("{error}"));
        let is_task = self.reloads && self.random.chance(200);
        let has_limit = self.reloads && self.random.chance(500);
        let cron = CronSpec { expression: "* * * * *".to_owned(), timezone: None };
        let restart = RestartPolicy { max_memory_bytes: has_limit.then_some(1_000), ..restart };
        AppSpec {
            kind: if is_task { Kind::Task } else { Kind::Service },
            schedule: (is_task && self.random.chance(500)).then_some(cron),
            depends_on,
            propagate: match self.random.below(if self.reloads { 4 } else { 1 }) {
                1 => Propagate::Restart,
                2 => Propagate::Stop,
                _ => Propagate::None,
            },
            instances: 1 + self.random.below(3) as u32,
            restart,
            stop: StopPolicy { treekill: self.random.chance(800), ..StopPolicy::default() },
            readiness: ReadinessPolicy {
                wait_ready: self.random.chance(300),
                strict: self.random.chance(500),
                ..ReadinessPolicy::default()
            },
            ..AppSpec::new(name, "/app")
        }
    }

    /// On apps with lower numbers, so that there is no circle.
    fn some_dependencies(&mut self, number: u64) -> Vec<Dependency> {
        if !self.reloads || number == 0 || !self.random.chance(400) {
            return Vec::new();
        }
        let app = AppName::new(format!("app{}", self.random.below(number)))
            .unwrap_or_else(|error| unreachable!("{error}"));
        let condition = match self.random.below(3) {
            0 => Condition::Completed,
            1 => Condition::Healthy,
            _ => Condition::Started,
        };
        vec![Dependency { app, condition }]
    }

    /// What processes do by themselves.
    fn live(&mut self) {
        let is_calm = self.weather.command == 0;
        let tokens: Vec<u64> = self.processes.keys().copied().collect();
        for token in tokens {
            let (crash, ready) =
                (self.random.chance(self.weather.crash), self.random.chance(self.weather.readies));
            let code = Exit::Code(self.random.below(3) as i32);
            let Some(process) = self.processes.get(&token) else { continue };
            if process.leader_alive && crash {
                self.end_leader(token, code);
            } else if process.leader_alive && is_calm && self.is_task(process.instance) {
                self.end_leader(token, Exit::Code(0));
            } else if process.leader_alive && ready && self.is_launching(process.instance) {
                self.pending.push_back(Input::Ready { token: Token(token) });
            }
        }
    }

    fn is_task(&self, id: InstanceId) -> bool {
        self.supervisor.app_of(id).is_some_and(|app| app.spec.kind == Kind::Task)
    }

    fn is_launching(&self, id: InstanceId) -> bool {
        self.supervisor.instance(id).is_some_and(|instance| instance.phase == Phase::Launching)
    }

    fn end_leader(&mut self, token: u64, exit: Exit) {
        let Some(process) = self.processes.get_mut(&token) else { return };
        process.leader_alive = false;
        self.pending.push_back(Input::Exited {
            token: Token(token),
            exit,
            leftovers: process.strays,
            used: None,
        });
    }

    fn give(&mut self, input: Input) -> Result<(), String> {
        self.trace.push_back(format!("{} {input:?}", self.now.mono_ns / MS));
        if self.fault.is_some_and(|fault| fault.swallows(&input)) {
            return Ok(());
        }
        if let Input::Spawned { token, .. } = &input
            && !self.processes.contains_key(&token.0)
        {
            return Ok(());
        }
        if self.trace.len() > TRACE {
            self.trace.pop_front();
        }
        let now = self.fault.map_or(self.now, |fault| fault.bends(&input, self.now, self.idle));
        if matches!(input, Input::Deadline) {
            self.idle = self.now;
        }
        let heard = self.fault.map(|fault| (fault, input.clone()));
        self.model.hears(&self.supervisor, self.now, &input);
        let mut effects = Effects::new();
        self.supervisor.step(now, input, &mut effects);
        if let Some((fault, input)) = heard {
            for imagined in fault.imagines(&input, self.had_run(&input), &effects) {
                self.supervisor.step(now, imagined, &mut effects);
            }
        }
        self.perform(effects)?;
        self.observe()
    }

    /// Whether an instance has had another process before this one.
    fn had_run(&self, input: &Input) -> bool {
        let Input::Spawned { token, .. } = input else { return false };
        let Some(own) = self.processes.get(&token.0) else { return false };
        self.processes.iter().any(|(other, process)| *other != token.0 && process.instance == own.instance)
    }

    fn observe(&mut self) -> Result<(), String> {
        let stopping: Vec<InstanceId> = self
            .supervisor
            .instances()
            .filter(|instance| instance.phase == Phase::Stopping)
            .map(|instance| instance.id)
            .collect();
        self.stopping_since.retain(|id, _| stopping.contains(id));
        for id in stopping {
            self.stopping_since.entry(id).or_insert(self.now.mono_ns);
        }
        oracle::check(&self.supervisor, &self.processes, &self.stopping_since, self.now)?;
        let gone: Vec<InstanceId> = self
            .processes
            .values()
            .map(|process| process.instance)
            .filter(|id| self.supervisor.instance(*id).is_none() && !self.forgotten.contains(id))
            .collect();
        match gone.first() {
            Some(id) => Err(format!("instance {} is gone and was never forgotten", id.0)),
            None => Ok(()),
        }
    }

    fn perform(&mut self, mut effects: Effects) -> Result<(), String> {
        if let Some(fault) = self.fault {
            fault.spoil(&mut effects);
        }
        // A reload hands processes over.
        for (token, process) in &mut self.processes {
            if let Some(owner) = self.supervisor.instance_by_token(Token(*token)) {
                process.instance = owner;
            }
        }
        for effect in effects {
            self.trace.push_back(format!("    {effect:?}").chars().take(160).collect());
            self.model.sees(&self.supervisor, self.now, &effect)?;
            match effect {
                Effect::Spawn { token, instance } => self.spawn(token, instance)?,
                Effect::Signal { token, signal, .. } => self.signal(token, signal),
                Effect::WatchTree { token } => self.watch(token),
                Effect::ForgetInstance { instance } => {
                    self.forgotten.insert(instance);
                    self.processes.retain(|_, process| process.leader_alive || process.instance != instance);
                }
                Effect::Reply { ticket, outcomes, .. } => {
                    if !self.tickets.remove(&ticket.0) && ticket.0 != u64::MAX {
                        return Err(format!("request {} was answered twice", ticket.0));
                    }
                    // With several, the first may be up again before the last is down.
                    if let [outcome] = outcomes.as_slice()
                        && outcome.phase == Phase::Stopped
                        && self.is_alive(outcome.id)
                    {
                        return Err(format!("instance {} was told stopped and is alive", outcome.id.0));
                    }
                }
                Effect::Record(event) => {
                    if event.sequence != self.sequence + 1 {
                        return Err(format!("event {} follows {}", event.sequence, self.sequence));
                    }
                    self.sequence = event.sequence;
                }
                Effect::Adopt { .. } | Effect::ForgetProcess { .. } | Effect::Persist | Effect::Shutdown => {}
            }
        }
        Ok(())
    }

    fn is_alive(&self, id: InstanceId) -> bool {
        self.processes.values().any(|process| process.instance == id && process.leader_alive)
    }

    fn spawn(&mut self, token: Token, instance: InstanceId) -> Result<(), String> {
        self.forgotten.remove(&instance);
        if self.random.chance(self.weather.spawn_fails) {
            let errno = if self.random.chance(300) { 2 } else { 11 };
            let stage = if errno == 2 { SpawnStage::Exec } else { SpawnStage::Fork };
            self.pending.push_back(Input::SpawnFailed { token, failure: SpawnFailure { stage, errno } });
            return Ok(());
        }
        self.next_pid += 1;
        let pid = self.next_pid;
        let process = Process {
            instance,
            leader_alive: true,
            deaf: self.random.chance(self.weather.deaf),
            strays: self.random.chance(self.weather.strays),
            watched: false,
            pid,
        };
        if self.processes.insert(token.0, process).is_some_and(|before| before.leader_alive) {
            return Err(format!("run {} was started twice", token.0));
        }
        // The daemon answers before anything else about this process can be known.
        self.pending.push_front(Input::Spawned { token, pid, start_ticks: pid.unsigned_abs().into() });
        Ok(())
    }

    fn signal(&mut self, token: Token, signal: Signal) {
        let Some(process) = self.processes.get_mut(&token.0) else { return };
        if process.deaf && signal != Signal::KILL {
            return;
        }
        process.strays = false;
        let (alive, watched) = (process.leader_alive, process.watched);
        if alive {
            self.end_leader(token.0, Exit::Signal(signal.0));
        }
        if watched {
            self.watch(token);
        }
    }

    fn watch(&mut self, token: Token) {
        let Some(process) = self.processes.get_mut(&token.0) else {
            return self.pending.push_back(Input::TreeEmpty { token });
        };
        process.watched = true;
        if !process.strays && !process.leader_alive {
            self.pending.push_back(Input::TreeEmpty { token });
        }
    }

    /// As the daemon writes and reads it; and what a faulty supervisor makes of that.
    fn through_the_disk(&self, state: &State) -> Result<(State, State), String> {
        let bytes = rmp_serde::to_vec_named(state).map_err(|error| error.to_string())?;
        let read: State = rmp_serde::from_slice(&bytes).map_err(|error| error.to_string())?;
        let Some(fault) = self.fault else { return Ok((read.clone(), read)) };
        let mut table = serde_json::to_value(&read).map_err(|error| error.to_string())?;
        fault.spoil_table(&mut table);
        let spoiled: State = serde_json::from_value(table).map_err(|error| error.to_string())?;
        Ok(if fault.is_on_the_disk() { (spoiled.clone(), spoiled) } else { (read, spoiled) })
    }

    /// The daemon is killed; the next one restores and adopts. Requests under way get no answer.
    fn daemon_dies(&mut self) -> Result<(), String> {
        self.trace.push_back("daemon dies".to_owned());
        let state = self.supervisor.snapshot();
        let told: Vec<Input> = self.pending.drain(..).collect();
        self.tickets.clear();
        let (read, spoiled) = self.through_the_disk(&state)?;
        if read != state {
            return Err("the table that was written is not what was read".to_owned());
        }
        let mut effects = Effects::new();
        self.supervisor = Supervisor::restore(spoiled.clone(), self.now, true, &mut effects);
        let expected = if self.fault == Some(Fault::RestoresOtherwise) { &state } else { &spoiled };
        if self.supervisor.snapshot() != *expected && effects.is_empty() {
            return Err("restoring changed the state".to_owned());
        }
        let live: Vec<(Token, InstanceId)> =
            self.supervisor.instances().filter_map(|instance| Some((instance.token?, instance.id))).collect();
        self.perform(effects)?;
        for (token, id) in live {
            let instance = self.supervisor.instance(id);
            let starting = instance.is_some_and(|instance| instance.phase == Phase::Starting);
            let leaderless = instance.is_some_and(|instance| instance.identity.is_none());
            match self.processes.get(&token.0) {
                Some(process) if process.leader_alive && starting => {
                    let (pid, start_ticks) = (process.pid, process.pid.unsigned_abs().into());
                    self.pending.push_front(Input::Spawned { token, pid, start_ticks });
                }
                Some(process) if process.leader_alive => self.pending.push_back(Input::Adopted { token }),
                Some(_) if leaderless && !starting => self.watch(token),
                Some(process) => {
                    let leftovers = process.strays;
                    let lost = told.iter().find_map(|input| match input {
                        Input::Exited { token: of, exit, .. } if *of == token => Some(*exit),
                        _ => None,
                    });
                    let exit = lost.unwrap_or(Exit::Unknown);
                    self.pending.push_back(Input::Exited { token, exit, leftovers, used: None });
                }
                None => self.pending.push_back(Input::Exited {
                    token,
                    exit: Exit::Unknown,
                    leftovers: false,
                    used: None,
                }),
            }
        }
        Ok(())
    }
}
