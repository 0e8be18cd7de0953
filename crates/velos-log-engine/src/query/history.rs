//! How far back the past of a log may be read for a given price.

use std::path::Path;

use crate::index::Index;
use crate::segments;

/// The moment from which on at most `bytes` bytes were written before `from_us`, not before `oldest_us`. Without an index
/// nothing is known of the past: it is `from_us` itself.
pub fn history_start(log: &Path, from_us: u64, oldest_us: u64, bytes: u64) -> u64 {
    let closed = segments::closed(log).unwrap_or_default();
    let live = (log.to_path_buf(), Index::of(log));
    let older = closed.iter().rev().map(|segment| (segment.path.clone(), segment.index()));
    let mut left = bytes;
    let mut start = from_us;
    for (path, index) in std::iter::once(live).chain(older) {
        let is_unknown = index.records().is_empty();
        if is_unknown && path.metadata().is_ok_and(|meta| meta.len() > 0) {
            return start;
        }
        for record in index.records().iter().rev().filter(|record| record.time_us < from_us) {
            if record.time_us < oldest_us {
                return oldest_us;
            }
            let Some(rest) = left.checked_sub(u64::from(record.len)) else { return start };
            left = rest;
            start = start.min(record.time_us);
        }
    }
    // All of it is cheap enough.
    oldest_us
}
