//! Mistakes planted between supervisor and world. An invariant counts only once one of these has tripped it.

use serde_json::Value;
use velos_core::instance::{Exit, Phase, Token};
use velos_core::signal::Signal;
use velos_supervisor::{Command, Effect, Effects, Input, Now, Ticket};

/// A planted mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Fault {
    NoSigkill,
    LosesSignals,
    SpawnsTwice,
    RepliesTwice,
    NeverReplies,
    SkipsSequence,
    IgnoresTreeWatch,
    ForgetsNothing,
    DeadlinesNeverFire,
    DeadlinesOnlyWhenIdle,
    SaysStoppedAtOnce,
    BelievesTheSignal,
    TakesStaleExits,
    ReadyUnasked,
    RunsLookLong,
    StopIsUndone,
    LosesOnDisk,
    ForgetsDeadlines,
    RestartSurvivesStop,
    CountsTooMuch,
    LosesSpawned,
    RestoresOtherwise,
    CallsItStopped,
    DeletionStays,
    StandsInForNobody,
    LosesApps,
    CountsFarTooMuch,
    WantsWhatRests,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 28] = [
        Fault::NoSigkill,
        Fault::LosesSignals,
        Fault::SpawnsTwice,
        Fault::RepliesTwice,
        Fault::NeverReplies,
        Fault::SkipsSequence,
        Fault::IgnoresTreeWatch,
        Fault::ForgetsNothing,
        Fault::DeadlinesNeverFire,
        Fault::DeadlinesOnlyWhenIdle,
        Fault::SaysStoppedAtOnce,
        Fault::BelievesTheSignal,
        Fault::TakesStaleExits,
        Fault::ReadyUnasked,
        Fault::RunsLookLong,
        Fault::StopIsUndone,
        Fault::LosesOnDisk,
        Fault::ForgetsDeadlines,
        Fault::RestartSurvivesStop,
        Fault::CountsTooMuch,
        Fault::LosesSpawned,
        Fault::RestoresOtherwise,
        Fault::CallsItStopped,
        Fault::DeletionStays,
        Fault::StandsInForNobody,
        Fault::LosesApps,
        Fault::CountsFarTooMuch,
        Fault::WantsWhatRests,
    ];

    /// By name, as `--fault` takes it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| format!("{fault:?}").eq_ignore_ascii_case(name))
    }

    /// Words of what it must be found by: another invariant that notices it first would prove nothing of its own.
    pub fn trips(self) -> &'static [&'static str] {
        match self {
            Fault::NoSigkill | Fault::LosesSignals | Fault::IgnoresTreeWatch => &["the stop of instance"],
            Fault::SpawnsTwice => &["was started twice"],
            Fault::RepliesTwice => &["was answered twice"],
            Fault::NeverReplies => &["was never answered"],
            Fault::SkipsSequence => &["event "],
            Fault::ForgetsNothing => &["was never forgotten"],
            Fault::DeadlinesNeverFire | Fault::DeadlinesOnlyWhenIdle => &["a due deadline was passed over"],
            Fault::SaysStoppedAtOnce => &["was told stopped and is alive"],
            Fault::BelievesTheSignal => &["live processes"],
            Fault::TakesStaleExits => &["is alive and nobody's"],
            Fault::ReadyUnasked => &["is online and was not ready"],
            Fault::RunsLookLong => &["was started too often"],
            Fault::StopIsUndone => &["was stopped by people and starts"],
            Fault::LosesOnDisk => &["is not what was read"],
            Fault::ForgetsDeadlines => &["without a deadline"],
            Fault::RestartSurvivesStop => &["waits for a restart that nobody wants"],
            Fault::CountsTooMuch => &["was given up too soon"],
            Fault::LosesSpawned => &["never comes to rest"],
            Fault::RestoresOtherwise => &["restoring changed the state"],
            Fault::CallsItStopped => &["and its process is alive"],
            Fault::DeletionStays => &["is to be deleted and stays"],
            Fault::StandsInForNobody => &["stands in for nobody"],
            Fault::LosesApps => &["has no app"],
            Fault::CountsFarTooMuch => &["was restarted more often than allowed"],
            Fault::WantsWhatRests => &["rests as nobody wants"],
        }
    }

    /// Whether the world's input is lost.
    pub(crate) fn swallows(self, input: &Input) -> bool {
        match self {
            Fault::IgnoresTreeWatch => matches!(input, Input::TreeEmpty { .. }),
            Fault::LosesSpawned => matches!(input, Input::Spawned { .. }),
            _ => false,
        }
    }

    /// The time that the supervisor is told; `idle` is when it was last told that nothing happened.
    pub(crate) fn bends(self, input: &Input, now: Now, idle: Now) -> Now {
        match (self, input) {
            (Fault::DeadlinesNeverFire, _) => Now { mono_ns: 1_000_000_000, ..now },
            (Fault::DeadlinesOnlyWhenIdle, Input::Deadline) => now,
            (Fault::DeadlinesOnlyWhenIdle, _) => idle,
            (Fault::RunsLookLong, Input::Exited { .. }) => {
                Now { mono_ns: now.mono_ns + 2_000_000_000, ..now }
            }
            _ => now,
        }
    }

    /// What the supervisor takes for having happened as well; `had_run`: the instance had another process before.
    pub(crate) fn imagines(self, input: &Input, had_run: bool, effects: &Effects) -> Vec<Input> {
        let exited = |token: Token, exit: Exit| Input::Exited { token, exit, leftovers: false, used: None };
        match (self, input) {
            (Fault::ReadyUnasked, Input::Spawned { token, .. }) => vec![Input::Ready { token: *token }],
            (Fault::TakesStaleExits, Input::Spawned { token, .. }) if had_run => {
                vec![exited(*token, Exit::Code(1))]
            }
            (Fault::BelievesTheSignal, _) => {
                let signals = effects.iter().filter_map(|effect| match effect {
                    Effect::Signal { token, signal, .. } => Some((*token, *signal)),
                    _ => None,
                });
                signals
                    .flat_map(|(token, signal)| {
                        [exited(token, Exit::Signal(signal.0)), Input::TreeEmpty { token }]
                    })
                    .collect()
            }
            (Fault::StopIsUndone, _) => {
                let stopped = effects.iter().find_map(|effect| match effect {
                    Effect::Reply { outcomes, .. } => {
                        outcomes.iter().find(|outcome| outcome.phase == Phase::Stopped).map(|one| one.id)
                    }
                    _ => None,
                });
                let start = |id| Input::Command {
                    ticket: Ticket(u64::MAX),
                    by: "nobody".to_owned(),
                    command: Command::Start(vec![id]),
                };
                stopped.map(start).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Spoil the table between one daemon and the next, as JSON.
    pub(crate) fn spoil_table(self, table: &mut Value) {
        if self == Fault::LosesApps {
            table["apps"] = Value::Object(serde_json::Map::new());
        }
        let Some(instances) = table.get_mut("instances").and_then(Value::as_object_mut) else { return };
        for instance in instances.values_mut() {
            match self {
                Fault::LosesOnDisk | Fault::RestoresOtherwise => instance["restarts"] = 0.into(),
                Fault::ForgetsDeadlines => instance["deadline_ns"] = Value::Null,
                Fault::RestartSurvivesStop if instance["phase"] == "backoff" => {
                    instance["goal"] = "down".into();
                }
                Fault::CallsItStopped if instance["phase"] == "online" => {
                    instance["phase"] = "stopped".into();
                }
                Fault::DeletionStays if instance["phase"] == "stopped" => instance["deleting"] = true.into(),
                Fault::StandsInForNobody => instance["stands_in_for"] = 999.into(),
                Fault::CountsFarTooMuch => instance["unstable"] = 99.into(),
                Fault::WantsWhatRests if instance["phase"] == "stopped" => instance["goal"] = "up".into(),
                Fault::CountsTooMuch => {
                    instance["unstable"] = (instance["unstable"].as_u64().unwrap_or(0) + 3).into();
                }
                _ => {}
            }
        }
    }

    /// Whether the table is spoiled on the way to the disk and back, and not by the supervisor.
    pub(crate) fn is_on_the_disk(self) -> bool {
        self == Fault::LosesOnDisk
    }

    /// Spoil what the supervisor wants done.
    pub(crate) fn spoil(self, effects: &mut Effects) {
        match self {
            Fault::NoSigkill => effects.retain(|e| !matches!(e, Effect::Signal { signal: Signal::KILL, .. })),
            Fault::LosesSignals => effects.retain(|e| !matches!(e, Effect::Signal { .. })),
            Fault::NeverReplies => effects.retain(|e| !matches!(e, Effect::Reply { .. })),
            Fault::ForgetsNothing => effects.retain(|e| !matches!(e, Effect::ForgetInstance { .. })),
            Fault::SpawnsTwice => double(effects, |e| matches!(e, Effect::Spawn { .. })),
            Fault::RepliesTwice => double(effects, |e| matches!(e, Effect::Reply { .. })),
            Fault::SkipsSequence => {
                effects.retain(|e| !matches!(e, Effect::Record(event) if event.sequence % 7 == 3))
            }
            Fault::SaysStoppedAtOnce => {
                for effect in effects {
                    if let Effect::Reply { outcomes, .. } = effect {
                        for outcome in outcomes.iter_mut().filter(|outcome| outcome.phase == Phase::Online) {
                            outcome.phase = Phase::Stopped;
                        }
                    }
                }
            }
            _ => {}
        }
    }
}

fn double(effects: &mut Effects, which: impl Fn(&Effect) -> bool) {
    let copies: Vec<Effect> = effects.iter().filter(|effect| which(effect)).cloned().collect();
    effects.extend(copies);
}
