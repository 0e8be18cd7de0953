//! Which processes are shown: words that must all hold.
//!
//! `api` is part of the name, `state:errored`, `ns:web`, `cpu>50`, `mem>200M`, `restarts>3` (`<` too), and `!` before a
//! word turns it round.

use velos_core::protocol::InstanceSummary;
use velos_core::units::parse_bytes;

/// Words that were understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter(Vec<Word>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    is_inverse: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Name(String),
    State(String),
    Namespace(String),
    Number { of: Quantity, above: bool, limit: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    /// Hundredths of a percent.
    Cpu,
    Memory,
    Restarts,
}

impl Filter {
    /// Read what was typed, or say what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split_whitespace().map(word).collect::<Result<_, _>>().map(Self)
    }

    /// Everything is shown.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an instance is shown.
    pub fn holds(&self, one: &InstanceSummary) -> bool {
        self.0.iter().all(|word| word.test.holds(one) != word.is_inverse)
    }
}

fn word(text: &str) -> Result<Word, String> {
    let (is_inverse, rest) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let lower = rest.to_lowercase();
    let test = if let Some(state) = lower.strip_prefix("state:") {
        Test::State(state.to_owned())
    } else if let Some(namespace) = lower.strip_prefix("ns:") {
        Test::Namespace(namespace.to_owned())
    } else if let Some(place) = lower.find(['<', '>']) {
        number(&lower, place)?
    } else {
        Test::Name(lower)
    };
    Ok(Word { is_inverse, test })
}

fn number(text: &str, place: usize) -> Result<Test, String> {
    let (what, value) = (&text[..place], &text[place + 1..]);
    let (of, limit) = match what {
        "cpu" => {
            let percent = value.trim_end_matches('%').parse::<f64>().ok();
            let limit = percent.filter(|percent| (0.0..1e9).contains(percent));
            (Quantity::Cpu, limit.map(|percent| (percent * 100.0) as u64))
        }
        "mem" | "memory" => (Quantity::Memory, parse_bytes(value).ok()),
        "restarts" => (Quantity::Restarts, value.parse().ok()),
        _ => return Err(format!("\"{what}\" cannot be compared; cpu, mem and restarts can")),
    };
    let example = match of {
        Quantity::Cpu => "cpu>50",
        Quantity::Memory => "mem>200M",
        Quantity::Restarts => "restarts>3",
    };
    let limit = limit.ok_or_else(|| format!("\"{text}\" has no number; write it as {example}"))?;
    Ok(Test::Number { of, above: text.as_bytes().get(place) == Some(&b'>'), limit })
}

impl Test {
    fn holds(&self, one: &InstanceSummary) -> bool {
        match self {
            Self::Name(part) => one.name.to_lowercase().contains(part),
            Self::State(part) => one.phase.status().starts_with(part.as_str()),
            Self::Namespace(part) => one.namespace.to_lowercase().starts_with(part),
            Self::Number { of, above, limit } => {
                let value = match of {
                    Quantity::Cpu => one.cpu_centipercent.map_or(0, u64::from),
                    Quantity::Memory => one.rss_bytes.unwrap_or(0),
                    Quantity::Restarts => one.restarts,
                };
                if *above { value > *limit } else { value < *limit }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[track_caller]
    fn names(text: &str) -> Vec<String> {
        let filter = Filter::parse(text).unwrap();
        let instances = sample::instances();
        instances.iter().filter(|one| filter.holds(one)).map(|one| one.name.clone()).collect()
    }

    #[test]
    fn words_must_all_hold() {
        assert_eq!(names("").len(), sample::instances().len());
        assert_eq!(names("API"), ["api", "api"]);
        assert_eq!(names("state:err"), ["broken"]);
        assert_eq!(names("ns:jobs"), ["日本語"]);
        assert_eq!(names("cpu>50"), ["chatty"]);
        assert_eq!(names("api mem>1M"), ["api"]);
        assert_eq!(names("!state:online"), ["日本語", "worker", "broken"]);
        assert_eq!(names("restarts>3"), ["worker"]);
    }

    #[test]
    fn what_makes_no_sense_is_explained() {
        assert_eq!(Filter::parse("cpu>x").unwrap_err(), "\"cpu>x\" has no number; write it as cpu>50");
        assert!(Filter::parse("uptime>3").unwrap_err().contains("cannot be compared"));
        assert!(Filter::parse("mem<12Q").unwrap_err().contains("mem>200M"));
    }
}
