//! The summary for agents: short keys, at most about 150 tokens.
//!
//! `n` name, `per` period, `hp` health, `ln` lines, `er` errors, `wn` warnings, `top` patterns as text, count and trend (`=`
//! stable, `+` rising, `-` falling, `*` new, `0` gone), `new` patterns, `an` anomalies, `last` error and how long ago.

use serde_json::{Map, Value, json};

use super::Summary;
use super::text::{ago, cut};

/// Characters of a text; a token is about four of them.
const TEXT_CHARS: usize = 48;
/// Characters of the whole.
const ALL_CHARS: usize = 420;

impl Summary {
    /// One compact document. Secrets in it are not hidden yet: see [`crate::redact::Redactor::document`].
    pub fn ai(&self, now_us: u64) -> Value {
        let mut patterns = 3;
        let mut others = 2;
        loop {
            let value = self.compact(now_us, patterns, others);
            if value.to_string().chars().count() <= ALL_CHARS || patterns + others <= 1 {
                return value;
            }
            if others > 1 || patterns <= 1 { others -= 1 } else { patterns -= 1 }
        }
    }

    fn compact(&self, now_us: u64, patterns: usize, others: usize) -> Value {
        let text = |text: &str| cut(text.lines().next().unwrap_or_default(), TEXT_CHARS);
        let when = |time_us: u64| ago(time_us, now_us).trim_end_matches(" ago").replace("just now", "0s");
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| {
            out.insert(key.to_owned(), value);
        };
        put("n", json!(self.app));
        put("per", json!(self.period.label.strip_prefix("last ").unwrap_or(&self.period.label)));
        put("hp", json!(self.health.score));
        put("ln", json!(self.lines));
        put("er", json!(self.errors));
        put("wn", json!(self.warnings));
        let top: Vec<Value> = self
            .patterns
            .iter()
            .take(patterns)
            .map(|pattern| json!([text(&pattern.text), pattern.count, pattern.trend.sign()]))
            .collect();
        if !top.is_empty() {
            put("top", Value::from(top));
        }
        let new: Vec<Value> = self
            .new_patterns
            .iter()
            .take(others)
            .map(|pattern| json!([text(&pattern.text), pattern.count]))
            .collect();
        if !new.is_empty() {
            put("new", Value::from(new));
        }
        let anomalies: Vec<Value> = self
            .anomalies
            .iter()
            .take(others)
            .map(|anomaly| json!([text(&anomaly.of), anomaly.text, when(anomaly.until_us)]))
            .collect();
        if !anomalies.is_empty() {
            put("an", Value::from(anomalies));
        }
        if let Some(error) = &self.last_error {
            put("last", json!([cut(&error.text, 2 * TEXT_CHARS), error.time_us.map(when)]));
        }
        Value::Object(out)
    }
}
