//! Mistakes planted between supervisor and world. An invariant counts only once one of these has tripped it.

use velos_core::instance::Phase;
use velos_core::signal::Signal;
use velos_supervisor::{Effect, Effects, Input};

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
    SaysStoppedAtOnce,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 10] = [
        Fault::NoSigkill,
        Fault::LosesSignals,
        Fault::SpawnsTwice,
        Fault::RepliesTwice,
        Fault::NeverReplies,
        Fault::SkipsSequence,
        Fault::IgnoresTreeWatch,
        Fault::ForgetsNothing,
        Fault::DeadlinesNeverFire,
        Fault::SaysStoppedAtOnce,
    ];

    /// By name, as `--fault` takes it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| format!("{fault:?}").eq_ignore_ascii_case(name))
    }

    /// Whether the world's input is lost.
    pub(crate) fn swallows(self, input: &Input) -> bool {
        self == Fault::IgnoresTreeWatch && matches!(input, Input::TreeEmpty { .. })
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
            Fault::IgnoresTreeWatch | Fault::DeadlinesNeverFire => {}
        }
    }
}

fn double(effects: &mut Effects, which: impl Fn(&Effect) -> bool) {
    let copies: Vec<Effect> = effects.iter().filter(|effect| which(effect)).cloned().collect();
    effects.extend(copies);
}
