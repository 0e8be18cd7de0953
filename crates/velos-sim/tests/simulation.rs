//! Seeds that must hold, and mistakes that must be found.

use velos_sim::{Fault, run};

/// Seeds that failed once, with what they showed.
const KEPT: &str = include_str!("seeds.txt");

#[test]
fn kept_seeds_hold() {
    for line in KEPT.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let seed = line.split_whitespace().next().unwrap().parse().unwrap();
        let report = run(seed, None);
        assert!(report.failure.is_none(), "seed {seed}: {}", report.failure.unwrap());
    }
}

#[test]
fn every_planted_fault_is_found() {
    for fault in Fault::ALL {
        let mut others = Vec::new();
        let found = (0..10_000).any(|seed| {
            let Some(failure) = run(seed, Some(fault)).failure else { return false };
            let first = failure.lines().next().unwrap_or_default().to_owned();
            let is_it = fault.trips().iter().any(|words| first.contains(words));
            others.push(first);
            is_it
        });
        others.truncate(3);
        assert!(found, "{fault:?} is not found by what is meant to find it, but by {others:?}");
    }
}
