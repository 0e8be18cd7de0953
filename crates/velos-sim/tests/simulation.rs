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
        let found = (0..2_000).any(|seed| run(seed, Some(fault)).failure.is_some());
        assert!(found, "{fault:?} goes unnoticed");
    }
}
