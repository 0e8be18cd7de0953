//! `velos-sim --seed N | --seeds K [--from N] | --minutes M [--fault NAME]`

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use velos_sim::{Fault, run};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| -> Option<u64> {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1)?.parse().ok()
    };
    let fault =
        words.iter().position(|word| word == "--fault").and_then(|at| Fault::named(words.get(at + 1)?));
    let mut out = std::io::stdout().lock();
    let start = Instant::now();
    let (from, count, limit) = match (number("--seed"), number("--seeds"), number("--minutes")) {
        (Some(seed), ..) => (seed, 1, None),
        (None, _, Some(minutes)) => {
            let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
            (seed << 24, u64::MAX, Some(Duration::from_secs(minutes * 60)))
        }
        (None, Some(count), None) => (number("--from").unwrap_or(0), count, None),
        (None, None, None) => {
            let _ = writeln!(
                out,
                "usage: velos-sim --seed N | --seeds K [--from N] | --minutes M [--fault NAME]"
            );
            return ExitCode::from(2);
        }
    };
    let mut steps = 0;
    let mut done = 0;
    while done < count && limit.is_none_or(|limit| start.elapsed() < limit) {
        let seed = from.wrapping_add(done);
        let report = run(seed, fault);
        steps += report.steps;
        done += 1;
        if let Some(failure) = report.failure {
            let _ = writeln!(
                out,
                "seed {seed} fails: {failure}\nreplay: cargo run -p velos-sim -- --seed {seed}"
            );
            return ExitCode::FAILURE;
        }
    }
    let _ = writeln!(out, "{done} seeds, {steps} steps in {:.1?}: every invariant held", start.elapsed());
    ExitCode::SUCCESS
}
