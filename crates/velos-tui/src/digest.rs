//! What a log says as a whole: the engine's summary, with secrets hidden, and how the lines flowed.

use velos_log_engine::redact::Redactor;
use velos_log_engine::summary::{Pattern, Summary};

/// Parts of the time line.
pub const PARTS: u64 = 60;

/// A log as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    /// How much, how bad, which patterns, which errors.
    pub summary: Summary,
    /// Lines in equal parts of the period.
    pub flow: Vec<u64>,
    /// How long it took to make it, milliseconds.
    pub took_ms: u64,
}

impl Digest {
    /// Of a summary and the times of its lines, microseconds since 1970.
    pub fn new(
        mut summary: Summary,
        times: impl Iterator<Item = u64>,
        redactor: Option<&mut Redactor>,
    ) -> Self {
        if let Some(redactor) = redactor {
            hide(&mut summary, redactor);
        }
        // Newest first: that is what one looks for.
        summary.error_groups.sort_by_key(|group| std::cmp::Reverse(group.last_line));
        summary.error_groups.sort_by_key(|group| std::cmp::Reverse(group.last_us));
        let flow = flow(times, summary.period.from_us, summary.period.until_us);
        Self { summary, flow, took_ms: 0 }
    }
}

/// A pattern has a secret in pieces, which no rule knows; so where its example has one, the example stands for it.
fn hide(summary: &mut Summary, redactor: &mut Redactor) {
    let mut line = |text: &mut String| -> bool {
        let hidden: Vec<String> = text
            .lines()
            .map(|line| String::from_utf8_lossy(&redactor.line(line.as_bytes())).into_owned())
            .collect();
        let hidden = hidden.join("\n");
        let is_changed = hidden != text.trim_end_matches('\n');
        *text = hidden;
        is_changed
    };
    let mut cut_up: Vec<(String, String)> = Vec::new();
    let mut pattern = |one: &mut Pattern| {
        let before = one.text.clone();
        if line(&mut one.example) {
            one.text = one.example.clone();
        } else {
            line(&mut one.text);
        }
        if before != one.text {
            cut_up.push((before, one.text.clone()));
        }
    };
    summary.patterns.iter_mut().for_each(&mut pattern);
    summary.new_patterns.iter_mut().for_each(&mut pattern);
    for anomaly in &mut summary.anomalies {
        if let Some((_, safe)) = cut_up.iter().find(|(before, _)| *before == anomaly.of) {
            anomaly.of.clone_from(safe);
        } else {
            line(&mut anomaly.of);
        }
    }
    for group in &mut summary.error_groups {
        line(&mut group.sample);
        if line(&mut group.last_message) {
            group.message = group.last_message.clone();
        } else {
            line(&mut group.message);
        }
    }
    if let Some(last) = &mut summary.last_error {
        line(&mut last.text);
    }
}

fn flow(times: impl Iterator<Item = u64>, from_us: u64, until_us: u64) -> Vec<u64> {
    let length = until_us.saturating_sub(from_us) / PARTS + 1;
    let mut parts = vec![0; PARTS as usize];
    for time_us in times.filter(|time_us| *time_us >= from_us) {
        let part = usize::try_from((time_us - from_us) / length).unwrap_or(usize::MAX);
        if let Some(count) = parts.get_mut(part) {
            *count += 1;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_has_equal_parts() {
        let flow = flow([0, 99, 100, 6_999, 7_000].into_iter(), 100, 7_000);
        assert_eq!((flow.len(), flow.iter().sum::<u64>(), flow[0]), (60, 3, 1));
        assert_eq!(flow[59], 2);
    }
}
