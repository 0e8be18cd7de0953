use super::*;
use crate::index::made;
use crate::line::Stream;
use crate::query::{Reader, Window};

const NOW: u64 = 1_772_362_800_000_000;
const MINUTE: u64 = 60_000_000;

fn plan(hours: u64) -> Plan {
    let period =
        Period { label: format!("last {hours}h"), from_us: NOW - hours * 60 * MINUTE, until_us: NOW };
    Plan { app: "api".to_owned(), period, history_us: NOW - 24 * 60 * MINUTE }
}

/// Of lines with the minutes before now at which they were printed.
fn summary(lines: &[(u64, String)]) -> Summary {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("api-out.log");
    let pieces: Vec<(String, u64, u8)> = lines
        .iter()
        .enumerate()
        .map(|(number, (before, line))| {
            (format!("{line}\n"), NOW - before * MINUTE - 50_000_000 + number as u64, 1)
        })
        .collect();
    let pieces: Vec<(&str, u64, u8)> =
        pieces.iter().map(|(text, us, stream)| (text.as_str(), *us, *stream)).collect();
    made::log(&log, &pieces);
    let mut analyst = Analyst::new(plan(1));
    let window = Window { since_us: Some(NOW - 24 * 60 * MINUTE), until_us: Some(NOW) };
    analyst.read(Reader::open(&log, Stream::Out, window).unwrap()).unwrap();
    analyst.finish()
}

/// The hour of the roadmap.
fn sample() -> Vec<(u64, String)> {
    let mut lines: Vec<(u64, String)> = Vec::new();
    let mut put = |count: u64, text: &dyn Fn(u64) -> String| {
        lines.extend((0..count).map(|n| (59 - n * 59 / count.max(1), text(n))));
    };
    put(2_847, &|n| format!("Request handled in {}ms", 10 + n % 90));
    put(340, &|n| format!("Cache miss for key u{n}x{n}"));
    put(13, &|n| format!("GET /health 200 {n}"));
    put(8, &|n| format!("WARN slow query took {n}s"));
    lines.push((46, "ERROR ECONNREFUSED 10.0.0.5:5432".to_owned()));
    lines.push((44, "ERROR ECONNREFUSED 10.0.0.5:5432".to_owned()));
    lines.sort_by_key(|(before, _)| std::cmp::Reverse(*before));
    lines
}

#[test]
fn the_sample_of_the_roadmap() {
    let summary = summary(&sample());
    let text = summary.text(NOW);
    let top: String = text.lines().take(5).map(|line| format!("{line}\n")).collect();
    insta::assert_snapshot!(top, @r#"
    Process: api | Period: last 1h | Health: 92/100
    Lines: 3,210 | Errors: 2 | Warnings: 8
    Top patterns:
      1. "Request handled in <N>ms" (x2847, stable)
      2. "Cache miss for key <KEY>" (x340, stable)
    "#);
    assert_eq!(text.lines().last(), Some("Last error: \"ECONNREFUSED 10.0.0.5:5432\" (45min ago)"));
    let ai = summary.ai(NOW).to_string();
    assert!(ai.len() <= 450, "{ai}");
    assert!(ai.contains(r#""hp":92"#) && ai.contains(r#"["Request handled in <N>ms",2847,"="]"#), "{ai}");
    assert_eq!(serde_json::to_value(&summary).unwrap()["health"]["score"], 92);
}

#[test]
fn new_patterns_rising_ones_and_episodes() {
    let mut lines: Vec<(u64, String)> = Vec::new();
    for before in (0..400).rev() {
        lines.push((before, format!("tick {before}")));
        if before % 10 == 0 {
            lines.push((before, format!("WARN retry {before}")));
        }
        if before < 15 {
            lines.extend((0..20).map(|n| (before, format!("ERROR payment {n} refused"))));
        }
    }
    let summary = summary(&lines);
    assert_eq!(summary.new_patterns.len(), 1);
    assert_eq!(summary.new_patterns[0].text, "ERROR payment <N> refused");
    assert_eq!(summary.patterns[0].trend, Trend::New);
    let first = &summary.anomalies[0];
    assert_eq!((first.of.as_str(), first.episode.is_active), ("errors", true), "{:?}", summary.anomalies);
    assert!(summary.health.score.unwrap() < 60, "{:?}", summary.health);
    let text = summary.text(NOW);
    assert!(text.contains("New patterns:\n  - \"ERROR payment <N> refused\" (x300, error)\n"), "{text}");
    assert!(
        text.contains("  - errors: ") && text.contains("σ above normal (20/min, usually 0), now"),
        "{text}"
    );
}

#[test]
fn a_trace_is_one_error_and_no_data_is_no_score() {
    let trace = ["TypeError: x", "    at f (/srv/a.js:1:2)", "    at g (/srv/a.js:3:2)"];
    let lines: Vec<(u64, String)> = trace.iter().map(|line| (5, (*line).to_owned())).collect();
    let one = summary(&lines);
    assert_eq!((one.errors, one.lines, one.patterns.len()), (1, 3, 1));
    assert_eq!(one.last_error.unwrap().text, "TypeError: x");
    let none = summary(&[]);
    assert_eq!(
        none.text(NOW),
        "Process: api | Period: last 1h | Health: no data\nLines: 0 | Errors: 0 | Warnings: 0\n"
    );
    assert_eq!(none.with_crashes(2).health.score, Some(70));
}

#[test]
fn a_period_from_the_beginning_of_time_hides_no_rate() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("api-out.log");
    let pieces: Vec<(String, u64, u8)> =
        (0..40).map(|n| (format!("ERROR boom {n}\n"), NOW - 30 * MINUTE + n, 1)).collect();
    let pieces: Vec<(&str, u64, u8)> =
        pieces.iter().map(|(text, us, stream)| (text.as_str(), *us, *stream)).collect();
    made::log(&log, &pieces);
    let score = |from_us: u64| {
        let period = Period { label: "x".to_owned(), from_us, until_us: NOW };
        let summary = summarise("api", &[(log.as_path(), Stream::Out)], period).unwrap();
        summary.health.deductions.iter().find(|one| one.name == "errors").map(|one| one.points)
    };
    assert_eq!(score(0), score(NOW - 60 * MINUTE));
    assert!(score(0).is_some_and(|points| points > 20.0), "{:?}", score(0));
}
